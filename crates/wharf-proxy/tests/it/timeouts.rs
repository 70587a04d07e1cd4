use std::time::Duration;

use wharf_testing::{origin, scripted_origin};

use crate::harness::{endpoints, proxy};

/// For waits that are meant to run out.
const SHORT: Duration = Duration::from_millis(60);
/// For waits that must not run out before the test's next step, also on a busy machine.
const LONGER: Duration = Duration::from_millis(500);

#[test]
fn a_head_that_does_not_end_is_refused() {
    let proxy = proxy()
        .respond("hello", 200, "hello")
        .route("/", "hello")
        .limits(|limits| limits.request_header_timeout = LONGER)
        .start();
    let mut client = proxy.connect();
    assert_eq!(client.get("/").status, 200);
    let response = client.send("GET / HTTP/1.1\r\nHost:").response();
    assert_eq!(
        (response.status, response.header("connection")),
        (408, Some("close"))
    );
    client.expect_close();
    assert_eq!(proxy.log(2)[1]["details"], "head_timeout");
}

#[test]
fn a_client_that_never_sends_anything_is_hung_up_on_without_a_word() {
    let proxy = proxy()
        .limits(|limits| limits.request_header_timeout = SHORT)
        .start();
    assert_eq!(proxy.connect().read_to_close(), b"");
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let app = origin().route("/", "ok").start();
    let proxy = proxy()
        .upstream("app", &[app.address()])
        .route("/", "app")
        .limits(|limits| limits.idle_timeout = SHORT)
        .start();
    let mut client = proxy.connect();
    assert_eq!(client.get("/").text(), "ok");
    assert_eq!(client.read_to_close(), b"");
}

#[test]
fn a_client_that_waits_for_its_answer_is_not_idle() {
    let app = scripted_origin(|mut conversation| {
        conversation.request();
        std::thread::sleep(SHORT * 4);
        conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        conversation.wait_for_close();
    });
    let proxy = proxy()
        .upstream("app", &[app.address()])
        .route("/", "app")
        .limits(|limits| limits.idle_timeout = SHORT)
        .start();
    assert_eq!(proxy.get("/").text(), "ok");
}

#[test]
fn a_request_body_that_stands_still_is_refused() {
    let app = scripted_origin(|mut conversation| {
        assert!(conversation.request().is_none(), "the request is not completed");
    });
    let proxy = proxy()
        .upstream("app", &[app.address()])
        .route("/", "app")
        .limits(|limits| limits.body_idle_timeout = SHORT)
        .start();
    let mut client = proxy.connect();
    let response = client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
        .response();
    assert_eq!(response.status, 408);
    client.expect_close();
    assert_eq!(proxy.only_log_line()["details"], "body_timeout");
}

#[test]
fn a_response_body_that_stands_still_is_broken_off() {
    let app = scripted_origin(|mut conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe");
        assert!(conversation.wait_for_close());
    });
    let proxy = proxy()
        .upstream("app", &[app.address()])
        .route("/", "app")
        .limits(|limits| limits.body_idle_timeout = SHORT)
        .start();
    let mut client = proxy.connect();
    assert!(
        client.request("GET", "/").try_response().is_err(),
        "the response is cut short"
    );
    assert_eq!(proxy.only_log_line()["details"], "upstream_stalled");
}

#[test]
fn a_client_that_stops_reading_is_hung_up_on() {
    let app = scripted_origin(|mut conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        let piece = vec![b'x'; 64 * 1024];
        while conversation.send(&piece) {}
    });
    let proxy = proxy()
        .upstream("app", &[app.address()])
        .route("/", "app")
        .limits(|limits| limits.body_idle_timeout = LONGER)
        .start();
    let mut client = proxy.connect();
    client.request("GET", "/").response_head();
    assert_eq!(proxy.only_log_line()["details"], "client_disconnected");
    wharf_testing::eventually("the origin is let go", || app.open() == 0);
}

#[test]
fn an_upstream_that_does_not_answer_in_time_gives_504() {
    let app = scripted_origin(|mut conversation| {
        conversation.request();
        assert!(
            conversation.wait_for_close(),
            "the proxy closes the connection that has no answer"
        );
    });
    let mut config = endpoints(&[app.address()]);
    config.request_timeout = SHORT;
    let proxy = proxy().endpoints("app", config).route("/", "app").start();
    let mut client = proxy.connect();
    let answers = [client.get("/"), client.get("/")];
    for (answer, line) in answers.iter().zip(proxy.log(2)) {
        assert_eq!(
            (answer.status, answer.text()),
            (504, "the upstream did not answer in time\n")
        );
        assert_eq!(line["requestId"], answer.header("wharf-request-id").unwrap());
        assert_eq!(line["details"], "upstream_timed_out");
    }
    assert!(proxy.counts("wharf_upstream_timeouts_total{upstream=\"app\"} 2"));
}

#[test]
fn a_slow_upload_does_not_run_into_the_request_timeout() {
    let app = origin().route("/", "ok").start();
    let mut config = endpoints(&[app.address()]);
    config.request_timeout = LONGER;
    let proxy = proxy().endpoints("app", config).route("/", "app").start();
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    for _ in 0..10 {
        std::thread::sleep(SHORT);
        client.send("x");
    }
    assert_eq!(client.response().text(), "ok");
}

#[test]
fn connecting_that_takes_too_long_counts_as_unreachable() {
    let (address, _sockets) = wharf_testing::saturated_address();
    let mut config = endpoints(&[address]);
    config.connect_timeout = SHORT;
    let proxy = proxy().endpoints("app", config).route("/", "app").start();
    assert_eq!(proxy.get("/").status, 503);
}
