//! Policies that change while reviews run.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::harness::{Served, policy};

fn says(message: &str) -> String {
    policy(&format!(
        r#"{{"accepted":false,"valid":true,"message":"{message}"}}"#
    ))
}

fn message(served: &Served, id: &str) -> String {
    let answer = served.review(&format!("/validate/{id}"));
    answer.response()["status"]["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn policies_are_added_changed_and_removed() {
    let served = Served::new(
        &[("one.wat", says("one")), ("two.wat", says("two"))],
        "same: { module: ./one.wat }\nchanged: { module: ./one.wat }\nremoved: { module: ./one.wat }\n",
    );
    let change = served.reload(
        &[],
        "same: { module: ./one.wat }\nchanged: { module: ./two.wat }\nadded: { module: ./two.wat }\n",
    );
    assert_eq!(change.taken, ["added", "changed"]);
    assert_eq!(change.removed, ["removed"]);
    assert!(change.bad.is_empty());
    assert_eq!(message(&served, "same"), "one");
    assert_eq!(message(&served, "changed"), "two");
    assert_eq!(message(&served, "added"), "two");
    assert_eq!(served.review("/validate/removed").status, 404);
    // Other bytes in the same file are a change too.
    let change = served.reload(&[("one.wat", says("three"))], "same: { module: ./one.wat }\n");
    assert_eq!(change.taken, ["same"]);
    assert_eq!(message(&served, "same"), "three");
}

#[test]
fn what_goes_bad_goes_on_as_it_was() {
    let served = Served::new(&[("one.wat", says("one"))], "a: { module: ./one.wat }\n");
    let change = served.reload(
        &[("one.wat", "(module".to_owned())],
        "a: { module: ./one.wat }\nb: { module: ./one.wat }\n",
    );
    assert_eq!(change.bad.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(message(&served, "a"), "one");
    assert_eq!(
        served.review("/validate/b").response()["status"]["code"],
        json!(500)
    );
    let described = served.server().policies().describe();
    assert_eq!(described[0]["state"], json!("outdated"));
    assert_eq!(described[1]["state"], json!("bad"));
    // It is taken again once it is good.
    let change = served.reload(
        &[("one.wat", says("two"))],
        "a: { module: ./one.wat }\nb: { module: ./one.wat }\n",
    );
    assert_eq!(change.taken, ["a", "b"]);
    assert_eq!(message(&served, "a"), "two");
    assert_eq!(served.server().policies().describe()[0]["state"], json!("ready"));
}

#[test]
fn no_review_is_lost_while_policies_change() {
    let served = Served::new(
        &[("one.wat", says("one")), ("two.wat", says("two"))],
        "a: { module: ./one.wat }\n",
    );
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ask = || {
            let mut asked = 0;
            while !done.load(Ordering::Relaxed) {
                let said = message(&served, "a");
                assert!(["one", "two"].contains(&said.as_str()), "{said}");
                asked += 1;
            }
            asked
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        for round in 0..20 {
            let file = if round % 2 == 0 { "two" } else { "one" };
            let change = served.reload(&[], &format!("a: {{ module: ./{file}.wat }}\n"));
            assert_eq!(change.taken, ["a"]);
        }
        done.store(true, Ordering::Relaxed);
        let asked: u32 = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert!(asked > 0);
    });
}

#[test]
fn all_or_nothing_takes_nothing_where_one_is_bad() {
    let served = Served::new(&[("one.wat", says("one"))], "a: { module: ./one.wat }\n");
    let next = "a: { module: ./one.wat, message: other }\nb: { module: ./gone.wat }\n";
    let change = served.server().reload(&served.read(next), true);
    assert_eq!(change.bad.keys().collect::<Vec<_>>(), ["b"]);
    assert!(change.taken.is_empty());
    assert_eq!(message(&served, "a"), "one");
    assert_eq!(served.review("/validate/b").status, 404);
}
