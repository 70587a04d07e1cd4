use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

fn decoded(namespace: &str, operation: &str, payload: &str, expected: &Expect) {
    let request = CapabilityRequest::decode(namespace, operation, payload.as_bytes()).unwrap();
    assert!(OPERATIONS.contains(&(namespace, operation)));
    expected.assert_eq(&serde_json::to_string(&request).unwrap());
}

fn refused(namespace: &str, operation: &str, payload: &str, expected: &Expect) {
    let error = CapabilityRequest::decode(namespace, operation, payload.as_bytes()).unwrap_err();
    expected.assert_eq(&error.to_string());
}

#[test]
fn requests_of_kubernetes_are_decoded() {
    decoded(
        "kubernetes",
        "list_resources_by_namespace",
        r#"{"api_version":"v1","kind":"Pod","namespace":"shop","label_selector":"a=b","field_selector":null,"field_masks":["spec.nodeName","status"]}"#,
        &expect![[
            r#"{"KubernetesListResourceNamespace":{"api_version":"v1","kind":"Pod","namespace":"shop","label_selector":"a=b","field_selector":null,"field_masks":["spec.nodeName","status"]}}"#
        ]],
    );
    decoded(
        "kubernetes",
        "list_resources_all",
        r#"{"api_version":"apps/v1","kind":"Deployment"}"#,
        &expect![[
            r#"{"KubernetesListResourceAll":{"api_version":"apps/v1","kind":"Deployment","label_selector":null,"field_selector":null,"field_masks":null}}"#
        ]],
    );
    decoded(
        "kubernetes",
        "get_resource",
        r#"{"api_version":"v1","kind":"Namespace","name":"shop","namespace":null,"disable_cache":true}"#,
        &expect![[
            r#"{"KubernetesGetResource":{"api_version":"v1","kind":"Namespace","name":"shop","namespace":null,"disable_cache":true,"field_masks":null}}"#
        ]],
    );
    decoded(
        "kubernetes",
        "can_i",
        r#"{"subject_access_review":{"groups":null,"resource_attributes":{"group":null,"name":null,"namespace":"shop","resource":"pods","subresource":null,"verb":"create","version":null},"user":"jane"},"disable_cache":false}"#,
        &expect![[
            r#"{"KubernetesCanI":{"request":{"groups":null,"resource_attributes":{"group":null,"name":null,"namespace":"shop","resource":"pods","subresource":null,"verb":"create","version":null},"user":"jane"},"disable_cache":false}}"#
        ]],
    );
}

#[test]
fn requests_about_images_are_decoded() {
    for operation in ["v1/manifest_digest", "v1/oci_manifest", "v1/oci_manifest_config"] {
        let request = CapabilityRequest::decode("oci", operation, br#""registry/app:1""#).unwrap();
        assert_eq!(request.path(), format!("oci/{operation}"));
    }
    decoded(
        "oci",
        "v1/verify",
        r#"{"SigstorePubKeyVerify":{"image":"i","pub_keys":["k"],"annotations":{"a":"b"}}}"#,
        &expect![[r#"{"SigstorePubKeyVerify":{"image":"i","pub_keys":["k"],"annotations":{"a":"b"}}}"#]],
    );
    decoded(
        "oci",
        "v1/verify",
        r#"{"SigstoreKeylessVerify":{"image":"i","keyless":[{"issuer":"x","subject":"y"}],"annotations":null}}"#,
        &expect![[
            r#"{"SigstoreKeylessVerify":{"image":"i","keyless":[{"issuer":"x","subject":"y"}],"annotations":null}}"#
        ]],
    );
    decoded(
        "oci",
        "v2/verify",
        r#"{"type":"SigstorePubKeyVerify","image":"i","pub_keys":[]}"#,
        &expect![[r#"{"SigstorePubKeyVerify":{"image":"i","pub_keys":[],"annotations":null}}"#]],
    );
    decoded(
        "oci",
        "v2/verify",
        r#"{"type":"SigstoreKeylessVerify","image":"i","keyless":[],"annotations":null}"#,
        &expect![[r#"{"SigstoreKeylessVerify":{"image":"i","keyless":[],"annotations":null}}"#]],
    );
    decoded(
        "oci",
        "v2/verify",
        r#"{"type":"SigstoreKeylessPrefixVerify","image":"i","keyless_prefix":[{"issuer":"x","url_prefix":"https://y/"}]}"#,
        &expect![[
            r#"{"SigstoreKeylessPrefixVerify":{"image":"i","keyless_prefix":[{"issuer":"x","url_prefix":"https://y/"}],"annotations":null}}"#
        ]],
    );
    decoded(
        "oci",
        "v2/verify",
        r#"{"type":"SigstoreGithubActionsVerify","image":"i","owner":"o","repo":null,"annotations":null}"#,
        &expect![[
            r#"{"SigstoreGithubActionsVerify":{"image":"i","owner":"o","repo":null,"annotations":null}}"#
        ]],
    );
    decoded(
        "oci",
        "v2/verify",
        r#"{"type":"SigstoreCertificateVerify","image":"i","certificate":[45,45],"certificate_chain":[[1]],"require_rekor_bundle":true}"#,
        &expect![[
            r#"{"SigstoreCertificateVerify":{"image":"i","certificate":[45,45],"certificate_chain":[[1]],"require_rekor_bundle":true,"annotations":null}}"#
        ]],
    );
}

#[test]
fn requests_about_hosts_and_certificates_are_decoded() {
    decoded(
        "net",
        "v1/dns_lookup_host",
        r#""example.org""#,
        &expect![[r#"{"DNSLookupHost":{"host":"example.org"}}"#]],
    );
    decoded(
        "crypto",
        "v1/is_certificate_trusted",
        r#"{"cert":{"encoding":"Pem","data":[1]},"cert_chain":[{"encoding":"Der","data":[2]}],"not_after":""}"#,
        &expect![[
            r#"{"CryptoIsCertificateTrusted":{"request":{"cert":{"encoding":"Pem","data":[1]},"cert_chain":[{"encoding":"Der","data":[2]}],"not_after":null}}}"#
        ]],
    );
}

#[test]
fn every_operation_is_decoded() {
    for (namespace, operation) in OPERATIONS {
        let error = CapabilityRequest::decode(namespace, operation, b"").unwrap_err();
        assert!(
            matches!(&error, UnreadableCapability::Payload { path, .. } if *path == format!("{namespace}/{operation}")),
            "{error}"
        );
    }
    assert!(OPERATIONS.is_sorted());
}

#[test]
fn what_is_no_request_is_told() {
    refused("future", "v1/x", "{}", &expect!["unknown namespace: future"]);
    refused("oci", "v3/verify", "{}", &expect!["unknown operation: v3/verify"]);
    refused("tracing", "trace", "{}", &expect!["unknown operation: trace"]);
    refused(
        "kubernetes",
        "get_resource",
        r#"{"api_version":"v1","kind":"Pod"}"#,
        &expect![
            "the payload of kubernetes/get_resource cannot be read: missing field `name` at line 1 column 33"
        ],
    );
    refused(
        "kubernetes",
        "can_i",
        r#"{"subject_access_review":{"user":7}}"#,
        &expect![
            "the payload of kubernetes/can_i cannot be read: at `subject_access_review.user`: invalid type: integer `7`, expected a string at line 1 column 34"
        ],
    );
    refused(
        "oci",
        "v1/verify",
        r#"{"SigstoreGithubActionsVerify":{}}"#,
        &expect![
            "the payload of oci/v1/verify cannot be read: unknown variant `SigstoreGithubActionsVerify`, expected `SigstorePubKeyVerify` or `SigstoreKeylessVerify` at line 1 column 30"
        ],
    );
    refused(
        "oci",
        "v2/verify",
        r#"{"type":"Sigstore"}"#,
        &expect![
            "the payload of oci/v2/verify cannot be read: at `type`: unknown variant `Sigstore`, expected one of `SigstorePubKeyVerify`, `SigstoreKeylessVerify`, `SigstoreKeylessPrefixVerify`, `SigstoreGithubActionsVerify`, `SigstoreCertificateVerify` at line 1 column 18"
        ],
    );
    refused(
        "oci",
        "v2/verify",
        r#"{"image":"i"}"#,
        &expect!["the payload of oci/v2/verify cannot be read: missing field `type` at line 1 column 13"],
    );
    refused(
        "net",
        "v1/dns_lookup_host",
        "example.org",
        &expect!["the payload of net/v1/dns_lookup_host cannot be read: expected value at line 1 column 1"],
    );
    refused(
        "crypto",
        "v1/is_certificate_trusted",
        r#"{"cert":{"encoding":"pem","data":[256]}}"#,
        &expect![
            "the payload of crypto/v1/is_certificate_trusted cannot be read: at `cert.encoding`: unknown variant `pem`, expected `Der` or `Pem` at line 1 column 25"
        ],
    );
    refused(
        "oci",
        "v1/oci_manifest",
        &"[".repeat(100_000),
        &expect![
            "the payload of oci/v1/oci_manifest cannot be read: invalid type: sequence, expected a string at line 1 column 0"
        ],
    );
}

#[test]
fn answers_are_the_json_that_policies_read() {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let trusted = VerificationAnswer {
        is_trusted: true,
        digest: "sha256:1".into(),
    };
    expect![[r#"{"is_trusted":true,"digest":"sha256:1"}"#]].assert_eq(&text(trusted.encode()));
    expect![[r#"{"digest":"sha256:1"}"#]].assert_eq(&text(
        DigestAnswer {
            digest: "sha256:1".into(),
        }
        .encode(),
    ));
    expect![[r#"{"ips":["::1"]}"#]].assert_eq(&text(
        LookupAnswer {
            ips: vec!["::1".into()],
        }
        .encode(),
    ));
    let certificate = CertificateAnswer {
        trusted: false,
        reason: "expired".into(),
    };
    expect![[r#"{"trusted":false,"reason":"expired"}"#]].assert_eq(&text(certificate.encode()));
    let image = ManifestAndConfigAnswer {
        manifest: json!({"layers": []}),
        digest: "sha256:1".into(),
        config: json!({"os": "linux"}),
    };
    expect![[r#"{"manifest":{"layers":[]},"digest":"sha256:1","config":{"os":"linux"}}"#]]
        .assert_eq(&text(image.encode()));
    let access = AccessAnswer {
        allowed: true,
        evaluation_error: Some("half".into()),
        ..AccessAnswer::default()
    };
    expect![[r#"{"allowed":true,"evaluationError":"half"}"#]].assert_eq(&text(access.encode()));
}

fn allowed(patterns: &[&str]) -> Vec<String> {
    let patterns = CapabilityPatterns::parse(patterns).unwrap();
    OPERATIONS
        .iter()
        .map(|(namespace, operation)| format!("{namespace}/{operation}"))
        .filter(|path| patterns.allow(path))
        .collect()
}

#[test]
fn patterns_allow_what_they_name() {
    assert_eq!(allowed(&[]), [""; 0]);
    assert_eq!(allowed(&["*"]).len(), OPERATIONS.len());
    assert_eq!(allowed(&["oci/*"]).len(), 5);
    assert_eq!(allowed(&["oci/v2/*"]), ["oci/v2/verify"]);
    assert_eq!(
        allowed(&[" oci/v1/verify ", "net/*"]),
        ["net/v1/dns_lookup_host", "oci/v1/verify"]
    );
    assert_eq!(allowed(&["kubernetes/can_i", "*"]).len(), OPERATIONS.len());

    let patterns = CapabilityPatterns::parse(["oci/*", "kubernetes/can_i"]).unwrap();
    assert!(!patterns.allow("kubernetes/can_i/else") && !patterns.allow("ocix") && !patterns.allow(""));
    assert_eq!(patterns.to_string(), "[oci/*, kubernetes/can_i]");
    assert_eq!(CapabilityPatterns::default().to_string(), "[]");
    assert_eq!(CapabilityPatterns::all().to_string(), "[*]");
}

#[test]
fn patterns_that_name_nothing_are_refused() {
    for (pattern, expected) in [
        ("", expect!["a host capability's pattern is empty"]),
        (
            "oci*",
            expect![
                "`oci*` is no pattern of host capabilities: a `*` stands for all of the last part, as in `oci/*`"
            ],
        ),
        (
            "oci/v1/oci_*",
            expect![
                "`oci/v1/oci_*` is no pattern of host capabilities: a `*` stands for all of the last part, as in `oci/*`"
            ],
        ),
        (
            "*/verify",
            expect![
                "`*/verify` is no pattern of host capabilities: a `*` stands for all of the last part, as in `oci/*`"
            ],
        ),
        (
            "oci/*/*",
            expect![
                "`oci/*/*` is no pattern of host capabilities: a `*` stands for all of the last part, as in `oci/*`"
            ],
        ),
        (
            "oci",
            expect![
                "`oci` names no host capability: there are oci/*, oci/v1/manifest_digest, oci/v1/oci_manifest, oci/v1/oci_manifest_config, oci/v1/verify, oci/v2/verify"
            ],
        ),
        (
            "oci/v1",
            expect![
                "`oci/v1` names no host capability: there are oci/*, oci/v1/manifest_digest, oci/v1/oci_manifest, oci/v1/oci_manifest_config, oci/v1/verify, oci/v2/verify"
            ],
        ),
        (
            "oci/v9/*",
            expect![
                "`oci/v9/*` names no host capability: there are oci/*, oci/v1/manifest_digest, oci/v1/oci_manifest, oci/v1/oci_manifest_config, oci/v1/verify, oci/v2/verify"
            ],
        ),
        (
            "kubernetes/get_resources",
            expect![
                "`kubernetes/get_resources` names no host capability: there are kubernetes/*, kubernetes/can_i, kubernetes/get_resource, kubernetes/list_resources_all, kubernetes/list_resources_by_namespace"
            ],
        ),
        (
            "tracing/log",
            expect![
                "`tracing/log` names no host capability: there are crypto/*, kubernetes/*, net/* and oci/*"
            ],
        ),
        (
            "/*",
            expect!["`/*` names no host capability: there are crypto/*, kubernetes/*, net/* and oci/*"],
        ),
    ] {
        expected.assert_eq(&CapabilityPatterns::parse(["*", pattern]).unwrap_err().to_string());
    }
}

fn pruned(paths: &[&str], object: Value) -> Value {
    let mut object = object;
    FieldMask::new(paths.iter().copied())
        .unwrap()
        .prune_object(&mut object);
    object
}

#[test]
fn masks_keep_the_fields_that_they_name() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "uid": "1"},
        "spec": {"nodeName": "n", "containers": [{"name": "a", "image": "x"}, {"name": "b"}, 7]},
        "status": {"phase": "Running"}
    });
    let kept = |spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "uid": "1"}, "spec": spec});
    assert_eq!(
        pruned(&["spec.containers.image"], pod.clone()),
        kept(json!({"containers": [{"image": "x"}, {}, 7]}))
    );
    assert_eq!(
        pruned(&["spec.nodeName", "metadata.name"], pod.clone()),
        kept(json!({"nodeName": "n"}))
    );
    assert_eq!(
        pruned(&["spec.nodeName", "spec", "spec.nodeName.deeper"], pod.clone()),
        kept(pod["spec"].clone())
    );
    assert_eq!(pruned(&["nothing"], pod.clone())["spec"], Value::Null);
    assert_eq!(pruned(&[], pod.clone()), pod);
    assert_eq!(pruned(&["a"], json!([1])), json!([1]));
}

#[test]
fn masks_reach_each_object_of_a_list() {
    let mask = FieldMask::new(["status"]).unwrap();
    let mut list = json!({"kind": "PodList", "metadata": {}, "items": [{"spec": 1, "status": 2}, 3]});
    mask.prune_list(&mut list);
    assert_eq!(
        list,
        json!({"kind": "PodList", "metadata": {}, "items": [{"status": 2}, 3]})
    );
    let mut strange = json!({"items": {"a": 1}});
    mask.prune_list(&mut strange);
    assert_eq!(strange, json!({"items": {"a": 1}}));
}

#[test]
fn masks_that_no_object_has_are_refused() {
    let deep = "a.".repeat(1_000_000);
    let mask = |path: &str| FieldMask::new([path]).unwrap_err().to_string();
    assert_eq!(
        mask(&deep),
        "the field masks have 2000000 bytes, and at most 65536 are taken"
    );
    assert_eq!(
        mask(&"a.".repeat(100)),
        "a field mask has 101 parts, and at most 32 are taken"
    );
}

#[test]
fn nobody_answers_where_there_are_no_capabilities() {
    let request = CapabilityRequest::DnsLookupHost { host: "h".into() };
    let deadline = Deadline::after(std::time::Duration::from_secs(60));
    assert_eq!(
        ().call(&request, deadline).unwrap_err().to_string(),
        "this host does not offer net/v1/dns_lookup_host"
    );
}
