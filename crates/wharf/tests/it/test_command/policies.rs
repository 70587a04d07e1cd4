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
    check(
        &folder,
        &[],
        &expect![[r#"
        exit code 1
        --- stdout ---
        ok    a.test.yaml: is right
        FAIL  a.test.yaml: expects much

        a.test.yaml:7: expects much
          settings
            a.test.yaml:25: `settings.message` is expected to be fine, and there is none
            valid
          review 705ab4f5-6393-11e8-b7cc-42010a800002: CREATE v1/Pod default/web
            a.test.yaml:9: `allowed`: the request was to be allowed, and is refused
            a.test.yaml:10: `message`: none was expected, and it is the label `team` is missing
            a.test.yaml:11: `messageContains`: `owner` is not in the message: the label `team` is missing
            a.test.yaml:12: `code` is expected to be 403, and is 422
            a.test.yaml:13: `reason` is expected to be Forbidden, and there is none
            a.test.yaml:14: `causes` is not as expected
              --- expected
              +++ came
              -one
            a.test.yaml:15: `patch` is not as expected
              --- expected
              +++ came
              -{"op":"add","path":"/metadata/labels","value":{"team":"a"}}
            a.test.yaml:16: `object` is not as expected
              --- expected
              +++ came
              @@ -1,3 +1,16 @@
               {
              -  "kind": "Pod"
              +  "apiVersion": "v1",
              +  "kind": "Pod",
              +  "metadata": {
              +    "name": "web",
              +    "namespace": "default"
              +  },
              +  "spec": {
              +    "containers": [
              +      {
              +        "image": "registry.example/web:1.0",
              +        "name": "web"
              +      }
              +    ]
              +  }
               }
            a.test.yaml:17: `objectContains` is not as expected
              --- expected
              +++ came
              @@ -1,6 +1,6 @@
               {
                 "metadata": {
              -    "name": "other",
              +    "name": "web",
                   "namespace": "default"
                 }
               }
            a.test.yaml:18: `warnings` is not as expected
              --- expected
              +++ came
              -careful
            a.test.yaml:19: `auditAnnotations` is not as expected
              --- expected
              +++ came
              -missing: owner
              +denied:
              +missing: team
            a.test.yaml:20: `fault`: trap was expected, and there was no fault
            refused
            message: the label `team` is missing
            code: 422
            audit annotations
              denied:
              missing: team
            log
              info    rejected {"column":5,"file":"policy-labels/src/lib.rs","line":114,"missing":1,"name":"web","namespace":"default","policy":"policy-labels"}
          the case as a whole
            a.test.yaml:21: `log` is not as expected
              --- expected
              +++ came
              -warn: rejected
              +info: rejected
            a.test.yaml:22: `logContains`: no line of the log has `accepted`
            a.test.yaml:23: `hostCalls` is not as expected
              --- expected
              +++ came
              -kubernetes/can_i
            a.test.yaml:24: `refusedCalls` is not as expected
              --- expected
              +++ came
              -kubernetes/can_i

        1 passed, 1 failed
    "#]],
    );
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
    check(
        &folder,
        &[],
        &expect![[r#"
        exit code 1
        --- stdout ---
        FAIL  a.test.yaml: refuses them
        FAIL  a.test.yaml: takes them
        FAIL  a.test.yaml: says something else

        a.test.yaml:3: refuses them
          settings
            a.test.yaml:3: the policy refused its settings: no label is named: set `required`, `denied`, `deprecated` or `protected`
            refused: no label is named: set `required`, `denied`, `deprecated` or `protected`

        a.test.yaml:6: takes them
          settings
            a.test.yaml:8: `settings.valid`: the policy was to refuse its settings, and takes them
            valid

        a.test.yaml:9: says something else
          settings
            a.test.yaml:10: `settings.message` is expected to be no, and is no label is named: set `required`, `denied`, `deprecated` or `protected`
            a.test.yaml:10: `settings.messageContains`: `yes` is not in the message: no label is named: set `required`, `denied`, `deprecated` or `protected`
            refused: no label is named: set `required`, `denied`, `deprecated` or `protected`

        0 passed, 3 failed
    "#]],
    );
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
    check(
        &folder,
        &[],
        &expect![[r#"
        exit code 1
        --- stdout ---
        FAIL  a.test.yaml: panics
        FAIL  a.test.yaml: is expected to be late

        a.test.yaml:4: panics
          review 705ab4f5-6393-11e8-b7cc-42010a800002: CREATE v1/Pod default/web
            a.test.yaml:4: the policy gave no verdict: trap
            fault (trap): in __guest_call: the guest trapped: wasm trap: wasm `unreachable` instruction executed; it had said: the policy panicked: oh dear
              at function 4 at 0xb8
            refused
            message: internal server error: in __guest_call: the guest trapped: wasm trap: wasm `unreachable` instruction executed; it had said: the policy panicked: oh dear
            code: 500
            causes
              InternalError: policy test: trap
            log
              info    panicked at policy.wat: oh dear

        a.test.yaml:5: is expected to be late
          review 705ab4f5-6393-11e8-b7cc-42010a800002: CREATE v1/Pod default/web
            a.test.yaml:6: `fault`: deadline was expected, and this came: trap
            fault (trap): in __guest_call: the guest trapped: wasm trap: wasm `unreachable` instruction executed; it had said: the policy panicked: oh dear
              at function 4 at 0xb8
            refused
            message: internal server error: in __guest_call: the guest trapped: wasm trap: wasm `unreachable` instruction executed; it had said: the policy panicked: oh dear
            code: 500
            causes
              InternalError: policy test: trap
            log
              info    panicked at policy.wat: oh dear

        0 passed, 2 failed
    "#]],
    );
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
    check(
        &folder,
        &[],
        &expect![[r#"
        exit code 3
        --- stdout ---
        ok    a.test.yaml: is right
        ERROR a.test.yaml: has no module
        ERROR a.test.yaml: is a filter
        ERROR a.test.yaml: has no mode
        ERROR a.test.yaml: has no review
        ERROR a.test.yaml: has half a review
        ERROR a.test.yaml: has half a recording

        a.test.yaml:5: has no module
          plugin `missing` (file:missing.wasm) cannot be loaded: there is no file missing.wasm
          hint: a relative path in a configuration is relative to its file; was the plugin built?

        a.test.yaml:7: is a filter
          file:guests/rust-headers/rust-headers.wasm is no policy: its module speaks proxy-wasm 0.2.1
          hint: only policies are asked about reviews; `wharf run` without --review, and cases with `plugin`, are for filters

        a.test.yaml:9: has no mode
          the module has no Kubewarden metadata and is no waPC guest: name its execution mode (`opa`, `gatekeeper` or `wasi`)
          hint: name it with --execution-mode, or with `executionMode` in a file

        a.test.yaml:11: has no review
          the review of the case: at `request`: the AdmissionReview has no request
          hint: a review is what the API server sends to webhooks, its `request` alone or some keys of it, or an object that somebody wants to create; --raw, or `raw: true` in a case, takes any JSON

        a.test.yaml:15: has half a review
          half.json: this is no AdmissionReview: at `request`: EOF while parsing an object at line 1 column 23
          hint: a review is what the API server sends to webhooks, its `request` alone or some keys of it, or an object that somebody wants to create; --raw, or `raw: true` in a case, takes any JSON

        a.test.yaml:19: has half a recording
          error: `[0]` has no `request`
           --> calls.yaml:1:3
            |
          1 | - type: Exchange
            |   ^^^^^^^^^^^^^^
            |
            = hint: is this a recording that `kwctl` or `wharf` wrote?
          hint: the case names this file

        1 passed, 0 failed, 6 could not be run
    "#]],
    );
}

#[test]
fn a_missing_file_is_told_with_its_place() {
    check(
        &table("policy: a.wasm\nreview: missing.json\ncases: [{ name: a }]\n"),
        &[],
        &expect![[r#"
            exit code 3
            --- stdout ---
            0 passed, 0 failed; 1 file is wrong
            --- stderr ---
            error: the file `missing.json` does not exist
             --> a.test.yaml:2:9
              |
            2 | review: missing.json
              |         ^^^^^^^^^^^^
              |
              = hint: the path is relative to the directory of the case file

        "#]],
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
    expect![[r#"
        policy-unique-host (kubewarden-wapc)

        settings
          valid

        review 705ab4f5-6393-11e8-b7cc-42010a800002: CREATE networking.k8s.io/v1/Ingress default/shop
          refused
          message: the host `www.example.com` belongs to the Ingress `portal` in the namespace `team-a`
          code: 409
          host calls
            kubernetes/list_resources_all {"api_version":"networking.k8s.io/v1","kind":"Ingress","field_masks":["metadata.name","metadata.namespace","spec.rules.host"]}: answered with 286 bytes
    "#]].assert_eq(&read(&folder, "golden/taken/expected.txt"));
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
