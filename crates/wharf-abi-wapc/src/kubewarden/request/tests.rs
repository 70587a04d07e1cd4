use expect_test::{Expect, expect};

use super::*;

/// A review as the API server sends it, with what a test puts in its place.
fn review(request: &str) -> String {
    format!(r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{request}}}"#)
}

const DELETION: &str = r#"{"uid":"u-1","kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"name":"web","namespace":"shop","operation":"DELETE","userInfo":{"username":"jane","groups":["dev"],"extra":{"a":["b"]}},"object":null,"oldObject":{"apiVersion":"v1","big":12345678901234567890123},"dryRun":false,"options":null}"#;

fn refused(body: &str, expected: &Expect) {
    expected.assert_eq(
        &AdmissionRequest::of_review(body.as_bytes())
            .unwrap_err()
            .to_string(),
    );
}

#[test]
fn what_names_the_request_is_decoded_and_the_rest_is_kept() {
    let request = AdmissionRequest::of_review(review(DELETION).as_bytes()).unwrap();
    assert_eq!(
        (request.uid.as_str(), request.operation.as_str()),
        ("u-1", "DELETE")
    );
    assert_eq!(
        (request.kind.kind.as_str(), request.resource.resource.as_str()),
        ("Pod", "pods")
    );
    assert_eq!(request.name.as_deref(), Some("web"));
    assert_eq!(request.namespace.as_deref(), Some("shop"));
    assert_eq!(request.user.username.as_deref(), Some("jane"));
    assert_eq!(request.object().unwrap(), None);
    assert!(!request.dry_run);

    // Fields that are null are left out, numbers are not rounded, and nothing else is touched.
    let without_nulls = DELETION
        .replace(r#""object":null,"#, "")
        .replace(r#","options":null"#, "");
    assert_eq!(ReviewRequest::Admission(Box::new(request)).json(), without_nulls);
}

#[test]
fn a_request_without_nulls_stays_as_it_is_spaces_included() {
    let spaced = r#"{ "uid" : "u" , "kind":{"group":"g","version":"v","kind":"K"}, "future": [1, 2.50],
        "resource":{"group":"g","version":"v","resource":"ks"}, "operation":"CREATE", "userInfo":{}, "object": {"a": null} }"#;
    let request = AdmissionRequest::of_review(review(spaced).as_bytes()).unwrap();
    assert_eq!(request.object().unwrap(), Some(serde_json::json!({"a": null})));
    assert_eq!(ReviewRequest::Admission(Box::new(request)).json(), spaced);
}

#[test]
fn reviews_of_scanners_have_no_version() {
    let body = format!(r#"{{"request":{DELETION}}}"#);
    assert_eq!(AdmissionRequest::of_review(body.as_bytes()).unwrap().uid, "u-1");
}

#[test]
fn what_is_missing_or_wrong_is_told_with_its_place() {
    let without = |field: &str| {
        let mut request: serde_json::Map<String, Value> = serde_json::from_str(DELETION).unwrap();
        request.remove(field);
        review(&Value::Object(request).to_string())
    };
    refused(
        &without("uid"),
        &expect!["this is no AdmissionReview: at `request`: missing field `uid` at line 1 column 403"],
    );
    refused(
        &without("kind"),
        &expect!["this is no AdmissionReview: at `request`: missing field `kind` at line 1 column 367"],
    );
    refused(
        &without("resource"),
        &expect!["this is no AdmissionReview: at `request`: missing field `resource` at line 1 column 358"],
    );
    refused(
        &without("operation"),
        &expect!["this is no AdmissionReview: at `request`: missing field `operation` at line 1 column 394"],
    );
    refused(
        &without("userInfo"),
        &expect!["this is no AdmissionReview: at `request`: missing field `userInfo` at line 1 column 347"],
    );
    refused(
        &review(&DELETION.replace(r#""uid":"u-1""#, r#""uid":7"#)),
        &expect![
            "this is no AdmissionReview: at `request.uid`: invalid type: integer `7`, expected a string at line 1 column 79"
        ],
    );
    refused(
        &review(&DELETION.replace(r#""version":"v1","#, "")),
        &expect![
            "this is no AdmissionReview: at `request.kind`: missing field `version` at line 1 column 116"
        ],
    );
    refused(
        &review(&DELETION.replace(r#"{"uid""#, r#"{"uid":"x","uid""#)),
        &expect!["this is no AdmissionReview: at `request`: duplicate field `uid` at line 1 column 87"],
    );
    refused(
        &review("null"),
        &expect!["at `request`: the AdmissionReview has no request"],
    );
    refused(
        &review("[]"),
        &expect![
            "this is no AdmissionReview: at `request`: invalid length 0, expected an object at line 1 column 73"
        ],
    );
    refused("{}", &expect!["at `request`: the AdmissionReview has no request"]);
    refused("[]", &expect!["this is no AdmissionReview: this is no object"]);
    refused(
        "",
        &expect!["this is no AdmissionReview: EOF while parsing a value at line 1 column 0"],
    );
    refused(
        "{\"request\": ",
        &expect!["this is no AdmissionReview: at `request`: EOF while parsing a value at line 1 column 12"],
    );
}

#[test]
fn other_versions_and_kinds_are_named() {
    let other = |from: &str, to: &str| review(DELETION).replace(from, to);
    refused(
        &other("admission.k8s.io/v1", "admission.k8s.io/v1beta1"),
        &expect![
            "this is an AdmissionReview of admission.k8s.io/v1beta1, and only admission.k8s.io/v1 is answered: name v1 in the webhook's `admissionReviewVersions`"
        ],
    );
    refused(
        &other("AdmissionReview", "ConversionReview"),
        &expect!["this is a ConversionReview, and only an AdmissionReview can be answered"],
    );
    refused(
        r#"{"kind":"Pod","apiVersion":"v1","request":7}"#,
        &expect!["this is a Pod, and only an AdmissionReview can be answered"],
    );
}

#[test]
fn duplicate_fields_are_refused_where_they_would_be_read_in_two_ways() {
    let twice = DELETION.replace(r#""object":null"#, r#""object":{"a":1},"object":{"a":2}"#);
    let request = AdmissionRequest::of_review(review(&twice).as_bytes()).unwrap();
    assert_eq!(
        request.object().unwrap_err().to_string(),
        "duplicate field `object` at line 1 column 264"
    );
}

#[test]
fn an_object_that_is_nested_too_deeply_is_an_error_when_it_is_looked_at() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = review(&DELETION.replace(r#""object":null"#, &format!(r#""object":{deep}"#)));
    let request = AdmissionRequest::of_review(body.as_bytes()).unwrap();
    let problem = request.object().unwrap_err();
    assert!(
        problem.path.starts_with("object[0][0]") && problem.path.len() < 600,
        "{problem}"
    );
    assert!(
        problem.reason.starts_with("recursion limit exceeded"),
        "{problem}"
    );
}

#[test]
fn raw_requests_are_any_json() {
    for (body, json, uid) in [
        (
            r#"{"request": {"uid": "u", "a": 1.0}}"#,
            r#"{"uid": "u", "a": 1.0}"#,
            "u",
        ),
        (r#"{"request": {"uid": 7}}"#, r#"{"uid": 7}"#, ""),
        (r#"{"request": [1]}"#, "[1]", ""),
        (r#"{"request": null}"#, "null", ""),
        (r#"{"request": "x", "other": 1}"#, r#""x""#, ""),
    ] {
        let request = ReviewRequest::Raw(RawRequest::of_review(body.as_bytes()).unwrap());
        assert_eq!((request.json(), request.uid()), (json, uid));
        assert_eq!(
            request.original().unwrap(),
            Some(serde_json::from_str(json).unwrap())
        );
    }
    for (body, expected) in [
        (
            "{}",
            expect![
                "this is no raw review, which is an object with a `request`: missing field `request` at line 1 column 2"
            ],
        ),
        (
            "[",
            expect![
                "this is no raw review, which is an object with a `request`: EOF while parsing a list at line 1 column 1"
            ],
        ),
        (
            "",
            expect![
                "this is no raw review, which is an object with a `request`: EOF while parsing a value at line 1 column 0"
            ],
        ),
    ] {
        expected.assert_eq(&RawRequest::of_review(body.as_bytes()).unwrap_err().to_string());
    }
}

#[test]
fn both_ways_of_reading_give_the_same() {
    let requests = [
        DELETION.to_owned(),
        DELETION.replace(r#""object":null,"#, ""),
        DELETION.replace(r#""uid""#, "\"\\u0075id\""),
        DELETION.replace(r#""oldObject""#, "\"old\\u004fbject\""),
        DELETION.replace(r#""dryRun":false"#, r#""dryRun":null"#),
        DELETION.replace(r#""userInfo":{"#, r#""userInfo":{"future":{"uid":[]},"#),
        DELETION.replace(
            r#""name":"web""#,
            r#""requestKind":null,"subResource":"status","name":"\u00e4\n""#,
        ),
        DELETION.replace(',', " ,\n ").replace(':', "\t: "),
        DELETION.replace(r#""object":null"#, r#""object":{"uid":1},"object":2"#),
    ];
    for request in requests {
        let body = review(&request);
        let any = AdmissionRequest::of_any_review(body.as_bytes()).unwrap();
        if let Some(good) = AdmissionRequest::of_good_review(body.as_bytes()) {
            assert_eq!(format!("{good:?}"), format!("{any:?}"), "{request}");
        } else {
            assert!(request.contains("\\u00"), "{request}");
        }
    }
}

#[test]
fn what_one_way_of_reading_takes_the_other_does_too() {
    let good = review(DELETION);
    let mut taken = 0;
    for at in 0..good.len() {
        for byte in [b'"', b'{', b'}', b'[', b',', b'0', b'u', b'\\', 0xff] {
            let mut body = good.clone().into_bytes();
            body[at] = byte;
            let Some(request) = AdmissionRequest::of_good_review(&body) else {
                continue;
            };
            let any = AdmissionRequest::of_any_review(&body).unwrap();
            assert_eq!(format!("{request:?}"), format!("{any:?}"));
            taken += 1;
        }
    }
    assert!(taken > 100, "{taken}");
}
