//! `get_resource`, `can_i`, and how the cluster's errors read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use wharf_abi_wapc::kubewarden::capability::CapabilityRequest;
use wharf_admission::CapabilityLimits;
use wharf_testing::api_server::{Answer, Asked};
use wharf_testing::{ApiServer, PATIENCE, api_server, eventually};

use super::ask::{Asking, Door, asking, calm, config_map, get};

const OBJECT: &str = "/api/v1/namespaces/n/configmaps/a";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// A server whose one object has a value that counts how often it was asked for.
fn counting() -> ApiServer {
    let count = AtomicUsize::new(0);
    api_server(move |asked| {
        let number = || count.fetch_add(1, Ordering::SeqCst) + 1;
        (asked.path == OBJECT).then(|| Answer::ok(config_map("a", 1, &number().to_string())))
    })
}

fn value(answer: &Result<Value, String>) -> &str {
    answer.as_ref().unwrap()["data"]["v"].as_str().unwrap()
}

#[test]
fn an_object_is_given_as_it_is() {
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "n", "managedFields": [{"manager": "m"}]},
        "data": {"text": "é\u{2028}", "number": 1},
    });
    let sent = object.clone();
    let server = api_server(move |asked| (asked.path == OBJECT).then(|| Answer::ok(sent.to_string())));
    assert_eq!(asking(&server, &calm()).get("ConfigMap", "a"), Ok(object));
}

#[test]
fn an_object_is_kept_unless_the_policy_says_otherwise() {
    let server = counting();
    let asking = asking(&server, &calm());
    let fresh = || asking.ask("kubernetes/get_resource", &get("ConfigMap", "a", true));
    let kept = || asking.get("ConfigMap", "a");
    assert_eq!(value(&kept()), "1");
    assert_eq!(value(&kept()), "1");
    assert_eq!(value(&fresh()), "2");
    assert_eq!(
        value(&kept()),
        "2",
        "what is fresher takes the place of what is kept"
    );
    let count = |source| {
        asking.metric(&format!(
            "wharf_admission_kubernetes_answers_total{{operation=\"get_resource\",source=\"{source}\"}}"
        ))
    };
    assert_eq!((count("fetched"), count("kept")), (2, 2));
}

#[test]
fn an_object_is_not_kept_for_longer_than_its_time() {
    let server = counting();
    let limits = CapabilityLimits {
        answer_age: Duration::ZERO,
        ..calm()
    };
    let asking = asking(&server, &limits);
    assert_eq!(value(&asking.get("ConfigMap", "a")), "1");
    assert_eq!(value(&asking.get("ConfigMap", "a")), "2");
}

#[test]
fn many_that_ask_for_an_object_at_once_cause_one_request() {
    let door = Door::new();
    let held = Arc::clone(&door);
    let server = api_server(move |asked| {
        (asked.path == OBJECT).then(|| {
            held.wait();
            Answer::ok(config_map("a", 1, "1"))
        })
    });
    let asking = asking(&server, &calm());
    thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| asking.get("ConfigMap", "a")))
            .collect();
        eventually("the request is there", || server.asked_for(OBJECT) == 1);
        door.open();
        for one in all {
            assert_eq!(value(&one.join().unwrap()), "1");
        }
    });
    assert_eq!(server.asked_for(OBJECT), 1);
}

#[test]
fn one_that_gives_up_does_not_take_the_answer_from_another() {
    let door = Door::new();
    let held = Arc::clone(&door);
    let server = api_server(move |asked| {
        (asked.path == OBJECT).then(|| {
            held.wait();
            Answer::ok(config_map("a", 1, "1"))
        })
    });
    let asking = asking(&server, &calm());
    thread::scope(|scope| {
        let short = scope.spawn(|| {
            asking.within(
                Duration::from_millis(50),
                "kubernetes/get_resource",
                &get("ConfigMap", "a", false),
            )
        });
        let long = scope.spawn(|| asking.get("ConfigMap", "a"));
        assert_eq!(short.join().unwrap(), Err("timeout".into()));
        door.open();
        assert_eq!(value(&long.join().unwrap()), "1");
    });
}

#[test]
fn an_object_that_is_not_there_is_told_in_kubewardens_words() {
    let server = api_server(|_| None);
    let asking = asking(&server, &calm());
    assert_eq!(
        asking.get("ConfigMap", "a"),
        Err("Cannot find v1/ConfigMap named 'a' inside of namespace 'Some(\"n\")'".into())
    );
    assert_eq!(
        asking.get("Namespace", "a"),
        Err("Cannot find v1/Namespace named 'a' inside of namespace 'None'".into())
    );
    asking.get("ConfigMap", "a").unwrap_err();
    assert_eq!(server.asked_for(OBJECT), 2, "it may be there at any moment");
}

/// What a policy is told when the server answers in some way.
fn told(answer: impl Fn() -> Answer + Send + Sync + 'static) -> String {
    let server = api_server(move |asked| (asked.path == OBJECT).then(&answer));
    asking(&server, &calm()).get("ConfigMap", "a").unwrap_err()
}

#[test]
fn errors_say_what_happened() {
    let message = r#"configmaps "a" is forbidden: User "system:serviceaccount:w:w" cannot get resource "configmaps" in API group "" in the namespace "n""#;
    assert_eq!(
        told(move || Answer::status(403, "Forbidden", message)),
        format!(
            "cannot get v1/ConfigMap named 'a': the cluster's API server answered 403 Forbidden: {message}"
        )
    );
    let prefix = "cannot get v1/ConfigMap named 'a': the cluster's API server answered ";
    assert_eq!(
        told(|| Answer::Json(502, "<h1>Bad gateway\u{7}</h1>\nsecond line".into())),
        format!("{prefix}502 Bad Gateway: <h1>Bad gateway </h1>")
    );
    assert_eq!(
        told(|| Answer::Json(500, String::new())),
        format!("{prefix}500 Internal Server Error")
    );
    let long = told(|| Answer::status(500, "x", &"y".repeat(10_000)));
    assert!(long.len() < 1_200, "{}", long.len());
    let other = told(|| Answer::Json(302, "{}".into()));
    assert_eq!(other, format!("{prefix}302 Found"));
}

#[test]
fn answers_that_are_none_say_so() {
    let prefix = "cannot get v1/ConfigMap named 'a': the answer of the cluster's API server ";
    for (text, expected) in [
        ("{", "cannot be understood: "),
        ("[]", "cannot be understood: this is no object"),
        ("\u{0}", "cannot be understood: "),
    ] {
        let told = told(move || Answer::ok(text));
        assert!(told.starts_with(&format!("{prefix}{expected}")), "{told}");
    }
    let cut = told(|| Answer::Half(config_map("a", 1, "1")));
    assert!(cut.starts_with(&format!("{prefix}broke off: ")), "{cut}");
    let large = told(|| Answer::ok(config_map("a", 1, &"x".repeat(9 << 20))));
    assert_eq!(large, format!("{prefix}has more than 8MiB"));
}

#[test]
fn a_server_that_does_not_answer_takes_no_longer_than_the_review() {
    let server = api_server(|asked| (asked.path == OBJECT).then_some(Answer::Nothing));
    let asking = asking(&server, &calm());
    let short = Duration::from_millis(50);
    // Each of them is a request of its own.
    let payload = get("ConfigMap", "a", true);
    for _ in 0..4 {
        let told = asking.within(short, "kubernetes/get_resource", &payload);
        assert_eq!(told, Err("timeout".into()));
    }
    eventually("the requests are broken off", || server.open() <= 1);
    assert_eq!(
        asking.within(Duration::ZERO, "kubernetes/get_resource", &payload),
        Err("timeout".into())
    );
}

#[test]
fn no_name_leads_to_another_object() {
    let server = api_server(|_| Some(Answer::ok(r#"{"metadata":{"name":"stolen"}}"#)));
    let asking = asking(&server, &calm());
    let before = server.asked().len();
    for name in [
        "../../../../api/v1/secrets",
        "a/../../secrets/b",
        "..",
        "a%2F..",
        "",
        "a/log",
    ] {
        let told = asking.get("ConfigMap", name).unwrap_err();
        assert!(told.ends_with("is not the name of an object"), "{name}: {told}");
    }
    let mut payload = get("ConfigMap", "a", false);
    payload["api_version"] = json!("v1/namespaces/n/secrets?x=");
    let told = asking.ask("kubernetes/get_resource", &payload).unwrap_err();
    assert!(
        told.ends_with("is not an API version, such as `v1` or `apps/v1`"),
        "{told}"
    );
    let list = json!({"api_version": "v1", "kind": "ConfigMap", "namespace": "n/secrets?"});
    let told = asking
        .ask("kubernetes/list_resources_by_namespace", &list)
        .unwrap_err();
    assert!(told.ends_with("is not the name of a namespace"), "{told}");
    assert_eq!(server.asked().len(), before);
}

#[test]
fn names_and_selectors_are_encoded() {
    let server = api_server(|_| None);
    let asking = asking(&server, &calm());
    asking.get("ConfigMap", "a?watch=1#b c:é").unwrap_err();
    assert_eq!(server.asked_for("/configmaps/a%3Fwatch%3D1%23b%20c%3A%C3%A9"), 1);
    let selector = json!({"label_selector": "a=b,c in (d)&limit=9", "field_selector": "metadata.name!=x"});
    asking.list("ConfigMap", &selector).unwrap_err();
    let target = "/api/v1/configmaps?limit=500&labelSelector=a%3Db%2Cc%20in%20%28d%29%26limit%3D9&fieldSelector=metadata.name%21%3Dx";
    assert_eq!(server.asked_for(target), 1, "{:?}", server.asked());
}

#[test]
fn namespaces_belong_to_kinds_that_are_in_one() {
    let server = api_server(|asked| (asked.path == "/api/v1/namespaces/a").then(|| Answer::ok("{}")));
    let asking = asking(&server, &calm());
    assert_eq!(
        asking.get("Namespace", "a"),
        Ok(json!({})),
        "a namespace too many is no error"
    );
    let mut payload = get("ConfigMap", "a", false);
    for none in [json!(null), json!("")] {
        payload["namespace"] = none;
        assert_eq!(
            asking.ask("kubernetes/get_resource", &payload),
            Err("Resource v1/ConfigMap is namespaced, but no namespace was provided".into())
        );
    }
    let list = json!({"api_version": "v1", "kind": "Namespace", "namespace": "n"});
    assert_eq!(
        asking.ask("kubernetes/list_resources_by_namespace", &list),
        Err("resource v1/Namespace is cluster wide. Cannot search for it inside of a namespace".into())
    );
    assert_eq!(
        asking.get("Binding", "a"),
        Err("objects of v1/Binding cannot be asked for with `get`: the cluster does not offer it".into())
    );
}

#[test]
fn kinds_that_are_not_there_are_not_looked_for_each_time() {
    let server = api_server(|_| None);
    let asking = asking(&server, &calm());
    let unknown = "Cannot find resource v1/Nothing: the cluster has no such kind";
    for _ in 0..10 {
        assert_eq!(asking.get("Nothing", "a"), Err(unknown.into()));
    }
    let mut payload = get("Nothing", "a", false);
    payload["api_version"] = json!("none.example/v1");
    assert_eq!(
        asking.ask("kubernetes/get_resource", &payload),
        Err("Cannot find resource none.example/v1/Nothing: the cluster has no such kind".into())
    );
    // A slow machine may see a pause of five seconds in between.
    assert!(server.asked_for("/api/v1") < 10, "{:?}", server.asked());
}

#[test]
fn a_kind_is_called_in_plural() {
    let server = api_server(|_| None);
    let asking = asking(&server, &calm());
    let request = |kind: &str| CapabilityRequest::KubernetesGetResourcePluralName {
        api_version: "v1".into(),
        kind: kind.into(),
    };
    assert_eq!(
        asking.request(PATIENCE, &request("ComponentStatus")),
        Ok(json!("componentstatuses"))
    );
    asking.request(PATIENCE, &request("Nothing")).unwrap_err();
}

#[test]
fn kinds_that_cannot_be_read_are_errors() {
    for listed in ["", "{}", "[]", r#"{"resources":[{"name":7}]}"#] {
        let server = api_server(move |asked| (asked.path == "/api/v1").then(|| Answer::ok(listed)));
        let told = asking(&server, &calm()).get("ConfigMap", "a").unwrap_err();
        let expected =
            "cannot look up the kinds of v1: the answer of the cluster's API server cannot be understood: ";
        assert!(told.starts_with(expected), "{told}");
    }
    let hostile =
        r#"{"resources":[{"name":"../secrets","kind":"ConfigMap","namespaced":true,"verbs":["get"]}]}"#;
    let server = api_server(move |asked| (asked.path == "/api/v1").then(|| Answer::ok(hostile)));
    let told = asking(&server, &calm()).get("ConfigMap", "a").unwrap_err();
    assert_eq!(
        told,
        "Cannot find resource v1/ConfigMap: the cluster has no such kind"
    );
}

fn review() -> Value {
    json!({
        "subject_access_review": {
            "user": "jane", "groups": ["g"],
            "resource_attributes": {"namespace": "n", "resource": "pods", "verb": "get"},
        },
        "disable_cache": false,
    })
}

fn reviewing(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (ApiServer, Asking) {
    let server =
        api_server(move |asked| (asked.path == REVIEWS && asked.method == "POST").then(|| answer(asked)));
    let asking = asking(&server, &calm());
    (server, asking)
}

#[test]
fn the_api_server_says_who_may_do_what() {
    let body = Arc::new(Mutex::new(Value::Null));
    let seen = Arc::clone(&body);
    let (server, asking) = reviewing(move |asked| {
        *seen.lock().unwrap() = serde_json::from_str(&asked.body).unwrap();
        Answer::Json(
            201,
            r#"{"status":{"allowed":true,"reason":"RBAC: allowed","new":{"a":1}}}"#.into(),
        )
    });
    let verdict = json!({"allowed": true, "reason": "RBAC: allowed", "new": {"a": 1}});
    assert_eq!(asking.ask("kubernetes/can_i", &review()), Ok(verdict.clone()));
    assert_eq!(asking.ask("kubernetes/can_i", &review()), Ok(verdict.clone()));
    assert_eq!(server.asked_for(REVIEWS), 1);
    let mut fresh = review();
    fresh["disable_cache"] = json!(true);
    assert_eq!(asking.ask("kubernetes/can_i", &fresh), Ok(verdict));
    assert_eq!(server.asked_for(REVIEWS), 2);
    let spec = body.lock().unwrap()["spec"].take();
    assert_eq!((&spec["user"], &spec["groups"]), (&json!("jane"), &json!(["g"])));
    assert_eq!(spec["resourceAttributes"]["resource"], "pods");
    let mut other = review();
    other["subject_access_review"]["user"] = json!("joe");
    asking.ask("kubernetes/can_i", &other).unwrap();
    assert_eq!(server.asked_for(REVIEWS), 3, "another user is another question");
}

#[test]
fn a_review_without_a_verdict_is_an_error() {
    let (_server, asking) = reviewing(|_| Answer::Json(201, "{}".into()));
    assert_eq!(
        asking.ask("kubernetes/can_i", &review()),
        Err("SubjectAccessReview did not return a response".into())
    );
    let (_server, asking) = reviewing(|_| Answer::status(403, "Forbidden", "no"));
    assert_eq!(
        asking.ask("kubernetes/can_i", &review()),
        Err(
            "cannot find out what somebody may do: the cluster's API server answered 403 Forbidden: no"
                .into()
        )
    );
}
