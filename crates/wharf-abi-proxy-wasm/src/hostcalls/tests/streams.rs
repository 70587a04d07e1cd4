use expect_test::{Expect, expect};
use wharf_plugin::ProxyWasmVersion::{V0_1_0, V0_2_0, V0_2_1};

use crate::hostcalls::host_functions;
use crate::testing::{Argument, Guest, args};

/// Makes a call in a request headers callback, and shows what it leaves to be done.
fn check(guest: &mut Guest, function: &'static str, arguments: Vec<Argument>, expected: Expect) {
    let (seen, _) = guest.call_in_request_headers(&[("a", "1")], function, arguments);
    let signals = guest.vm.take_signals(guest.last_stream());
    expected.assert_eq(&format!("{seen}{}\n", asked_for(&format!("{signals:?}"))));
}

/// The signals that are set.
fn asked_for(signals: &str) -> String {
    let set = signals
        .split([',', '{', '}'])
        .filter(|field| field.contains("true"));
    set.map(|field| field.trim().trim_end_matches(": true").to_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn continue_stream_takes_effect_after_the_callback() {
    let mut guest = Guest::new(V0_2_1);
    check(
        &mut guest,
        "proxy_continue_stream",
        args![0],
        expect![[r#"
        proxy_continue_stream(0) → 0 Ok
        resume_request
    "#]],
    );
    check(
        &mut guest,
        "proxy_continue_stream",
        args![1],
        expect![[r#"
        proxy_continue_stream(1) → 0 Ok
        resume_response
    "#]],
    );
    check(
        &mut guest,
        "proxy_continue_stream",
        args![2],
        expect![[r#"
        proxy_continue_stream(2) → 0 Ok
        resume_downstream
    "#]],
    );
    check(
        &mut guest,
        "proxy_continue_stream",
        args![3],
        expect![[r#"
        proxy_continue_stream(3) → 0 Ok
        resume_upstream
    "#]],
    );
}

#[test]
fn close_stream_takes_effect_after_the_callback() {
    let mut guest = Guest::new(V0_2_1);
    check(
        &mut guest,
        "proxy_close_stream",
        args![0],
        expect![[r#"
        proxy_close_stream(0) → 0 Ok
        close
    "#]],
    );
    check(
        &mut guest,
        "proxy_close_stream",
        args![1],
        expect![[r#"
        proxy_close_stream(1) → 0 Ok
        close
    "#]],
    );
    check(
        &mut guest,
        "proxy_close_stream",
        args![2],
        expect![[r#"
        proxy_close_stream(2) → 0 Ok
        close_downstream
    "#]],
    );
    check(
        &mut guest,
        "proxy_close_stream",
        args![3],
        expect![[r#"
        proxy_close_stream(3) → 0 Ok
        close_upstream
    "#]],
    );
}

#[test]
fn unknown_stream_types_are_refused() {
    let mut guest = Guest::new(V0_2_1);
    check(
        &mut guest,
        "proxy_continue_stream",
        args![4],
        expect![[r#"
        p Debug: proxy_continue_stream in context 2: BadArgument: 4 is not a stream type
        proxy_continue_stream(4) → 2 BadArgument

    "#]],
    );
    check(
        &mut guest,
        "proxy_close_stream",
        args![u32::MAX],
        expect![[r#"
        p Debug: proxy_close_stream in context 3: BadArgument: 4294967295 is not a stream type
        proxy_close_stream(0xffffffff) → 2 BadArgument

    "#]],
    );
}

#[test]
fn continuing_outside_of_a_stream_does_nothing() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        proxy_continue_stream(0) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_continue_stream", args![0]));
    expect![[r#"
        proxy_close_stream(0) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_close_stream", args![0]));
}

#[test]
fn the_older_names_of_0_1_0() {
    let mut guest = Guest::new(V0_1_0);
    check(
        &mut guest,
        "proxy_continue_request",
        args![],
        expect![[r#"
        proxy_continue_request() → 0 Ok
        resume_request
    "#]],
    );
    check(
        &mut guest,
        "proxy_continue_response",
        args![],
        expect![[r#"
        proxy_continue_response() → 0 Ok
        resume_response
    "#]],
    );
    check(
        &mut guest,
        "proxy_clear_route_cache",
        args![],
        expect![[r#"
        proxy_clear_route_cache() → 0 Ok

    "#]],
    );
}

#[test]
fn each_version_has_its_own_names() {
    let has = |name| {
        [V0_1_0, V0_2_0, V0_2_1].map(|version| {
            host_functions(version)
                .iter()
                .any(|function| function.name == name)
        })
    };
    assert_eq!(has("proxy_continue_stream"), [false, true, true]);
    assert_eq!(has("proxy_close_stream"), [false, true, true]);
    assert_eq!(has("proxy_continue_request"), [true, false, false]);
    assert_eq!(has("proxy_continue_response"), [true, false, false]);
    assert_eq!(has("proxy_clear_route_cache"), [true, false, false]);
}
