//! What is wrong with `policies.yml`, and what its authors are told.

use expect_test::expect;

use super::policies::check;

#[test]
fn keys_that_policy_server_passes_over_are_warned_of() {
    check(
        "a:
  module: ghcr.io/a/b
  policymode: monitor
  contextAwareResources: [ { apiVersion: v1, kind: Pod, name: x } ]
b:
  policies: { m: { module: ghcr.io/a/b } }
  expression: m()
  message: no
  allowedToMutate: true
",
        &expect![[r#"
            warning: unknown key `policymode` in `a`
             --> policies.yml:3:3
              |
            3 |   policymode: monitor
              |   ^^^^^^^^^^
              |
              = hint: did you mean `policyMode`? the keys here are `module`, `policyMode`, `allowedToMutate`, `settings`, `contextAwareResources`, `hostCapabilities`, `message`, `timeoutEvalSeconds`, `timeout`, `executionMode`, `limits`, `namespacedName`

            warning: unknown key `name` in `a.contextAwareResources[0]`
             --> policies.yml:4:57
              |
            4 |   contextAwareResources: [ { apiVersion: v1, kind: Pod, name: x } ]
              |                                                         ^^^^
              |
              = hint: the keys here are `apiVersion`, `kind`

            warning: unknown key `allowedToMutate` in `b`
             --> policies.yml:9:3
              |
            9 |   allowedToMutate: true
              |   ^^^^^^^^^^^^^^^
              |
              = hint: the keys here are `policies`, `expression`, `message`, `policyMode`, `timeout`, `namespacedName`

        "#]],
    );
}

#[test]
fn keys_of_members_are_checked_as_policy_server_checks_them() {
    check(
        "g:
  policies: { m: { module: ghcr.io/a/b, policyMode: monitor } }
  expression: m()
  message: no
",
        &expect![[r#"
            [g] error: unknown key `policyMode` in `g.policies.m`
             --> policies.yml:2:41
              |
            2 |   policies: { m: { module: ghcr.io/a/b, policyMode: monitor } }
              |                                         ^^^^^^^^^^
              |
              = hint: the keys here are `module`, `settings`, `contextAwareResources`, `hostCapabilities`, `timeoutEvalSeconds`, `timeout`, `executionMode`, `limits` at policies.yml:1"#]],
    );
}

#[test]
fn mistakes_in_policies() {
    check(
        "mode: { module: ghcr.io/a/b, policyMode: Protect }
mutate: { module: ghcr.io/a/b, allowedToMutate: yes }
settings: { module: ghcr.io/a/b, settings: [1] }
text: { module: ghcr.io/a/b, settings: hello }
resources: { module: ghcr.io/a/b, contextAwareResources: [ { kind: Pod }, { apiVersion: '', kind: 5 }, Pod ] }
message: { module: ghcr.io/a/b, message: 5 }
seconds: { module: ghcr.io/a/b, timeoutEvalSeconds: 0 }
unit: { module: ghcr.io/a/b, timeoutEvalSeconds: 2s, timeout: 2 }
both: { module: ghcr.io/a/b, timeoutEvalSeconds: 2, timeout: 2s }
capabilities: { module: ghcr.io/a/b, hostCapabilities: [oci*, oci/v3/*, kubernetes, '', 7, kubernetes/cani] }
execution: { module: ghcr.io/a/b, executionMode: rego }
limits: { module: ghcr.io/a/b, limits: { memory: 64, deadline: 1s } }
module: { module: http://ghcr.io/a/b }
number: { module: 5 }
neither: { settings: {} }
two: { module: ghcr.io/a/b, policies: {} }
nothing:
word: module
",
        &expect![[r#"
            [mode] error: `mode.policyMode` cannot be `Protect`
             --> policies.yml:1:42
              |
            1 | mode: { module: ghcr.io/a/b, policyMode: Protect }
              |                                          ^^^^^^^
              |
              = hint: did you mean `protect`? at policies.yml:1

            [mutate] error: `mutate.allowedToMutate` is to be `true` or `false`, and this is text
             --> policies.yml:2:49
              |
            2 | mutate: { module: ghcr.io/a/b, allowedToMutate: yes }
              |                                                 ^^^
              |
              = hint: write `true` at policies.yml:2

            [settings] error: `settings.settings` is to be a mapping, and this is a list
             --> policies.yml:3:44
              |
            3 | settings: { module: ghcr.io/a/b, settings: [1] }
              |                                            ^^^
              |
              = hint: write `key: value`, without `-` in front at policies.yml:3

            [text] error: `text.settings` is to be a mapping, and this is text
             --> policies.yml:4:40
              |
            4 | text: { module: ghcr.io/a/b, settings: hello }
              |                                        ^^^^^
              |
              = hint: write `key: value`, with a space behind the colon at policies.yml:4

            [resources] error: `resources.contextAwareResources[0]` has no `apiVersion`
             --> policies.yml:5:60
              |
            5 | resources: { module: ghcr.io/a/b, contextAwareResources: [ { kind: Pod }, { apiVersion: '', kind: 5 }, Pod ] }
              |                                                            ^^^^^^^^^^^^^
              |
              = hint: add `apiVersion:`. Its group and version: `v1`, `apps/v1`.

            error: `resources.contextAwareResources[1].apiVersion` is empty
             --> policies.yml:5:89
              |
            5 | resources: { module: ghcr.io/a/b, contextAwareResources: [ { kind: Pod }, { apiVersion: '', kind: 5 }, Pod ] }
              |                                                                                         ^^
              |
              = hint: give it a value

            error: `resources.contextAwareResources[1].kind` is to be text, and this is a number
             --> policies.yml:5:99
              |
            5 | resources: { module: ghcr.io/a/b, contextAwareResources: [ { kind: Pod }, { apiVersion: '', kind: 5 }, Pod ] }
              |                                                                                                   ^
              |
              = hint: put it between quotes: "5"

            error: `resources.contextAwareResources[2]` is to be a mapping, and this is text
             --> policies.yml:5:104
              |
            5 | resources: { module: ghcr.io/a/b, contextAwareResources: [ { kind: Pod }, { apiVersion: '', kind: 5 }, Pod ] }
              |                                                                                                        ^^^
              |
              = hint: write `key: value`, with a space behind the colon at policies.yml:5

            [message] error: `message.message` is to be text, and this is a number
             --> policies.yml:6:42
              |
            6 | message: { module: ghcr.io/a/b, message: 5 }
              |                                          ^
              |
              = hint: put it between quotes: "5" at policies.yml:6

            [seconds] error: `seconds.timeoutEvalSeconds` cannot be `0`
             --> policies.yml:7:53
              |
            7 | seconds: { module: ghcr.io/a/b, timeoutEvalSeconds: 0 }
              |                                                     ^
              |
              = hint: it goes from 1 to 3600 at policies.yml:7

            [unit] error: `unit.timeoutEvalSeconds` is to be a whole number, and this is text
             --> policies.yml:8:50
              |
            8 | unit: { module: ghcr.io/a/b, timeoutEvalSeconds: 2s, timeout: 2 }
              |                                                  ^^
              |
              = hint: it goes from 1 to 3600

            error: the time that a review may take is given twice
             --> policies.yml:8:54
              |
            8 | unit: { module: ghcr.io/a/b, timeoutEvalSeconds: 2s, timeout: 2 }
              |                              ------------------      ^^^^^^^
              |                              |
              |                              first given here
              |
              = hint: remove `timeoutEvalSeconds`, or `timeout` where policy-server is to read the file too

            error: `unit.timeout`: `2` is not a duration: the unit is missing
             --> policies.yml:8:63
              |
            8 | unit: { module: ghcr.io/a/b, timeoutEvalSeconds: 2s, timeout: 2 }
              |                                                               ^
              |
              = hint: write `2ms` for milliseconds, or `2s` for seconds at policies.yml:8

            [both] error: the time that a review may take is given twice
             --> policies.yml:9:53
              |
            9 | both: { module: ghcr.io/a/b, timeoutEvalSeconds: 2, timeout: 2s }
              |                              ------------------     ^^^^^^^
              |                              |
              |                              first given here
              |
              = hint: remove `timeoutEvalSeconds`, or `timeout` where policy-server is to read the file too at policies.yml:9

            [capabilities] error: `oci*` allows no host capability
              --> policies.yml:10:57
               |
            10 | capabilities: { module: ghcr.io/a/b, hostCapabilities: [oci*, oci/v3/*, kubernetes, '', 7, kubernetes/cani] }
               |                                                         ^^^^
               |
               = hint: write `oci/*` for all below it

            error: `oci/v3/*` allows no host capability
              --> policies.yml:10:63
               |
            10 | capabilities: { module: ghcr.io/a/b, hostCapabilities: [oci*, oci/v3/*, kubernetes, '', 7, kubernetes/cani] }
               |                                                               ^^^^^^^^
               |
               = hint: write `*` for all, or some of `crypto/*`, `kubernetes/*`, `net/*`, `oci/*`

            error: `kubernetes` allows no host capability
              --> policies.yml:10:73
               |
            10 | capabilities: { module: ghcr.io/a/b, hostCapabilities: [oci*, oci/v3/*, kubernetes, '', 7, kubernetes/cani] }
               |                                                                         ^^^^^^^^^^
               |
               = hint: write `kubernetes/*` for all below it

            error: `` allows no host capability
              --> policies.yml:10:85
               |
            10 | capabilities: { module: ghcr.io/a/b, hostCapabilities: [oci*, oci/v3/*, kubernetes, '', 7, kubernetes/cani] }
               |                                                                                     ^^
               |
               = hint: write `*` for all, or some of `crypto/*`, `kubernetes/*`, `net/*`, `oci/*`

            error: `capabilities.hostCapabilities[4]` is to be a host capability such as `kubernetes/can_i`, and this is a number
              --> policies.yml:10:89
               |
            10 | capabilities: { module: ghcr.io/a/b, hostCapabilities: [oci*, oci/v3/*, kubernetes, '', 7, kubernetes/cani] }
               |                                                                                         ^
               |
               = hint: write for example `kubernetes/*`

            error: `kubernetes/cani` allows no host capability
              --> policies.yml:10:92
               |
            10 | capabilities: { module: ghcr.io/a/b, hostCapabilities: [oci*, oci/v3/*, kubernetes, '', 7, kubernetes/cani] }
               |                                                                                            ^^^^^^^^^^^^^^^
               |
               = hint: did you mean `kubernetes/can_i`? at policies.yml:10

            [execution] error: `execution.executionMode` cannot be `rego`
              --> policies.yml:11:50
               |
            11 | execution: { module: ghcr.io/a/b, executionMode: rego }
               |                                                  ^^^^
               |
               = hint: write `kubewarden-wapc`, `wasi`, `opa` or `gatekeeper` at policies.yml:11

            [limits] error: `limits.limits.memory`: `64` is not a size: the unit is missing
              --> policies.yml:12:50
               |
            12 | limits: { module: ghcr.io/a/b, limits: { memory: 64, deadline: 1s } }
               |                                                  ^^
               |
               = hint: write `64B` for bytes, or `64MiB`

            error: unknown key `deadline` in `limits.limits`
              --> policies.yml:12:54
               |
            12 | limits: { module: ghcr.io/a/b, limits: { memory: 64, deadline: 1s } }
               |                                                      ^^^^^^^^
               |
               = hint: the keys here are `memory`, `tableElements`, `instances`, `startupDeadline`, `stack` at policies.yml:12

            [module] error: policies are not fetched over plain `http:`, because anybody on the way could change them
              --> policies.yml:13:19
               |
            13 | module: { module: http://ghcr.io/a/b }
               |                   ^^^^^^^^^^^^^^^^^^
               |
               = hint: use `https://` at policies.yml:13

            [number] error: `number.module` is to be a module such as `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0`, and this is a number
              --> policies.yml:14:19
               |
            14 | number: { module: 5 }
               |                   ^
               |
               = hint: write for example `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0` at policies.yml:14

            [neither] error: `neither` has neither `module` nor `policies`
              --> policies.yml:15:1
               |
            15 | neither: { settings: {} }
               | ^^^^^^^
               |
               = hint: a policy has a `module`, a group has `policies` and an `expression` at policies.yml:15

            [two] error: `two` has both `module` and `policies`
              --> policies.yml:16:29
               |
            16 | two: { module: ghcr.io/a/b, policies: {} }
               |        ------ the module    ^^^^^^^^
               |
               = hint: a policy has a `module`, a group has `policies`; make two entries of it at policies.yml:16

            [nothing] error: `nothing` is to be a mapping, and this is nothing
              --> policies.yml:17:8
               |
            17 | nothing:
               |        ^
               |
               = hint: give it a value, or remove the key at policies.yml:17

            [word] error: `word` is to be a mapping, and this is text
              --> policies.yml:18:7
               |
            18 | word: module
               |       ^^^^^^
               |
               = hint: write `key: value`, with a space behind the colon at policies.yml:18"#]],
    );
}

#[test]
fn mistakes_in_groups() {
    check(
        "none: { policies: {}, expression: a(), message: no }
missing: { policies: { a: { settings: {} } } }
empty: { policies: { a: { module: ghcr.io/a/b } }, expression: ' ', message: no }
names: { policies: { a-b: { module: ghcr.io/a/b }, 2a: { module: ghcr.io/a/b }, '': { module: ghcr.io/a/b }, a/b: { module: ghcr.io/a/b } }, expression: a(), message: no }
list: { policies: [a], expression: a(), message: no }
member: { policies: { a: x, b: { module: s3://x/y } }, expression: a(), message: no }
",
        &expect![[r#"
            [none] error: `none.policies` has no members
             --> policies.yml:1:9
              |
            1 | none: { policies: {}, expression: a(), message: no }
              |         ^^^^^^^^
              |
              = hint: a group needs at least one policy at policies.yml:1

            [missing] error: `missing` has no `expression`
             --> policies.yml:2:1
              |
            2 | missing: { policies: { a: { settings: {} } } }
              | ^^^^^^^
              |
              = hint: add `expression:`. When the group accepts. Members are called as functions, as in `signed() && !latest()`.

            error: `missing` has no `message`
             --> policies.yml:2:1
              |
            2 | missing: { policies: { a: { settings: {} } } }
              | ^^^^^^^
              |
              = hint: add `message:`. What is said to whoever is rejected. The members' messages are then among the causes.

            error: `missing.policies.a` has no `module`
             --> policies.yml:2:24
              |
            2 | missing: { policies: { a: { settings: {} } } }
              |                        ^
              |
              = hint: add for example `module: registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0` at policies.yml:2

            [empty] error: `empty.expression` is empty
             --> policies.yml:3:64
              |
            3 | empty: { policies: { a: { module: ghcr.io/a/b } }, expression: ' ', message: no }
              |                                                                ^^^
              |
              = hint: give it a value at policies.yml:3

            [names] error: `a-b` cannot be the name of a member
             --> policies.yml:4:22
              |
            4 | names: { policies: { a-b: { module: ghcr.io/a/b }, 2a: { module: ghcr.io/a/b }, '': { module: ghcr.io/a/b }, a/b: { modu…
              |                      ^^^
              |
              = hint: the expression calls members by their names, which are made of letters, digits and `_` and do not begin with a digit

            error: `2a` cannot be the name of a member
             --> policies.yml:4:52
              |
            4 | names: { policies: { a-b: { module: ghcr.io/a/b }, 2a: { module: ghcr.io/a/b }, '': { module: ghcr.io/a/b }, a/b: { modu…
              |                                                    ^^
              |
              = hint: the expression calls members by their names, which are made of letters, digits and `_` and do not begin with a digit

            error: `` cannot be the name of a member
             --> policies.yml:4:81
              |
             ::: 
            4 | … a-b: { module: ghcr.io/a/b }, 2a: { module: ghcr.io/a/b }, '': { module: ghcr.io/a/b }, a/b: { module: ghcr.io/a/b } },…
              |                                                              ^^
              |
              = hint: the expression calls members by their names, which are made of letters, digits and `_` and do not begin with a digit

            error: `a/b` cannot be the name of a member
             --> policies.yml:4:110
              |
             ::: 
            4 | …, 2a: { module: ghcr.io/a/b }, '': { module: ghcr.io/a/b }, a/b: { module: ghcr.io/a/b } }, expression: a(), message: no…
              |                                                              ^^^
              |
              = hint: the expression calls members by their names, which are made of letters, digits and `_` and do not begin with a digit at policies.yml:4

            [list] error: `list.policies` is to be a mapping, and this is a list
             --> policies.yml:5:19
              |
            5 | list: { policies: [a], expression: a(), message: no }
              |                   ^^^
              |
              = hint: write `key: value`, without `-` in front at policies.yml:5

            [member] error: `member.policies.a` is to be a mapping, and this is text
             --> policies.yml:6:26
              |
            6 | member: { policies: { a: x, b: { module: s3://x/y } }, expression: a(), message: no }
              |                          ^
              |
              = hint: write `key: value`, with a space behind the colon

            error: `s3://` is not a kind of module
             --> policies.yml:6:42
              |
            6 | member: { policies: { a: x, b: { module: s3://x/y } }, expression: a(), message: no }
              |                                          ^^^^^^^^
              |
              = hint: a module begins with `registry://`, `https://` or `file://` at policies.yml:6"#]],
    );
}

#[test]
fn ids_that_no_review_can_name() {
    let long = "x".repeat(254);
    check(
        &format!(
            "a/b: {{ module: ghcr.io/a/b }}\n'': {{ module: ghcr.io/a/b }}\n'..': {{ module: ghcr.io/a/b }}\n\"a\\u0007\": {{ module: ghcr.io/a/b }}\n{long}: {{ module: ghcr.io/a/b }}\n"
        ),
        &expect![[r#"
            [a/b] error: a policy's id cannot contain `/`
             --> policies.yml:1:1
              |
            1 | a/b: { module: ghcr.io/a/b }
              | ^^^
              |
              = hint: reviews are sent to `/validate/` and the id; write for example `safe-labels` at policies.yml:1

            [] error: a policy's id cannot be empty
             --> policies.yml:2:1
              |
            2 | '': { module: ghcr.io/a/b }
              | ^^
              |
              = hint: reviews are sent to `/validate/` and the id; write for example `safe-labels` at policies.yml:2

            [..] error: a policy's id cannot be `.` or `..`
             --> policies.yml:3:1
              |
            3 | '..': { module: ghcr.io/a/b }
              | ^^^^
              |
              = hint: reviews are sent to `/validate/` and the id; write for example `safe-labels` at policies.yml:3

            [a\u{7}] error: a policy's id cannot contain control characters
             --> policies.yml:4:1
              |
            4 | "a\u0007": { module: ghcr.io/a/b }
              | ^^^^^^^^^
              |
              = hint: reviews are sent to `/validate/` and the id; write for example `safe-labels` at policies.yml:4

            [xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx] error: a policy's id has at most 253 bytes
             --> policies.yml:5:1
              |
            5 | xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: reviews are sent to `/validate/` and the id; write for example `safe-labels` at policies.yml:5"#]],
    );
}
