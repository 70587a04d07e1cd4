//! The other guests, each in what only it can show.

use wharf_testing::origin;

use crate::harness::{HELLO, config};

#[test]
fn an_assemblyscript_filter_keeps_state_in_its_vm() {
    let wharf = config()
        .plugin("count", "as-counter/as-counter.wasm", "")
        .route("/", &["count, config: the label"], "hello")
        .start();
    let mut client = wharf.connect();
    let second = [client.get("/"), client.get("/")].into_iter().last().unwrap();
    assert_eq!(
        (second.header("x-count"), second.header("x-count-label")),
        (Some("2"), Some("the label"))
    );
    let metric = "wharf_guest_as_counter_requests_total{plugin=\"count\",metric=\"as_counter_requests\"}";
    assert_eq!(wharf.metric(metric), Some(2.0));
}

#[test]
fn a_c_filter_reads_properties_and_follows_its_rules_both_ways() {
    let origin = origin().route("/", "app").start();
    let rules =
        "# comment\\nrequest add x-tag blue\\nresponse set server none of your business\\nremove x-secret";
    let wharf = config()
        .plugin("rules", "c-headers/c-headers.wasm", "")
        .route("/", &[&format!("rules, config: \"{rules}\"")], "app")
        .upstream("app", origin.address())
        .start();
    let mut client = wharf.connect();
    client.send("GET / HTTP/1.1\r\nHost: test\r\nX-Secret: s\r\n\r\n");
    let answer = client.response();
    let address = client.address().to_string();
    assert_eq!(answer.header("server"), Some("none of your business"));
    assert_eq!(answer.header("x-source-address"), Some(address.as_str()));
    let request = origin.only_request();
    assert_eq!(
        (request.header("x-tag"), request.header("x-secret")),
        (Some("blue"), None)
    );
    assert_eq!(request.header("x-source-address"), Some(address.as_str()));
}

#[test]
fn a_filter_of_2019_pauses_and_goes_on_with_its_tick() {
    let wharf = config()
        .plugin("legacy", "c-legacy/c-legacy.wasm", "")
        .route("/labelled", &["legacy, config: the label"], "hello")
        .route("/", &["legacy"], "hello")
        .start();
    let mut client = wharf.connect();
    let answer = client.get("/");
    assert_eq!((answer.status, answer.text()), (200, HELLO));
    assert_eq!(
        answer.header("x-legacy-missing"),
        Some("status 0, 0 bytes"),
        "as 0.1.0 has it"
    );
    assert!(answer.header("x-legacy").is_some());
    let mut others: Vec<_> = (0..5).map(|_| wharf.connect()).collect();
    for client in &mut others {
        client.request("GET", "/");
    }
    for client in &mut others {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn a_go_filter_brings_its_runtime_along() {
    let wharf = config()
        .plugin("go", "go-headers/go-headers.wasm", "")
        .route("/", &["go, config: one line of text"], "hello")
        .start();
    let mut client = wharf.connect();
    for target in ["/a?b=c", "/d"] {
        let answer = client.get(target);
        assert!(
            answer
                .header("x-go-version")
                .is_some_and(|version| version.starts_with("go1."))
        );
        assert_eq!(answer.header("x-go-config"), Some("one line of text"));
        assert_eq!(
            answer.header("x-go-request"),
            Some(format!("GET {target}").as_str())
        );
    }
}
