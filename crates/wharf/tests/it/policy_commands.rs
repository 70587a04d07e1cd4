//! Policies and other waPC guests in the commands for authors: `wharf run --review` and `--operation`, `wharf inspect`,
//! `wharf manifest`.

mod calls;
mod failing;
mod guests;
mod inspected;
mod manifest;

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::harness::{Folder, folder};

pub(crate) const METADATA: &str =
    r#"{"protocolVersion":"v1","rules":[],"mutating":true,"executionMode":"kubewarden-wapc"}"#;

/// Text as it stands in a data segment.
pub(crate) fn data(text: &str) -> String {
    text.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}

/// A policy that answers its settings with `settings`, and runs `body` for a review: `$say` answers with the text at
/// 2048, which is `verdict`.
pub(crate) fn policy(metadata: &str, settings: &str, verdict: &str, body: &str) -> String {
    format!(
        r#"(module
          (import "wapc" "__guest_response" (func $response (param i32 i32)))
          (import "wapc" "__guest_error" (func $error (param i32 i32)))
          (import "wapc" "__console_log" (func $log (param i32 i32)))
          (import "wapc" "__host_call" (func $host (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
          (import "wapc" "__host_error_len" (func $host_error_len (result i32)))
          (import "wapc" "__host_error" (func $host_error (param i32)))
          (memory (export "memory") 2)
          (data (i32.const 1024) "{settings_data}")
          (data (i32.const 2048) "{verdict_data}")
          (data (i32.const 8192) "kubewardenkubernetesget_resource")
          (data (i32.const 8300) "{request}")
          (func $say (result i32)
            (call $response (i32.const 2048) (i32.const {verdict_length}))
            (i32.const 1))
          (func $ask (result i32)
            (if (i32.eqz (call $host (i32.const 8192) (i32.const 10) (i32.const 8202) (i32.const 10)
                  (i32.const 8212) (i32.const 12) (i32.const 8300) (i32.const {request_length})))
              (then
                (call $host_error (i32.const 16384))
                (call $error (i32.const 16384) (call $host_error_len))
                (return (i32.const 0))))
            (call $say))
          (func $judge (result i32) {body})
          (func (export "__guest_call") (param $operation i32) (param i32) (result i32)
            (if (i32.eq (local.get $operation) (i32.const 17))
              (then
                (call $response (i32.const 1024) (i32.const {settings_length}))
                (return (i32.const 1))))
            (call $judge))
          (@custom "io.kubewarden.metadata" "{metadata}"))"#,
        settings_data = data(settings),
        settings_length = settings.len(),
        verdict_data = data(verdict),
        verdict_length = verdict.len(),
        request = data(NAMESPACE_REQUEST),
        request_length = NAMESPACE_REQUEST.len(),
        metadata = data(metadata),
    )
}

const NAMESPACE_REQUEST: &str = r#"{"api_version":"v1","kind":"Namespace","name":"n","disable_cache":false}"#;

pub(crate) const VALID: &str = r#"{"valid":true}"#;

pub(crate) const REVIEW: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{
  "uid":"u-1","kind":{"group":"apps","version":"v1","kind":"Deployment"},
  "resource":{"group":"apps","version":"v1","resource":"deployments"},"operation":"CREATE","userInfo":{"username":"ann"},
  "name":"web","namespace":"shop","object":{"metadata":{"name":"web","labels":{"a":"1"}}}}}"#;

/// A folder with a policy and a review.
pub(crate) fn with(policy: &str) -> Folder {
    folder().with("p.wat", policy).with("review.json", REVIEW)
}

/// What `run` tells of a policy, without its times.
pub(crate) fn check(folder: &Folder, arguments: &[&str], expected: &Expect) {
    let arguments = [
        &["run", "p.wat", "--review", "review.json", "--deadline", "20s"],
        arguments,
    ]
    .concat();
    expected.assert_eq(&without_times(&folder.transcript(&arguments)));
}

pub(crate) fn without_times(text: &str) -> String {
    let lines = text.lines().map(|line| match line.starts_with("time: ") {
        true => "time: …\n".to_owned(),
        false => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn a_request_is_changed() {
    let verdict = r#"{"accepted":true,"mutated_object":{"metadata":{"name":"web","labels":{"a":"2","b/c":"3"}}},
      "warnings":["labels were added"],"audit_annotations":{"seen":"yes"}}"#;
    let folder = with(&policy(
        METADATA,
        VALID,
        verdict,
        "(call $log (i32.const 8192) (i32.const 10)) (call $say)",
    ));
    check(
        &folder,
        &[],
        &expect![[r#"
        exit code 0
        --- stdout ---
        p (kubewarden-wapc)

        review u-1: CREATE apps/v1/Deployment shop/web
          allowed
          warnings
            labels were added
          audit annotations
            seen: yes
          patch
            replace /metadata/labels/a "2"
            add     /metadata/labels/b~1c "3"
          log
            info    kubewarden

        time: …
    "#]],
    );
    let output = folder.run(&["run", "p.wat", "--review", "review.json", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    expect![[r#"
        {
          "policy": "p",
          "executionMode": "kubewarden-wapc",
          "ok": true,
          "uid": "u-1",
          "remarks": [],
          "settings": {
            "valid": true,
            "message": null,
            "fault": null,
            "log": [],
            "hostCalls": [],
            "refusedHostCalls": []
          },
          "review": {
            "verdict": {
              "allowed": true,
              "message": null,
              "reason": null,
              "code": null,
              "details": null,
              "warnings": [
                "labels were added"
              ],
              "auditAnnotations": {
                "seen": "yes"
              },
              "patch": [
                {
                  "op": "replace",
                  "path": "/metadata/labels/a",
                  "value": "2"
                },
                {
                  "op": "add",
                  "path": "/metadata/labels/b~1c",
                  "value": "3"
                }
              ]
            },
            "fault": null,
            "log": [
              {
                "level": "info",
                "message": "kubewarden",
                "data": {}
              }
            ],
            "hostCalls": [],
            "refusedHostCalls": []
          },
          "unrecordedAnswers": []
        }
    "#]]
    .assert_eq(&format!("{report:#}\n"));
    let again = folder.run(&["run", "p.wat", "--review", "review.json", "--json"]);
    assert_eq!(output.stdout, again.stdout);
    let timed = folder.run(&["run", "p.wat", "--review", "review.json", "--json", "--times"]);
    let timed: Value = serde_json::from_slice(&timed.stdout).unwrap();
    assert!(timed["review"]["seconds"].as_f64().unwrap() > 0.0, "{timed:#}");
}

#[test]
fn a_request_is_refused() {
    let verdict = r#"{"accepted":false,"message":"no\nand \u001b[31mno","code":418,"warnings":["w"]}"#;
    check(
        &with(&policy(METADATA, VALID, verdict, "(call $say)")),
        &[],
        &expect![[r#"
            exit code 0
            --- stdout ---
            p (kubewarden-wapc)

            review u-1: CREATE apps/v1/Deployment shop/web
              refused
              message: no
                and \u{1b}[31mno
              code: 418
              warnings
                w

            time: …
        "#]],
    );
}

#[test]
fn settings_are_given_in_yaml_and_refused_by_the_policy() {
    let refuses = r#"{"valid":false,"message":"no such label"}"#;
    let folder = with(&policy(METADATA, refuses, "{}", "(call $say)"));
    let folder = folder.with("settings.yaml", "labels: [a]\n");
    check(
        &folder,
        &["--settings", "settings.yaml"],
        &expect![[r#"
        exit code 4
        --- stdout ---
        p (kubewarden-wapc)

        settings
          refused: no such label

        review u-1: CREATE apps/v1/Deployment shop/web
          not made, because the policy has no settings that it takes
    "#]],
    );
    let output = folder.run(&["run", "p.wat", "--review", "review.json", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(report["settings"]["message"], "no such label");
    assert_eq!((&report["ok"], &report["review"]), (&false.into(), &Value::Null));
}

#[test]
fn the_request_may_stand_alone() {
    let review: Value = serde_json::from_str(REVIEW).unwrap();
    let folder = with(&policy(METADATA, VALID, r#"{"accepted":true}"#, "(call $say)"));
    check(
        &folder.with("review.json", review["request"].to_string()),
        &[],
        &expect![[r#"
            exit code 0
            --- stdout ---
            p (kubewarden-wapc)

            review u-1: CREATE apps/v1/Deployment shop/web
              allowed

            time: …
        "#]],
    );
}

#[test]
fn a_raw_policy_judges_any_json() {
    let metadata = METADATA.replace('}', r#","policyType":"raw"}"#);
    let verdict = r#"{"accepted":true,"mutated_object":{"a":2}}"#;
    let by_metadata =
        with(&policy(&metadata, VALID, verdict, "(call $say)")).with("review.json", r#"{"a":1}"#);
    check(
        &by_metadata,
        &[],
        &expect![[r#"
        exit code 0
        --- stdout ---
        p (kubewarden-wapc)

        review (raw)
          allowed
          patch
            replace /a 2

        time: …
    "#]],
    );
    let wrapped = with(&policy(METADATA, VALID, verdict, "(call $say)"));
    let wrapped = wrapped.with("review.json", r#"{"request":{"a":1}}"#);
    let told = |folder: &Folder, flags: &[&str]| {
        let arguments = [&["run", "p.wat", "--review", "review.json"], flags].concat();
        without_times(&folder.transcript(&arguments))
    };
    assert_eq!(told(&wrapped, &["--raw"]), told(&by_metadata, &[]));
}

#[test]
fn policies_in_rego() {
    let folder = with("");
    for (guest, mode) in [("rego-admission", "opa"), ("rego-gatekeeper", "gatekeeper")] {
        let module = format!("guests/{guest}/{guest}.wasm");
        let arguments = [
            "run",
            &module,
            "--review",
            "review.json",
            "--execution-mode",
            mode,
            "--deadline",
            "20s",
        ];
        let text = without_times(&folder.transcript(&arguments));
        assert!(text.starts_with("exit code 0\n"), "{text}");
        assert!(text.contains(&format!("{guest} ({mode})")), "{text}");
        assert!(
            text.contains("  allowed\n") || text.contains("  refused\n"),
            "{text}"
        );
    }
}
