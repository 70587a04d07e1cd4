//! Modules that misbehave: each ends with its own error, and the next file finds a module that works.

use std::sync::Arc;
use std::time::Duration;

use wharf_abi_trivy::{CallError, LoadError, PayloadLimits, Settings};
use wharf_engine::{Deadline, FaultKind};
use wharf_plugin::{ByteSize, Limits};

use crate::support::{TestHost, Text, ample, analyze, guest, load_with, settings, short};

#[track_caller]
fn fault(outcome: Result<impl Sized, CallError>) -> FaultKind {
    match outcome {
        Err(CallError::Fault { fault, .. }) => fault.kind().clone(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it works"),
    }
}

#[track_caller]
fn bad_reply(outcome: Result<impl Sized, CallError>) -> String {
    match fault(outcome) {
        FaultKind::BadReply { reason } => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn a_trap_is_told_and_the_next_file_gets_a_fresh_instance() {
    // Traps on the second file that one instance sees.
    let module = Text::new()
        .head("(global $seen (mut i32) (i32.const 0))")
        .with(
            "analyze",
            "(param i32 i32) (result i64)
             (if (global.get $seen) (then (unreachable)))
             (global.set $seen (i32.const 1)) (i64.const 0x40_00000004)",
        )
        .load()
        .unwrap();
    for _ in 0..3 {
        analyze(&module, "a", "").unwrap();
        let outcome = analyze(&module, "b", "");
        assert!(matches!(fault(outcome), FaultKind::Trap { .. }));
    }
    let trap = guest("wat/trap.wat", &Arc::default()).unwrap();
    let error = analyze(&trap, "a", "").unwrap_err();
    assert_eq!(error.label(), "trap");
    assert!(
        error.to_string().starts_with("in analyze: the guest trapped: "),
        "{error}"
    );
}

#[test]
fn a_module_that_never_comes_back_is_ended_wherever_it_is() {
    let forever = guest("wat/loop.wat", &Arc::default()).unwrap();
    for _ in 0..2 {
        let outcome = forever.analyze("a", Arc::from([]), short());
        assert!(matches!(fault(outcome), FaultKind::DeadlineExceeded { .. }));
    }
    let spin = "(loop $l (br $l)) (unreachable)";
    for (name, text) in [
        ("malloc", format!("(param i32) (result i32) {spin}")),
        ("analyze", format!("(param i32 i32) (result i64) {spin}")),
        ("post_scan", format!("(param i32 i32) (result i64) {spin}")),
    ] {
        let module = Text::new().with(name, &text).load().unwrap();
        let outcome = match name {
            "post_scan" => module.post_scan(&mut Vec::new(), short()).map(drop),
            _ => module.analyze("a", Arc::from([]), short()).map(drop),
        };
        let Err(CallError::Fault { fault, .. }) = outcome else {
            panic!("{name} came back");
        };
        assert_eq!(fault.callback(), name);
        assert!(
            matches!(fault.kind(), FaultKind::DeadlineExceeded { .. }),
            "{fault}"
        );
    }
    let over = forever.analyze("a", Arc::from([]), Deadline::after(Duration::ZERO));
    assert!(matches!(fault(over), FaultKind::DeadlineExceeded { .. }));
}

#[test]
fn a_module_that_never_starts_is_ended() {
    let settings = Settings {
        limits: Limits {
            startup_deadline: Duration::from_millis(30),
            ..settings().limits
        },
        ..settings()
    };
    for name in ["_initialize", "_start"] {
        let wat = Text::new()
            .head(&format!("(func (export \"{name}\") (loop $l (br $l)))"))
            .wat();
        let error = load_with(&wat, settings.clone(), &Arc::default()).unwrap_err();
        assert!(error.to_string().contains("ran past its deadline"), "{error}");
        assert!(error.hint().contains("limits"));
    }
    for name in ["name", "required", "post_scan_spec", "version", "is_analyzer"] {
        let result = if name == "version" { "i32" } else { "i64" };
        let wat = Text::new()
            .with(
                name,
                &format!("(result {result}) (loop $l (br $l)) (unreachable)"),
            )
            .wat();
        let error = load_with(&wat, settings.clone(), &Arc::default()).unwrap_err();
        assert!(matches!(error, LoadError::Fault { .. }), "{error}");
    }
}

#[test]
fn a_module_that_takes_more_memory_than_it_may_is_ended() {
    let hog = guest("wat/hog.wat", &Arc::default()).unwrap();
    let limit = ByteSize::from_mib(64);
    let outcome = analyze(&hog, "a", "");
    assert!(matches!(fault(outcome), FaultKind::MemoryLimit { limit: given, .. } if given == limit));
    // An allocator that tells its host that there is no more is not at fault for a trap.
    let module = Text::new()
        .with(
            "malloc",
            "(param i32) (result i32) (drop (memory.grow (i32.const 60000))) (i32.const 0)",
        )
        .load()
        .unwrap();
    assert!(matches!(
        fault(analyze(&module, "a", "")),
        FaultKind::MemoryLimit { .. }
    ));
}

#[test]
fn places_outside_the_memory_are_told() {
    let host = Arc::new(TestHost::default());
    let wild = guest("wat/wild.wat", &host).unwrap();
    for letter in ["a", "b", "c"] {
        let reason = bad_reply(analyze(&wild, letter, ""));
        assert!(
            reason.contains("is not inside the guest's memory of 131072 bytes"),
            "{reason}"
        );
    }
    let reason = bad_reply(analyze(&wild, "e", ""));
    assert!(
        reason.starts_with("warn: the text: the range at 0xfffffff0 of 32 bytes"),
        "{reason}"
    );
    assert_eq!(host.take(), [""; 0]);
    // Another path is a module that says that it failed.
    assert!(matches!(
        analyze(&wild, "z", ""),
        Err(CallError::NoResult { message: None })
    ));
}

#[test]
fn an_allocator_that_gives_a_bad_place_is_told() {
    for (pointer, told) in [
        ("-1", "is not inside"),
        ("65535", "is not inside"),
        ("0", "it gives no memory for 2 bytes"),
    ] {
        let text = format!("(param i32) (result i32) (i32.const {pointer})");
        let module = Text::new().with("malloc", &text).load().unwrap();
        let reason = bad_reply(analyze(&module, "a", ""));
        assert!(reason.contains(told), "{reason}");
        let reason = bad_reply(module.post_scan(&mut Vec::new(), ample()));
        assert!(reason.contains(&told.replace('2', "15")), "{reason}");
    }
}

#[test]
fn a_free_that_traps_ends_the_call() {
    for parameters in ["i32", "i32 i32"] {
        let wat = Text::new().head("(global $calls (mut i32) (i32.const 0))").with(
            "free",
            &format!(
                "(param {parameters}) (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                     (if (i32.gt_u (global.get $calls) (i32.const 3)) (then (unreachable)))"
            ),
        );
        let module = wat.load().unwrap();
        let outcomes: Vec<bool> = (0..5).map(|_| analyze(&module, "a", "").is_ok()).collect();
        assert!(outcomes.contains(&false), "{parameters}: {outcomes:?}");
    }
}

#[test]
fn json_that_is_not_what_it_should_be_is_told_and_the_instance_stays() {
    let module = guest("wat/bad-json.wat", &Arc::default()).unwrap();
    for _ in 0..2 {
        let error = analyze(&module, "a", "").unwrap_err();
        assert_eq!(error.label(), "bad_json");
        assert!(
            error
                .to_string()
                .contains("CustomResources[0].Type: EOF while parsing a value"),
            "{error}"
        );
    }
    let list = Text::new().with(
        "analyze",
        "(param i32 i32) (result i64) (i64.const 0x20_00000005)",
    );
    let error = analyze(&list.load().unwrap(), "a", "").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("invalid type: sequence, expected an object"),
        "{error}"
    );
    let object = Text::new().with(
        "post_scan",
        "(param i32 i32) (result i64) (i64.const 0x50_00000002)",
    );
    let mut results = vec![wharf_report::ScanResult::default()];
    let error = object
        .load()
        .unwrap()
        .post_scan(&mut results, ample())
        .unwrap_err();
    assert!(error.to_string().contains("invalid type: map"), "{error}");
    assert_eq!(results.len(), 1);
}

#[test]
fn what_goes_in_and_out_is_bounded() {
    let small = ByteSize::from_bytes(3);
    let bounded = |payload: PayloadLimits| {
        let settings = Settings {
            payload,
            ..settings()
        };
        load_with(&Text::new().wat(), settings, &Arc::default())
    };
    let response = bounded(PayloadLimits {
        response: small,
        ..PayloadLimits::default()
    })
    .unwrap();
    let error = analyze(&response, "a", "").unwrap_err();
    assert_eq!(error.label(), "response_too_large");
    let request = bounded(PayloadLimits {
        request: small,
        ..PayloadLimits::default()
    })
    .unwrap();
    assert!(analyze(&request, "ab", "").is_ok());
    let error = request.post_scan(&mut Vec::new(), ample()).unwrap_err();
    assert_eq!(error.label(), "request_too_large");
    let error = bounded(PayloadLimits {
        description: small,
        ..PayloadLimits::default()
    })
    .unwrap_err();
    assert!(
        matches!(error, LoadError::TooLarge { function: "name", .. }),
        "{error}"
    );
}

#[test]
fn what_a_module_said_last_is_told_with_its_failure() {
    let host = Arc::new(TestHost::default());
    let said =
        r#"(import "env" "error" (func $error (param i32 i32))) (data (i32.const 300) "no such thing\n")"#;
    for (end, label) in [("(i64.const 0)", "no_result"), ("(unreachable)", "trap")] {
        let text = format!("(param i32 i32) (result i64) (call $error (i32.const 300) (i32.const 14)) {end}");
        let wat = Text::new().head(said).with("analyze", &text).wat();
        let module = load_with(&wat, settings(), &host).unwrap();
        let error = analyze(&module, "dir/a", "").unwrap_err();
        assert_eq!(error.label(), label);
        assert!(
            error.to_string().ends_with("; it had said: no such thing"),
            "{error}"
        );
        assert_eq!(host.take(), ["Error /dir/a: no such thing\n"]);
    }
}

#[test]
fn log_lines_are_cut_and_may_be_any_bytes() {
    let host = Arc::new(TestHost::default());
    let payload = PayloadLimits {
        text: ByteSize::from_bytes(4),
        ..PayloadLimits::default()
    };
    let wat = Text::new()
        .head(r#"(import "env" "debug" (func $debug (param i32 i32))) (data (i32.const 300) "ab\ffdefg")"#)
        .with(
            "analyze",
            "(param i32 i32) (result i64) (call $debug (i32.const 300) (i32.const 7)) (call $debug (i32.const 0) (i32.const 0)) (i64.const 0x40_00000004)",
        )
        .wat();
    let module = load_with(
        &wat,
        Settings {
            payload,
            ..settings()
        },
        &host,
    )
    .unwrap();
    analyze(&module, "f", "").unwrap();
    assert_eq!(
        host.take(),
        ["Debug /f: ab\u{fffd}d… (3 bytes left out)", "Debug /f: "]
    );
}

#[test]
fn modules_that_are_none_are_refused_with_what_to_do() {
    let error = guest("wat/no-free.wat", &Arc::default()).unwrap_err();
    assert!(matches!(error, LoadError::MissingExport("free")), "{error}");
    let error = guest("wat/wrong-version.wat", &Arc::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the module \"wrong-version\" speaks version 2 of the module API, and this host version 1"
    );
}
