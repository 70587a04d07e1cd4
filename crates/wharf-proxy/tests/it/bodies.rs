use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use wharf_testing::{eventually, origin, scripted_origin};

use crate::harness::{proxy, proxy_to};

const MIB: usize = 1024 * 1024;

#[test]
fn a_length_stays_a_length_and_chunks_stay_chunks() {
    let app = scripted_origin(|mut conversation| {
        while let Some(request) = conversation.request() {
            if request.target == "/chunked" {
                conversation.send(
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
                );
            } else {
                conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabcdef");
            }
        }
    });
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();

    client.send("POST /sized HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz");
    let response = client.response();
    assert_eq!(
        (response.text(), response.header("content-length")),
        ("abcdef", Some("6"))
    );
    assert_eq!(response.header("transfer-encoding"), None);

    client.send("GET /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n");
    let response = client.response();
    assert_eq!(
        (response.text(), response.header("transfer-encoding")),
        ("abcdef", Some("chunked"))
    );
    assert_eq!(response.header("content-length"), None);

    let received = app.received();
    assert_eq!(
        (received[0].text(), received[0].header("content-length")),
        ("xyz", Some("3"))
    );
    assert_eq!(
        (received[1].text(), received[1].header("transfer-encoding")),
        ("xyz", Some("chunked"))
    );
    assert_eq!(
        received[1].header("content-length"),
        None,
        "a GET's body is not lost"
    );
}

#[test]
fn an_answer_that_ends_with_its_connection_is_complete() {
    let app = scripted_origin(|mut conversation| {
        conversation.request();
        conversation.send("HTTP/1.0 200 OK\r\n\r\nuntil the end");
    });
    let proxy = proxy_to(app.address());
    let response = proxy.get("/");
    assert_eq!(
        (response.text(), response.header("transfer-encoding")),
        ("until the end", Some("chunked"))
    );

    let mut old = proxy.connect();
    let response = old.send("GET / HTTP/1.0\r\n\r\n").response();
    assert_eq!(
        (response.text(), response.header("transfer-encoding")),
        ("until the end", None)
    );
}

#[test]
fn heads_and_answers_without_a_body_have_none() {
    let app = scripted_origin(|mut conversation| {
        while let Some(request) = conversation.request() {
            conversation.send(match request.target.as_str() {
                "/head" => "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n",
                "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
                _ => "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n",
            });
        }
    });
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    let response = client.request("HEAD", "/head").response_to_head();
    assert_eq!(
        (response.status, response.header("content-length")),
        (200, Some("1234"))
    );
    let response = client.get("/204");
    assert_eq!((response.status, response.header("content-length")), (204, None));
    assert_eq!(response.header("transfer-encoding"), None);
    let response = client.get("/304");
    assert_eq!((response.status, response.header("etag")), (304, Some("\"1\"")));
    for line in proxy.log(3) {
        assert_eq!(line["details"], serde_json::Value::Null, "{line}");
    }
}

#[test]
fn a_head_to_the_embedded_responder_has_the_length_and_no_body() {
    let proxy = proxy().respond("hello", 200, "hello").route("/", "hello").start();
    let mut client = proxy.connect();
    let response = client.request("HEAD", "/").response_to_head();
    assert_eq!(
        (response.status, response.header("content-length")),
        (200, Some("5"))
    );
    assert_eq!(client.get("/").text(), "hello");
}

#[test]
fn the_client_is_asked_for_its_body_when_somebody_reads_it() {
    let app = origin().route("/", "thanks").start();
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
    assert_eq!(client.response_head().status, 100);
    assert_eq!(client.send("hello").response().text(), "thanks");
    let request = app.only_request();
    assert_eq!((request.text(), request.header("expect")), ("hello", None));
}

#[test]
fn the_client_is_not_asked_for_a_body_that_nobody_reads() {
    let proxy = proxy()
        .respond("hello", 403, "no")
        .route("/hello", "hello")
        .start();
    for (target, status) in [("/hello", 403), ("/nowhere", 404)] {
        let mut client = proxy.connect();
        client.send(format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        ));
        assert_eq!(client.response().status, status);
    }
}

#[test]
fn other_expectations_are_refused() {
    let proxy = proxy().respond("hello", 200, "hello").route("/", "hello").start();
    let response = proxy.answer_to("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n");
    assert_eq!(response.status, 417);
    assert!(response.header("wharf-request-id").is_some());
}

#[test]
fn trailers_pass_in_both_directions() {
    let app = scripted_origin(|mut conversation| {
        while conversation.request().is_some() {
            conversation.send(concat!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n",
                "2\r\nok\r\n0\r\nx-sum: 42\r\n\r\n"
            ));
        }
    });
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    client.send(concat!(
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: x-up\r\nTransfer-Encoding: chunked\r\n\r\n",
        "2\r\nhi\r\n0\r\nx-up: 7\r\nx-unannounced: 8\r\n\r\n"
    ));
    let response = client.response();
    assert_eq!(response.text(), "ok");
    assert_eq!(response.trailers, [("x-sum".to_owned(), "42".to_owned())]);
    let request = app.only_request();
    assert_eq!(request.trailers, [("x-up".to_owned(), "7".to_owned())]);
    assert_eq!(
        (request.header("te"), request.header("trailer")),
        (Some("trailers"), Some("x-up"))
    );

    // A client that did not ask for trailers gets the body without them.
    let response = client.get("/");
    assert_eq!((response.text(), response.trailers.len()), ("ok", 0));
}

#[test]
fn interim_answers_of_the_upstream_are_swallowed() {
    let app = scripted_origin(|mut conversation| {
        while conversation.request().is_some() {
            conversation.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let proxy = proxy_to(app.address());
    let response = proxy.get("/");
    assert_eq!(
        (response.status, response.text(), response.header("link")),
        (200, "ok", None)
    );
}

#[test]
fn a_large_upload_and_download_arrive_whole() {
    let app = scripted_origin(|mut conversation| {
        while let Some(request) = conversation.request() {
            let body = request.body;
            conversation.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                body.len()
            ));
            conversation.send(body);
        }
    });
    let proxy = proxy_to(app.address());
    let body: Vec<u8> = (0..8 * MIB).map(|at| (at * 7 + at / 251) as u8).collect();
    let mut client = proxy.connect();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    client.send(&body);
    assert!(client.response().body == body, "the body came back unchanged");
    let line = proxy.only_log_line();
    assert_eq!(
        (&line["bytesIn"], &line["bytesOut"]),
        (&body.len().into(), &body.len().into())
    );
}

/// Sends until the other side does not take more for a while; gives what was sent.
fn fill(mut send: impl FnMut() -> bool, sent: &AtomicUsize, piece: usize, limit: usize) {
    while sent.load(Ordering::SeqCst) < limit && send() {
        sent.fetch_add(piece, Ordering::SeqCst);
    }
}

#[test]
fn a_client_that_does_not_read_holds_the_upstream_back() {
    const LIMIT: usize = 256 * MIB;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let app = scripted_origin(move |mut conversation| {
        conversation.request();
        conversation.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {LIMIT}\r\n\r\n"));
        let piece = vec![b'x'; 64 * 1024];
        fill(|| conversation.send(&piece), &counter, piece.len(), LIMIT);
    });
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    assert_eq!(client.request("GET", "/").response_head().status, 200);
    // The socket buffers of four hops and the proxy's own fill up; then nothing moves.
    let mut before = usize::MAX;
    eventually("the origin is held back", || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::mem::replace(&mut before, sent.load(Ordering::SeqCst)) == sent.load(Ordering::SeqCst)
    });
    assert!(
        before < LIMIT / 2,
        "{before} bytes were taken from the origin for a client that reads nothing"
    );
    client.read(4 * MIB);
    eventually("the origin goes on", || sent.load(Ordering::SeqCst) > before);
}

#[test]
fn an_upstream_that_does_not_read_holds_the_client_back() {
    const LIMIT: usize = 256 * MIB;
    let go_on = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&go_on);
    let app = scripted_origin(move |mut conversation| {
        conversation.request_head();
        eventually("the test goes on", || gate.load(Ordering::SeqCst));
        conversation.read(LIMIT);
        conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    let proxy = proxy_to(app.address());
    let sent = AtomicUsize::new(0);
    let mut client = proxy.connect();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {LIMIT}\r\n\r\n"
    ));
    let piece = vec![b'x'; 64 * 1024];
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| fill(|| client.try_send(&piece).is_ok(), &sent, piece.len(), LIMIT));
        let mut before = usize::MAX;
        eventually("the client is held back", || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            std::mem::replace(&mut before, sent.load(Ordering::SeqCst)) == sent.load(Ordering::SeqCst)
        });
        assert!(
            before < LIMIT / 2,
            "{before} bytes were taken from the client for an origin that reads nothing"
        );
        go_on.store(true, Ordering::SeqCst);
        sending.join().unwrap();
    });
    assert_eq!(client.response().text(), "ok");
}
