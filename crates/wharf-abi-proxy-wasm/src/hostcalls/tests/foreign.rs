use expect_test::{Expect, expect};
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::testing::{Argument, Guest, OUT, args};

fn check(arguments: Vec<Argument>, expected: Expect) {
    expected.assert_eq(&Guest::new(V0_2_1).call("proxy_call_foreign_function", arguments));
}

#[test]
fn compress_and_uncompress_are_zlib() {
    let compressed = b"x\x9c+\xcfH,J\x03\x00\x06e\x02\x19".to_vec();
    check(
        args!["compress", "wharf", OUT, OUT + 4],
        expect![[r#"
        proxy_call_foreign_function(0x10100, 8, 0x10108, 5, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ????????????? → x\x9c+\xcfH,J\x03\x00\x06e\x02\x19
        memory at 0x40100: ???????? → \x00\x01\x00\x00\r\x00\x00\x00
    "#]],
    );
    check(
        args!["uncompress", compressed, OUT, OUT + 4],
        expect![[r#"
            proxy_call_foreign_function(0x10100, 10, 0x10110, 13, 0x40100, 0x40104) → 0 Ok
            memory at 0x100: ????? → wharf
            memory at 0x40100: ???????? → \x00\x01\x00\x00\x05\x00\x00\x00
        "#]],
    );
    check(
        args!["uncompress", "not zlib", OUT, OUT + 4],
        expect![[r#"
        p Debug: proxy_call_foreign_function in context 1: SerializationFailure: the data is not zlib's: corrupt deflate stream
        proxy_call_foreign_function(0x10100, 10, 0x10110, 8, 0x40100, 0x40104) → 3 SerializationFailure
    "#]],
    );
}

#[test]
fn the_result_may_be_unwanted() {
    check(
        args!["compress", "wharf", 0, OUT + 4],
        expect![[r#"
        proxy_call_foreign_function(0x10100, 8, 0x10108, 5, 0, 0x40104) → 0 Ok
        memory at 0x40104: ???? → \r\x00\x00\x00
    "#]],
    );
    check(
        args!["compress", "wharf", 0, 0],
        expect![[r#"
        proxy_call_foreign_function(0x10100, 8, 0x10108, 5, 0, 0) → 0 Ok
    "#]],
    );
    check(
        args!["compress", "wharf", OUT, 0],
        expect![[r#"
        proxy_call_foreign_function(0x10100, 8, 0x10108, 5, 0x40100, 0) → 0 Ok
        memory at 0x100: ????????????? → x\x9c+\xcfH,J\x03\x00\x06e\x02\x19
        memory at 0x40100: ???? → \x00\x01\x00\x00
    "#]],
    );
}

#[test]
fn set_envoy_filter_state_is_a_property() {
    let mut guest = Guest::new(V0_2_1);
    let arguments = args![
        "set_envoy_filter_state",
        b"\x0a\x01k\x12\x02vv".to_vec(),
        OUT,
        OUT + 4
    ];
    let (seen, exchange) = guest.call_in_request_headers(&[], "proxy_call_foreign_function", arguments);
    expect![[r#"
        proxy_call_foreign_function(0x10100, 22, 0x10118, 7, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
    "#]]
    .assert_eq(&seen);
    assert_eq!(exchange.borrow().filter_state[&b"k"[..]], "vv");
    check(
        args!["set_envoy_filter_state", b"\x0a\x01k".to_vec(), 0, 0],
        expect![[r#"
            p Debug: proxy_call_foreign_function in context 1: NotFound: filter state can only be set on a stream
            proxy_call_foreign_function(0x10100, 22, 0x10118, 3, 0, 0) → 1 NotFound
        "#]],
    );
    check(
        args!["set_envoy_filter_state", b"\x0a\x09k".to_vec(), 0, 0],
        expect![[r#"
            p Debug: proxy_call_foreign_function in context 1: BadArgument: the arguments are not a message of path and value
            proxy_call_foreign_function(0x10100, 22, 0x10118, 3, 0, 0) → 2 BadArgument
        "#]],
    );
}

#[test]
fn clear_route_cache_and_declare_property_do_nothing() {
    check(
        args!["clear_route_cache", "", 0, 0],
        expect![[r#"
        proxy_call_foreign_function(0x10100, 17, 0x10118, 0, 0, 0) → 0 Ok
    "#]],
    );
    check(
        args!["declare_property", "anything", OUT, OUT + 4],
        expect![[r#"
        proxy_call_foreign_function(0x10100, 16, 0x10110, 8, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
    "#]],
    );
}

#[test]
fn the_host_adds_functions_and_refuses() {
    check(
        args!["reverse", "abc", OUT, OUT + 4],
        expect![[r#"
        proxy_call_foreign_function(0x10100, 7, 0x10108, 3, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ??? → cba
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x03\x00\x00\x00
    "#]],
    );
    check(
        args!["refuse", "", OUT, OUT + 4],
        expect![[r#"
        p Debug: proxy_call_foreign_function in context 1: Unimplemented: it is refused here
        proxy_call_foreign_function(0x10100, 6, 0x10108, 0, 0x40100, 0x40104) → 12 Unimplemented
    "#]],
    );
}

#[test]
fn unknown_functions_are_not_found() {
    check(
        args!["expr_create", "", OUT, OUT + 4],
        expect![[r#"
        p Debug: proxy_call_foreign_function in context 1: NotFound: this host has no foreign function "expr_create"
        proxy_call_foreign_function(0x10100, 11, 0x10110, 0, 0x40100, 0x40104) → 1 NotFound
    "#]],
    );
    check(
        args!["", "", OUT, OUT + 4],
        expect![[r#"
        p Debug: proxy_call_foreign_function in context 1: NotFound: this host has no foreign function ""
        proxy_call_foreign_function(0x10100, 0, 0x10100, 0, 0x40100, 0x40104) → 1 NotFound
    "#]],
    );
    check(
        args![vec![0xff], "", OUT, OUT + 4],
        expect![[r#"
            p Debug: proxy_call_foreign_function in context 1: NotFound: this host has no foreign function "\xff"
            proxy_call_foreign_function(0x10100, 1, 0x10108, 0, 0x40100, 0x40104) → 1 NotFound
        "#]],
    );
}
