use expect_test::{Expect, expect};
use wharf_plugin::ProxyWasmVersion::{V0_1_0, V0_2_0, V0_2_1};

use crate::hostcalls::host_functions;
use crate::numbers::LogLevel;
use crate::testing::{Argument, Guest, OUT, args};

fn check(function: &'static str, arguments: Vec<Argument>, expected: Expect) {
    expected.assert_eq(&Guest::new(V0_2_1).call(function, arguments));
}

#[test]
fn log_writes_a_line_at_its_level() {
    let log = |version| Guest::new(version).call("proxy_log", args![5, "hello"]);
    let seen = log(V0_2_1);
    assert_eq!([log(V0_1_0), log(V0_2_0)], [seen.as_str(), &seen]);
    expect![[r#"
            p Critical: hello
            proxy_log(5, 0x10100, 5) → 0 Ok
        "#]]
    .assert_eq(&seen);
    check(
        "proxy_log",
        args![0, "fine"],
        expect![[r#"
            p Trace: fine
            proxy_log(0, 0x10100, 4) → 0 Ok
        "#]],
    );
    check(
        "proxy_log",
        args![3, b"caf\xe9".to_vec()],
        expect![[r#"
        p Warn: caf�
        proxy_log(3, 0x10100, 4) → 0 Ok
    "#]],
    );
}

#[test]
fn log_leaves_out_what_is_not_kept() {
    let mut guest = Guest::new(V0_2_1);
    guest.world.lock().log_level = LogLevel::Warn;
    expect![[r#"
        proxy_log(2, 0x10100, 5) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_log", args![2, "hello"]));
    expect![[r#"
        p Warn: hello
        proxy_log(3, 0x10100, 5) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_log", args![3, "hello"]));
}

#[test]
fn log_cuts_a_long_line() {
    let mut guest = Guest::new(V0_2_1);
    let seen = guest.call("proxy_log", args![2, 0, 0x10000]);
    let line = seen.lines().next().unwrap();
    assert_eq!(line.len(), "p Info: ".len() + (16 << 10));
}

#[test]
fn log_refuses_an_unknown_level() {
    check(
        "proxy_log",
        args![6, "hello"],
        expect![[r#"
        p Debug: proxy_log in context 1: BadArgument: 6 is not a log level
        proxy_log(6, 0x10100, 5) → 2 BadArgument
    "#]],
    );
    check(
        "proxy_log",
        args![u32::MAX, "hello"],
        expect![[r#"
        p Debug: proxy_log in context 1: BadArgument: 4294967295 is not a log level
        proxy_log(0xffffffff, 0x10100, 5) → 2 BadArgument
    "#]],
    );
}

#[test]
fn get_log_level_gives_what_is_kept() {
    let mut guest = Guest::new(V0_2_1);
    guest.world.lock().log_level = LogLevel::Error;
    expect![[r#"
        proxy_get_log_level(0x40100) → 0 Ok
        memory at 0x40100: ???? → \x04\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_log_level", args![OUT]));
}

#[test]
fn get_log_level_is_of_0_2_1_only() {
    let has = |version| {
        host_functions(version)
            .iter()
            .any(|function| function.name == "proxy_get_log_level")
    };
    assert_eq!([V0_1_0, V0_2_0, V0_2_1].map(has), [false, false, true]);
}

#[test]
fn a_refusal_is_logged_only_where_debug_lines_are_kept() {
    let mut guest = Guest::new(V0_2_1);
    guest.world.lock().log_level = LogLevel::Info;
    expect![[r#"
        proxy_log(6, 0x10100, 5) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_log", args![6, "hello"]));
}
