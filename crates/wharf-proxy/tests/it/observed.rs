use wharf_testing::origin;

use crate::harness::proxy_to;

#[test]
fn an_exchange_is_one_line_of_the_access_log() {
    let app = origin().route("/a", "hello").start();
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    client
        .send("POST /a?b=%22c HTTP/1.1\r\nHost: Example.com:80\r\nContent-Length: 3\r\n\r\nabc")
        .response();
    let line = proxy.only_log_line();
    let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("`{key}` in {line}"));
    assert_eq!(text("listener"), "web");
    assert_eq!(text("route"), "web/0");
    assert_eq!(text("client"), client.address().to_string());
    assert_eq!(text("method"), "POST");
    assert_eq!(text("host"), "Example.com:80");
    assert_eq!(text("path"), "/a?b=%22c");
    assert_eq!(text("protocol"), "HTTP/1.1");
    assert_eq!(text("upstream"), app.address().to_string());
    assert_eq!(
        text("requestId"),
        app.only_request().header("x-request-id").unwrap()
    );
    assert_eq!(
        (&line["status"], &line["bytesIn"], &line["bytesOut"]),
        (&200.into(), &3.into(), &5.into())
    );
    assert!(line["details"].is_null());
    assert!(line["durationUs"].as_u64().unwrap() >= line["upstreamUs"].as_u64().unwrap());
}

#[test]
fn the_metrics_count_what_happened() {
    let app = origin().route("/", "ok").start();
    let proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    client.get("/");
    client.get("/");
    client.get("/missing");
    proxy.log(3);
    for line in [
        "wharf_requests_total{listener=\"web\",route=\"web/0\",status=\"2xx\"} 2",
        "wharf_requests_total{listener=\"web\",route=\"web/0\",status=\"4xx\"} 1",
        "wharf_request_duration_seconds_count{listener=\"web\",route=\"web/0\"} 3",
        "wharf_requests_active{listener=\"web\"} 0",
        "wharf_connections_total{listener=\"web\"} 1",
        "wharf_connections_active{listener=\"web\"} 1",
        "wharf_upstream_requests_total{upstream=\"app\"} 3",
        "wharf_upstream_connects_total{upstream=\"app\"} 1",
        "wharf_upstream_connect_failures_total{upstream=\"app\"} 0",
    ] {
        assert!(proxy.counts(line), "{line}");
    }
}
