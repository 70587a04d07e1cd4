use expect_test::{Expect, expect};
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::pairs;
use crate::testing::{Argument, Guest, args};

fn map(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    pairs::encode(
        entries.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())),
        &mut bytes,
    );
    bytes
}

fn check(arguments: Vec<Argument>, expected: Expect) {
    let mut guest = Guest::new(V0_2_1);
    let (seen, _) = guest.call_in_request_headers(&[("a", "1")], "proxy_send_local_response", arguments);
    let response = guest.vm.take_signals(guest.last_stream()).local_response;
    expected.assert_eq(&format!("{seen}{response:?}\n"));
}

#[test]
fn a_local_response_is_kept_until_the_callback_is_over() {
    check(
        args![403, "details", "no", map(&[("x", "1")]), -1],
        expect![[r#"
            proxy_send_local_response(403, 0x10100, 7, 0x10108, 2, 0x10110, 16, 0xffffffff) → 0 Ok
            Some(LocalResponse { status: 403, details: "details", headers: {"x": "1"}, body: b"no", grpc_status: None })
        "#]],
    );
    check(
        args![200, "", "", "", 7],
        expect![[r#"
            proxy_send_local_response(200, 0x10100, 0, 0x10100, 0, 0x10100, 0, 7) → 0 Ok
            Some(LocalResponse { status: 200, details: "", headers: {}, body: b"", grpc_status: Some(7) })
        "#]],
    );
}

#[test]
fn a_grpc_status_that_there_is_not_is_none() {
    for (given, taken) in [
        (0, Some(0)),
        (16, Some(16)),
        (17, None),
        (-1, None),
        (i32::MIN, None),
        (i32::MAX, None),
    ] {
        let mut guest = Guest::new(V0_2_1);
        let arguments = args![200, "", "", "", given];
        guest.call_in_request_headers(&[], "proxy_send_local_response", arguments);
        let response = guest.vm.take_signals(guest.last_stream()).local_response;
        assert_eq!(response.unwrap().grpc_status, taken, "{given}");
    }
}

#[test]
fn statuses_that_are_not_final_are_refused() {
    for status in [0, 100, 199, 600, 65_736, u32::MAX] {
        let (seen, _) = Guest::new(V0_2_1).call_in_request_headers(
            &[],
            "proxy_send_local_response",
            args![status, "", "", "", -1],
        );
        assert!(
            seen.contains(&format!("{status} is not a final HTTP status: 200 to 599")),
            "{seen}"
        );
        assert!(seen.contains("→ 2 BadArgument"), "{seen}");
    }
}

#[test]
fn bad_headers_are_refused() {
    check(
        args![200, "", "", map(&[("a b", "1")]), -1],
        expect![[r#"
        p Debug: proxy_send_local_response in context 2: BadArgument: "a b" is not a header name
        proxy_send_local_response(200, 0x10100, 0, 0x10100, 0, 0x10100, 18, 0xffffffff) → 2 BadArgument
        None
    "#]],
    );
    check(
        args![200, "", "", map(&[("a", "1\n")]), -1],
        expect![[r#"
        p Debug: proxy_send_local_response in context 2: BadArgument: the value of a has a control character in it
        proxy_send_local_response(200, 0x10100, 0, 0x10100, 0, 0x10100, 17, 0xffffffff) → 2 BadArgument
        None
    "#]],
    );
    check(
        args![200, "", "", vec![1, 0, 0, 0, 9], -1],
        expect![[r#"
            p Debug: proxy_send_local_response in context 2: BadArgument: the headers: it ends in the middle of a pair
            proxy_send_local_response(200, 0x10100, 0, 0x10100, 0, 0x10100, 5, 0xffffffff) → 2 BadArgument
            None
        "#]],
    );
}

#[test]
fn only_the_first_of_a_stream_counts() {
    let mut guest = Guest::new(V0_2_1);
    let (stream, _) = guest.open();
    for status in [401, 402] {
        guest.call_on(stream, "proxy_send_local_response", args![status, "", "", "", -1]);
    }
    let response = guest.vm.take_signals(stream).local_response.unwrap();
    assert_eq!(response.status, 401);
    guest.call_on(stream, "proxy_send_local_response", args![403, "", "", "", -1]);
    assert_eq!(guest.vm.take_signals(stream).local_response, None);
}

#[test]
fn outside_of_a_stream_it_does_nothing() {
    let mut guest = Guest::new(V0_2_1);
    let seen = guest.call("proxy_send_local_response", args![200, "", "", "", -1]);
    expect![[r#"
        proxy_send_local_response(200, 0x10100, 0, 0x10100, 0, 0x10100, 0, 0xffffffff) → 0 Ok
    "#]]
    .assert_eq(&seen);
}
