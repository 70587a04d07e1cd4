use expect_test::{Expect, expect};

use super::*;

fn accepted(verdict: Result<Verdict, JsonProblem>) -> Result<bool, String> {
    verdict
        .map(|verdict| verdict.accepted)
        .map_err(|problem| problem.to_string())
}

#[test]
fn opa_policies_answer_with_a_response() {
    let answer = br#"[{"result": {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {
        "uid": "x", "allowed": false, "warnings": ["w"], "auditAnnotations": {"a": "b"},
        "status": {"message": "no", "reason": "Forbidden", "code": 403, "details": {"causes": [{"field": "spec", "message": "m"}]}}}}}]"#;
    let verdict = of_opa(answer).unwrap();
    assert_eq!(
        (verdict.accepted, verdict.message.as_deref(), verdict.code),
        (false, Some("no"), Some(403))
    );
    assert_eq!(verdict.reason.as_deref(), Some("Forbidden"));
    assert_eq!(verdict.details.unwrap().causes[0].field.as_deref(), Some("spec"));
    assert_eq!(verdict.warnings.unwrap(), ["w"]);
    assert_eq!(verdict.audit_annotations.unwrap()["a"], "b");

    assert_eq!(
        accepted(of_opa(br#"[{"result": {"response": {"allowed": true}}}]"#)),
        Ok(true)
    );
    let package = br#"[{"result": {"main": {"response": {"allowed": false}}, "allowed": true, "deny": []}}]"#;
    assert_eq!(accepted(of_opa(package)), Ok(false));
}

#[test]
fn opa_policies_may_make_the_patch() {
    let patched = |patch: &str, kind: &str| {
        let answer = format!(
            r#"[{{"result": {{"response": {{"allowed": true, "patch": "{patch}", "patchType": "{kind}"}}}}}}]"#
        );
        of_opa(answer.as_bytes())
    };
    assert_eq!(
        patched("W10=", "JSONPatch").unwrap().patch.unwrap().base64(),
        "W10="
    );
    accepted(patched("?", "JSONPatch")).unwrap_err();
    assert_eq!(
        accepted(patched("W10=", "MergePatch")).unwrap_err(),
        "at `[0].result.response.patchType`: a patch of type `MergePatch`, where only JSONPatch can be given"
    );
}

#[test]
fn what_opa_policies_do_not_say_is_no_acceptance() {
    let refused = |answer: &str, expected: &Expect| {
        expected.assert_eq(&accepted(of_opa(answer.as_bytes())).unwrap_err())
    };
    refused(
        "[]",
        &expect!["the policy's entrypoint is undefined for this request"],
    );
    refused("[{}]", &expect!["at `[0]`: there is no `result`"]);
    refused(
        r#"[{"result": true}]"#,
        &expect!["at `[0].result.response`: cannot interpret OPA policy result: it has no response"],
    );
    refused(
        r#"[{"result": {"allow": true}}]"#,
        &expect!["at `[0].result.response`: cannot interpret OPA policy result: it has no response"],
    );
    refused(
        r#"[{"result": {"response": {}}}]"#,
        &expect!["at `[0].result.response`: missing field `allowed`"],
    );
    refused(
        r#"[{"result": {"response": {"allowed": "true"}}}]"#,
        &expect![[r#"at `[0].result.response.allowed`: invalid type: string "true", expected a boolean"#]],
    );
    refused(
        r#"[{"result": {"response": true}}]"#,
        &expect!["at `[0].result.response`: this is no object"],
    );
    refused(
        r#"[{"result": {"response": {"allowed": true}}}, {"result": {}}]"#,
        &expect!["the policy's entrypoint gave 2 results"],
    );
    refused(
        "{}",
        &expect!["invalid type: map, expected a sequence at line 1 column 0"],
    );
    refused("", &expect!["EOF while parsing a value at line 1 column 0"]);
}

#[test]
fn gatekeeper_policies_answer_with_violations() {
    let check = |answer: &str| {
        let verdict = of_gatekeeper(answer.as_bytes()).unwrap();
        (verdict.accepted, verdict.message)
    };
    assert_eq!(check(r#"[{"result": []}]"#), (true, None));
    assert_eq!(
        check(r#"[{"result": [{"msg": "a", "details": {}}, {"msg": "b"}]}]"#),
        (false, Some("a, b".into()))
    );
    assert_eq!(
        check(r#"[{"result": [{"msg": 7}, "c", {"msg": null}]}]"#),
        (false, Some("7, c".into()))
    );
    assert_eq!(check(r#"[{"result": [{}]}]"#), (false, None));
    assert_eq!(check(r#"[{"result": [false]}]"#), (false, Some("false".into())));
}

/// A policy whose entrypoint is the package and not its rule answers with all its rules.
#[test]
fn violations_inside_a_package_are_seen() {
    let inside = |violation: &str| {
        of_gatekeeper(format!(r#"[{{"result": {{"violation": {violation}, "helper": true}}}}]"#).as_bytes())
    };
    assert_eq!(accepted(inside("[]")), Ok(true));
    assert_eq!(inside(r#"[{"msg": "a"}]"#).unwrap().message.as_deref(), Some("a"));
    assert_eq!(inside(r#"{"a": true}"#).unwrap().message.as_deref(), Some("a"));
    accepted(inside("null")).unwrap_err();
    accepted(inside("false")).unwrap_err();
}

#[test]
fn what_are_no_violations_are_no_acceptance() {
    let refused = |answer: &str, expected: &Expect| {
        expected.assert_eq(&accepted(of_gatekeeper(answer.as_bytes())).unwrap_err())
    };
    refused(
        "[]",
        &expect!["the policy's entrypoint is undefined for this request"],
    );
    refused(
        r#"[{"result": {"allow": true, "deny": []}}]"#,
        &expect![
            "at `[0].result`: an object with the rules allow, deny, where the violations are expected: name the entrypoint of the rule `violation`"
        ],
    );
    refused(
        r#"[{"result": {}}]"#,
        &expect![
            "at `[0].result`: an object with no rule `violation`, where the violations are expected: name the entrypoint of the rule `violation`"
        ],
    );
    refused(
        r#"[{"result": true}]"#,
        &expect![
            "at `[0].result`: `true`, where the violations are expected: name the entrypoint of the rule `violation`"
        ],
    );
    refused(
        r#"[{"result": null}]"#,
        &expect![
            "at `[0].result`: `null`, where the violations are expected: name the entrypoint of the rule `violation`"
        ],
    );
    refused(
        r#"[{"violation": []}]"#,
        &expect!["at `[0]`: there is no `result`"],
    );
    refused(
        "null",
        &expect!["invalid type: null, expected a sequence at line 1 column 4"],
    );
}
