//! `wharf inspect` of policies and other waPC guests.

use expect_test::{Expect, expect};
use serde_json::Value;

use super::{VALID, policy};
use crate::harness::{Folder, folder};

const METADATA: &str = r#"{"protocolVersion":"v1","mutating":true,"policyType":"kubernetes",
  "rules":[{"apiGroups":["","apps"],"apiVersions":["v1"],"resources":["pods","deployments"],"operations":["CREATE","UPDATE"]},
           {"apiGroups":["batch"],"apiVersions":["*"],"resources":["jobs/status"],"operations":["*"]}],
  "annotations":{"io.kubewarden.policy.title":"labels","io.kubewarden.policy.description":"Adds\nlabels \u001b[31m"},
  "contextAwareResources":[{"apiVersion":"v1","kind":"Namespace"}],"hostCapabilities":["kubernetes/*"],
  "minimumKubewardenVersion":"1.30.0"}"#;

/// Inspects a module, without what changes when it is built anew.
fn check(folder: &Folder, module: &str, expected: &Expect) {
    let text = folder.transcript(&["inspect", module]);
    let kept = |line: &&str| {
        !["  digest ", "  size ", "  functions "]
            .iter()
            .any(|fact| line.starts_with(fact))
    };
    let end = text.find("\nother exports").unwrap_or(text.len());
    let lines = text[..end].lines().filter(kept).map(|line| format!("{line}\n"));
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn a_policy_with_all_that_it_says() {
    let folder = folder().with("p.wat", policy(METADATA, VALID, "{}", "(call $say)"));
    check(&folder, "p.wat", &expect![[r#""#]]);
    let output = folder.run(&["inspect", "--json", "p.wat"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &report["loads"], &report["loadsAs"]),
        (Some(0), &true.into(), &"a Kubewarden policy".into())
    );
    let metadata = &report["policy"]["metadata"];
    assert_eq!(metadata["rules"][1]["operations"][0], "*");
    assert_eq!(metadata["hostCapabilities"][0], "kubernetes/*");
}

#[test]
fn policies_that_would_not_load() {
    let with = |metadata: &str| folder().with("p.wat", policy(metadata, VALID, "{}", "(call $say)"));
    check(&with("{"), "p.wat", &expect![[r#""#]]);
    check(
        &with(r#"{"rules":[],"executionMode":"wasi"}"#),
        "p.wat",
        &expect![[r#""#]],
    );
    check(
        &with(r#"{"rules":[],"protocolVersion":"v1","minimumKubewardenVersion":"9.0.0"}"#),
        "p.wat",
        &expect![[r#""#]],
    );
    let imports = r#"(module (import "wapc" "__teleport" (func)) (import "kubewarden" "beam" (func))
      (memory (export "memory") 1) (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))"#;
    check(&folder().with("p.wat", imports), "p.wat", &expect![[r#""#]]);
}

#[test]
fn a_guest_of_wapc_that_is_no_policy() {
    let wat = r#"(module (memory (export "memory") 1) (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))"#;
    check(&folder().with("g.wat", wat), "g.wat", &expect![[r#""#]]);
}

#[test]
fn rego_with_its_entrypoints_and_functions() {
    check(
        &folder(),
        "guests/rego-gatekeeper/rego-gatekeeper.wasm",
        &expect![[r#""#]],
    );
    check(
        &folder(),
        "guests/rego-unknown/rego-unknown.wasm",
        &expect![[r#""#]],
    );
    let output = folder().run(&["inspect", "--json", "guests/rego-unknown/rego-unknown.wasm"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let functions = report["policy"]["builtins"].as_array().unwrap().iter();
    let unknown: Vec<_> = functions
        .filter(|function| function["support"] == "unknown")
        .map(|function| function["name"].as_str().unwrap())
        .collect();
    assert_eq!(unknown, ["http.send", "net.lookup_ip_addr"]);
}
