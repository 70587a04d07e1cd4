//! A filter that pauses and forgets.

use wharf_testing::eventually;

use crate::harness::{HELLO, config};

#[test]
fn a_client_that_leaves_frees_what_was_paused() {
    let wharf = config()
        .plugin("pause", "wat/pause.wat", "")
        .route("/", &["pause"], "hello")
        .start();
    let active = || wharf.metric("wharf_requests_active{listener=\"web\"}");
    let mut paused = wharf.connect();
    paused.request("GET", "/pause");
    eventually("the request is there", || active() == Some(1.0));
    assert_eq!(wharf.get("/").text(), HELLO, "others go on");
    drop(paused);
    eventually("the request is gone", || active() == Some(0.0));
    let line = wharf.access("/pause");
    assert_eq!(
        (&line["status"], &line["details"]),
        (&serde_json::Value::Null, &"client_disconnected".into())
    );
}

#[test]
fn a_request_that_stays_paused_is_answered_in_the_end() {
    let wharf = config()
        .plugin("pause", "wat/pause.wat", "")
        .route("/", &["pause"], "hello")
        .limits("bodyIdleTimeout: 100ms")
        .start();
    let answer = wharf.get("/pause");
    assert_eq!(answer.status, 504);
    assert_eq!(
        answer.text(),
        "a filter of this route did not let the exchange go on\n"
    );
    let line = wharf.access("/pause");
    assert_eq!(answer.header("wharf-request-id"), line["requestId"].as_str());
    assert_eq!(
        (&line["status"], &line["details"]),
        (&504.into(), &"filter_timeout".into())
    );
    assert_eq!(wharf.get("/").text(), HELLO);
}
