use crate::harness::proxy;

#[test]
fn the_first_route_that_matches_is_taken() {
    let proxy = proxy()
        .respond("api", 200, "api")
        .respond("shop", 200, "shop")
        .respond("wild", 200, "wild")
        .respond("rest", 200, "rest")
        .route("/api", "api")
        .route_for(&["shop.example.com"], "/", "shop")
        .route_for(&["*.example.com"], "/", "wild")
        .route_for(&["*"], "/rest", "rest")
        .start();
    for (host, path, expected) in [
        ("any", "/api", "api"),
        ("any", "/api?x=1", "api"),
        ("any", "/api/x", "api"),
        ("shop.example.com", "/api/x", "api"),
        ("SHOP.Example.com:8080", "/x", "shop"),
        ("a.b.example.com", "/", "wild"),
        ("any", "/rest/", "rest"),
    ] {
        let response = proxy.answer_to(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(response.text(), expected, "{host}{path}");
    }
    for (host, path) in [("any", "/apix"), ("example.com", "/"), ("any", "/")] {
        let response = proxy.answer_to(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(
            (response.status, response.text()),
            (404, "no route matches this host and path\n")
        );
        assert!(response.header("wharf-request-id").is_some());
    }
}

#[test]
fn the_embedded_responder_says_what_it_was_told() {
    let proxy = proxy()
        .respond("gone", 410, "gone for good\n")
        .route("/", "gone")
        .start();
    let response = proxy.answer_to("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!((response.status, response.text()), (410, "gone for good\n"));
    assert_eq!(response.header("content-type"), Some("text/plain"));
    assert_eq!(response.header("content-length"), Some("14"));
    assert_eq!(response.header("wharf-request-id"), None);
}
