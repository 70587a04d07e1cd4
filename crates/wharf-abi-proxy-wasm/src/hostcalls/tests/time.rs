use expect_test::expect;
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::testing::{Callback, Guest, OUT, args};

#[test]
fn current_time_is_the_hosts_in_eight_bytes() {
    let mut guest = Guest::new(V0_2_1);
    let seen = guest.call("proxy_get_current_time_nanoseconds", args![OUT]);
    expect![[r#"
        proxy_get_current_time_nanoseconds(0x40100) → 0 Ok
        memory at 0x40100: ???????? → \x88wfUD3\"\x11
    "#]]
    .assert_eq(&seen);
}

#[test]
fn set_tick_period_starts_and_stops_ticks() {
    let mut guest = Guest::new(V0_2_1);
    for (period, expected) in [
        (
            1500,
            expect![[r#"
        host: ticks of 1: Some(1.5s)
        proxy_set_tick_period_milliseconds(1500) → 0 Ok
    "#]],
        ),
        (
            0,
            expect![[r#"
        host: ticks of 1: None
        proxy_set_tick_period_milliseconds(0) → 0 Ok
    "#]],
        ),
        (
            u32::MAX,
            expect![[r#"
        host: ticks of 1: Some(4294967.295s)
        proxy_set_tick_period_milliseconds(0xffffffff) → 0 Ok
    "#]],
        ),
    ] {
        expected.assert_eq(&guest.call("proxy_set_tick_period_milliseconds", args![period]));
    }
}

#[test]
fn set_tick_period_on_a_stream_is_that_of_its_plugin() {
    let mut guest = Guest::new(V0_2_1);
    let (stream, _) = guest.open();
    let seen = guest.call_in(
        Callback::Log,
        "proxy_set_tick_period_milliseconds",
        args![10],
        |guest| guest.vm.close_stream(stream).unwrap(),
    );
    expect![[r#"
        host: ticks of 1: Some(10ms)
        proxy_set_tick_period_milliseconds(10) → 0 Ok
    "#]]
    .assert_eq(&seen);
}
