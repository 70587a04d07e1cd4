//! What is wrong with the section, and what its authors are told.

use expect_test::expect;

use super::{EXAMPLE, config, section};
use crate::check;

#[test]
fn mistakes_in_the_section() {
    check(
        &section(
            "bind: 127.0.0.1
tls: maybe
policies: policies.yml
onBadPolicy: serve
queue: { concurrent: 0, waiting: -1, size: 3 }
bodyLimit: 8
timeout: 2
limits: { memory: 1KiB, deadline: 5ms }
alwaysAcceptNamespace: Kube_System
namespacedPoliciesCapabilities: [oci/v1, kubernetes/can_I, everything, '*']
kubernetes: { kubeconfig: '', ignoreConnectionFailures: true }
drainTimeout: 25h
continueOnErrors: true
",
        ),
        &expect![[r#"
            error: `127.0.0.1` is not an address and a port
             --> wharf.yaml:3:9
              |
            3 |   bind: 127.0.0.1
              |         ^^^^^^^^^
              |
              = hint: add the port: `127.0.0.1:8080`

            error: `admission.tls` is a mapping, or `none`
             --> wharf.yaml:4:8
              |
            4 |   tls: maybe
              |        ^^^^^
              |
              = hint: write `tls: { certificate: tls.crt, key: tls.key }`

            error: `admission.policies` is to be a mapping, and this is text
             --> wharf.yaml:5:13
              |
            5 |   policies: policies.yml
              |             ^^^^^^^^^^^^
              |
              = hint: write `policies: { file: policies.yml }` for a file

            error: `admission.onBadPolicy` cannot be `serve`
             --> wharf.yaml:6:16
              |
            6 |   onBadPolicy: serve
              |                ^^^^^
              |
              = hint: write `serveOthers` or `refuseStart`

            error: `admission.queue.concurrent` cannot be `0`
             --> wharf.yaml:7:24
              |
            7 |   queue: { concurrent: 0, waiting: -1, size: 3 }
              |                        ^
              |
              = hint: it goes from 1 to 1024

            error: `admission.queue.waiting` cannot be `-1`
             --> wharf.yaml:7:36
              |
            7 |   queue: { concurrent: 0, waiting: -1, size: 3 }
              |                                    ^^
              |
              = hint: it goes from 0 to 100000

            error: unknown key `size` in `admission.queue`
             --> wharf.yaml:7:40
              |
            7 |   queue: { concurrent: 0, waiting: -1, size: 3 }
              |                                        ^^^^
              |
              = hint: the keys here are `concurrent`, `waiting`

            error: `admission.bodyLimit`: `8` is not a size: the unit is missing
             --> wharf.yaml:8:14
              |
            8 |   bodyLimit: 8
              |              ^
              |
              = hint: write `8B` for bytes, or `8MiB`

            error: `admission.timeout`: `2` is not a duration: the unit is missing
             --> wharf.yaml:9:12
              |
            9 |   timeout: 2
              |            ^
              |
              = hint: write `2ms` for milliseconds, or `2s` for seconds

            error: `admission.limits.memory` cannot be `1KiB`
              --> wharf.yaml:10:21
               |
            10 |   limits: { memory: 1KiB, deadline: 5ms }
               |                     ^^^^
               |
               = hint: it goes from 64KiB to 4GiB

            error: unknown key `deadline` in `admission.limits`
              --> wharf.yaml:10:27
               |
            10 |   limits: { memory: 1KiB, deadline: 5ms }
               |                           ^^^^^^^^
               |
               = hint: the keys here are `memory`, `tableElements`, `instances`, `startupDeadline`, `stack`

            error: `admission.alwaysAcceptNamespace` is not the name of a namespace
              --> wharf.yaml:11:26
               |
            11 |   alwaysAcceptNamespace: Kube_System
               |                          ^^^^^^^^^^^
               |
               = hint: a name is made of `a-z`, `0-9` and, between them, `-`, at most 63 characters

            error: `oci/v1` allows no host capability
              --> wharf.yaml:12:36
               |
            12 |   namespacedPoliciesCapabilities: [oci/v1, kubernetes/can_I, everything, '*']
               |                                    ^^^^^^
               |
               = hint: write `oci/v1/*` for all below it

            error: `kubernetes/can_I` allows no host capability
              --> wharf.yaml:12:44
               |
            12 |   namespacedPoliciesCapabilities: [oci/v1, kubernetes/can_I, everything, '*']
               |                                            ^^^^^^^^^^^^^^^^
               |
               = hint: did you mean `kubernetes/can_i`?

            error: `everything` allows no host capability
              --> wharf.yaml:12:62
               |
            12 |   namespacedPoliciesCapabilities: [oci/v1, kubernetes/can_I, everything, '*']
               |                                                              ^^^^^^^^^^
               |
               = hint: write `*` for all, or some of `crypto/*`, `kubernetes/*`, `net/*`, `oci/*`

            error: `admission.kubernetes.kubeconfig` is not a path
              --> wharf.yaml:13:29
               |
            13 |   kubernetes: { kubeconfig: '', ignoreConnectionFailures: true }
               |                             ^^
               |
               = hint: write the name of a file, relative to the directory of the configuration file

            error: unknown key `ignoreConnectionFailures` in `admission.kubernetes`
              --> wharf.yaml:13:33
               |
            13 |   kubernetes: { kubeconfig: '', ignoreConnectionFailures: true }
               |                                 ^^^^^^^^^^^^^^^^^^^^^^^^
               |
               = hint: did you mean `ignoreConnectionFailure`? the keys here are `kubeconfig`, `ignoreConnectionFailure`

            error: `admission.drainTimeout` cannot be `25h`
              --> wharf.yaml:14:17
               |
            14 |   drainTimeout: 25h
               |                 ^^^
               |
               = hint: it goes from 0s to 24h

            error: unknown key `continueOnErrors` in `admission`
              --> wharf.yaml:15:3
               |
            15 |   continueOnErrors: true
               |   ^^^^^^^^^^^^^^^^
               |
               = hint: the keys here are `bind`, `tls`, `policies`, `onBadPolicy`, `queue`, `bodyLimit`, `timeout`, `limits`, `alwaysAcceptNamespace`, `namespacedPoliciesCapabilities`, `kubernetes`, `drainTimeout`"#]],
    );
    check(
        "version: 1\nadmission: {}\n",
        &expect![[r#"
        error: `admission` has no `bind`
         --> wharf.yaml:2:1
          |
        2 | admission: {}
          | ^^^^^^^^^
          |
          = hint: add for example `bind: 127.0.0.1:8080`

        error: `admission` has no `tls`
         --> wharf.yaml:2:1
          |
        2 | admission: {}
          | ^^^^^^^^^
          |
          = hint: add `tls:`. Write `tls: { certificate: tls.crt, key: tls.key }`, or `tls: none` for plain HTTP on an address that only this machine reaches.

        error: `admission` has no `policies`
         --> wharf.yaml:2:1
          |
        2 | admission: {}
          | ^^^^^^^^^
          |
          = hint: add `policies:`. The policies: files of them, or the entries themselves by their ids. Reviews for a policy are sent to `/validate/` and its id, which is not empty and has no `/`."#]],
    );
    check(
        "version: 1\nadmission: [1]\n",
        &expect![[r#"
        error: `admission` is to be a mapping, and this is a list
         --> wharf.yaml:2:12
          |
        2 | admission: [1]
          |            ^^^
          |
          = hint: write `key: value`, without `-` in front"#]],
    );
}

#[test]
fn mistakes_in_tls() {
    let with = |bind: &str, tls: &str| section(&format!("bind: '{bind}'\ntls: {tls}\npolicies: {{}}"));
    check(
        &with("0.0.0.0:8443", "none"),
        &expect![[r#"
        error: `tls: none` cannot be used on 0.0.0.0:8443: reviews contain whole objects, Secrets too, and others could read and change them on the way
         --> wharf.yaml:4:8
          |
        4 |   tls: none
          |        ^^^^
          |
          = hint: write `tls: { certificate: tls.crt, key: tls.key }`, or bind to a loopback address such as `127.0.0.1`"#]],
    );
    check(
        &with("[2001:db8::1]:8443", "none"),
        &expect![[r#"
        error: `tls: none` cannot be used on [2001:db8::1]:8443: reviews contain whole objects, Secrets too, and others could read and change them on the way
         --> wharf.yaml:4:8
          |
        4 |   tls: none
          |        ^^^^
          |
          = hint: write `tls: { certificate: tls.crt, key: tls.key }`, or bind to a loopback address such as `127.0.0.1`"#]],
    );
    check(
        &with("127.0.0.1:8443", "{ certificate: '', clientCa: [] }"),
        &expect![[r#"
            error: `admission.tls` has no `key`
             --> wharf.yaml:4:3
              |
            4 |   tls: { certificate: '', clientCa: [] }
              |   ^^^
              |
              = hint: add for example `key: tls/server.key`

            error: `admission.tls.certificate` is not a path
             --> wharf.yaml:4:23
              |
            4 |   tls: { certificate: '', clientCa: [] }
              |                       ^^
              |
              = hint: write the name of a file, relative to the directory of the configuration file

            error: `admission.tls.clientCa` is empty
             --> wharf.yaml:4:37
              |
            4 |   tls: { certificate: '', clientCa: [] }
              |                                     ^^
              |
              = hint: it needs at least one item"#]],
    );
    check(
        &with("127.0.0.1:8443", "{ certificate: a, key: b, clientCa: 5 }"),
        &expect![[r#"
        error: `admission.tls.clientCa` is to be a path or a list, and this is a number
         --> wharf.yaml:4:44
          |
        4 |   tls: { certificate: a, key: b, clientCa: 5 }
          |                                            ^
          |
          = hint: write a path or a list"#]],
    );
    check(
        &with("127.0.0.1:8443", "[none]"),
        &expect![[r#"
        error: `admission.tls` is a mapping, or `none`
         --> wharf.yaml:4:8
          |
        4 |   tls: [none]
          |        ^^^^^^
          |
          = hint: write `tls: { certificate: tls.crt, key: tls.key }`"#]],
    );
    check(
        &section("bind: 127.0.0.1:8443\npolicies: {}"),
        &expect![[r#"
        error: `admission` has no `tls`
         --> wharf.yaml:2:1
          |
        2 | admission:
          | ^^^^^^^^^
          |
          = hint: add `tls:`. Write `tls: { certificate: tls.crt, key: tls.key }`, or `tls: none` for plain HTTP on an address that only this machine reaches."#]],
    );
    for loopback in ["127.0.0.1:1", "127.8.9.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        config(&with(loopback, "none"));
    }
}

#[test]
fn the_server_cannot_share_a_port() {
    check(
        &format!("{EXAMPLE}admin: {{ bind: 0.0.0.0:8443 }}\n"),
        &expect![[r#"
            error: the admin port cannot listen on 0.0.0.0:8443: the admission server listens on 127.0.0.1:8443
             --> wharf.yaml:8:16
              |
            8 | admin: { bind: 0.0.0.0:8443 }
              |                ^^^^^^^^^^^^
              |
             ::: wharf.yaml:3:9
              |
            3 |   bind: 127.0.0.1:8443
              |         -------------- taken here
              |
              = hint: give one of them another port"#]],
    );
}
