//! What is wrong with custom resources, and what their authors are told.

use expect_test::expect;

use super::policies::check;
use super::resources::{LEAST, resource};

#[test]
fn what_is_no_policy_is_passed_over_but_not_what_could_be_one() {
    check(
        "apiVersion: v1
kind: Namespace
metadata: { name: kubewarden }
---
apiVersion: policies.kubewarden.io/v1
kind: PolicyServer
metadata: { name: default }
",
        &expect![[r#"
            warning: `Namespace` is not a policy
             --> policies.yml:2:7
              |
            2 | kind: Namespace
              |       ^^^^^^^^^
              |
              = hint: it is passed over

            warning: `PolicyServer` of `policies.kubewarden.io` is not a policy
             --> policies.yml:6:7
              |
            6 | kind: PolicyServer
              |       ^^^^^^^^^^^^
              |
              = hint: it is passed over

        "#]],
    );
    check(
        "apiVersion: policies.kubewarden.io/v1
kind: ClusterAdmisionPolicy
metadata: { name: a }
---
apiVersion: policies.kubewarden.io/v1
kind: Something
---
kind: AdmissionPolicy
---
apiVersion: policies.kubewarden.io/v1
---
apiVersion: 5
kind: AdmissionPolicy
",
        &expect![[r#"
            error: `ClusterAdmisionPolicy` of `policies.kubewarden.io` is not a policy
             --> policies.yml:2:7
              |
            2 | kind: ClusterAdmisionPolicy
              |       ^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: did you mean `ClusterAdmissionPolicy`?

            error: `Something` of `policies.kubewarden.io` is not a policy
             --> policies.yml:6:7
              |
            6 | kind: Something
              |       ^^^^^^^^^
              |
              = hint: the kinds of policies are `ClusterAdmissionPolicy`, `AdmissionPolicy`, `ClusterAdmissionPolicyGroup`, `AdmissionPolicyGroup`

            error: this resource has no `apiVersion`
             --> policies.yml:8:1
              |
            8 | kind: AdmissionPolicy
              | ^
              |
              = hint: write for example `apiVersion: policies.kubewarden.io/v1`

            error: this resource has no `kind`
              --> policies.yml:10:1
               |
            10 | apiVersion: policies.kubewarden.io/v1
               | ^
               |
               = hint: write for example `kind: ClusterAdmissionPolicy`

            error: `apiVersion` is to be text, and this is a number
              --> policies.yml:12:13
               |
            12 | apiVersion: 5
               |             ^
               |
               = hint: put it between quotes: "5""#]],
    );
}

#[test]
fn a_policy_without_a_name_has_no_id() {
    check(
        &[
            resource("ClusterAdmissionPolicy", "{}", LEAST),
            resource("ClusterAdmissionPolicy", "{ name: 5 }", LEAST),
            resource("AdmissionPolicy", "{ name: a }", LEAST),
            resource("AdmissionPolicyGroup", "", LEAST),
        ]
        .concat(),
        &expect![[r#"
            error: the policy has no `metadata.name`
             --> policies.yml:3:1
              |
            3 | metadata: {}
              | ^
              |
              = hint: the policy's id is made of it; write for example `name: safe-labels`

            error: `metadata.name` is to be text, and this is a number
              --> policies.yml:11:19
               |
            11 | metadata: { name: 5 }
               |                   ^
               |
               = hint: put it between quotes: "5"

            error: the policy has no `metadata.namespace`
              --> policies.yml:19:1
               |
            19 | metadata: { name: a }
               | ^
               |
               = hint: the policy is for the objects of one namespace; kubectl takes that of its context, Wharf has none

            error: the policy has no `metadata.name`
              --> policies.yml:27:1
               |
            27 | metadata: 
               | ^
               |
               = hint: the policy's id is made of it; write for example `name: safe-labels`"#]],
    );
}

#[test]
fn mistakes_in_policies() {
    let rules = "rules: [ { apiVersions: [v1], resources: [pods], operations: [CREATE] } ]";
    check(
        &[
            resource("ClusterAdmissionPolicy", "{ name: Upper_Case }", LEAST),
            resource("AdmissionPolicy", "{ name: a, namespace: b/c }", LEAST),
            resource("ClusterAdmissionPolicy", "{ name: empty }", ""),
            resource("ClusterAdmissionPolicy", "{ name: typo }", &format!("{LEAST}modee: monitor")),
            resource("ClusterAdmissionPolicy", "{ name: policies-yml }", &format!("{LEAST}policyMode: monitor")),
            resource(
                "AdmissionPolicy",
                "{ name: context, namespace: b }",
                &format!("{LEAST}contextAwareResources: []\nnamespaceSelector: {{}}"),
            ),
            resource(
                "ClusterAdmissionPolicy",
                "{ name: rules }",
                "module: ghcr.io/a/b:v1\nmutating: false\nrules: [ { resources: [], operations: [create], apiVersions: v1, scope: All }, 5 ]",
            ),
            resource("ClusterAdmissionPolicy", "{ name: no-rules }", "module: ghcr.io/a/b:v1\nmutating: false\nrules: []"),
            resource("ClusterAdmissionPolicy", "{ name: mutating }", &format!("module: ghcr.io/a/b:v1\n{rules}")),
            resource("ClusterAdmissionPolicy", "{ name: late }", &format!("{LEAST}timeoutEvalSeconds: 11")),
            resource("ClusterAdmissionPolicy", "{ name: later }", &format!("{LEAST}timeoutSeconds: 31")),
            resource(
                "ClusterAdmissionPolicy",
                "{ name: words }",
                &format!("{LEAST}failurePolicy: fail\nmatchPolicy: Same\nsideEffects: none\nmode: Monitor"),
            ),
            resource(
                "ClusterAdmissionPolicy",
                "{ name: selectors }",
                &format!("{LEAST}objectSelector: {{ matchLabels: {{ a: true }}, matchExpressions: [ {{ key: a, operator: In }}, {{ key: b, operator: Exists, values: [x] }}, {{ operator: Is }} ] }}\nmatchConditions: [ {{ name: '' }} ]"),
            ),
        ]
        .concat(),
        &expect![[r#"
            [clusterwide-Upper_Case] error: `Upper_Case` cannot be the name of anything in Kubernetes
             --> policies.yml:3:19
              |
            3 | metadata: { name: Upper_Case }
              |                   ^^^^^^^^^^
              |
              = hint: a name is made of `a-z`, `0-9` and, between them, `-` and `.`, at most 253 characters at policies.yml:3

            [namespaced-b/c-a] error: a policy's id cannot contain `/`
              --> policies.yml:11:19
               |
            11 | metadata: { name: a, namespace: b/c }
               |                   ^
               |
               = hint: reviews are sent to `/validate/` and the id; write for example `safe-labels`

            error: `b/c` cannot be the name of anything in Kubernetes
              --> policies.yml:11:33
               |
            11 | metadata: { name: a, namespace: b/c }
               |                                 ^^^
               |
               = hint: a name is made of `a-z`, `0-9` and, between them, `-` and `.`, at most 253 characters at policies.yml:11

            [clusterwide-empty] error: the file has no `spec`
              --> policies.yml:17:1
               |
            17 | apiVersion: policies.kubewarden.io/v1
               | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |
               = hint: add `spec:`. The policy. at policies.yml:19

            [clusterwide-typo] error: unknown key `modee` in `spec`
              --> policies.yml:29:3
               |
            29 |   modee: monitor
               |   ^^^^^
               |
               = hint: did you mean `mode`? the keys here are `module`, `settings`, `mutating`, `rules`, `mode`, `message`, `contextAwareResources`, `timeoutEvalSeconds`, `timeoutSeconds`, `failurePolicy`, `matchPolicy`, `matchConditions`, `namespaceSelector`, `objectSelector`, `sideEffects`, `backgroundAudit`, `policyServer`, `allowInsideAdmissionControllerNamespace` at policies.yml:24

            [clusterwide-policies-yml] error: unknown key `policyMode` in `spec`
              --> policies.yml:38:3
               |
            38 |   policyMode: monitor
               |   ^^^^^^^^^^
               |
               = hint: the keys here are `module`, `settings`, `mutating`, `rules`, `mode`, `message`, `contextAwareResources`, `timeoutEvalSeconds`, `timeoutSeconds`, `failurePolicy`, `matchPolicy`, `matchConditions`, `namespaceSelector`, `objectSelector`, `sideEffects`, `backgroundAudit`, `policyServer`, `allowInsideAdmissionControllerNamespace` at policies.yml:33

            [namespaced-b-context] error: unknown key `contextAwareResources` in `spec`
              --> policies.yml:47:3
               |
            47 |   contextAwareResources: []
               |   ^^^^^^^^^^^^^^^^^^^^^
               |
               = hint: the keys here are `module`, `settings`, `mutating`, `rules`, `mode`, `message`, `timeoutEvalSeconds`, `timeoutSeconds`, `failurePolicy`, `matchPolicy`, `matchConditions`, `objectSelector`, `sideEffects`, `backgroundAudit`, `policyServer`

            error: unknown key `namespaceSelector` in `spec`
              --> policies.yml:48:3
               |
            48 |   namespaceSelector: {}
               |   ^^^^^^^^^^^^^^^^^
               |
               = hint: the keys here are `module`, `settings`, `mutating`, `rules`, `mode`, `message`, `timeoutEvalSeconds`, `timeoutSeconds`, `failurePolicy`, `matchPolicy`, `matchConditions`, `objectSelector`, `sideEffects`, `backgroundAudit`, `policyServer` at policies.yml:42

            [clusterwide-rules] error: `spec.rules[0].resources` is empty
              --> policies.yml:56:25
               |
            56 |   rules: [ { resources: [], operations: [create], apiVersions: v1, scope: All }, 5 ]
               |                         ^^
               |
               = hint: it needs at least one item

            error: `spec.rules[0].operations[0]` cannot be `create`
              --> policies.yml:56:42
               |
            56 |   rules: [ { resources: [], operations: [create], apiVersions: v1, scope: All }, 5 ]
               |                                          ^^^^^^
               |
               = hint: did you mean `CREATE`?

            error: `spec.rules[0].apiVersions` is to be a list, and this is text
              --> policies.yml:56:64
               |
            56 |   rules: [ { resources: [], operations: [create], apiVersions: v1, scope: All }, 5 ]
               |                                                                ^^
               |
               = hint: write `["v1"]`

            error: `spec.rules[0].scope` cannot be `All`
              --> policies.yml:56:75
               |
            56 |   rules: [ { resources: [], operations: [create], apiVersions: v1, scope: All }, 5 ]
               |                                                                           ^^^
               |
               = hint: write `Cluster`, `Namespaced` or `*`

            error: `spec.rules[1]` is to be a mapping, and this is a number
              --> policies.yml:56:82
               |
            56 |   rules: [ { resources: [], operations: [create], apiVersions: v1, scope: All }, 5 ]
               |                                                                                  ^
               |
               = hint: write `key: value`, with a space behind the colon at policies.yml:52

            [clusterwide-no-rules] error: `spec.rules` is empty
              --> policies.yml:64:10
               |
            64 |   rules: []
               |          ^^
               |
               = hint: it needs at least one item at policies.yml:60

            [clusterwide-mutating] error: `spec` has no `mutating`
              --> policies.yml:69:1
               |
            69 | spec:
               | ^^^^
               |
               = hint: add `mutating:`. Write `true` or `false`: whether the policy may change what it reviews. at policies.yml:68

            [clusterwide-late] error: a review may take 11 seconds, and the API server waits only 10 for it
              --> policies.yml:80:3
               |
            80 |   timeoutEvalSeconds: 11
               |   ^^^^^^^^^^^^^^^^^^
               |
               = hint: give less, or a longer `timeoutSeconds`, at most 30 at policies.yml:75

            [clusterwide-later] error: `spec.timeoutSeconds` cannot be `31`
              --> policies.yml:89:19
               |
            89 |   timeoutSeconds: 31
               |                   ^^
               |
               = hint: it goes from 1 to 30 at policies.yml:84

            [clusterwide-words] error: `spec.failurePolicy` cannot be `fail`
              --> policies.yml:98:18
               |
            98 |   failurePolicy: fail
               |                  ^^^^
               |
               = hint: did you mean `Fail`?

            error: `spec.matchPolicy` cannot be `Same`
              --> policies.yml:99:16
               |
            99 |   matchPolicy: Same
               |                ^^^^
               |
               = hint: write `Exact` or `Equivalent`

            error: `spec.sideEffects` cannot be `none`
               --> policies.yml:100:16
                |
            100 |   sideEffects: none
                |                ^^^^
                |
                = hint: did you mean `None`?

            error: `spec.mode` cannot be `Monitor`
               --> policies.yml:101:9
                |
            101 |   mode: Monitor
                |         ^^^^^^^
                |
                = hint: did you mean `monitor`? at policies.yml:93

            [clusterwide-selectors] error: `spec.objectSelector.matchLabels.a` is to be text, and this is a truth value
               --> policies.yml:110:39
                |
            110 |   objectSelector: { matchLabels: { a: true }, matchExpressions: [ { key: a, operator: In }, { key: b, operator: Exists, …
                |                                       ^^^^
                |
                = hint: put it between quotes: "true"

            error: `In` and `NotIn` compare with nothing here
               --> policies.yml:110:67
                |
               ::: 
            110 | …ctSelector: { matchLabels: { a: true }, matchExpressions: [ { key: a, operator: In }, { key: b, operator: Exists, values…
                |                                                              ^^^^^^^^^^^^^^^^^^^^^^^^
                |
                = hint: add `values:`

            error: `Exists` and `DoesNotExist` compare with nothing
               --> policies.yml:110:93
                |
               ::: 
            110 | … { a: true }, matchExpressions: [ { key: a, operator: In }, { key: b, operator: Exists, values: [x] }, { operator: Is } …
                |                                                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                |
                = hint: remove `values:`

            error: `spec.objectSelector.matchExpressions[2]` has no `key`
               --> policies.yml:110:136
                |
               ::: 
            110 | … operator: In }, { key: b, operator: Exists, values: [x] }, { operator: Is } ] }
                |                                                              ^^^^^^^^^^^^^^^^
                |
                = hint: add `key:`. The label.

            error: `spec.objectSelector.matchExpressions[2].operator` cannot be `Is`
               --> policies.yml:110:148
                |
               ::: 
            110 | …n }, { key: b, operator: Exists, values: [x] }, { operator: Is } ] }
                |                                                              ^^
                |
                = hint: did you mean `In`?

            error: `spec.matchConditions[0]` has no `expression`
               --> policies.yml:111:22
                |
            111 |   matchConditions: [ { name: '' } ]
                |                      ^^^^^^^^^^^^
                |
                = hint: add `expression:`. The condition.

            error: `spec.matchConditions[0].name` is empty
               --> policies.yml:111:30
                |
            111 |   matchConditions: [ { name: '' } ]
                |                              ^^
                |
                = hint: give it a value at policies.yml:105"#]],
    );
}

#[test]
fn mistakes_in_groups() {
    let group = |policies: &str, rest: &str| {
        let rules = "rules: [ { apiVersions: [v1], resources: [pods], operations: [CREATE] } ]";
        format!("policies: {policies}\n{rules}\n{rest}")
    };
    let words = "expression: a()\nmessage: no";
    check(
        &[
            resource("ClusterAdmissionPolicyGroup", "{ name: none }", &group("{}", words)),
            resource("ClusterAdmissionPolicyGroup", "{ name: silent }", &group("{ a: { module: ghcr.io/a/b } }", "expression: a()\nmessage: ''")),
            resource(
                "ClusterAdmissionPolicyGroup",
                "{ name: slow }",
                &group("{ a: { module: ghcr.io/a/b, timeoutEvalSeconds: 6 }, b: { module: ghcr.io/a/b, timeoutEvalSeconds: 5 } }", words),
            ),
            resource(
                "AdmissionPolicyGroup",
                "{ name: context, namespace: b }",
                &group("{ a: { module: ghcr.io/a/b, contextAwareResources: [] } }", words),
            ),
            resource("ClusterAdmissionPolicyGroup", "{ name: ours }", &group("{ a-b: { module: ghcr.io/a/b, timeout: 5ms } }", words)),
        ]
        .concat(),
        &expect![[r#"
            [clusterwide-group-none] error: `spec.policies` has no members
             --> policies.yml:5:3
              |
            5 |   policies: {}
              |   ^^^^^^^^
              |
              = hint: a group needs at least one policy at policies.yml:3

            [clusterwide-group-silent] error: `spec.message` is empty
              --> policies.yml:17:12
               |
            17 |   message: ''
               |            ^^
               |
               = hint: give it a value at policies.yml:12

            [clusterwide-group-slow] error: a review may take 11 seconds, and the API server waits only 10 for it
              --> policies.yml:23:3
               |
            23 |   policies: { a: { module: ghcr.io/a/b, timeoutEvalSeconds: 6 }, b: { module: ghcr.io/a/b, timeoutEvalSeconds: 5 } }
               |   ^^^^^^^^
               |
               = hint: give less, or a longer `timeoutSeconds`, at most 30 at policies.yml:21

            [namespaced-group-b-context] error: unknown key `contextAwareResources` in `spec.policies.a`
              --> policies.yml:32:41
               |
            32 |   policies: { a: { module: ghcr.io/a/b, contextAwareResources: [] } }
               |                                         ^^^^^^^^^^^^^^^^^^^^^
               |
               = hint: the keys here are `module`, `settings`, `timeoutEvalSeconds` at policies.yml:30

            [clusterwide-group-ours] error: `a-b` cannot be the name of a member
              --> policies.yml:41:15
               |
            41 |   policies: { a-b: { module: ghcr.io/a/b, timeout: 5ms } }
               |               ^^^
               |
               = hint: the expression calls members by their names, which are made of letters, digits and `_` and do not begin with a digit

            error: unknown key `timeout` in `spec.policies.a-b`
              --> policies.yml:41:43
               |
            41 |   policies: { a-b: { module: ghcr.io/a/b, timeout: 5ms } }
               |                                           ^^^^^^^
               |
               = hint: the keys here are `module`, `settings`, `contextAwareResources`, `timeoutEvalSeconds` at policies.yml:39"#]],
    );
}
