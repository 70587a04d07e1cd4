use expect_test::{Expect, expect};
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::host::CallRefused;
use crate::numbers::Status;
use crate::pairs;
use crate::testing::{Argument, Guest, OUT, args};

fn map(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    pairs::encode(
        entries.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())),
        &mut bytes,
    );
    bytes
}

fn good() -> Vec<u8> {
    map(&[(":method", "POST"), (":path", "/"), (":authority", "up")])
}

fn check(arguments: Vec<Argument>, expected: Expect) {
    expected.assert_eq(&Guest::new(V0_2_1).call("proxy_http_call", arguments));
}

#[test]
fn http_call_goes_to_the_host_and_gives_an_id() {
    check(
        args!["up", good(), "body", map(&[("t", "1")]), 1500, OUT],
        expect![[r#"
            host: http call 1 of 1 p to "up": [:method: POST; :path: /; :authority: up; content-length: 4] b"body" [t: 1] within Some(1.5s)
            proxy_http_call(0x10100, 2, 0x10108, 63, 0x10148, 4, 0x10150, 16, 1500, 0x40100) → 0 Ok
            memory at 0x40100: ???? → \x01\x00\x00\x00
        "#]],
    );
    check(
        args!["up", good(), "", "", 0, OUT],
        expect![[r#"
        host: http call 1 of 1 p to "up": [:method: POST; :path: /; :authority: up] b"" [] within None
        proxy_http_call(0x10100, 2, 0x10108, 63, 0x10148, 0, 0x10148, 0, 0, 0x40100) → 0 Ok
        memory at 0x40100: ???? → \x01\x00\x00\x00
    "#]],
    );
}

#[test]
fn http_call_ids_differ() {
    let mut guest = Guest::new(V0_2_1);
    assert_eq!([guest.call_out(), guest.call_out(), guest.call_out()], [1, 2, 3]);
}

#[test]
fn http_call_needs_three_pseudo_headers() {
    for missing in [":method", ":path", ":authority"] {
        let all = [(":method", "GET"), (":path", "/"), (":authority", "up")];
        let rest: Vec<_> = all.into_iter().filter(|(name, _)| *name != missing).collect();
        let seen = Guest::new(V0_2_1).call("proxy_http_call", args!["up", map(&rest), "", "", 0, OUT]);
        assert!(
            seen.contains(&format!("the call to upstream \"up\" has no {missing} header")),
            "{seen}"
        );
        assert!(seen.contains("→ 2 BadArgument"), "{seen}");
    }
}

#[test]
fn http_call_refuses_a_negative_timeout() {
    check(
        args!["up", good(), "", "", -1, OUT],
        expect![[r#"
        p Debug: proxy_http_call in context 1: BadArgument: the timeout of -1 ms is below 0
        proxy_http_call(0x10100, 2, 0x10108, 63, 0x10148, 0, 0x10148, 0, 0xffffffff, 0x40100) → 2 BadArgument
        memory at 0x40100: ???? → \x00\x00\x00\x00
    "#]],
    );
}

#[test]
fn http_call_refuses_damaged_maps_by_their_names() {
    check(
        args!["up", vec![9, 9], "", "", 0, OUT],
        expect![[r#"
            p Debug: proxy_http_call in context 1: BadArgument: the headers: it ends in the middle of a pair
            proxy_http_call(0x10100, 2, 0x10108, 2, 0x10110, 0, 0x10110, 0, 0, 0x40100) → 2 BadArgument
        "#]],
    );
    check(
        args!["up", good(), "", vec![1, 0, 0, 0], 0, OUT],
        expect![[r#"
            p Debug: proxy_http_call in context 1: BadArgument: the trailers: it ends in the middle of a pair
            proxy_http_call(0x10100, 2, 0x10108, 63, 0x10148, 0, 0x10148, 4, 0, 0x40100) → 2 BadArgument
        "#]],
    );
    check(
        args!["up", map(&[("a b", "")]), "", "", 0, OUT],
        expect![[r#"
        p Debug: proxy_http_call in context 1: BadArgument: "a b" is not a header name
        proxy_http_call(0x10100, 2, 0x10108, 17, 0x10120, 0, 0x10120, 0, 0, 0x40100) → 2 BadArgument
    "#]],
    );
    check(
        args![b"\xff".to_vec(), good(), "", "", 0, OUT],
        expect![[r#"
        p Debug: proxy_http_call in context 1: BadArgument: the upstream's name is not UTF-8 text
        proxy_http_call(0x10100, 1, 0x10108, 63, 0x10148, 0, 0x10148, 0, 0, 0x40100) → 2 BadArgument
    "#]],
    );
}

#[test]
fn http_call_passes_the_hosts_refusal_on() {
    let mut guest = Guest::new(V0_2_1);
    guest.world.lock().refusal = Some(CallRefused::new(
        Status::BadArgument,
        "there is no upstream \"up\"",
    ));
    expect![[r#"
        p Debug: proxy_http_call in context 1: BadArgument: there is no upstream "up"
        proxy_http_call(0x10100, 2, 0x10108, 63, 0x10148, 0, 0x10148, 0, 0, 0x40100) → 2 BadArgument
        memory at 0x40100: ???? → \x00\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_http_call", args!["up", good(), "", "", 0, OUT]));
}
