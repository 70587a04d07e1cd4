use wharf_testing::{eventually, origin, refused_address, scripted_origin};

use crate::harness::{endpoints, proxy, proxy_to};

#[test]
fn endpoints_take_turns() {
    let apps: Vec<_> = (0..3)
        .map(|number| origin().route("/", &number.to_string()).start())
        .collect();
    let addresses: Vec<_> = apps.iter().map(|app| app.address()).collect();
    let proxy = proxy().upstream("app", &addresses).route("/", "app").start();
    let mut client = proxy.connect();
    let answers: String = (0..6).map(|_| client.get("/").text().to_owned()).collect();
    assert_eq!(answers, "012012");
    assert!(apps.iter().all(|app| app.accepted() == 1));
}

#[test]
fn an_endpoint_that_refuses_is_passed_over_even_with_a_body() {
    let app = scripted_origin(|mut conversation| {
        while let Some(request) = conversation.request() {
            let body = request.text();
            conversation.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ));
        }
    });
    let proxy = proxy()
        .upstream("app", &[refused_address(), app.address()])
        .route("/", "app")
        .start();
    let mut client = proxy.connect();
    for _ in 0..4 {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(client.response().text(), "hello");
    }
    assert_eq!(app.received().len(), 4);
    assert_eq!(proxy.log(4)[0]["upstream"], app.address().to_string());
}

#[test]
fn no_endpoint_gives_503_with_an_id_that_the_log_knows() {
    let dead = [refused_address(), refused_address()];
    let proxy = proxy().upstream("app", &dead).route("/", "app").start();
    let mut client = proxy.connect();
    let response = client.get("/");
    assert_eq!(response.status, 503);
    assert_eq!(response.text(), "no endpoint of the upstream could be reached\n");
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    let line = proxy.only_log_line();
    assert_eq!(line["requestId"], response.header("wharf-request-id").unwrap());
    assert_eq!(
        (&line["details"], &line["status"]),
        (&"upstream_unreachable".into(), &503.into())
    );
    assert!(proxy.counts("wharf_upstream_connect_failures_total{upstream=\"app\"} 2"));
    assert!(proxy.counts("wharf_upstream_retries_total{upstream=\"app\"} 1"));
    assert_eq!(client.get("/").status, 503, "the client's connection goes on");
}

#[test]
fn a_name_that_does_not_exist_is_unreachable() {
    let mut config = endpoints(&[]);
    config.endpoints = vec!["does-not-exist.invalid:80".to_owned()];
    let proxy = proxy().endpoints("app", config).route("/", "app").start();
    assert_eq!(proxy.get("/").status, 503);
}

#[test]
fn names_are_resolved() {
    let app = origin().route("/", "ok").start();
    let mut config = endpoints(&[]);
    config.endpoints = vec![format!("localhost:{}", app.address().port())];
    let proxy = proxy().endpoints("app", config).route("/", "app").start();
    assert_eq!(proxy.get("/").text(), "ok");
}

#[test]
fn answers_that_are_not_http_or_ambiguous_give_502() {
    let answers = [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "",
        "HTTP/1.1 200 OK\r\ncontent-le",
    ];
    let app = scripted_origin(move |mut conversation| {
        if let Some(request) = conversation.request() {
            let number: usize = request.target[1..].parse().unwrap();
            conversation.send(answers[number]);
        }
    });
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    for (number, answer) in answers.iter().enumerate() {
        let response = client.get(&format!("/{number}"));
        assert_eq!(response.status, 502, "{}", answer.escape_default());
        assert!(response.header("wharf-request-id").is_some());
    }
    assert!(proxy.counts(&format!(
        "wharf_upstream_broken_total{{upstream=\"app\"}} {}",
        answers.len()
    )));
}

#[test]
fn equal_lengths_become_one() {
    let app = scripted_origin(|mut conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello");
        conversation.wait_for_close();
    });
    let proxy = proxy_to(app.address());
    let response = proxy.get("/");
    assert_eq!(
        (response.text(), response.header("content-length")),
        ("hello", Some("5"))
    );
}

#[test]
fn an_answer_that_is_cut_short_is_cut_short_for_the_client_too() {
    for head in ["content-length: 10", "transfer-encoding: chunked"] {
        let app = scripted_origin(move |mut conversation| {
            conversation.request();
            conversation.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nhello"));
        });
        let proxy = proxy_to(app.address());
        let mut client = proxy.connect();
        let error = client.request("GET", "/").try_response().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{head}");
        assert_eq!(proxy.only_log_line()["details"], "upstream_broke_off");
        assert!(proxy.counts("wharf_upstream_broken_total{upstream=\"app\"} 1"));
    }
}

#[test]
fn an_upstream_may_answer_before_it_has_the_whole_request() {
    let app = scripted_origin(|mut conversation| {
        conversation.request_head();
        conversation
            .send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig");
    });
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nstart");
    let response = client.response();
    assert_eq!((response.status, response.text()), (413, "big"));
}

#[test]
fn a_pooled_connection_that_was_reset_is_replaced() {
    let app = scripted_origin(|mut conversation| {
        if conversation.request().is_some() {
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
        if conversation.number == 0 {
            conversation.reset();
        } else {
            conversation.wait_for_close();
        }
    });
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    assert_eq!(client.get("/").text(), "ok");
    eventually("the origin reset the first connection", || app.open() == 0);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.response().text(), "ok");
    assert_eq!(app.accepted(), 2);
}

#[test]
fn a_request_that_meets_a_closing_connection_is_repeated_when_that_is_harmless() {
    let app = scripted_origin(|mut conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        if conversation.number % 2 == 0 {
            // Closes with the second request unanswered, as if it had been on its way.
            conversation.request();
            return;
        }
        while conversation.request().is_some() {
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecond");
        }
    });
    for (request, status, connections) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, 2),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 502, 3),
    ] {
        let proxy = proxy_to(app.address());
        let mut client = proxy.connect();
        assert_eq!(client.get("/").text(), "ok");
        std::thread::sleep(std::time::Duration::from_millis(550));
        assert_eq!(client.send(request).response().status, status, "{request}");
        assert_eq!(app.accepted(), connections);
    }
}

#[test]
fn idle_connections_are_bounded_in_number_and_age() {
    let app = scripted_origin(|mut conversation| {
        while let Some(request) = conversation.request() {
            // All requests of a round are here at once, so each needs a connection.
            if request.target == "/together" {
                conversation.send("HTTP/1.1 200 OK\r\n");
                std::thread::sleep(std::time::Duration::from_millis(100));
                conversation.send("content-length: 2\r\n\r\nok");
            } else {
                conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            }
        }
    });
    let mut config = endpoints(&[app.address()]);
    config.max_idle = 2;
    config.idle_timeout = std::time::Duration::from_millis(500);
    let proxy = proxy().endpoints("app", config).route("/", "app").start();
    let mut clients: Vec<_> = (0..5).map(|_| proxy.connect()).collect();
    for client in &mut clients {
        client.request("GET", "/together");
    }
    for client in &mut clients {
        assert_eq!(client.response().text(), "ok");
    }
    assert_eq!(app.accepted(), 5);
    eventually("only two stay", || app.open() <= 2);
    eventually("old connections are closed", || app.open() == 0);
    assert_eq!(clients[0].get("/").text(), "ok");
}
