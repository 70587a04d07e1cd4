//! What signals do.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};
use wharf_testing::{connect, eventually};

use super::{LABELS, LOOP, ask, message, policies, review, serve};
use crate::process::post;

#[test]
fn sigterm_lets_reviews_finish_and_ends_well() {
    // Plenty for the signal to come, and short enough to wait for.
    let wharf = serve(&policies(LOOP), &["--policy-timeout", "5"]);
    let mut client = connect(wharf.admission());
    post(&mut client, "/validate/hangs", &review("pod-create"));
    eventually("the review runs", || {
        wharf.metric("wharf_admission_reviews_running") == Some(1.0)
    });
    wharf.signal(Signal::TERM);
    let answer = client.response();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["response"]["allowed"], json!(false));
    let ended = wharf.wait();
    assert_eq!(ended.code, Some(0));
    let last = ended.log.last().map(|line| line["message"].clone());
    assert_eq!(last, Some(json!("Stopped.")));
}

#[test]
fn sigint_ends_well_too() {
    let wharf = serve(&policies(LABELS), &[]);
    wharf.signal(Signal::INT);
    assert_eq!(wharf.wait().code, Some(0));
}

#[test]
fn sighup_reads_policies_anew() {
    let folder = policies(LABELS);
    let wharf = serve(&folder, &[]);
    let said = |name: &str| message(&ask(&wharf, "labels", name)).to_owned();
    assert_eq!(said("pod-create"), "the label `team` is missing");
    let file = folder.path().join("policies.yml");

    fs::write(&file, LABELS.replace("team", "owner")).unwrap();
    wharf.signal(Signal::HUP);
    eventually("the new settings count", || {
        said("pod-create") == "the label `owner` is missing"
    });

    // What cannot be read changes nothing.
    fs::write(&file, "labels: [\n").unwrap();
    wharf.signal(Signal::HUP);
    eventually("it is said that the file cannot be read", || {
        let line = |line: &Value| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.contains("cannot be read"))
        };
        wharf.log().iter().any(line)
    });
    assert_eq!(said("pod-create"), "the label `owner` is missing");
    assert_eq!(wharf.stop().code, Some(0));
}
