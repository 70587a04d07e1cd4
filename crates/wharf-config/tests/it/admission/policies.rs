//! `policies.yml`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use expect_test::{Expect, expect};
use serde_json::json;
use wharf_config::kubewarden::{
    ContextAwareResource, ExecutionMode, LoadedPolicies, PolicyConfig, PolicyKind, PolicyLimits, PolicyMode,
    PolicyModule, load_policies, parse_policies,
};
use wharf_plugin::{ByteSize, Reference};

use super::{ids, reasons};

/// The policies of a text that is one file.
pub(super) fn policies(text: &str) -> LoadedPolicies {
    parse_policies(text, Path::new("policies.yml")).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The only policy of a text, with nothing wrong and nothing doubtful.
fn policy(text: &str) -> PolicyConfig {
    let loaded = policies(text);
    assert_eq!(reasons(&loaded.policies.bad), "");
    assert_eq!(loaded.warnings, []);
    match loaded.policies.entries.into_iter().next().map(|entry| entry.kind) {
        Some(PolicyKind::Policy(policy)) => policy,
        other => panic!("{other:?} is not a policy"),
    }
}

/// What is said of a text as a whole, or else of its bad policies and what is doubtful.
pub(super) fn check(text: &str, expected: &Expect) {
    let seen = match parse_policies(text, Path::new("policies.yml")) {
        Ok(loaded) => {
            let warnings = loaded.warnings.iter().map(|warning| warning.render(false));
            let mut seen: Vec<String> = warnings.collect();
            seen.push(reasons(&loaded.policies.bad));
            seen.join("\n\n")
        }
        Err(errors) => errors.render(false),
    };
    expected.assert_eq(&seen);
}

#[test]
fn a_policy_with_every_key() {
    let policy = policy(
        r#"
psp:
  module: registry://ghcr.io/kubewarden/policies/psp:v0.1.7
  policyMode: monitor
  allowedToMutate: true
  settings:
    counter: 1
    items: ["a", "b", 1.5, null, true]
    nested: { key: "value", 5: five, large: 18446744073709551615, small: -9223372036854775808 }
  contextAwareResources:
    - { apiVersion: v1, kind: Pod }
    - { apiVersion: apps/v1, kind: Deployment }
    - { apiVersion: v1, kind: Pod }
  message: my own words
  timeoutEvalSeconds: 5
  hostCapabilities: ["kubernetes/*", oci/v1/verify, net/v1/dns_lookup_host]
  namespacedName: { Namespace: "", Name: psp }
  executionMode: gatekeeper
  limits: { memory: 1MiB, tableElements: 2, instances: 3, startupDeadline: 4s, stack: 64KiB }
"#,
    );
    let resource = |api_version: &str, kind: &str| ContextAwareResource {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    };
    assert_eq!(
        policy,
        PolicyConfig {
            mode: PolicyMode::Monitor,
            allowed_to_mutate: true,
            message: Some("my own words".into()),
            module: PolicyModule {
                reference: Reference::Oci("ghcr.io/kubewarden/policies/psp:v0.1.7".into()),
                execution_mode: Some(ExecutionMode::Gatekeeper),
                settings: json!({
                    "counter": 1,
                    "items": ["a", "b", 1.5, null, true],
                    "nested": { "key": "value", "5": "five", "large": u64::MAX, "small": i64::MIN },
                })
                .as_object()
                .unwrap()
                .clone(),
                context_aware_resources: BTreeSet::from([
                    resource("v1", "Pod"),
                    resource("apps/v1", "Deployment")
                ]),
                host_capabilities: vec![
                    "kubernetes/*".into(),
                    "oci/v1/verify".into(),
                    "net/v1/dns_lookup_host".into()
                ],
                timeout: Some(Duration::from_secs(5)),
                limits: PolicyLimits {
                    memory: Some(ByteSize::from_mib(1)),
                    table_elements: Some(2),
                    instances: Some(3),
                    startup_deadline: Some(Duration::from_secs(4)),
                    stack: Some(ByteSize::from_kib(64)),
                },
            },
        }
    );
}

#[test]
fn a_policy_with_nothing_but_a_module() {
    let least = policy("a: { module: ghcr.io/a/b:v1 }");
    assert_eq!(
        least,
        PolicyConfig {
            mode: PolicyMode::Protect,
            allowed_to_mutate: false,
            message: None,
            module: PolicyModule {
                reference: Reference::Oci("ghcr.io/a/b:v1".into()),
                execution_mode: None,
                settings: serde_json::Map::new(),
                context_aware_resources: BTreeSet::new(),
                host_capabilities: Vec::new(),
                timeout: None,
                limits: PolicyLimits::default(),
            },
        }
    );
    assert_eq!(
        policy(
            "a: { module: ghcr.io/a/b:v1, policyMode: ~, allowedToMutate: ~, settings: ~, contextAwareResources: ~, \
             message: ~, timeoutEvalSeconds: ~, hostCapabilities: ~, limits: ~, executionMode: ~, timeout: ~ }"
        ),
        least
    );
}

#[test]
fn our_own_timeout_has_milliseconds() {
    let policy = policy("a: { module: ghcr.io/a/b:v1, timeout: 250ms }");
    assert_eq!(policy.module.timeout, Some(Duration::from_millis(250)));
}

#[test]
fn a_group() {
    let loaded = policies(
        r#"
images:
  policies:
    signed: { module: ghcr.io/a/b:v1, settings: { image: "*" }, timeoutEvalSeconds: 3, hostCapabilities: [oci/*] }
    _not2: { module: file:///opt/c.wasm, contextAwareResources: [ { apiVersion: v1, kind: Pod } ], executionMode: opa }
  expression: "signed() || !_not2()"
  message: no
  policyMode: monitor
  timeout: 1500ms
"#,
    );
    assert_eq!(reasons(&loaded.policies.bad), "");
    assert_eq!(loaded.warnings, []);
    let PolicyKind::Group(group) = &loaded.policies.entries[0].kind else {
        panic!("a group was written")
    };
    assert_eq!(group.mode, PolicyMode::Monitor);
    assert_eq!(
        (group.expression.as_str(), group.message.as_str()),
        ("signed() || !_not2()", "no")
    );
    assert_eq!(group.timeout, Some(Duration::from_millis(1500)));
    assert!(group.members.keys().eq(["_not2", "signed"]));
    let signed = &group.members["signed"];
    assert_eq!(signed.reference, Reference::Oci("ghcr.io/a/b:v1".into()));
    assert_eq!(signed.settings["image"], "*");
    assert_eq!(signed.timeout, Some(Duration::from_secs(3)));
    assert_eq!(signed.host_capabilities, ["oci/*"]);
    let other = &group.members["_not2"];
    assert_eq!(other.context_aware_resources.len(), 1);
    assert_eq!(other.execution_mode, Some(ExecutionMode::Opa));
    assert_eq!(other.host_capabilities, [] as [String; 0]);
}

/// As the Kubewarden controller writes it into its ConfigMap: JSON in one line.
#[test]
fn what_the_controller_writes_can_be_read() {
    let json = r#"{"clusterwide-a":{"namespacedName":{"Namespace":"","Name":"a"},"module":"registry://ghcr.io/a/b:v1","policyMode":"protect","allowedToMutate":false,"settings":{"a":[1,2],"b":"\u003cx\u003e"},"hostCapabilities":["*"]},"namespaced-group-x-g":{"namespacedName":{"Namespace":"x","Name":"g"},"policyMode":"monitor","policies":{"one":{"module":"ghcr.io/a/b:v1","settings":null,"hostCapabilities":null}},"expression":"one()","message":"no"}}"#;
    let loaded = policies(json);
    assert_eq!(loaded.warnings, []);
    assert_eq!(
        ids(&loaded.policies),
        (vec!["clusterwide-a", "namespaced-group-x-g"], vec![])
    );
    assert_eq!(loaded.policies.entries[0].modules()[0].settings["b"], "<x>");
}

#[test]
fn a_file_without_policies_says_so() {
    assert_eq!(ids(&policies("{}").policies), (vec![], vec![]));
    check(
        "",
        &expect![[r#"
        error: the file is empty
         --> policies.yml:1:1
          |
        1 |
          | ^
          |
          = hint: write policies by their ids, or Kubewarden's custom resources; for no policies write `{}`"#]],
    );
    check(
        "---\n---\n~\n",
        &expect![[r#"
        error: the file is empty
         --> policies.yml:1:1
          |
        1 | ---
          | ^
          |
          = hint: write policies by their ids, or Kubewarden's custom resources; for no policies write `{}`"#]],
    );
}

#[test]
fn several_documents_are_one_set() {
    let loaded = policies("a: { module: ghcr.io/a/b }\n---\n---\nb: { module: ghcr.io/a/b }\n...\n");
    assert_eq!(ids(&loaded.policies), (vec!["a", "b"], vec![]));
    assert_eq!(loaded.policies.entries[1].source.line, 4);
}

#[test]
fn settings_that_json_or_other_readers_cannot_hold() {
    check(
        "infinite: { module: ghcr.io/a/b, settings: { n: .inf } }
large: { module: ghcr.io/a/b, settings: { n: [18446744073709551616] } }
float: { module: ghcr.io/a/b, settings: { n: 1e999 } }
octal: { module: ghcr.io/a/b, settings: { n: { m: 0644 } } }
merge: { module: ghcr.io/a/b, settings: { <<: { m: 1 } } }
",
        &expect![[r#"
            [infinite] error: JSON has no number `.inf`, and the policy is given JSON
             --> policies.yml:1:49
              |
            1 | infinite: { module: ghcr.io/a/b, settings: { n: .inf } }
              |                                                 ^^^^
              |
              = hint: put it between quotes to give it as text at policies.yml:1

            [large] error: `18446744073709551616` has more than 64 bits
             --> policies.yml:2:47
              |
            2 | large: { module: ghcr.io/a/b, settings: { n: [18446744073709551616] } }
              |                                               ^^^^^^^^^^^^^^^^^^^^
              |
              = hint: put it between quotes to give it as text at policies.yml:2

            [float] error: `1e999` is too large for a number
             --> policies.yml:3:46
              |
            3 | float: { module: ghcr.io/a/b, settings: { n: 1e999 } }
              |                                              ^^^^^
              |
              = hint: put it between quotes to give it as text at policies.yml:3

            [octal] error: `0644` is an octal number, a decimal number or text, depending on who reads it
             --> policies.yml:4:51
              |
            4 | octal: { module: ghcr.io/a/b, settings: { n: { m: 0644 } } }
              |                                                   ^^^^
              |
              = hint: put it between quotes, or remove the leading zero at policies.yml:4

            [merge] error: merge keys are not understood
             --> policies.yml:5:43
              |
            5 | merge: { module: ghcr.io/a/b, settings: { <<: { m: 1 } } }
              |                                           ^^
              |
              = hint: write the keys out; an alias (`*name`) can stand for a whole value at policies.yml:5"#]],
    );
    let policy = policy(
        "a: { module: ghcr.io/a/b, settings: { a: 0, b: 0x1F, c: 0o17, d: yes, e: '0644', f: -0, g: +5, h: 1e3 } }",
    );
    assert_eq!(
        serde_json::Value::Object(policy.module.settings),
        json!({ "a": 0, "b": 31, "c": 15, "d": "yes", "e": "0644", "f": 0, "g": 5, "h": 1000.0 })
    );
}

#[test]
fn ids_need_not_be_text_to_yaml() {
    let loaded =
        policies("5: { module: ghcr.io/a/b }\ntrue: { module: ghcr.io/a/b }\n~: { module: ghcr.io/a/b }\n");
    assert_eq!(ids(&loaded.policies), (vec!["5", "true", "~"], vec![]));
    check(
        "[a, b]: { module: ghcr.io/a/b }\nc: { module: ghcr.io/a/b }\n",
        &expect![[r#"
        error: a key is text, and this one is a list
         --> policies.yml:1:1
          |
        1 | [a, b]: { module: ghcr.io/a/b }
          | ^^^^^^
          |
          = hint: text that begins with a bracket must stand between quotes"#]],
    );
}

#[test]
fn an_id_that_comes_twice_is_served_by_nobody() {
    let text = "a: { module: ghcr.io/a/b }\nb: { module: ghcr.io/a/b }\na: { module: ghcr.io/a/c }\n";
    assert_eq!(ids(&policies(text).policies), (vec!["b"], vec!["a"]));
    check(
        text,
        &expect![[r#"
        [a] error: the key `a` is given twice
         --> policies.yml:3:1
          |
        3 | a: { module: ghcr.io/a/c }
          | ^
          |
         ::: policies.yml:1:1
          |
        1 | a: { module: ghcr.io/a/b }
          | - first given here
          |
          = hint: remove one of the two at policies.yml:1"#]],
    );
    let documents = "a: { module: ghcr.io/a/b }\n---\na: { module: 7 }\n---\na: { module: ghcr.io/a/b }\n";
    assert_eq!(ids(&policies(documents).policies), (vec![], vec!["a"]));
    check(
        documents,
        &expect![[r#"
        [a] error: two policies have the id `a`
         --> policies.yml:3:1
          |
        3 | a: { module: 7 }
          | ^
          |
         ::: policies.yml:1:1
          |
        1 | a: { module: ghcr.io/a/b }
          | - the first of them
          |
          = hint: remove one of the two, or give it another name

        error: `a.module` is to be a module such as `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0`, and this is a number
         --> policies.yml:3:14
          |
        3 | a: { module: 7 }
          |              ^
          |
          = hint: write for example `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0`

        error: two policies have the id `a`
         --> policies.yml:5:1
          |
        5 | a: { module: ghcr.io/a/b }
          | ^
          |
         ::: policies.yml:1:1
          |
        1 | a: { module: ghcr.io/a/b }
          | - the first of them
          |
          = hint: remove one of the two, or give it another name at policies.yml:3"#]],
    );
}

#[test]
fn an_id_that_is_in_two_files_is_served_by_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(
        at("one.yml"),
        "a: { module: ghcr.io/a/b }\nb: { module: ghcr.io/a/b }\n",
    )
    .unwrap();
    std::fs::write(
        at("two.yml"),
        "c: { module: ghcr.io/a/b }\na: { module: ghcr.io/a/b, typo: 1 }\n",
    )
    .unwrap();
    let loaded = load_policies(&[at("one.yml"), at("two.yml")]).unwrap();
    assert_eq!(ids(&loaded.policies), (vec!["b", "c"], vec!["a"]));
    let said = reasons(&loaded.policies.bad).replace(&format!("{}/", directory.path().display()), "DIR/");
    expect![[r#"
        [a] warning: unknown key `typo` in `a`
         --> DIR/two.yml:2:27
          |
        2 | a: { module: ghcr.io/a/b, typo: 1 }
          |                           ^^^^
          |
          = hint: the keys here are `module`, `policyMode`, `allowedToMutate`, `settings`, `contextAwareResources`, `hostCapabilities`, `message`, `timeoutEvalSeconds`, `timeout`, `executionMode`, `limits`, `namespacedName`

        error: two policies have the id `a`
         --> DIR/two.yml:2:1
          |
        2 | a: { module: ghcr.io/a/b, typo: 1 }
          | ^
          |
          = hint: the other one is at DIR/one.yml:1; remove one of the two, or give it another name at DIR/two.yml:2"#]].assert_eq(&said);
}

#[test]
fn files_that_cannot_be_read_are_all_named() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("broken.yml"), "a: [\n").unwrap();
    std::fs::write(at("large.yml"), " ".repeat((1 << 20) + 1)).unwrap();
    let errors = load_policies(&[at("missing.yml"), at("broken.yml"), at("large.yml")]).unwrap_err();
    super::check_errors(
        &errors,
        directory.path(),
        &expect![[r#"
        error: the policy file cannot be read: No such file or directory (os error 2)
        --> DIR/missing.yml
         = hint: check the path

        error: this is not valid YAML: unclosed bracket '['
         --> DIR/broken.yml:1:4
          |
        1 | a: [
          |    ^
          |
          = hint: look for a missing comma or closing bracket

        error: the policy file is larger than 1 MiB
        --> DIR/large.yml
         = hint: is this the right file?"#]],
    );
}
