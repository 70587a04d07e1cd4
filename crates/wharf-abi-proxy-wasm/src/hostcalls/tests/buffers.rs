use bytes::Bytes;
use expect_test::{Expect, expect};
use wharf_plugin::ProxyWasmVersion::{V0_1_0, V0_2_1};

use crate::body::Body;
use crate::host::HttpCallResponse;
use crate::testing::{Argument, Callback, Guest, GuestOptions, OUT, args, contents, list};

/// Reads the body `body` in its callback.
fn check_read(start: u32, maximum: u32, expected: Expect) {
    let arguments = args![0, start, maximum, OUT, OUT + 4];
    let (seen, _) =
        Guest::new(V0_2_1).call_in_request_body("hello", false, "proxy_get_buffer_bytes", arguments);
    expected.assert_eq(&seen);
}

#[test]
fn get_buffer_bytes_reads_what_is_asked_for() {
    check_read(
        0,
        100,
        expect![[r#"
        proxy_get_buffer_bytes(0, 0, 100, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ????? → hello
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x05\x00\x00\x00
    "#]],
    );
    check_read(
        1,
        3,
        expect![[r#"
        proxy_get_buffer_bytes(0, 1, 3, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ??? → ell
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x03\x00\x00\x00
    "#]],
    );
    check_read(
        4,
        1,
        expect![[r#"
        proxy_get_buffer_bytes(0, 4, 1, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ? → o
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x01\x00\x00\x00
    "#]],
    );
}

#[test]
fn get_buffer_bytes_past_the_end_is_empty() {
    check_read(
        5,
        1,
        expect![[r#"
        proxy_get_buffer_bytes(0, 5, 1, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
    "#]],
    );
    check_read(
        6,
        1,
        expect![[r#"
        proxy_get_buffer_bytes(0, 6, 1, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
    "#]],
    );
    check_read(
        0,
        0,
        expect![[r#"
        proxy_get_buffer_bytes(0, 0, 0, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
    "#]],
    );
}

#[test]
fn get_buffer_bytes_reads_to_the_end_where_the_sum_is_over_32_bits() {
    check_read(
        1,
        u32::MAX,
        expect![[r#"
            proxy_get_buffer_bytes(0, 1, 0xffffffff, 0x40100, 0x40104) → 0 Ok
            memory at 0x100: ???? → ello
            memory at 0x40100: ???????? → \x00\x01\x00\x00\x04\x00\x00\x00
        "#]],
    );
    check_read(
        u32::MAX,
        u32::MAX,
        expect![[r#"
            proxy_get_buffer_bytes(0, 0xffffffff, 0xffffffff, 0x40100, 0x40104) → 0 Ok
            memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        "#]],
    );
    check_read(
        0,
        u32::MAX,
        expect![[r#"
        proxy_get_buffer_bytes(0, 0, 0xffffffff, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ????? → hello
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x05\x00\x00\x00
    "#]],
    );
}

fn check(function: &'static str, arguments: Vec<Argument>, expected: Expect) {
    expected.assert_eq(&Guest::new(V0_2_1).call(function, arguments));
}

#[test]
fn unknown_buffers_are_refused() {
    check(
        "proxy_get_buffer_bytes",
        args![9, 0, 1, OUT, OUT + 4],
        expect![[r#"
            p Debug: proxy_get_buffer_bytes in context 1: BadArgument: 9 is not a buffer
            proxy_get_buffer_bytes(9, 0, 1, 0x40100, 0x40104) → 2 BadArgument
        "#]],
    );
    check(
        "proxy_get_buffer_status",
        args![u32::MAX, OUT, OUT + 4],
        expect![[r#"
            p Debug: proxy_get_buffer_status in context 1: BadArgument: 4294967295 is not a buffer
            proxy_get_buffer_status(0xffffffff, 0x40100, 0x40104) → 2 BadArgument
        "#]],
    );
    check(
        "proxy_set_buffer_bytes",
        args![9, 0, 0, "x"],
        expect![[r#"
        p Debug: proxy_set_buffer_bytes in context 1: BadArgument: 9 is not a buffer
        proxy_set_buffer_bytes(9, 0, 0, 0x10100, 1) → 2 BadArgument
    "#]],
    );
}

#[test]
fn a_body_that_is_not_there_now_reads_as_empty_and_cannot_be_changed() {
    let mut all = String::new();
    for buffer in [0, 1, 2, 3, 5] {
        let mut guest = Guest::new(V0_2_1);
        all += &guest.call("proxy_get_buffer_bytes", args![buffer, 0, 1, OUT, OUT + 4]);
        guest.put(OUT, b"????????");
        all += &guest.call("proxy_get_buffer_status", args![buffer, OUT, OUT + 4]);
        all += &guest.call("proxy_set_buffer_bytes", args![buffer, 0, 0, "x"]);
    }
    expect![[r#"
        proxy_get_buffer_bytes(0, 0, 1, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        proxy_get_buffer_status(0, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        p Debug: proxy_set_buffer_bytes in context 1: BadArgument: this buffer cannot be changed in this callback
        proxy_set_buffer_bytes(0, 0, 0, 0x10100, 1) → 2 BadArgument
        proxy_get_buffer_bytes(1, 0, 1, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        proxy_get_buffer_status(1, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        p Debug: proxy_set_buffer_bytes in context 1: BadArgument: this buffer cannot be changed in this callback
        proxy_set_buffer_bytes(1, 0, 0, 0x10100, 1) → 2 BadArgument
        proxy_get_buffer_bytes(2, 0, 1, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        proxy_get_buffer_status(2, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        p Debug: proxy_set_buffer_bytes in context 1: BadArgument: this buffer cannot be changed in this callback
        proxy_set_buffer_bytes(2, 0, 0, 0x10100, 1) → 2 BadArgument
        proxy_get_buffer_bytes(3, 0, 1, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        proxy_get_buffer_status(3, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        p Debug: proxy_set_buffer_bytes in context 1: BadArgument: this buffer cannot be changed in this callback
        proxy_set_buffer_bytes(3, 0, 0, 0x10100, 1) → 2 BadArgument
        proxy_get_buffer_bytes(5, 0, 1, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        proxy_get_buffer_status(5, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: ???????? → \x00\x00\x00\x00\x00\x00\x00\x00
        p Debug: proxy_set_buffer_bytes in context 1: BadArgument: this buffer cannot be changed in this callback
        proxy_set_buffer_bytes(5, 0, 0, 0x10100, 1) → 2 BadArgument
    "#]].assert_eq(&all);
}

#[test]
fn a_buffer_of_another_callback_is_not_found() {
    for (buffer, expected) in [
        (
            4,
            expect![[r#"
        p Debug: proxy_get_buffer_bytes in context 1: NotFound: HttpCallBody is not there in this callback
        proxy_get_buffer_bytes(4, 0, 1, 0x40100, 0x40104) → 1 NotFound
    "#]],
        ),
        (
            7,
            expect![[r#"
        p Debug: proxy_get_buffer_bytes in context 1: NotFound: PluginConfiguration is not there in this callback
        proxy_get_buffer_bytes(7, 0, 1, 0x40100, 0x40104) → 1 NotFound
    "#]],
        ),
        (
            8,
            expect![[r#"
        p Debug: proxy_get_buffer_bytes in context 1: NotFound: ForeignArguments is not there in this callback
        proxy_get_buffer_bytes(8, 0, 1, 0x40100, 0x40104) → 1 NotFound
    "#]],
        ),
    ] {
        check(
            "proxy_get_buffer_bytes",
            args![buffer, 0, 1, OUT, OUT + 4],
            expected,
        );
    }
    check(
        "proxy_get_buffer_status",
        args![4, OUT, OUT + 4],
        expect![[r#"
        p Debug: proxy_get_buffer_status in context 1: NotFound: HttpCallBody is not there in this callback
        proxy_get_buffer_status(4, 0x40100, 0x40104) → 1 NotFound
    "#]],
    );
}

#[test]
fn the_vm_configuration_can_always_be_read_and_never_changed() {
    let mut guest = Guest::with(GuestOptions {
        vm_configuration: "of the vm",
        ..GuestOptions::default()
    });
    expect![[r#"
        proxy_get_buffer_bytes(6, 3, 100, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ?????? → the vm
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x06\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_buffer_bytes", args![6, 3, 100, OUT, OUT + 4]));
    expect![[r#"
        proxy_get_buffer_status(6, 0x40100, 0x40104) → 0 Ok
        memory at 0x40100: \x00\x01\x00\x00\x06 → \t\x00\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_buffer_status", args![6, OUT, OUT + 4]));
    expect![[r#"
        p Debug: proxy_set_buffer_bytes in context 1: BadArgument: this buffer cannot be changed in this callback
        proxy_set_buffer_bytes(6, 0, 0, 0x10100, 1) → 2 BadArgument
    "#]].assert_eq(&guest.call("proxy_set_buffer_bytes", args![6, 0, 0, "x"]));
}

#[test]
fn the_plugin_configuration_is_read_while_it_is_configured() {
    let mut guest = Guest::new(V0_2_1);
    let seen = guest.call_in_second_plugin(
        Callback::Configure,
        "of the plugin",
        "proxy_get_buffer_bytes",
        args![7, 0, 100, OUT, OUT + 4],
    );
    expect![[r#"
        proxy_get_buffer_bytes(7, 0, 100, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ????????????? → of the plugin
        memory at 0x40100: ???????? → \x00\x01\x00\x00\r\x00\x00\x00
    "#]]
    .assert_eq(&seen);
}

#[test]
fn the_body_of_a_call_outs_answer() {
    let mut guest = Guest::new(V0_2_1);
    let id = guest.call_out();
    let answer = HttpCallResponse {
        headers: list(&[(":status", "200")]),
        body: Bytes::from_static(b"answer"),
        ..HttpCallResponse::default()
    };
    let seen = guest.call_in(
        Callback::HttpCallResponse,
        "proxy_get_buffer_bytes",
        args![4, 0, 100, OUT, OUT + 4],
        |guest| {
            guest
                .vm
                .on_http_call_response(guest.root, id, Some(answer))
                .unwrap()
        },
    );
    expect![[r#"
        proxy_get_buffer_bytes(4, 0, 100, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ?????? → answer
        memory at 0x40100: \x01\x00\x00\x00???? → \x00\x01\x00\x00\x06\x00\x00\x00
    "#]]
    .assert_eq(&seen);
}

#[test]
fn a_grpc_message() {
    let mut guest = Guest::new(V0_2_1);
    guest.call("proxy_grpc_stream", args!["up", "service", "method", "", OUT]);
    let seen = guest.call_in(
        Callback::GrpcReceive,
        "proxy_get_buffer_bytes",
        args![5, 0, 100, OUT, OUT + 4],
        |guest| {
            guest
                .vm
                .on_grpc_message(guest.root, 2, Bytes::from_static(b"message"))
                .unwrap()
        },
    );
    expect![[r#"
        proxy_get_buffer_bytes(5, 0, 100, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ??????? → message
        memory at 0x40100: \x02\x00\x00\x00???? → \x00\x01\x00\x00\x07\x00\x00\x00
    "#]]
    .assert_eq(&seen);
}

#[test]
fn the_arguments_of_a_foreign_function() {
    let mut guest = Guest::new(V0_2_1);
    let seen = guest.call_in(
        Callback::ForeignFunction,
        "proxy_get_buffer_bytes",
        args![8, 0, 100, OUT, OUT + 4],
        |guest| {
            guest
                .vm
                .on_foreign_function(guest.root, 9, Bytes::from_static(b"arguments"))
                .unwrap()
        },
    );
    expect![[r#"
        proxy_get_buffer_bytes(8, 0, 100, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ????????? → arguments
        memory at 0x40100: ???????? → \x00\x01\x00\x00\t\x00\x00\x00
    "#]]
    .assert_eq(&seen);
}

#[test]
fn tcp_data() {
    let mut guest = Guest::new(V0_2_1);
    let stream = guest.vm.open_tcp_stream(guest.root, Box::new(())).unwrap();
    let seen = guest.call_in(
        Callback::DownstreamData,
        "proxy_get_buffer_bytes",
        args![2, 0, 100, OUT, OUT + 4],
        |guest| {
            _ = guest
                .vm
                .on_downstream_data(stream, Bytes::from_static(b"down"), false)
                .unwrap()
        },
    );
    expect![[r#"
        proxy_get_buffer_bytes(2, 0, 100, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ???? → down
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x04\x00\x00\x00
    "#]]
    .assert_eq(&seen);
    let seen = guest.call_in(
        Callback::UpstreamData,
        "proxy_set_buffer_bytes",
        args![3, 0, 100, "changed"],
        |guest| {
            _ = guest
                .vm
                .on_upstream_data(stream, Bytes::from_static(b"up"), true)
                .unwrap()
        },
    );
    expect![[r#"
        proxy_set_buffer_bytes(3, 0, 100, 0x10110, 7) → 0 Ok
    "#]]
    .assert_eq(&seen);
    assert_eq!(contents(guest.vm.take_upstream(stream)), b"changed");
    assert_eq!(contents(guest.vm.take_downstream(stream)), b"down");
}

#[test]
fn get_buffer_status_gives_the_length_and_no_flags() {
    let status = |version| {
        let arguments = args![0, OUT, OUT + 4];
        Guest::new(version)
            .call_in_request_body("hello", false, "proxy_get_buffer_status", arguments)
            .0
    };
    let seen = status(V0_2_1);
    assert_eq!(status(V0_1_0), seen);
    expect![[r#"
            proxy_get_buffer_status(0, 0x40100, 0x40104) → 0 Ok
            memory at 0x40100: ???????? → \x05\x00\x00\x00\x00\x00\x00\x00
        "#]]
    .assert_eq(&seen);
}

/// Changes the body `hello` and shows it.
fn check_change(start: u32, length: u32, value: &str, expected: Expect) {
    let arguments = args![0, start, length, value];
    let (seen, body) =
        Guest::new(V0_2_1).call_in_request_body("hello", false, "proxy_set_buffer_bytes", arguments);
    let body = contents(body);
    expected.assert_eq(&format!("{seen}body \"{}\"\n", body.escape_ascii()));
}

#[test]
fn set_buffer_bytes_puts_before() {
    check_change(
        0,
        0,
        "<",
        expect![[r#"
        proxy_set_buffer_bytes(0, 0, 0, 0x10100, 1) → 0 Ok
        body "<hello"
    "#]],
    );
}

#[test]
fn set_buffer_bytes_replaces_all() {
    check_change(
        0,
        5,
        "bye",
        expect![[r#"
        proxy_set_buffer_bytes(0, 0, 5, 0x10100, 3) → 0 Ok
        body "bye"
    "#]],
    );
    check_change(
        0,
        u32::MAX,
        "longer than before",
        expect![[r#"
        proxy_set_buffer_bytes(0, 0, 0xffffffff, 0x10100, 18) → 0 Ok
        body "longer than before"
    "#]],
    );
    check_change(
        0,
        5,
        "",
        expect![[r#"
        proxy_set_buffer_bytes(0, 0, 5, 0x10100, 0) → 0 Ok
        body ""
    "#]],
    );
}

#[test]
fn set_buffer_bytes_appends() {
    check_change(
        5,
        0,
        "!",
        expect![[r#"
        proxy_set_buffer_bytes(0, 5, 0, 0x10100, 1) → 0 Ok
        body "hello!"
    "#]],
    );
    check_change(
        u32::MAX,
        u32::MAX,
        "!",
        expect![[r#"
        proxy_set_buffer_bytes(0, 0xffffffff, 0xffffffff, 0x10100, 1) → 0 Ok
        body "hello!"
    "#]],
    );
}

#[test]
fn set_buffer_bytes_refuses_to_change_a_part() {
    check_change(
        0,
        4,
        "x",
        expect![[r#"
        p Debug: proxy_set_buffer_bytes in context 2: BadArgument: 4 bytes at 0 of 5 cannot be replaced alone: put before, replace all, or append
        proxy_set_buffer_bytes(0, 0, 4, 0x10100, 1) → 2 BadArgument
        body "hello"
    "#]],
    );
    check_change(
        1,
        0,
        "x",
        expect![[r#"
        p Debug: proxy_set_buffer_bytes in context 2: BadArgument: 0 bytes at 1 of 5 cannot be replaced alone: put before, replace all, or append
        proxy_set_buffer_bytes(0, 1, 0, 0x10100, 1) → 2 BadArgument
        body "hello"
    "#]],
    );
    check_change(
        1,
        100,
        "x",
        expect![[r#"
        p Debug: proxy_set_buffer_bytes in context 2: BadArgument: 100 bytes at 1 of 5 cannot be replaced alone: put before, replace all, or append
        proxy_set_buffer_bytes(0, 1, 100, 0x10100, 1) → 2 BadArgument
        body "hello"
    "#]],
    );
}

#[test]
fn set_buffer_bytes_adds_only_so_much() {
    let mut guest = Guest::new(V0_2_1);
    let full = Body::from(Bytes::from(vec![0; 64 << 20]));
    let (seen, _) = guest.call_in_body(full, false, "proxy_set_buffer_bytes", args![0, 0, 0, "x"]);
    expect![[r#"
        p Debug: proxy_set_buffer_bytes in context 2: InternalFailure: nothing more can be added to a buffer of 67108864 bytes
        proxy_set_buffer_bytes(0, 0, 0, 0x10100, 1) → 10 InternalFailure
    "#]].assert_eq(&seen);
}
