//! What policies are told when the API server answers something else than was asked for, and how long they wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use wharf_testing::api_server::{Answer, Asked};
use wharf_testing::{ApiServer, api_server, eventually};

use super::ask::{Asking, asking, calm, config_map, config_maps, get};

const OBJECT: &str = "/api/v1/namespaces/n/configmaps/a";
const LIST: &str = "/api/v1/configmaps";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

fn review() -> Value {
    json!({
        "subject_access_review": {
            "user": "jane",
            "resource_attributes": {"namespace": "n", "resource": "pods", "verb": "get"},
        },
        "disable_cache": false,
    })
}

/// The three questions, and how what they are told begins.
fn questions() -> [(&'static str, Value, &'static str); 3] {
    let list = json!({"api_version": "v1", "kind": "ConfigMap"});
    [
        (
            "kubernetes/get_resource",
            get("ConfigMap", "a", false),
            "cannot get v1/ConfigMap named 'a': ",
        ),
        (
            "kubernetes/list_resources_all",
            list,
            "cannot list v1/ConfigMap: ",
        ),
        (
            "kubernetes/can_i",
            review(),
            "cannot find out what somebody may do: ",
        ),
    ]
}

/// A server that gives this answer to each of them.
fn answering(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (ApiServer, Asking) {
    let server = api_server(move |asked| {
        [OBJECT, LIST, REVIEWS]
            .contains(&&*asked.path)
            .then(|| answer(asked))
    });
    let asking = asking(&server, &calm());
    (server, asking)
}

/// What each of them is told, without how it begins.
fn told(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> [String; 3] {
    let (_server, asking) = answering(answer);
    questions().map(|(path, payload, begins)| {
        let told = asking.ask(path, &payload).unwrap_err();
        match told.strip_prefix(begins) {
            Some(rest) => rest.to_owned(),
            None => panic!("{path}: {told}"),
        }
    })
}

/// The good answer.
fn good(asked: &Asked) -> Answer {
    match asked.path.as_str() {
        OBJECT => Answer::ok(config_map("a", 1, "1")),
        LIST => Answer::ok(config_maps(1, "", &[config_map("a", 1, "1")])),
        _ => Answer::Json(201, r#"{"status":{"allowed":true}}"#.into()),
    }
}

#[test]
fn refusals_are_told_in_the_servers_words() {
    for (status, words) in [
        (400, "400 Bad Request"),
        (401, "401 Unauthorized"),
        (403, "403 Forbidden"),
        (429, "429 Too Many Requests"),
        (500, "500 Internal Server Error"),
        (503, "503 Service Unavailable"),
        (599, "599 <unknown status code>"),
    ] {
        let told = told(move |_| Answer::status(status, "Some", "no \"luck\" today"));
        let expected = format!("the cluster's API server answered {words}: no \"luck\" today");
        assert_eq!(told, [(); 3].map(|()| expected.clone()));
    }
}

#[test]
fn a_list_that_is_not_there_is_another_thing_than_an_object() {
    let (_server, asking) = answering(|_| Answer::status(404, "NotFound", "not here"));
    let told = questions().map(|(path, payload, _)| asking.ask(path, &payload).unwrap_err());
    assert_eq!(
        told,
        [
            "Cannot find v1/ConfigMap named 'a' inside of namespace 'Some(\"n\")'",
            "cannot list v1/ConfigMap: the cluster's API server answered 404 Not Found: not here",
            "cannot find out what somebody may do: the cluster's API server answered 404 Not Found: not here",
        ]
    );
}

#[test]
fn a_page_of_something_in_between_is_no_answer() {
    let page = "<!doctype html>\n<title>Sign in</title>";
    for told in told(move |_| Answer::Json(200, page.into())) {
        assert!(
            told.starts_with("the answer of the cluster's API server cannot be understood: expected value"),
            "{told}"
        );
    }
    for told in told(move |_| Answer::Json(502, page.into())) {
        assert_eq!(
            told,
            "the cluster's API server answered 502 Bad Gateway: <!doctype html>"
        );
    }
    for told in told(move |_| {
        Answer::Headed(
            302,
            "location: https://elsewhere.example/\r\n".into(),
            String::new(),
        )
    }) {
        assert_eq!(
            told, "the cluster's API server answered 302 Found",
            "nobody follows it"
        );
    }
}

#[test]
fn an_answer_that_breaks_off_or_never_comes_is_told() {
    for told in told(|_| Answer::Half(config_maps(1, "", &[config_map("a", 1, "1")]))) {
        assert!(
            told.starts_with("the answer of the cluster's API server broke off: "),
            "{told}"
        );
    }
    for told in told(|_| Answer::Break) {
        assert!(
            told.starts_with("the cluster's API server cannot be reached: "),
            "{told}"
        );
    }
}

#[test]
fn an_answer_without_end_is_not_kept() {
    let (server, asking) = answering(|_| Answer::Endless(200, r#"{"items":["#.into()));
    for ((path, payload, begins), most) in questions().into_iter().zip(["8MiB", "16MiB", "8MiB"]) {
        let expected = format!("{begins}the answer of the cluster's API server has more than {most}");
        assert_eq!(asking.ask(path, &payload), Err(expected));
    }
    eventually("nobody reads on", || server.open() <= 1);
    let (server, asking) = answering(|_| Answer::Endless(500, "so long".into()));
    for (path, payload, begins) in questions() {
        let told = asking.ask(path, &payload).unwrap_err();
        let expected = format!("{begins}the cluster's API server answered 500 Internal Server Error");
        assert_eq!(told, expected);
    }
    eventually("nobody reads on", || server.open() <= 1);
}

#[test]
fn an_answer_that_takes_longer_than_the_review_is_broken_off_and_others_go_on() {
    for slow in [|| Answer::Nothing, || Answer::Slow("{".repeat(100_000))] {
        let server = api_server(move |asked| match asked.path.as_str() {
            OBJECT | REVIEWS => Some(slow()),
            "/api/v1/namespaces/n/configmaps/b" => Some(Answer::ok(config_map("b", 1, "1"))),
            _ => None,
        });
        let asking = asking(&server, &calm());
        asking.get("ConfigMap", "b").unwrap();
        let [object, _, review] = questions();
        thread::scope(|scope| {
            for (path, payload, _) in [&object, &review] {
                let asking = &asking;
                scope.spawn(move || {
                    let told = asking.within(Duration::from_millis(300), path, payload);
                    assert_eq!(told, Err("timeout".into()), "{path}");
                });
            }
            let fresh = get("ConfigMap", "b", true);
            assert!(asking.ask("kubernetes/get_resource", &fresh).is_ok());
        });
        eventually("the requests are broken off", || server.open() <= 1);
    }
}

#[test]
fn a_server_that_is_busy_for_a_moment_is_asked_again() {
    for status in [429, 500, 503] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let (_server, asking) = answering(move |asked| {
            if asked.is_watch() {
                return Answer::Nothing;
            }
            // Every other request is one too many.
            match count.fetch_add(1, Ordering::SeqCst) % 2 {
                0 => Answer::busy(status, "0"),
                _ => good(asked),
            }
        });
        for (path, payload, _) in questions() {
            asking.ask(path, &payload).unwrap();
        }
        assert_eq!(asked.load(Ordering::SeqCst), 6, "{status}");
    }
}

#[test]
fn a_server_that_stays_busy_is_left_alone() {
    let busy = |after: &'static str| {
        let (server, asking) = answering(move |_| Answer::busy(429, after));
        let told = asking.get("ConfigMap", "a").unwrap_err();
        let expected = "cannot get v1/ConfigMap named 'a': the cluster's API server answered 429 Too Many Requests: too busy";
        assert_eq!(told, expected);
        server.asked_for(OBJECT)
    };
    assert_eq!(busy("0"), 4, "three times more, and then it is told");
    // Longer than anybody waits, or no time at all: it is told at once.
    for after in [
        "3",
        "3600",
        "99999999999999999999999999",
        "-1",
        "",
        "soon",
        "Wed, 21 Oct 2026 07:28:00 GMT",
    ] {
        assert_eq!(busy(after), 1, "{after}");
    }
}

#[test]
fn the_wait_for_a_busy_server_ends_with_the_review() {
    let (server, asking) = answering(|_| Answer::busy(429, "2"));
    let payload = get("ConfigMap", "a", false);
    let told = asking.within(Duration::from_millis(300), "kubernetes/get_resource", &payload);
    assert_eq!(told, Err("timeout".into()));
    assert_eq!(server.asked_for(OBJECT), 1);
}

#[test]
fn an_error_costs_one_request() {
    let (server, asking) = answering(|_| Answer::status(500, "Some", "no"));
    let payload = json!({"api_version": "v1", "kind": "ConfigMap"});
    for count in 1..=20 {
        asking.ask("kubernetes/list_resources_all", &payload).unwrap_err();
        assert_eq!(server.asked_for(LIST), count);
    }
}

#[test]
fn errors_about_the_kinds_are_told_too() {
    let server = api_server(|asked| {
        (asked.path == "/api/v1").then(|| Answer::status(403, "Forbidden", "no kinds for you"))
    });
    let asking = asking(&server, &calm());
    let expected =
        "cannot look up the kinds of v1: the cluster's API server answered 403 Forbidden: no kinds for you";
    for (path, payload, _) in &questions()[..2] {
        assert_eq!(asking.ask(path, payload), Err(expected.into()));
    }
}

#[test]
fn a_question_what_somebody_may_do_is_bounded() {
    let (server, asking) = answering(good);
    let mut large = review();
    large["subject_access_review"]["user"] = json!("x".repeat(70 << 10));
    let expected = "the SubjectAccessReview has more than 64KiB, which is what is taken";
    assert_eq!(asking.ask("kubernetes/can_i", &large), Err(expected.into()));
    large = review();
    large["subject_access_review"]["groups"] = json!(vec![""; 10_000]);
    assert_eq!(asking.ask("kubernetes/can_i", &large), Err(expected.into()));
    assert_eq!(server.asked_for(REVIEWS), 0);
}
