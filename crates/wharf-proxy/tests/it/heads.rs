use wharf_testing::{origin, scripted_origin};

use crate::harness::{proxy, proxy_to};

#[test]
fn the_origin_sees_whose_request_it_is() {
    let app = origin().route("/", "ok").start();
    let proxy = proxy_to(app.address());
    proxy.answer_to(
        "GET / HTTP/1.1\r\nHost: example.com:8080\r\nX-Forwarded-For: 10.0.0.9\r\nX-Own: 1\r\n\r\n",
    );
    let request = app.only_request();
    assert_eq!(request.version, "HTTP/1.1");
    assert_eq!(request.header("host"), Some("example.com:8080"));
    assert_eq!(request.header("x-own"), Some("1"));
    assert_eq!(request.header("x-forwarded-for"), Some("10.0.0.9, 127.0.0.1"));
    assert_eq!(request.header("x-forwarded-proto"), Some("http"));
    assert_eq!(request.header("x-request-id").map(str::len), Some(36));
    assert_eq!(request.header("via"), None);
}

#[test]
fn an_id_that_the_client_gives_is_used_everywhere() {
    let app = origin().route("/", "ok").start();
    let proxy = proxy_to(app.address());
    proxy.answer_to("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: from-client\r\n\r\n");
    assert_eq!(app.only_request().header("x-request-id"), Some("from-client"));
    assert_eq!(proxy.only_log_line()["requestId"], "from-client");
}

#[test]
fn hop_by_hop_headers_end_at_the_proxy() {
    let app = scripted_origin(|mut conversation| {
        while conversation.request().is_some() {
            conversation.send(concat!(
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive, x-private\r\nkeep-alive: timeout=5\r\n",
                "x-private: 1\r\nx-public: 2\r\nserver: app\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\nok"
            ));
        }
    });
    let proxy = proxy_to(app.address());
    let response = proxy.answer_to(concat!(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, x-mine\r\nUpgrade: websocket\r\nX-Mine: 1\r\n",
        "Proxy-Connection: keep-alive\r\nKeep-Alive: 3\r\nAccept: */*\r\n\r\n"
    ));
    let request = app.only_request();
    for name in [
        "connection",
        "upgrade",
        "x-mine",
        "proxy-connection",
        "keep-alive",
    ] {
        assert_eq!(request.header(name), None, "{name}");
    }
    assert_eq!(request.header("accept"), Some("*/*"));
    for name in ["connection", "keep-alive", "x-private"] {
        assert_eq!(response.header(name), None, "{name}");
    }
    assert_eq!(
        (response.header("x-public"), response.header("server")),
        (Some("2"), Some("app"))
    );
    assert!(response.header("date").is_some(), "a response has a date");
    let cookies = response
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .count();
    assert_eq!(cookies, 2);
}

#[test]
fn urls_asterisks_and_old_clients_are_understood() {
    let app = scripted_origin(|mut conversation| {
        while conversation.request().is_some() {
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let proxy = proxy_to(app.address());
    proxy.answer_to("GET http://from-url/x?y HTTP/1.1\r\nHost: from-header\r\n\r\n");
    proxy.answer_to("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    proxy.answer_to("GET /old HTTP/1.0\r\n\r\n");
    let received = app.received();
    assert_eq!(
        (received[0].target.as_str(), received[0].header("host")),
        ("/x?y", Some("from-url"))
    );
    assert_eq!(
        (received[1].method.as_str(), received[1].target.as_str()),
        ("OPTIONS", "*")
    );
    assert_eq!(
        (received[2].version.as_str(), received[2].target.as_str()),
        ("HTTP/1.1", "/old")
    );
    assert_eq!(
        received[2].header("host"),
        Some(app.address().to_string().as_str())
    );
}

#[test]
fn the_origin_gets_the_path_that_the_route_was_chosen_by() {
    let app = origin().route("/admin", "ok").start();
    let proxy = proxy()
        .upstream("app", &[app.address()])
        .respond("other", 403, "no")
        .route("/public", "app")
        .route("/", "other");
    let proxy = proxy.start();
    assert_eq!(proxy.get("/public/../admin").status, 403);
    assert_eq!(proxy.get("/public/%2e%2e/admin").status, 403);
    assert_eq!(proxy.get("/public/./x?q=/../").status, 404);
    let request = app.only_request();
    assert_eq!(request.target, "/public/x?q=/../");
    for target in ["/public/..%2fadmin", "/%00", "/a%5cb", "/..", "/%zz"] {
        let response = proxy.get(target);
        assert_eq!(response.status, 400, "{target}");
        assert!(response.header("wharf-request-id").is_some());
    }
}

#[test]
fn targets_that_hyper_does_not_take_are_answered_by_the_proxy() {
    let proxy = proxy().respond("hello", 200, "hello").route("/", "hello").start();
    for target in ["/a<b", "/a`b", "/?a=\"b\""] {
        let response = proxy.get(target);
        assert_eq!(response.status, 400, "{target}");
        assert!(response.header("wharf-request-id").is_some(), "{target}");
    }
    for target in ["/a\"b{}|^", "/?a=`{}|^\\"] {
        assert_eq!(proxy.get(target).status, 200, "{target}");
    }
}

#[test]
fn heads_beyond_the_limits_are_refused() {
    let proxy = proxy()
        .respond("hello", 200, "hello")
        .route("/", "hello")
        .limits(|limits| {
            limits.header_bytes = wharf_plugin::ByteSize::from_kib(4);
            limits.header_count = 10;
        })
        .start();
    let long = "x".repeat(5_000);
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), 431),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(10)),
            431,
        ),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
    ] {
        let mut client = proxy.connect();
        let response = client.send(request).response();
        assert_eq!(
            (response.status, response.header("connection")),
            (status, Some("close"))
        );
        client.expect_close();
    }
    let fits = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(9));
    assert_eq!(proxy.answer_to(fits).status, 200);
}

#[test]
fn more_headers_than_hyper_expects_are_fine_when_they_are_allowed() {
    let app = origin().route("/", "ok").start();
    let proxy = proxy()
        .upstream("app", &[app.address()])
        .route("/", "app")
        .limits(|limits| limits.header_count = 300)
        .start();
    let lines: String = (0..250)
        .map(|number| format!("x-{number}: {number}\r\n"))
        .collect();
    assert_eq!(
        proxy
            .answer_to(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"))
            .text(),
        "ok"
    );
    assert_eq!(app.only_request().header("x-249"), Some("249"));
}
