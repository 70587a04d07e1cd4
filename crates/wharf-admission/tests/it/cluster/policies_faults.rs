//! Policies whose host calls go wrong: what their reviews get, and that others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use wharf_testing::api_server;
use wharf_testing::api_server::Answer;

use super::ask::calm;
use super::fake::Fake;
use super::policies::{answer, ask, asking, get_a, guests, serve, told};
use crate::harness::{pod, policy, reviewing};

/// A policy of an SDK, which gives up where the host gives an error.
fn unique_host() -> String {
    let module = guests().join("policy-unique-host/policy-unique-host.wasm");
    let resources = json!([
        {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"},
        {"apiVersion": "v1", "kind": "ConfigMap"},
    ]);
    format!(
        "unique: {{ module: {}, hostCapabilities: ['kubernetes/*'], contextAwareResources: {resources} }}\n",
        module.display()
    )
}

/// A review of an Ingress with this uid.
fn ingress(uid: &str) -> String {
    let mut review = pod("shop");
    let request = &mut review["request"];
    request["uid"] = json!(uid);
    request["kind"] = json!({"group": "networking.k8s.io", "version": "v1", "kind": "Ingress"});
    request["resource"] = json!({"group": "networking.k8s.io", "version": "v1", "resource": "ingresses"});
    request["object"] = json!({
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"rules": [{"host": "a.example"}]},
    });
    review.to_string()
}

const KINDS: &str = r#"{"resources":[{"name":"ingresses","kind":"Ingress","namespaced":true,"verbs":["get","list","watch"]}]}"#;

#[test]
fn a_policy_whose_cluster_is_gone_is_a_fault_with_its_name_and_other_reviews_go_on() {
    let gone = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&gone);
    let server = api_server(move |asked| {
        if state.load(Ordering::SeqCst) {
            return Some(Answer::Break);
        }
        match asked.path.as_str() {
            "/apis/networking.k8s.io/v1" => Some(Answer::ok(KINDS)),
            // It cannot be watched here, so that each review asks.
            "/apis/networking.k8s.io/v1/ingresses" if !asked.is_watch() => {
                let other = json!({
                    "metadata": {"name": "first", "namespace": "other"},
                    "spec": {"rules": [{"host": "a.example"}]},
                });
                Some(Answer::ok(json!({"metadata": {}, "items": [other]}).to_string()))
            }
            _ => None,
        }
    });
    let yes = policy(r#"{"accepted":true,"valid":true}"#);
    let policies = format!("{}yes: {{ module: ./yes.wat }}\n", unique_host());
    let served = serve(&server.kubeconfig(), &calm(), &[("yes.wat", yes)], &policies);
    let taken = served.post("/validate/unique", &ingress("u-7"));
    let expected = json!({
        "message": "the host `a.example` belongs to the Ingress `first` in the namespace `other`",
        "code": 409,
    });
    assert_eq!(taken.response()["status"], expected);
    gone.store(true, Ordering::SeqCst);
    let fault = served.post("/validate/unique", &ingress("u-8"));
    let response = fault.response();
    assert_eq!(
        (&response["uid"], &response["allowed"]),
        (&json!("u-8"), &json!(false))
    );
    let status = &response["status"];
    assert_eq!(status["code"], json!(500));
    let message = status["message"].as_str().unwrap();
    assert!(
        message
            .contains("cannot list networking.k8s.io/v1/Ingress: the cluster's API server cannot be reached"),
        "{message}"
    );
    let cause = &status["details"]["causes"][0];
    assert_eq!(
        (&cause["reason"], &cause["message"]),
        (&json!("InternalError"), &json!("policy unique: guest_error"))
    );
    assert_eq!(served.review("/validate/yes").response()["allowed"], json!(true));
    gone.store(false, Ordering::SeqCst);
    let back = served.post("/validate/unique", &ingress("u-9"));
    assert_eq!(
        back.response()["status"],
        expected,
        "nothing of the fault is kept"
    );
}

#[test]
fn the_time_of_a_review_counts_its_host_calls() {
    let fake = Fake::with(&["a", "b"]);
    fake.mood(|asked| asked.path.ends_with("/a").then_some(Answer::Nothing));
    let quick = |entry: String| entry.replace(" }\n", ", timeout: 300ms }\n");
    let mut other = get_a();
    other["name"] = json!("b");
    let policies = [
        quick(asking("slow", "kubernetes/get_resource", &get_a())),
        asking("other", "kubernetes/get_resource", &other),
    ]
    .concat();
    let served = serve(
        &fake.server.kubeconfig(),
        &calm(),
        &[("ask.wat", ask())],
        &policies,
    );
    // The policy would say that it got an error, but its time is over by then.
    let late = served.review("/validate/slow");
    let expected = json!({
        "uid": "u-1",
        "allowed": false,
        "status": {
            "message": "Policy execution interrupted because it exceeded the allowed execution time",
            "code": 500,
            "details": {"causes": [{"reason": "InternalError", "message": "policy slow: deadline"}]},
        },
    });
    assert_eq!(*late.response(), expected);
    assert_eq!(answer(&served, "other")["data"]["v"], "1");
    let line = served
        .metric("wharf_admission_host_calls_total{policy=\"slow\"")
        .unwrap();
    assert!(line.contains("timeout"), "{line}");
}

#[test]
fn a_trap_of_one_policy_leaves_what_is_kept_to_the_others() {
    let fake = Fake::with(&["a"]);
    let list = json!({"api_version": "v1", "kind": "ConfigMap"});
    let policies = [
        asking("all", "kubernetes/list_resources_all", &list),
        asking("get", "kubernetes/get_resource", &get_a()),
        "trap: { module: ./trap.wat }\n".to_owned(),
        "loop: { module: ./loop.wat, timeout: 100ms }\n".to_owned(),
    ]
    .concat();
    let files = [
        ("ask.wat", ask()),
        ("trap.wat", reviewing("(unreachable)")),
        ("loop.wat", reviewing("(loop $l (br $l)) (i32.const 1)")),
    ];
    let served = serve(&fake.server.kubeconfig(), &calm(), &files, &policies);
    let first = (answer(&served, "all"), answer(&served, "get"));
    let lists = fake.lists();
    for id in ["trap", "loop"] {
        let fault = served.review(&format!("/validate/{id}"));
        assert_eq!(fault.response()["status"]["code"], json!(500));
        assert_eq!((answer(&served, "all"), answer(&served, "get")), first);
    }
    assert_eq!(fake.lists(), lists);
    assert_eq!(fake.server.asked_for("/configmaps/a"), 1);
}

#[test]
fn an_answer_that_has_no_room_in_a_policy_is_an_error_or_its_fault() {
    let fake = Fake::with(&[]);
    (0..5).for_each(|number| fake.put(&format!("m{number}"), &"x".repeat(1 << 20)));
    let list = json!({"api_version": "v1", "kind": "ConfigMap"});
    let entry = asking("plain", "kubernetes/list_resources_all", &list);
    let sized = entry.replace("\"payload\"", "\"show\":\"size\",\"payload\"");
    let policies = [
        // The verdict has the answer in it, and is larger than a verdict may be.
        entry,
        sized.replace("plain:", "sized:"),
        sized
            .replace("plain:", "narrow:")
            .replace(" }\n", ", limits: { memory: 8MiB } }\n"),
    ]
    .concat();
    let served = serve(
        &fake.server.kubeconfig(),
        &calm(),
        &[("ask.wat", ask())],
        &policies,
    );
    let cause = |id: &str| {
        let answer = served.review(&format!("/validate/{id}"));
        let cause = &answer.response()["status"]["details"]["causes"][0]["message"];
        cause.as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    };
    let (good, size) = told(&served, "sized");
    assert!(good && size.parse::<usize>().unwrap() > 5 << 20, "{size}");
    assert_eq!(cause("plain"), "policy plain: bad_reply");
    assert_eq!(cause("narrow"), "policy narrow: memory");
    assert!(told(&served, "sized").0);
}
