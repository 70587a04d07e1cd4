//! Guests that speak the ABI as they like.
//!
//! Their values are addresses of texts, so that `opa_value_dump` has nothing to do and `opa_value_parse` ends the text with
//! a zero.

use super::*;

/// A guest: each part can be another one.
struct Guest {
    version: &'static str,
    functions: &'static str,
    entrypoints: &'static str,
    /// The bodies of functions.
    builtins: &'static str,
    dump: &'static str,
    parse: &'static str,
    malloc: &'static str,
    eval: &'static str,
    /// Further fields of the module.
    more: &'static str,
}

const GOOD: Guest = Guest {
    version: r#"(global (export "opa_wasm_abi_version") i32 (i32.const 1))"#,
    functions: r#"{\"trace\":7,\"sprintf\":8,\"time.now_ns\":9}"#,
    entrypoints: r#"{\"main\":3}"#,
    builtins: "(i32.const 0x100)",
    dump: "(local.get 0)",
    parse: "(i32.store8 (i32.add (local.get 0) (local.get 1)) (i32.const 0)) (local.get 0)",
    malloc: "(global.get $top) (global.set $top (i32.add (global.get $top) (i32.add (local.get 0) (i32.const 1))))",
    eval: "(i32.const 0x300)",
    more: "",
};

impl Guest {
    fn wasm(&self) -> Vec<u8> {
        let Self {
            version,
            functions,
            entrypoints,
            builtins,
            dump,
            parse,
            malloc,
            eval,
            more,
        } = self;
        let wat = format!(
            r#"(module
            (import "env" "opa_abort" (func $abort (param i32)))
            (import "env" "opa_println" (func $println (param i32)))
            (import "env" "opa_builtin0" (func $builtin0 (param i32 i32) (result i32)))
            (import "env" "opa_builtin1" (func $builtin1 (param i32 i32 i32) (result i32)))
            (import "env" "opa_builtin2" (func $builtin2 (param i32 i32 i32 i32) (result i32)))
            (import "env" "memory" (memory 2))
            {version}
            (global $top (mut i32) (i32.const 0x8000))
            (data (i32.const 0x100) "{functions}\00")
            (data (i32.const 0x200) "{entrypoints}\00")
            (data (i32.const 0x300) "[{{\"result\":1}}]\00")
            (data (i32.const 0x400) "\"%s\"\00") (data (i32.const 0x410) "[\"x\"]\00") (data (i32.const 0x420) "hello\00")
            (func (export "builtins") (result i32) {builtins})
            (func (export "entrypoints") (result i32) (i32.const 0x200))
            (func $dump (export "opa_json_dump") (export "opa_value_dump") (param i32) (result i32) {dump})
            (func (export "opa_value_parse") (param i32 i32) (result i32) {parse})
            (func (export "opa_malloc") (param i32) (result i32) {malloc})
            (func (export "opa_heap_ptr_get") (result i32) (global.get $top))
            (func (export "opa_eval") (param i32 i32 i32 i32 i32 i32 i32) (result i32) {eval})
            {more})"#
        );
        wat::parse_str(&wat).unwrap_or_else(|error| panic!("{error}\n{wat}"))
    }

    fn refused(&self) -> ProgramError {
        program(&self.wasm()).map(|_| ()).unwrap_err()
    }

    /// The error of an evaluation, within a time that is long enough for all but loops.
    #[track_caller]
    fn faults(&self) -> EvalError {
        let program = program(&self.wasm()).unwrap();
        let mut host = Recorder::default();
        let deadline = Duration::from_millis(200);
        eval_in(&program, "main", "{}", "{}", &mut host, deadline).unwrap_err()
    }
}

fn evaluating(eval: &'static str) -> Guest {
    Guest { eval, ..GOOD }
}

#[track_caller]
fn assert_bad_guest(error: &EvalError, expected: &str) {
    assert!(matches!(error, EvalError::BadGuest { .. }), "{error:?}");
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(error.side(), Side::Policy);
}

#[test]
fn the_good_one_is_answered() {
    let plain = program(&GOOD.wasm()).unwrap();
    assert_eq!(plain.entrypoints().get("main"), Some(&3));
    assert_eq!(eval(&plain, "main", "{}", "{}").unwrap(), r#"[{"result":1}]"#);
    // The result is that of sprintf("%s", ["x"]).
    let calling =
        evaluating("(call $builtin2 (i32.const 8) (i32.const 0) (i32.const 0x400) (i32.const 0x410))");
    assert_eq!(
        eval(&program(&calling.wasm()).unwrap(), "main", "{}", "{}").unwrap(),
        "\"x\""
    );
    // Undefined is the address 0, where there is an empty text.
    let wrong = evaluating(
        "(i32.add (call $builtin1 (i32.const 7) (i32.const 0) (i32.const 0x410)) (i32.const 0x300))",
    );
    assert!(eval(&program(&wrong.wasm()).unwrap(), "main", "{}", "{}").is_ok());
}

#[test]
fn the_older_way_is_taken_where_there_is_no_other() {
    let older = Guest {
        // It remembers input and entrypoint in its context, and gives the input back as the results.
        more: r#"(global $input (mut i32) (i32.const 0))
            (func (export "opa_eval_ctx_new") (result i32) (i32.const 0x500))
            (func (export "opa_eval_ctx_set_input") (param i32 i32) (global.set $input (local.get 1)))
            (func (export "opa_eval_ctx_set_data") (param i32 i32))
            (func (export "opa_eval_ctx_set_entrypoint") (param i32 i32)
                (if (i32.ne (local.get 1) (i32.const 3)) (then unreachable)))
            (func (export "eval") (param i32) (result i32) (i32.const 0))
            (func (export "opa_eval_ctx_get_result") (param i32) (result i32) (global.get $input))"#,
        ..GOOD
    };
    let wasm = older.wasm();
    // Another name takes the newer way out of the module.
    let at = wasm.windows(9).position(|name| name == b"\x08opa_eval").unwrap();
    let mut renamed = wasm;
    renamed[at + 1] = b'X';
    let program = program(&renamed).unwrap();
    assert_eq!(
        eval(&program, "main", r#"{"a":[1]}"#, "{}").unwrap(),
        r#"{"a":[1]}"#
    );
}

#[test]
fn other_versions_of_the_abi_are_refused() {
    for (version, found) in [
        ("", None),
        (
            r#"(global (export "opa_wasm_abi_version") i32 (i32.const 2))"#,
            Some(2),
        ),
        (
            r#"(global (export "opa_wasm_abi_version") i64 (i64.const 1))"#,
            None,
        ),
        (r#"(func (export "opa_wasm_abi_version"))"#, None),
    ] {
        let error = Guest { version, ..GOOD }.refused();
        assert!(
            matches!(error, ProgramError::Version { found: given } if given == found),
            "{error}"
        );
    }
    assert_eq!(
        Guest { version: "", ..GOOD }.refused().to_string(),
        "the module speaks no version of OPA's ABI, and this host speaks version 1"
    );
}

#[test]
fn lists_that_are_none_are_refused() {
    for functions in [
        "",
        "{",
        "[]",
        "{\\\"a\\\":\\\"b\\\"}",
        "{\\\"a\\\":1.5}",
        "{\\\"a\\\":4294967296}",
        "\\ff",
    ] {
        let error = Guest { functions, ..GOOD }.refused();
        assert!(
            matches!(
                error,
                ProgramError::BadList {
                    list: "built-in functions",
                    ..
                }
            ),
            "{functions}: {error}"
        );
    }
    let error = Guest {
        entrypoints: "7",
        ..GOOD
    }
    .refused();
    assert!(
        matches!(
            error,
            ProgramError::BadList {
                list: "entrypoints",
                ..
            }
        ),
        "{error}"
    );
    // A megabyte of blanks, and a text that goes on to the end of the memory.
    let long = Guest {
        builtins: "(drop (memory.grow (i32.const 32))) (memory.fill (i32.const 0x20000) (i32.const 32) (i32.const 0x180000))
            (i32.const 0x20000)",
        ..GOOD
    };
    assert!(matches!(long.refused(), ProgramError::BadList { .. }));
    let endless = Guest {
        builtins: "(memory.fill (i32.const 0x1000) (i32.const 32) (i32.const 0x1f000)) (i32.const 0x1000)",
        ..GOOD
    };
    assert!(
        endless.refused().to_string().contains("has no end"),
        "{}",
        endless.refused()
    );
}

#[test]
fn a_module_that_cannot_be_asked_is_refused() {
    let abort = Guest {
        builtins: "(call $abort (i32.const 0x420)) (i32.const 0)",
        ..GOOD
    };
    assert!(matches!(abort.refused(), ProgramError::Aborted { message } if message == "hello"));
    let trap = Guest {
        builtins: "unreachable",
        ..GOOD
    };
    assert!(matches!(trap.refused(), ProgramError::Fault(_)));
    let wild = Guest {
        builtins: "(i32.const -1)",
        ..GOOD
    };
    assert!(matches!(wild.refused(), ProgramError::Fault(_)));
    // A function is called before anybody was asked what it is.
    let early = Guest {
        more: "(func $start (drop (call $builtin0 (i32.const 9) (i32.const 0)))) (start $start)",
        ..GOOD
    };
    assert!(matches!(early.refused(), ProgramError::Fault(_)));
    let empty =
        wat::parse_str(r#"(module (global (export "opa_wasm_abi_version") i32 (i32.const 1)))"#).unwrap();
    assert!(matches!(program(&empty), Err(ProgramError::Fault(_))));
    let other = wat::parse_str(r#"(module (import "env" "other" (func)))"#).unwrap();
    assert!(matches!(program(&other), Err(ProgramError::Link(_))));
    let endless = Guest {
        builtins: "(loop (br 0)) (i32.const 0)",
        ..GOOD
    };
    let limits = Limits {
        startup_deadline: Duration::from_millis(50),
        ..limits()
    };
    assert!(matches!(
        program_within(&endless.wasm(), &limits),
        Err(ProgramError::Fault(_))
    ));
}

#[test]
fn wild_addresses_are_the_guests_fault() {
    for eval in ["(i32.const -1)", "(i32.const 0x20000)", "(i32.const 0x7fffffff)"] {
        assert_bad_guest(&evaluating(eval).faults(), "outside of its memory");
    }
    let no_end = "(memory.fill (i32.const 0x10000) (i32.const 49) (i32.const 0x10000)) (i32.const 0x10000)";
    assert_bad_guest(&evaluating(no_end).faults(), "has no end");
    assert_bad_guest(
        &Guest {
            malloc: "(i32.const -8)",
            ..GOOD
        }
        .faults(),
        "opa_malloc",
    );
    let argument = "(call $builtin1 (i32.const 7) (i32.const 0) (i32.const 0x7ffffff0))";
    assert_bad_guest(&evaluating(argument).faults(), "outside of its memory");
}

#[test]
fn what_is_no_value_is_the_guests_fault() {
    assert_bad_guest(&evaluating("(i32.const 0x420)").faults(), "no JSON");
    assert_bad_guest(&evaluating("(i32.const 0x10)").faults(), "no JSON");
    let argument = "(call $builtin1 (i32.const 7) (i32.const 0) (i32.const 0x420))";
    assert_bad_guest(&evaluating(argument).faults(), "is no value");
    let deep = "(memory.fill (i32.const 0x10000) (i32.const 0x5b) (i32.const 0xf000))
        (call $builtin1 (i32.const 7) (i32.const 0) (i32.const 0x10000))";
    assert_bad_guest(&evaluating(deep).faults(), "nested too deeply");
    let parse = Guest {
        parse: "(i32.const 0)",
        ..evaluating("(call $builtin0 (i32.const 9) (i32.const 0))")
    };
    assert_bad_guest(&parse.faults(), "cannot read");
}

#[test]
fn functions_are_called_by_their_numbers_with_their_arguments() {
    let unknown = "(call $builtin0 (i32.const 10) (i32.const 0))";
    assert_bad_guest(
        &evaluating(unknown).faults(),
        "a function 10, which it did not name",
    );
    let arguments = "(call $builtin0 (i32.const 7) (i32.const 0))";
    assert_bad_guest(
        &evaluating(arguments).faults(),
        "trace with 0 arguments, and it has 1",
    );
}

#[test]
fn endless_guests_are_ended() {
    let nested = Guest {
        dump: "(if (i32.eq (local.get 0) (i32.const 0x400)) (then (loop (br 0)))) (local.get 0)",
        ..evaluating("(call $builtin1 (i32.const 7) (i32.const 0) (i32.const 0x400))")
    };
    for guest in [
        evaluating("(loop (br 0)) (i32.const 0)"),
        evaluating(
            "(loop (drop (call $builtin0 (i32.const 9) (i32.const 0))) (global.set $top (i32.const 0x8000)) (br 0)) (i32.const 0)",
        ),
        nested,
    ] {
        let error = guest.faults();
        assert!(
            matches!(error, EvalError::Deadline { deadline } if deadline == Duration::from_millis(200)),
            "{error}"
        );
    }
    let deep = Guest {
        dump: "(if (i32.eq (local.get 0) (i32.const 0x400))
            (then (drop (call $builtin1 (i32.const 7) (i32.const 0) (i32.const 0x400))))) (local.get 0)",
        ..evaluating("(call $builtin1 (i32.const 7) (i32.const 0) (i32.const 0x400))")
    };
    assert!(matches!(deep.faults(), EvalError::Fault(_)), "{}", deep.faults());
}

#[test]
fn a_guest_that_gives_up_says_why() {
    let abort = evaluating("(call $println (i32.const 0x420)) (call $abort (i32.const 0x420)) (i32.const 0)");
    let program = program(&abort.wasm()).unwrap();
    let mut host = Recorder::default();
    let error = eval_in(&program, "main", "{}", "{}", &mut host, LONG).unwrap_err();
    assert_eq!(error.to_string(), "the policy aborted: hello");
    assert_eq!(host.told, ["print hello"], "what it had said is not lost");
    let wild = evaluating("(call $abort (i32.const -1)) (i32.const 0)");
    assert!(matches!(wild.faults(), EvalError::Aborted { message } if message.contains("outside")));
    let memory =
        evaluating("(drop (memory.grow (i32.const 1000))) (call $abort (i32.const 0x420)) (i32.const 0)");
    assert!(
        matches!(memory.faults(), EvalError::Memory { .. }),
        "{}",
        memory.faults()
    );
    assert!(matches!(evaluating("unreachable").faults(), EvalError::Fault(_)));
}

#[test]
fn a_guest_that_talks_without_end_is_cut_short() {
    let talking = evaluating(
        "(local $n i32) (loop (call $println (i32.const 0x420)) (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $n) (i32.const 10000)))) (i32.const 0x300)",
    );
    let program = program(&talking.wasm()).unwrap();
    let mut host = Recorder::default();
    eval_in(&program, "main", "{}", "{}", &mut host, LONG).unwrap();
    assert_eq!(host.told.len() as u64 + host.dropped, 10_000);
    assert!(host.told.len() < 2_000, "{}", host.told.len());
}

#[test]
fn arguments_that_are_too_long_are_refused() {
    // A string of five megabytes.
    let long = evaluating(
        "(drop (memory.grow (i32.const 128))) (memory.fill (i32.const 0x20000) (i32.const 97) (i32.const 0x500000))
        (i32.store8 (i32.const 0x20000) (i32.const 34)) (i32.store8 (i32.const 0x51ffff) (i32.const 34))
        (call $builtin1 (i32.const 7) (i32.const 0) (i32.const 0x20000))",
    );
    let error = long.faults();
    assert!(
        matches!(error, EvalError::Function { name: "trace", .. }),
        "{error}"
    );
}
