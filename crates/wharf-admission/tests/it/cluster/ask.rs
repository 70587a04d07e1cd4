//! Asking, as a policy would.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wharf_abi_wapc::kubewarden::capability::{CapabilityError, CapabilityRequest};
use wharf_admission::{
    AdmissionServer, CapabilityLimits, ClusterCapabilities, ConnectError, SharedCapabilities,
};
use wharf_config::KubernetesConfig;
use wharf_engine::Deadline;
use wharf_telemetry::Metrics;
use wharf_testing::{ApiServer, PATIENCE};

/// A time that no test lasts.
pub(crate) const LONG: Duration = Duration::from_secs(3_600);

/// What answers, with all that it needs.
pub(crate) struct Asking {
    capabilities: ClusterCapabilities,
    metrics: Arc<Metrics>,
    _runtime: Arc<Runtime>,
}

/// Bounds under which nothing happens by itself while a test runs.
pub(crate) fn calm() -> CapabilityLimits {
    CapabilityLimits {
        answer_age: LONG,
        watch_broken: LONG,
        ..CapabilityLimits::default()
    }
}

/// Connects with a kubeconfig.
pub(crate) fn connect(
    kubeconfig: &str,
    limits: &CapabilityLimits,
    ignore: bool,
) -> Result<Asking, ConnectError> {
    let folder = tempfile::tempdir().expect("there is room for a file");
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, kubeconfig).expect("there is room for a file");
    let config = KubernetesConfig {
        kubeconfig: Some(path),
        ignore_connection_failure: ignore,
    };
    let runtime = AdmissionServer::runtime().expect("the system has threads");
    let metrics = Arc::new(Metrics::new());
    let capabilities = ClusterCapabilities::connect(&config, runtime.handle(), Arc::clone(&metrics), limits)?;
    Ok(Asking {
        capabilities,
        metrics,
        _runtime: runtime,
    })
}

/// Connects to a scripted server.
pub(crate) fn asking(server: &ApiServer, limits: &CapabilityLimits) -> Asking {
    connect(&server.kubeconfig(), limits, false).expect("the server answers")
}

impl Asking {
    /// Asks by the operation's name, with its JSON, and for at most so long.
    pub(crate) fn within(&self, time: Duration, path: &str, payload: &Value) -> Result<Value, String> {
        let (namespace, operation) = path
            .split_once('/')
            .expect("a path has a namespace and an operation");
        let request = CapabilityRequest::decode(namespace, operation, payload.to_string().as_bytes());
        self.request(time, &request.expect("the request is well-formed"))
    }

    pub(crate) fn request(&self, time: Duration, request: &CapabilityRequest) -> Result<Value, String> {
        match self.capabilities.call(request, Deadline::after(time)) {
            Ok(answer) => Ok(serde_json::from_slice(&answer).expect("answers are JSON")),
            Err(CapabilityError::Timeout) => Err("timeout".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(crate) fn ask(&self, path: &str, payload: &Value) -> Result<Value, String> {
        self.within(PATIENCE, path, payload)
    }

    /// Gets an object of `v1`, in the namespace `n` where it is in one.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Result<Value, String> {
        self.ask("kubernetes/get_resource", &get(kind, name, false))
    }

    /// Lists objects of `v1`.
    pub(crate) fn list(&self, kind: &str, more: &Value) -> Result<Value, String> {
        let mut payload = json!({"api_version": "v1", "kind": kind});
        merge(&mut payload, more);
        self.ask("kubernetes/list_resources_all", &payload)
    }

    /// All ConfigMaps, each as its name and its value.
    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.list("ConfigMap", &json!({})).expect("there is a list"))
    }

    /// How often a list came from somewhere: `watched` or `fetched`.
    pub(crate) fn lists(&self, source: &str) -> u64 {
        self.answers("list_resources", source)
    }

    /// How often an answer came from somewhere.
    pub(crate) fn answers(&self, operation: &str, source: &str) -> u64 {
        self.metric(&format!(
            "wharf_admission_kubernetes_answers_total{{operation=\"{operation}\",source=\"{source}\"}}"
        ))
    }

    /// The bytes of what watches keep.
    pub(crate) fn watch_bytes(&self) -> u64 {
        self.metric("wharf_admission_kubernetes_watch_bytes")
    }

    /// The value of a metric with these labels.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = self.metrics.encode();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().expect("a whole number"))
    }
}

/// The objects of a list, each as its name and its value.
pub(crate) fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().expect("a list has objects").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    items
        .map(|item| format!("{}={}", text(&item["metadata"]["name"]), text(&item["data"]["v"])))
        .collect()
}

pub(crate) fn get(kind: &str, name: &str, disable_cache: bool) -> Value {
    json!({
        "api_version": "v1", "kind": kind, "name": name, "namespace": "n", "disable_cache": disable_cache,
    })
}

fn merge(payload: &mut Value, more: &Value) {
    for (name, value) in more.as_object().expect("more is an object") {
        payload[name] = value.clone();
    }
}

/// A ConfigMap with a value.
pub(crate) fn config_map(name: &str, version: u64, value: &str) -> String {
    json!({
        "metadata": {"name": name, "namespace": "n", "resourceVersion": version.to_string()},
        "data": {"v": value},
    })
    .to_string()
}

/// A list of such.
pub(crate) fn config_maps(version: u64, more: &str, items: &[String]) -> String {
    format!(
        r#"{{"kind":"ConfigMapList","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","continue":"{more}"}},"items":[{}]}}"#,
        items.join(",")
    )
}

/// An event of a watch.
pub(crate) fn event(what: &str, object: &str) -> String {
    format!("{{\"type\":\"{what}\",\"object\":{object}}}\n")
}

/// A door that scripts wait at.
#[derive(Default)]
pub(crate) struct Door {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Door {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn open(&self) {
        *self.open.lock().expect("nobody panics here") = true;
        self.opened.notify_all();
    }

    pub(crate) fn wait(&self) {
        let closed = self.open.lock().expect("nobody panics here");
        let waited = self.opened.wait_timeout_while(closed, PATIENCE, |open| !*open);
        assert!(*waited.expect("nobody panics here").0, "the door was not opened");
    }
}
