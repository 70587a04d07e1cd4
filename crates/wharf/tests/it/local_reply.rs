//! A filter that answers by itself, at every stage at which that is possible.

use std::sync::{Mutex, mpsc};

use wharf_testing::{Response, origin, scripted_origin};

use crate::harness::{Config, config};

fn answering() -> Config {
    let keys = "allowOnHeadersStopIteration: true";
    config()
        .plugin("reply", "wat/local-reply.wat", keys)
        .plugin("greet", "rust-headers/rust-headers.wasm", "")
        .route("/", &["greet", "reply"], "app")
}

fn expect_teapot(answer: &Response, stage: &str) {
    assert_eq!(
        (answer.status, answer.text()),
        (418, "short and stout\n"),
        "{answer:?}"
    );
    assert_eq!(answer.header("x-local-reply"), Some(stage));
}

#[test]
fn in_the_requests_headers() {
    let app = origin().start();
    let wharf = answering().upstream("app", app.address()).start();
    let answer = wharf.get("/now");
    expect_teapot(&answer, "request-headers");
    assert_eq!(
        answer.header("x-greeting"),
        Some("hello"),
        "the filter before it sees the answer"
    );
    assert_eq!(app.accepted(), 0);
    let line = wharf.access("/now");
    assert_eq!(
        (&line["status"], &line["details"]),
        (&418.into(), &"teapot".into())
    );
}

#[test]
fn in_the_requests_body() {
    let app = origin().start();
    let wharf = answering().upstream("app", app.address()).start();
    let answer = wharf.post("/body", "some body");
    expect_teapot(&answer, "request-body");
    assert_eq!(answer.header("x-greeting"), Some("hello"));
    assert!(app.received().is_empty(), "a request was sent whole");
}

#[test]
fn in_the_responses_headers() {
    let app = origin().route("/response", "the app's own answer").start();
    let wharf = answering().upstream("app", app.address()).start();
    let mut client = wharf.connect();
    for _ in 0..2 {
        expect_teapot(&client.get("/response"), "response-headers");
    }
}

#[test]
fn in_the_responses_body_while_its_headers_are_held() {
    let app = origin()
        .route("/response-body-held", "the app's own answer")
        .start();
    let wharf = answering().upstream("app", app.address()).start();
    let mut client = wharf.connect();
    for _ in 0..2 {
        expect_teapot(&client.get("/response-body-held"), "response-body");
    }
}

#[test]
fn in_the_responses_body_that_comes_with_its_headers() {
    // The embedded responder has all at once, so that nothing has left yet.
    let keys = "allowOnHeadersStopIteration: true";
    let config = config()
        .plugin("reply", "wat/local-reply.wat", keys)
        .route("/", &["reply"], "hello");
    expect_teapot(&config.start().get("/response-body"), "response-body");
}

#[test]
fn too_late_when_the_headers_have_left() {
    let (client_has_the_head, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let app = scripted_origin(move |mut conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n");
        told.lock().unwrap().recv().unwrap();
        conversation.send("late");
    });
    let wharf = answering().upstream("app", app.address()).start();
    let mut client = wharf.connect();
    assert_eq!(
        client.request("GET", "/response-body").response_head().status,
        200
    );
    client_has_the_head.send(()).unwrap();
    client.expect_close();
    assert_eq!(
        wharf.access("/response-body")["details"],
        "filter_answered_too_late"
    );
}
