use wharf_signature::{IdentityPattern, PublicKey, SignerPattern, SubjectPattern};

use super::answers::Question as _;
use super::*;

const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVxA2VSO+cLTJVngJ8Fx6/FgTRQxr
f5Olz3urKKmj3l93C26j/00t2NvfJ7nUvhkfQB4o1cI/C5z8kzREif9dsQ==
-----END PUBLIC KEY-----
";

/// What a policy asks, as it comes from the guest.
fn inquiry(operation: &str, payload: &str) -> Inquiry {
    let request = CapabilityRequest::decode("oci", operation, payload.as_bytes()).unwrap();
    Inquiry::of(&request).unwrap()
}

/// The signers of the rule, each of whom is needed, as they are told, with their annotations.
fn signers(operation: &str, payload: &str) -> Vec<(String, Vec<String>)> {
    let rule = inquiry(operation, payload).rule().unwrap();
    assert!(rule.annotations.is_empty());
    let groups = rule.groups.iter().map(|group| {
        assert_eq!((group.require, group.signers.len()), (1, 1));
        let wanted = &group.signers[0];
        let pairs = wanted.annotations.iter();
        let pairs = pairs.map(|(name, value)| format!("{name}={value}"));
        (wanted.signer.to_string(), pairs.collect())
    });
    groups.collect()
}

fn problem(payload: &str) -> String {
    let error = inquiry("v2/verify", payload).rule().unwrap_err();
    AskError::from(error).to_string()
}

fn pem() -> String {
    // As it stands in JSON.
    KEY.replace('\n', "\\n")
}

#[test]
fn each_key_is_needed_with_the_annotations() {
    let fingerprint = PublicKey::from_pem(KEY).unwrap().fingerprint();
    let expected = (
        format!("key {fingerprint}"),
        vec!["env=prod".to_owned(), "stable=true".to_owned()],
    );
    let pem = pem();
    let asked = format!(
        r#""image":"ghcr.io/acme/app:1","pub_keys":["{pem}","{pem}"],"annotations":{{"env":"prod","stable":"true"}}"#
    );
    let first = format!(r#"{{"SigstorePubKeyVerify":{{{asked}}}}}"#);
    assert_eq!(signers("v1/verify", &first), [expected.clone(), expected.clone()]);
    let second = format!(r#"{{"type":"SigstorePubKeyVerify",{asked}}}"#);
    assert_eq!(signers("v2/verify", &second), [expected.clone(), expected]);
    assert_eq!(inquiry("v1/verify", &first), inquiry("v2/verify", &second));
}

#[test]
fn each_identity_is_needed_as_it_is() {
    let asked = r#""image":"i","keyless":[{"issuer":"https://issuer.example","subject":"mail@acme.example"},{"issuer":"x","subject":"y"}],"annotations":null"#;
    let expected = [
        ("mail@acme.example (by https://issuer.example)".to_owned(), vec![]),
        ("y (by x)".to_owned(), vec![]),
    ];
    let first = format!(r#"{{"SigstoreKeylessVerify":{{{asked}}}}}"#);
    assert_eq!(signers("v1/verify", &first), expected);
    let second = format!(r#"{{"type":"SigstoreKeylessVerify",{asked}}}"#);
    assert_eq!(signers("v2/verify", &second), expected);
}

#[test]
fn a_prefix_ends_where_a_name_does() {
    let rule = |prefix: &str| {
        let payload = format!(
            r#"{{"type":"SigstoreKeylessPrefixVerify","image":"i","keyless_prefix":[{{"issuer":"x","url_prefix":"{prefix}"}}],"annotations":null}}"#
        );
        inquiry("v2/verify", &payload).rule()
    };
    for given in ["https://github.com/acme", "https://github.com/acme/"] {
        let wanted = rule(given).unwrap().groups[0].signers[0].signer.clone();
        assert_eq!(
            wanted,
            SignerPattern::Identity(IdentityPattern::Subject {
                issuer: "x".to_owned(),
                subject: SubjectPattern::Prefix("https://github.com/acme/".to_owned()),
            })
        );
    }
    // Whoever begins with one of these is anybody.
    for given in [
        "",
        "https:",
        "https://",
        "https:///",
        "h",
        "/",
        "acme",
        "git hub://x",
        "https://:80",
    ] {
        let error = rule(given).unwrap_err();
        assert!(matches!(error, SignerError::BadPrefix { .. }), "{given}: {error}");
    }
}

#[test]
fn a_workflow_is_that_of_an_owner_or_of_a_repository() {
    let asked = |more: &str| {
        let payload = format!(
            r#"{{"type":"SigstoreGithubActionsVerify","image":"i","owner":"acme"{more},"annotations":{{"a":"b"}}}}"#
        );
        signers("v2/verify", &payload)
    };
    let annotations = vec!["a=b".to_owned()];
    let any = [("workflows of github.com/acme".to_owned(), annotations.clone())];
    assert_eq!(asked(r#","repo":null"#), any);
    assert_eq!(asked(""), any);
    assert_eq!(
        asked(r#","repo":"app""#),
        [("workflows of github.com/acme/app".to_owned(), annotations)]
    );
}

#[test]
fn a_certificate_is_nothing_that_is_asked_here() {
    let payload = br#"{"type":"SigstoreCertificateVerify","image":"i","certificate":[45,45],"certificate_chain":[[45]],"require_rekor_bundle":true,"annotations":null}"#;
    let request = CapabilityRequest::decode("oci", "v2/verify", payload).unwrap();
    assert_eq!(Inquiry::of(&request), None);
}

#[test]
fn what_is_no_rule_is_told() {
    let keys = |keys: &str| format!(r#"{{"type":"SigstorePubKeyVerify","image":"i","pub_keys":[{keys}]}}"#);
    assert_eq!(problem(&keys("")), "Must provide at least one pub key");
    assert_eq!(
        problem(r#"{"type":"SigstoreKeylessVerify","image":"i","keyless":[]}"#),
        "Must provide keyless info"
    );
    assert_eq!(
        problem(r#"{"type":"SigstoreKeylessPrefixVerify","image":"i","keyless_prefix":[]}"#),
        "Must provide keyless info"
    );
    assert_eq!(
        problem(r#"{"type":"SigstoreGithubActionsVerify","image":"i","owner":""}"#),
        "Must provide owner info"
    );
    assert_eq!(
        problem(&keys(&format!(r#""{}","nothing""#, pem()))),
        "the public key 2 of 2 cannot be used: this is no PEM: a public key begins with `-----BEGIN PUBLIC KEY-----`"
    );
    let many = vec![r#""k""#; 65].join(",");
    assert_eq!(problem(&keys(&many)), "65 signers are named, and the most is 64");
}

#[test]
fn images_are_named_as_elsewhere_and_as_policies_are() {
    let named = |image: &str| {
        let payload = format!(r#"{{"type":"SigstorePubKeyVerify","image":"{image}","pub_keys":[]}}"#);
        inquiry("v2/verify", &payload).image()
    };
    let expected: ImageReference = "ghcr.io/acme/app:1".parse().unwrap();
    assert_eq!(named("ghcr.io/acme/app:1").unwrap(), expected);
    assert_eq!(named("registry://ghcr.io/acme/app:1").unwrap(), expected);
    assert!(matches!(named("Not An Image"), Err(AskError::Image(_))));
}

#[test]
fn an_inquiry_weighs_what_the_guest_wrote() {
    let asked = |payload: &str| inquiry("v2/verify", payload).bytes();
    assert_eq!(
        asked(
            r#"{"type":"SigstorePubKeyVerify","image":"12","pub_keys":["345","6"],"annotations":{"78":"9"}}"#
        ),
        9
    );
    assert_eq!(
        asked(r#"{"type":"SigstoreKeylessVerify","image":"12","keyless":[{"issuer":"3","subject":"4"}]}"#),
        4
    );
    assert_eq!(
        asked(
            r#"{"type":"SigstoreKeylessPrefixVerify","image":"","keyless_prefix":[{"issuer":"1","url_prefix":"23"}]}"#
        ),
        3
    );
    assert_eq!(
        asked(r#"{"type":"SigstoreGithubActionsVerify","image":"1","owner":"2","repo":"34"}"#),
        4
    );
}
