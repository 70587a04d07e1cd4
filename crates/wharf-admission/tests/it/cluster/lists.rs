//! Lists: their pages, what is left of each object, and which are watched.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use wharf_testing::api_server::Answer;
use wharf_testing::{api_server, eventually};

use super::ask::{Door, asking, calm, config_map, config_maps};
use super::fake::Fake;

#[test]
fn a_list_comes_page_by_page_and_is_kept_up_to_date_from_then_on() {
    let fake = Fake::paged(&["a", "b", "c", "d", "e"], 2);
    let asking = asking(&fake.server, &calm());
    assert_eq!(asking.names(), ["a=1", "b=1", "c=1", "d=1", "e=1"]);
    assert_eq!(fake.lists(), 3);
    assert_eq!(fake.server.asked_for("limit=500&continue=4"), 1);
    eventually("it is watched", || fake.watches() == 1);
    fake.put("f", "1");
    fake.put("b", "2");
    fake.delete("d");
    eventually("what happened is seen", || {
        asking.names() == ["a=1", "b=2", "c=1", "e=1", "f=1"]
    });
    assert_eq!(
        (fake.lists(), fake.watches()),
        (3, 1),
        "nothing was fetched again"
    );
    assert_eq!(asking.lists("fetched"), 0);
    assert!(asking.lists("watched") >= 2);
}

#[test]
fn a_list_of_a_namespace_is_another_one() {
    let fake = Fake::with(&["a"]);
    let asking = asking(&fake.server, &calm());
    let payload = json!({"api_version": "v1", "kind": "ConfigMap", "namespace": "n"});
    for _ in 0..2 {
        let list = asking
            .ask("kubernetes/list_resources_by_namespace", &payload)
            .unwrap();
        assert_eq!(super::ask::names(&list), ["a=1"]);
    }
    assert_eq!(
        fake.server.asked_for("/api/v1/namespaces/n/configmaps?limit=500"),
        1
    );
    assert_eq!(asking.names(), ["a=1"]);
    assert_eq!(fake.lists(), 2);
}

#[test]
fn objects_say_what_they_are_and_lose_what_nobody_looks_at() {
    let object = json!({
        "metadata": {
            "name": "a", "namespace": "n", "resourceVersion": "1", "managedFields": [{"manager": "m"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "other": "stays"},
        },
        "data": {"v": "1"},
    });
    let list = config_maps(1, "", &[object.to_string()]);
    let server = api_server(move |asked| {
        let listed = asked.path == "/api/v1/configmaps" && !asked.is_watch();
        listed.then(|| Answer::ok(list.clone()))
    });
    let expected = json!({
        "apiVersion": "v1", "kind": "ConfigMapList", "metadata": {},
        "items": [{
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "a", "namespace": "n", "resourceVersion": "1", "annotations": {"other": "stays"},
            },
            "data": {"v": "1"},
        }],
    });
    let asking = asking(&server, &calm());
    assert_eq!(asking.list("ConfigMap", &json!({})), Ok(expected));
}

#[test]
fn what_is_kept_of_objects_grows_with_what_is_asked_for() {
    let fake = Fake::with(&["a"]);
    let asking = asking(&fake.server, &calm());
    let masked = |field: &str| {
        let list = asking.list("ConfigMap", &json!({"field_masks": [field]}));
        let object = &list.unwrap()["items"][0];
        assert_eq!(object["metadata"]["name"], "a", "metadata is always there");
        object.get("data").is_some()
    };
    assert!(!masked("other"));
    assert!(!masked("metadata.labels"), "that is in every list");
    assert_eq!(fake.lists(), 1);
    // What is kept has no data, so it is listed once more, and from then on it has.
    assert!(masked("data.v"));
    assert!(masked("data.v"));
    assert_eq!(asking.names(), ["a=1"]);
    let lists = fake.lists();
    assert!(masked("data.v"));
    masked("other");
    assert_eq!(fake.lists(), lists);
    eventually("what has less is not watched any more", || fake.following() == 1);
}

#[test]
fn asking_for_other_fields_each_time_soon_has_whole_objects() {
    let fake = Fake::with(&["a"]);
    let asking = asking(&fake.server, &calm());
    for number in 0..100 {
        let mask = json!({"field_masks": [format!("field{number}")]});
        asking.list("ConfigMap", &mask).unwrap();
    }
    // The first, eight with more fields, and one with all.
    assert!(fake.lists() <= 10, "{}", fake.lists());
}

#[test]
fn each_selector_has_a_list_of_its_own() {
    let fake = Fake::with(&["a"]);
    let asking = asking(&fake.server, &calm());
    let selector = json!({"label_selector": "app in (a,b)", "field_selector": "metadata.name=a&limit=0"});
    for _ in 0..3 {
        asking.list("ConfigMap", &selector).unwrap();
    }
    let encoded = "labelSelector=app%20in%20%28a%2Cb%29&fieldSelector=metadata.name%3Da%26limit%3D0";
    assert_eq!(
        fake.server.asked_for(&format!("configmaps?limit=500&{encoded}")),
        1
    );
    eventually("it is watched with its selectors", || {
        fake.server.asked_for(&format!("&{encoded}")) == 2
    });
    let target = fake.server.asked().pop().unwrap();
    assert!(
        target.contains("watch=true") && target.ends_with(encoded),
        "{target}"
    );
    let long = json!({"label_selector": "a".repeat(5_000)});
    assert_eq!(
        asking.list("ConfigMap", &long),
        Err("the label selector has 5000 bytes, and at most 4096 are taken".into())
    );
}

#[test]
fn kinds_that_cannot_be_watched_are_fetched_each_time() {
    let server = api_server(|asked| {
        let status = r#"{"metadata":{},"items":[{"metadata":{"name":"etcd-0"}}]}"#;
        (asked.path == "/api/v1/componentstatuses").then(|| Answer::ok(status))
    });
    let asking = asking(&server, &calm());
    for _ in 0..3 {
        let list = asking.list("ComponentStatus", &json!({})).unwrap();
        assert_eq!(list["items"][0]["metadata"]["name"], "etcd-0");
    }
    assert_eq!(server.asked_for("/componentstatuses?limit=500"), 3);
    assert_eq!(server.asked_for("watch=true"), 0);
    assert_eq!(asking.lists("fetched"), 3);
    assert_eq!(
        asking.list("Binding", &json!({})),
        Err("objects of v1/Binding cannot be asked for with `list`: the cluster does not offer it".into())
    );
}

#[test]
fn lists_without_objects_are_empty() {
    for items in ["null", "[]"] {
        let list = format!(r#"{{"metadata":{{"resourceVersion":"1"}},"items":{items}}}"#);
        let server = api_server(move |asked| {
            let listed = asked.path == "/api/v1/configmaps" && !asked.is_watch();
            listed.then(|| Answer::ok(list.clone()))
        });
        assert_eq!(asking(&server, &calm()).names(), [""; 0]);
    }
}

#[test]
fn many_that_ask_for_a_list_at_once_cause_one_request() {
    let fake = Fake::with(&["a"]);
    let (door, asking) = (Door::new(), asking(&fake.server, &calm()));
    let held = Arc::clone(&door);
    fake.mood(move |asked| {
        if asked.path == "/api/v1/configmaps" {
            held.wait();
        }
        None
    });
    thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| asking.names())).collect();
        eventually("the request is there", || fake.lists() == 1);
        door.open();
        for one in all {
            assert_eq!(one.join().unwrap(), ["a=1"]);
        }
    });
    assert_eq!(fake.lists(), 1);
}

#[test]
fn a_list_that_comes_too_late_for_one_review_is_there_for_the_next() {
    let fake = Fake::with(&["a"]);
    let (door, asking) = (Door::new(), asking(&fake.server, &calm()));
    let held = Arc::clone(&door);
    fake.mood(move |asked| {
        if asked.path == "/api/v1/configmaps" {
            held.wait();
        }
        None
    });
    let payload = json!({"api_version": "v1", "kind": "ConfigMap"});
    let short = Duration::from_millis(50);
    let told = asking.within(short, "kubernetes/list_resources_all", &payload);
    assert_eq!(told, Err("timeout".into()));
    eventually("the request is there", || fake.lists() == 1);
    door.open();
    assert_eq!(asking.names(), ["a=1"]);
    assert_eq!(fake.lists(), 1);
}

#[test]
fn a_list_that_changed_too_much_between_two_pages_is_begun_anew() {
    let fake = Fake::paged(&["a", "b"], 1);
    let asking = asking(&fake.server, &calm());
    let pages = AtomicUsize::new(0);
    fake.mood(move |asked| {
        let first = asked.query.contains_key("continue") && pages.fetch_add(1, Ordering::SeqCst) == 0;
        first.then(|| Answer::status(410, "Expired", "the continue token is too old"))
    });
    assert_eq!(
        asking.names(),
        ["a=1", "b=1"],
        "nothing twice and nothing missing"
    );
    assert_eq!(fake.lists(), 4);
}

#[test]
fn a_list_that_is_none_is_an_error_and_tried_again() {
    let fake = Fake::with(&["a"]);
    let asking = asking(&fake.server, &calm());
    let list = || asking.list("ConfigMap", &json!({}));
    let prefix = "cannot list v1/ConfigMap: the answer of the cluster's API server cannot be understood: ";
    for text in [
        String::new(),
        "{".into(),
        r#"{"items":{}}"#.into(),
        config_maps(1, "", &["7".into()]),
        config_maps(1, "", &[r#"{"metadata":{}}"#.into()]),
        config_maps(1, "", &[config_map("a", 1, "1")])[..150].to_owned(),
    ] {
        let sent = text.clone();
        fake.mood(move |asked| (asked.path == "/api/v1/configmaps").then(|| Answer::ok(sent.clone())));
        let told = list().unwrap_err();
        assert!(told.starts_with(prefix), "{text}: {told}");
    }
    // It would go on for ever.
    let again = config_maps(1, "same", &[config_map("a", 1, "1")]);
    fake.mood(move |asked| (asked.path == "/api/v1/configmaps").then(|| Answer::ok(again.clone())));
    assert_eq!(
        list(),
        Err(format!("{prefix}a list goes on with the page that it had before"))
    );
    fake.well();
    assert_eq!(asking.names(), ["a=1"], "errors are not kept");
}

#[test]
fn a_list_without_a_version_cannot_be_watched() {
    let server = api_server(|asked| {
        let list = format!(r#"{{"items":[{}]}}"#, config_map("a", 1, "1"));
        (asked.path == "/api/v1/configmaps").then(|| Answer::ok(list))
    });
    let asking = asking(&server, &calm());
    assert_eq!(asking.names(), ["a=1"]);
    assert_eq!(asking.names(), ["a=1"]);
    assert_eq!(server.asked_for("watch=true"), 0);
    // The first time it was fetched to be watched, and then each time for whoever asked.
    assert_eq!(asking.lists("fetched"), 2);
}

#[test]
fn a_cluster_wide_kind_is_in_no_namespace() {
    let fake = Fake::with(&[]);
    let asking = asking(&fake.server, &calm());
    let payload = json!({"api_version": "v1", "kind": "Namespace", "namespace": "n"});
    assert_eq!(
        asking.ask("kubernetes/list_resources_by_namespace", &payload),
        Err("resource v1/Namespace is cluster wide. Cannot search for it inside of a namespace".into())
    );
    for name in ["n/../../secrets", "..", "", "N", "n?watch=1", "n%2f"] {
        let payload = json!({"api_version": "v1", "kind": "ConfigMap", "namespace": name});
        let told = asking
            .ask("kubernetes/list_resources_by_namespace", &payload)
            .unwrap_err();
        assert!(told.ends_with("is not the name of a namespace"), "{told}");
    }
    assert_eq!(fake.lists(), 0);
}
