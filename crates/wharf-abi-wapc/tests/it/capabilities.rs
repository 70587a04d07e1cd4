//! What policies ask of their host: what they get, and what they are refused.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use wharf_abi_wapc::kubewarden::capability::{
    Capabilities, CapabilityError, CapabilityPatterns, CapabilityRequest, Grants, OPERATIONS,
};
use wharf_abi_wapc::kubewarden::replay::{Exchange, RecordedResponse, Replay};
use wharf_abi_wapc::kubewarden::{
    ContextAwareResource, PolicyFault, PolicyHost, PolicyLog, PolicyOptions, RefusedCapability,
};

use crate::guests::PRELUDE;
use crate::support::{Seen, TestPolicyHost, ample, creation, data, policy_of, short, with_metadata};

/// A policy that asks its host one thing. What it gets is its verdict, and what it is refused its error.
fn asking(binding: &str, namespace: &str, operation: &str, payload: &str) -> String {
    let mut at = 10_000;
    let mut segments = String::new();
    let mut arguments = String::new();
    for text in [binding, namespace, operation, payload] {
        segments.push_str(&format!("(data (i32.const {at}) \"{}\")", data(text)));
        arguments.push_str(&format!("(i32.const {at}) (i32.const {})", text.len()));
        at += text.len();
    }
    format!(
        r#"(module {PRELUDE} {segments}
        (func (export "__guest_call") (param i32 i32) (result i32)
            (if (call $host_call {arguments})
                (then
                    (call $host_response (i32.const 100000))
                    (call $response (i32.const 100000) (call $host_response_len))
                    (return (i32.const 1))))
            (call $host_error (i32.const 100000))
            (call $error (i32.const 100000) (call $host_error_len))
            (i32.const 0)))"#
    )
}

fn resource(api_version: &str, kind: &str) -> ContextAwareResource {
    ContextAwareResource {
        api_version: api_version.into(),
        kind: kind.into(),
    }
}

fn grants(patterns: &[&str], resources: &[(&str, &str)]) -> Grants {
    let resources: BTreeSet<_> = resources
        .iter()
        .map(|(version, kind)| resource(version, kind))
        .collect();
    Grants {
        context_aware_resources: resources,
        host_capabilities: CapabilityPatterns::parse(patterns).unwrap(),
    }
}

/// What the policy's verdict is, or the words that it got.
fn run(wat: &str, grants: Grants, host: Box<dyn PolicyHost>) -> Result<String, String> {
    let options = PolicyOptions {
        grants,
        ..PolicyOptions::default()
    };
    let policy = policy_of(with_metadata(wat, r#"{"protocolVersion":"v1"}"#), options).unwrap();
    match policy.validate(&creation("{}"), host, ample()) {
        Ok(verdict) => Ok(verdict.message.unwrap_or_default()),
        Err(PolicyFault::Call(error)) => Err(error.to_string().replace("Guest call failure: ", "")),
        Err(other) => panic!("{other}"),
    }
}

/// An answer that is a verdict too, so that the policy can give it back.
fn verdict(_: &CapabilityRequest) -> Result<Vec<u8>, CapabilityError> {
    Ok(br#"{"accepted":true,"message":"answered"}"#.to_vec())
}

/// A payload for each operation.
fn payload(path: &str) -> &'static str {
    match path {
        "kubernetes/list_resources_by_namespace" => r#"{"api_version":"v1","kind":"Pod","namespace":"shop"}"#,
        "kubernetes/list_resources_all" => r#"{"api_version":"v1","kind":"Pod"}"#,
        "kubernetes/get_resource" => {
            r#"{"api_version":"v1","kind":"Pod","name":"web","disable_cache":false}"#
        }
        "kubernetes/can_i" => {
            r#"{"subject_access_review":{"user":"jane","resource_attributes":{"resource":"pods","verb":"get"}},"disable_cache":false}"#
        }
        "oci/v1/verify" => r#"{"SigstorePubKeyVerify":{"image":"i","pub_keys":[]}}"#,
        "oci/v2/verify" => r#"{"type":"SigstorePubKeyVerify","image":"i","pub_keys":[]}"#,
        "crypto/v1/is_certificate_trusted" => r#"{"cert":{"encoding":"Pem","data":[]}}"#,
        _ => r#""text""#,
    }
}

#[test]
fn nothing_is_granted_by_default_and_every_refusal_is_noted() {
    for (namespace, operation) in OPERATIONS {
        let path = format!("{namespace}/{operation}");
        let host = TestPolicyHost::default();
        let wat = asking("kubewarden", namespace, operation, payload(&path));
        let all_resources = grants(&[], &[("v1", "Pod")]);
        assert_eq!(
            run(&wat, all_resources, host.boxed()),
            Err(format!(
                "Policy has not been granted access to the '{path}' host capability. The violation has been reported."
            ))
        );
        assert_eq!(
            host.seen.take(),
            [format!("{:?}", RefusedCapability::Operation(&path))]
        );
    }
}

#[test]
fn what_is_granted_is_answered() {
    for (namespace, operation) in OPERATIONS {
        let path = format!("{namespace}/{operation}");
        let host = TestPolicyHost::answering(verdict);
        let wat = asking("kubewarden", namespace, operation, payload(&path));
        let granted = grants(&[&path], &[("v1", "Pod")]);
        assert_eq!(run(&wat, granted, host.boxed()), Ok("answered".into()), "{path}");
        assert_eq!(host.seen.take().len(), 1);

        let others: Vec<String> = OPERATIONS
            .iter()
            .map(|(namespace, operation)| format!("{namespace}/{operation}"))
            .filter(|other| *other != path)
            .collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        run(&wat, grants(&others, &[("v1", "Pod")]), host.boxed()).unwrap_err();
    }
}

#[test]
fn objects_need_a_grant_of_their_kind_too() {
    for operation in [
        "list_resources_by_namespace",
        "list_resources_all",
        "get_resource",
    ] {
        let path = format!("kubernetes/{operation}");
        let wat = asking("kubewarden", "kubernetes", operation, payload(&path));
        for near in [("v1", "Secret"), ("v2", "Pod"), ("v1", "pod"), ("apps/v1", "Pod")] {
            let host = TestPolicyHost::default();
            assert_eq!(
                run(&wat, grants(&["*"], &[near]), host.boxed()),
                Err("Policy has not been granted access to Kubernetes v1/Pod resources. The violation has been reported.".into())
            );
            let refusal = RefusedCapability::Resource {
                path: &path,
                api_version: "v1",
                kind: "Pod",
            };
            assert_eq!(host.seen.take(), [format!("{refusal:?}")]);
        }
    }
    // Asking what somebody may do reads no objects.
    let wat = asking("kubewarden", "kubernetes", "can_i", payload("kubernetes/can_i"));
    let host = TestPolicyHost::answering(verdict);
    run(&wat, grants(&["kubernetes/can_i"], &[]), host.boxed()).unwrap();
}

#[test]
fn what_is_no_request_gets_an_error() {
    let check = |binding: &str, namespace: &str, operation: &str, payload: &str, expected: &Expect| {
        let wat = asking(binding, namespace, operation, payload);
        let all = grants(&["*"], &[("v1", "Pod")]);
        expected.assert_eq(&run(&wat, all, TestPolicyHost::default().boxed()).unwrap_err());
    };
    check(
        "wapc",
        "kubernetes",
        "can_i",
        "{}",
        &expect!["unknown binding: wapc"],
    );
    check(
        "kubewarden",
        "files",
        "v1/read",
        "{}",
        &expect!["unknown namespace: files"],
    );
    check(
        "kubewarden",
        "kubernetes",
        "delete_resource",
        "{}",
        &expect!["unknown operation: delete_resource"],
    );
    check(
        "kubewarden",
        "tracing",
        "span",
        "{}",
        &expect!["unknown operation: span"],
    );
    check(
        "kubewarden",
        "kubernetes",
        "can_i",
        "{}",
        &expect![
            "the payload of kubernetes/can_i cannot be read: missing field `subject_access_review` at line 1 column 2"
        ],
    );
    check(
        "kubewarden",
        "oci",
        "v1/verify",
        "\u{1}",
        &expect!["the payload of oci/v1/verify cannot be read: expected value at line 1 column 1"],
    );
    check(
        "kubewarden",
        "kubernetes",
        "list_resources_all",
        &format!(
            r#"{{"api_version":"v1","kind":"Pod","field_masks":["{}"]}}"#,
            "a.".repeat(40)
        ),
        &expect!["Callback evaluation failure: a field mask has 41 parts, and at most 32 are taken"],
    );
}

#[test]
fn what_goes_wrong_at_the_host_is_told_to_the_policy() {
    let check = |answer: fn(&CapabilityRequest) -> Result<Vec<u8>, CapabilityError>, payload: &str| {
        let wat = asking("kubewarden", "kubernetes", "list_resources_all", payload);
        let host = TestPolicyHost::answering(answer);
        run(&wat, grants(&["*"], &[("v1", "Pod")]), host.boxed()).unwrap_err()
    };
    let plain = r#"{"api_version":"v1","kind":"Pod"}"#;
    let masked = r#"{"api_version":"v1","kind":"Pod","field_masks":["a"]}"#;
    let failed = |_: &CapabilityRequest| Err(CapabilityError::Failed("no such kind".into()));
    expect!["Callback evaluation failure: no such kind"].assert_eq(&check(failed, plain));
    expect!["Callback evaluation failure: the answer did not come within the time of the review"]
        .assert_eq(&check(|_| Err(CapabilityError::Timeout), plain));
    expect!["Callback evaluation failure: this host does not offer kubernetes/list_resources_all"]
        .assert_eq(&check(|request| ().call(request, ample()), plain));
    expect!["Callback evaluation failure: the host's answer is no JSON: expected value at line 1 column 1"]
        .assert_eq(&check(|_| Ok(b"?".to_vec()), masked));
}

#[test]
fn a_verdict_that_comes_after_the_time_is_none() {
    // The answer is a good verdict, and it comes when the time is over.
    let late = |request: &CapabilityRequest| {
        std::thread::sleep(std::time::Duration::from_millis(60));
        verdict(request)
    };
    let never = |_: &CapabilityRequest| {
        std::thread::sleep(std::time::Duration::from_millis(60));
        Err(CapabilityError::Timeout)
    };
    let wat = asking("kubewarden", "kubernetes", "can_i", payload("kubernetes/can_i"));
    let options = || PolicyOptions {
        grants: grants(&["kubernetes/can_i"], &[]),
        ..PolicyOptions::default()
    };
    let policy = policy_of(with_metadata(&wat, r#"{"protocolVersion":"v1"}"#), options()).unwrap();
    for host in [TestPolicyHost::answering(late), TestPolicyHost::answering(never)] {
        let fault = policy
            .validate(&creation("{}"), host.boxed(), short())
            .unwrap_err();
        assert_eq!(fault.label(), "deadline", "{fault}");
    }
}

#[test]
fn field_masks_are_applied_to_what_the_host_answers() {
    // The object is a verdict as well; its `message` is what is left of it.
    let answer = |_: &CapabilityRequest| {
        Ok(br#"{"apiVersion":"v1","accepted":true,"message":"kept","code":1,"warnings":["x"]}"#.to_vec())
    };
    let get = |masks: &str| {
        let payload = format!(
            r#"{{"api_version":"v1","kind":"Pod","name":"web","disable_cache":false,"field_masks":{masks}}}"#
        );
        let wat = asking("kubewarden", "kubernetes", "get_resource", &payload);
        let host = TestPolicyHost::answering(answer);
        run(&wat, grants(&["*"], &[("v1", "Pod")]), host.boxed()).unwrap()
    };
    assert_eq!(get(r#"["accepted"]"#), "");
    assert_eq!(get(r#"["accepted","message"]"#), "kept");
    assert_eq!(get("[]"), "kept");
    assert_eq!(get("null"), "kept");
}

#[test]
fn anybody_may_log() {
    let log = |payload: &str| {
        let wat = asking("kubewarden", "tracing", "log", payload);
        let host = TestPolicyHost::default();
        // The answer is empty, which is no verdict.
        let options = PolicyOptions::default();
        let policy = policy_of(with_metadata(&wat, r#"{"protocolVersion":"v1"}"#), options).unwrap();
        let fault = policy
            .validate(&creation("{}"), host.boxed(), ample())
            .unwrap_err();
        assert!(matches!(fault, PolicyFault::UnreadableAnswer { .. }), "{fault}");
        host.seen.take().join("\n")
    };
    expect![[r#"Info: hello count=2 pod="web""#]].assert_eq(&log(
        r#"{"level":"INFO","message":"hello","pod":"web","count":2}"#,
    ));
    expect!["Warning: "].assert_eq(&log(r#"{"level":"warning"}"#));
    expect![[r#"Warning: the policy logged what is no event: at `level`: unknown log level "loud" at line 1 column 15"#]].assert_eq(&log(r#"{"level":"loud","message":"hello"}"#));
    expect!["Warning: the policy logged what is no event: expected value at line 1 column 1"]
        .assert_eq(&log("hello"));
}

/// A host whose capabilities are a recording.
struct Replaying {
    replay: Replay,
    seen: Seen,
}

impl PolicyHost for Replaying {
    fn capabilities(&mut self) -> &mut dyn Capabilities {
        &mut self.replay
    }

    fn log(&mut self, event: &PolicyLog) {
        self.seen.note(event.message.clone());
    }

    fn refused(&mut self, refusal: &RefusedCapability<'_>) {
        self.seen.note(format!("{refusal:?}"));
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        0
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        0
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

#[test]
fn a_policy_can_be_given_what_was_recorded() {
    let fields = serde_json::json!({"api_version": "v1", "kind": "Pod", "name": "web", "namespace": null, "disable_cache": false});
    let response = RecordedResponse::Success {
        payload: r#"{"accepted":false,"message":"recorded"}"#.into(),
    };
    let exchange = Exchange::new("KubernetesGetResource", fields, response).unwrap();
    let host = |exchanges: Vec<Exchange>| {
        Box::new(Replaying {
            replay: Replay::new(exchanges),
            seen: Seen::default(),
        })
    };
    let wat = asking(
        "kubewarden",
        "kubernetes",
        "get_resource",
        payload("kubernetes/get_resource"),
    );
    let all = || grants(&["*"], &[("v1", "Pod")]);
    assert_eq!(run(&wat, all(), host(vec![exchange])), Ok("recorded".into()));
    assert_eq!(
        run(&wat, all(), host(vec![])),
        Err("Callback evaluation failure: the list of recorded responses is empty".into())
    );
}
