use wharf_testing::{Response, origin};

use crate::harness::proxy_to;

/// Each of these could be read as another number of requests by another server.
const REFUSED: &[(&str, u16)] = &[
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \x0b5\r\n\r\nhello",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nX: 1\r\n Transfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\r\n", 400),
];

fn assert_refused(response: &Response, status: u16, request: &str) {
    assert_eq!(
        response.status,
        status,
        "{}: {}",
        request.escape_default(),
        response.text()
    );
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(response.header("wharf-request-id").map(str::len), Some(36));
    assert!(
        response.text().len() > 10 && response.text().ends_with('\n'),
        "{:?}",
        response.text()
    );
}

#[test]
fn ambiguous_requests_are_refused_with_a_reason_and_the_connection_is_closed() {
    let app = origin().route("/", "ok").start();
    let proxy = proxy_to(app.address());
    for (request, status) in REFUSED {
        let mut client = proxy.connect();
        let response = client.send(request).response();
        assert_refused(&response, *status, request);
        assert_eq!(client.read_to_close(), b"", "{}", request.escape_default());
    }
    assert_eq!(app.received(), [], "nothing reached the origin");
    let log = proxy.log(REFUSED.len());
    assert!(
        log.iter()
            .all(|line| line["route"].is_null() && line["details"].is_string()),
        "{log:#?}"
    );
    assert!(proxy.counts("wharf_requests_refused_total{listener=\"web\",reason=\"length_and_encoding\"} 2"));
}

#[test]
fn requests_before_a_refused_one_are_answered_and_those_behind_it_are_not() {
    let app = origin()
        .route("/1", "one")
        .route("/2", "two")
        .route("/4", "four")
        .start();
    let proxy = proxy_to(app.address());
    let pipeline = concat!(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        "GET /3 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    for pieces in [pipeline.len(), 1, 10] {
        let mut client = proxy.connect();
        client.send_in_pieces(pipeline.as_bytes().chunks(pieces).take(pipeline.len() / pieces));
        assert_eq!(client.response().text(), "one");
        assert_eq!(client.response().text(), "two");
        assert_refused(&client.response(), 400, pipeline);
        assert_eq!(client.read_to_close(), b"");
    }
    let targets: Vec<String> = app.received().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/1", "/2", "/1", "/2", "/1", "/2"]);
}

#[test]
fn a_body_with_bad_framing_breaks_its_exchange_off() {
    let app = wharf_testing::scripted_origin(|mut conversation| {
        if conversation.request().is_none() {
            assert!(conversation.wait_for_close());
        }
    });
    let proxy = proxy_to(app.address());
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bodies = [
        "5\r\nhello\r\nzz\r\n",
        "5\r\nhello!\r\n",
        "5 \r\nhello\r\n",
        "5\nhello\r\n",
        "0x5\r\nhello\r\n",
        "0\r\nX: 1\n\r\n",
        "0\r\n folded: 1\r\n\r\n",
        "11111111111111111\r\n",
    ];
    for body in bodies {
        let mut client = proxy.connect();
        let response = client.send(format!("{head}{body}")).response();
        assert_refused(&response, 400, body);
        client.expect_close();
    }
    assert_eq!(app.received(), []);
    for line in proxy.log(bodies.len()) {
        assert_eq!(line["route"], "web/0");
        assert_eq!(line["status"], 400);
    }
}

#[test]
fn the_bytes_behind_a_body_are_the_next_request_and_nothing_else() {
    let app = origin().route("/", "ok").start();
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert_eq!(client.response().status, 404);
    let targets: Vec<String> = app.received().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/", "/smuggled"]);
}

#[test]
fn an_answer_to_a_refused_upload_is_not_destroyed_by_the_rest_of_it() {
    let proxy = crate::harness::proxy()
        .respond("no", 403, "no")
        .route("/", "no")
        .start();
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n");
    let body = vec![b'x'; 400_000];
    // The proxy may have closed its side by now; what matters is that the answer can be read.
    let _ = client.try_send(&body);
    assert_eq!(client.response().status, 403);
}
