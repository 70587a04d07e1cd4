//! A filter that asks another service about each request, and holds the request until it answers.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use wharf_testing::{Origin, Response, eventually, origin, refused_address, scripted_origin};

use crate::harness::{Config, config};
use crate::process::Wharf;

const AUTH: &str = "rust-auth/rust-auth.wasm";
const ALLOWED: &str = "allow: { upstreams: [ auth ] }";

/// An authorization service that answers so.
fn service(answer: &'static str) -> Origin {
    scripted_origin(move |mut conversation| {
        while conversation.request().is_some() {
            conversation.send(answer);
        }
    })
}

fn guarded(app: &Origin, auth: impl std::fmt::Display, keys: &str) -> Config {
    config()
        .plugin("auth", AUTH, keys)
        .route(
            "/",
            &["auth, config: { upstream: auth, path: /check, timeoutMs: 20000 }"],
            "app",
        )
        .upstream("app", app.address())
        .upstream("auth", auth)
}

fn app() -> Origin {
    origin().route("/", "welcome").start()
}

fn get_as(wharf: &Wharf, authorization: &str) -> Response {
    let mut client = wharf.connect();
    client.send(format!(
        "GET / HTTP/1.1\r\nHost: test\r\nX-User: root\r\nAuthorization: {authorization}\r\n\r\n"
    ));
    client.response()
}

#[test]
fn who_is_known_may_pass_under_the_services_name() {
    let app = app();
    let service = service("HTTP/1.1 200 OK\r\nx-user: alice\r\ncontent-length: 0\r\n\r\n");
    let wharf = guarded(&app, service.address(), ALLOWED).start();
    let answer = get_as(&wharf, "Bearer a");
    assert_eq!((answer.status, answer.text()), (200, "welcome"));
    let asked = service.only_request();
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/check"));
    assert_eq!(
        (asked.header("authorization"), asked.header("host")),
        (Some("Bearer a"), Some("auth"))
    );
    assert_eq!(
        app.only_request().header("x-user"),
        Some("alice"),
        "not whom the client said it is"
    );
}

#[test]
fn who_is_refused_gets_the_services_words() {
    let app = app();
    let service = service("HTTP/1.1 401 Unauthorized\r\ncontent-length: 9\r\n\r\ngo away!\n");
    let wharf = guarded(&app, service.address(), ALLOWED).start();
    let answer = get_as(&wharf, "Bearer b");
    assert_eq!((answer.status, answer.text()), (403, "go away!\n"));
    assert!(app.received().is_empty());
}

#[test]
fn a_service_that_fails_means_503() {
    let app = app();
    let failing = service("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n");
    let broken = service("HTTP/1.1 200 OK\r\nthis is no header\r\n\r\n");
    let cut_short = scripted_origin(|mut conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    });
    for address in [
        failing.address(),
        broken.address(),
        cut_short.address(),
        refused_address(),
    ] {
        let wharf = guarded(&app, address, ALLOWED).start();
        let answer = get_as(&wharf, "Bearer c");
        assert_eq!(
            (answer.status, answer.text()),
            (503, "authorization is unavailable\n")
        );
    }
    assert!(app.received().is_empty());
}

#[test]
fn a_service_that_is_silent_means_503_when_the_filters_timeout_is_over() {
    let app = app();
    let silent = scripted_origin(|mut conversation| {
        conversation.request();
        conversation.wait_for_close();
    });
    let wharf = config()
        .plugin("auth", AUTH, ALLOWED)
        .route(
            "/",
            &["auth, config: { upstream: auth, path: /check, timeoutMs: 100 }"],
            "app",
        )
        .upstream("app", app.address())
        .upstream("auth", silent.address())
        .start();
    let answer = get_as(&wharf, "Bearer d");
    assert_eq!(
        (answer.status, answer.text()),
        (503, "authorization is unavailable\n")
    );
    eventually("the call-out's connection is closed", || silent.open() == 0);
}

#[test]
fn an_upstream_that_the_plugin_may_not_call_is_refused_with_the_reason() {
    let (app, service) = (app(), service("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    let wharf = guarded(&app, service.address(), "").start();
    assert_eq!(get_as(&wharf, "Bearer e").status, 503);
    expect_refusal(
        &wharf,
        "the upstream \"auth\" is not in the plugin's allow.upstreams",
    );
    assert!(service.received().is_empty());
}

#[test]
fn an_upstream_that_does_not_exist_is_refused_with_the_reason() {
    let wharf = config()
        .plugin("auth", AUTH, "")
        .route(
            "/",
            &["auth, config: { upstream: nowhere, path: /check }"],
            "hello",
        )
        .start();
    assert_eq!(get_as(&wharf, "Bearer f").status, 503);
    expect_refusal(
        &wharf,
        "the upstream \"nowhere\" is not defined under proxy.upstreams",
    );
}

fn expect_refusal(wharf: &Wharf, reason: &str) {
    eventually("the refusal is in the log", || {
        wharf
            .log()
            .iter()
            .any(|line| line["plugin"] == "auth" && line["reason"] == reason)
    });
}

/// A service that lets everybody pass, but whose clients with `slow` wait until they are released.
fn patient_service() -> (Origin, Sender<()>) {
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let released = Arc::new(Mutex::new(released));
    let origin = scripted_origin(move |mut conversation| {
        while let Some(request) = conversation.request() {
            if request.header("authorization") == Some("slow") {
                released
                    .lock()
                    .expect("no script panics")
                    .recv()
                    .expect("the test releases it");
            }
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (origin, release)
}

#[test]
fn a_request_that_waits_holds_up_no_other_of_its_worker() {
    let app = app();
    let (service, release) = patient_service();
    let wharf = guarded(&app, service.address(), ALLOWED).workers(1).start();
    let mut slow = wharf.connect();
    slow.send("GET / HTTP/1.1\r\nHost: test\r\nAuthorization: slow\r\n\r\n");
    eventually("the service is asked", || service.received().len() == 1);
    for _ in 0..3 {
        assert_eq!(get_as(&wharf, "fast").status, 200);
    }
    assert_eq!(app.received().len(), 3, "the slow one still waits");
    release.send(()).unwrap();
    assert_eq!(slow.response().text(), "welcome");
}

#[test]
fn a_client_that_leaves_while_its_request_waits_is_forgotten() {
    let app = app();
    let (service, release) = patient_service();
    let wharf = guarded(&app, service.address(), ALLOWED).start();
    let mut slow = wharf.connect();
    slow.send("GET /?left HTTP/1.1\r\nHost: test\r\nAuthorization: slow\r\n\r\n");
    eventually("the service is asked", || service.received().len() == 1);
    drop(slow);
    let line = wharf.access("/?left");
    assert_eq!(
        (&line["status"], &line["details"]),
        (&serde_json::Value::Null, &"client_disconnected".into())
    );
    release.send(()).unwrap();
    assert_eq!(get_as(&wharf, "fast").text(), "welcome");
    assert_eq!(app.received().len(), 1);
}
