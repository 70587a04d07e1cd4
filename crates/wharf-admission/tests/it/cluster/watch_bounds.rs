//! What watches may take, and what happens beyond it.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_admission::CapabilityLimits;
use wharf_plugin::ByteSize;
use wharf_testing::eventually;

use super::ask::{Asking, asking, calm, names};
use super::fake::Fake;

/// A cluster with so many ConfigMaps, each with a value of so many bytes.
fn large(count: usize, bytes: usize) -> Fake {
    let fake = Fake::with(&[]);
    (0..count).for_each(|number| fake.put(&format!("m{number}"), &"x".repeat(bytes)));
    fake
}

/// How many objects there are with a selector, which the cluster does not look at.
fn count(asking: &Asking, selector: &str) -> usize {
    let list = asking.list("ConfigMap", &json!({"label_selector": selector}));
    names(&list.unwrap()).len()
}

fn told(asking: &Asking) -> Result<Value, String> {
    asking.list("ConfigMap", &json!({}))
}

#[test]
fn a_list_of_more_than_a_list_may_have_is_refused_with_advice() {
    let fake = large(4, 1_000);
    let limits = CapabilityLimits {
        list_bytes: ByteSize::from_kib(2),
        ..calm()
    };
    let asking = asking(&fake.server, &limits);
    for _ in 0..2 {
        let expected = "the list of v1/ConfigMap has more than 2KiB: ask for one namespace, with a selector, or for less of \
                        each object with field masks";
        assert_eq!(told(&asking), Err(expected.into()));
    }
    assert_eq!(fake.watches(), 0);
    // Less of each object has room.
    let masked = json!({"field_masks": ["metadata.name"]});
    eventually("what is masked fits", || {
        let list = asking.list("ConfigMap", &masked);
        list.is_ok_and(|list| names(&list).len() == 4)
    });
}

#[test]
fn what_watches_keep_together_is_bounded_and_the_rest_is_fetched() {
    let fake = large(4, 1_000);
    let limits = CapabilityLimits {
        watch_bytes: ByteSize::from_kib(6),
        ..calm()
    };
    let asking = asking(&fake.server, &limits);
    assert_eq!(count(&asking, "first"), 4);
    assert_eq!(
        count(&asking, "second"),
        4,
        "there is no room for it, and so it is fetched"
    );
    let fetched = fake.lists();
    assert_eq!(count(&asking, "second"), 4);
    assert_eq!(fake.lists(), fetched + 1);
    assert_eq!(count(&asking, "first"), 4);
    assert_eq!(fake.lists(), fetched + 1, "the first is watched");
    eventually("it is counted", || asking.watch_bytes() > 4_000);
    assert!(asking.watch_bytes() <= 6 << 10, "{}", asking.watch_bytes());
}

#[test]
fn a_watch_that_nobody_needs_makes_room() {
    let fake = large(4, 1_000);
    let limits = CapabilityLimits {
        watch_bytes: ByteSize::from_kib(6),
        watch_pause: Duration::ZERO,
        ..calm()
    };
    let asking = asking(&fake.server, &limits);
    for selector in ["first", "second", "third", "first"] {
        assert_eq!(count(&asking, selector), 4);
        let lists = fake.lists();
        assert_eq!(count(&asking, selector), 4);
        assert_eq!(fake.lists(), lists, "{selector} is watched");
    }
    assert!(asking.watch_bytes() <= 6 << 10, "{}", asking.watch_bytes());
    eventually("the others are not watched any more", || fake.following() <= 1);
}

#[test]
fn a_watch_that_outgrows_its_room_ends_and_the_list_is_fetched() {
    let fake = large(1, 1_000);
    let limits = CapabilityLimits {
        watch_bytes: ByteSize::from_kib(3),
        ..calm()
    };
    let asking = asking(&fake.server, &limits);
    assert_eq!(names(&told(&asking).unwrap()).len(), 1);
    eventually("it is watched", || fake.watches() == 1);
    (0..4).for_each(|number| fake.put(&format!("n{number}"), &"y".repeat(1_000)));
    eventually("all objects are there", || {
        names(&told(&asking).unwrap()).len() == 5
    });
    eventually("nothing of it is kept", || asking.watch_bytes() == 0);
    let lists = fake.lists();
    assert_eq!(names(&told(&asking).unwrap()).len(), 5);
    assert_eq!(fake.lists(), lists + 1);
}

#[test]
fn pages_get_smaller_where_objects_are_large() {
    let fake = large(12, 1_000);
    let limits = CapabilityLimits {
        page_bytes: ByteSize::from_kib(4),
        ..calm()
    };
    let asking = asking(&fake.server, &limits);
    assert_eq!(names(&told(&asking).unwrap()).len(), 12);
    for limit in [500, 62, 7] {
        assert_eq!(
            fake.server.asked_for(&format!("configmaps?limit={limit}")),
            1,
            "{limit}"
        );
    }
    assert_eq!(fake.server.asked_for("configmaps?limit=1&continue="), 11);
}

#[test]
fn an_object_that_is_larger_than_a_page_is_an_error() {
    let fake = large(2, 5_000);
    let limits = CapabilityLimits {
        page_bytes: ByteSize::from_kib(4),
        ..calm()
    };
    let expected =
        "cannot list v1/ConfigMap: the answer of the cluster's API server has more than 4KiB".to_owned();
    assert_eq!(told(&asking(&fake.server, &limits)), Err(expected));
}

#[test]
fn there_are_only_so_many_watches_whatever_policies_ask_for() {
    let fake = large(2, 10);
    let limits = CapabilityLimits { watches: 3, ..calm() };
    let asking = asking(&fake.server, &limits);
    for number in 0..20 {
        assert_eq!(count(&asking, &format!("s{number}")), 2);
    }
    eventually("the first three are watched", || fake.watches() == 3);
    assert_eq!(asking.lists("watched"), 3);
    assert_eq!(asking.lists("fetched"), 17);
    assert_eq!(count(&asking, "s0"), 2);
    assert_eq!(asking.lists("watched"), 4);
    assert_eq!(fake.watches(), 3);
}

#[test]
fn a_place_of_a_watch_is_taken_over_from_the_one_that_was_asked_for_least() {
    let fake = large(2, 10);
    let limits = CapabilityLimits {
        watches: 3,
        watch_pause: Duration::ZERO,
        ..calm()
    };
    let asking = asking(&fake.server, &limits);
    for number in 0..20 {
        assert_eq!(count(&asking, &format!("s{number}")), 2);
        // This one is needed all the time.
        assert_eq!(count(&asking, "s0"), 2);
    }
    assert_eq!(fake.server.asked_for("limit=500&labelSelector=s0"), 1);
    assert_eq!(asking.lists("fetched"), 0);
    eventually("the others are closed", || fake.following() <= 3);
}
