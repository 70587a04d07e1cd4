use std::sync::Arc;

use expect_test::expect;
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::shared::Shared;
use crate::testing::{Guest, GuestOptions, OUT, args};

fn guest_with(kind: u32) -> Guest {
    let mut guest = Guest::new(V0_2_1);
    guest.call("proxy_define_metric", args![kind, "m", OUT]);
    guest
}

#[test]
fn define_metric_gives_an_id() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        proxy_define_metric(0, 0x10100, 7, 0x40100) → 0 Ok
        memory at 0x40100: ???? → \x04\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_define_metric", args![0, "counter", OUT]));
    expect![[r#"
        proxy_define_metric(1, 0x10100, 5, 0x40108) → 0 Ok
        memory at 0x40108: ???? → \t\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_define_metric", args![1, "gauge", OUT + 8]));
    expect![[r#"
        proxy_define_metric(0, 0x10100, 7, 0x40110) → 0 Ok
        memory at 0x40110: ???? → \x04\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_define_metric", args![0, "counter", OUT + 16]));
}

#[test]
fn define_metric_refuses_bad_kinds_and_names() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        p Debug: proxy_define_metric in context 1: BadArgument: 3 is not a kind of metric
        proxy_define_metric(3, 0x10100, 1, 0x40100) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_define_metric", args![3, "m", OUT]));
    expect![[r#"
        p Debug: proxy_define_metric in context 1: BadArgument: a metric's name is text of 1 to 1024 bytes
        proxy_define_metric(0, 0x10100, 0, 0x40100) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_define_metric", args![0, "", OUT]));
    expect![[r#"
        p Debug: proxy_define_metric in context 1: BadArgument: a metric's name is text of 1 to 1024 bytes
        proxy_define_metric(0, 0x10100, 1, 0x40100) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_define_metric", args![0, vec![0xff], OUT]));
}

#[test]
fn a_counter() {
    let mut guest = guest_with(0);
    expect![[r#"
        proxy_increment_metric(4, 2) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_increment_metric", args![4, 2]));
    expect![[r#"
        proxy_record_metric(4, 3) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_record_metric", args![4, 3]));
    expect![[r#"
        p Debug: proxy_increment_metric in context 1: BadArgument: a counter cannot be incremented by 0: it only grows
        proxy_increment_metric(4, 0) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_increment_metric", args![4, 0]));
    expect![[r#"
        p Debug: proxy_increment_metric in context 1: BadArgument: a counter cannot be incremented by -1: it only grows
        proxy_increment_metric(4, -1) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_increment_metric", args![4, -1]));
    expect![[r#"
        proxy_get_metric(4, 0x40108) → 0 Ok
        memory at 0x40108: ???????? → \x05\x00\x00\x00\x00\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_metric", args![4, OUT + 8]));
}

#[test]
fn a_gauge() {
    let mut guest = guest_with(1);
    expect![[r#"
        proxy_record_metric(5, 10) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_record_metric", args![5, 10]));
    expect![[r#"
        proxy_increment_metric(5, -11) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_increment_metric", args![5, -11]));
    expect![[r#"
        proxy_get_metric(5, 0x40108) → 0 Ok
        memory at 0x40108: ???????? → \xff\xff\xff\xff\xff\xff\xff\xff
    "#]]
    .assert_eq(&guest.call("proxy_get_metric", args![5, OUT + 8]));
}

#[test]
fn a_histogram() {
    let mut guest = guest_with(2);
    expect![[r#"
        proxy_record_metric(6, 10) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_record_metric", args![6, 10]));
    expect![[r#"
        p Debug: proxy_increment_metric in context 1: BadArgument: a histogram can only be recorded to
        proxy_increment_metric(6, 1) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_increment_metric", args![6, 1]));
    expect![[r#"
        p Debug: proxy_get_metric in context 1: BadArgument: a histogram can only be recorded to
        proxy_get_metric(6, 0x40108) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_get_metric", args![6, OUT + 8]));
}

#[test]
fn unknown_metrics_are_not_found() {
    let mut guest = guest_with(0);
    expect![[r#"
        p Debug: proxy_increment_metric in context 1: NotFound: there is no metric 0
        proxy_increment_metric(0, 1) → 1 NotFound
    "#]]
    .assert_eq(&guest.call("proxy_increment_metric", args![0, 1]));
    expect![[r#"
        p Debug: proxy_record_metric in context 1: NotFound: there is no metric 2
        proxy_record_metric(2, 1) → 1 NotFound
    "#]]
    .assert_eq(&guest.call("proxy_record_metric", args![2, 1]));
    expect![[r#"
        p Debug: proxy_get_metric in context 1: BadArgument: 4294967295 is not the id of a metric
        proxy_get_metric(0xffffffff, 0x40100) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_get_metric", args![u32::MAX, OUT]));
}

#[test]
fn a_metric_is_that_of_the_plugin_in_all_vms() {
    let shared = Arc::<Shared>::default();
    let guest = |name| {
        let mut guest = Guest::with(GuestOptions {
            name,
            shared: Arc::clone(&shared),
            ..GuestOptions::default()
        });
        guest.call("proxy_define_metric", args![0, "m", OUT]);
        guest
    };
    guest("a").call("proxy_increment_metric", args![4, 5]);
    let seen = guest("a").call("proxy_get_metric", args![4, OUT]);
    assert!(seen.contains("\\x05\\x00"), "{seen}");
    let seen = guest("b").call("proxy_get_metric", args![4, OUT]);
    assert!(!seen.contains("\\x05"), "{seen}");
}
