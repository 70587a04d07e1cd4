//! `wharf manifest`: what is printed can be applied, and Wharf reads what it made for itself.

use expect_test::expect;

use super::{METADATA, VALID, policy};
use crate::harness::{Folder, folder};

const MUTATING: &str = r#"{"protocolVersion":"v1","mutating":true,
  "rules":[{"apiGroups":["apps"],"apiVersions":["v1"],"resources":["deployments"],"operations":["CREATE"]}],
  "contextAwareResources":[{"apiVersion":"v1","kind":"Namespace"},{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy"}],
  "hostCapabilities":["kubernetes/*"]}"#;

const VALIDATING: &str = r#"{"protocolVersion":"v1","mutating":false,
  "rules":[{"apiGroups":[""],"apiVersions":["v1"],"resources":["pods"],"operations":["CREATE","UPDATE"]}]}"#;

fn policies() -> Folder {
    folder()
        .with("labels.wat", policy(MUTATING, VALID, "{}", "(call $say)"))
        .with("Pods_1.wat", policy(VALIDATING, VALID, "{}", "(call $say)"))
        .with("ca.pem", "CA\n")
}

#[test]
fn all_objects_of_two_policies() {
    let arguments = ["manifest", "labels.wat", "Pods_1.wat", "--ca-bundle", "ca.pem"];
    let text = policies().transcript(&arguments);
    expect![[r#""#]].assert_eq(&text);
}

#[test]
fn names_are_given_and_nothing_is_asked_that_is_not_needed() {
    let arguments = [
        "manifest",
        "Pods_1.wat",
        "--name",
        "a",
        "--namespace",
        "b",
        "--service",
        "c",
        "--image",
        "registry/x:1",
    ];
    let output = policies().run(&arguments);
    let (text, warning) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(warning.contains("--ca-bundle"), "{warning}");
    for absent in [
        "ClusterRole",
        "Mutating",
        "caBundle",
        "hostCapabilities",
        "wharf-admission",
    ] {
        assert!(!text.contains(absent), "{absent} in\n{text}");
    }
    for there in [
        "image: \"registry/x:1\"",
        "namespace: b",
        "secretName: a-tls",
        "pods-1.a.wharf.dev",
    ] {
        assert!(text.contains(there), "{there} is not in\n{text}");
    }
}

#[test]
fn wharf_reads_the_configuration_that_it_made() {
    let folder = policies();
    let text = folder.transcript(&["manifest", "labels.wat", "Pods_1.wat"]);
    let part = |key: &str| {
        let (_, rest) = text.split_once(&format!("  {key}: |\n")).unwrap();
        let lines = rest.lines().take_while(|line| line.starts_with("    "));
        lines.map(|line| format!("{}\n", &line[4..])).collect::<String>()
    };
    let path = folder.path().display().to_string();
    std::fs::rename(folder.path().join("Pods_1.wat"), folder.path().join("pods-1.wat")).unwrap();
    let policies = part("policies.yml")
        .replace(
            "file:///policies/labels.wasm",
            &format!("file://{path}/labels.wat"),
        )
        .replace(
            "file:///policies/pods-1.wasm",
            &format!("file://{path}/pods-1.wat"),
        );
    let config = part("wharf.yaml")
        .replace("certificate: /tls/tls.crt", "certificate: tls.crt")
        .replace("key: /tls/tls.key", "key: tls.key")
        .replace("0.0.0.0", "127.0.0.1");
    let tls = "  tls:\n    certificate: tls.crt\n    key: tls.key\n";
    assert!(config.contains(tls), "{config}");
    let folder = folder
        .with("policies.yml", policies)
        .with("wharf.yaml", config.replace(tls, "  tls: none\n"));
    let output = folder.run(&["check", "wharf.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn what_is_no_policy_has_no_manifest() {
    let raw = METADATA.replace('}', r#","policyType":"raw"}"#);
    let folder = policies()
        .with("raw.wat", policy(&raw, VALID, "{}", "(call $say)"))
        .with("pods-1.wat", policy(VALIDATING, VALID, "{}", "(call $say)"));
    for (arguments, expected) in [
        (&["manifest", "raw.wat"][..], expect![[r#""#]]),
        (
            &["manifest", "guests/rego-gatekeeper/rego-gatekeeper.wasm"],
            expect![[r#""#]],
        ),
        (
            &["manifest", "guests/rust-headers/rust-headers.wasm"],
            expect![[r#""#]],
        ),
        (&["manifest", "Pods_1.wat", "pods-1.wat"], expect![[r#""#]]),
        (&["manifest", "none.wasm"], expect![[r#""#]]),
        (&["manifest", "Pods_1.wat", "--name", "A"], expect![[r#""#]]),
        (
            &["manifest", "Pods_1.wat", "--ca-bundle", "none.pem"],
            expect![[r#""#]],
        ),
    ] {
        expected.assert_eq(&folder.transcript(arguments));
    }
}
