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
        !["  digest ", "  size ", "  functions ", "  made with ", "  table "]
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
    check(
        &folder,
        "p.wat",
        &expect![[r#"
            exit code 0
            --- stdout ---
            file:p.wat
              loads      yes, as a Kubewarden policy
              speaks     waPC, the ABI of waPC hosts, such as policy-server
              memory     128KiB at the start, no maximum of its own; a policy's limit is 256MiB by default
              names      names of functions: backtraces will have them

            policy
              title       labels
              description Adds
                          labels \u{1b}[31m
              mode        kubewarden-wapc
              judges      requests to the Kubernetes API
              mutating    yes
              audit       yes
              protocol    v1
              needs       Kubewarden 1.30.0

            rules (2)
              groups        versions  resources          operations
              (core), apps  v1        pods, deployments  CREATE, UPDATE
              batch         *         jobs/status        *

            asks its host for (2)
              resource    v1/Namespace
              capability  kubernetes/*

            host functions used (6)
              supported  wapc.__console_log
              supported  wapc.__guest_error
              supported  wapc.__guest_response
              supported  wapc.__host_call
              supported  wapc.__host_error
              supported  wapc.__host_error_len
        "#]],
    );
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
    check(
        &with("{"),
        "p.wat",
        &expect![[r#"
            exit code 4
            --- stdout ---
            file:p.wat
              loads      no
              speaks     waPC, the ABI of waPC hosts, such as policy-server
              memory     128KiB at the start, no maximum of its own; a policy's limit is 256MiB by default
              names      names of functions: backtraces will have them

            why it would not load as a Kubewarden policy
              the section `io.kubewarden.metadata` is not a policy's metadata: EOF while parsing an object at line 1 column 1
              hint: annotate the policy anew with `kwctl annotate`

            host functions used (6)
              supported  wapc.__console_log
              supported  wapc.__guest_error
              supported  wapc.__guest_response
              supported  wapc.__host_call
              supported  wapc.__host_error
              supported  wapc.__host_error_len
        "#]],
    );
    check(
        &with(r#"{"rules":[],"executionMode":"wasi"}"#),
        "p.wat",
        &expect![[r#"
            exit code 4
            --- stdout ---
            file:p.wat
              loads      no
              speaks     waPC, the ABI of waPC hosts, such as policy-server
              memory     128KiB at the start, no maximum of its own; a policy's limit is 256MiB by default
              names      names of functions: backtraces will have them

            why it would not load as a Kubewarden policy
              the policy's execution mode is wasi, and its module exports no "_start"
              hint: annotate it with the execution mode that it was built for

            policy
              mode        wasi
              judges      requests to the Kubernetes API
              mutating    no
              audit       yes
              protocol    not named

            other imports (6)
              unknown    wapc.__console_log (i32, i32)
              unknown    wapc.__guest_error (i32, i32)
              unknown    wapc.__guest_response (i32, i32)
              unknown    wapc.__host_call (i32, i32, i32, i32, i32, i32, i32, i32) -> i32
              unknown    wapc.__host_error (i32)
              unknown    wapc.__host_error_len () -> i32
        "#]],
    );
    check(
        &with(r#"{"rules":[],"protocolVersion":"v1","minimumKubewardenVersion":"9.0.0"}"#),
        "p.wat",
        &expect![[r#"
            exit code 4
            --- stdout ---
            file:p.wat
              loads      no
              speaks     waPC, the ABI of waPC hosts, such as policy-server
              memory     128KiB at the start, no maximum of its own; a policy's limit is 256MiB by default
              names      names of functions: backtraces will have them

            why it would not load as a Kubewarden policy
              the policy needs Kubewarden 9.0, and this host knows what Kubewarden 1.36 has
              hint: use an older release of the policy

            policy
              mode        kubewarden-wapc
              judges      requests to the Kubernetes API
              mutating    no
              audit       yes
              protocol    v1
              needs       Kubewarden 9.0.0

            host functions used (6)
              supported  wapc.__console_log
              supported  wapc.__guest_error
              supported  wapc.__guest_response
              supported  wapc.__host_call
              supported  wapc.__host_error
              supported  wapc.__host_error_len
        "#]],
    );
    let imports = r#"(module (import "wapc" "__teleport" (func)) (import "kubewarden" "beam" (func))
      (memory (export "memory") 1) (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))"#;
    check(
        &folder().with("p.wat", imports),
        "p.wat",
        &expect![[r#"
            exit code 4
            --- stdout ---
            file:p.wat
              loads      no
              speaks     waPC, the ABI of waPC hosts, such as policy-server
              metadata   none: policy-server takes no policy without them
              memory     64KiB at the start, no maximum of its own; a policy's limit is 256MiB by default
              names      none: backtraces will have numbers instead of names

            why it would not load as a waPC guest
              it imports `wapc.__teleport` as (), and no such thing is known here
              it imports `kubewarden.beam` as (), and no such thing is known here
              hint: look which SDK or library asks for it

            other imports (2)
              unknown    kubewarden.beam ()
              unknown    wapc.__teleport ()
        "#]],
    );
}

#[test]
fn a_guest_of_wapc_that_is_no_policy() {
    let wat = r#"(module (memory (export "memory") 1) (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))"#;
    check(
        &folder().with("g.wat", wat),
        "g.wat",
        &expect![[r#"
            exit code 0
            --- stdout ---
            file:g.wat
              loads      yes, as a waPC guest
              speaks     waPC, the ABI of waPC hosts, such as policy-server
              metadata   none: policy-server takes no policy without them
              memory     64KiB at the start, no maximum of its own; a policy's limit is 256MiB by default
              names      none: backtraces will have numbers instead of names
        "#]],
    );
}

#[test]
fn rego_with_its_entrypoints_and_functions() {
    check(
        &folder(),
        "guests/rego-gatekeeper/rego-gatekeeper.wasm",
        &expect![[r#"
            exit code 0
            --- stdout ---
            file:guests/rego-gatekeeper/rego-gatekeeper.wasm
              loads      yes, as a policy in Rego
              speaks     OPA policy, the ABI of OPA
              metadata   none: whoever deploys it names its execution mode, `opa` or `gatekeeper`
              memory     128KiB at the start, no maximum of its own; a policy's limit is 256MiB by default
              names      names of functions: backtraces will have them

            entrypoints (1)
              k8srequiredlabels/violation

            built-in functions used (1)
              supported  sprintf

            host functions used (7)
              supported  env.memory
              supported  env.opa_abort
              supported  env.opa_builtin0
              supported  env.opa_builtin1
              supported  env.opa_builtin2
              supported  env.opa_builtin3
              supported  env.opa_builtin4
        "#]],
    );
    check(
        &folder(),
        "guests/rego-unknown/rego-unknown.wasm",
        &expect![[r#"
            exit code 4
            --- stdout ---
            file:guests/rego-unknown/rego-unknown.wasm
              loads      no
              speaks     OPA policy, the ABI of OPA
              metadata   none: whoever deploys it names its execution mode, `opa` or `gatekeeper`
              memory     128KiB at the start, no maximum of its own; a policy's limit is 256MiB by default
              names      names of functions: backtraces will have them

            why it would not load as a policy in Rego
              the policy calls built-in functions that are not given here: http.send, net.lookup_ip_addr
              hint: write the policy without them

            entrypoints (2)
              unknown
              unknown/allow

            built-in functions used (3)
              unknown    http.send
              unknown    net.lookup_ip_addr
              supported  sprintf

            host functions used (7)
              supported  env.memory
              supported  env.opa_abort
              supported  env.opa_builtin0
              supported  env.opa_builtin1
              supported  env.opa_builtin2
              supported  env.opa_builtin3
              supported  env.opa_builtin4
        "#]],
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
