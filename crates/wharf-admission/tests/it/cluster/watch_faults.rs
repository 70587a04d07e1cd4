//! Watches on bad days.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use wharf_admission::CapabilityLimits;
use wharf_testing::api_server::Answer;
use wharf_testing::eventually;

use super::ask::{Asking, Door, asking, calm, config_map, event};
use super::fake::Fake;

/// A cluster with the ConfigMap `a`, watched.
fn watched(limits: &CapabilityLimits) -> (Fake, Asking) {
    let fake = Fake::with(&["a"]);
    let asking = asking(&fake.server, limits);
    assert_eq!(asking.names(), ["a=1"]);
    eventually("it is watched", || fake.watches() == 1);
    (fake, asking)
}

/// With a watch that is given up soon when it is interrupted.
fn impatient() -> CapabilityLimits {
    CapabilityLimits {
        watch_broken: Duration::from_millis(400),
        ..calm()
    }
}

#[test]
fn a_watch_that_is_behind_lists_anew_and_the_older_list_serves_until_then() {
    let (fake, asking) = watched(&calm());
    let door = Door::new();
    let held = Arc::clone(&door);
    fake.mood(move |asked| {
        if asked.path == "/api/v1/configmaps" && !asked.is_watch() {
            held.wait();
        }
        None
    });
    fake.put_silently("b", "1");
    fake.forget();
    fake.cut();
    eventually("it is listed anew", || fake.lists() == 2);
    assert_eq!(asking.names(), ["a=1"]);
    door.open();
    eventually("what happened is seen", || asking.names() == ["a=1", "b=1"]);
    fake.put("c", "1");
    eventually("and what happens now", || asking.names() == ["a=1", "b=1", "c=1"]);
    assert_eq!(asking.lists("fetched"), 0);
}

#[test]
fn a_watch_that_is_refused_as_behind_lists_anew() {
    let (fake, asking) = watched(&calm());
    fake.mood(|asked| {
        let old = asked
            .query
            .get("resourceVersion")
            .is_some_and(|version| version == "1");
        old.then(|| Answer::status(410, "Expired", "too old resource version"))
    });
    fake.put_silently("b", "1");
    fake.cut();
    eventually("what happened is seen", || asking.names() == ["a=1", "b=1"]);
    assert_eq!(fake.lists(), 2);
}

#[test]
fn an_event_that_nobody_understands_is_one_that_was_missed() {
    for line in [
        "x\n",
        "{}\n",
        "{\"type\":\"ADDED\"}\n",
        "{\"type\":\"EXPLODED\",\"object\":{}}\n",
        "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{}}}\n",
        "<html>\n",
        "\u{0}\u{7f}\n",
    ] {
        let (fake, asking) = watched(&calm());
        fake.put_silently("a", "2");
        fake.say(line);
        eventually("it is listed anew", || asking.names() == ["a=2"]);
        assert_eq!(fake.lists(), 2, "{line}");
        fake.put("a", "3");
        eventually("it is watched again", || asking.names() == ["a=3"]);
    }
}

#[test]
fn an_event_of_which_a_half_came_is_not_taken() {
    let half = event("MODIFIED", &config_map("a", 9, "half"));
    let half = &half[..half.len() / 2];
    // The end of the answer cuts it off: nobody knows what it was.
    let (fake, asking) = watched(&calm());
    fake.say(half);
    fake.put_silently("a", "2");
    fake.close();
    eventually("it is listed anew", || asking.names() == ["a=2"]);
    assert_eq!(fake.lists(), 2);
    // The connection breaks: it comes once more as a whole.
    let (fake, asking) = watched(&calm());
    fake.say(half);
    fake.cut();
    fake.put("a", "2");
    eventually("it goes on where it was", || asking.names() == ["a=2"]);
    assert_eq!(fake.lists(), 1);
}

#[test]
fn a_connection_that_is_cut_costs_no_event() {
    let (fake, asking) = watched(&calm());
    fake.put("b", "1");
    eventually("the event is seen", || asking.names() == ["a=1", "b=1"]);
    fake.cut();
    fake.put("c", "1");
    fake.delete("a");
    eventually("what happened meanwhile is seen", || {
        asking.names() == ["b=1", "c=1"]
    });
    assert_eq!(fake.lists(), 1);
}

#[test]
fn an_error_that_is_sent_as_an_event_breaks_the_watch_off() {
    let (fake, asking) = watched(&calm());
    let error = json!({"kind": "Status", "code": 500, "message": "etcd is not well"});
    fake.say(&event("ERROR", &error.to_string()));
    eventually("it is watched again", || fake.watches() == 2);
    fake.put("a", "2");
    eventually("what happens is seen", || asking.names() == ["a=2"]);
    assert_eq!(fake.lists(), 1);
}

#[test]
fn a_list_outlives_its_server_for_a_while() {
    let (fake, asking) = watched(&calm());
    fake.answers(|| Answer::Break);
    fake.cut();
    eventually("the server is missed", || fake.watches() >= 2);
    for _ in 0..10 {
        assert_eq!(asking.names(), ["a=1"]);
    }
    fake.put("a", "2");
    fake.well();
    eventually("it goes on when the server is back", || asking.names() == ["a=2"]);
    assert_eq!(asking.lists("fetched"), 0);
}

#[test]
fn a_list_of_a_server_that_stays_away_fails_clearly_until_it_is_back() {
    let (fake, asking) = watched(&impatient());
    let list = || asking.list("ConfigMap", &json!({}));
    fake.answers(|| Answer::Break);
    fake.cut();
    eventually("the list is not taken for true any more", || list().is_err());
    let told = list().unwrap_err();
    let prefix = "cannot list v1/ConfigMap: the cluster's API server cannot be reached: ";
    assert!(told.starts_with(prefix), "{told}");
    fake.put("a", "2");
    fake.well();
    assert_eq!(asking.names(), ["a=2"], "what is asked for now is fetched now");
    let watched = asking.lists("watched");
    eventually("it is watched again", || {
        asking.names();
        asking.lists("watched") > watched
    });
    fake.put("a", "3");
    eventually("what happens is seen", || asking.names() == ["a=3"]);
}

#[test]
fn a_watch_that_is_silent_from_the_start_is_not_waited_for() {
    let fake = Fake::with(&["a"]);
    fake.mood(|asked| asked.is_watch().then_some(Answer::Nothing));
    let asking = asking(&fake.server, &impatient());
    assert_eq!(asking.names(), ["a=1"]);
    fake.put_silently("a", "2");
    eventually("the list is fetched", || asking.names() == ["a=2"]);
}

#[test]
fn a_watch_that_always_ends_at_once_does_not_pass_for_one_that_follows() {
    let fake = Fake::with(&["a"]);
    // As of something in between that takes the answer for whole, and nobody hears of an event.
    fake.mood(|asked| asked.is_watch().then(|| Answer::stream().1));
    let asking = asking(&fake.server, &impatient());
    assert_eq!(asking.names(), ["a=1"]);
    for value in ["2", "3", "4"] {
        fake.put_silently("a", value);
        eventually("the change is seen", || asking.names() == [format!("a={value}")]);
    }
    eventually("it is tried again and again", || fake.watches() >= 3);
}

#[test]
fn a_watch_that_cannot_go_on_from_its_version_begins_anew() {
    let fake = Fake::with(&["a"]);
    // As after the cluster was restored from a backup: the version is none of this cluster.
    fake.mood(|asked| {
        let other = asked
            .query
            .get("resourceVersion")
            .is_some_and(|version| version == "1");
        other.then(|| Answer::status(504, "Timeout", "Too large resource version: 1, current: 0"))
    });
    let asking = asking(&fake.server, &impatient());
    assert_eq!(asking.names(), ["a=1"]);
    fake.put_silently("a", "2");
    eventually("it is watched from a version that the server knows", || {
        fake.server.asked_for("&resourceVersion=2&") > 0
    });
    fake.put("a", "3");
    eventually("what happens is seen", || asking.names() == ["a=3"]);
}

#[test]
fn what_may_be_listed_and_not_watched_is_fetched_each_time() {
    for status in [401, 403, 404, 405] {
        let fake = Fake::with(&["a"]);
        fake.mood(move |asked| {
            asked
                .is_watch()
                .then(|| Answer::status(status, "No", "you may not watch"))
        });
        let asking = asking(&fake.server, &calm());
        assert_eq!(asking.names(), ["a=1"]);
        fake.put_silently("a", "2");
        eventually("the list is fetched", || asking.names() == ["a=2"]);
        fake.put_silently("a", "3");
        assert_eq!(asking.names(), ["a=3"], "{status}");
        assert_eq!(fake.watches(), 1, "it is not tried again at once");
    }
}

#[test]
fn a_watch_that_was_forbidden_is_tried_again_after_a_while() {
    let fake = Fake::with(&["a"]);
    fake.mood(|asked| {
        asked
            .is_watch()
            .then(|| Answer::status(403, "Forbidden", "not yet"))
    });
    let limits = CapabilityLimits {
        watch_pause: Duration::from_millis(100),
        ..calm()
    };
    let asking = asking(&fake.server, &limits);
    assert_eq!(asking.names(), ["a=1"]);
    eventually("it was refused", || fake.watches() >= 1);
    fake.well();
    eventually("it is watched", || {
        fake.put("a", "2");
        asking.names() == ["a=2"] && fake.watches() >= 2
    });
}

#[test]
fn what_may_not_be_listed_any_more_is_told_and_nothing_old_is_served() {
    let (fake, asking) = watched(&calm());
    fake.mood(|asked| {
        let list = asked.path == "/api/v1/configmaps";
        list.then(|| Answer::status(403, "Forbidden", "the role is gone"))
    });
    fake.cut();
    let list = || asking.list("ConfigMap", &json!({}));
    eventually("the list is not served any more", || list().is_err());
    assert_eq!(
        list(),
        Err(
            "cannot list v1/ConfigMap: the cluster's API server answered 403 Forbidden: the role is gone"
                .into()
        )
    );
}

#[test]
fn a_server_that_is_too_busy_is_not_pressed() {
    let fake = Fake::with(&["a"]);
    let calmed = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&calmed);
    fake.mood(move |asked| {
        (asked.is_watch() && !state.load(Ordering::SeqCst)).then(|| Answer::busy(429, "60"))
    });
    let asking = asking(&fake.server, &calm());
    assert_eq!(asking.names(), ["a=1"]);
    eventually("it was turned away twice", || fake.watches() >= 2);
    assert_eq!(asking.names(), ["a=1"], "too busy is no reason to list each time");
    calmed.store(true, Ordering::SeqCst);
    fake.put("a", "2");
    eventually("it is watched in the end", || asking.names() == ["a=2"]);
    assert_eq!(fake.lists(), 1);
}
