use std::time::Duration;

use expect_test::expect;

use super::*;

fn json(response: AdmissionResponse) -> String {
    serde_json::to_string(&AdmissionReviewResponse::new(response)).unwrap()
}

#[test]
fn answers_are_the_json_that_the_api_server_reads() {
    expect![[r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u-1","allowed":true}}"#]].assert_eq(&json(AdmissionResponse::accepted("u-1")));
    expect![[r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u-1","allowed":false,"status":{"message":"no","code":403}}}"#]].assert_eq(&json(AdmissionResponse::rejected("u-1", "no", Some(403))));
    let full = AdmissionResponse {
        uid: "u-1".into(),
        allowed: true,
        patch: Some(JsonPatch::of_base64("W10=".into())),
        status: None,
        audit_annotations: Some([("a".to_owned(), "b".to_owned())].into()),
        warnings: Some(vec!["careful".into()]),
    };
    expect![[r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u-1","allowed":true,"patchType":"JSONPatch","patch":"W10=","auditAnnotations":{"a":"b"},"warnings":["careful"]}}"#]].assert_eq(&json(full));
}

#[test]
fn raw_answers_have_no_kind() {
    let response = RawReviewResponse {
        response: AdmissionResponse::accepted(""),
    };
    expect![[r#"{"response":{"uid":"","allowed":true}}"#]]
        .assert_eq(&serde_json::to_string(&response).unwrap());
}

#[test]
fn a_fault_is_code_500_with_the_policys_name() {
    let fault = PolicyFault::Timeout {
        allowed: Duration::from_secs(2),
    };
    expect![[r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u-1","allowed":false,"status":{"message":"Policy execution interrupted because it exceeded the allowed execution time","details":{"causes":[{"reason":"InternalError","message":"policy no-root: deadline"}]},"code":500}}}"#]].assert_eq(&json(AdmissionResponse::of_fault("u-1", "no-root", &fault)));
}
