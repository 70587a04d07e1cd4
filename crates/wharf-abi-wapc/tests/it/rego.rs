//! Policies in Rego, for OPA and for Gatekeeper. The guests here speak OPA's ABI and answer what a test has them answer.

use std::time::Duration;

use expect_test::{Expect, expect};
use wharf_abi_wapc::kubewarden::capability::{CapabilityError, CapabilityRequest, Grants};
use wharf_abi_wapc::kubewarden::{
    AdmissionResponse, ContextAwareResource, ExecutionMode, Policy, PolicyFault, PolicyOptions, RawRequest,
    ReviewRequest, Settings, TIMEOUT_MESSAGE,
};

use wharf_plugin::{ByteSize, Limits};

use crate::support::{TestPolicyHost, ample, creation, data, policy_of, short};

/// A module that prints the data and the input that it is given, and gives `answer`. Its values are their own texts.
fn module(entrypoints: &str, answer: &str, body: &str) -> String {
    format!(
        r#"(module
        (import "env" "opa_println" (func $print (param i32)))
        (memory (export "memory") 16)
        (global (export "opa_wasm_abi_version") i32 (i32.const 1))
        (global (export "opa_wasm_abi_minor_version") i32 (i32.const 2))
        (global $heap (mut i32) (i32.const 200000))
        (data (i32.const 1000) "{{}}")
        (data (i32.const 2000) "{}")
        (data (i32.const 100000) "{}")
        (func $malloc (export "opa_malloc") (param i32) (result i32)
            (local $at i32)
            (local.set $at (global.get $heap))
            (global.set $heap (i32.add (i32.add (local.get $at) (local.get 0)) (i32.const 1)))
            (local.get $at))
        (func (export "opa_value_parse") (param i32 i32) (result i32) (local.get 0))
        (func (export "opa_value_dump") (param i32) (result i32) (local.get 0))
        (func (export "opa_json_dump") (param i32) (result i32) (local.get 0))
        (func (export "builtins") (result i32) (i32.const 1000))
        (func (export "entrypoints") (result i32) (i32.const 2000))
        (func (export "opa_heap_ptr_get") (result i32) (global.get $heap))
        (func (export "opa_eval_ctx_new") (result i32) (i32.const 0))
        (func (export "opa_eval") (param $reserved i32) (param $entrypoint i32) (param $data i32) (param $input i32)
            (param $length i32) (param $heap i32) (param $format i32) (result i32)
            (call $print (local.get $data))
            (call $print (local.get $input))
            {body}
            (i32.const 100000)))"#,
        data(entrypoints),
        data(answer),
    )
}

fn policy(mode: ExecutionMode, answer: &str, options: PolicyOptions) -> Policy {
    let entrypoints = r#"{"policy/main":0,"policy/violation":1}"#;
    let options = PolicyOptions {
        mode: Some(mode),
        ..options
    };
    policy_of(wat::parse_str(module(entrypoints, answer, "")).unwrap(), options).unwrap()
}

fn opa(answer: &str) -> Policy {
    policy(ExecutionMode::Opa, answer, PolicyOptions::default())
}

fn gatekeeper(answer: &str) -> Policy {
    policy(ExecutionMode::Gatekeeper, answer, PolicyOptions::default())
}

fn ask(policy: &Policy) -> Result<AdmissionResponse, PolicyFault> {
    policy.review(&creation("{}"), TestPolicyHost::default().boxed(), ample())
}

fn review(policy: &Policy) -> String {
    serde_json::to_string(&ask(policy).unwrap()).unwrap()
}

const ALLOWED: &str = r#"[{"result":{"response":{"allowed":true}}}]"#;

#[test]
fn each_kind_gets_the_input_and_the_data_that_it_knows() {
    let settings = || PolicyOptions {
        settings: Settings::parse(br#"{"a": 1.0}"#).unwrap(),
        ..PolicyOptions::default()
    };
    let host = TestPolicyHost::default();
    let review = |policy: Policy| {
        policy.validate(&creation("{}"), host.boxed(), ample()).unwrap();
        host.seen.take()
    };
    let request = r#"{"uid":"u-1","kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"operation":"CREATE","userInfo":{},"object":{}}"#;
    assert_eq!(
        review(policy(ExecutionMode::Opa, ALLOWED, settings())),
        [
            r#"Info: {"a": 1.0}"#.to_owned(),
            format!(r#"Info: {{"request":{request}}}"#)
        ]
    );
    assert_eq!(
        review(policy(
            ExecutionMode::Gatekeeper,
            r#"[{"result":[]}]"#,
            settings()
        )),
        [
            "Info: {}".to_owned(),
            format!(r#"Info: {{"parameters":{{"a": 1.0}},"review":{request}}}"#)
        ]
    );
}

#[test]
fn settings_are_always_valid() {
    for policy in [opa(ALLOWED), gatekeeper("[]")] {
        let host = TestPolicyHost::default();
        assert!(policy.validate_settings(host.boxed(), ample()).unwrap().valid);
    }
}

#[test]
fn answers_become_the_json_of_the_api() {
    let check = |policy: Policy, expected: &Expect| expected.assert_eq(&review(&policy));
    check(opa(ALLOWED), &expect![[r#"{"uid":"u-1","allowed":true}"#]]);
    check(
        opa(
            r#"[{"result":{"response":{"allowed":false,"status":{"message":"no","reason":"Forbidden","code":403}}}}]"#,
        ),
        &expect![[
            r#"{"uid":"u-1","allowed":false,"status":{"message":"no","reason":"Forbidden","code":403}}"#
        ]],
    );
    check(
        opa(
            r#"[{"result":{"response":{"allowed":true,"patchType":"JSONPatch","patch":"W10=","warnings":["w"]}}}]"#,
        ),
        &expect![[r#"{"uid":"u-1","allowed":true,"patchType":"JSONPatch","patch":"W10=","warnings":["w"]}"#]],
    );
    check(
        gatekeeper(r#"[{"result":[]}]"#),
        &expect![[r#"{"uid":"u-1","allowed":true}"#]],
    );
    check(
        gatekeeper(r#"[{"result":[{"msg":"no latest tags"},{"msg":"no root"}]}]"#),
        &expect![[r#"{"uid":"u-1","allowed":false,"status":{"message":"no latest tags, no root"}}"#]],
    );
    check(
        gatekeeper(r#"[{"result":{"violation":[{"msg":"inside"}]}}]"#),
        &expect![[r#"{"uid":"u-1","allowed":false,"status":{"message":"inside"}}"#]],
    );
}

#[test]
fn what_is_surely_no_acceptance_is_a_fault() {
    let check = |policy: Policy, expected: &Expect| {
        let fault = ask(&policy).unwrap_err();
        expected.assert_eq(&format!("{}: {}", fault.label(), fault.public_message()));
    };
    check(
        opa("[]"),
        &expect![
            "bad_reply: internal server error: invalid response from policy: its answer to validate: the policy's entrypoint is undefined for this request"
        ],
    );
    check(
        opa(r#"[{"result":true}]"#),
        &expect![
            "bad_reply: internal server error: invalid response from policy: its answer to validate: at `[0].result.response`: cannot interpret OPA policy result: it has no response"
        ],
    );
    check(
        gatekeeper("[]"),
        &expect![
            "bad_reply: internal server error: invalid response from policy: its answer to validate: the policy's entrypoint is undefined for this request"
        ],
    );
    check(
        gatekeeper(r#"[{"result":true}]"#),
        &expect![
            "bad_reply: internal server error: invalid response from policy: its answer to validate: at `[0].result`: `true`, where the violations are expected: name the entrypoint of the rule `violation`"
        ],
    );
    check(
        gatekeeper("?"),
        &expect![
            "bad_reply: internal server error: the policy's module broke OPA's ABI in eval: its results are no JSON: expected value at line 1 column 1"
        ],
    );
}

#[test]
fn gatekeeper_judges_no_raw_requests() {
    let raw = ReviewRequest::Raw(RawRequest::of_review(br#"{"request": {}}"#).unwrap());
    let fault = gatekeeper("[]")
        .validate(&raw, TestPolicyHost::default().boxed(), ample())
        .unwrap_err();
    assert_eq!(
        fault.public_message(),
        "internal server error: Gatekeeper does not support raw validation requests"
    );
    let host = TestPolicyHost::default();
    assert!(
        opa(ALLOWED)
            .validate(&raw, host.boxed(), ample())
            .unwrap()
            .accepted
    );
}

/// The kinds that policies of these tests are granted.
fn granted() -> PolicyOptions {
    let resource = |api_version: &str, kind: &str| ContextAwareResource {
        api_version: api_version.into(),
        kind: kind.into(),
    };
    PolicyOptions {
        settings: Settings::parse(br#"{"kubernetes": "mine", "a": 1}"#).unwrap(),
        grants: Grants {
            context_aware_resources: [resource("v1", "Namespace"), resource("apps/v1", "Deployment")].into(),
            ..Grants::default()
        },
        ..PolicyOptions::default()
    }
}

/// A cluster with one namespace and one deployment.
fn cluster(request: &CapabilityRequest) -> Result<Vec<u8>, CapabilityError> {
    let text = match request {
        CapabilityRequest::KubernetesGetResourcePluralName { kind, .. } => {
            return Ok(format!("\"{}s\"", kind.to_lowercase()).into_bytes());
        }
        CapabilityRequest::KubernetesListResourceAll(list) if list.kind == "Namespace" => {
            r#"{"items":[{"metadata":{"name":"shop"}}]}"#
        }
        CapabilityRequest::KubernetesListResourceAll(_) => {
            r#"{"items":[{"metadata":{"name":"web","namespace":"shop"}}]}"#
        }
        other => panic!("nobody asks for {other:?}"),
    };
    Ok(text.as_bytes().to_vec())
}

#[test]
fn the_cluster_is_in_the_data_where_it_is_granted() {
    let host = TestPolicyHost::answering(cluster);
    let seen = |mode, answer| {
        let policy = policy(mode, answer, granted());
        policy.validate(&creation("{}"), host.boxed(), ample()).unwrap();
        let mut lines = host.seen.take();
        lines.pop();
        lines.join("\n")
    };
    expect![[r#"
        {"KubernetesListResourceAll":{"api_version":"apps/v1","kind":"Deployment","label_selector":null,"field_selector":null,"field_masks":null}}
        {"KubernetesGetResourcePluralName":{"api_version":"apps/v1","kind":"Deployment"}}
        {"KubernetesListResourceAll":{"api_version":"v1","kind":"Namespace","label_selector":null,"field_selector":null,"field_masks":null}}
        {"KubernetesGetResourcePluralName":{"api_version":"v1","kind":"Namespace"}}
        Warning: the setting `kubernetes` is replaced by the cluster's objects
        Info: {"a":1,"kubernetes":{"deployments":{"shop":{"web":{"metadata":{"name":"web","namespace":"shop"}}}},"namespaces":{"shop":{"metadata":{"name":"shop"}}}}}"#]].assert_eq(&seen(ExecutionMode::Opa, ALLOWED));
    expect![[r#"
        {"KubernetesListResourceAll":{"api_version":"apps/v1","kind":"Deployment","label_selector":null,"field_selector":null,"field_masks":null}}
        {"KubernetesListResourceAll":{"api_version":"v1","kind":"Namespace","label_selector":null,"field_selector":null,"field_masks":null}}
        Info: {"inventory":{"cluster":{"v1":{"Namespace":{"shop":{"metadata":{"name":"shop"}}}}},"namespace":{"shop":{"apps/v1":{"Deployment":{"web":{"metadata":{"name":"web","namespace":"shop"}}}}}}}}"#]].assert_eq(&seen(ExecutionMode::Gatekeeper, r#"[{"result":[]}]"#));
}

#[test]
fn a_cluster_that_cannot_be_read_is_a_fault() {
    let check = |answer: fn(&CapabilityRequest) -> Result<Vec<u8>, CapabilityError>, expected: &Expect| {
        let fault = policy(ExecutionMode::Gatekeeper, "[]", granted())
            .validate(
                &creation("{}"),
                TestPolicyHost::answering(answer).boxed(),
                ample(),
            )
            .unwrap_err();
        expected.assert_eq(&format!("{}: {}", fault.label(), fault.public_message()));
    };
    check(
        |_| Err(CapabilityError::Failed("no route".into())),
        &expect![
            "context: internal server error: the policy judges by apps/v1/Deployment, which cannot be had: no route"
        ],
    );
    check(
        |_| Err(CapabilityError::Timeout),
        &expect!["deadline: Policy execution interrupted because it exceeded the allowed execution time"],
    );
    check(
        |_| Ok(b"{}".to_vec()),
        &expect![
            "context: internal server error: the policy judges by apps/v1/Deployment, which cannot be had: at `items`: the list has no objects"
        ],
    );
    check(
        |_| Ok(br#"{"items":[{}]}"#.to_vec()),
        &expect![
            "context: internal server error: the policy judges by apps/v1/Deployment, which cannot be had: at `items.metadata.name`: an object has no name"
        ],
    );
}

#[test]
fn a_cluster_that_has_no_room_in_the_policy_is_a_fault() {
    let large = |request: &CapabilityRequest| match request {
        CapabilityRequest::KubernetesListResourceAll(list) if list.kind == "Namespace" => {
            let name = "x".repeat(600 << 10);
            Ok(format!(r#"{{"items":[{{"metadata":{{"name":"{name}"}}}}]}}"#).into_bytes())
        }
        CapabilityRequest::KubernetesListResourceAll(_) => {
            let name = "y".repeat(600 << 10);
            Ok(format!(r#"{{"items":[{{"metadata":{{"name":"{name}","namespace":"n"}}}}]}}"#).into_bytes())
        }
        other => cluster(other),
    };
    for mode in [ExecutionMode::Opa, ExecutionMode::Gatekeeper] {
        let options = PolicyOptions {
            limits: Limits {
                memory: ByteSize::from_mib(1),
                ..Limits::default()
            },
            ..granted()
        };
        let host = TestPolicyHost::answering(large);
        let fault = policy(mode, "[]", options)
            .validate(&creation("{}"), host.boxed(), ample())
            .unwrap_err();
        let expected = "internal server error: the policy judges by v1/Namespace, which cannot be had: with it the objects \
                        have more than the policy's memory, which is 1MiB";
        assert_eq!(
            (fault.label(), fault.public_message().as_str()),
            ("context", expected)
        );
    }
}

#[test]
fn a_list_that_came_too_late_is_a_timeout() {
    let late = |request: &CapabilityRequest| {
        std::thread::sleep(Duration::from_millis(60));
        cluster(request)
    };
    for (mode, answer) in [
        (ExecutionMode::Opa, ALLOWED),
        (ExecutionMode::Gatekeeper, r#"[{"result":[]}]"#),
    ] {
        let host = TestPolicyHost::answering(late);
        let fault = policy(mode, answer, granted())
            .validate(&creation("{}"), host.boxed(), short())
            .unwrap_err();
        assert_eq!(
            (fault.label(), fault.public_message().as_str()),
            ("deadline", TIMEOUT_MESSAGE)
        );
    }
}

fn refused(wat: &str, options: PolicyOptions) -> String {
    policy_of(wat::parse_str(wat).unwrap(), options)
        .map(|_| ())
        .unwrap_err()
        .to_string()
}

#[test]
fn the_entrypoint_can_be_named() {
    let named = |entrypoint: &str| PolicyOptions {
        mode: Some(ExecutionMode::Opa),
        entrypoint: Some(entrypoint.into()),
        ..PolicyOptions::default()
    };
    let wat = module(r#"{"policy/main":0}"#, ALLOWED, "");
    policy_of(wat::parse_str(&wat).unwrap(), named("policy/main")).unwrap();
    assert_eq!(
        refused(&wat, named("policy/allow")),
        "the policy has no entrypoint \"policy/allow\": it has policy/main"
    );
    let none = PolicyOptions {
        mode: Some(ExecutionMode::Gatekeeper),
        ..PolicyOptions::default()
    };
    assert_eq!(
        refused(&module("{}", ALLOWED, ""), none),
        "the policy has no entrypoint: build it with `opa build -t wasm -e PACKAGE/RULE`"
    );
}

#[test]
fn rego_must_be_named_where_the_module_does_not_say_it() {
    let wat = module(r#"{"policy/main":0}"#, ALLOWED, "");
    assert_eq!(
        refused(&wat, PolicyOptions::default()),
        "the module has no Kubewarden metadata and is no waPC guest: name its execution mode (`opa`, `gatekeeper` or `wasi`)"
    );
}

#[test]
fn rego_that_never_ends_has_kubewardens_words() {
    let endless = module(r#"{"policy/main":0}"#, ALLOWED, "(loop $for_ever (br $for_ever))");
    let options = PolicyOptions {
        mode: Some(ExecutionMode::Opa),
        ..PolicyOptions::default()
    };
    let policy = policy_of(wat::parse_str(endless).unwrap(), options).unwrap();
    let fault = policy
        .validate(&creation("{}"), TestPolicyHost::default().boxed(), short())
        .unwrap_err();
    assert_eq!(
        (fault.label(), fault.public_message().as_str()),
        ("deadline", TIMEOUT_MESSAGE)
    );
}
