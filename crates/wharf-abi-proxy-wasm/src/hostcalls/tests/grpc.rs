use expect_test::expect;
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::host::CallRefused;
use crate::numbers::Status;
use crate::testing::{Argument, Callback, Guest, OUT, args};

fn call_arguments() -> Vec<Argument> {
    args!["up", "service", "method", "", "message", 100, OUT]
}

fn stream_arguments() -> Vec<Argument> {
    args!["up", "service", "method", "", OUT]
}

#[test]
fn an_id_tells_whether_it_is_a_calls_or_a_streams() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        host: grpc call 1 of 1 p to "up": service/method [] Some(b"message") within Some(100ms)
        proxy_grpc_call(0x10100, 2, 0x10108, 7, 0x10110, 6, 0x10118, 0, 0x10118, 7, 100, 0x40100) → 0 Ok
        memory at 0x40100: ???? → \x01\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_grpc_call", call_arguments()));
    expect![[r#"
        host: grpc call 2 of 1 p to "up": service/method [] None within None
        proxy_grpc_stream(0x10100, 2, 0x10108, 7, 0x10110, 6, 0x10118, 0, 0x40100) → 0 Ok
        memory at 0x40100: \x01 → \x02
    "#]]
    .assert_eq(&guest.call("proxy_grpc_stream", stream_arguments()));
    expect![[r#"
        host: grpc call 6 of 1 p to "up": service/method [] None within None
        proxy_grpc_stream(0x10100, 2, 0x10108, 7, 0x10110, 6, 0x10118, 0, 0x40100) → 0 Ok
        memory at 0x40100: \x02 → \x06
    "#]]
    .assert_eq(&guest.call("proxy_grpc_stream", stream_arguments()));
    expect![[r#"
        host: grpc call 9 of 1 p to "up": service/method [] Some(b"message") within Some(100ms)
        proxy_grpc_call(0x10100, 2, 0x10108, 7, 0x10110, 6, 0x10118, 0, 0x10118, 7, 100, 0x40100) → 0 Ok
        memory at 0x40100: \x06 → \t
    "#]]
    .assert_eq(&guest.call("proxy_grpc_call", call_arguments()));
}

#[test]
fn an_unknown_upstream_is_the_hosts_to_refuse() {
    let mut guest = Guest::new(V0_2_1);
    guest.world.lock().refusal = Some(CallRefused::new(
        Status::ParseFailure,
        "there is no upstream \"up\"",
    ));
    expect![[r#"
        p Debug: proxy_grpc_call in context 1: ParseFailure: there is no upstream "up"
        proxy_grpc_call(0x10100, 2, 0x10108, 7, 0x10110, 6, 0x10118, 0, 0x10118, 7, 100, 0x40100) → 4 ParseFailure
        memory at 0x40100: ???? → \x00\x00\x00\x00
    "#]].assert_eq(&guest.call("proxy_grpc_call", call_arguments()));
    expect![[r#"
        p Debug: proxy_grpc_stream in context 1: ParseFailure: there is no upstream "up"
        proxy_grpc_stream(0x10100, 2, 0x10108, 7, 0x10110, 6, 0x10118, 0, 0x40100) → 4 ParseFailure
    "#]]
    .assert_eq(&guest.call("proxy_grpc_stream", stream_arguments()));
}

#[test]
fn damaged_metadata_and_names_that_are_no_text_are_refused() {
    let mut guest = Guest::new(V0_2_1);
    let seen = guest.call("proxy_grpc_stream", args!["up", "s", "m", vec![1], OUT]);
    expect![[r#"
        p Debug: proxy_grpc_stream in context 1: BadArgument: the metadata: it ends in the middle of a pair
        proxy_grpc_stream(0x10100, 2, 0x10108, 1, 0x10110, 1, 0x10118, 1, 0x40100) → 2 BadArgument
    "#]]
    .assert_eq(&seen);
    let seen = guest.call("proxy_grpc_stream", args!["up", vec![0xff], "m", "", OUT]);
    expect![[r#"
        p Debug: proxy_grpc_stream in context 1: BadArgument: the service is not UTF-8 text
        proxy_grpc_stream(0x10100, 2, 0x10108, 1, 0x10110, 1, 0x10118, 0, 0x40100) → 2 BadArgument
    "#]]
    .assert_eq(&seen);
    let seen = guest.call("proxy_grpc_call", args!["up", "s", vec![0xff], "", "", 0, OUT]);
    expect![[r#"
        p Debug: proxy_grpc_call in context 1: BadArgument: the method is not UTF-8 text
        proxy_grpc_call(0x10100, 2, 0x10108, 1, 0x10110, 1, 0x10118, 0, 0x10118, 0, 0, 0x40100) → 2 BadArgument
    "#]].assert_eq(&seen);
}

#[test]
fn grpc_send_goes_to_an_open_stream() {
    let mut guest = Guest::new(V0_2_1);
    guest.call("proxy_grpc_stream", stream_arguments());
    expect![[r#"
        host: grpc 2: Send { message: b"one", end_of_stream: false }
        proxy_grpc_send(2, 0x10100, 3, 0) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_grpc_send", args![2, "one", 0]));
    expect![[r#"
        host: grpc 2: Send { message: b"last", end_of_stream: true }
        proxy_grpc_send(2, 0x10100, 4, 1) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_grpc_send", args![2, "last", 1]));
    expect![[r#"
        proxy_grpc_send(2, 0x10100, 8, 0) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_grpc_send", args![2, "too late", 0]));
}

#[test]
fn grpc_send_to_a_call_or_to_nothing_is_refused() {
    let mut guest = Guest::new(V0_2_1);
    guest.call("proxy_grpc_call", call_arguments());
    expect![[r#"
        p Debug: proxy_grpc_send in context 1: BadArgument: 1 is no stream; only a stream takes further messages
        proxy_grpc_send(1, 0x10100, 3, 0) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_grpc_send", args![1, "one", 0]));
    expect![[r#"
        p Debug: proxy_grpc_send in context 1: BadArgument: 4 is no stream; only a stream takes further messages
        proxy_grpc_send(4, 0x10100, 3, 0) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_grpc_send", args![4, "one", 0]));
    expect![[r#"
        p Debug: proxy_grpc_send in context 1: BadArgument: 0 is no stream; only a stream takes further messages
        proxy_grpc_send(0, 0x10100, 3, 0) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_grpc_send", args![0, "one", 0]));
}

#[test]
fn grpc_close_ends_a_call_and_half_closes_a_stream() {
    let mut guest = Guest::new(V0_2_1);
    guest.call("proxy_grpc_call", call_arguments());
    guest.call("proxy_grpc_stream", stream_arguments());
    expect![[r#"
        host: grpc 1: Cancel
        proxy_grpc_close(1) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_grpc_close", args![1]));
    expect![[r#"
        p Debug: proxy_grpc_close in context 1: NotFound: there is no open gRPC call-out 1
        proxy_grpc_close(1) → 1 NotFound
    "#]]
    .assert_eq(&guest.call("proxy_grpc_close", args![1]));
    expect![[r#"
        host: grpc 2: Close
        proxy_grpc_close(2) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_grpc_close", args![2]));
    expect![[r#"
        proxy_grpc_send(2, 0x10100, 8, 0) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_grpc_send", args![2, "too late", 0]));
}

#[test]
fn grpc_cancel_forgets() {
    let mut guest = Guest::new(V0_2_1);
    guest.call("proxy_grpc_stream", stream_arguments());
    expect![[r#"
        host: grpc 2: Cancel
        proxy_grpc_cancel(2) → 0 Ok
    "#]]
    .assert_eq(&guest.call("proxy_grpc_cancel", args![2]));
    expect![[r#"
        p Debug: proxy_grpc_cancel in context 1: NotFound: there is no open gRPC call-out 2
        proxy_grpc_cancel(2) → 1 NotFound
    "#]]
    .assert_eq(&guest.call("proxy_grpc_cancel", args![2]));
    expect![[r#"
        p Debug: proxy_grpc_cancel in context 1: BadArgument: 4294967295 is neither a gRPC call nor a gRPC stream
        proxy_grpc_cancel(0xffffffff) → 2 BadArgument
    "#]]
    .assert_eq(&guest.call("proxy_grpc_cancel", args![u32::MAX]));
}

#[test]
fn get_status_gives_the_last_call_outs() {
    let mut guest = Guest::new(V0_2_1);
    expect![[r#"
        proxy_get_status(0x40100, 0x40108, 0x40110) → 0 Ok
        memory at 0x40100: ???????????????????? → \x00\x00\x00\x00????\x00\x00\x00\x00????\x00\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_status", args![OUT, OUT + 8, OUT + 16]));
    guest.call("proxy_grpc_stream", stream_arguments());
    let seen = guest.call_in(
        Callback::GrpcClose,
        "proxy_get_status",
        args![OUT, OUT + 8, OUT + 16],
        |guest| {
            guest
                .vm
                .on_grpc_close(guest.root, 2, 14, "unavailable".into())
                .unwrap()
        },
    );
    expect![[r#"
        proxy_get_status(0x40100, 0x40108, 0x40110) → 0 Ok
        memory at 0x100: ??????????? → unavailable
        memory at 0x40100: \x02 → \x0e
        memory at 0x40109: \x00\x00\x00????\x00 → \x01\x00\x00????\x0b
    "#]]
    .assert_eq(&seen);
    guest.put(OUT, &[b'?'; 32]);
    expect![[r#"
        proxy_get_status(0x40100, 0x40108, 0x40110) → 0 Ok
        memory at 0x40100: ???????????????????? → \x0e\x00\x00\x00????\x00\x00\x00\x00????\x00\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_status", args![OUT, OUT + 8, OUT + 16]));
}
