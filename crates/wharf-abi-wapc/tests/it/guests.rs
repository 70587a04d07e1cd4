//! waPC guests that keep to the protocol, or break it in words.

use std::sync::Arc;

use wharf_abi_wapc::wapc::{CallError, Guest, LoadError, PayloadLimits};
use wharf_engine::FaultKind;
use wharf_plugin::{ByteSize, Limits};

use crate::support::{TestHost, ample, compile, data, short};

/// What guests of these tests import, and their memory.
pub(crate) const PRELUDE: &str = r#"
    (import "wapc" "__guest_request" (func $request (param i32 i32)))
    (import "wapc" "__guest_response" (func $response (param i32 i32)))
    (import "wapc" "__guest_error" (func $error (param i32 i32)))
    (import "wapc" "__host_call"
        (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "wapc" "__host_response_len" (func $host_response_len (result i32)))
    (import "wapc" "__host_response" (func $host_response (param i32)))
    (import "wapc" "__host_error_len" (func $host_error_len (result i32)))
    (import "wapc" "__host_error" (func $host_error (param i32)))
    (import "wapc" "__console_log" (func $log (param i32 i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_unstable" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 4)
    (data (i32.const 0) "hello world")
"#;

/// A guest with this body.
pub(crate) fn guest(body: &str) -> Guest {
    Guest::new(
        &compile(&format!("(module {PRELUDE} {body})")),
        &Limits::default(),
    )
    .unwrap()
}

/// A guest whose `__guest_call` does this and gives the number that is left.
fn calling(body: &str) -> Guest {
    guest(&format!(
        r#"(func (export "__guest_call") (param $op i32) (param $msg i32) (result i32) {body})"#
    ))
}

fn call(guest: &Guest, operation: &str, payload: &[u8]) -> Result<Vec<u8>, CallError> {
    guest.call(
        operation,
        payload.to_vec(),
        Box::new(TestHost::default()),
        ample(),
    )
}

fn answer(guest: &Guest) -> Result<String, String> {
    call(guest, "op", b"payload")
        .map(|answer| String::from_utf8(answer).unwrap())
        .map_err(|error| error.to_string())
}

/// Answers with the operation's name and the payload behind it.
const ECHO: &str = r#"
    (call $request (i32.const 1000) (i32.add (i32.const 1000) (local.get $op)))
    (call $response (i32.const 1000) (i32.add (local.get $op) (local.get $msg)))
    (i32.const 1)"#;

#[test]
fn operation_and_payload_arrive_and_the_answer_comes_back() {
    let echo = calling(ECHO);
    assert_eq!(
        call(&echo, "validate", b"\x00\xffabc").unwrap(),
        b"validate\x00\xffabc"
    );
    assert_eq!(call(&echo, "", b"").unwrap(), b"");
    assert_eq!(call(&echo, "é", &vec![7; 100_000]).unwrap().len(), 100_002);
}

#[test]
fn errors_have_the_texts_of_the_protocol() {
    let hello = "(call $error (i32.const 0) (i32.const 5))";
    let world = "(call $response (i32.const 6) (i32.const 5))";
    let failure = |text: &str| Err(format!("Guest call failure: {text}"));
    assert_eq!(
        answer(&calling("(i32.const 0)")),
        failure("No error message set for call failure")
    );
    assert_eq!(
        answer(&calling("(i32.const 1)")),
        failure("No error message OR response set for call success")
    );
    assert_eq!(
        answer(&calling(&format!("{hello} (i32.const 0)"))),
        failure("hello")
    );
    assert_eq!(
        answer(&calling(&format!("{hello} (i32.const 1)"))),
        failure("hello")
    );
    assert_eq!(
        answer(&calling(&format!("{hello} {world} (i32.const 0)"))),
        failure("hello")
    );
    assert_eq!(
        answer(&calling(&format!("{hello} {world} (i32.const 1)"))),
        Ok("world".into())
    );
    assert_eq!(
        answer(&calling(&format!("{world} (i32.const -1)"))),
        Ok("world".into())
    );

    // The last of several counts, and an empty answer is one.
    let twice = format!("{world} (call $response (i32.const 0) (i32.const 0)) (i32.const 1)");
    assert_eq!(answer(&calling(&twice)), Ok(String::new()));
}

#[test]
fn an_error_text_may_be_any_bytes_and_is_cut() {
    let bytes = r#"(data (i32.const 3000) "a\ff\fe")"#;
    let body = "(call $error (i32.const 3000) (i32.const 3)) (i32.const 0)";
    let any = guest(&format!(
        r#"{bytes} (func (export "__guest_call") (param i32 i32) (result i32) {body})"#
    ));
    assert_eq!(answer(&any), Err("Guest call failure: a\u{fffd}\u{fffd}".into()));

    let long = calling("(call $error (i32.const 0) (i32.const 200000)) (i32.const 0)");
    let Err(CallError::Guest(text)) = call(&long, "op", b"") else {
        panic!("it says that it failed");
    };
    assert!(
        text.ends_with("… (134464 bytes left out)") && text.len() < 65_700,
        "{}",
        text.len()
    );
}

#[test]
fn a_guest_calls_its_host_and_gets_the_answer_or_the_error() {
    // The payload is `NAMESPACE OPERATION`, each of four letters; the binding is `hello`.
    let forward = guest(
        r#"(func (export "__guest_call") (param $op i32) (param $msg i32) (result i32)
            (call $request (i32.const 900) (i32.const 1000))
            (if (call $host_call
                    (i32.const 0) (i32.const 5) (i32.const 1000) (i32.const 4) (i32.const 1005) (i32.const 4)
                    (i32.const 6) (i32.const 5))
                (then
                    (if (call $host_error_len) (then (unreachable)))
                    (call $host_response (i32.const 2000))
                    (call $response (i32.const 2000) (call $host_response_len)))
                (else
                    (if (call $host_response_len) (then (unreachable)))
                    (call $host_error (i32.const 2000))
                    (call $error (i32.const 2000) (call $host_error_len))))
            (i32.const 1))"#,
    );
    let host = TestHost::default();
    let ask = |payload: &str| {
        forward
            .call("op", payload.into(), Box::new(host.clone()), ample())
            .map(|answer| String::from_utf8(answer).unwrap())
            .map_err(|error| error.to_string())
    };
    assert_eq!(ask("name echo"), Ok("world".into()));
    assert_eq!(ask("name fail"), Err("Guest call failure: no world".into()));
    assert_eq!(
        host.seen.take(),
        ["hello/name/echo(world)", "hello/name/fail(world)"]
    );
}

#[test]
fn the_next_host_call_forgets_the_last_one() {
    let names = data("b n echofail");
    let body = |operation: u32| {
        format!(
            "(call $host_call (i32.const 3000) (i32.const 1) (i32.const 3002) (i32.const 1)
                (i32.const {operation}) (i32.const 4) (i32.const 0) (i32.const 5))"
        )
    };
    let (echo, fail) = (body(3004), body(3008));
    let sizes = "(i32.store8 (i32.const 4000) (i32.add (i32.const 48) (call $host_response_len)))
        (i32.store8 (i32.const 4001) (i32.add (i32.const 48) (call $host_error_len)))
        (call $log (i32.const 4000) (i32.const 2))";
    let guest = guest(&format!(
        r#"(data (i32.const 3000) "{names}")
        (func (export "__guest_call") (param i32 i32) (result i32)
            {sizes} (drop {echo}) {sizes} (drop {fail}) {sizes} (drop {echo}) {sizes} (i32.const 0))"#
    ));
    let host = TestHost::default();
    guest
        .call("op", Vec::new(), Box::new(host.clone()), ample())
        .unwrap_err();
    let sizes: Vec<_> = host
        .seen
        .take()
        .into_iter()
        .filter(|line| line.starts_with("log"))
        .collect();
    assert_eq!(sizes, ["log: 00", "log: 50", "log: 08", "log: 50"]);
}

#[test]
fn a_guest_starts_before_its_call_and_what_it_set_then_does_not_count() {
    let words = data("start initialize init call");
    let note = |at: u32, length: u32| format!("(call $log (i32.const {at}) (i32.const {length}))");
    let (start, initialize) = (note(3000, 5), note(3006, 10));
    let (init, called) = (note(3017, 4), note(3022, 4));
    let body = |start_name: &str| {
        format!(
            r#"(data (i32.const 3000) "{words}")
            (func (export "{start_name}") {} (call $exit (i32.const 0)))
            (func (export "wapc_init") {init}
                (call $request (i32.const 5000) (i32.const 6000))
                (if (i32.load (i32.const 6000)) (then (unreachable)))
                (call $response (i32.const 0) (i32.const 5))
                (call $error (i32.const 0) (i32.const 5)))
            (func (export "__guest_call") (param i32 i32) (result i32) {called} (i32.const 1))"#,
            if start_name == "_start" {
                &start
            } else {
                &initialize
            }
        )
    };
    for (start_name, word) in [("_start", "start"), ("_initialize", "initialize")] {
        let host = TestHost::default();
        let error = guest(&body(start_name))
            .call("op", vec![1; 10], Box::new(host.clone()), ample())
            .unwrap_err();
        assert!(matches!(error, CallError::NoResponse), "{error}");
        let expected = [word, "init", "call"].map(|word| format!("log: {word}"));
        assert_eq!(host.seen.take(), expected);
    }
    // Of the two, a command's start is the one that is run.
    let both = format!(
        r#"{} (func (export "_initialize") (unreachable))"#,
        body("_start")
    );
    assert!(matches!(
        call(&guest(&both), "op", b""),
        Err(CallError::NoResponse)
    ));
}

#[test]
fn another_exit_code_at_the_start_is_a_fault_and_so_is_any_exit_in_a_call() {
    let start = guest(
        r#"(func (export "_start") (call $exit (i32.const 3)))
        (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1))"#,
    );
    assert_eq!(
        answer(&start),
        Err("in _start: the guest called proc_exit with code 3".into())
    );
    let call = calling("(call $exit (i32.const 0)) (i32.const 1)");
    assert_eq!(
        answer(&call),
        Err("in __guest_call: the guest called proc_exit with code 0".into())
    );
}

#[test]
fn no_call_sees_what_an_earlier_one_left() {
    let counting = guest(
        r#"(global $calls (mut i32) (i32.const 0))
        (func (export "__guest_call") (param i32 i32) (result i32)
            (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (i32.store8 (i32.const 100) (i32.add (i32.load8_u (i32.const 100)) (global.get $calls)))
            (call $response (i32.const 100) (i32.const 1))
            (i32.const 1))"#,
    );
    let counting = Arc::new(counting);
    let threads = [0; 4].map(|_| {
        let counting = Arc::clone(&counting);
        std::thread::spawn(move || {
            for _ in 0..200 {
                assert_eq!(call(&counting, "op", b"").unwrap(), [1]);
            }
        })
    });
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn what_a_guest_may_give_and_get_is_bounded() {
    let limited = |body: &str, limits: PayloadLimits| calling(body).with_payload_limits(limits);
    let four = ByteSize::from_bytes(4);
    let request = limited(
        ECHO,
        PayloadLimits {
            request: four,
            ..PayloadLimits::default()
        },
    );
    assert_eq!(call(&request, "op", b"four").unwrap(), b"opfour");
    assert_eq!(
        call(&request, "op", b"fiver").unwrap_err().to_string(),
        "the request has 5B, and a guest is given at most 4B"
    );

    let response = limited(
        "(call $response (i32.const 0) (local.get $msg)) (i32.const 1)",
        PayloadLimits {
            response: four,
            ..PayloadLimits::default()
        },
    );
    assert_eq!(call(&response, "op", b"four").unwrap(), b"hell");
    assert_eq!(
        call(&response, "op", b"fiver").unwrap_err().to_string(),
        "in __guest_call: the guest gave a bad reply: __guest_response: an answer of 5 bytes, where at most 4B are taken"
    );
}

#[test]
fn host_calls_are_bounded_too() {
    let names = data("large\u{0}ec");
    let ask = |payload: u32, length: u32, name: u32, name_length: u32| {
        format!(
            r#"(data (i32.const 3000) "{names}") (data (i32.const 4000) "5") (data (i32.const 4010) "\ff")
            (func (export "__guest_call") (param i32 i32) (result i32)
                (drop (call $host_call (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 5)
                    (i32.const {name}) (i32.const {name_length}) (i32.const {payload}) (i32.const {length})))
                (call $host_error (i32.const 8000))
                (call $error (i32.const 8000) (call $host_error_len))
                (i32.const 0))"#
        )
    };
    let four = ByteSize::from_bytes(4);
    let limits = PayloadLimits {
        host_request: four,
        host_response: four,
        ..PayloadLimits::default()
    };
    let refused = |body: String| answer(&guest(&body).with_payload_limits(limits)).unwrap_err();
    assert_eq!(
        refused(ask(0, 5, 3000, 5)),
        "Guest call failure: the payload of the host call has 5 bytes, and at most 4B are taken"
    );
    assert_eq!(
        refused(ask(4000, 1, 3000, 5)),
        "Guest call failure: the host's answer has 5 bytes, and a guest is given at most 4B"
    );
    assert_eq!(
        refused(ask(4000, 1, 4010, 1)),
        "Guest call failure: the operation's name is not UTF-8 text"
    );
    assert_eq!(
        refused(ask(4000, 1, 0, 2000)),
        "Guest call failure: the operation's name has 2000 bytes, and at most 1024 are taken"
    );
}

#[test]
fn text_of_the_guests_runtime_reaches_the_host() {
    let guest = guest(
        r#"(data (i32.const 3000) "\00\00\00\00\05\00\00\00")
        (func (export "__guest_call") (param i32 i32) (result i32)
            (drop (call $write (i32.const 1) (i32.const 3000) (i32.const 1) (i32.const 3100)))
            (drop (call $write (i32.const 2) (i32.const 3000) (i32.const 1) (i32.const 3100)))
            (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 4000)))
            (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 4008)))
            (drop (call $random (i32.const 4016) (i32.const 2)))
            (call $response (i32.const 4000) (i32.const 18))
            (i32.const 1))"#,
    );
    let host = TestHost::default();
    let answer = guest
        .call("op", Vec::new(), Box::new(host.clone()), ample())
        .unwrap();
    assert_eq!(answer, [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 3]);
    assert_eq!(host.seen.take(), ["Stdout: hello", "Stderr: hello"]);
}

#[test]
fn assemblyscript_guests_abort_with_their_words() {
    let utf16 = |text: &str| -> String {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = (bytes.len() as u32).to_le_bytes();
        length
            .iter()
            .chain(&bytes)
            .map(|byte| format!("\\{byte:02x}"))
            .collect()
    };
    let (message, file) = (utf16("no luck"), utf16("a.ts"));
    let guest = |body: &str| {
        let wat = format!(
            r#"(module
                (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
                (import "env" "trace" (func $trace (param i32 i32 f64 f64 f64 f64 f64)))
                (import "env" "seed" (func $seed (result f64)))
                (import "wapc" "__guest_error" (func $error (param i32 i32)))
                (memory (export "memory") 1)
                (data (i32.const 96) "{message}") (data (i32.const 196) "{file}")
                (func (export "__guest_call") (param i32 i32) (result i32) {body}))"#
        );
        Guest::new(&compile(&wat), &Limits::default()).unwrap()
    };
    let abort =
        |arguments: &str| answer(&guest(&format!("(call $abort {arguments}) (i32.const 1)"))).unwrap_err();
    assert_eq!(
        abort("(i32.const 100) (i32.const 200) (i32.const 7) (i32.const 3)"),
        "in __guest_call: the guest trapped: no luck at a.ts:7:3"
    );
    assert_eq!(
        abort("(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)"),
        "in __guest_call: the guest trapped: abort"
    );
    for wild in ["1", "3", "65535", "65536", "-1", "-4"] {
        let text = abort(&format!(
            "(i32.const {wild}) (i32.const {wild}) (i32.const 0) (i32.const 0)"
        ));
        assert!(text.starts_with("in __guest_call: the guest trapped: "), "{text}");
    }

    let host = TestHost::default();
    let traced = guest(
        "(call $trace (i32.const 100) (i32.const 2) (f64.const 1.5) (f64.const -2) (f64.const 0) (f64.const 0) (f64.const 0))
        (call $trace (i32.const -1) (i32.const -1) (call $seed) (f64.const 0) (f64.const 0) (f64.const 0) (f64.const 0))
        (call $error (i32.const 100) (i32.const 4)) (unreachable)",
    );
    let error = traced
        .call("op", Vec::new(), Box::new(host.clone()), ample())
        .unwrap_err();
    assert_eq!(host.seen.take()[0], "log: no luck 1.5 -2");
    assert!(
        error.to_string().ends_with("; it had said: n\u{0}o\u{0}"),
        "{error}"
    );
}

#[test]
fn modules_that_are_no_guests_are_refused() {
    let load = |wat: &str| {
        Guest::new(&compile(wat), &Limits::default())
            .map(|_| ())
            .unwrap_err()
    };
    let memory = r#"(memory (export "memory") 1)"#;
    let call = r#"(func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1))"#;
    assert_eq!(
        load(&format!("(module {memory})")),
        LoadError::MissingExport("__guest_call")
    );
    assert_eq!(
        load(&format!("(module {call})")),
        LoadError::MissingExport("memory")
    );
    assert_eq!(
        load(&format!(
            r#"(module (import "wapc" "__host_call" (func (param i32))) (import "env" "x" (func)) {memory} {call})"#
        ))
        .to_string(),
        "2 of the module's imports are not given by this host:
  wapc.__host_call: the module wants (i32), the host gives (i32, i32, i32, i32, i32, i32, i32, i32) -> i32
  env.x: (): unknown here"
    );

    let signature = Guest::new(
        &compile(&format!(r#"(module {memory} (func (export "__guest_call")))"#)),
        &Limits::default(),
    )
    .unwrap();
    let Err(CallError::Fault { fault, .. }) = self::call(&signature, "op", b"") else {
        panic!("it cannot be called");
    };
    assert!(
        matches!(fault.kind(), FaultKind::WrongSignature { .. }),
        "{fault}"
    );
}

#[test]
fn a_host_that_takes_too_long_uses_up_the_guests_time() {
    let names = data("wait");
    let waiting = guest(&format!(
        r#"(data (i32.const 3000) "{names}")
        (func (export "__guest_call") (param i32 i32) (result i32)
            (drop (call $host_call (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 5)
                (i32.const 3000) (i32.const 4) (i32.const 0) (i32.const 0)))
            (loop $for_ever (br $for_ever))
            (unreachable))"#
    ));
    let error = waiting
        .call("op", Vec::new(), Box::new(TestHost::default()), short())
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
}
