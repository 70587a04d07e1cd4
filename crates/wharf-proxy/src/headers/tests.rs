use http::{Request, Response};

use super::*;

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}

fn received(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let forwarded = Forwarded {
        address: HeaderValue::from_static("192.0.2.7"),
        scheme: HeaderValue::from_static("http"),
    };
    let mut headers = map(pairs);
    receive_request(&mut headers, &forwarded, &HeaderValue::from_static("the-id"));
    headers
}

fn finished_request(method: Method, pairs: &[(&'static str, &'static str)], body: Length) -> HeaderMap {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = method;
    head.headers = map(pairs);
    remove_hop_by_hop(&mut head.headers);
    finish_request(&mut head, body);
    head.headers
}

fn finished_response(
    status: u16,
    method: &Method,
    pairs: &[(&'static str, &'static str)],
    body: Length,
) -> HeaderMap {
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = StatusCode::from_u16(status).unwrap();
    head.headers = map(pairs);
    receive_response(&mut head);
    remove_hop_by_hop(&mut head.headers);
    finish_response(&mut head, body, method);
    head.headers
}

#[test]
fn hop_by_hop_headers_stay_on_their_connection() {
    let headers = received(&[
        ("host", "a"),
        ("connection", "keep-alive, X-Private"),
        ("connection", "close, x-other ,"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("expect", "100-continue"),
        ("x-private", "1"),
        ("x-other", "2"),
        ("x-public", "3"),
    ]);
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "host",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-public",
            "x-request-id"
        ]
    );
}

#[test]
fn a_client_cannot_have_the_framing_or_the_proxys_own_headers_removed() {
    let headers = received(&[
        ("host", "a"),
        ("content-length", "3"),
        (
            "connection",
            "host, content-length, x-forwarded-for, x-request-id, trailer, te",
        ),
        ("trailer", "x-sum"),
        ("te", "trailers"),
    ]);
    assert_eq!(headers["host"], "a");
    assert_eq!(headers["content-length"], "3");
    assert_eq!(headers["trailer"], "x-sum");
    assert_eq!(headers["te"], "trailers");
    assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
    assert_eq!(headers["x-request-id"], "the-id");
}

#[test]
fn of_te_only_trailers_is_passed_on() {
    for (te, expected) in [
        ("trailers", Some("trailers")),
        ("deflate, Trailers;q=0.5", Some("trailers")),
        ("gzip", None),
        ("x-trailers", None),
    ] {
        let headers = received(&[("te", te)]);
        assert_eq!(headers.get("te").map(|te| te.to_str().unwrap()), expected, "{te}");
    }
}

#[test]
fn the_clients_address_is_appended_to_those_before() {
    assert_eq!(received(&[])["x-forwarded-for"], "192.0.2.7");
    let headers = received(&[
        ("x-forwarded-for", "10.0.0.1, 10.0.0.2"),
        ("x-forwarded-for", "10.0.0.3"),
    ]);
    let all: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    assert_eq!(all, ["10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.7"]);
}

#[test]
fn a_proxy_in_front_is_believed_about_the_scheme_and_nonsense_is_not() {
    for (before, expected) in [
        ("https", "https"),
        ("http", "http"),
        ("gopher", "http"),
        ("", "http"),
    ] {
        assert_eq!(
            received(&[("x-forwarded-proto", before)])["x-forwarded-proto"],
            expected
        );
    }
    assert_eq!(received(&[])["x-forwarded-proto"], "http");
}

#[test]
fn an_id_is_usable_when_it_is_one_short_visible_word() {
    assert!(usable_request_id(&map(&[("x-request-id", "abc-123")])).is_some());
    assert!(usable_request_id(&map(&[("x-request-id", "")])).is_none());
    assert!(usable_request_id(&map(&[("x-request-id", "a b")])).is_none());
    assert!(usable_request_id(&map(&[("x-request-id", "a"), ("x-request-id", "b")])).is_none());
    let long = HeaderValue::from_str(&"x".repeat(129)).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(X_REQUEST_ID, long);
    assert!(usable_request_id(&headers).is_none());
}

#[test]
fn a_requests_framing_follows_its_body() {
    let wrong = &[("content-length", "99"), ("transfer-encoding", "chunked")];
    let headers = finished_request(Method::POST, wrong, Length::Exact(5));
    assert_eq!(headers["content-length"], "5");
    assert!(!headers.contains_key("transfer-encoding"));

    let headers = finished_request(Method::GET, wrong, Length::Unknown);
    assert_eq!(headers["transfer-encoding"], "chunked");
    assert!(!headers.contains_key("content-length"));

    let headers = finished_request(Method::GET, wrong, Length::Empty);
    assert!(!headers.contains_key("content-length") && !headers.contains_key("transfer-encoding"));

    let headers = finished_request(Method::POST, &[], Length::Empty);
    assert_eq!(headers["content-length"], "0");
}

#[test]
fn a_responses_framing_follows_its_body() {
    let headers = finished_response(200, &Method::GET, &[("content-length", "9")], Length::Exact(5));
    assert_eq!(headers["content-length"], "5");
    let headers = finished_response(
        200,
        &Method::GET,
        &[("transfer-encoding", "chunked")],
        Length::Unknown,
    );
    assert!(
        headers.is_empty(),
        "hyper chooses chunked or close by the client's version"
    );
    let headers = finished_response(
        200,
        &Method::GET,
        &[("content-length", "5"), ("content-length", "5")],
        Length::Exact(5),
    );
    assert_eq!(headers.get_all("content-length").iter().count(), 1);
}

#[test]
fn what_has_no_body_keeps_only_the_length_that_a_head_speaks_of() {
    let length = &[("content-length", "1234")];
    assert_eq!(
        finished_response(200, &Method::HEAD, length, Length::Empty)["content-length"],
        "1234"
    );
    assert!(finished_response(204, &Method::GET, length, Length::Empty).is_empty());
    assert!(finished_response(304, &Method::GET, length, Length::Empty).is_empty());
    let doubled = &[("content-length", "7, 7")];
    assert_eq!(
        finished_response(200, &Method::HEAD, doubled, Length::Empty)["content-length"],
        "7"
    );
    let contradictory = &[("content-length", "7, 8")];
    assert!(finished_response(200, &Method::HEAD, contradictory, Length::Empty).is_empty());
}

#[test]
fn announced_trailers_are_listed() {
    let mut headers = HeaderMap::new();
    announce_trailers(
        &mut headers,
        [&HeaderName::from_static("x-a"), &HeaderName::from_static("x-b")],
    );
    let all: Vec<_> = headers.get_all("trailer").iter().collect();
    assert_eq!(all, ["x-a", "x-b"]);
}
