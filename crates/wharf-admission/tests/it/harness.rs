//! A server with policies, and a client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wharf_admission::{
    AdmissionServer, AdmissionSettings, Bound, Change, ConnectionLimits, PreparedPolicies, SharedCapabilities,
};
use wharf_config::kubewarden::{PolicySet, load_policies};
use wharf_config::{AdmissionConfig, AdmissionTls};
use wharf_distribution::Fetcher;
use wharf_engine::{Allocation, Engine, EngineSettings};
use wharf_loader::{LoadProgress, Loader};
use wharf_plugin::ByteSize;
use wharf_telemetry::Metrics;

/// What is patient enough for any machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server, its directory and its metrics.
pub(crate) struct Served {
    pub(crate) server: Option<AdmissionServer>,
    pub(crate) metrics: Arc<Metrics>,
    directory: TempDir,
}

/// An answer: its status, its headers as one text, its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Answer {
    /// The `response` of a review's answer.
    pub(crate) fn response(&self) -> &Value {
        assert_eq!(self.status, 200, "{self:?}");
        &self.body["response"]
    }
}

/// A policy that gives `answer` to everything; its metadata say that it speaks the protocol.
pub(crate) fn policy(answer: &str) -> String {
    let text = answer.replace('\\', "\\\\").replace('"', "\\\"");
    let length = answer.len();
    guest(&format!(
        r#"(data (i32.const 65536) "{text}")
           (func (export "__guest_call") (param i32 i32) (result i32)
             (call $response (i32.const 65536) (i32.const {length}))
             (i32.const 1))"#
    ))
}

/// A policy whose settings are good, and whose reviews run `body`, which leaves a result.
pub(crate) fn reviewing(body: &str) -> String {
    guest(&format!(
        r#"(data (i32.const 65536) "{{\"valid\":true}}")
           (func $rubbish (call $response (i32.const 65536) (i32.const 7)))
           (func (export "__guest_call") (param $operation i32) (param i32) (result i32)
             (if (i32.ne (local.get $operation) (i32.const 8))
               (then (call $response (i32.const 65536) (i32.const 14)) (return (i32.const 1))))
             {body})"#
    ))
}

fn guest(rest: &str) -> String {
    let metadata = r#"{\"protocolVersion\":\"v1\",\"rules\":[],\"mutating\":true,\"executionMode\":\"kubewarden-wapc\"}"#;
    format!(
        r#"(module
           (import "wapc" "__guest_response" (func $response (param i32 i32)))
           (import "wapc" "__guest_error" (func $error (param i32 i32)))
           (memory (export "memory") 2)
           {rest}
           (@custom "io.kubewarden.metadata" "{metadata}"))"#
    )
}

/// The settings of a server that is under test.
pub(crate) fn config() -> AdmissionConfig {
    let mut config = AdmissionConfig::new("127.0.0.1:0".parse().unwrap(), AdmissionTls::None);
    config.timeout = PATIENCE;
    config.queue.concurrent = NonZeroUsize::new(2).unwrap();
    config
}

/// Who answers what policies ask, and where that runs.
struct Asked {
    metrics: Arc<Metrics>,
    runtime: Arc<Runtime>,
    capabilities: Arc<dyn SharedCapabilities>,
    /// Who fetches modules, and who hears of it; none where they are files.
    fetched: Option<(Fetcher, Arc<dyn LoadProgress>)>,
}

impl Asked {
    fn new(
        metrics: Arc<Metrics>,
        capabilities: impl FnOnce(&Runtime, &Arc<Metrics>) -> Arc<dyn SharedCapabilities>,
    ) -> Self {
        let runtime = AdmissionServer::runtime().unwrap();
        let capabilities = capabilities(&runtime, &metrics);
        Self {
            metrics,
            runtime,
            capabilities,
            fetched: None,
        }
    }
}

impl Served {
    /// Serves the modules `files` under `policies`, which is the text of a `policies.yml`.
    pub(crate) fn new(files: &[(&str, String)], policies: &str) -> Self {
        Self::with(config(), files, policies)
    }

    pub(crate) fn with(config: AdmissionConfig, files: &[(&str, String)], policies: &str) -> Self {
        Self::with_limits(config, ConnectionLimits::default(), files, policies)
    }

    pub(crate) fn with_limits(
        config: AdmissionConfig,
        limits: ConnectionLimits,
        files: &[(&str, String)],
        policies: &str,
    ) -> Self {
        let asked = Asked::new(Arc::default(), |_, _| Arc::new(()));
        Self::start(config, limits, files, policies, asked)
    }

    /// With what policies may ask.
    pub(crate) fn asking(
        config: AdmissionConfig,
        files: &[(&str, String)],
        policies: &str,
        capabilities: impl FnOnce(&Runtime, &Arc<Metrics>) -> Arc<dyn SharedCapabilities>,
    ) -> Self {
        let asked = Asked::new(Arc::default(), capabilities);
        Self::start(config, ConnectionLimits::default(), files, policies, asked)
    }

    /// Serves policies that can ask for something.
    pub(crate) fn capable(
        config: AdmissionConfig,
        files: &[(&str, String)],
        policies: &str,
        metrics: Arc<Metrics>,
        runtime: Arc<Runtime>,
        capabilities: Arc<dyn SharedCapabilities>,
    ) -> Self {
        let asked = Asked {
            metrics,
            runtime,
            capabilities,
            fetched: None,
        };
        Self::start(config, ConnectionLimits::default(), files, policies, asked)
    }

    /// Serves policies of registries.
    pub(crate) fn fetching(
        fetcher: Fetcher,
        progress: Arc<dyn LoadProgress>,
        policies: &str,
        capabilities: Arc<dyn SharedCapabilities>,
    ) -> Self {
        let asked = Asked {
            fetched: Some((fetcher, progress)),
            ..Asked::new(Arc::default(), |_, _| capabilities)
        };
        let mut config = config();
        // So that one policy may run twice at the same time, before and after it is replaced.
        config.queue.concurrent = NonZeroUsize::new(5).unwrap();
        Self::start(config, ConnectionLimits::default(), &[], policies, asked)
    }

    fn start(
        mut config: AdmissionConfig,
        limits: ConnectionLimits,
        files: &[(&str, String)],
        policies: &str,
        asked: Asked,
    ) -> Self {
        let Asked {
            metrics,
            runtime,
            capabilities,
            fetched,
        } = asked;
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        config.policies = read(directory.path(), policies);
        let engine = Engine::new(EngineSettings {
            allocation: Allocation::Pooled {
                instances: 16,
                memory: ByteSize::from_mib(256),
            },
            ..EngineSettings::default()
        });
        let settings = AdmissionSettings {
            loader: match fetched {
                Some((fetcher, progress)) => Loader::new(engine.unwrap(), progress).with_fetcher(fetcher),
                None => Loader::new(engine.unwrap(), Arc::new(())),
            },
            metrics: Arc::clone(&metrics),
            capabilities,
        };
        let prepared = Arc::new(PreparedPolicies::load(&config, settings));
        let bound = Bound::new(config.bind).unwrap().with_limits(limits);
        let server = AdmissionServer::start(bound, &config, None, prepared, runtime).unwrap();
        Self {
            server: Some(server),
            metrics,
            directory,
        }
    }

    pub(crate) fn server(&self) -> &AdmissionServer {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server().address()
    }

    /// Writes a module and serves other policies.
    pub(crate) fn reload(&self, files: &[(&str, String)], policies: &str) -> Change {
        for (name, text) in files {
            std::fs::write(self.directory.path().join(name), text).unwrap();
        }
        self.server()
            .reload(&read(self.directory.path(), policies), false)
    }

    /// Policies that are not served yet.
    pub(crate) fn read(&self, policies: &str) -> PolicySet {
        read(self.directory.path(), policies)
    }

    /// Asks for a review of a pod in the namespace `default`.
    pub(crate) fn review(&self, path: &str) -> Answer {
        self.post(path, &pod("default").to_string())
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        send(self.address(), "POST", path, body)
    }

    /// The text of the metrics' line that begins with `start`.
    pub(crate) fn metric(&self, start: &str) -> Option<String> {
        let text = self.metrics.encode();
        text.lines()
            .find(|line| line.starts_with(start))
            .map(str::to_owned)
    }
}

fn read(directory: &Path, policies: &str) -> PolicySet {
    let file = directory.join("policies.yml");
    std::fs::write(&file, policies).unwrap();
    load_policies(&[file]).unwrap().policies
}

/// A review of a pod.
pub(crate) fn pod(namespace: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "u-1",
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "name": "p",
            "namespace": namespace,
            "operation": "CREATE",
            "userInfo": { "username": "alice", "groups": [] },
            "object": { "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" }, "spec": { "containers": [] } },
        },
    })
}

/// One request on a connection of its own.
pub(crate) fn send(address: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    let mut stream = open(address);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A server that has answered before it read all may have closed.
    let _ = stream.write_all(body.as_bytes());
    receive(&mut stream)
}

pub(crate) fn open(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads to the end of the connection.
pub(crate) fn receive(stream: &mut TcpStream) -> Answer {
    let mut text = Vec::new();
    // What was read before a reset counts.
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_ascii_lowercase(),
        body: serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())),
    }
}
