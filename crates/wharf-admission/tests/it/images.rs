//! Policies that ask what an image is, over sockets from the review to the registry.

use std::sync::Arc;

use wharf_admission::{CapabilityLimits, ClusterCapabilities, SharedCapabilities};
use wharf_config::KubernetesConfig;
use wharf_distribution::registry::{HostSettings, RegistryClient, RegistrySettings};
use wharf_testing::registry::{Fault, Registry, digest_of, image_manifest, registry};
use wharf_testing::{ApiServer, api_server};

use crate::harness::{Served, config};

/// An image's configuration.
const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","config":{"User":"1000"}}"#;

/// A policy that asks the host for `oci/OPERATION` of an image in each review, and refuses with the answer or the error as
/// its message, with `'` for each `"`.
fn asking(operation: &str, image: &str) -> String {
    let (operation_size, image_size) = (operation.len(), image.len() + 2);
    format!(
        r#"(module
        (import "wapc" "__guest_response" (func $response (param i32 i32)))
        (import "wapc" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "wapc" "__host_response_len" (func $answer_size (result i32)))
        (import "wapc" "__host_response" (func $answer (param i32)))
        (import "wapc" "__host_error_len" (func $error_size (result i32)))
        (import "wapc" "__host_error" (func $error (param i32)))
        (memory (export "memory") 4)
        (data (i32.const 16) "{{\"valid\":true}}")
        (data (i32.const 64) "kubewarden") (data (i32.const 96) "oci")
        (data (i32.const 128) "{operation}") (data (i32.const 256) "\"{image}\"")
        (data (i32.const 65536) "{{\"accepted\":false,\"message\":\"")
        (func (export "__guest_call") (param $operation i32) (param i32) (result i32)
          (local $size i32) (local $at i32)
          (if (i32.ne (local.get $operation) (i32.const 8))
            (then (call $response (i32.const 16) (i32.const 14)) (return (i32.const 1))))
          (if (call $host_call (i32.const 64) (i32.const 10) (i32.const 96) (i32.const 3)
                (i32.const 128) (i32.const {operation_size}) (i32.const 256) (i32.const {image_size}))
            (then (local.set $size (call $answer_size)) (call $answer (i32.const 65565)))
            (else (local.set $size (call $error_size)) (call $error (i32.const 65565))))
          (loop $next
            (if (i32.lt_u (local.get $at) (local.get $size))
              (then
                (if (i32.eq (i32.load8_u offset=65565 (local.get $at)) (i32.const 34))
                  (then (i32.store8 offset=65565 (local.get $at) (i32.const 39))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br $next))))
          (i32.store8 offset=65565 (local.get $size) (i32.const 34))
          (i32.store8 offset=65566 (local.get $size) (i32.const 125))
          (call $response (i32.const 65536) (i32.add (local.get $size) (i32.const 31)))
          (i32.const 1))
        (@custom "io.kubewarden.metadata"
          "{{\"protocolVersion\":\"v1\",\"rules\":[],\"mutating\":false,\"executionMode\":\"kubewarden-wapc\"}}"))"#
    )
}

/// A server whose policies ask about images of a registry: `digest`, `manifest`, `config`, `wrong`, and one that may not ask.
struct Asked {
    served: Served,
    registry: Registry,
    _api: ApiServer,
}

impl Asked {
    fn new(registry: Registry, image: &str, with_registries: bool) -> Self {
        let whole = format!("{}/{image}", registry.address());
        let api = api_server(|_| None);
        let directory = tempfile::tempdir().unwrap();
        let kubeconfig = directory.path().join("kubeconfig");
        std::fs::write(&kubeconfig, api.kubeconfig()).unwrap();
        let files = [
            ("digest.wat", asking("v1/manifest_digest", &whole)),
            ("manifest.wat", asking("v1/oci_manifest", &whole)),
            ("config.wat", asking("v1/oci_manifest_config", &whole)),
            ("wrong.wat", asking("v1/manifest_digest", "Not An Image")),
        ];
        let policies = "
digest: { module: file:digest.wat, hostCapabilities: [oci/v1/manifest_digest] }
manifest: { module: file:manifest.wat, hostCapabilities: ['oci/v1/*'] }
config: { module: file:config.wat, hostCapabilities: ['oci/*'] }
wrong: { module: file:wrong.wat, hostCapabilities: ['*'] }
ungranted: { module: file:digest.wat, hostCapabilities: [oci/v1/oci_manifest] }
";
        let plain = HostSettings {
            plain_http: true,
            ..HostSettings::default()
        };
        let settings = RegistrySettings {
            hosts: [(registry.address().to_string().parse().unwrap(), plain)].into(),
            ..RegistrySettings::default()
        };
        let kubernetes = KubernetesConfig {
            kubeconfig: Some(kubeconfig),
            ignore_connection_failure: false,
        };
        let served = Served::asking(config(), &files, policies, |runtime, metrics| {
            let limits = CapabilityLimits::default();
            let metrics = Arc::clone(metrics);
            let mut made =
                ClusterCapabilities::connect(&kubernetes, runtime.handle(), metrics, &limits).unwrap();
            if with_registries {
                made = made.with_registries(Arc::new(RegistryClient::new(settings).unwrap()));
            }
            Arc::new(made) as Arc<dyn SharedCapabilities>
        });
        Self {
            served,
            registry,
            _api: api,
        }
    }

    /// The message of a policy, with the registry's address replaced.
    fn says(&self, policy: &str) -> String {
        let answer = self.served.review(&format!("/validate/{policy}"));
        let message = answer.response()["status"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        message.replace(&self.registry.address().to_string(), "ADDRESS")
    }
}

fn quoted(text: &str) -> String {
    text.replace('"', "'")
}

#[test]
fn policies_get_digest_manifest_and_configuration() {
    let asked = Asked::new(
        registry().image("team/app", "1.0", CONFIG).start(),
        "team/app:1.0",
        true,
    );
    let manifest = image_manifest(CONFIG.as_bytes());
    let digest = digest_of(&manifest);
    assert_eq!(asked.says("digest"), format!("{{'digest':'{digest}'}}"));
    assert_eq!(asked.says("manifest"), quoted(&manifest));
    let both = format!(r#"{{"manifest":{manifest},"digest":"{digest}","config":{CONFIG}}}"#);
    assert_eq!(asked.says("config"), quoted(&both));
}

#[test]
fn an_answer_is_asked_for_once_and_an_error_each_time() {
    let good = Asked::new(registry().image("app", "1", CONFIG).start(), "app:1", true);
    let first = good.says("digest");
    assert_eq!(good.says("digest"), first);
    assert_eq!(good.registry.asked().len(), 1);
    let bad = registry()
        .fault("/v2/", Fault::Status(429, "retry-after: 9\r\n", ""))
        .start();
    let bad = Asked::new(bad, "app:1", true);
    for _ in 0..2 {
        let said = bad.says("digest");
        assert!(
            said.contains(
                "ADDRESS/app:1: the registry ADDRESS was asked too often, and may be again in 9 s; wait"
            ),
            "{said}"
        );
    }
    assert_eq!(bad.registry.asked().len(), 2);
    let failed = "wharf_admission_host_calls_total{policy=\"digest\"";
    assert!(
        bad.served.metric(failed).is_some(),
        "{}",
        bad.served.metrics.encode()
    );
}

#[test]
fn what_is_not_granted_or_not_there_is_not_asked_for() {
    let asked = Asked::new(registry().image("app", "1", CONFIG).start(), "app:1", true);
    let said = asked.says("ungranted");
    assert!(said.contains("oci/v1/manifest_digest"), "{said}");
    let said = asked.says("wrong");
    assert!(said.contains("no part of a repository's name"), "{said}");
    assert_eq!(asked.registry.asked(), Vec::<String>::new());
    let without = Asked::new(registry().image("app", "1", CONFIG).start(), "app:1", false);
    let said = without.says("manifest");
    assert!(said.contains("does not offer oci/v1/oci_manifest"), "{said}");
}
