//! Cases of policies.

use expect_test::expect;

use super::{check, code, json, read, table, transcript, write};
use crate::harness::folder;

#[test]
fn each_difference_is_told_with_its_place() {
    let folder = table(
        r#"policy: guests/policies/policy-labels/policy-labels.wasm
settings: { required: [team] }
review: guests/policies/reviews/pod-create.json
cases:
  - name: is right
    expect: { allowed: false, code: 422 }
  - name: expects much
    expect:
      allowed: true
      message: null
      messageContains: [owner]
      code: 403
      reason: Forbidden
      causes: [one]
      patch: [{ op: add, path: /metadata/labels, value: { team: a } }]
      object: { kind: Pod }
      objectContains: { metadata: { name: other, namespace: default } }
      warnings: [careful]
      auditAnnotations: { missing: owner }
      fault: trap
      log: ["warn: rejected"]
      logContains: [accepted]
      hostCalls: [kubernetes/can_i]
      refusedCalls: [kubernetes/can_i]
      settings: { message: fine }
"#,
    );
    check(&folder, &[], &expect![[]]);
}

#[test]
fn settings_that_are_refused_fail_a_case_unless_they_are_expected_to() {
    let folder = table(
        r#"policy: guests/policies/policy-labels/policy-labels.wasm
cases:
  - name: refuses them
    review: guests/policies/reviews/pod-create.json
    expect: { allowed: true }
  - name: takes them
    settings: { required: [team] }
    expect: { settings: { valid: false } }
  - name: says something else
    expect: { settings: { valid: false, message: "no", messageContains: ["yes"] } }
"#,
    );
    check(&folder, &[], &expect![[]]);
}

#[test]
fn a_fault_fails_a_case_unless_it_is_expected() {
    let folder = table(
        r#"policy: guests/policies/wat/panic.wat
review: guests/policies/reviews/pod-create.json
cases:
  - name: panics
  - name: is expected to be late
    expect: { fault: deadline }
"#,
    );
    check(&folder, &[], &expect![[]]);
}

#[test]
fn what_cannot_be_used_is_told_and_the_others_are_run() {
    let folder = table(
        r#"cases:
  - name: is right
    policy: guests/policies/policy-labels/policy-labels.wasm
    settings: { required: [team] }
  - name: has no module
    policy: missing.wasm
  - name: is a filter
    policy: guests/rust-headers/rust-headers.wasm
  - name: has no mode
    policy: guests/rego-admission/rego-admission.wasm
  - name: has no review
    policy: guests/policies/policy-labels/policy-labels.wasm
    settings: { required: [team] }
    review: { metadata: {} }
  - name: has half a review
    policy: guests/policies/policy-labels/policy-labels.wasm
    settings: { required: [team] }
    review: half.json
  - name: has half a recording
    policy: guests/policies/policy-labels/policy-labels.wasm
    settings: { required: [team] }
    review: guests/policies/reviews/pod-create.json
    replay: calls.yaml
"#,
    )
    .with("half.json", "{\"request\": {\"uid\": \"1\"")
    .with("calls.yaml", "- type: Exchange\n");
    check(&folder, &[], &expect![[]]);
}

#[test]
fn a_missing_file_is_told_with_its_place() {
    check(
        &table("policy: a.wasm\nreview: missing.json\ncases: [{ name: a }]\n"),
        &[],
        &expect![[]],
    );
}

#[test]
fn a_golden_report_is_written_and_compared() {
    let folder = folder();
    let text = "policy: ../../guests/policies/policy-unique-host/policy-unique-host.wasm\n\
                review: ../../guests/policies/reviews/ingress-create.json\n\
                replay: ../../guests/policies/reviews/ingress-taken.calls.yaml\n\
                hostCapabilities: [kubernetes/*]\n\
                contextAwareResources: [{ apiVersion: networking.k8s.io/v1, kind: Ingress }]\n";
    write(&folder, "golden/taken/case.yaml", text);
    assert_eq!(code(&folder, &["golden"]), Some(1));
    assert_eq!(code(&folder, &["golden", "--update"]), Some(0));
    expect![[]].assert_eq(&read(&folder, "golden/taken/expected.txt"));
    assert_eq!(code(&folder, &["golden"]), Some(0));
    write(
        &folder,
        "golden/taken/case.yaml",
        &text.replace("ingress-taken", "ingress-free"),
    );
    let text = transcript(&folder, &["golden"]);
    assert!(
        text.starts_with("exit code 1\n") && text.contains("-  refused\n"),
        "{text}"
    );
}

#[test]
fn time_and_chance_are_the_same_in_each_run() {
    let folder = folder();
    write(
        &folder,
        "a.test.yaml",
        "policy: guests/policies/wat/wild.wat\nreview: guests/policies/reviews/pod-create.json\n\
         cases: [{ name: a, settings: { call: nothing } }, { name: b, settings: { call: clock-time-get } }]\n",
    );
    let (first, results) = json(&folder, &[]);
    assert_eq!(first, Some(0), "{results:#}");
    assert_eq!(json(&folder, &["--jobs", "1"]).1, results);
    let report = results["cases"][0]["report"].as_str().unwrap();
    assert!(report.contains("allowed"), "{report}");
}

#[test]
fn cases_of_both_kinds_are_listed_and_chosen_together() {
    let folder = folder();
    write(
        &folder,
        "a.test.yaml",
        "policy: guests/policies/wat/wild.wat\ncases: [{ name: a policy }]\n",
    );
    write(
        &folder,
        "b.test.yaml",
        "plugin: guests/rust-headers/rust-headers.wasm\ncases: [{ name: a filter }]\n",
    );
    check(
        &folder,
        &["--list", "a.test.yaml", "b.test.yaml"],
        &expect![[r#"
        exit code 0
        --- stdout ---
        a.test.yaml:2: a policy
        b.test.yaml:2: a filter
    "#]],
    );
    check(
        &folder,
        &["--filter", "policy", "a.test.yaml", "b.test.yaml"],
        &expect![[r#"
        exit code 0
        --- stdout ---
        ok    a.test.yaml: a policy

        1 passed, 0 failed
    "#]],
    );
}
