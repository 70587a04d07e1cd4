use std::sync::Arc;

use expect_test::expect;
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::shared::Shared;
use crate::testing::{Guest, GuestOptions, OUT, args};

#[test]
fn what_is_enqueued_is_dequeued_in_order() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        proxy_register_shared_queue(0x10100, 1, 0x40100) → 0 Ok
        memory at 0x40100: ???? → \x01\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_register_shared_queue", args!["q", OUT]));
    expect![[r#"
        host: queue 1 is ready for 1
        proxy_enqueue_shared_queue(1, 0x10100, 5) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_enqueue_shared_queue", args![1, "first"]));
    guest.call("proxy_enqueue_shared_queue", args![1, ""]);
    expect![[r#"
        proxy_dequeue_shared_queue(1, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ????? → first
        memory at 0x40100: \x01\x00\x00\x00???? → \x00\x01\x00\x00\x05\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_dequeue_shared_queue", args![1, OUT, OUT + 4]));
    expect![[r#"
        proxy_dequeue_shared_queue(1, 0x40100, 0x40104) → 0 Ok
        memory at 0x40101: \x01\x00\x00\x05 → \x00\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_dequeue_shared_queue", args![1, OUT, OUT + 4]));
    expect![[r#"
        p Debug: proxy_dequeue_shared_queue in context 1: Empty: the queue is empty
        proxy_dequeue_shared_queue(1, 0x40100, 0x40104) → 7 Empty
    "#]]
    .assert_eq(&guest.call("proxy_dequeue_shared_queue", args![1, OUT, OUT + 4]));
}

#[test]
fn a_queue_that_is_registered_again_is_the_same() {
    let mut guest = Guest::new(V0_2_1);
    guest.call("proxy_register_shared_queue", args!["q", OUT]);
    let seen = guest.call("proxy_register_shared_queue", args!["q", OUT + 8]);
    assert!(seen.contains("???? → \\x01\\x00\\x00\\x00"), "{seen}");
}

#[test]
fn unknown_queues_are_not_found() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        p Debug: proxy_enqueue_shared_queue in context 1: NotFound: there is no queue 0
        proxy_enqueue_shared_queue(0, 0x10100, 1) → 1 NotFound
    "#]]
    .assert_eq(&guest.call("proxy_enqueue_shared_queue", args![0, "x"]));
    expect![[r#"
        p Debug: proxy_dequeue_shared_queue in context 1: NotFound: there is no queue 4294967295
        proxy_dequeue_shared_queue(0xffffffff, 0x40100, 0x40104) → 1 NotFound
    "#]]
    .assert_eq(&guest.call("proxy_dequeue_shared_queue", args![u32::MAX, OUT, OUT + 4]));
    expect![[r#"
        p Debug: proxy_resolve_shared_queue in context 1: NotFound: nobody has registered a queue "q" in Named("vm")
        proxy_resolve_shared_queue(0x10100, 0, 0x10100, 1, 0x40100) → 1 NotFound
    "#]].assert_eq(&guest.call("proxy_resolve_shared_queue", args!["", "q", OUT]));
    expect![[r#"
        p Debug: proxy_resolve_shared_queue in context 1: NotFound: no VM has the id "\xff"
        proxy_resolve_shared_queue(0x10100, 1, 0x10108, 1, 0x40100) → 1 NotFound
    "#]]
    .assert_eq(&guest.call("proxy_resolve_shared_queue", args![vec![0xff], "q", OUT]));
}

#[test]
fn resolve_finds_the_queue_of_any_vm_id() {
    let shared = Arc::<Shared>::default();
    let guest = |vm_id| {
        Guest::with(GuestOptions {
            vm_id,
            shared: Arc::clone(&shared),
            ..GuestOptions::default()
        })
    };
    let (mut one, mut two) = (guest("one"), guest("two"));
    one.call("proxy_register_shared_queue", args!["q", OUT]);
    expect![[r#"
        proxy_resolve_shared_queue(0x10100, 0, 0x10100, 1, 0x40108) → 0 Ok
        memory at 0x40108: ???? → \x01\x00\x00\x00
    "#]]
    .assert_eq(&one.call("proxy_resolve_shared_queue", args!["", "q", OUT + 8]));
    expect![[r#"
        proxy_resolve_shared_queue(0x10100, 3, 0x10108, 1, 0x40110) → 0 Ok
        memory at 0x40110: ???? → \x01\x00\x00\x00
    "#]]
    .assert_eq(&one.call("proxy_resolve_shared_queue", args!["one", "q", OUT + 16]));
    expect![[r#"
        proxy_resolve_shared_queue(0x10100, 3, 0x10108, 1, 0x40100) → 0 Ok
        memory at 0x40100: ???? → \x01\x00\x00\x00
    "#]]
    .assert_eq(&two.call("proxy_resolve_shared_queue", args!["one", "q", OUT]));
    expect![[r#"
        p Debug: proxy_resolve_shared_queue in context 1: NotFound: nobody has registered a queue "q" in Named("two")
        proxy_resolve_shared_queue(0x10100, 0, 0x10100, 1, 0x40100) → 1 NotFound
    "#]].assert_eq(&two.call("proxy_resolve_shared_queue", args!["", "q", OUT]));
}

#[test]
fn a_value_stays_where_there_is_no_place_for_it() {
    let mut guest = Guest::new(V0_2_1);
    guest.call("proxy_register_shared_queue", args!["q", OUT]);
    guest.call("proxy_enqueue_shared_queue", args![1, "kept"]);
    guest.call("proxy_dequeue_shared_queue", args![1, u32::MAX, OUT]);
    let seen = guest.call("proxy_dequeue_shared_queue", args![1, OUT, OUT + 4]);
    assert!(seen.contains("→ 0 Ok") && seen.contains("? → kept"), "{seen}");
}

#[test]
fn a_queue_is_bounded() {
    let mut guest = Guest::new(V0_2_1);
    guest.call("proxy_register_shared_queue", args!["q", OUT]);
    for _ in 0..64 {
        guest.call("proxy_enqueue_shared_queue", args![1, 0, 0x40000]);
    }
    expect![[r#"
        p Debug: proxy_enqueue_shared_queue in context 1: InternalFailure: a queue holds at most 100000 items and 16777216 bytes
        proxy_enqueue_shared_queue(1, 0x10100, 1) → 10 InternalFailure
    "#]].assert_eq(&guest.call("proxy_enqueue_shared_queue", args![1, "x"]));
}
