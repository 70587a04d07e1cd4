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
        &expect![[r#"
            error: `cases[0]` has no `review`
             --> labels.test.yaml:3:16
              |
            3 |   - { name: a, operation: validate, expect: { allowed: true } }
              |                ^^^^^^^^^
              |
              = hint: add `review:` with the path of a review, or an object

            error: `cases[0].expect.allowed` cannot be: the case has no review, so that there will be no verdict
             --> labels.test.yaml:3:47
              |
            3 |   - { name: a, operation: validate, expect: { allowed: true } }
              |                                               ^^^^^^^
              |
              = hint: remove it, or put it into a case of its own"#]],
    );
    check(
        "policy: a.wasm\nreview: { a: 1 }\ncases:\n  - name: a\n    expect: { settings: { valid: false }, allowed: false }\n  \
         - name: b\n    expect: { loadErrorContains: [x], fault: trap }\n",
        &expect![[r#"
            error: `cases[0].expect.allowed` cannot be: the policy is expected to refuse its settings, and then it gets no review
             --> labels.test.yaml:5:43
              |
            5 |     expect: { settings: { valid: false }, allowed: false }
              |                                           ^^^^^^^
              |
              = hint: remove it, or put it into a case of its own

            error: `cases[1].expect.fault` cannot be: the policy is expected not to load, and then it is asked nothing
             --> labels.test.yaml:7:39
              |
            7 |     expect: { loadErrorContains: [x], fault: trap }
              |                                       ^^^^^
              |
              = hint: remove it, or put it into a case of its own"#]],
    );
    check(
        "policy: a.wasm\ngroup: { expression: a(), message: x, policies: {} }\ncases: [{ name: a }]\n",
        &expect![[r#"
            error: there is both a `policy` and a `group`
             --> labels.test.yaml:2:1
              |
            2 | group: { expression: a(), message: x, policies: {} }
              | ^^^^^
              |
             ::: labels.test.yaml:1:1
              |
            1 | policy: a.wasm
              | ------ the policy
              |
              = hint: put one of the two into a file of its own, or into the cases that need it

            error: `group.policies` has no members
             --> labels.test.yaml:2:39
              |
            2 | group: { expression: a(), message: x, policies: {} }
              |                                       ^^^^^^^^
              |
              = hint: a group needs at least one policy"#]],
    );
}

#[test]
fn calls_of_the_host_are_those_that_there_are() {
    check(
        "policy: a.wasm\ncalls:\n  - { call: kubernetes/get_resources, answer: 1 }\n  - { call: kubernetes/can_i }\n  \
         - { call: kubernetes/can_i, answer: 1, error: x }\n  - { call: kubernetes/can_i, request: 5, answer: 1 }\n\
         cases:\n  - { name: a, expect: { hostCalls: [dns] } }\n",
        &expect![[r#"
            error: `kubernetes/get_resources` is no call of a host
             --> labels.test.yaml:3:13
              |
            3 |   - { call: kubernetes/get_resources, answer: 1 }
              |             ^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: did you mean `kubernetes/get_resource`?

            error: `calls[1]` has neither an `answer` nor an `error`
             --> labels.test.yaml:4:5
              |
            4 |   - { call: kubernetes/can_i }
              |     ^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: a call is answered with `answer`, or it fails with the text of `error`

            error: `calls[2]` has both an `answer` and an `error`
             --> labels.test.yaml:5:5
              |
            5 |   - { call: kubernetes/can_i, answer: 1, error: x }
              |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: a call is answered with `answer`, or it fails with the text of `error`

            error: `calls[3].request` is to be a mapping, and this is a number
             --> labels.test.yaml:6:40
              |
            6 |   - { call: kubernetes/can_i, request: 5, answer: 1 }
              |                                        ^
              |
              = hint: write `key: value`, with a space behind the colon

            error: `dns` is no call of a host
             --> labels.test.yaml:8:38
              |
            8 |   - { name: a, expect: { hostCalls: [dns] } }
              |                                      ^^^
              |
              = hint: write the namespace and the operation, such as `kubernetes/get_resource`"#]],
    );
}

#[test]
fn values_of_another_kind_are_told() {
    check(
        "policy: a.wasm\nsettings: [1]\nexecutionMode: rego\nhostCapabilities: [kubernetes]\ncases:\n  - name: a\n    \
         review: { a: 1 }\n    expect: { code: 42, patch: [{ op: put, path: /a }, 7], fault: crash, object: .inf, messages: [] }\n",
        &expect![[r#"
            error: `settings` is to be the path of a file or a mapping, and this is a list
             --> labels.test.yaml:2:11
              |
            2 | settings: [1]
              |           ^^^
              |
              = hint: write the path of a file or a mapping

            error: `executionMode` cannot be `rego`
             --> labels.test.yaml:3:16
              |
            3 | executionMode: rego
              |                ^^^^
              |
              = hint: write `kubewarden-wapc`, `wasi`, `opa` or `gatekeeper`

            error: `kubernetes` allows no host capability
             --> labels.test.yaml:4:20
              |
            4 | hostCapabilities: [kubernetes]
              |                    ^^^^^^^^^^
              |
              = hint: write `kubernetes/*` for all below it

            error: `cases[0].expect.code` cannot be `42`
             --> labels.test.yaml:8:21
              |
            8 |     expect: { code: 42, patch: [{ op: put, path: /a }, 7], fault: crash, object: .inf, messages: [] }
              |                     ^^
              |
              = hint: it goes from 100 to 599

            error: `cases[0].expect.patch[0]` is no operation of a JSON Patch
             --> labels.test.yaml:8:33
              |
            8 |     expect: { code: 42, patch: [{ op: put, path: /a }, 7], fault: crash, object: .inf, messages: [] }
              |                                 ^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: write for example `{ op: add, path: /metadata/labels/team, value: a }`

            error: `cases[0].expect.patch[1]` is no operation of a JSON Patch
             --> labels.test.yaml:8:56
              |
            8 |     expect: { code: 42, patch: [{ op: put, path: /a }, 7], fault: crash, object: .inf, messages: [] }
              |                                                        ^
              |
              = hint: write for example `{ op: add, path: /metadata/labels/team, value: a }`

            error: `cases[0].expect.fault` cannot be `crash`
             --> labels.test.yaml:8:67
              |
            8 |     expect: { code: 42, patch: [{ op: put, path: /a }, 7], fault: crash, object: .inf, messages: [] }
              |                                                                   ^^^^^
              |
              = hint: write `deadline`, `trap`, `memory`, `guest_error`, `bad_reply`, `exit`, `output`, `patch`, `protocol`, `context`, `bad_request`, `unsupported`, `table`, `stack`, `missing_export`, `wrong_signature` or `instances`

            error: JSON has no number `.inf`, and the policy is given JSON
             --> labels.test.yaml:8:82
              |
            8 |     expect: { code: 42, patch: [{ op: put, path: /a }, 7], fault: crash, object: .inf, messages: [] }
              |                                                                                  ^^^^
              |
              = hint: put it between quotes to give it as text

            error: unknown key `messages` in `cases[0].expect`
             --> labels.test.yaml:8:88
              |
            8 |     expect: { code: 42, patch: [{ op: put, path: /a }, 7], fault: crash, object: .inf, messages: [] }
              |                                                                                        ^^^^^^^^
              |
              = hint: did you mean `message`? the keys here are `allowed`, `message`, `messageContains`, `code`, `reason`, `causes`, `patch`, `object`, `objectContains`, `warnings`, `auditAnnotations`, `fault`, `settings`, `loadErrorContains`, `log`, `logContains`, `hostCalls`, `refusedCalls`"#]],
    );
    check(
        "cases:\n  - { name: a, policy: a.wasm }\n  - { name: a, plugin: b.wasm }\n",
        &expect![[r#"
            error: `cases[1]` has no `policy`
             --> labels.test.yaml:3:5
              |
            3 |   - { name: a, plugin: b.wasm }
              |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: add `policy: ../labels.wasm`, here or at the top of the file for all cases

            error: two cases are called `a`
             --> labels.test.yaml:3:13
              |
            3 |   - { name: a, plugin: b.wasm }
              |             ^
              |
             ::: labels.test.yaml:2:13
              |
            2 |   - { name: a, policy: a.wasm }
              |             - the first one
              |
              = hint: say in the name what is special about each

            error: unknown key `plugin` in `cases[1]`
             --> labels.test.yaml:3:16
              |
            3 |   - { name: a, plugin: b.wasm }
              |                ^^^^^^
              |
              = hint: the keys here are `name`, `operation`, `expect`, `policy`, `group`, `executionMode`, `settings`, `review`, `raw`, `contextAwareResources`, `hostCapabilities`, `calls`, `replay`, `deployed`, `limits`, `clock`, `random`"#]],
    );
}
