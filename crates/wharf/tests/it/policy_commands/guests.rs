//! waPC guests that are no policies.

use expect_test::expect;

use crate::harness::folder;

/// Answers with what it is given; `fail` fails with it, `log` logs it, and `ask` asks the host.
const ECHO: &str = r#"(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__guest_error" (func $error (param i32 i32)))
  (import "wapc" "__console_log" (func $log (param i32 i32)))
  (import "wapc" "__host_call" (func $host (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "bnd")
  (func $fail (param $length i32) (result i32)
    (call $error (i32.const 1024) (local.get $length))
    (i32.const 0))
  (func (export "__guest_call") (param $operation i32) (param $length i32) (result i32)
    (call $request (i32.const 0) (i32.const 1024))
    (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 102)) (then (return (call $fail (local.get $length)))))
    (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 116)) (then unreachable))
    (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 108)) (then (call $log (i32.const 1024) (local.get $length))))
    (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 97))
      (then (drop (call $host (i32.const 100) (i32.const 1) (i32.const 101) (i32.const 1) (i32.const 102) (i32.const 1)
        (i32.const 1024) (local.get $length)))))
    (call $response (i32.const 1024) (local.get $length))
    (i32.const 1)))"#;

#[test]
fn the_answer_is_printed_as_it_is() {
    let bytes = [0_u8, 0xff, b'\n', 0x1b];
    let folder = folder().with("echo.wat", ECHO).with("payload.bin", bytes);
    let run = |payload: &str| folder.run(&["run", "echo.wat", "--operation", "echo", "--payload", payload]);
    let output = run("@payload.bin");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &bytes[..]));
    assert_eq!(run("hello").stdout, b"hello");
    let nothing = folder.run(&["run", "echo.wat", "--operation", "echo"]);
    assert_eq!(
        (nothing.status.code(), nothing.stdout.len(), nothing.stderr.len()),
        (Some(0), 0, 0)
    );
}

#[test]
fn what_else_a_guest_does_goes_to_stderr() {
    let folder = folder().with("echo.wat", ECHO);
    for (operation, payload, expected) in [
        (
            "log",
            "a\u{1b}[31m",
            expect![[r#"
            exit code 0
            --- stdout ---
            a[31m--- stderr ---
            log: a\u{1b}[31m
        "#]],
        ),
        (
            "ask",
            "abc",
            expect![[r#"
            exit code 0
            --- stdout ---
            abc--- stderr ---
            host call that nobody answered: b/n/d, 3 bytes
        "#]],
        ),
        (
            "fail",
            "so\nnot \u{1b}[31m",
            expect![[r#"
            exit code 4
            --- stderr ---
            error: Guest call failure: so
            not \u{1b}[31m
        "#]],
        ),
        (
            "trap",
            "",
            expect![[r#"
            exit code 4
            --- stderr ---
            error: in __guest_call: the guest trapped: wasm trap: wasm `unreachable` instruction executed
              at function 6 at 0xed
        "#]],
        ),
    ] {
        let text = folder.transcript(&["run", "echo.wat", "--operation", operation, "--payload", payload]);
        expected.assert_eq(&text);
    }
}

#[test]
fn the_same_for_programs() {
    let folder = folder().with("echo.wat", ECHO).with("payload.bin", [0xff, 0]);
    let text = |arguments: &[&str]| {
        folder.transcript(&[&["run", "echo.wat", "--json", "--operation"], arguments].concat())
    };
    expect![[r#"
        exit code 0
        --- stdout ---
        {
          "plugin": "echo",
          "operation": "log",
          "ok": true,
          "error": null,
          "backtrace": null,
          "log": [
            "x"
          ],
          "hostCalls": [],
          "answer": "x"
        }
    "#]]
    .assert_eq(&text(&["log", "--payload", "x"]));
    expect![[r#"
        exit code 0
        --- stdout ---
        {
          "plugin": "echo",
          "operation": "echo",
          "ok": true,
          "error": null,
          "backtrace": null,
          "log": [],
          "hostCalls": [],
          "answerHex": "ff00"
        }
    "#]]
    .assert_eq(&text(&["echo", "--payload", "@payload.bin"]));
    expect![[r#"
        exit code 4
        --- stdout ---
        {
          "plugin": "echo",
          "operation": "fail",
          "ok": false,
          "error": "Guest call failure: x",
          "backtrace": [],
          "log": [],
          "hostCalls": []
        }
    "#]]
    .assert_eq(&text(&["fail", "--payload", "x"]));
}

#[test]
fn a_guest_that_never_comes_back_is_ended() {
    let arguments = [
        "run",
        "guests/policies/wat/loop.wat",
        "--operation",
        "validate",
        "--deadline",
        "100ms",
    ];
    expect![[r#"
        exit code 4
        --- stderr ---
        error: in __guest_call: the guest ran past its deadline of 100ms
          at function 2 at 0x80
    "#]]
    .assert_eq(&folder().transcript(&arguments));
}
