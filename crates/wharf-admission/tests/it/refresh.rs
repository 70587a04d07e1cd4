//! Tags that mean another module by and by, while reviews run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use wharf_abi_wapc::kubewarden::capability::{CapabilityError, CapabilityRequest};
use wharf_admission::{Refreshed, SharedCapabilities};
use wharf_distribution::{FetchLimits, Fetcher, PullPolicy, PushFormat, Store, publish};
use wharf_engine::{CacheReport, CompileError, Deadline};
use wharf_loader::LoadProgress;
use wharf_plugin::{ByteSize, PluginName};
use wharf_testing::registry::{Registry, registry};

use crate::asking::{asking, client_of};
use crate::harness::{PATIENCE, Served, policy};

fn says(message: &str) -> String {
    policy(&format!(
        r#"{{"accepted":false,"valid":true,"message":"{message}"}}"#
    ))
}

/// A policy that is no good: it refuses its settings.
fn refuses_settings() -> String {
    policy(r#"{"valid":false,"message":"bad settings"}"#)
}

/// A registry with the policy `team/policy:1`, and a server that asks for it always.
struct Moving {
    served: Served,
    registry: Option<Registry>,
    image: String,
    compiled: Arc<Compiled>,
    _store: tempfile::TempDir,
}

/// Counts how often something is compiled.
#[derive(Default)]
struct Compiled(AtomicUsize);

impl LoadProgress for Compiled {
    fn compile_started(&self, _plugin: &PluginName, _size: ByteSize) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn compile_ended(&self, _plugin: &PluginName, _outcome: Result<&CacheReport, &CompileError>) {}
}

impl Moving {
    fn new(first: &str, with_store: bool) -> Self {
        Self::with(first, with_store, Arc::new(()))
    }

    fn with(first: &str, with_store: bool, capabilities: Arc<dyn SharedCapabilities>) -> Self {
        let registry = registry().start();
        let image = format!("{}/team/policy:1", registry.address());
        push(&registry, &image, first);
        let store = tempfile::tempdir().unwrap();
        let limits = FetchLimits {
            retries: 0,
            ..FetchLimits::default()
        };
        let fetcher = Fetcher::new(client_of(&registry))
            .with_policy(PullPolicy::Always)
            .with_limits(limits);
        let fetcher = match with_store {
            true => fetcher.with_store(Store::open(store.path()).unwrap()),
            false => fetcher,
        };
        let policies = format!("p: {{ module: 'registry://{image}', hostCapabilities: ['*'] }}\n");
        let compiled = Arc::new(Compiled::default());
        let progress = Arc::clone(&compiled) as Arc<dyn LoadProgress>;
        Self {
            served: Served::fetching(fetcher, progress, &policies, capabilities),
            compiled,
            registry: Some(registry),
            image,
            _store: store,
        }
    }

    fn push(&self, wat: &str) {
        push(self.registry.as_ref().unwrap(), &self.image, wat);
    }

    fn refresh(&self) -> Refreshed {
        self.served.server().refresh()
    }

    fn says(&self) -> String {
        let answer = self.served.review("/validate/p");
        answer.response()["status"]["message"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn described(&self) -> Value {
        self.served.server().policies().describe()[0].clone()
    }

    fn count(&self, outcome: &str) -> u64 {
        let start = format!("wharf_plugin_refreshes_total{{plugin=\"p\",outcome=\"{outcome}\"}} ");
        let line = self.served.metric(&start);
        line.map_or(0, |line| line[start.len()..].parse().unwrap())
    }
}

fn push(registry: &Registry, image: &str, wat: &str) {
    let image = image.parse().unwrap();
    let module = wat::parse_str(wat).unwrap();
    publish(
        &client_of(registry),
        &image,
        module.into(),
        PushFormat::Kubewarden,
        &BTreeMap::new(),
    )
    .unwrap();
}

fn changed(id: &str) -> Refreshed {
    Refreshed {
        changed: vec![id.to_owned()],
        ..Refreshed::default()
    }
}

fn unchanged(id: &str) -> Refreshed {
    Refreshed {
        unchanged: vec![id.to_owned()],
        ..Refreshed::default()
    }
}

#[test]
fn what_the_tag_means_now_is_served_and_the_same_is_left_alone() {
    let moving = Moving::new(&says("old"), true);
    let digest = moving.described()["modules"][0]["digest"].clone();
    assert_eq!(moving.refresh(), unchanged("p"));
    assert_eq!(moving.says(), "old");
    moving.push(&says("new"));
    assert_eq!(moving.says(), "old", "nobody asked yet");
    assert_eq!(moving.refresh(), changed("p"));
    assert_eq!(moving.says(), "new");
    let described = moving.described();
    assert_ne!(described["modules"][0]["digest"], digest);
    assert_eq!(described["refresh"], Value::Null);
    let provenance = &described["modules"][0]["provenance"];
    assert_eq!(
        [
            &provenance["layout"],
            &provenance["origin"],
            &provenance["verification"]
        ],
        ["kubewarden", "network", "unverified"]
    );
    assert_eq!((moving.count("changed"), moving.count("unchanged")), (1, 1));
}

/// Answers who asks once it is told to, and says that somebody asked.
struct Gate {
    asked: Mutex<Sender<()>>,
    opened: Mutex<Receiver<()>>,
}

impl SharedCapabilities for Gate {
    fn call(&self, _request: &CapabilityRequest, _deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        let lost = |_| CapabilityError::Failed("the test is over".to_owned());
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.send(()).map_err(|_| CapabilityError::Timeout)?;
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.recv_timeout(PATIENCE).map_err(lost)?;
        Ok(b"old".to_vec())
    }
}

#[test]
fn a_review_that_runs_ends_with_the_policy_that_it_began_with() {
    let (asked, is_asked) = channel();
    let (open, opened) = channel();
    let gate = Gate {
        asked: Mutex::new(asked),
        opened: Mutex::new(opened),
    };
    let first = asking("v1/manifest_digest", r#""image""#);
    let moving = Moving::with(&first, true, Arc::new(gate));
    std::thread::scope(|scope| {
        let review = scope.spawn(|| moving.says());
        is_asked.recv_timeout(PATIENCE).unwrap();
        moving.push(&says("new"));
        assert_eq!(moving.refresh(), changed("p"));
        assert_eq!(moving.says(), "new");
        open.send(()).unwrap();
        assert_eq!(review.join().unwrap(), "old");
    });
}

#[test]
fn a_registry_that_is_away_leaves_what_runs_and_is_told() {
    for with_store in [true, false] {
        let mut moving = Moving::new(&says("old"), with_store);
        drop(moving.registry.take());
        let refreshed = moving.refresh();
        let told = &refreshed.failed["p"];
        assert!(told.contains("registry"), "{told}");
        assert!(refreshed.changed.is_empty() && refreshed.unchanged.is_empty());
        assert_eq!(moving.says(), "old");
        let described = moving.described();
        assert_eq!(described["state"], "ready");
        assert_eq!(described["refresh"]["error"], json!(told));
        let since = described["refresh"]["since"].clone();
        let text = since.as_str().unwrap();
        assert!(
            text.ends_with('Z') && text.contains('T') && !text.contains('.'),
            "{text}"
        );
        assert_eq!(
            moving.served.server().policies().not_refreshed(),
            refreshed.failed
        );
        assert_eq!(moving.refresh().failed.len(), 1);
        assert_eq!(moving.described()["refresh"]["since"], since);
        assert_eq!(moving.count("failed"), 2);
    }
}

#[test]
fn a_module_that_cannot_run_leaves_what_runs_until_there_is_a_better_one() {
    let moving = Moving::new(&says("old"), true);
    for (bad, why) in [
        (
            refuses_settings(),
            "the policy refuses its settings: bad settings",
        ),
        ("(module)".to_owned(), "exports nothing"),
    ] {
        moving.push(&bad);
        let refreshed = moving.refresh();
        assert!(refreshed.failed["p"].contains(why), "{refreshed:?}");
        assert_eq!(moving.says(), "old");
        let described = moving.described();
        assert_eq!(described["state"], "ready");
        assert_eq!(described["refresh"]["error"], json!(refreshed.failed["p"]));
    }
    moving.push(&says("old"));
    assert_eq!(moving.refresh(), unchanged("p"));
    assert_eq!(moving.described()["refresh"], Value::Null);
    moving.push(&says("new"));
    assert_eq!(moving.refresh(), changed("p"));
    assert_eq!(moving.says(), "new");
    assert!(moving.served.server().policies().not_refreshed().is_empty());
}

#[test]
fn a_policy_that_was_not_there_at_the_start_is_tried_anew() {
    let moving = Moving::new("(module)", true);
    assert_eq!(moving.described()["state"], "bad");
    assert_eq!(moving.refresh().failed.len(), 1);
    assert_eq!(moving.described()["state"], "bad");
    moving.push(&says("new"));
    assert_eq!(moving.refresh(), changed("p"));
    assert_eq!(moving.described()["state"], "ready");
    assert_eq!(moving.says(), "new");
}

/// A policy that asks the host before each answer, also before it says that its settings are good.
fn curious() -> String {
    let answer = r#"{"valid":true,"accepted":false,"message":"old"}"#;
    let (text, size) = (answer.replace('"', "\\\""), answer.len());
    format!(
        r#"(module
           (import "wapc" "__guest_response" (func $response (param i32 i32)))
           (import "wapc" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
           (memory (export "memory") 2)
           (data (i32.const 64) "kubewarden") (data (i32.const 96) "oci")
           (data (i32.const 128) "v1/manifest_digest") (data (i32.const 256) "\"image\"")
           (data (i32.const 65536) "{text}")
           (func (export "__guest_call") (param i32 i32) (result i32)
             (drop (call $host_call (i32.const 64) (i32.const 10) (i32.const 96) (i32.const 3)
               (i32.const 128) (i32.const 18) (i32.const 256) (i32.const 7)))
             (call $response (i32.const 65536) (i32.const {size}))
             (i32.const 1))
           (@custom "io.kubewarden.metadata"
             "{{\"protocolVersion\":\"v1\",\"rules\":[],\"mutating\":false,\"executionMode\":\"kubewarden-wapc\"}}"))"#
    )
}

#[test]
fn the_same_module_is_neither_compiled_nor_asked_about_its_settings_again() {
    let (asked, is_asked) = channel();
    let (open, opened) = channel();
    let gate = Gate {
        asked: Mutex::new(asked),
        opened: Mutex::new(opened),
    };
    open.send(()).unwrap();
    let moving = Moving::with(&curious(), true, Arc::new(gate));
    is_asked.try_recv().unwrap();
    assert_eq!(moving.compiled.0.load(Ordering::SeqCst), 1);
    assert_eq!(moving.refresh(), unchanged("p"));
    assert!(is_asked.try_recv().is_err());
    assert_eq!(moving.compiled.0.load(Ordering::SeqCst), 1);
}
