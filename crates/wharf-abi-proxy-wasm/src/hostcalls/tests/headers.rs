use bytes::Bytes;
use expect_test::{Expect, expect};
use wharf_plugin::ProxyWasmVersion::{self, V0_1_0, V0_2_0, V0_2_1};

use crate::context::Direction;
use crate::host::HttpCallResponse;
use crate::pairs;
use crate::testing::{Argument, Callback, Guest, OUT, args, header_text, list};

const HEADERS: &[(&str, &str)] = &[(":path", "/"), ("a", "1"), ("b", "2"), ("a", "3")];

fn call_in(version: ProxyWasmVersion, function: &'static str, arguments: Vec<Argument>) -> String {
    let (seen, exchange) = Guest::new(version).call_in_request_headers(HEADERS, function, arguments);
    let exchange = exchange.borrow();
    let headers = header_text(exchange.request_headers.as_ref().unwrap());
    format!("{seen}[{headers}]\n")
}

/// The same in both newer versions.
fn check(function: &'static str, arguments: Vec<Argument>, expected: Expect) {
    let seen = call_in(V0_2_1, function, arguments.clone());
    assert_eq!(call_in(V0_2_0, function, arguments), seen);
    expected.assert_eq(&seen);
}

#[test]
fn get_header_map_size_counts_names_and_values() {
    check(
        "proxy_get_header_map_size",
        args![0, OUT],
        expect![[r#"
        proxy_get_header_map_size(0, 0x40100) → 0 Ok
        memory at 0x40100: ???? → \x0c\x00\x00\x00
        [:path: /; a: 1; b: 2; a: 3]
    "#]],
    );
}

#[test]
fn get_header_map_pairs_gives_all_serialized() {
    check(
        "proxy_get_header_map_pairs",
        args![0, OUT, OUT + 4],
        expect![[r#"
        proxy_get_header_map_pairs(0, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ???????????????????????????????????????????????????????? → \x04\x00\x00\x00\x05\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00:path\x00/\x00a\x001\x00b\x002\x00a\x003\x00
        memory at 0x40100: ???????? → \x00\x01\x00\x008\x00\x00\x00
        [:path: /; a: 1; b: 2; a: 3]
    "#]],
    );
}

#[test]
fn get_header_map_value_gives_the_first() {
    check(
        "proxy_get_header_map_value",
        args![0, "a", OUT, OUT + 4],
        expect![[r#"
            proxy_get_header_map_value(0, 0x10100, 1, 0x40100, 0x40104) → 0 Ok
            memory at 0x100: ? → 1
            memory at 0x40100: ???????? → \x00\x01\x00\x00\x01\x00\x00\x00
            [:path: /; a: 1; b: 2; a: 3]
        "#]],
    );
    check(
        "proxy_get_header_map_value",
        args![0, "A", OUT, OUT + 4],
        expect![[r#"
            proxy_get_header_map_value(0, 0x10100, 1, 0x40100, 0x40104) → 0 Ok
            memory at 0x100: ? → 1
            memory at 0x40100: ???????? → \x00\x01\x00\x00\x01\x00\x00\x00
            [:path: /; a: 1; b: 2; a: 3]
        "#]],
    );
    check(
        "proxy_get_header_map_value",
        args![0, ":path", OUT, OUT + 4],
        expect![[r#"
            proxy_get_header_map_value(0, 0x10100, 5, 0x40100, 0x40104) → 0 Ok
            memory at 0x100: ? → /
            memory at 0x40100: ???????? → \x00\x01\x00\x00\x01\x00\x00\x00
            [:path: /; a: 1; b: 2; a: 3]
        "#]],
    );
}

#[test]
fn get_header_map_value_of_a_missing_name_depends_on_the_version() {
    let arguments = || args![0, "none", OUT, OUT + 4];
    check(
        "proxy_get_header_map_value",
        arguments(),
        expect![[r#"
            p Debug: proxy_get_header_map_value in context 2: NotFound: there is no "none" in RequestHeaders
            proxy_get_header_map_value(0, 0x10100, 4, 0x40100, 0x40104) → 1 NotFound
            [:path: /; a: 1; b: 2; a: 3]
        "#]],
    );
    let old = call_in(V0_1_0, "proxy_get_header_map_value", arguments());
    expect![[r#"
        proxy_get_header_map_value(0, 0x10100, 4, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        [:path: /; a: 1; b: 2; a: 3]
    "#]]
    .assert_eq(&old);
    check(
        "proxy_get_header_map_value",
        args![0, "", OUT, OUT + 4],
        expect![[r#"
            p Debug: proxy_get_header_map_value in context 2: NotFound: there is no "" in RequestHeaders
            proxy_get_header_map_value(0, 0x10100, 0, 0x40100, 0x40104) → 1 NotFound
            [:path: /; a: 1; b: 2; a: 3]
        "#]],
    );
}

#[test]
fn add_header_map_value_keeps_what_is_there() {
    check(
        "proxy_add_header_map_value",
        args![0, "A", "9"],
        expect![[r#"
        proxy_add_header_map_value(0, 0x10100, 1, 0x10108, 1) → 0 Ok
        [:path: /; a: 1; b: 2; a: 3; a: 9]
    "#]],
    );
    check(
        "proxy_add_header_map_value",
        args![0, "new", ""],
        expect![[r#"
        proxy_add_header_map_value(0, 0x10100, 3, 0x10108, 0) → 0 Ok
        [:path: /; a: 1; b: 2; a: 3; new: ]
    "#]],
    );
    check(
        "proxy_add_header_map_value",
        args![0, ":path", "/new"],
        expect![[r#"
            proxy_add_header_map_value(0, 0x10100, 5, 0x10108, 4) → 0 Ok
            [:path: /new; a: 1; b: 2; a: 3]
        "#]],
    );
}

#[test]
fn replace_header_map_value_leaves_one() {
    check(
        "proxy_replace_header_map_value",
        args![0, "A", "9"],
        expect![[r#"
        proxy_replace_header_map_value(0, 0x10100, 1, 0x10108, 1) → 0 Ok
        [:path: /; a: 9; b: 2]
    "#]],
    );
    check(
        "proxy_replace_header_map_value",
        args![0, "new", "9"],
        expect![[r#"
            proxy_replace_header_map_value(0, 0x10100, 3, 0x10108, 1) → 0 Ok
            [:path: /; a: 1; b: 2; a: 3; new: 9]
        "#]],
    );
}

#[test]
fn remove_header_map_value_removes_all_of_a_name() {
    check(
        "proxy_remove_header_map_value",
        args![0, "A"],
        expect![[r#"
        proxy_remove_header_map_value(0, 0x10100, 1) → 0 Ok
        [:path: /; b: 2]
    "#]],
    );
    check(
        "proxy_remove_header_map_value",
        args![0, "none"],
        expect![[r#"
        proxy_remove_header_map_value(0, 0x10100, 4) → 0 Ok
        [:path: /; a: 1; b: 2; a: 3]
    "#]],
    );
}

#[test]
fn set_header_map_pairs_replaces_all() {
    let mut map = Vec::new();
    pairs::encode([(&b":path"[..], &b"/x"[..]), (b"C", b"4")].into_iter(), &mut map);
    check(
        "proxy_set_header_map_pairs",
        args![0, map.clone()],
        expect![[r#"
        proxy_set_header_map_pairs(0, 0x10100, 33) → 0 Ok
        [:path: /x; c: 4]
    "#]],
    );
    check(
        "proxy_set_header_map_pairs",
        args![0, ""],
        expect![[r#"
        proxy_set_header_map_pairs(0, 0x10100, 0) → 0 Ok
        []
    "#]],
    );
    map.pop();
    check(
        "proxy_set_header_map_pairs",
        args![0, map],
        expect![[r#"
            p Debug: proxy_set_header_map_pairs in context 2: BadArgument: the map: it ends in the middle of a pair
            proxy_set_header_map_pairs(0, 0x10100, 32) → 2 BadArgument
            [:path: /; a: 1; b: 2; a: 3]
        "#]],
    );
}

#[test]
fn what_would_split_a_message_is_refused() {
    check(
        "proxy_add_header_map_value",
        args![0, "a b", "1"],
        expect![[r#"
        p Debug: proxy_add_header_map_value in context 2: BadArgument: "a b" is not a header name
        proxy_add_header_map_value(0, 0x10100, 3, 0x10108, 1) → 2 BadArgument
        [:path: /; a: 1; b: 2; a: 3]
    "#]],
    );
    check(
        "proxy_add_header_map_value",
        args![0, "a", "1\r\nb: 2"],
        expect![[r#"
            p Debug: proxy_add_header_map_value in context 2: BadArgument: the value of a has a control character in it
            proxy_add_header_map_value(0, 0x10100, 1, 0x10108, 7) → 2 BadArgument
            [:path: /; a: 1; b: 2; a: 3]
        "#]],
    );
    check(
        "proxy_replace_header_map_value",
        args![0, "", "1"],
        expect![[r#"
        p Debug: proxy_replace_header_map_value in context 2: BadArgument: "" is not a header name
        proxy_replace_header_map_value(0, 0x10100, 0, 0x10100, 1) → 2 BadArgument
        [:path: /; a: 1; b: 2; a: 3]
    "#]],
    );
    check(
        "proxy_replace_header_map_value",
        args![0, ":other", "1"],
        expect![[r#"
            p Debug: proxy_replace_header_map_value in context 2: BadArgument: ":other" is not a header name
            proxy_replace_header_map_value(0, 0x10100, 6, 0x10108, 1) → 2 BadArgument
            [:path: /; a: 1; b: 2; a: 3]
        "#]],
    );
    let mut map = Vec::new();
    pairs::encode([(&b"a\0"[..], &b"1"[..])].into_iter(), &mut map);
    check(
        "proxy_set_header_map_pairs",
        args![0, map],
        expect![[r#"
        p Debug: proxy_set_header_map_pairs in context 2: BadArgument: "a\0" is not a header name
        proxy_set_header_map_pairs(0, 0x10100, 17) → 2 BadArgument
        [:path: /; a: 1; b: 2; a: 3]
    "#]],
    );
}

#[test]
fn unknown_maps_are_refused() {
    for (function, arguments) in each_function(8) {
        let seen = Guest::new(V0_2_1).call(function, arguments);
        assert!(seen.contains("8 is not a map"), "{seen}");
        assert!(
            seen.contains("→ 2 BadArgument") && !seen.contains("memory"),
            "{seen}"
        );
    }
}

/// Every function of this section on the map `map`.
fn each_function(map: u32) -> Vec<(&'static str, Vec<Argument>)> {
    vec![
        ("proxy_get_header_map_size", args![map, OUT]),
        ("proxy_get_header_map_pairs", args![map, OUT, OUT + 4]),
        ("proxy_set_header_map_pairs", args![map, ""]),
        ("proxy_get_header_map_value", args![map, "a", OUT, OUT + 4]),
        ("proxy_add_header_map_value", args![map, "a", "1"]),
        ("proxy_replace_header_map_value", args![map, "a", "1"]),
        ("proxy_remove_header_map_value", args![map, "a"]),
    ]
}

#[test]
fn a_map_that_cannot_be_seen_now() {
    let mut all = String::new();
    for map in 0..8 {
        for (function, arguments) in each_function(map) {
            if map == 2 || map == 6 {
                all += &Guest::new(V0_2_1).call(function, arguments);
            } else {
                let seen = Guest::new(V0_2_1).call(function, arguments);
                let empty = function == "proxy_get_header_map_pairs";
                let status = if empty { "→ 0 Ok" } else { "→ 2 BadArgument" };
                assert!(seen.contains(status), "{seen}");
            }
        }
    }
    expect![[r#"
        p Debug: proxy_get_header_map_size in context 1: BadArgument: ResponseHeaders cannot be seen or changed in this callback
        proxy_get_header_map_size(2, 0x40100) → 2 BadArgument
        proxy_get_header_map_pairs(2, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        p Debug: proxy_set_header_map_pairs in context 1: BadArgument: ResponseHeaders cannot be seen or changed in this callback
        proxy_set_header_map_pairs(2, 0x10100, 0) → 2 BadArgument
        p Debug: proxy_get_header_map_value in context 1: BadArgument: ResponseHeaders cannot be seen or changed in this callback
        proxy_get_header_map_value(2, 0x10100, 1, 0x40100, 0x40104) → 2 BadArgument
        p Debug: proxy_add_header_map_value in context 1: BadArgument: ResponseHeaders cannot be seen or changed in this callback
        proxy_add_header_map_value(2, 0x10100, 1, 0x10108, 1) → 2 BadArgument
        p Debug: proxy_replace_header_map_value in context 1: BadArgument: ResponseHeaders cannot be seen or changed in this callback
        proxy_replace_header_map_value(2, 0x10100, 1, 0x10108, 1) → 2 BadArgument
        p Debug: proxy_remove_header_map_value in context 1: BadArgument: ResponseHeaders cannot be seen or changed in this callback
        proxy_remove_header_map_value(2, 0x10100, 1) → 2 BadArgument
        p Debug: proxy_get_header_map_size in context 1: BadArgument: HttpCallHeaders cannot be seen or changed in this callback
        proxy_get_header_map_size(6, 0x40100) → 2 BadArgument
        proxy_get_header_map_pairs(6, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        p Debug: proxy_set_header_map_pairs in context 1: BadArgument: HttpCallHeaders cannot be seen or changed in this callback
        proxy_set_header_map_pairs(6, 0x10100, 0) → 2 BadArgument
        p Debug: proxy_get_header_map_value in context 1: BadArgument: HttpCallHeaders cannot be seen or changed in this callback
        proxy_get_header_map_value(6, 0x10100, 1, 0x40100, 0x40104) → 2 BadArgument
        p Debug: proxy_add_header_map_value in context 1: BadArgument: HttpCallHeaders cannot be seen or changed in this callback
        proxy_add_header_map_value(6, 0x10100, 1, 0x10108, 1) → 2 BadArgument
        p Debug: proxy_replace_header_map_value in context 1: BadArgument: HttpCallHeaders cannot be seen or changed in this callback
        proxy_replace_header_map_value(6, 0x10100, 1, 0x10108, 1) → 2 BadArgument
        p Debug: proxy_remove_header_map_value in context 1: BadArgument: HttpCallHeaders cannot be seen or changed in this callback
        proxy_remove_header_map_value(6, 0x10100, 1) → 2 BadArgument
    "#]].assert_eq(&all);
}

#[test]
fn headers_cannot_be_seen_in_a_later_body_callback() {
    let mut guest = Guest::new(V0_2_1);
    let arguments = args![0, "a", OUT, OUT + 4];
    let (seen, _) = guest.call_in_request_body("body", true, "proxy_get_header_map_value", arguments);
    expect![[r#"
        p Debug: proxy_get_header_map_value in context 2: BadArgument: RequestHeaders cannot be seen or changed in this callback
        proxy_get_header_map_value(0, 0x10100, 1, 0x40100, 0x40104) → 2 BadArgument
    "#]].assert_eq(&seen);
}

#[test]
fn response_headers_and_trailers_have_maps_of_their_own() {
    for (callback, map) in [
        (Callback::ResponseHeaders, 2),
        (Callback::ResponseTrailers, 3),
        (Callback::RequestTrailers, 1),
    ] {
        let mut guest = Guest::new(V0_2_1);
        let (stream, exchange) = guest.open();
        exchange.borrow_mut().response_headers = Some(list(&[("a", "h")]));
        exchange.borrow_mut().response_trailers = Some(list(&[("a", "t")]));
        exchange.borrow_mut().request_trailers = Some(list(&[("a", "r")]));
        let seen = guest.call_in(
            callback,
            "proxy_get_header_map_value",
            args![map, "a", OUT, OUT + 4],
            |guest| match callback {
                Callback::ResponseHeaders => {
                    _ = guest.vm.on_headers(stream, Direction::Response, false).unwrap()
                }
                Callback::ResponseTrailers => _ = guest.vm.on_trailers(stream, Direction::Response).unwrap(),
                _ => _ = guest.vm.on_trailers(stream, Direction::Request).unwrap(),
            },
        );
        let value = match map {
            1 => "r",
            2 => "h",
            _ => "t",
        };
        assert!(
            seen.contains("→ 0 Ok") && seen.contains(&format!("? → {value}\n")),
            "{seen}"
        );
    }
}

#[test]
fn trailers_are_made_in_the_last_body_callback_only() {
    for (last, expected) in [
        (
            true,
            expect![[r#"
        proxy_add_header_map_value(3, 0x10100, 1, 0x10108, 1) → 0 Ok
        Some("t: 1")
    "#]],
        ),
        (
            false,
            expect![[r#"
        p Debug: proxy_add_header_map_value in context 2: BadArgument: ResponseTrailers cannot be seen or changed in this callback
        proxy_add_header_map_value(3, 0x10100, 1, 0x10108, 1) → 2 BadArgument
        None
    "#]],
        ),
    ] {
        let mut guest = Guest::new(V0_2_1);
        let (stream, exchange) = guest.open();
        let seen = guest.call_in(
            Callback::ResponseBody,
            "proxy_add_header_map_value",
            args![3, "t", "1"],
            |guest| {
                _ = guest.vm.on_body(stream, Direction::Response, last).unwrap();
            },
        );
        let trailers = exchange.borrow().response_trailers.as_ref().map(header_text);
        expected.assert_eq(&format!("{seen}{trailers:?}\n"));
    }
}

#[test]
fn all_maps_can_be_read_when_the_stream_is_logged() {
    let mut guest = Guest::new(V0_2_1);
    let (stream, exchange) = guest.open();
    exchange.borrow_mut().request_headers = Some(list(&[("a", "1")]));
    let seen = guest.call_in(
        Callback::Log,
        "proxy_get_header_map_value",
        args![0, "a", OUT, OUT + 4],
        |guest| {
            guest.vm.close_stream(stream).unwrap();
        },
    );
    expect![[r#"
        proxy_get_header_map_value(0, 0x10100, 1, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ? → 1
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x01\x00\x00\x00
    "#]]
    .assert_eq(&seen);
    let (stream, exchange) = guest.open();
    exchange.borrow_mut().request_headers = Some(list(&[("a", "1")]));
    let seen = guest.call_in(
        Callback::Log,
        "proxy_add_header_map_value",
        args![0, "b", "1"],
        |guest| {
            guest.vm.close_stream(stream).unwrap();
        },
    );
    expect![[r#"
        p Debug: proxy_add_header_map_value in context 3: BadArgument: RequestHeaders cannot be seen or changed in this callback
        proxy_add_header_map_value(0, 0x10100, 1, 0x10108, 1) → 2 BadArgument
    "#]].assert_eq(&seen);
}

/// A filter that logs asks for whatever there may have been.
#[test]
fn a_map_that_is_not_there_when_the_stream_is_logged_has_no_names() {
    for (version, expected) in [
        (
            V0_2_1,
            expect![[r#"
        p Debug: proxy_get_header_map_value in context 2: NotFound: there is no "a" in ResponseTrailers
        proxy_get_header_map_value(3, 0x10100, 1, 0x40100, 0x40104) → 1 NotFound
    "#]],
        ),
        (
            V0_1_0,
            expect![[r#"
        proxy_get_header_map_value(3, 0x10100, 1, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
    "#]],
        ),
    ] {
        let mut guest = Guest::new(version);
        let (stream, _) = guest.open();
        let seen = guest.call_in(
            Callback::Log,
            "proxy_get_header_map_value",
            args![3, "a", OUT, OUT + 4],
            |guest| guest.vm.close_stream(stream).unwrap(),
        );
        expected.assert_eq(&seen);
    }
}

#[test]
fn the_maps_of_a_call_outs_answer_can_be_read_and_not_changed() {
    for (function, map, expected) in [
        (
            "proxy_get_header_map_pairs",
            6,
            expect![[r#"
            proxy_get_header_map_pairs(6, 0x40100, 0x40104) → 0 Ok
            memory at 0x100: ???????????????????????? → \x01\x00\x00\x00\x07\x00\x00\x00\x03\x00\x00\x00:status\x00200\x00
            memory at 0x40100: \x01\x00\x00\x00???? → \x00\x01\x00\x00\x18\x00\x00\x00
        "#]],
        ),
        (
            "proxy_get_header_map_size",
            7,
            expect![[r#"
            proxy_get_header_map_size(7, 0x40100) → 0 Ok
            memory at 0x40100: \x01 → \x03
        "#]],
        ),
        (
            "proxy_set_header_map_pairs",
            6,
            expect![[r#"
            p Debug: proxy_set_header_map_pairs in context 1: BadArgument: HttpCallHeaders cannot be seen or changed in this callback
            proxy_set_header_map_pairs(6, 0x10110, 0) → 2 BadArgument
        "#]],
        ),
    ] {
        let mut guest = Guest::new(V0_2_1);
        let id = guest.call_out();
        let answer = HttpCallResponse {
            headers: list(&[(":status", "200")]),
            body: Bytes::new(),
            trailers: list(&[("t", "12")]),
        };
        let arguments = match function {
            "proxy_get_header_map_size" => args![map, OUT],
            "proxy_set_header_map_pairs" => args![map, ""],
            _ => args![map, OUT, OUT + 4],
        };
        let seen = guest.call_in(Callback::HttpCallResponse, function, arguments, |guest| {
            guest
                .vm
                .on_http_call_response(guest.root, id, Some(answer))
                .unwrap();
        });
        expected.assert_eq(&seen);
    }
}

#[test]
fn grpc_metadata() {
    for callback in [Callback::GrpcInitialMetadata, Callback::GrpcTrailingMetadata] {
        let mut guest = Guest::new(V0_2_1);
        guest.call("proxy_grpc_stream", args!["up", "service", "method", "", OUT]);
        let initial = callback == Callback::GrpcInitialMetadata;
        let map = if initial { 4 } else { 5 };
        let seen = guest.call_in(
            callback,
            "proxy_get_header_map_value",
            args![map, "a", OUT, OUT + 4],
            |guest| {
                let metadata = list(&[("a", "m")]);
                if initial {
                    guest
                        .vm
                        .on_grpc_initial_metadata(guest.root, 2, metadata)
                        .unwrap();
                } else {
                    guest
                        .vm
                        .on_grpc_trailing_metadata(guest.root, 2, metadata)
                        .unwrap();
                }
            },
        );
        assert!(seen.contains("→ 0 Ok") && seen.contains("? → m\n"), "{seen}");
    }
}

#[test]
fn a_map_is_bounded() {
    let mut guest = Guest::new(V0_2_1);
    let mut map = 1025_u32.to_le_bytes().to_vec();
    map.extend([0; 64]);
    let (seen, _) = guest.call_in_request_headers(HEADERS, "proxy_set_header_map_pairs", args![0, map]);
    expect![[r#"
        p Debug: proxy_set_header_map_pairs in context 2: BadArgument: the map: it says that it has 1025 pairs; at most 1024 are taken
        proxy_set_header_map_pairs(0, 0x10100, 68) → 2 BadArgument
    "#]].assert_eq(&seen);
}
