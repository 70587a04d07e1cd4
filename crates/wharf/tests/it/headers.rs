//! Filters that only look at headers, one behind the other.

use wharf_testing::{Received, scripted_origin};

use crate::harness::{HELLO, config};

const GREET: &str = "rust-headers/rust-headers.wasm";

fn values<'a>(headers: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    headers
        .iter()
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
        .collect()
}

fn answer(conversation: &mut wharf_testing::Conversation) -> Option<Received> {
    let request = conversation.request()?;
    conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\napp");
    Some(request)
}

#[test]
fn filters_of_two_sdks_change_one_answer() {
    let wharf = config()
        .plugin("greet", GREET, "env: { GREETING: hello from Rust }")
        .plugin("count", "as-counter/as-counter.wasm", "")
        .route("/", &["greet", "count"], "hello")
        .start();
    let mut client = wharf.connect();
    for count in ["1", "2", "3"] {
        let answer = client.get("/");
        assert_eq!((answer.status, answer.text()), (200, HELLO));
        assert_eq!(answer.header("x-greeting"), Some("hello from Rust"));
        assert_eq!(answer.header("x-count"), Some(count));
    }
}

#[test]
fn requests_go_first_to_last_and_responses_last_to_first() {
    let origin = scripted_origin(|mut conversation| while answer(&mut conversation).is_some() {});
    let first = "greet, config: { header: x-order, value: first }";
    let second = "greet, config: { header: x-order, value: second }";
    let wharf = config()
        .plugin("greet", GREET, "")
        .route("/there", &[first, second], "app")
        .route("/back", &[second, first], "app")
        .upstream("app", origin.address())
        .start();
    let mut client = wharf.connect();
    let there = client.get("/there");
    let back = client.get("/back");
    let received = origin.received();
    assert_eq!(values(&received[0].headers, "x-order"), ["first", "second"]);
    assert_eq!(values(&there.headers, "x-order"), ["second", "first"]);
    assert_eq!(values(&received[1].headers, "x-order"), ["second", "first"]);
    assert_eq!(values(&back.headers, "x-order"), ["first", "second"]);
}

#[test]
fn filters_of_two_sdks_in_either_order_see_each_others_headers() {
    let origin = scripted_origin(|mut conversation| while answer(&mut conversation).is_some() {});
    // The C filter sets what the Rust filter adds: the last to speak in each direction is heard.
    let set = "rules, config: \"set x-greeting from C\"";
    let wharf = config()
        .plugin("greet", GREET, "env: { GREETING: from Rust }")
        .plugin("rules", "c-headers/c-headers.wasm", "")
        .route("/rust-first", &["greet", set], "app")
        .route("/c-first", &[set, "greet"], "app")
        .upstream("app", origin.address())
        .start();
    let mut client = wharf.connect();
    let rust_first = client.get("/rust-first");
    let c_first = client.get("/c-first");
    let received = origin.received();
    assert_eq!(values(&received[0].headers, "x-greeting"), ["from C"]);
    assert_eq!(values(&rust_first.headers, "x-greeting"), ["from C", "from Rust"]);
    assert_eq!(
        values(&received[1].headers, "x-greeting"),
        ["from C", "from Rust"]
    );
    assert_eq!(values(&c_first.headers, "x-greeting"), ["from C"]);
}

#[test]
fn what_a_filter_logs_is_in_the_log_with_its_name() {
    let wharf = config()
        .plugin("greet", GREET, "")
        .route("/", &["greet"], "hello")
        .start();
    wharf.get("/some/path?query");
    wharf.wait_for_plugin_log("rust-headers: request GET /some/path?query");
    let line = wharf
        .log()
        .into_iter()
        .find(|line| line["target"] == "wharf::plugin")
        .unwrap();
    assert_eq!(
        (&line["plugin"], &line["level"]),
        (&"greet".into(), &"INFO".into())
    );
}
