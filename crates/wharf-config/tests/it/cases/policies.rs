//! Cases of policies: what they may say, and how each mistake is told.

use std::path::Path;
use std::time::Duration;

use expect_test::{Expect, expect};
use serde_json::json;
use wharf_config::cases::{
    self, Cases, Clock, Form, Input, Judge, JudgingPolicy, Placed, PolicyCase, Randomness,
};
use wharf_config::kubewarden::{ExecutionMode, PolicyMode};
use wharf_plugin::{ByteSize, Reference};

/// A table that uses every key.
pub(super) const EVERYTHING: &str = include_str!("policies.test.yaml");

fn parse(text: &str) -> Vec<PolicyCase> {
    match cases::parse(text, Path::new("tests/labels.test.yaml"), Form::Table) {
        Ok(Cases::Policies(cases)) => cases,
        Ok(Cases::Filters(cases)) => panic!("cases of filters: {cases:?}"),
        Err(errors) => panic!("{errors}"),
    }
}

fn check(text: &str, expected: &Expect) {
    let errors =
        cases::parse(text, Path::new("labels.test.yaml"), Form::Table).expect_err("the file is wrong");
    expected.assert_eq(&errors.render(false));
}

fn policy(case: &PolicyCase) -> &JudgingPolicy {
    match &case.setup.judge {
        Judge::Policy(policy) => policy,
        other => panic!("{other:?}"),
    }
}

fn text(json: &str) -> Input {
    Input::Json(json.to_owned())
}

#[test]
fn the_smallest_table() {
    let cases = parse("policy: ../labels.wasm\ncases:\n  - name: takes no settings\n");
    let [case] = &cases[..] else { panic!("{cases:?}") };
    assert_eq!(
        (case.name.as_str(), case.line, &case.review),
        ("takes no settings", 3, &None)
    );
    let JudgingPolicy {
        module,
        settings,
        execution_mode,
        ..
    } = policy(case);
    assert_eq!(module, &Reference::File("tests/../labels.wasm".into()));
    assert_eq!((settings, execution_mode), (&text("{}"), &None));
    let setup = &case.setup;
    assert_eq!(
        (setup.clock, setup.random),
        (Clock::Fixed(1_735_689_600_000_000_000), Randomness::Seeded)
    );
    assert_eq!(setup.limits.deadline, Duration::from_secs(10));
    assert_eq!(setup.limits.memory, ByteSize::from_mib(256));
    assert!(!setup.raw && setup.deployed.is_none() && setup.calls.is_empty());
}

#[test]
fn a_file_is_about_policies_where_the_file_or_a_case_names_one() {
    let is_about_policies =
        |text: &str, form| matches!(cases::parse(text, Path::new("x"), form), Ok(Cases::Policies(_)));
    assert!(is_about_policies(
        "cases: [{ name: a, policy: a.wasm }]",
        Form::Table
    ));
    assert!(is_about_policies("policy: a.wasm", Form::Golden));
    let group = "group: { expression: a(), message: x, policies: { a: { policy: a.wasm } } }";
    assert!(is_about_policies(group, Form::Golden));
    assert!(!is_about_policies("plugin: a.wasm", Form::Golden));
}

#[test]
fn every_key_is_read() {
    let cases = parse(EVERYTHING);
    let [case, nothing, settings, broken, group] = &cases[..] else {
        panic!("{cases:?}")
    };
    let JudgingPolicy {
        execution_mode,
        settings: given,
        context_aware_resources,
        host_capabilities,
        ..
    } = policy(case);
    assert_eq!(*execution_mode, Some(ExecutionMode::Opa));
    assert_eq!(given, &text(r#"{"required":["team"],"size":1.50}"#));
    assert_eq!(context_aware_resources.len(), 1);
    assert_eq!(host_capabilities, &["kubernetes/get_resource", "oci/*"]);
    let [answer, error] = &case.setup.calls[..] else {
        panic!("{:?}", case.setup.calls)
    };
    assert_eq!(
        (answer.call, &answer.answer),
        (
            "kubernetes/get_resource",
            &Ok(r#"{"kind":"Namespace"}"#.to_owned())
        )
    );
    assert_eq!(answer.request["name"], json!("default"));
    assert_eq!(error.answer, Err("there is no such host".to_owned()));
    assert_eq!(case.setup.replay.as_deref(), Some(Path::new("tests/calls.yaml")));
    let deployed = case.setup.deployed.as_ref().unwrap();
    assert_eq!(
        (deployed.mode, deployed.allowed_to_mutate),
        (PolicyMode::Monitor, true)
    );
    assert_eq!(case.setup.limits.deadline, Duration::from_millis(50));

    let expect = &case.expect;
    let line = |part: &str| EVERYTHING.lines().position(|line| line.contains(part)).unwrap() + 1;
    assert_eq!(
        expect.allowed,
        Some(Placed {
            line: line("allowed: false"),
            value: false
        })
    );
    assert_eq!(expect.code.as_ref().unwrap().value, Some(422));
    assert_eq!(expect.reason.as_ref().unwrap().value, None);
    assert_eq!(expect.patch.as_ref().unwrap().value.len(), 2);
    assert_eq!(expect.object.as_ref().unwrap().value, json!({ "a": [1, null] }));
    let calls = &expect.host_calls.as_ref().unwrap().value;
    assert_eq!(calls[1].request["image"], json!("a"));

    assert_eq!(
        nothing.review.as_ref().unwrap().value,
        Input::File("tests/../pod.json".into())
    );
    assert_eq!(
        policy(nothing).settings,
        Input::File("tests/settings.yaml".into())
    );
    assert_eq!(
        nothing.expect.patch.as_ref().unwrap().value,
        Vec::<serde_json::Value>::new()
    );
    assert_eq!(nothing.expect.message.as_ref().unwrap().value, None);
    assert_eq!(settings.review, None);
    assert!(settings.expect.settings.ends_the_case());
    assert_eq!(broken.expect.load_error_contains[0].value, "http.send");
    let Judge::Group {
        members, expression, ..
    } = &group.setup.judge
    else {
        panic!("{group:?}")
    };
    assert_eq!((expression.as_str(), members.len()), ("a() || !b()", 2));
    assert_eq!(members["b"].execution_mode, Some(ExecutionMode::Gatekeeper));
}

#[test]
fn what_cannot_be_is_told() {
    check(
        "policy: a.wasm\ncases:\n  - { name: a, operation: validate, expect: { allowed: true } }\n",
        &expect![[""]],
    );
    check(
        "policy: a.wasm\nreview: { a: 1 }\ncases:\n  - name: a\n    expect: { settings: { valid: false }, allowed: false }\n  \
         - name: b\n    expect: { loadErrorContains: [x], fault: trap }\n",
        &expect![[""]],
    );
    check(
        "policy: a.wasm\ngroup: { expression: a(), message: x, policies: {} }\ncases: [{ name: a }]\n",
        &expect![[""]],
    );
}

#[test]
fn calls_of_the_host_are_those_that_there_are() {
    check(
        "policy: a.wasm\ncalls:\n  - { call: kubernetes/get_resources, answer: 1 }\n  - { call: kubernetes/can_i }\n  \
         - { call: kubernetes/can_i, answer: 1, error: x }\n  - { call: kubernetes/can_i, request: 5, answer: 1 }\n\
         cases:\n  - { name: a, expect: { hostCalls: [dns] } }\n",
        &expect![[""]],
    );
}

#[test]
fn values_of_another_kind_are_told() {
    check(
        "policy: a.wasm\nsettings: [1]\nexecutionMode: rego\nhostCapabilities: [kubernetes]\ncases:\n  - name: a\n    \
         review: { a: 1 }\n    expect: { code: 42, patch: [{ op: put, path: /a }, 7], fault: crash, object: .inf, messages: [] }\n",
        &expect![[""]],
    );
    check(
        "cases:\n  - { name: a, policy: a.wasm }\n  - { name: a, plugin: b.wasm }\n",
        &expect![[""]],
    );
}
