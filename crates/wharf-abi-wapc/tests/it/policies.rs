//! waPC policies: what they are asked, what is made of their answers, and which modules are policies at all.

use expect_test::{Expect, expect};
use serde_json::Value;
use wharf_abi_wapc::kubewarden::{
    AdmissionResponse, ExecutionMode, Policy, PolicyError, PolicyFault, PolicyOptions, RawRequest,
    ReviewRequest, Settings, SettingsVerdict, TIMEOUT_MESSAGE,
};
use wharf_abi_wapc::wapc::PayloadLimits;
use wharf_plugin::ByteSize;

use crate::guests::PRELUDE;
use crate::support::{TestPolicyHost, ample, creation, data, policy_of, short, with_metadata};

const V1: &str = r#"{"protocolVersion":"v1"}"#;

/// A policy that logs what it is asked and answers each operation with one of these texts; an operation whose text is
/// empty fails with `not today`.
fn canned(validate: &str, settings: &str, protocol: &str) -> String {
    let mut wat = format!("(module {PRELUDE}\n(data (i32.const 3000) \"not today\")\n");
    let mut answers = String::new();
    for (name_length, at, text) in [
        (8, 10_000, validate),
        (17, 20_000, settings),
        (16, 30_000, protocol),
    ] {
        assert!(text.len() < 10_000);
        wat.push_str(&format!("(data (i32.const {at}) \"{}\")\n", data(text)));
        let answer = match text.len() {
            0 => "(call $error (i32.const 3000) (i32.const 9)) (return (i32.const 0))".to_owned(),
            length => format!("(call $response (i32.const {at}) (i32.const {length}))"),
        };
        answers.push_str(&format!(
            "(if (i32.eq (local.get 0) (i32.const {name_length})) (then {answer}))\n"
        ));
    }
    wat.push_str(&format!(
        r#"(func (export "__guest_call") (param i32 i32) (result i32)
            (call $request (i32.const 40000) (i32.const 40100))
            (call $log (i32.const 40000) (local.get 0))
            (call $log (i32.const 40100) (local.get 1))
            {answers} (i32.const 1)))"#
    ));
    wat
}

/// A policy whose `__guest_call` does this.
fn calling(body: &str) -> Policy {
    let wat = format!(
        r#"(module {PRELUDE} (func (export "__guest_call") (param $op i32) (param $msg i32) (result i32) {body}))"#
    );
    policy_of(with_metadata(&wat, V1), PolicyOptions::default()).unwrap()
}

fn answering(validate: &str) -> Policy {
    policy_of(
        with_metadata(&canned(validate, "", ""), V1),
        PolicyOptions::default(),
    )
    .unwrap()
}

fn settings(json: &str) -> PolicyOptions {
    PolicyOptions {
        settings: Settings::parse(json.as_bytes()).unwrap(),
        ..PolicyOptions::default()
    }
}

fn ask(policy: &Policy, request: &ReviewRequest) -> Result<AdmissionResponse, PolicyFault> {
    policy.review(request, TestPolicyHost::default().boxed(), ample())
}

fn review(policy: &Policy, request: &ReviewRequest) -> Result<String, PolicyFault> {
    ask(policy, request).map(|response| serde_json::to_string(&response).unwrap())
}

#[test]
fn a_policy_gets_the_request_and_its_settings_as_they_came() {
    let wat = canned(r#"{"accepted": true}"#, r#"{"valid": true}"#, "");
    let policy = policy_of(with_metadata(&wat, V1), settings(r#"{"b": 1.50, "a": null}"#)).unwrap();
    let host = TestPolicyHost::default();
    policy
        .validate(&creation(r#"{"x" : 1.0}"#), host.boxed(), ample())
        .unwrap();
    assert_eq!(
        host.seen.take(),
        [
            "Info: validate",
            r#"Info: {"request":{"uid":"u-1","kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"operation":"CREATE","userInfo":{},"object":{"x" : 1.0}},"settings":{"b": 1.50, "a": null}}"#
        ]
    );
    assert_eq!(
        policy.validate_settings(host.boxed(), ample()).unwrap(),
        SettingsVerdict::valid()
    );
    assert_eq!(
        host.seen.take(),
        ["Info: validate_settings", r#"Info: {"b": 1.50, "a": null}"#]
    );
}

#[test]
fn no_settings_are_an_empty_object_and_raw_requests_are_any_json() {
    let wat = canned(r#"{"accepted": true}"#, "", "");
    let policy = policy_of(with_metadata(&wat, V1), settings("null")).unwrap();
    let host = TestPolicyHost::default();
    let raw = ReviewRequest::Raw(RawRequest::of_review(br#"{"request": [1, "two"]}"#).unwrap());
    policy.validate(&raw, host.boxed(), ample()).unwrap();
    assert_eq!(
        host.seen.take()[1],
        r#"Info: {"request":[1, "two"],"settings":{}}"#
    );
}

#[test]
fn each_answer_becomes_the_json_of_the_api() {
    let check = |answer: &str, object: &str, expected: &Expect| {
        expected.assert_eq(&review(&answering(answer), &creation(object)).unwrap());
    };
    check(
        r#"{"accepted":true}"#,
        "{}",
        &expect![[r#"{"uid":"u-1","allowed":true}"#]],
    );
    check(
        r#"{"accepted":false,"message":"no privileged pods","code":403}"#,
        "{}",
        &expect![[r#"{"uid":"u-1","allowed":false,"status":{"message":"no privileged pods","code":403}}"#]],
    );
    check(
        r#"{"accepted":true,"mutated_object":{"spec":{"a":1}}}"#,
        r#"{"spec":{}}"#,
        &expect![[
            r#"{"uid":"u-1","allowed":true,"patchType":"JSONPatch","patch":"W3sib3AiOiJhZGQiLCJwYXRoIjoiL3NwZWMvYSIsInZhbHVlIjoxfV0="}"#
        ]],
    );
    check(
        r#"{"accepted":true,"mutated_object":{}}"#,
        "{}",
        &expect![[r#"{"uid":"u-1","allowed":true}"#]],
    );
    check(
        r#"{"accepted":true,"mutated_object":{}}"#,
        "null",
        &expect![[
            r#"{"uid":"u-1","allowed":false,"status":{"message":"Incoming object is null, which happens only with DELETE operations, but the policy is attempting a mutation. This is not allowed"}}"#
        ]],
    );
    check(
        r#"{"accepted":true,"audit_annotations":{"k":"v"},"warnings":["old api"]}"#,
        "{}",
        &expect![[r#"{"uid":"u-1","allowed":true,"auditAnnotations":{"k":"v"},"warnings":["old api"]}"#]],
    );
}

#[test]
fn settings_are_judged_and_the_words_are_the_policys() {
    let judged = |answer: &str| {
        let wat = canned("", answer, "");
        let policy = policy_of(with_metadata(&wat, V1), PolicyOptions::default()).unwrap();
        policy.validate_settings(TestPolicyHost::default().boxed(), ample())
    };
    let invalid = judged(r#"{"valid": false, "message": "name is missing"}"#).unwrap();
    assert_eq!(
        (invalid.valid, invalid.message.as_deref()),
        (false, Some("name is missing"))
    );
    assert_eq!(
        judged("").unwrap_err().public_message(),
        "internal server error: Guest call failure: not today"
    );
    expect!["internal server error: invalid response from policy: its answer to validate_settings: missing field `valid` at line 1 column 2"].assert_eq(&judged("{}").unwrap_err().public_message());
}

/// Label, what the user reads, and what the log says.
fn told(fault: &PolicyFault) -> String {
    format!("{}\n{}\n{fault}", fault.label(), fault.public_message())
}

#[test]
fn a_policy_that_gives_no_verdict_is_a_fault_with_its_words() {
    let check = |policy: Policy, expected: &Expect| {
        expected.assert_eq(&told(&ask(&policy, &creation("{}")).unwrap_err()));
    };
    check(
        answering("yes"),
        &expect![[r#"
        bad_reply
        internal server error: invalid response from policy: its answer to validate: expected value at line 1 column 1
        invalid response from policy: its answer to validate: expected value at line 1 column 1"#]],
    );
    check(
        answering("{}"),
        &expect![[r#"
        bad_reply
        internal server error: invalid response from policy: its answer to validate: missing field `accepted` at line 1 column 2
        invalid response from policy: its answer to validate: missing field `accepted` at line 1 column 2"#]],
    );
    check(
        answering(r#"{"accepted":"yes"}"#),
        &expect![[r#"
        bad_reply
        internal server error: invalid response from policy: its answer to validate: at `accepted`: invalid type: string "yes", expected a boolean at line 1 column 17
        invalid response from policy: its answer to validate: at `accepted`: invalid type: string "yes", expected a boolean at line 1 column 17"#]],
    );
    check(
        answering(""),
        &expect![[r#"
        guest_error
        internal server error: Guest call failure: not today
        Guest call failure: not today"#]],
    );
    check(
        calling("(i32.const 0)"),
        &expect![[r#"
        guest_error
        internal server error: Guest call failure: No error message set for call failure
        Guest call failure: No error message set for call failure"#]],
    );
    check(
        calling("(i32.const 1)"),
        &expect![[r#"
        guest_error
        internal server error: Guest call failure: No error message OR response set for call success
        Guest call failure: No error message OR response set for call success"#]],
    );
    check(
        calling("(unreachable)"),
        &expect![[r#"
        trap
        internal server error: in __guest_call: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        in __guest_call: the guest trapped: wasm trap: wasm `unreachable` instruction executed"#]],
    );
    check(
        calling("(call $error (i32.const 0) (i32.const 5)) (unreachable)"),
        &expect![[r#"
            trap
            internal server error: in __guest_call: the guest trapped: wasm trap: wasm `unreachable` instruction executed; it had said: hello
            in __guest_call: the guest trapped: wasm trap: wasm `unreachable` instruction executed; it had said: hello"#]],
    );
    check(
        calling("(call $response (i32.const -1) (i32.const 1)) (i32.const 1)"),
        &expect![[r#"
        bad_reply
        internal server error: in __guest_call: the guest gave a bad reply: __guest_response: the answer: the range at 0xffffffff of 1 bytes is not inside the guest's memory of 262144 bytes
        in __guest_call: the guest gave a bad reply: __guest_response: the answer: the range at 0xffffffff of 1 bytes is not inside the guest's memory of 262144 bytes"#]],
    );
    check(
        calling(
            "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)",
        ),
        &expect![[r#"
            memory
            internal server error: in __guest_call: the guest asked for 65792KiB of memory, and its limit is 64MiB
            in __guest_call: the guest asked for 65792KiB of memory, and its limit is 64MiB"#]],
    );
}

#[test]
fn a_policy_that_takes_too_long_has_kubewardens_words() {
    let endless = calling("(loop $for_ever (br $for_ever)) (unreachable)");
    let fault = endless
        .validate(&creation("{}"), TestPolicyHost::default().boxed(), short())
        .unwrap_err();
    assert_eq!(fault.label(), "deadline");
    assert_eq!(fault.public_message(), TIMEOUT_MESSAGE);
    assert_eq!(
        fault.to_string(),
        "Policy execution interrupted because it exceeded the allowed execution time of 30ms"
    );
    let response = AdmissionResponse::of_fault("u-1", "endless", &fault);
    assert_eq!(response.status.unwrap().code, Some(500));
}

#[test]
fn the_json_of_a_policy_is_bounded() {
    let options = |payload_limits| PolicyOptions {
        payload_limits,
        ..PolicyOptions::default()
    };
    let small = PayloadLimits {
        request: ByteSize::from_bytes(10),
        ..PayloadLimits::default()
    };
    let wat = canned(r#"{"accepted":true}"#, "", "");
    let policy = policy_of(with_metadata(&wat, V1), options(small)).unwrap();
    let fault = ask(&policy, &creation("{}")).unwrap_err();
    assert!(
        fault.to_string().ends_with("and a guest is given at most 10B"),
        "{fault}"
    );
}

#[test]
fn a_policy_logs_at_most_a_thousand_lines() {
    let chatty = calling(
        "(local $left i32) (local.set $left (i32.const 5000))
        (loop $again (call $log (i32.const 0) (i32.const 5))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (i32.const 0)",
    );
    let host = TestPolicyHost::default();
    chatty
        .validate(&creation("{}"), host.boxed(), ample())
        .unwrap_err();
    let lines = host.seen.take();
    assert_eq!((lines.len(), lines[999].as_str()), (1_001, "Info: hello"));
    assert_eq!(
        lines[1_000],
        "Warning: the policy logged 1000 lines in this call; the rest is left out"
    );
}

#[test]
fn a_policy_without_metadata_is_asked_for_its_protocol() {
    let judged = |protocol: &str| {
        let wat = canned("", r#"{"valid":true}"#, protocol);
        let policy = policy_of(wat::parse_str(wat).unwrap(), PolicyOptions::default()).unwrap();
        assert_eq!(policy.mode(), ExecutionMode::KubewardenWapc);
        let host = TestPolicyHost::default();
        let verdict = policy
            .validate_settings(host.boxed(), ample())
            .map_err(|fault| told(&fault));
        (verdict, host.seen.take())
    };
    let (verdict, asked) = judged(r#""v1""#);
    assert!(verdict.unwrap().valid);
    assert_eq!(
        asked,
        [
            "Info: protocol_version",
            "Info: ",
            "Info: validate_settings",
            "Info: {}"
        ]
    );
    expect![[r#"
        protocol
        internal server error: the policy speaks protocol version "v2", and only v1 is known here
        the policy speaks protocol version "v2", and only v1 is known here"#]]
    .assert_eq(&judged(r#""v2""#).0.unwrap_err());
    expect![[r#"
        protocol
        internal server error: the policy speaks protocol version 1, and only v1 is known here
        the policy speaks protocol version 1, and only v1 is known here"#]]
    .assert_eq(&judged("1").0.unwrap_err());
    expect![[r#"
        bad_reply
        internal server error: invalid response from policy: its answer to protocol_version: expected value at line 1 column 1
        invalid response from policy: its answer to protocol_version: expected value at line 1 column 1"#]].assert_eq(&judged("v1").0.unwrap_err());
    expect![[r#"
        guest_error
        internal server error: Guest call failure: not today
        Guest call failure: not today"#]]
    .assert_eq(&judged("").0.unwrap_err());

    // Metadata that do not name it are no answer either.
    let wat = canned("", r#"{"valid":true}"#, r#""v1""#);
    let policy = policy_of(with_metadata(&wat, "{}"), PolicyOptions::default()).unwrap();
    let host = TestPolicyHost::default();
    policy.validate_settings(host.boxed(), ample()).unwrap();
    assert_eq!(host.seen.take()[0], "Info: protocol_version");
}

fn refused(bytes: Vec<u8>, options: PolicyOptions) -> String {
    policy_of(bytes, options).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn the_mode_is_that_of_the_metadata_or_named() {
    let named = |mode| PolicyOptions {
        mode: Some(mode),
        ..PolicyOptions::default()
    };
    let wapc = canned("", "", "");
    let policy = policy_of(with_metadata(&wapc, V1), named(ExecutionMode::KubewardenWapc)).unwrap();
    assert_eq!(policy.mode(), ExecutionMode::KubewardenWapc);

    let command = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
    let mode = |bytes, options| policy_of(bytes, options).unwrap().mode();
    let wasi = r#"{"executionMode":"wasi"}"#;
    assert_eq!(
        mode(with_metadata(command, wasi), PolicyOptions::default()),
        ExecutionMode::Wasi
    );
    let bare = || wat::parse_str(command).unwrap();
    assert_eq!(mode(bare(), named(ExecutionMode::Wasi)), ExecutionMode::Wasi);

    expect!["the module has no Kubewarden metadata and is no waPC guest: name its execution mode (`opa`, `gatekeeper` or `wasi`)"].assert_eq(&refused(bare(), PolicyOptions::default()));
    expect!["the policy's execution mode is wasi by its own metadata, and opa by its configuration"]
        .assert_eq(&refused(with_metadata(command, wasi), named(ExecutionMode::Opa)));
    expect![[r#"the policy's execution mode is kubewarden-wapc, and its module exports no "__guest_call""#]]
        .assert_eq(&refused(with_metadata(command, V1), PolicyOptions::default()));
    expect![[r#"the policy's execution mode is gatekeeper, and its module exports no "opa_eval_ctx_new""#]]
        .assert_eq(&refused(bare(), named(ExecutionMode::Gatekeeper)));
    let no_command = r#"(module (func (export "__guest_call")))"#;
    expect![[r#"the policy's execution mode is wasi, and its module exports no "_start""#]].assert_eq(
        &refused(with_metadata(no_command, wasi), PolicyOptions::default()),
    );
    expect![[r#"the module is no waPC guest: it exports no "memory""#]]
        .assert_eq(&refused(with_metadata(no_command, V1), PolicyOptions::default()));
    let imports =
        r#"(module (import "host" "other" (func)) (memory (export "memory") 1) (func (export "_start")))"#;
    expect![[r#"
        1 of the module's imports is not given by this host:
          host.other: (): unknown here"#]]
    .assert_eq(&refused(with_metadata(imports, wasi), PolicyOptions::default()));
}

#[test]
fn policies_of_later_releases_are_refused_unless_they_are_wanted() {
    let wat = canned("", "", "");
    let needing = |version: &str| {
        let metadata = format!(r#"{{"protocolVersion":"v1","minimumKubewardenVersion":"{version}"}}"#);
        with_metadata(&wat, &metadata)
    };
    for version in ["1.36.0", "1.36.99-rc1", "1.2.3", "0.99.0"] {
        policy_of(needing(version), PolicyOptions::default()).unwrap();
    }
    for version in ["1.37.0-alpha", "1.100.0", "2.0.0"] {
        policy_of(needing(version), PolicyOptions::default())
            .map(|_| ())
            .unwrap_err();
    }
    assert_eq!(
        refused(needing("1.40.2"), PolicyOptions::default()),
        "the policy needs Kubewarden 1.40, and this host knows what Kubewarden 1.36 has"
    );
    let wanted = PolicyOptions {
        accept_newer: true,
        ..PolicyOptions::default()
    };
    policy_of(needing("1.40.2"), wanted).unwrap();

    let unknown = with_metadata(&wat, r#"{"protocolVersion":"Unknown"}"#);
    assert!(matches!(
        policy_of(unknown, PolicyOptions::default()),
        Err(PolicyError::ProtocolVersion)
    ));
}

#[test]
fn what_a_policy_says_of_itself_is_at_hand() {
    let metadata = r#"{"protocolVersion":"v1","mutating":true,"annotations":{"a":"b"}}"#;
    let policy = policy_of(
        with_metadata(&canned("", "", ""), metadata),
        settings(r#"{"x":1}"#),
    )
    .unwrap();
    assert!(policy.metadata().unwrap().mutating);
    assert_eq!(policy.settings().json().get(), r#"{"x":1}"#);
    assert_eq!(policy.grants(), &Default::default());
    let annotations = serde_json::to_value(&policy.metadata().unwrap().annotations).unwrap();
    assert_eq!(annotations["a"], Value::from("b"));
}

#[test]
fn any_number_of_threads_may_ask_at_once() {
    let policy = answering(r#"{"accepted":true}"#);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert!(ask(&policy, &creation("{}")).unwrap().allowed);
                }
            });
        }
    });
}
