//! Filters that look into bodies, and those that let them go by.

use wharf_testing::{Conversation, Origin, scripted_origin};

use crate::harness::{Config, config};
use crate::process::post;

const BODY: &str = "rust-body/rust-body.wasm";
/// Lets a filter see the body of headers that it pauses.
const HOLDS: &str = "allowOnHeadersStopIteration: true";

/// More than a filter may hold where `bodyBuffer` is 64KiB, by more than one piece of a body can have.
const TOO_LARGE: usize = 1 << 20;

/// Answers every request with these headers (each with its CR LF) and this body, behind its content-length.
fn origin(headers: &'static str, body: &'static str) -> Origin {
    scripted_origin(move |mut conversation| {
        while conversation.request().is_some() {
            let length = body.len();
            conversation.send(format!(
                "HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n{body}"
            ));
        }
    })
}

/// One route through rust-body with this configuration.
fn rewriting(origin: &Origin, keys: &str, filter_config: &str) -> Config {
    config()
        .plugin("body", BODY, keys)
        .route("/", &[&format!("body, config: {filter_config}")], "app")
        .upstream("app", origin.address())
}

#[test]
fn a_response_grows() {
    let origin = origin("", "a cat and a cat");
    let wharf = rewriting(&origin, "", "{ replace: cat, with: caterpillar }").start();
    let answer = wharf.get("/");
    assert_eq!(
        (answer.status, answer.text()),
        (200, "a caterpillar and a caterpillar")
    );
    assert_ne!(answer.header("content-length"), Some("15"));
}

#[test]
fn a_response_shrinks_to_nothing_and_the_connection_goes_on() {
    let origin = origin("", "catcat");
    let wharf = rewriting(&origin, "", "{ replace: cat, with: \"\" }").start();
    let mut client = wharf.connect();
    for _ in 0..2 {
        let answer = client.get("/");
        assert_eq!((answer.status, answer.text()), (200, ""));
    }
}

#[test]
fn held_headers_leave_with_the_right_length() {
    let origin = origin("", "a cat and a cat");
    let wharf = rewriting(&origin, HOLDS, "{ replace: cat, with: caterpillar, hold: true }").start();
    let answer = wharf.get("/");
    assert_eq!(answer.text(), "a caterpillar and a caterpillar");
    assert_eq!(answer.header("content-length"), Some("31"));
    assert_eq!(answer.header("transfer-encoding"), None);
}

#[test]
fn a_filter_that_holds_headers_without_leave_never_sees_the_body() {
    let origin = origin("", "a cat");
    let wharf = rewriting(&origin, "", "{ replace: cat, with: mouse, hold: true }")
        .limits("bodyIdleTimeout: 200ms")
        .start();
    let answer = wharf.get("/held");
    assert_eq!(answer.status, 504, "{answer:?}");
    assert_eq!(wharf.access("/held")["details"], "filter_timeout");
}

#[test]
fn a_trailer_is_added_and_announced() {
    let origin = origin("", "a cat");
    let trailer = "trailer: { name: x-rewritten, value: \"yes\" }";
    let wharf = rewriting(
        &origin,
        "",
        &format!("{{ replace: cat, with: mouse, {trailer} }}"),
    )
    .start();
    let mut client = wharf.connect();
    client.send("GET / HTTP/1.1\r\nHost: test\r\nTE: trailers\r\n\r\n");
    let answer = client.response();
    assert_eq!(answer.text(), "a mouse");
    assert_eq!(answer.header("trailer"), Some("x-rewritten"));
    assert_eq!(answer.trailers, [("x-rewritten".to_owned(), "yes".to_owned())]);
}

#[test]
fn the_trailers_of_an_upstream_pass_behind_a_rewritten_body() {
    let origin = scripted_origin(|mut conversation| {
        while conversation.request().is_some() {
            conversation.send("HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n");
            conversation.send("3\r\nca-\r\n2\r\n-t\r\n0\r\nx-sum: 5\r\n\r\n");
        }
    });
    let wharf = rewriting(&origin, "", "{ replace: ca--t, with: dog }").start();
    let mut client = wharf.connect();
    client.send("GET / HTTP/1.1\r\nHost: test\r\nTE: trailers\r\n\r\n");
    let answer = client.response();
    assert_eq!(answer.text(), "dog");
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "5".to_owned())]);
}

#[test]
fn a_body_with_a_content_encoding_is_left_alone() {
    let origin = origin("content-encoding: gzip\r\n", "not really a cat");
    let wharf = rewriting(&origin, "", "{ replace: cat, with: mouse }").start();
    let answer = wharf.get("/");
    assert_eq!(answer.text(), "not really a cat");
}

#[test]
fn a_request_is_rewritten_before_the_upstream_sees_it() {
    let origin = origin("", "");
    let filter = "{ replace: cat, with: caterpillar, direction: request, hold: true }";
    let wharf = rewriting(&origin, HOLDS, filter).start();
    // In one piece, in many pieces, and in chunks with a trailer.
    let mut client = wharf.connect();
    post(&mut client, "/", b"a cat");
    assert_eq!(client.response().status, 200);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n");
    client.send_in_pieces([&b"c"[..], b"a", b"t", b" + c", b"at"]);
    assert_eq!(client.response().status, 200);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nTrailer: x-end\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("2\r\nca\r\n1\r\nt\r\n0\r\nx-end: yes\r\n\r\n");
    assert_eq!(client.response().status, 200);
    let received = origin.received();
    let bodies: Vec<_> = received.iter().map(|request| request.text()).collect();
    assert_eq!(
        bodies,
        ["a caterpillar", "caterpillar + caterpillar", "caterpillar"]
    );
    let lengths: Vec<_> = received
        .iter()
        .map(|request| request.header("content-length"))
        .collect();
    assert_eq!(lengths, [Some("13"), Some("25"), None]);
    assert_eq!(received[2].trailers, [("x-end".to_owned(), "yes".to_owned())]);
}

#[test]
fn a_request_over_the_cap_is_refused_and_the_upstream_does_not_hear_of_it() {
    let origin = origin("", "");
    let filter = "{ replace: cat, with: mouse, direction: request, hold: true }";
    let wharf = rewriting(&origin, HOLDS, filter)
        .limits("bodyBuffer: 64KiB")
        .start();
    let largest = wharf.post("/fits", "x".repeat(64 << 10));
    assert_eq!(largest.status, 200);
    let mut client = wharf.connect();
    client.send(format!(
        "POST /large HTTP/1.1\r\nHost: test\r\nContent-Length: {TOO_LARGE}\r\n\r\n"
    ));
    // All but the end, which the proxy does not wait for.
    client.send("x".repeat(TOO_LARGE - 1));
    let answer = client.response();
    assert_eq!(
        (answer.status, answer.text()),
        (413, "the request's body is too large\n")
    );
    assert_eq!(
        answer.header("wharf-request-id"),
        wharf.access("/large")["requestId"].as_str()
    );
    assert_eq!(wharf.access("/large")["details"], "request_payload_too_large");
    assert_eq!(origin.received().len(), 1, "only the one that fits");
}

#[test]
fn a_response_over_the_cap_is_an_error_while_its_headers_are_held() {
    let origin = scripted_origin(|mut conversation| {
        while conversation.request().is_some() {
            let body = "x".repeat(TOO_LARGE);
            conversation.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    });
    let filter = "{ replace: cat, with: mouse, hold: true }";
    let wharf = rewriting(&origin, HOLDS, filter)
        .limits("bodyBuffer: 64KiB")
        .start();
    let answer = wharf.get("/large");
    assert_eq!(
        (answer.status, answer.text()),
        (500, "the response's body is too large\n")
    );
    assert_eq!(
        answer.header("wharf-request-id"),
        wharf.access("/large")["requestId"].as_str()
    );
}

#[test]
fn a_response_over_the_cap_breaks_off_when_its_headers_have_left() {
    let (client_has_the_head, told) = std::sync::mpsc::channel::<()>();
    let told = std::sync::Mutex::new(told);
    let origin = scripted_origin(move |mut conversation| {
        conversation.request();
        conversation.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {TOO_LARGE}\r\n\r\n"));
        told.lock().unwrap().recv().unwrap();
        conversation.send("x".repeat(TOO_LARGE));
    });
    let filter = "{ replace: cat, with: mouse }";
    let wharf = rewriting(&origin, "", filter).limits("bodyBuffer: 64KiB").start();
    let mut client = wharf.connect();
    assert_eq!(client.request("GET", "/large").response_head().status, 200);
    client_has_the_head.send(()).unwrap();
    client.expect_close();
    assert_eq!(wharf.access("/large")["details"], "response_payload_too_large");
}

#[test]
fn bodies_that_no_filter_holds_may_have_any_size() {
    const SIZE: usize = 8 << 20;
    let origin = scripted_origin(|mut conversation: Conversation| {
        while let Some(request) = conversation.request() {
            let length = request.body.len();
            conversation.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"));
            conversation.send(request.body);
        }
    });
    let wharf = config()
        .plugin("greet", "rust-headers/rust-headers.wasm", "")
        .plugin("count", "as-counter/as-counter.wasm", "")
        .route("/", &["greet", "count"], "app")
        .upstream("app", origin.address())
        .limits("bodyBuffer: 64KiB")
        .start();
    let body: Vec<u8> = (0..SIZE).map(|index| (index % 251) as u8).collect();
    let answer = wharf.post("/echo", &body);
    assert_eq!(answer.status, 200);
    assert!(answer.body == body, "{} bytes came back", answer.body.len());
    let line = wharf.access("/echo");
    assert_eq!(
        (&line["bytesIn"], &line["bytesOut"]),
        (&SIZE.into(), &SIZE.into())
    );
}
