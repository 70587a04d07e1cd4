//! One policy of trust decides for every command.

use super::{FILTER, Harbour, OTHER_FILTER, POLICY, harbour};

const RULES: &str = "trust:\n  rules:\n    - { references: [ \"oci:HOST/plugins/**\" ], signatures: [ { key: platform.pub } ] }\n    \
                     - { references: [ \"file:**\" ], allow: unsigned }\n";

fn trusting(sections: &str) -> Harbour {
    let harbour = harbour();
    harbour.keys("platform");
    harbour.keys("stranger");
    harbour.configure(&format!("{RULES}{sections}"))
}

const SERVING: &str = "plugins: { greet: { source: \"oci:HOST/plugins/greet:1\" } }\n\
    proxy:\n  listeners: [ { name: web, bind: \"127.0.0.1:0\", routes: [ { match: { pathPrefix: / }, filters: [ { plugin: greet } ], upstream: app } ] } ]\n  \
    upstreams: { app: { endpoints: [ \"127.0.0.1:9\" ] } }\n";

#[test]
fn what_nobody_signed_runs_nowhere() {
    let harbour = trusting(SERVING);
    harbour.good(&["push", FILTER, "HOST/plugins/greet:1"]);
    for arguments in [
        ["pull", "HOST/plugins/greet:1"].as_slice(),
        &["check"],
        &["serve"],
        &["inspect", "oci:HOST/plugins/greet:1"],
        &["run", "oci:HOST/plugins/greet:1"],
        &["manifest", "oci:HOST/plugins/greet:1"],
        &["verify", "HOST/plugins/greet:1"],
        &["lock"],
    ] {
        let output = harbour.run(arguments);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {output:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("it has no signature"), "{arguments:?}: {said}");
    }
    let (code, said) = harbour.bad(&[
        "scan",
        "guests/trivy",
        "--module",
        "oci:HOST/plugins/greet:1",
        "--on-fault",
        "fail",
    ]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("it has no signature"), "{said}");
    // Nothing of it came here but its manifest: what may not run is not downloaded.
    let asked = harbour.registry.asked();
    assert!(
        !asked
            .iter()
            .any(|asked| asked.starts_with("GET") && asked.contains("/blobs/")),
        "{asked:?}"
    );
}

#[test]
fn what_those_signed_who_are_named_runs_everywhere() {
    for form in ["both", "tag", "bundle"] {
        let harbour = trusting(SERVING);
        harbour.good(&["push", FILTER, "HOST/plugins/greet:1"]);
        harbour.good(&[
            "sign",
            "HOST/plugins/greet:1",
            "--key",
            "stranger.key",
            "--form",
            form,
        ]);
        let (code, said) = harbour.bad(&["pull", "HOST/plugins/greet:1"]);
        assert_eq!(code, 4);
        assert!(said.contains("none of the 1 keys of the rule made it"), "{said}");
        assert!(said.contains("sign with a key of the rule"), "{said}");

        harbour.good(&[
            "sign",
            "HOST/plugins/greet:1",
            "--key",
            "platform.key",
            "--form",
            form,
        ]);
        let pulled = &harbour.json(&["pull", "HOST/plugins/greet:1"])[0];
        assert_eq!(pulled["provenance"]["verification"], "signed");
        assert_eq!(pulled["provenance"]["signatures"].as_array().unwrap().len(), 1);
        harbour.good(&["check"]);
        harbour.good(&["verify", "HOST/plugins/greet:1"]);
        harbour.good(&["run", "oci:HOST/plugins/greet:1"]);
    }
}

#[test]
fn a_signature_is_of_one_digest_and_no_other() {
    let harbour = trusting("");
    harbour.good(&["push", FILTER, "HOST/plugins/greet:1"]);
    let signed = harbour.json(&[
        "sign",
        "HOST/plugins/greet:1",
        "--key",
        "platform.key",
        "--form",
        "tag",
    ]);
    let other = harbour.json(&["push", OTHER_FILTER, "HOST/plugins/greet:2"]);
    // Somebody copies the signature to the other's tag.
    let tag = |digest: &serde_json::Value| format!("{}.sig", digest.as_str().unwrap().replace(':', "-"));
    let manifest = harbour
        .registry
        .content(&format!("/v2/plugins/greet/manifests/{}", tag(&signed["digest"])))
        .unwrap();
    let media_type = wharf_testing::registry::IMAGE_MANIFEST;
    harbour
        .registry
        .retag("plugins/greet", &tag(&other["digest"]), media_type, manifest);
    let (code, said) = harbour.bad(&["pull", "HOST/plugins/greet:2"]);
    assert_eq!(code, 4);
    assert!(said.contains("it is a signature of"), "{said}");
}

#[test]
fn what_has_no_rule_does_not_run() {
    let harbour = trusting("");
    harbour.good(&["push", POLICY, "HOST/policies/labels:1"]);
    let (code, said) = harbour.bad(&["pull", "HOST/policies/labels:1"]);
    assert_eq!(code, 4);
    assert!(said.contains("no rule of `trust` is for it"), "{said}");
    harbour.write_configuration("trust: { default: warn }");
    let output = harbour.run(&["pull", "HOST/policies/labels:1"]);
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nobody vouches for"), "{said}");
    harbour.write_configuration("trust: { default: allow }");
    harbour.good(&["pull", "HOST/policies/labels:1"]);
}

#[test]
fn kubewarden_s_file_decides_for_policies() {
    let harbour = harbour();
    harbour.keys("author");
    let key = std::fs::read_to_string(harbour.folder.path().join("author.pub")).unwrap();
    let indented = key.replace('\n', "\n      ");
    let verification =
        format!("apiVersion: v1\nallOf:\n  - kind: pubKey\n    owner: me\n    key: |\n      {indented}\n");
    let path = harbour.folder.path();
    std::fs::write(path.join("verification.yml"), verification).unwrap();
    harbour.write_configuration(
        "trust: { rules: [ { references: [ \"oci:**\" ], verification: verification.yml } ] }",
    );
    harbour.good(&["push", POLICY, "HOST/policies/labels:1", "--format", "kubewarden"]);
    harbour.bad(&["pull", "HOST/policies/labels:1"]);
    harbour.good(&["sign", "HOST/policies/labels:1", "--key", "author.key"]);
    harbour.good(&["pull", "HOST/policies/labels:1"]);
}

#[test]
fn files_that_trust_names_are_read_at_the_start() {
    let harbour = harbour();
    for (trust, files, expected) in [
        ("signatures: [ { key: nothing.pub } ]", "", "does not exist"),
        ("signatures: [ { key: a.pub } ]", "no key", "this is no PEM"),
        (
            "signatures: [ { issuer: \"https://a\", subjectRegex: \"(\" } ]",
            "",
            "regular expression",
        ),
        ("verification: a.pub", "a: b", "apiVersion"),
        (
            "verification: a.pub, require: 1",
            "a: b",
            "which its `verification` says",
        ),
        ("verification: a.pub, allow: unsigned", "a: b", "has both"),
        ("verification: nothing.yml", "", "does not exist"),
    ] {
        std::fs::write(harbour.folder.path().join("a.pub"), files).unwrap();
        harbour.write_configuration(&format!(
            "trust: {{ rules: [ {{ references: [ \"oci:**\" ], {trust} }} ] }}"
        ));
        let (code, said) = harbour.bad(&["pull", "HOST/a:1"]);
        assert_eq!(code, 3, "{trust}: {said}");
        assert!(said.contains(expected), "{trust}: {said}");
    }
    std::fs::write(harbour.folder.path().join("root.json"), "{}").unwrap();
    harbour.write_configuration("trust: { root: root.json }");
    let (code, said) = harbour.bad(&["pull", "HOST/a:1"]);
    assert_eq!(code, 3);
    assert!(said.contains("trusted_root.json"), "{said}");
}

#[test]
fn statements_are_made_and_verified_and_are_no_signatures() {
    let harbour = trusting("");
    harbour.good(&["push", FILTER, "HOST/plugins/greet:1"]);
    let path = harbour.folder.path();
    std::fs::write(path.join("p.json"), r#"{"builder":{"id":"me"}}"#).unwrap();
    let arguments = [
        "attest",
        "HOST/plugins/greet:1",
        "--key",
        "platform.key",
        "--type",
        "slsaprovenance1",
        "--predicate",
        "p.json",
    ];
    let stated = harbour.json(&arguments);
    assert_eq!(stated["predicateType"], "https://slsa.dev/provenance/v1");
    // A statement does not let it run.
    let (_, said) = harbour.bad(&["pull", "HOST/plugins/greet:1"]);
    assert!(said.contains("0 of those who have to vouch for it did"), "{said}");
    let verified = harbour.json(&[
        "verify",
        "HOST/plugins/greet:1",
        "--key",
        "platform.pub",
        "--attestation",
        "slsaprovenance1",
    ]);
    assert_eq!(verified["verified"], true);
    assert_eq!(verified["signatures"][0]["predicate"]["builder"]["id"], "me");
    for (key, kind) in [("stranger.pub", "slsaprovenance1"), ("platform.pub", "cyclonedx")] {
        let (code, _) = harbour.bad(&[
            "verify",
            "HOST/plugins/greet:1",
            "--key",
            key,
            "--attestation",
            kind,
        ]);
        assert_eq!(code, 4);
    }
}

#[test]
fn verify_says_who_signed_and_with_what() {
    let harbour = harbour();
    harbour.keys("one");
    harbour.keys("two");
    harbour.good(&["push", FILTER, "HOST/plugins/greet:1"]);
    harbour.good(&[
        "sign",
        "HOST/plugins/greet:1",
        "--key",
        "one.key",
        "-a",
        "team=platform",
        "--form",
        "tag",
    ]);
    harbour.good(&[
        "sign",
        "HOST/plugins/greet:1",
        "--key",
        "two.key",
        "--form",
        "bundle",
    ]);
    let verify = |more: &[&str]| {
        let arguments = [&["verify", "HOST/plugins/greet:1"], more].concat();
        harbour.run(&arguments).status.code()
    };
    assert_eq!(verify(&["--key", "one.pub"]), Some(0));
    assert_eq!(verify(&["--key", "one.pub", "--key", "two.pub"]), Some(0));
    assert_eq!(verify(&["--key", "one.pub", "-a", "team=platform"]), Some(0));
    assert_eq!(verify(&["--key", "one.pub", "-a", "team=other"]), Some(4));
    assert_eq!(
        verify(&["--key", "one.pub", "--key", "two.pub", "-a", "team=platform"]),
        Some(4)
    );
    assert_eq!(
        verify(&[
            "--key",
            "one.pub",
            "--key",
            "two.pub",
            "-a",
            "team=platform",
            "--require",
            "1"
        ]),
        Some(0)
    );
    let issuer = ["--issuer", "https://issuer.example"];
    assert_eq!(verify(&[&issuer[..], &["--subject", "me"]].concat()), Some(4));
    assert_eq!(
        verify(&[&issuer[..], &["--subject-regex", ".*"]].concat()),
        Some(4)
    );
    // Anybody whom a provider names is nobody in particular.
    assert_eq!(verify(&issuer), Some(2));
    assert_eq!(verify(&["--subject", "me"]), Some(2));
    assert_eq!(
        verify(&[&issuer[..], &["--subject", "me", "--subject-prefix", "m"]].concat()),
        Some(2)
    );
    assert_eq!(verify(&["--github", "acme/plugins"]), Some(4));
    assert_eq!(verify(&["--key", "one.key"]), Some(2));
    let (code, said) = harbour.bad(&["verify", "HOST/plugins/greet:1"]);
    assert_eq!(code, 2);
    assert!(said.contains("nobody says whose signatures are wanted"), "{said}");
    let told = harbour.json(&["verify", "HOST/plugins/greet:1", "--key", "one.pub"]);
    assert_eq!(told["signatures"][0]["annotations"]["team"], "platform");
    assert_eq!(
        told["refused"][0]["reason"],
        "none of the 1 keys of the rule made it"
    );
}
