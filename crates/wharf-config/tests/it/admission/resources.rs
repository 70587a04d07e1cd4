//! Kubewarden's custom resources.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;
use wharf_config::kubewarden::{PolicyKind, PolicyMode, ResourceKind};
use wharf_plugin::Reference;

use super::policies::{check, policies};
use super::{ids, reasons};

/// One of each kind, as people apply them.
const RESOURCES: &str = r#"
apiVersion: policies.kubewarden.io/v1
kind: ClusterAdmissionPolicy
metadata:
  name: psp.capabilities
  labels: { team: x }
  annotations: { io.kubewarden.policy.severity: high }
spec:
  policyServer: reserved
  module: registry://ghcr.io/kubewarden/policies/capabilities-psp:v0.1.9
  rules:
    - apiGroups: ["", apps]
      apiVersions: [v1]
      resources: [pods, deployments/scale]
      operations: [CREATE, UPDATE]
      scope: Namespaced
    - { apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], operations: ["*"] }
  mode: monitor
  mutating: true
  settings: { allowed: [CHOWN] }
  contextAwareResources: [ { apiVersion: v1, kind: Namespace } ]
  message: no
  timeoutSeconds: 15
  timeoutEvalSeconds: 12
  failurePolicy: Ignore
  matchPolicy: Exact
  matchConditions: [ { name: not-leases, expression: "request.resource.resource != 'leases'" } ]
  namespaceSelector: { matchExpressions: [ { key: env, operator: NotIn, values: [dev, test] } ] }
  objectSelector: { matchLabels: { app: web }, matchExpressions: [ { key: skip, operator: DoesNotExist } ] }
  sideEffects: NoneOnDryRun
  backgroundAudit: false
  allowInsideAdmissionControllerNamespace: true
status: { policyStatus: active }
---
apiVersion: policies.kubewarden.io/v1alpha2
kind: AdmissionPolicy
metadata: { name: labels, namespace: shop }
spec:
  module: ghcr.io/a/b:v1
  mutating: false
  rules: [ { apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE], scope: Cluster } ]
  settings:
  message: ""
---
apiVersion: policies.kubewarden.io/v1
kind: ClusterAdmissionPolicyGroup
metadata: { name: images }
spec:
  rules: [ { apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE] } ]
  policies:
    alice: { module: ghcr.io/a/b:v1, settings: { k: v }, timeoutEvalSeconds: 4, contextAwareResources: [ { apiVersion: v1, kind: Pod } ] }
    bob: { module: ghcr.io/a/c:v1, timeoutEvalSeconds: 6 }
  expression: alice() || bob()
  message: not signed
---
apiVersion: policies.kubewarden.io/v1
kind: AdmissionPolicyGroup
metadata: { name: images, namespace: shop }
spec:
  rules: [ { apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE] } ]
  policies: { alice: { module: ghcr.io/a/b:v1 } }
  expression: alice()
  message: not signed
"#;

#[test]
fn the_ids_are_those_of_the_controller() {
    let loaded = policies(RESOURCES);
    assert_eq!(reasons(&loaded.policies.bad), "");
    assert_eq!(loaded.warnings, []);
    assert_eq!(
        ids(&loaded.policies),
        (
            vec![
                "clusterwide-psp.capabilities",
                "namespaced-shop-labels",
                "clusterwide-group-images",
                "namespaced-group-shop-images",
            ],
            vec![]
        )
    );
    let sources: Vec<String> = loaded
        .policies
        .entries
        .iter()
        .map(|entry| entry.source.to_string())
        .collect();
    assert_eq!(
        sources,
        [
            "policies.yml:5",
            "policies.yml:37",
            "policies.yml:47",
            "policies.yml:58"
        ]
    );
}

#[test]
fn a_policy_of_the_cluster() {
    let entry = policies(RESOURCES).policies.entries.remove(0);
    let PolicyKind::Policy(policy) = &entry.kind else {
        panic!("it is a policy")
    };
    assert_eq!(policy.mode, PolicyMode::Monitor);
    assert!(policy.allowed_to_mutate);
    assert_eq!(policy.message.as_deref(), Some("no"));
    let module = &policy.module;
    assert_eq!(
        module.reference,
        Reference::Oci("ghcr.io/kubewarden/policies/capabilities-psp:v0.1.9".into())
    );
    assert_eq!(json!(module.settings), json!({ "allowed": ["CHOWN"] }));
    assert_eq!(
        json!(module.context_aware_resources),
        json!([{ "apiVersion": "v1", "kind": "Namespace" }])
    );
    assert_eq!(module.host_capabilities, ["*"]);
    assert_eq!(module.timeout, Some(Duration::from_secs(12)));
    let resource = entry.resource.expect("it was written as a resource");
    assert_eq!(resource.kind, ResourceKind::ClusterAdmissionPolicy);
    assert_eq!(
        (resource.name.as_str(), resource.namespace),
        ("psp.capabilities", None)
    );
    assert_eq!(resource.policy_server, "reserved");
    assert!(!resource.background_audit && resource.allow_inside_admission_controller_namespace);
    expect![[r#"
        {
          "rules": [
            {
              "operations": [
                "CREATE",
                "UPDATE"
              ],
              "apiGroups": [
                "",
                "apps"
              ],
              "apiVersions": [
                "v1"
              ],
              "resources": [
                "pods",
                "deployments/scale"
              ],
              "scope": "Namespaced"
            },
            {
              "operations": [
                "*"
              ],
              "apiGroups": [
                "*"
              ],
              "apiVersions": [
                "*"
              ],
              "resources": [
                "*/*"
              ]
            }
          ],
          "failurePolicy": "Ignore",
          "matchPolicy": "Exact",
          "namespaceSelector": {
            "matchExpressions": [
              {
                "key": "env",
                "operator": "NotIn",
                "values": [
                  "dev",
                  "test"
                ]
              }
            ]
          },
          "objectSelector": {
            "matchLabels": {
              "app": "web"
            },
            "matchExpressions": [
              {
                "key": "skip",
                "operator": "DoesNotExist"
              }
            ]
          },
          "matchConditions": [
            {
              "name": "not-leases",
              "expression": "request.resource.resource != 'leases'"
            }
          ],
          "sideEffects": "NoneOnDryRun",
          "timeoutSeconds": 15
        }"#]]
    .assert_eq(&format!("{:#}", json!(resource.webhook)));
}

#[test]
fn a_policy_of_a_namespace_is_only_for_that_namespace() {
    let entry = policies(RESOURCES).policies.entries.remove(1);
    let PolicyKind::Policy(policy) = &entry.kind else {
        panic!("it is a policy")
    };
    assert_eq!(
        (policy.mode, policy.allowed_to_mutate),
        (PolicyMode::Protect, false)
    );
    assert_eq!((&policy.message, policy.module.settings.len()), (&None, 0));
    assert_eq!(policy.module.timeout, None);
    assert!(policy.module.context_aware_resources.is_empty());
    let resource = entry.resource.expect("it was written as a resource");
    assert_eq!(resource.namespace.as_deref(), Some("shop"));
    assert_eq!(resource.policy_server, "default");
    assert!(resource.background_audit && !resource.allow_inside_admission_controller_namespace);
    expect![[r#"
        {
          "rules": [
            {
              "operations": [
                "CREATE"
              ],
              "apiGroups": [
                ""
              ],
              "apiVersions": [
                "v1"
              ],
              "resources": [
                "pods"
              ],
              "scope": "Namespaced"
            }
          ],
          "namespaceSelector": {
            "matchLabels": {
              "kubernetes.io/metadata.name": "shop"
            }
          },
          "sideEffects": "None",
          "timeoutSeconds": 10
        }"#]]
    .assert_eq(&format!("{:#}", json!(resource.webhook)));
}

#[test]
fn groups() {
    let entries = policies(RESOURCES).policies.entries;
    let PolicyKind::Group(cluster) = &entries[2].kind else {
        panic!("it is a group")
    };
    assert_eq!((cluster.mode, cluster.timeout), (PolicyMode::Protect, None));
    assert_eq!(
        (cluster.expression.as_str(), cluster.message.as_str()),
        ("alice() || bob()", "not signed")
    );
    let alice = &cluster.members["alice"];
    assert_eq!(json!(alice.settings), json!({ "k": "v" }));
    assert_eq!(alice.timeout, Some(Duration::from_secs(4)));
    assert_eq!(
        (
            alice.context_aware_resources.len(),
            alice.host_capabilities.join(" ")
        ),
        (1, "*".into())
    );
    let PolicyKind::Group(namespaced) = &entries[3].kind else {
        panic!("it is a group")
    };
    assert!(namespaced.members["alice"].context_aware_resources.is_empty());
    let selector = entries[3]
        .resource
        .as_ref()
        .unwrap()
        .webhook
        .namespace_selector
        .as_ref()
        .unwrap();
    assert_eq!(selector.match_labels["kubernetes.io/metadata.name"], "shop");
}

/// As `kubectl get --output yaml` prints it.
#[test]
fn a_list_is_what_is_in_it() {
    let items: String = RESOURCES
        .split("---\n")
        .map(|document| {
            let document = document.trim_start();
            format!("- {}", document.replace('\n', "\n  ").trim_end())
        })
        .map(|item| format!("{item}\n"))
        .collect();
    let list = format!("apiVersion: v1\nkind: List\nmetadata: {{ resourceVersion: '' }}\nitems:\n{items}");
    let listed = policies(&list);
    assert_eq!(reasons(&listed.policies.bad), "");
    assert_eq!(ids(&listed.policies), ids(&policies(RESOURCES).policies));
    check(
        "apiVersion: policies.kubewarden.io/v1\nkind: AdmissionPolicyList\nitems: []\n",
        &expect![[""]],
    );
    check(
        "apiVersion: v1\nkind: List\nitems: [ { kind: AdmissionPolicy }, 5 ]\n",
        &expect![[r#"
            error: this resource has no `apiVersion`
             --> policies.yml:3:10
              |
            3 | items: [ { kind: AdmissionPolicy }, 5 ]
              |          ^
              |
              = hint: write for example `apiVersion: policies.kubewarden.io/v1`

            error: `items[1]` is to be a mapping, and this is a number
             --> policies.yml:3:37
              |
            3 | items: [ { kind: AdmissionPolicy }, 5 ]
              |                                     ^
              |
              = hint: write `key: value`, with a space behind the colon"#]],
    );
    check(
        "apiVersion: v1\nkind: List\nitems: 5\n",
        &expect![[r#"
        error: `items` is to be a list, and this is a number
         --> policies.yml:3:8
          |
        3 | items: 5
          |        ^
          |
          = hint: write `["5"]`"#]],
    );
    check(
        "apiVersion: v1\nkind: List\n",
        &expect![[r#"
        error: this list has no `items`
         --> policies.yml:1:1
          |
        1 | apiVersion: v1
          | ^
          |
          = hint: write `items: []` for an empty list"#]],
    );
}

#[test]
fn both_forms_may_stand_in_one_file() {
    let loaded = policies(&format!("{RESOURCES}---\nplain: {{ module: ghcr.io/a/b:v1 }}\n"));
    assert_eq!(loaded.policies.entries.len(), 5);
    assert_eq!(loaded.policies.entries[4].id, "plain");
}

/// A resource with these lines.
pub(super) fn resource(kind: &str, metadata: &str, spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: policies.kubewarden.io/v1\nkind: {kind}\nmetadata: {metadata}\nspec:\n{spec}---\n")
}

pub(super) const LEAST: &str = "module: ghcr.io/a/b:v1
mutating: false
rules: [ { apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE] } ]
";

#[test]
fn versions() {
    let with = |version: &str, text: &str| {
        text.replace(
            "policies.kubewarden.io/v1",
            &format!("policies.kubewarden.io/{version}"),
        )
    };
    let policy = resource("ClusterAdmissionPolicy", "{ name: a }", LEAST);
    assert_eq!(
        ids(&policies(&with("v1alpha2", &policy)).policies),
        (vec!["clusterwide-a"], vec![])
    );
    check(
        &with("v2", &policy),
        &expect![[r#"
        [clusterwide-a] error: `v2` is not a version in which this kind is understood
         --> policies.yml:1:13
          |
        1 | apiVersion: policies.kubewarden.io/v2
          |             ^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = hint: write `apiVersion: policies.kubewarden.io/v1` at policies.yml:3"#]],
    );
    let group = resource(
        "ClusterAdmissionPolicyGroup",
        "{ name: a }",
        &format!(
            "{}policies: {{ a: {{ module: ghcr.io/a/b }} }}\nexpression: a()\nmessage: no",
            LEAST
                .split_once("rules")
                .map(|(_, rules)| format!("rules{rules}"))
                .unwrap()
        ),
    );
    assert_eq!(
        ids(&policies(&group).policies),
        (vec!["clusterwide-group-a"], vec![])
    );
    check(
        &with("v1alpha2", &group),
        &expect![[r#"
        [clusterwide-group-a] error: `v1alpha2` is not a version in which this kind is understood
         --> policies.yml:1:13
          |
        1 | apiVersion: policies.kubewarden.io/v1alpha2
          |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = hint: write `apiVersion: policies.kubewarden.io/v1` at policies.yml:3"#]],
    );
}

/// kubectl reads YAML 1.1.
#[test]
fn words_that_kubectl_reads_otherwise_are_refused() {
    check(
        &[
            resource("ClusterAdmissionPolicy", "{ name: yes }", LEAST),
            resource(
                "ClusterAdmissionPolicy",
                "{ name: a }",
                &format!("{LEAST}settings: {{ a: [ {{ b: Yes }} ] }}"),
            ),
            resource(
                "ClusterAdmissionPolicy",
                "{ name: b }",
                &format!("{LEAST}settings: {{ a: off }}"),
            ),
            resource(
                "ClusterAdmissionPolicy",
                "{ name: c }",
                &format!("{LEAST}settings: {{ a: 'off', b: offer }}"),
            ),
        ]
        .concat(),
        &expect![[r#"
            [clusterwide-a] error: `Yes` is a truth value for kubectl and text for others
              --> policies.yml:16:25
               |
            16 |   settings: { a: [ { b: Yes } ] }
               |                         ^^^
               |
               = hint: write `true` or `false`, or put it between quotes at policies.yml:11

            [clusterwide-b] error: `off` is a truth value for kubectl and text for others
              --> policies.yml:25:18
               |
            25 |   settings: { a: off }
               |                  ^^^
               |
               = hint: write `true` or `false`, or put it between quotes at policies.yml:20"#]],
    );
}

/// The ids of some resources are the same although their names are not; the controller does not notice.
#[test]
fn resources_with_the_same_id_are_bad() {
    let text = [
        resource("AdmissionPolicy", "{ namespace: a-b, name: c }", LEAST),
        resource("AdmissionPolicy", "{ namespace: a, name: b-c }", LEAST),
        resource("ClusterAdmissionPolicy", "{ name: d }", LEAST),
    ]
    .concat();
    assert_eq!(
        ids(&policies(&text).policies),
        (vec!["clusterwide-d"], vec!["namespaced-a-b-c"])
    );
    check(
        &text,
        &expect![[r#"
        [namespaced-a-b-c] error: two policies have the id `namespaced-a-b-c`
          --> policies.yml:11:33
           |
        11 | metadata: { namespace: a, name: b-c }
           |                                 ^^^
           |
          ::: policies.yml:3:35
           |
         3 | metadata: { namespace: a-b, name: c }
           |                                   - the first of them
           |
           = hint: remove one of the two, or give it another name at policies.yml:11"#]],
    );
}

#[test]
fn a_key_that_is_given_twice_concerns_only_its_own_document() {
    let text = [
        resource("ClusterAdmissionPolicy", "{ name: a, name: b }", LEAST),
        resource("ClusterAdmissionPolicy", "{ name: c }", LEAST),
        format!(
            "{}spec: {{}}\n",
            resource("ClusterAdmissionPolicy", "{ name: d }", LEAST).replace("---\n", "")
        ),
    ]
    .concat();
    assert_eq!(
        ids(&policies(&text).policies),
        (vec!["clusterwide-c"], vec!["clusterwide-a", "clusterwide-d"])
    );
    check(
        &text,
        &expect![[r#"
        [clusterwide-a] error: the key `name` is given twice
         --> policies.yml:3:22
          |
        3 | metadata: { name: a, name: b }
          |             ----     ^^^^
          |             |
          |             first given here
          |
          = hint: remove one of the two at policies.yml:3

        [clusterwide-d] error: the key `spec` is given twice
          --> policies.yml:24:1
           |
        24 | spec: {}
           | ^^^^
           |
          ::: policies.yml:20:1
           |
        20 | spec:
           | ---- first given here
           |
           = hint: remove one of the two at policies.yml:19"#]],
    );
}
