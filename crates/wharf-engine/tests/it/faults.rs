//! Each kind of fault, from the guest that has it.

use std::time::Instant;

use wharf_engine::Frame;

use super::*;

const TRAPPING: &str = r#"(module
    (func $_ZN4core9panicking5panic17h0123456789abcdefE unreachable)
    (func $middle (call $_ZN4core9panicking5panic17h0123456789abcdefE))
    (func (export "run") (call $middle))
    (func (export "divide") (drop (i32.div_u (i32.const 1) (i32.const 0))))
    (func (export "wild") (drop (i32.load (i32.const -4))))
    (func (export "fine"))
    (memory 1))"#;

#[test]
fn a_trap_says_what_and_where() {
    let mut instance = instance(TRAPPING);
    let fault = call(&mut instance, "run").unwrap_err();
    assert!(
        matches!(fault.kind(), FaultKind::Trap { reason } if reason.contains("unreachable")),
        "{fault}"
    );
    assert_eq!(fault.callback(), "run");
    assert!(
        fault.to_string().starts_with("in run: the guest trapped: "),
        "{fault}"
    );
    let names: Vec<_> = fault
        .backtrace()
        .iter()
        .map(|frame| frame.function.as_deref())
        .collect();
    assert_eq!(names, [Some("core::panicking::panic"), Some("middle"), None]);
    let indices: Vec<_> = fault.backtrace().iter().map(|frame| frame.index).collect();
    assert_eq!(indices, [0, 1, 2]);
    assert!(fault.backtrace().iter().all(|frame| frame.offset.is_some()));
}

#[test]
fn each_trap_has_its_own_reason() {
    for (export, word) in [("divide", "divide by zero"), ("wild", "out of bounds")] {
        let fault = call(&mut instance(TRAPPING), export).unwrap_err();
        assert_eq!(fault.kind().label(), "trap");
        assert!(fault.to_string().contains(word), "{fault}");
    }
}

#[test]
fn a_frame_reads_as_one_line() {
    let mut frame = Frame {
        function: Some("f".into()),
        index: 3,
        offset: Some(255),
        source: Some("a.rs:7".into()),
    };
    assert_eq!(frame.to_string(), "f at 0xff (a.rs:7)");
    frame = Frame {
        function: None,
        offset: None,
        source: None,
        ..frame
    };
    assert_eq!(frame.to_string(), "function 3");
}

#[test]
fn an_instance_that_has_faulted_is_not_called_again() {
    let mut instance = instance(TRAPPING);
    call(&mut instance, "fine").unwrap();
    assert!(!instance.is_faulted());
    call(&mut instance, "divide").unwrap_err();
    assert!(instance.is_faulted());
    let fault = call(&mut instance, "fine").unwrap_err();
    assert_eq!(
        (fault.kind(), fault.callback()),
        (&FaultKind::AlreadyFaulted, "fine")
    );
}

const LOOPING: &str = r#"(module (func $spin (loop (br 0))) (func (export "run") (call $spin)))"#;

#[test]
fn an_endless_loop_ends_at_its_deadline_and_not_before() {
    let deadline = Duration::from_millis(20);
    for _ in 0..3 {
        let mut instance = instance(LOOPING);
        let started = Instant::now();
        let fault = call_within(&mut instance, "run", deadline).unwrap_err();
        assert!(started.elapsed() >= deadline);
        assert_eq!(fault.kind(), &FaultKind::DeadlineExceeded { deadline });
        assert_eq!(fault.backtrace()[0].function.as_deref(), Some("spin"));
        assert!(instance.take_guest_time() >= deadline);
        assert_eq!(instance.take_guest_time(), Duration::ZERO);
    }
}

#[test]
fn deadlines_hold_after_the_engine_was_idle_and_after_it_is_gone() {
    let engine = Engine::new(EngineSettings {
        tick: Duration::from_millis(1),
        ..EngineSettings::default()
    })
    .unwrap();
    let module = compile_with(&engine, LOOPING, &Limits::default()).unwrap();
    let linked = module.link(&imports(), &Limits::default()).unwrap();
    drop((engine, module));
    // The clock stops after a tenth of a second without a guest; where this sleep is too short the test only proves less.
    std::thread::sleep(Duration::from_millis(400));
    let mut instance = linked.instantiate(()).unwrap();
    drop(linked);
    let fault = call_within(&mut instance, "run", Duration::from_millis(5)).unwrap_err();
    assert_eq!(fault.kind().label(), "deadline");
}

#[test]
fn a_deadline_of_nothing_and_one_of_forever_are_both_deadlines() {
    let fault = call_within(&mut instance(LOOPING), "run", Duration::ZERO).unwrap_err();
    assert_eq!(
        fault.kind(),
        &FaultKind::DeadlineExceeded {
            deadline: Duration::ZERO
        }
    );
    call_within(&mut instance(TRAPPING), "fine", Duration::MAX).unwrap();
}

#[test]
fn endless_recursion_exhausts_the_stack() {
    let fault = call(
        &mut instance(r#"(module (func $f (export "run") (call $f)))"#),
        "run",
    )
    .unwrap_err();
    assert_eq!(fault.kind(), &FaultKind::StackExhausted);
    assert!(!fault.backtrace().is_empty());
}

#[test]
fn what_a_host_function_raises_is_the_fault() {
    let wat = r#"(module
        (import "env" "exit" (func $exit (param i32)))
        (import "env" "bad_reply" (func $bad_reply (result i32)))
        (func $leave (export "exit") (call $exit (i32.const 3)))
        (func (export "bad_reply") (drop (call $bad_reply))))"#;
    let fault = call(&mut instance(wat), "exit").unwrap_err();
    assert_eq!(fault.kind(), &FaultKind::Exit { code: 3 });
    assert_eq!(fault.backtrace()[0].function.as_deref(), Some("leave"));
    let fault = call(&mut instance(wat), "bad_reply").unwrap_err();
    assert_eq!(
        fault.to_string(),
        "in bad_reply: the guest gave a bad reply: seven is not even"
    );
}

#[test]
fn exports_that_are_missing_or_of_another_kind_are_told_apart() {
    let mut instance = instance(r#"(module (func (export "run") (param i64)) (memory (export "memory") 1))"#);
    assert!(instance.function::<(), ()>("absent").unwrap().is_none());
    assert!(instance.function::<u64, ()>("run").unwrap().is_some());
    for (name, word) in [
        ("run", "has the signature (i64), which"),
        ("memory", "is not a function"),
    ] {
        let fault = instance.function::<(), ()>(name).map(|_| ()).unwrap_err();
        assert!(matches!(fault.kind(), FaultKind::WrongSignature { name: n, .. } if n == name));
        assert!(fault.to_string().contains(word), "{fault}");
    }
    assert!(!instance.is_faulted(), "looking for an export harms nothing");
}

#[test]
fn the_start_function_faults_like_any_other() {
    let start = |wat: &str| {
        let limits = Limits {
            startup_deadline: Duration::from_millis(20),
            ..Limits::default()
        };
        linked(wat, &limits).instantiate(()).map(|_| ()).unwrap_err()
    };
    let trapped = start("(module (func $begin unreachable) (start $begin))");
    assert_eq!((trapped.kind().label(), trapped.callback()), ("trap", "(start)"));
    assert_eq!(trapped.backtrace()[0].function.as_deref(), Some("begin"));
    let looped = start("(module (func $begin (loop (br 0))) (start $begin))");
    assert_eq!(
        looped.kind(),
        &FaultKind::DeadlineExceeded {
            deadline: Duration::from_millis(20)
        }
    );
    let segment = start(r#"(module (memory 1) (data (i32.const 65536) "x"))"#);
    assert_eq!(segment.kind().label(), "trap");
    let exited = start(
        r#"(module (import "env" "exit" (func $exit (param i32))) (func $begin (call $exit (i32.const 0))) (start $begin))"#,
    );
    assert_eq!(exited.kind(), &FaultKind::Exit { code: 0 });
}
