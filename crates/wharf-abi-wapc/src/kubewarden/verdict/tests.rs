use expect_test::{Expect, expect};

use super::super::request::{AdmissionRequest, RawRequest};
use super::*;

fn request(object: &str) -> ReviewRequest {
    let body = format!(
        r#"{{"request":{{"uid":"u-1","kind":{{"group":"","version":"v1","kind":"Pod"}},"resource":{{"group":"","version":"v1","resource":"pods"}},"operation":"CREATE","userInfo":{{}},"object":{object}}}}}"#
    );
    ReviewRequest::Admission(Box::new(AdmissionRequest::of_review(body.as_bytes()).unwrap()))
}

fn check(answer: &str, object: &str, expected: &Expect) {
    let verdict = Verdict::parse(answer.as_bytes()).unwrap();
    let response = verdict.into_response(&request(object)).unwrap();
    expected.assert_eq(&serde_json::to_string(&response).unwrap());
}

#[test]
fn each_answer_becomes_a_response() {
    check(
        r#"{"accepted": true}"#,
        "{}",
        &expect![[r#"{"uid":"u-1","allowed":true}"#]],
    );
    check(
        r#"{"accepted": true, "message": null, "code": null, "mutated_object": null, "audit_annotations": null, "warnings": null, "future": 1}"#,
        "{}",
        &expect![[r#"{"uid":"u-1","allowed":true}"#]],
    );
    check(
        r#"{"accepted": false, "message": "no", "code": 422}"#,
        "{}",
        &expect![[r#"{"uid":"u-1","allowed":false,"status":{"message":"no","code":422}}"#]],
    );
    check(
        r#"{"accepted": false}"#,
        "{}",
        &expect![[r#"{"uid":"u-1","allowed":false}"#]],
    );
    check(
        r#"{"accepted": true, "warnings": ["w"], "audit_annotations": {"k": "v"}}"#,
        "{}",
        &expect![[r#"{"uid":"u-1","allowed":true,"auditAnnotations":{"k":"v"},"warnings":["w"]}"#]],
    );
}

#[test]
fn a_changed_object_is_a_patch_and_the_same_one_is_none() {
    let mutation = r#"{"accepted": true, "mutated_object": {"a": 1, "b": [1]}}"#;
    check(
        mutation,
        r#"{"a": 2}"#,
        &expect![[
            r#"{"uid":"u-1","allowed":true,"patchType":"JSONPatch","patch":"W3sib3AiOiJyZXBsYWNlIiwicGF0aCI6Ii9hIiwidmFsdWUiOjF9LHsib3AiOiJhZGQiLCJwYXRoIjoiL2IiLCJ2YWx1ZSI6WzFdfV0="}"#
        ]],
    );
    check(
        mutation,
        r#"{"b": [1], "a": 1}"#,
        &expect![[r#"{"uid":"u-1","allowed":true}"#]],
    );
}

#[test]
fn a_change_of_a_deleted_object_is_refused() {
    let mutation = r#"{"accepted": true, "mutated_object": {"a": 1}}"#;
    check(
        mutation,
        "null",
        &expect![[
            r#"{"uid":"u-1","allowed":false,"status":{"message":"Incoming object is null, which happens only with DELETE operations, but the policy is attempting a mutation. This is not allowed"}}"#
        ]],
    );
}

#[test]
fn a_rejection_has_no_patch() {
    let mutation = r#"{"accepted": false, "message": "no", "mutated_object": {"a": 1}}"#;
    check(
        mutation,
        "{}",
        &expect![[r#"{"uid":"u-1","allowed":false,"status":{"message":"no"}}"#]],
    );
    check(
        mutation,
        "null",
        &expect![[r#"{"uid":"u-1","allowed":false,"status":{"message":"no"}}"#]],
    );
}

#[test]
fn a_raw_request_is_changed_as_a_whole() {
    let raw = RawRequest::of_review(br#"{"request": {"uid": "r", "user": "tonio"}}"#).unwrap();
    let verdict =
        Verdict::parse(br#"{"accepted": true, "mutated_object": {"uid": "r", "user": "jane"}}"#).unwrap();
    let response = verdict.into_response(&ReviewRequest::Raw(raw)).unwrap();
    expect![[r#"{"uid":"r","allowed":true,"patchType":"JSONPatch","patch":"W3sib3AiOiJyZXBsYWNlIiwicGF0aCI6Ii91c2VyIiwidmFsdWUiOiJqYW5lIn1d"}"#]].assert_eq(&serde_json::to_string(&response).unwrap());
}

#[test]
fn an_object_that_cannot_be_read_is_a_fault() {
    let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
    let verdict = Verdict::parse(br#"{"accepted": true, "mutated_object": {}}"#).unwrap();
    assert!(verdict.into_response(&request(&deep)).is_ok());
}

#[test]
fn what_does_not_say_whether_it_accepts_is_no_verdict() {
    for (answer, expected) in [
        ("", expect!["EOF while parsing a value at line 1 column 0"]),
        ("{}", expect!["missing field `accepted` at line 1 column 2"]),
        ("null", expect!["this is no object"]),
        ("[true]", expect!["this is no object"]),
        (
            r#"{"accepted": "true"}"#,
            expect![[
                r#"at `accepted`: invalid type: string "true", expected a boolean at line 1 column 19"#
            ]],
        ),
        (
            r#"{"accepted": 1}"#,
            expect!["at `accepted`: invalid type: integer `1`, expected a boolean at line 1 column 14"],
        ),
        (
            r#"{"accepted": true, "accepted": false}"#,
            expect!["duplicate field `accepted` at line 1 column 29"],
        ),
        (
            r#"{"accepted": true, "code": 70000}"#,
            expect!["at `code`: invalid value: integer `70000`, expected u16 at line 1 column 32"],
        ),
        (
            r#"{"accepted": true, "code": -1}"#,
            expect!["at `code`: invalid value: integer `-1`, expected u16 at line 1 column 29"],
        ),
        (
            r#"{"accepted": true, "warnings": "careful"}"#,
            expect![[
                r#"at `warnings`: invalid type: string "careful", expected a sequence at line 1 column 40"#
            ]],
        ),
        (
            r#"{"accepted": true, "audit_annotations": {"a": 1}}"#,
            expect![
                "at `audit_annotations.a`: invalid type: integer `1`, expected a string at line 1 column 47"
            ],
        ),
        (
            r#"{"accepted": true} x"#,
            expect!["trailing characters at line 1 column 20"],
        ),
        (
            "{\"accepted\": true, \"message\": \"\\uD800\"}",
            expect!["at `message`: unexpected end of hex escape at line 1 column 38"],
        ),
    ] {
        expected.assert_eq(&Verdict::parse(answer.as_bytes()).unwrap_err().to_string());
    }
    Verdict::parse(b"\xff{\"accepted\": true}").unwrap_err();
}

#[test]
fn settings_are_valid_or_not() {
    assert_eq!(
        SettingsVerdict::parse(br#"{"valid": true}"#).unwrap(),
        SettingsVerdict::valid()
    );
    let invalid = SettingsVerdict::parse(br#"{"valid": false, "message": "no name"}"#).unwrap();
    assert_eq!(
        (invalid.valid, invalid.message.as_deref()),
        (false, Some("no name"))
    );
    SettingsVerdict::parse(br#"{"message": "no name"}"#).unwrap_err();
}
