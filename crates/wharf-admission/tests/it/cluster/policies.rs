//! Policies that ask, over sockets on both sides: the review comes over one, and the cluster is behind another.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Barrier};

use serde_json::{Value, json};
use wharf_admission::{AdmissionServer, CapabilityLimits, ClusterCapabilities};
use wharf_config::KubernetesConfig;
use wharf_testing::api_server::{Answer, kubeconfig_for};
use wharf_testing::{eventually, refused_address};

use super::ask::{Door, calm, config_map};
use super::fake::Fake;
use crate::harness::{Served, config};

/// A policy that makes the host call that its settings describe.
pub(super) fn ask() -> String {
    std::fs::read_to_string(guests().join("wat/ask.wat")).unwrap()
}

pub(super) fn guests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../guests/policies")
}

/// Serves policies that may ask the cluster of a kubeconfig.
pub(super) fn serve(
    kubeconfig: &str,
    limits: &CapabilityLimits,
    files: &[(&str, String)],
    policies: &str,
) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, kubeconfig).unwrap();
    let cluster = KubernetesConfig {
        kubeconfig: Some(path),
        ignore_connection_failure: true,
    };
    let (runtime, metrics) = (AdmissionServer::runtime().unwrap(), Arc::default());
    let capabilities =
        ClusterCapabilities::connect(&cluster, runtime.handle(), Arc::clone(&metrics), limits).unwrap();
    let mut config = config();
    config.queue.concurrent = NonZeroUsize::new(8).unwrap();
    Served::capable(config, files, policies, metrics, runtime, Arc::new(capabilities))
}

/// An entry of `policies.yml` for a policy that asks for this, and is granted everything.
pub(super) fn asking(id: &str, operation: &str, payload: &Value) -> String {
    granted(
        id,
        operation,
        &payload.to_string().replace('"', "'"),
        "['*']",
        "ConfigMap",
    )
}

fn granted(id: &str, operation: &str, payload: &str, capabilities: &str, kind: &str) -> String {
    let settings = json!({"ask": operation, "payload": payload});
    let resources = json!([{"apiVersion": "v1", "kind": kind}]);
    format!(
        "{id}: {{ module: ./ask.wat, hostCapabilities: {capabilities}, contextAwareResources: {resources}, settings: {settings} }}\n"
    )
}

/// What a policy was told: whether it was an answer, and the words.
pub(super) fn told(served: &Served, id: &str) -> (bool, String) {
    let answer = served.review(&format!("/validate/{id}"));
    let status = &answer.response()["status"];
    let message = status["message"].as_str().unwrap_or_else(|| panic!("{answer:?}"));
    (status["code"] == json!(200), message.to_owned())
}

pub(super) fn answer(served: &Served, id: &str) -> Value {
    let (good, text) = told(served, id);
    assert!(good, "{id}: {text}");
    serde_json::from_str(&text).unwrap()
}

pub(super) fn get_a() -> Value {
    json!({"api_version": "v1", "kind": "ConfigMap", "name": "a", "namespace": "n", "disable_cache": false})
}

fn can_i() -> Value {
    json!({
        "subject_access_review": {"user": "jane", "resource_attributes": {"resource": "pods", "verb": "get"}},
        "disable_cache": false,
    })
}

#[test]
fn a_policy_gets_what_it_asks_the_cluster_for() {
    let fake = Fake::with(&["a", "b"]);
    fake.mood(|asked| {
        let review = asked.path.ends_with("/subjectaccessreviews");
        review.then(|| {
            Answer::Json(
                201,
                r#"{"status":{"allowed":true,"reason":"by \"RBAC\""}}"#.into(),
            )
        })
    });
    let list = json!({"api_version": "v1", "kind": "ConfigMap"});
    let mut of_namespace = list.clone();
    of_namespace["namespace"] = json!("n");
    let mut masked = get_a();
    masked["field_masks"] = json!(["metadata.name"]);
    let policies = [
        asking("get", "kubernetes/get_resource", &get_a()),
        asking("masked", "kubernetes/get_resource", &masked),
        asking("all", "kubernetes/list_resources_all", &list),
        asking(
            "namespace",
            "kubernetes/list_resources_by_namespace",
            &of_namespace,
        ),
        asking("can", "kubernetes/can_i", &can_i()),
    ]
    .concat();
    let served = serve(
        &fake.server.kubeconfig(),
        &calm(),
        &[("ask.wat", ask())],
        &policies,
    );
    assert_eq!(answer(&served, "get")["data"], json!({"v": "1"}));
    let masked = answer(&served, "masked");
    assert_eq!(
        (&masked["data"], &masked["metadata"]["name"]),
        (&Value::Null, &json!("a"))
    );
    for id in ["all", "namespace"] {
        let list = answer(&served, id);
        assert_eq!(super::ask::names(&list), ["a=1", "b=1"], "{id}");
        assert_eq!(list["kind"], "ConfigMapList");
    }
    assert_eq!(
        answer(&served, "can"),
        json!({"allowed": true, "reason": "by \"RBAC\""})
    );
    fake.put("c", "1");
    eventually("the next review sees what happened", || {
        super::ask::names(&answer(&served, "all")).len() == 3
    });
    assert_eq!(fake.server.asked_for("/api/v1/configmaps?limit="), 1);
    let line = served
        .metric("wharf_admission_host_calls_total{policy=\"get\"")
        .unwrap_or_else(|| panic!("{}", served.metrics.encode()));
    assert!(
        line.contains("operation=\"kubernetes/get_resource\"") && line.contains("answered"),
        "{line}"
    );
}

#[test]
fn names_and_certificates_are_looked_at_for_a_policy() {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
    let pem = names.self_signed(&key).unwrap().pem();
    let cert = json!({"encoding": "Pem", "data": pem.into_bytes()});
    let certificate =
        |chain: &Value, not_after: &str| json!({"cert": cert, "cert_chain": chain, "not_after": not_after});
    let trust = "crypto/v1/is_certificate_trusted";
    let policies = [
        asking("host", "net/v1/dns_lookup_host", &json!("localhost")),
        asking("no-host", "net/v1/dns_lookup_host", &json!("a b")),
        asking(
            "trusted",
            trust,
            &certificate(&json!([cert]), "2026-01-01T00:00:00Z"),
        ),
        asking(
            "untrusted",
            trust,
            &certificate(&json!([]), "2026-01-01T00:00:00Z"),
        ),
        asking(
            "unreadable",
            trust,
            &json!({"cert": {"encoding": "Pem", "data": [1, 2]}}),
        ),
        asking("image", "oci/v1/manifest_digest", &json!("registry.example/a:1")),
    ]
    .concat();
    let served = serve(
        &kubeconfig_for(refused_address()),
        &calm(),
        &[("ask.wat", ask())],
        &policies,
    );
    let ips = answer(&served, "host")["ips"].take();
    let local = |ip: &Value| *ip == json!("127.0.0.1") || *ip == json!("::1");
    assert!(
        ips.as_array()
            .is_some_and(|ips| !ips.is_empty() && ips.iter().any(local)),
        "{ips}"
    );
    assert_eq!(
        told(&served, "no-host"),
        (
            false,
            "Callback evaluation failure: \"a b\" is not the name of a host".into()
        )
    );
    assert_eq!(answer(&served, "trusted"), json!({"trusted": true, "reason": ""}));
    let reason = "Certificate is not trusted by the provided cert chain";
    assert_eq!(
        answer(&served, "untrusted"),
        json!({"trusted": false, "reason": reason})
    );
    let (good, message) = told(&served, "unreadable");
    assert!(
        !good && message.contains("Certificate PEM data is not valid"),
        "{message}"
    );
}

#[test]
fn what_a_policy_is_not_granted_is_not_even_asked_for() {
    let fake = Fake::with(&["a"]);
    let quoted = get_a().to_string().replace('"', "'");
    let operation = "kubernetes/get_resource";
    let policies = [
        granted("nothing", operation, &quoted, "[]", "ConfigMap"),
        granted(
            "others",
            operation,
            &quoted,
            "['kubernetes/can_i', 'net/*']",
            "ConfigMap",
        ),
        granted("kind", operation, &quoted, "['*']", "Secret"),
        granted("granted", operation, &quoted, "['kubernetes/*']", "ConfigMap"),
        granted(
            "can",
            "kubernetes/can_i",
            &can_i().to_string().replace('"', "'"),
            "[]",
            "ConfigMap",
        ),
    ]
    .concat();
    let served = serve(
        &fake.server.kubeconfig(),
        &calm(),
        &[("ask.wat", ask())],
        &policies,
    );
    let before = fake.server.asked().len();
    let refused = |path: &str| {
        let message = format!(
            "Policy has not been granted access to the '{path}' host capability. The violation has been reported."
        );
        (false, message)
    };
    assert_eq!(told(&served, "nothing"), refused(operation));
    assert_eq!(told(&served, "others"), refused(operation));
    assert_eq!(told(&served, "can"), refused("kubernetes/can_i"));
    let kind = "Policy has not been granted access to Kubernetes v1/ConfigMap resources. The violation has been reported.";
    assert_eq!(told(&served, "kind"), (false, kind.into()));
    assert_eq!(
        fake.server.asked().len(),
        before,
        "the cluster hears nothing of it"
    );
    assert_eq!(answer(&served, "granted")["data"]["v"], "1");
    let line = served
        .metric("wharf_admission_host_calls_total{policy=\"kind\"")
        .unwrap();
    assert!(line.contains("refused"), "{line}");
}

#[test]
fn a_host_call_that_is_none_is_an_error_for_the_policy_alone() {
    let fake = Fake::with(&["a"]);
    let get = "kubernetes/get_resource";
    let cases = [
        (get, "", "the payload of kubernetes/get_resource cannot be read: "),
        (
            get,
            "{",
            "the payload of kubernetes/get_resource cannot be read: ",
        ),
        (
            get,
            "[]",
            "the payload of kubernetes/get_resource cannot be read: ",
        ),
        (
            get,
            "{'api_version':7}",
            "the payload of kubernetes/get_resource cannot be read: at `api_version`: ",
        ),
        (
            get,
            "{} {}",
            "the payload of kubernetes/get_resource cannot be read: ",
        ),
        (
            "kubernetes/list_resources_all",
            "{'api_version':'v1','kind':'ConfigMap','label_selector':[]}",
            "the payload of",
        ),
        (
            "kubernetes/can_i",
            "{'disable_cache':true}",
            "the payload of kubernetes/can_i cannot be read: ",
        ),
        (
            "net/v1/dns_lookup_host",
            "{}",
            "the payload of net/v1/dns_lookup_host cannot be read: ",
        ),
        (
            "crypto/v1/is_certificate_trusted",
            "'x'",
            "the payload of crypto/v1/is_certificate_trusted cannot be read: ",
        ),
        (
            "kubernetes/delete_resource",
            "{}",
            "unknown operation: delete_resource",
        ),
        ("kubernetes/", "{}", "unknown operation: "),
        ("files", "{}", "unknown namespace: files"),
        ("", "", "unknown namespace: "),
    ];
    let mut policies = asking("good", get, &get_a());
    for (number, (operation, payload, _)) in cases.iter().enumerate() {
        policies += &granted(&format!("bad-{number}"), operation, payload, "['*']", "ConfigMap");
    }
    let deep = "[".repeat(5_000);
    policies += &granted("deep", get, &deep, "['*']", "ConfigMap");
    let served = serve(
        &fake.server.kubeconfig(),
        &calm(),
        &[("ask.wat", ask())],
        &policies,
    );
    for (number, (operation, payload, expected)) in cases.iter().enumerate() {
        let (good, message) = told(&served, &format!("bad-{number}"));
        assert!(
            !good && message.starts_with(expected),
            "{operation}({payload}): {message}"
        );
    }
    let (good, message) = told(&served, "deep");
    assert!(!good && message.len() < 1_000, "{message}");
    assert_eq!(answer(&served, "good")["data"]["v"], "1");
}

#[test]
fn names_of_a_policy_lead_to_no_other_object() {
    let fake = Fake::with(&["a"]);
    let named = |id: &str, name: &str| {
        let mut payload = get_a();
        payload["name"] = json!(name);
        asking(id, "kubernetes/get_resource", &payload)
    };
    let policies = [
        named("up", "../secrets/x"),
        named("query", "a?watch=1"),
        named("fragment", "a#b"),
        named("dots", ".."),
    ]
    .concat();
    let served = serve(
        &fake.server.kubeconfig(),
        &calm(),
        &[("ask.wat", ask())],
        &policies,
    );
    for id in ["up", "dots"] {
        let (good, message) = told(&served, id);
        assert!(
            !good && message.ends_with("is not the name of an object"),
            "{message}"
        );
    }
    for (id, encoded) in [
        ("query", "/configmaps/a%3Fwatch%3D1"),
        ("fragment", "/configmaps/a%23b"),
    ] {
        let (good, message) = told(&served, id);
        assert!(
            !good && message.contains("Cannot find v1/ConfigMap named 'a"),
            "{message}"
        );
        assert_eq!(fake.server.asked_for(encoded), 1);
    }
    assert_eq!(fake.server.asked_for("secrets"), 0);
}

#[test]
fn many_reviews_that_ask_the_same_at_once_cause_one_request() {
    let (door, fake) = (Door::new(), Fake::with(&[]));
    let held = Arc::clone(&door);
    fake.mood(move |asked| {
        asked.path.ends_with("/configmaps/a").then(|| {
            held.wait();
            Answer::ok(config_map("a", 1, "1"))
        })
    });
    let policies: String = (0..4)
        .map(|number| asking(&format!("p{number}"), "kubernetes/get_resource", &get_a()))
        .collect();
    let served = serve(
        &fake.server.kubeconfig(),
        &calm(),
        &[("ask.wat", ask())],
        &policies,
    );
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|number| {
                let (served, barrier) = (&served, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    answer(served, &format!("p{}", number % 4))
                })
            })
            .collect();
        eventually("the request is there", || {
            fake.server.asked_for("/configmaps/a") == 1
        });
        door.open();
        for one in all {
            assert_eq!(one.join().unwrap()["data"]["v"], "1");
        }
    });
    assert_eq!(fake.server.asked_for("/configmaps/a"), 1);
}
