//! Policies that are commands (execution mode `wasi`).

use expect_test::{Expect, expect};
use wharf_abi_wapc::kubewarden::capability::{CapabilityPatterns, CapabilityRequest, Grants};
use wharf_abi_wapc::kubewarden::{Policy, PolicyFault, PolicyOptions, Settings, TIMEOUT_MESSAGE};
use wharf_abi_wapc::wapc::PayloadLimits;
use wharf_plugin::ByteSize;

use crate::support::{TestPolicyHost, ample, creation, data, policy_of, short, with_metadata};

/// What commands of these tests import, and what they have in common: `$read` reads stdin to its end and gives how many
/// bytes it had, at 1024; `$write` writes bytes to a stream and gives the error number.
const PRELUDE: &str = r#"
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "host" "call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "kubewarden:javy/host" "call" (func $javy (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 4)
    (func $read (result i32)
        (local $length i32)
        (loop $more
            (i32.store (i32.const 0) (i32.add (i32.const 1024) (local.get $length)))
            (i32.store (i32.const 4) (i32.const 100))
            (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then (unreachable)))
            (local.set $length (i32.add (local.get $length) (i32.load (i32.const 8))))
            (br_if $more (i32.load (i32.const 8))))
        (local.get $length))
    (func $write (param $stream i32) (param $at i32) (param $length i32) (result i32)
        (i32.store (i32.const 0) (local.get $at))
        (i32.store (i32.const 4) (local.get $length))
        (call $fd_write (local.get $stream) (i32.const 0) (i32.const 1) (i32.const 8)))
"#;

const WASI: &str = r#"{"protocolVersion":"v1","executionMode":"wasi"}"#;

/// A command that does this, with `answer` at 100 000.
fn command_with(body: &str, answer: &str, options: PolicyOptions) -> Policy {
    let wat = format!(
        r#"(module {PRELUDE} (data (i32.const 100000) "{}") (func (export "_start") {body}))"#,
        data(answer)
    );
    policy_of(with_metadata(&wat, WASI), options).unwrap()
}

fn command(body: &str, answer: &str) -> Policy {
    command_with(body, answer, PolicyOptions::default())
}

/// Writes all of `answer` to a stream.
fn write(stream: u32, answer: &str) -> String {
    format!(
        "(drop (call $write (i32.const {stream}) (i32.const 100000) (i32.const {})))",
        answer.len()
    )
}

/// A command that writes `answer` to stdout and then does this.
fn answering(answer: &str, then: &str) -> Policy {
    command(&format!("{} {then}", write(1, answer)), answer)
}

const YES: &str = r#"{"accepted":true}"#;

fn fault(policy: &Policy) -> PolicyFault {
    policy
        .validate(&creation("{}"), TestPolicyHost::default().boxed(), ample())
        .unwrap_err()
}

#[test]
fn a_command_gets_arguments_and_stdin_and_answers_on_stdout() {
    // To stderr goes what came: the arguments with their NULs as line ends, and stdin.
    let body = format!(
        r#"(local $at i32)
        (drop (call $args_sizes (i32.const 16) (i32.const 20)))
        (drop (call $args (i32.const 200) (i32.const 300)))
        (loop $each
            (if (i32.eqz (i32.load8_u (i32.add (i32.const 300) (local.get $at))))
                (then (i32.store8 (i32.add (i32.const 300) (local.get $at)) (i32.const 10))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $each (i32.lt_u (local.get $at) (i32.load (i32.const 20)))))
        (drop (call $write (i32.const 2) (i32.const 300) (i32.load (i32.const 20))))
        (drop (call $write (i32.const 2) (i32.const 1024) (call $read)))
        {}"#,
        write(1, YES)
    );
    let options = PolicyOptions {
        settings: Settings::parse(br#"{"a": 1.0}"#).unwrap(),
        ..PolicyOptions::default()
    };
    let policy = command_with(&body, YES, options);
    let host = TestPolicyHost::default();
    let verdict = policy.validate(&creation("{}"), host.boxed(), ample()).unwrap();
    assert!(verdict.accepted);
    assert_eq!(
        host.seen.take(),
        [
            "Warning: policy.wasm",
            "Warning: validate",
            r#"Warning: {"request":{"uid":"u-1","kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"operation":"CREATE","userInfo":{},"object":{}},"settings":{"a": 1.0}}"#
        ]
    );

    let valid = r#"{"valid":true}"#;
    let body = body.replace(&write(1, YES), &write(1, valid));
    let options = PolicyOptions {
        settings: Settings::parse(br#"{"a": 1.0}"#).unwrap(),
        ..PolicyOptions::default()
    };
    let policy = command_with(&body, valid, options);
    assert!(policy.validate_settings(host.boxed(), ample()).unwrap().valid);
    assert_eq!(
        host.seen.take(),
        [
            "Warning: policy.wasm",
            "Warning: validate-settings",
            r#"Warning: {"a": 1.0}"#
        ]
    );
}

#[test]
fn an_answer_in_pieces_is_put_together_byte_for_byte() {
    let answer = "{\"accepted\":true,\n\"message\":\"a\\nb\"}\n\n";
    let pieces: String = (0..answer.len())
        .map(|at| {
            format!(
                "(drop (call $write (i32.const 1) (i32.const {}) (i32.const 1)))",
                100_000 + at
            )
        })
        .collect();
    let verdict = command(&pieces, answer)
        .validate(&creation("{}"), TestPolicyHost::default().boxed(), ample())
        .unwrap();
    assert_eq!(verdict.message.as_deref(), Some("a\nb"));
}

#[test]
fn exit_code_0_is_an_answer_and_another_is_the_words_on_stderr() {
    let zero = answering(YES, "(call $exit (i32.const 0))");
    assert!(
        zero.validate(&creation("{}"), TestPolicyHost::default().boxed(), ample())
            .unwrap()
            .accepted
    );

    let words = " out of luck \n";
    let told = |fault: PolicyFault| format!("{}\n{}\n{fault}", fault.label(), fault.public_message());
    let one = command(&format!("{} (call $exit (i32.const 1))", write(2, words)), words);
    expect![[r#"
        exit
        out of luck
        the policy ended with exit code 1: out of luck"#]]
    .assert_eq(&told(fault(&one)));
    let silent = answering(YES, "(call $exit (i32.const -1))");
    expect![[r#"
        exit
        internal server error: the policy ended with exit code -1 and said nothing
        the policy ended with exit code -1 and said nothing"#]]
    .assert_eq(&told(fault(&silent)));
    let trap = command(&format!("{} (unreachable)", write(2, words)), words);
    expect![[r#"
        trap
        internal server error: in _start: the guest trapped: wasm trap: wasm `unreachable` instruction executed; it had said: out of luck
        in _start: the guest trapped: wasm trap: wasm `unreachable` instruction executed; it had said: out of luck"#]].assert_eq(&told(fault(&trap)));
}

#[test]
fn what_is_no_answer_is_a_fault() {
    let check =
        |answer: &str, expected: &Expect| expected.assert_eq(&fault(&answering(answer, "")).to_string());
    check(
        "",
        &expect![
            "invalid response from policy: its answer to validate: EOF while parsing a value at line 1 column 0"
        ],
    );
    check(
        "yes",
        &expect!["invalid response from policy: its answer to validate: expected value at line 1 column 1"],
    );
    check(
        r#"{"accepted":true}{"accepted":false}"#,
        &expect![
            "invalid response from policy: its answer to validate: trailing characters at line 1 column 18"
        ],
    );
}

#[test]
fn what_a_command_writes_is_bounded() {
    let limits = |response| PolicyOptions {
        payload_limits: PayloadLimits {
            response: ByteSize::from_bytes(response),
            text: ByteSize::from_bytes(8),
            ..PayloadLimits::default()
        },
        ..PolicyOptions::default()
    };
    let fits = command_with(&write(1, YES), YES, limits(17));
    fits.validate(&creation("{}"), TestPolicyHost::default().boxed(), ample())
        .unwrap();

    // The guest is told, and what it writes then does not make its answer whole.
    let body = format!(
        "{} (if (i32.ne (call $write (i32.const 1) (i32.const 100000) (i32.const 1)) (i32.const 51)) (then (unreachable)))",
        write(1, YES)
    );
    let full = fault(&command_with(&body, YES, limits(17)));
    assert_eq!(full.label(), "output");
    assert_eq!(
        full.to_string(),
        "the policy wrote more than 17B, which is what is taken"
    );

    let chatty = format!("(loop $again {} (br $again))", write(2, YES));
    let chatty = command_with(&chatty, YES, limits(17))
        .validate(&creation("{}"), TestPolicyHost::default().boxed(), short())
        .unwrap_err();
    assert_eq!(chatty.public_message(), TIMEOUT_MESSAGE);
}

#[test]
fn a_command_that_never_ends_is_ended() {
    let endless = command("(loop $for_ever (br $for_ever))", "");
    let fault = endless
        .validate(&creation("{}"), TestPolicyHost::default().boxed(), short())
        .unwrap_err();
    assert_eq!(
        (fault.label(), fault.public_message().as_str()),
        ("deadline", TIMEOUT_MESSAGE)
    );

    let hog = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)";
    assert_eq!(self::fault(&command(hog, "")).label(), "memory");
}

const NAMES: &str = r#"kubewardennetv1/dns_lookup_host"host""#;

/// The arguments of a host call with the names above.
fn arguments() -> String {
    let mut at = 100_000;
    ["kubewarden", "net", "v1/dns_lookup_host", r#""host""#]
        .map(|text| {
            let argument = format!("(i32.const {at}) (i32.const {})", text.len());
            at += text.len();
            argument
        })
        .join(" ")
}

#[test]
fn the_hosts_answer_comes_on_stdin() {
    for function in ["call", "javy"] {
        let granted = |patterns: &[&str]| PolicyOptions {
            grants: Grants {
                host_capabilities: CapabilityPatterns::parse(patterns).unwrap(),
                ..Grants::default()
            },
            ..PolicyOptions::default()
        };
        // 0 is an answer, which is written to stdout; 1 an error, which is written to stderr.
        let body = format!(
            "(drop (call $read))
            (if (call ${function} {})
                (then (drop (call $write (i32.const 2) (i32.const 1024) (call $read))) (call $exit (i32.const 1)))
                (else (drop (call $write (i32.const 1) (i32.const 1024) (call $read)))))",
            arguments()
        );
        let answer = |request: &CapabilityRequest| {
            assert_eq!(request.path(), "net/v1/dns_lookup_host");
            Ok(br#"{"accepted":true,"message":"answered"}"#.to_vec())
        };
        let host = TestPolicyHost::answering(answer);
        let policy = command_with(&body, NAMES, granted(&["net/*"]));
        let verdict = policy.validate(&creation("{}"), host.boxed(), ample()).unwrap();
        assert_eq!(verdict.message.as_deref(), Some("answered"));

        let refused = command_with(&body, NAMES, granted(&[]));
        let fault = refused
            .validate(&creation("{}"), host.boxed(), ample())
            .unwrap_err();
        assert_eq!(
            fault.public_message(),
            "Policy has not been granted access to the 'net/v1/dns_lookup_host' host capability. The violation has been reported."
        );
    }
}

/// The reply goes behind what has not been read yet, with nothing in between.
#[test]
fn an_answer_waits_behind_what_is_left_of_stdin() {
    let body = format!(
        "(drop (call $call {})) (drop (call $write (i32.const 2) (i32.const 1024) (call $read))) (call $exit (i32.const 7))",
        arguments()
    );
    let fault = fault(&command(&body, NAMES));
    expect![[r#"{"request":{"uid":"u-1","kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"operation":"CREATE","userInfo":{},"object":{}},"settings":{}}Policy has not been granted access to the 'net/v1/dns_lookup_host' host capability. The violation has been reported."#]].assert_eq(&fault.public_message());
}

#[test]
fn wild_pointers_of_a_host_call_are_faults() {
    let names = ["the binding", "the namespace", "the operation", "the payload"];
    for (wild, name) in names.iter().enumerate() {
        for (pointer, length) in [(4 * 65_536, 1), (4 * 65_536 - 1, 2), (-1, 1), (-1, 0), (0, -1)] {
            let arguments: String = (0..4)
                .map(|index| match index == wild {
                    true => format!("(i32.const {pointer}) (i32.const {length})"),
                    false => "(i32.const 100000) (i32.const 4)".to_owned(),
                })
                .collect();
            let fault = fault(&command(&format!("(drop (call $call {arguments}))"), NAMES));
            let expected = format!("in _start: the guest gave a bad reply: host.call: {name}: the range at ");
            assert!(fault.to_string().starts_with(&expected), "{fault}");
        }
    }
}

#[test]
fn names_that_are_no_text_and_payloads_that_are_too_large_are_faults() {
    let call = |arguments: &str| command(&format!("(drop (call $call {arguments}))"), "\u{0}");
    let zero = "(i32.const 0) (i32.const 0)";
    let bad = command(
        &format!(
            "(i32.store8 (i32.const 16) (i32.const 255)) (drop (call $call {zero} (i32.const 16) (i32.const 1) {zero} {zero}))"
        ),
        "",
    );
    expect!["in _start: the guest gave a bad reply: host.call: the namespace: invalid utf-8 sequence of 1 bytes from index 0"].assert_eq(&fault(&bad).to_string());
    let small = PolicyOptions {
        payload_limits: PayloadLimits {
            host_request: ByteSize::from_bytes(3),
            ..PayloadLimits::default()
        },
        ..PolicyOptions::default()
    };
    let body = format!("(drop (call $call {zero} {zero} {zero} (i32.const 0) (i32.const 4)))");
    expect!["in _start: the guest gave a bad reply: host.call: the payload: it has 4 bytes, and at most 3B are taken"].assert_eq(&fault(&command_with(&body, "", small)).to_string());
    expect![
        "invalid response from policy: its answer to validate: EOF while parsing a value at line 1 column 0"
    ]
    .assert_eq(&fault(&call(&[zero; 4].join(" "))).to_string());
}
