//! What becomes of a policy's verdict.

use serde_json::json;

use crate::harness::{Served, config, pod, policy};

const YES: &str = r#"{"accepted":true,"valid":true,"warnings":["careful"],"audit_annotations":{"a":"b"}}"#;
const NO: &str = r#"{"accepted":false,"valid":true,"message":"no pods here","code":403}"#;
const CHANGE: &str = r#"{"accepted":true,"valid":true,"mutated_object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","labels":{"a":"b"}},"spec":{"containers":[]}}}"#;

fn served(policies: &str) -> Served {
    let files = [
        ("yes.wat", policy(YES)),
        ("no.wat", policy(NO)),
        ("change.wat", policy(CHANGE)),
    ];
    Served::new(&files, policies)
}

#[test]
fn a_verdict_comes_back_with_the_requests_uid() {
    let served = served("yes: { module: ./yes.wat }\nno: { module: ./no.wat }\n");
    let answer = served.review("/validate/yes");
    assert!(
        answer.head.contains("content-type: application/json"),
        "{}",
        answer.head
    );
    let expected = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": "u-1",
            "allowed": true,
            "auditAnnotations": { "a": "b" },
            "warnings": ["careful"],
        },
    });
    assert_eq!(answer.body, expected);
    let refused = served.review("/validate/no");
    let expected = json!({
        "uid": "u-1",
        "allowed": false,
        "status": { "message": "no pods here", "code": 403 },
    });
    assert_eq!(*refused.response(), expected);
    let line = served
        .metric("kubewarden_policy_evaluations_total{policy_name=\"no\"")
        .unwrap();
    assert!(
        line.contains("accepted=\"false\"") && line.contains("error_code=\"403\""),
        "{line}"
    );
}

#[test]
fn monitor_mode_lets_everything_through_but_counts_the_verdict() {
    let served = served(
        "no: { module: ./no.wat, policyMode: monitor }\n\
         change: { module: ./change.wat, policyMode: monitor, allowedToMutate: true }\n",
    );
    for id in ["no", "change"] {
        let answer = served.review(&format!("/validate/{id}"));
        assert_eq!(
            *answer.response(),
            json!({ "uid": "u-1", "allowed": true }),
            "{id}"
        );
    }
    let line = served
        .metric("kubewarden_policy_evaluations_total{policy_name=\"no\"")
        .unwrap();
    assert!(
        line.contains("policy_mode=\"monitor\"") && line.contains("accepted=\"false\""),
        "{line}"
    );
    // An audit asks for the policy's own verdict.
    assert_eq!(served.review("/audit/no").response()["allowed"], json!(false));
}

#[test]
fn a_change_needs_leave() {
    let served = served(
        "may: { module: ./change.wat, allowedToMutate: true }\n\
         maynot: { module: ./change.wat }\n",
    );
    let answer = served.review("/validate/may");
    assert_eq!(answer.response()["patchType"], json!("JSONPatch"));
    // [{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]
    let patch = "W3sib3AiOiJhZGQiLCJwYXRoIjoiL21ldGFkYXRhL2xhYmVscyIsInZhbHVlIjp7ImEiOiJiIn19XQ==";
    assert_eq!(answer.response()["patch"], json!(patch));
    let expected = json!({
        "uid": "u-1",
        "allowed": false,
        "status": {
            "message": "Request rejected by policy maynot. The policy attempted to mutate the request, but it is \
                        currently configured to not allow mutations.",
        },
    });
    assert_eq!(*served.review("/validate/maynot").response(), expected);
    // An audit gets the patch.
    assert!(served.review("/audit/maynot").response()["patch"].is_string());
}

#[test]
fn a_deployers_message_takes_the_place_of_the_policys() {
    let served = served(
        "no: { module: ./no.wat, message: ask the platform team }\nyes: { module: ./yes.wat, message: never seen }\n",
    );
    let expected = json!({
        "message": "ask the platform team",
        "code": 403,
        "details": { "causes": [{ "message": "no pods here" }] },
    });
    assert_eq!(served.review("/validate/no").response()["status"], expected);
    assert_eq!(
        served.review("/audit/no").response()["status"]["message"],
        json!("no pods here")
    );
    assert_eq!(served.review("/validate/yes").response()["status"], json!(null));
}

#[test]
fn a_namespace_may_be_let_through_without_asking() {
    let mut config = config();
    config.always_accept_namespace = Some("wharf".into());
    let served = Served::with(config, &[("no.wat", policy(NO))], "no: { module: ./no.wat }\n");
    let accepted = served.post("/validate/no", &pod("wharf").to_string());
    assert_eq!(*accepted.response(), json!({ "uid": "u-1", "allowed": true }));
    assert_eq!(served.review("/validate/no").response()["allowed"], json!(false));
}

#[test]
fn raw_requests_are_any_json() {
    let served = served("yes: { module: ./yes.wat }\nno: { module: ./no.wat }\n");
    let answer = served.post(
        "/validate_raw/no",
        r#"{"request":{"uid":"raw-1","user":"tonio"}}"#,
    );
    let expected = json!({ "response": {
        "uid": "raw-1", "allowed": false, "status": { "message": "no pods here", "code": 403 },
    } });
    assert_eq!(answer.body, expected);
    assert_eq!(
        served.post("/validate_raw/yes", r#"{"request":17}"#).response()["allowed"],
        json!(true)
    );
}

#[test]
fn a_group_decides_by_its_expression() {
    let served = served(
        "some: { expression: 'yes() || no()', message: neither, policies: { yes: { module: ./yes.wat }, no: { module: ./no.wat } } }\n\
         all: { expression: 'yes() && no()', message: not both, policies: { yes: { module: ./yes.wat }, no: { module: ./no.wat } } }\n\
         unchanged: { expression: 'change()', message: changed, policies: { change: { module: ./change.wat } } }\n",
    );
    assert_eq!(served.review("/validate/some").response()["allowed"], json!(true));
    let all = served.review("/validate/all");
    let expected = json!({
        "message": "not both",
        "details": { "causes": [{ "field": "spec.policies.no", "message": "no pods here" }] },
    });
    assert_eq!(all.response()["status"], expected);
    let unchanged = served.review("/validate/unchanged");
    assert_eq!(unchanged.response()["allowed"], json!(false));
    assert_eq!(unchanged.response()["patch"], json!(null));
}

#[test]
fn ids_may_be_written_with_escapes() {
    let served = served("'a b': { module: ./yes.wat }\n");
    assert_eq!(
        served.review("/validate/a%20b").response()["allowed"],
        json!(true)
    );
}
