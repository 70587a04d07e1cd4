//! Watches while all is well: where they go on, and when they end.

use std::time::Duration;

use serde_json::json;
use wharf_admission::CapabilityLimits;
use wharf_testing::eventually;

use super::ask::{asking, calm, config_map, event};
use super::fake::Fake;

/// A watch that was closed goes on after a pause, which is half a second the first time.
fn watched_from(fake: &Fake, version: u64) -> bool {
    fake.server.asked_for(&format!("&resourceVersion={version}&")) > 0
}

#[test]
fn a_watch_that_ends_as_it_should_goes_on_where_it_was() {
    let fake = Fake::with(&["a"]);
    let asking = asking(&fake.server, &calm());
    assert_eq!(asking.names(), ["a=1"]);
    eventually("it is watched from the list on", || watched_from(&fake, 1));
    fake.put("a", "2");
    eventually("the change is seen", || asking.names() == ["a=2"]);
    fake.close();
    fake.put("b", "1");
    eventually("it is watched from the last event on", || watched_from(&fake, 2));
    eventually("what happened meanwhile is seen", || {
        asking.names() == ["a=2", "b=1"]
    });
    assert_eq!(fake.lists(), 1);
    assert!(fake.server.asked_for("&allowWatchBookmarks=true&") >= 2);
    assert!(fake.server.asked_for("&timeoutSeconds=") >= 2);
}

#[test]
fn a_bookmark_says_up_to_where_nothing_happened() {
    let fake = Fake::with(&["a"]);
    let asking = asking(&fake.server, &calm());
    assert_eq!(asking.names(), ["a=1"]);
    eventually("it is watched", || watched_from(&fake, 1));
    let bookmark = |version: &str| {
        let object = json!({"kind": "ConfigMap", "metadata": {"resourceVersion": version}});
        event("BOOKMARK", &object.to_string())
    };
    fake.say(&bookmark("77"));
    // One that says nothing changes nothing.
    fake.say(&bookmark(""));
    fake.cut();
    eventually("it is watched from the bookmark on", || watched_from(&fake, 77));
    assert_eq!(asking.names(), ["a=1"]);
    assert_eq!(fake.lists(), 1);
}

#[test]
fn an_event_may_come_in_pieces_and_several_at_once() {
    let fake = Fake::with(&[]);
    let asking = asking(&fake.server, &calm());
    assert_eq!(asking.names(), [""; 0]);
    eventually("it is watched", || fake.watches() == 1);
    let three: String = ["a", "b", "c"]
        .iter()
        .zip(2..)
        .map(|(name, version)| event("ADDED", &config_map(name, version, "é")))
        .collect();
    let (middle, _) = three.char_indices().find(|(_, c)| *c == 'é').unwrap();
    for piece in [&three[..7], &three[7..middle], &three[middle..], "\n", "\r\n"] {
        fake.say(piece);
    }
    eventually("all of them are seen", || asking.names() == ["a=é", "b=é", "c=é"]);
    assert_eq!((fake.lists(), fake.watches()), (1, 1));
}

#[test]
fn what_is_removed_twice_or_was_never_there_is_no_trouble() {
    let fake = Fake::with(&["a"]);
    let asking = asking(&fake.server, &calm());
    assert_eq!(asking.names(), ["a=1"]);
    eventually("it is watched", || fake.watches() == 1);
    for (what, name) in [
        ("DELETED", "never"),
        ("MODIFIED", "b"),
        ("ADDED", "b"),
        ("DELETED", "b"),
        ("DELETED", "b"),
        ("ADDED", "c"),
    ] {
        fake.say(&event(what, &config_map(name, 9, "1")));
    }
    eventually("the last is seen", || asking.names() == ["a=1", "c=1"]);
    assert_eq!((fake.lists(), fake.watches()), (1, 1));
}

#[test]
fn a_watch_that_nobody_asks_for_ends() {
    let fake = Fake::with(&["a"]);
    let limits = CapabilityLimits {
        watch_idle: Duration::from_millis(200),
        ..calm()
    };
    let asking = asking(&fake.server, &limits);
    assert_eq!(asking.names(), ["a=1"]);
    eventually("it is watched", || fake.watches() == 1);
    eventually("it is closed", || fake.following() == 0);
    eventually("what it kept is given back", || asking.watch_bytes() == 0);
    fake.put_silently("a", "2");
    assert_eq!(
        asking.names(),
        ["a=2"],
        "the next one who asks has it listed anew"
    );
}
