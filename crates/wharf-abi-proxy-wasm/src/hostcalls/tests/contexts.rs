use expect_test::expect;
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::testing::{Callback, Guest, args, call, turn};

#[test]
fn set_effective_context_takes_any_context_of_the_vm() {
    let mut guest = Guest::new(V0_2_1);
    let (stream, _) = guest.open();
    expect![[r#"
        proxy_set_effective_context(2) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_set_effective_context", args![stream]));
    expect![[r#"
        proxy_set_effective_context(1) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_set_effective_context", args![guest.root]));
}

#[test]
fn set_effective_context_refuses_what_is_not_there() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        p Debug: proxy_set_effective_context in context 1: BadArgument: there is no context 7
        proxy_set_effective_context(7) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_set_effective_context", args![7]));
    expect![[r#"
        p Debug: proxy_set_effective_context in context 1: BadArgument: there is no context 4294967295
        proxy_set_effective_context(0xffffffff) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_set_effective_context", args![u32::MAX]));
}

/// It was a stream's that the guest had set before.
#[test]
fn context_0_is_the_one_whose_callback_runs() {
    let mut guest = Guest::new(V0_2_1);
    let (stream, _) = guest.open();
    guest.set_turn(
        Callback::Tick,
        turn(
            0,
            [
                call("proxy_set_effective_context", args![stream]),
                call("proxy_set_effective_context", args![0]),
                call("proxy_set_property", args!["x", "1"]),
            ],
        ),
    );
    guest.vm.on_tick(guest.root).unwrap();
    expect![[r#"
        proxy_set_effective_context(2) → 0 Ok
        proxy_set_effective_context(0) → 0 Ok
        p Debug: proxy_set_property in context 1: NotFound: properties can only be set on a stream
        proxy_set_property(0x10100, 1, 0x10108, 1) → 1 NotFound
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn set_effective_context_lasts_until_the_callback_returns() {
    let mut guest = Guest::new(V0_2_1);
    let (stream, _) = guest.open();
    guest.set_turn(
        Callback::Tick,
        turn(
            0,
            [
                call("proxy_set_effective_context", args![stream]),
                call("proxy_set_property", args!["x", "1"]),
            ],
        ),
    );
    guest.vm.on_tick(guest.root).unwrap();
    expect![[r#"
        proxy_set_effective_context(2) → 0 Ok
        proxy_set_property(0x10100, 1, 0x10108, 1) → 0 Ok
    "#]]
    .assert_eq(&guest.world.take());
    expect![[r#"
        p Debug: proxy_set_property in context 1: NotFound: properties can only be set on a stream
        proxy_set_property(0x10100, 1, 0x10108, 1) → 1 NotFound
    "#]]
    .assert_eq(&guest.call("proxy_set_property", args!["x", "1"]));
}

#[test]
fn done_is_refused_where_nothing_waits_for_it() {
    expect![[r#"
        p Debug: proxy_done in context 1: NotFound: the context does not wait for proxy_done
        proxy_done() → 1 NotFound
    "#]]
    .assert_eq(&Guest::new(V0_2_1).call("proxy_done", args![]));
}

#[test]
fn done_ends_a_stream_that_waits_for_it() {
    let mut guest = Guest::new(V0_2_1);
    let (stream, _) = guest.open();
    guest.set_turn(Callback::Done, turn(0, []));
    guest.vm.close_stream(stream).unwrap();
    let seen = guest.call_on(stream, "proxy_done", args![]);
    expect![[r#"
        proxy_set_effective_context(2) → 0 Ok
        proxy_done() → 0 Ok
    "#]]
    .assert_eq(&seen);
    let seen = guest.call_on(stream, "proxy_done", args![]);
    expect![[r#"
        p Debug: proxy_set_effective_context in context 1: BadArgument: there is no context 2
        proxy_set_effective_context(2) → 2 BadArgument
        p Debug: proxy_done in context 1: NotFound: the context does not wait for proxy_done
        proxy_done() → 1 NotFound
    "#]]
    .assert_eq(&seen);
}
