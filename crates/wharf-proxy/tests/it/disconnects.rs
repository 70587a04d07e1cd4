use std::sync::Mutex;
use std::sync::mpsc;

use wharf_testing::{eventually, scripted_origin};

use crate::harness::proxy_to;

#[test]
fn a_client_that_leaves_before_the_answer_frees_the_upstream() {
    let (told, client_may_leave) = mpsc::channel();
    let told = Mutex::new(told);
    let app = scripted_origin(move |mut conversation| {
        conversation.request();
        told.lock().unwrap().send(()).unwrap();
        assert!(conversation.wait_for_close(), "the proxy lets the origin go");
    });
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    client.request("GET", "/slow");
    client_may_leave.recv().unwrap();
    drop(client);
    let line = proxy.only_log_line();
    assert_eq!(
        (&line["status"], &line["details"]),
        (&serde_json::Value::Null, &"client_disconnected".into())
    );
    assert_eq!(line["path"], "/slow");
    eventually("the origin's connection is closed", || app.open() == 0);
    assert!(proxy.counts("wharf_requests_total{listener=\"web\",route=\"web/0\",status=\"none\"} 1"));
    proxy.eventually_counts("wharf_requests_active{listener=\"web\"} 0");
    proxy.eventually_counts("wharf_connections_active{listener=\"web\"} 0");
}

#[test]
fn a_client_that_leaves_within_the_answer_frees_the_upstream() {
    let app = scripted_origin(|mut conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
        assert!(conversation.wait_for_close(), "the proxy lets the origin go");
    });
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    client.request("GET", "/").response_head();
    client.read(10);
    drop(client);
    let line = proxy.only_log_line();
    assert_eq!(
        (&line["status"], &line["details"]),
        (&200.into(), &"client_disconnected".into())
    );
    assert_eq!(line["bytesOut"], 5);
    eventually("the origin's connection is closed", || app.open() == 0);
}

#[test]
fn a_client_that_leaves_within_its_request_cuts_it_short_for_the_upstream() {
    for framing in [
        "Content-Length: 100\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let (got, got_part) = mpsc::channel();
        let got = Mutex::new(got);
        let app = scripted_origin(move |mut conversation| {
            let head = conversation.request_head().unwrap();
            let skipped = if head.header("transfer-encoding").is_some() {
                8
            } else {
                5
            };
            conversation.read(skipped).unwrap();
            got.lock().unwrap().send(()).unwrap();
            assert!(conversation.wait_for_close());
        });
        let proxy = proxy_to(app.address());
        let mut client = proxy.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}"));
        got_part.recv().unwrap();
        drop(client);
        let line = proxy.only_log_line();
        assert_eq!(line["details"], "client_disconnected", "{line}");
        assert_eq!(line["bytesIn"], 5);
        eventually("the origin's connection is closed", || app.open() == 0);
    }
}

#[test]
fn a_client_that_only_connects_leaves_no_line() {
    let app = scripted_origin(|_| {});
    let proxy = proxy_to(app.address());
    drop(proxy.connect());
    let mut client = proxy.connect();
    client.send("GET / HT");
    drop(client);
    proxy.eventually_counts("wharf_connections_total{listener=\"web\"} 2");
    proxy.eventually_counts("wharf_connections_active{listener=\"web\"} 0");
    proxy.log(0);
}
