//! Clients that hold connections and ask nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use wharf_admission::ConnectionLimits;

use crate::harness::{PATIENCE, Served, config, open, pod, policy, receive, reviewing};

const YES: &str = r#"{"accepted":true,"valid":true}"#;
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(3600);

fn served(limits: ConnectionLimits) -> Served {
    let files = [
        ("yes.wat", policy(YES)),
        ("loop.wat", reviewing("(loop $l (br $l)) (i32.const 1)")),
    ];
    let policies = "yes: { module: ./yes.wat }\nloop: { module: ./loop.wat, timeout: 1s }\n";
    Served::with_limits(config(), limits, &files, policies)
}

/// Waits until the server closes the connection, and gives what it said before.
fn until_closed(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    if let Err(error) = stream.read_to_end(&mut said) {
        let is_closed = error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(is_closed, "the server did not close the connection: {error}");
    }
    String::from_utf8_lossy(&said).into_owned()
}

fn ask(stream: &mut TcpStream, policy: &str, connection: &str) {
    let body = pod("default").to_string();
    let head = format!(
        "POST /validate/{policy} HTTP/1.1\r\nhost: a\r\nconnection: {connection}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
}

#[test]
fn a_connection_without_a_request_is_closed() {
    let served = served(ConnectionLimits {
        first_request: SHORT,
        idle: LONG,
        ..ConnectionLimits::default()
    });
    let beginnings: [&[u8]; 4] = [
        b"",
        b"POST /validate/yes HT",
        b"POST /validate/yes HTTP/1.1\r\nhost: a\r\nx-more: ",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
    ];
    for beginning in beginnings {
        let mut stream = open(served.address());
        stream.write_all(beginning).unwrap();
        until_closed(stream);
    }
    // HTTP/2 that is wholly there, and asks nothing.
    let mut stream = open(served.address());
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    until_closed(stream);
    assert_eq!(served.review("/validate/yes").response()["allowed"], json!(true));
}

#[test]
fn a_connection_ends_when_no_more_is_asked() {
    let served = served(ConnectionLimits {
        first_request: LONG,
        idle: SHORT,
        ..ConnectionLimits::default()
    });
    let mut stream = open(served.address());
    ask(&mut stream, "yes", "keep-alive");
    let said = until_closed(stream);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[test]
fn a_review_that_takes_longer_is_answered() {
    let served = served(ConnectionLimits {
        first_request: SHORT,
        idle: SHORT,
        idle_when_full: SHORT,
        ..ConnectionLimits::default()
    });
    let mut stream = open(served.address());
    ask(&mut stream, "loop", "close");
    assert_eq!(receive(&mut stream).response()["status"]["code"], json!(500));
}

#[test]
fn idle_connections_make_room_where_there_is_none() {
    let served = served(ConnectionLimits {
        most: 3,
        first_request: LONG,
        idle: LONG,
        idle_when_full: SHORT,
    });
    let silent: Vec<TcpStream> = (0..3).map(|_| open(served.address())).collect();
    for _ in 0..5 {
        assert_eq!(served.review("/validate/yes").response()["allowed"], json!(true));
    }
    silent.into_iter().for_each(|stream| drop(until_closed(stream)));
}

#[test]
fn a_head_that_is_too_large_is_refused_and_a_large_body_is_not() {
    let served = served(ConnectionLimits::default());
    let mut stream = open(served.address());
    let head = format!(
        "POST /validate/yes HTTP/1.1\r\nhost: a\r\nx-more: {}\r\n\r\n",
        "x".repeat(64 << 10)
    );
    // The server need not read all of it.
    let _ = stream.write_all(head.as_bytes());
    let said = until_closed(stream);
    assert!(said.starts_with("HTTP/1.1 431"), "{said}");
    let mut large = pod("default");
    large["request"]["object"]["data"] = json!("x".repeat(3 << 20));
    let answer = served.post("/validate/yes", &large.to_string());
    assert_eq!(answer.response()["allowed"], json!(true));
}

#[test]
fn a_client_that_takes_no_answers_holds_no_place() {
    let served = served(ConnectionLimits {
        most: 1,
        first_request: LONG,
        idle: SHORT,
        idle_when_full: SHORT,
    });
    let mut greedy = open(served.address());
    greedy.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let request = "GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n".repeat(1_000);
    // Until the server takes no more, since its answers are not taken.
    while greedy.write_all(request.as_bytes()).is_ok() {}
    let answer = served.review("/validate/yes");
    assert_eq!(answer.response()["allowed"], json!(true), "within {PATIENCE:?}");
}
