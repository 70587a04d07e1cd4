use wharf_testing::{origin, scripted_origin};

use crate::harness::{proxy, proxy_to};

#[test]
fn connections_are_kept_on_both_sides() {
    let app = origin().route("/a", "first").route("/b", "second").start();
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    assert_eq!(client.get("/a").text(), "first");
    assert_eq!(client.get("/b").text(), "second");
    assert_eq!(client.get("/missing").status, 404);
    assert_eq!(app.accepted(), 1, "the upstream connection is used again");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let app = origin()
        .route("/1", "one")
        .route("/2", "two")
        .route("/3", "three")
        .start();
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    client.send(concat!(
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ));
    let bodies: Vec<String> = (0..4).map(|_| client.response().text().to_owned()).collect();
    assert_eq!(bodies, ["one", "two", "three", "one"]);
    let received: Vec<_> = app
        .received()
        .iter()
        .map(|request| request.text().to_owned())
        .collect();
    assert_eq!(received, ["", "hello", "abc", ""]);
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let app = origin().route("/", "ok").start();
    let proxy = proxy_to(app.address());
    let bytes = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let mut client = proxy.connect();
    assert_eq!(client.send_in_pieces(bytes.chunks(1)).response().text(), "ok");
    assert_eq!(client.send_in_pieces(bytes.chunks(7)).response().text(), "ok");
    assert_eq!(app.received()[0].text(), "hello");
    assert_eq!(app.received()[1].text(), "hello");
}

#[test]
fn the_client_decides_about_its_connection() {
    let proxy = proxy().respond("hello", 200, "hello").route("/", "hello").start();

    let mut client = proxy.connect();
    let response = client
        .send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .response();
    assert_eq!(response.header("connection"), Some("close"));
    client.expect_close();

    let mut client = proxy.connect();
    let response = client.send("GET / HTTP/1.0\r\n\r\n").response();
    assert_eq!((response.status, response.text()), (200, "hello"));
    client.expect_close();

    let mut client = proxy.connect();
    let old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    assert_eq!(
        client.send(old).response().header("connection"),
        Some("keep-alive")
    );
    assert_eq!(client.send(old).response().text(), "hello");
}

#[test]
fn an_upstream_that_closes_after_its_answer_is_connected_to_again() {
    let app = scripted_origin(|mut conversation| {
        if conversation.request().is_some() {
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    for round in 1..=3 {
        assert_eq!(client.get("/").text(), "ok");
        wharf_testing::eventually("the origin closed", || app.open() == 0);
        assert_eq!(app.accepted(), round);
    }
}

#[test]
fn an_upstream_that_says_close_is_not_used_again() {
    let app = scripted_origin(|mut conversation| {
        while conversation.request().is_some() {
            conversation.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    for _ in 0..2 {
        let response = client.get("/");
        assert_eq!((response.text(), response.header("connection")), ("ok", None));
    }
    assert_eq!(app.accepted(), 2);
}

#[test]
fn hammer_many_clients_on_two_workers_get_their_own_answers() {
    let app = scripted_origin(|mut conversation| {
        while let Some(request) = conversation.request() {
            let body = format!("{} {}", request.target, request.text());
            conversation.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    });
    let proxy = proxy()
        .workers(2)
        .upstream("app", &[app.address()])
        .route("/", "app")
        .start();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let proxy = &proxy;
            scope.spawn(move || {
                let mut client = proxy.connect();
                for round in 0..50 {
                    let body = format!("{thread}-{round}");
                    client.send(format!(
                        "POST /{body} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    ));
                    assert_eq!(client.response().text(), format!("/{body} {body}"));
                }
            });
        }
    });
    proxy.log(400);
}
