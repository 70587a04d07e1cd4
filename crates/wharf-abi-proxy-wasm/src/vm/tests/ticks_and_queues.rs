use std::sync::Arc;

use expect_test::expect;

use super::announcing;
use crate::shared::Shared;
use crate::testing::{Callback, GuestOptions, OUT, args};

#[test]
fn a_tick_goes_to_its_plugin_and_to_nobody_where_it_is_gone() {
    let mut guest = announcing(GuestOptions::default());
    guest.vm.on_tick(guest.root).unwrap();
    guest.vm.on_tick(99).unwrap();
    let (stream, _) = guest.open();
    guest.vm.on_tick(stream).unwrap();
    expect![[r#"
        p on_tick(1)
        p on_context_create(2, 1)
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn a_queue_is_ready_in_the_worker_that_registered_it_last() {
    let shared = Arc::<Shared>::default();
    let worker = || {
        announcing(GuestOptions {
            shared: Arc::clone(&shared),
            ..GuestOptions::default()
        })
    };
    let (mut one, mut two) = (worker(), worker());
    one.call("proxy_register_shared_queue", args!["q", OUT]);
    two.call("proxy_register_shared_queue", args!["q", OUT]);
    one.call("proxy_enqueue_shared_queue", args![1, "x"]);
    expect![""].assert_eq(&one.world.take());
    expect![[r#"
        host: queue 1 is ready for 1
    "#]]
    .assert_eq(&two.world.take());
    let seen = two.call_in(
        Callback::QueueReady,
        "proxy_dequeue_shared_queue",
        args![1, OUT, OUT + 4],
        |two| {
            two.vm.on_queue_ready(two.root, 1).unwrap();
        },
    );
    expect![[r#"
        p on_queue_ready(1, 1)
        memory at 0x100: ? → x
        memory at 0x40100: \x01\x00\x00\x00???? → \x00\x01\x00\x00\x01\x00\x00\x00
    "#]]
    .assert_eq(&seen);
}

#[test]
fn each_thing_on_a_queue_is_told_once() {
    let mut guest = announcing(GuestOptions::default());
    guest.call("proxy_register_shared_queue", args!["q", OUT]);
    for _ in 0..3 {
        guest.call("proxy_enqueue_shared_queue", args![1, "x"]);
    }
    guest.vm.on_queue_ready(99, 1).unwrap();
    let told = guest.call("proxy_enqueue_shared_queue", args![1, "x"]);
    assert_eq!(told.matches("queue 1 is ready for 1").count(), 1, "{told}");
}
