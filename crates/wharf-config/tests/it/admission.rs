//! `admission`: the section of `wharf.yaml`, and the policies in it and beside it.

mod bad;
mod hostile;
mod policies;
mod policies_refused;
mod refused;
mod resources;
mod resources_refused;

use std::fs;
use std::path::Path;
use std::time::Duration;

use expect_test::{Expect, expect};
use serde_json::json;
use wharf_config::kubewarden::{BadPolicy, PolicyKind, PolicySet};
use wharf_config::{AdmissionConfig, AdmissionTls, Config, ConfigErrors, OnBadPolicy, TlsFiles};
use wharf_plugin::{ByteSize, Limits, Reference};

use crate::parse;

/// What a deployer writes.
const EXAMPLE: &str = r"version: 1
admission:
  bind: 127.0.0.1:8443
  tls: { certificate: tls/server.crt, key: tls/server.key, clientCa: tls/ca.crt }   # or `tls: none`: plain HTTP, loopback only
  policies: { file: policies.yml }         # Kubewarden's own format; or the same entries inline
  onBadPolicy: serveOthers                 # refuseStart | serveOthers (default)
  queue: { concurrent: 8, waiting: 256 }
";

/// The configuration of a text that is accepted without a warning.
fn config(text: &str) -> Config {
    match parse(text) {
        Ok(loaded) => {
            assert_eq!(loaded.warnings, [], "no warning was expected");
            loaded.config
        }
        Err(errors) => panic!("{errors}"),
    }
}

/// A configuration with these keys in its section.
fn section(keys: &str) -> String {
    let keys: String = keys.lines().map(|line| format!("  {line}\n")).collect();
    format!("version: 1\nadmission:\n{keys}")
}

/// The section with these keys beside those that must be there.
fn admission(keys: &str) -> AdmissionConfig {
    let text = section(&format!("bind: 127.0.0.1:0\ntls: none\npolicies: {{}}\n{keys}"));
    config(&text).admission.expect("the section is there")
}

/// The ids of a set, the good ones and the bad ones.
fn ids(policies: &PolicySet) -> (Vec<&str>, Vec<&str>) {
    let good = policies.entries.iter().map(|entry| entry.id.as_str());
    let bad = policies.bad.iter().map(|bad| bad.id.as_str());
    (good.collect(), bad.collect())
}

/// All that is said of bad policies.
fn reasons(bad: &[BadPolicy]) -> String {
    let reasons = bad
        .iter()
        .map(|bad| format!("[{}] {} at {}", bad.id, bad.errors, bad.source));
    reasons.collect::<Vec<_>>().join("\n\n")
}

/// The errors with the name of a directory left out.
fn check_errors(errors: &ConfigErrors, directory: &Path, expected: &Expect) {
    let directory = format!("{}/", directory.display());
    expected.assert_eq(&errors.render(false).replace(&directory, "DIR/"));
}

#[test]
fn the_example_means_what_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("wharf.yaml"), EXAMPLE).unwrap();
    fs::write(at("labels.wasm"), b"").unwrap();
    fs::write(at("policies.yml"), "labels:\n  module: labels.wasm\n").unwrap();
    let loaded = wharf_config::load(&at("wharf.yaml")).unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.config.proxy, None);
    let admission = loaded.config.admission.expect("the section is there");
    assert_eq!(admission.bind, "127.0.0.1:8443".parse().unwrap());
    assert_eq!(
        admission.tls,
        AdmissionTls::Files(TlsFiles {
            certificate: at("tls/server.crt"),
            key: at("tls/server.key"),
            client_ca: vec![at("tls/ca.crt")],
        })
    );
    assert_eq!(admission.policy_files, [at("policies.yml")]);
    assert_eq!(admission.on_bad_policy, OnBadPolicy::ServeOthers);
    assert_eq!(
        (admission.queue.concurrent.get(), admission.queue.waiting),
        (8, 256)
    );
    let [labels] = admission.policies.entries.as_slice() else {
        panic!("one policy was written")
    };
    assert_eq!(labels.id, "labels");
    assert_eq!(
        labels.source.to_string(),
        format!("{}:1", at("policies.yml").display())
    );
    assert_eq!(labels.modules()[0].reference, Reference::File(at("labels.wasm")));
    assert_eq!(admission.policies.bad, []);
}

#[test]
fn a_text_alone_names_the_files_of_policies_and_does_not_read_them() {
    let admission = config(EXAMPLE).admission.expect("the section is there");
    assert_eq!(admission.policy_files, [Path::new("policies.yml")]);
    assert_eq!(admission.policies, PolicySet::default());
}

#[test]
fn what_is_not_given_has_the_documented_default() {
    let decoded = admission("");
    assert_eq!(
        decoded,
        AdmissionConfig::new("127.0.0.1:0".parse().unwrap(), AdmissionTls::None)
    );
    assert_eq!(admission("queue:\nlimits: ~\nkubernetes:\ntimeout:\n"), decoded);
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(decoded.queue.concurrent.get(), cores + cores.div_ceil(4));
    expect![[r#"
        AdmissionConfig {
            bind: 127.0.0.1:0,
            tls: None,
            policies: PolicySet {
                entries: [],
                bad: [],
            },
            policy_files: [],
            on_bad_policy: ServeOthers,
            queue: QueueConfig {
                concurrent: 1,
                waiting: 256,
            },
            body_limit: ByteSize(
                8388608,
            ),
            timeout: 2s,
            limits: Limits {
                memory: ByteSize(
                    268435456,
                ),
                table_elements: 100000,
                instances: 1000,
                deadline: 2s,
                startup_deadline: 5s,
                stack: ByteSize(
                    524288,
                ),
            },
            always_accept_namespace: None,
            kubernetes: KubernetesConfig {
                kubeconfig: None,
                ignore_connection_failure: false,
            },
            drain_timeout: 30s,
        }
    "#]]
    .assert_debug_eq(&AdmissionConfig {
        queue: wharf_config::QueueConfig {
            concurrent: 1.try_into().unwrap(),
            ..decoded.queue
        },
        ..decoded
    });
}

#[test]
fn every_key_reaches_its_place() {
    let admission = admission(
        "onBadPolicy: refuseStart
queue: { concurrent: 3, waiting: 0 }
bodyLimit: 6MiB
timeout: 250ms
limits: { memory: 32MiB, tableElements: 7, instances: 8, startupDeadline: 9s, stack: 64KiB }
alwaysAcceptNamespace: kube-system
kubernetes: { kubeconfig: kube/config, ignoreConnectionFailure: true }
drainTimeout: 0s
",
    );
    assert_eq!(admission.on_bad_policy, OnBadPolicy::RefuseStart);
    assert_eq!(
        (admission.queue.concurrent.get(), admission.queue.waiting),
        (3, 0)
    );
    assert_eq!(admission.body_limit, ByteSize::from_mib(6));
    assert_eq!(admission.timeout, Duration::from_millis(250));
    assert_eq!(
        admission.limits,
        Limits {
            memory: ByteSize::from_mib(32),
            table_elements: 7,
            instances: 8,
            deadline: Duration::from_millis(250),
            startup_deadline: Duration::from_secs(9),
            stack: ByteSize::from_kib(64),
        }
    );
    assert_eq!(admission.always_accept_namespace.as_deref(), Some("kube-system"));
    assert_eq!(
        admission.kubernetes.kubeconfig.as_deref(),
        Some(Path::new("kube/config"))
    );
    assert!(admission.kubernetes.ignore_connection_failure);
    assert_eq!(admission.drain_timeout, Duration::ZERO);
}

#[test]
fn authorities_for_clients_may_be_several_and_paths_are_relative_to_the_file() {
    let text =
        section("bind: '[::]:8443'\ntls: { certificate: a, key: /b, clientCa: [c, /d] }\npolicies: {}");
    let loaded = wharf_config::parse(&text, Path::new("/etc/wharf/wharf.yaml")).unwrap();
    assert_eq!(
        loaded.config.admission.unwrap().tls,
        AdmissionTls::Files(TlsFiles {
            certificate: "/etc/wharf/a".into(),
            key: "/b".into(),
            client_ca: vec!["/etc/wharf/c".into(), "/d".into()],
        })
    );
}

#[test]
fn a_policy_overrides_the_limits_of_its_server() {
    let text = section(
        "bind: 127.0.0.1:0
tls: none
timeout: 3s
limits: { memory: 32MiB, instances: 8 }
policies:
  own: { module: a.wasm, timeout: 250ms, limits: { memory: 1MiB, stack: 64KiB } }
  none: { module: a.wasm }
",
    );
    let admission = config(&text).admission.unwrap();
    let limits: Vec<Limits> = admission
        .policies
        .entries
        .iter()
        .map(|entry| admission.limits_of(entry.modules()[0]))
        .collect();
    let with = |memory: u64, stack: u64, deadline: u64| Limits {
        memory: ByteSize::from_mib(memory),
        stack: ByteSize::from_kib(stack),
        deadline: Duration::from_millis(deadline),
        instances: 8,
        ..Limits::default()
    };
    assert_eq!(limits, [with(1, 64, 250), with(32, 512, 3000)]);
}

#[test]
fn policies_may_be_written_in_the_configuration_one_of_them_called_file() {
    let text = section(
        "bind: 127.0.0.1:0
tls: none
policies:
  file: { module: policies/a.wasm, settings: { n: 1 } }
  both: { policies: { a: { module: ./a.wasm } }, expression: a(), message: no }
",
    );
    let loaded = wharf_config::parse(&text, Path::new("/etc/wharf.yaml")).unwrap();
    let admission = loaded.config.admission.unwrap();
    assert_eq!(ids(&admission.policies), (vec!["file", "both"], vec![]));
    assert_eq!(admission.policy_files, [] as [&Path; 0]);
    let [file, both] = admission.policies.entries.as_slice() else {
        panic!("two policies were written")
    };
    assert_eq!(file.source.to_string(), "/etc/wharf.yaml:6");
    assert_eq!(
        file.modules()[0].reference,
        Reference::File("/etc/policies/a.wasm".into())
    );
    assert!(matches!(both.kind, PolicyKind::Group(_)));
}

/// Changes to the section at a JSON pointer, each of which the schema and the decoder must both refuse, or both accept.
#[test]
fn the_schema_and_the_decoder_agree() {
    let validator = jsonschema::draft202012::new(&wharf_config::json_schema()).unwrap();
    let policy = json!({ "module": "ghcr.io/a/b:v1" });
    let group = json!({ "policies": { "m": policy }, "expression": "m()", "message": "no" });
    for (pointer, value, good) in [
        ("/tls", json!("none"), true),
        ("/tls", json!("some"), false),
        ("/tls", json!(null), false),
        ("/tls", json!({ "certificate": "a", "key": "b" }), true),
        (
            "/tls",
            json!({ "certificate": "a", "key": "b", "clientCa": ["c"] }),
            true,
        ),
        (
            "/tls",
            json!({ "certificate": "a", "key": "b", "clientCa": [] }),
            false,
        ),
        ("/tls", json!({ "certificate": "a" }), false),
        ("/policies", json!(null), false),
        ("/policies", json!([]), false),
        ("/policies", json!("policies.yml"), false),
        ("/policies", json!({}), true),
        ("/policies", json!({ "file": "a.yml" }), true),
        ("/policies", json!({ "file": ["a.yml", "b.yml"] }), true),
        ("/policies", json!({ "file": [] }), false),
        ("/policies", json!({ "file": "a.yml", "a": policy }), false),
        ("/policies", json!({ "file": policy, "a": group }), true),
        ("/policies/a", json!({}), false),
        (
            "/policies/a",
            json!({ "module": "a.wasm", "policies": {}, "expression": "a", "message": "" }),
            false,
        ),
        ("/policies/a/policyMode", json!("observe"), false),
        ("/policies/a/unknown", json!(1), true),
        ("/policies/a/settings", json!([]), false),
        ("/policies/a/settings", json!({ "a": [null, { "b": 1.5 }] }), true),
        ("/policies/a/settings", json!(null), true),
        (
            "/policies/a/contextAwareResources",
            json!([{ "kind": "Pod" }]),
            false,
        ),
        (
            "/policies/a/hostCapabilities",
            json!(["*", "oci/*", "kubernetes/can_i"]),
            true,
        ),
        ("/policies/a/hostCapabilities", json!(["oci*"]), false),
        ("/policies/a/timeoutEvalSeconds", json!(0), false),
        ("/policies/a/timeout", json!("250ms"), true),
        ("/policies/a/timeout", json!(2), false),
        ("/policies/a/limits", json!({ "memory": "1MiB" }), true),
        ("/policies/a/limits", json!({ "deadline": "1s" }), false),
        ("/policies/a/executionMode", json!("rego"), false),
        (
            "/policies/g/policies",
            json!({ "m": { "module": "a.wasm", "policyMode": "protect" } }),
            false,
        ),
        ("/policies/g/policies", json!([]), false),
        ("/policies/g/message", json!(null), false),
        ("/onBadPolicy", json!("ignore"), false),
        ("/queue", json!({ "concurrent": 0 }), false),
        ("/queue", json!(null), true),
        ("/bodyLimit", json!("8MB"), false),
        ("/limits", json!({ "stack": "64KiB" }), true),
        ("/limits", json!({ "deadline": "1s" }), false),
        ("/alwaysAcceptNamespace", json!("Kube"), false),
        ("/namespacedPoliciesCapabilities", json!([]), true),
        (
            "/kubernetes",
            json!({ "kubeconfig": "a", "ignoreConnectionFailure": false }),
            true,
        ),
        ("/kubernetes", json!({ "context": "a" }), false),
    ] {
        let mut changed = json!({ "version": 1, "admission": {
            "bind": "127.0.0.1:0",
            "tls": "none",
            "policies": { "a": policy, "g": group },
            "onBadPolicy": "refuseStart",
        }});
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
        let parent = changed
            .pointer_mut(&format!("/admission{parent}"))
            .expect("it is there");
        parent[key] = value.clone();
        assert_eq!(
            validator.is_valid(&changed),
            good,
            "the schema on {pointer} = {value}"
        );
        assert_eq!(
            parse(&changed.to_string()).is_ok(),
            good,
            "the decoder on {pointer} = {value}"
        );
    }
}
