//! Policies that ask the host about images, and a server for them with a registry.

use std::fmt::Write as _;
use std::sync::Arc;

use wharf_admission::{CapabilityLimits, ClusterCapabilities, SharedCapabilities};
use wharf_config::KubernetesConfig;
use wharf_distribution::registry::{HostSettings, RegistryClient, RegistrySettings};
use wharf_testing::registry::Registry;
use wharf_testing::{ApiServer, api_server};

use crate::harness::{Served, config};

/// A policy that asks the host for `oci/OPERATION` in each review, and refuses with the answer or the error as its message,
/// with `'` for each `"`.
pub(crate) fn asking(operation: &str, payload: &str) -> String {
    let (operation_size, payload_size) = (operation.len(), payload.len());
    let payload = payload.replace('\\', "\\\\").replace('"', "\\\"");
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
        (data (i32.const 128) "{operation}") (data (i32.const 256) "{payload}")
        (data (i32.const 65536) "{{\"accepted\":false,\"message\":\"")
        (func (export "__guest_call") (param $operation i32) (param i32) (result i32)
          (local $size i32) (local $at i32)
          (if (i32.ne (local.get $operation) (i32.const 8))
            (then (call $response (i32.const 16) (i32.const 14)) (return (i32.const 1))))
          (if (call $host_call (i32.const 64) (i32.const 10) (i32.const 96) (i32.const 3)
                (i32.const 128) (i32.const {operation_size}) (i32.const 256) (i32.const {payload_size}))
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

/// A policy: its name, the operation that it asks for, what it asks, and which operations it is granted.
pub(crate) type Asker<'a> = (&'a str, &'a str, String, &'a str);

/// A server of such policies.
pub(crate) struct Asked {
    pub(crate) served: Served,
    pub(crate) registry: Registry,
    _api: ApiServer,
}

impl Asked {
    /// With what the server is given beside a cluster.
    pub(crate) fn new(
        registry: Registry,
        policies: &[Asker<'_>],
        given: impl FnOnce(ClusterCapabilities) -> ClusterCapabilities,
    ) -> Self {
        let api = api_server(|_| None);
        let directory = tempfile::tempdir().unwrap();
        let kubeconfig = directory.path().join("kubeconfig");
        std::fs::write(&kubeconfig, api.kubeconfig()).unwrap();
        let mut text = String::new();
        let mut files = Vec::new();
        for (name, operation, payload, granted) in policies {
            let file = format!("{name}.wat");
            writeln!(
                text,
                "{name}: {{ module: 'file:{file}', hostCapabilities: ['{granted}'] }}"
            )
            .unwrap();
            files.push((file, asking(operation, payload)));
        }
        let files: Vec<(&str, String)> = files.iter().map(|(file, text)| (&**file, text.clone())).collect();
        let kubernetes = KubernetesConfig {
            kubeconfig: Some(kubeconfig),
            ignore_connection_failure: false,
        };
        let served = Served::asking(config(), &files, &text, |runtime, metrics| {
            let limits = CapabilityLimits::default();
            let made =
                ClusterCapabilities::connect(&kubernetes, runtime.handle(), Arc::clone(metrics), &limits);
            Arc::new(given(made.unwrap())) as Arc<dyn SharedCapabilities>
        });
        Self {
            served,
            registry,
            _api: api,
        }
    }

    /// The message of a policy, with the registry's address replaced.
    pub(crate) fn says(&self, policy: &str) -> String {
        let answer = self.served.review(&format!("/validate/{policy}"));
        let message = answer.response()["status"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        message.replace(&self.registry.address().to_string(), "ADDRESS")
    }
}

/// A client that asks a registry on this machine.
pub(crate) fn client_of(registry: &Registry) -> Arc<RegistryClient> {
    let plain = HostSettings {
        plain_http: true,
        ..HostSettings::default()
    };
    let settings = RegistrySettings {
        hosts: [(registry.address().to_string().parse().unwrap(), plain)].into(),
        ..RegistrySettings::default()
    };
    Arc::new(RegistryClient::new(settings).unwrap())
}
