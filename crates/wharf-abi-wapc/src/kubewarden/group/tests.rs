use std::time::Duration;

use expect_test::{Expect, expect};
use serde_json::json;

use super::super::patch;
use super::*;

/// How members answer, by name.
fn ask(member: &str) -> Result<AdmissionResponse, PolicyFault> {
    let mut response = match member {
        "yes" => AdmissionResponse::accepted("u"),
        "no" => AdmissionResponse::rejected("u", "because", Some(403)),
        "silent" => AdmissionResponse::default(),
        "slow" => {
            return Err(PolicyFault::Timeout {
                allowed: Duration::from_secs(1),
            });
        }
        "mutates" => AdmissionResponse::accepted("u"),
        other => panic!("{other} is no member"),
    };
    if member == "mutates" {
        response.patch = patch::difference(&json!({}), &json!({"a": 1})).unwrap();
        assert!(response.patch.is_some());
    }
    Ok(response)
}

fn check(expression: &str, expected: &Expect) {
    let members = ["yes", "no", "silent", "slow", "mutates"];
    let group = Group::new(expression, "not by this group", members).unwrap();
    let response = group.evaluate(ask).into_response("u-1");
    expected.assert_eq(&serde_json::to_string(&response).unwrap());
}

#[test]
fn a_group_accepts_or_rejects_with_causes() {
    check("yes()", &expect![[r#"{"uid":"u-1","allowed":true}"#]]);
    check(
        "yes() && no() && slow()",
        &expect![[
            r#"{"uid":"u-1","allowed":false,"status":{"message":"not by this group","details":{"causes":[{"message":"because","field":"spec.policies.no"}]}}}"#
        ]],
    );
    check(
        "no() || silent()",
        &expect![[
            r#"{"uid":"u-1","allowed":false,"status":{"message":"not by this group","details":{"causes":[{"message":"because","field":"spec.policies.no"},{"field":"spec.policies.silent"}]}}}"#
        ]],
    );
    check(
        "!yes()",
        &expect![[r#"{"uid":"u-1","allowed":false,"status":{"message":"not by this group"}}"#]],
    );
    check("no() || yes()", &expect![[r#"{"uid":"u-1","allowed":true}"#]]);
}

#[test]
fn a_member_that_mutates_counts_as_false() {
    check(
        "mutates()",
        &expect![[
            r#"{"uid":"u-1","allowed":false,"status":{"message":"not by this group","details":{"causes":[{"message":"mutation is not allowed inside of policy group","field":"spec.policies.mutates"}]}}}"#
        ]],
    );
}

#[test]
fn a_member_without_a_verdict_never_lets_a_request_through() {
    check(
        "!slow()",
        &expect![[
            r#"{"uid":"u-1","allowed":false,"status":{"message":"error evaluating policy group expression: no verdict of slow","details":{"causes":[{"message":"Policy execution interrupted because it exceeded the allowed execution time","field":"spec.policies.slow"}]},"code":500}}"#
        ]],
    );
    check(
        "slow() && yes()",
        &expect![[
            r#"{"uid":"u-1","allowed":false,"status":{"message":"error evaluating policy group expression: no verdict of slow","details":{"causes":[{"message":"Policy execution interrupted because it exceeded the allowed execution time","field":"spec.policies.slow"}]},"code":500}}"#
        ]],
    );
    check("slow() || yes()", &expect![[r#"{"uid":"u-1","allowed":true}"#]]);
    check(
        "slow() && no()",
        &expect![[
            r#"{"uid":"u-1","allowed":false,"status":{"message":"not by this group","details":{"causes":[{"message":"because","field":"spec.policies.no"},{"message":"Policy execution interrupted because it exceeded the allowed execution time","field":"spec.policies.slow"}]}}}"#
        ]],
    );
}

#[test]
fn each_member_is_asked_once() {
    let group = Group::new("yes() && yes() && !no() && !no()", "", ["yes", "no"]).unwrap();
    let mut asked = Vec::new();
    let verdict = group.evaluate(|member| {
        asked.push(member.to_owned());
        ask(member)
    });
    assert!(matches!(verdict, GroupVerdict::Accepted));
    assert_eq!(asked, ["yes", "no"]);
}

#[test]
fn an_expression_is_checked_when_the_group_is_made() {
    let error = Group::new("maybe()", "", ["yes"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "at character 1 of the expression: `maybe` is no member of the group, which has yes"
    );
}
