use expect_test::expect;

use super::announcing;
use crate::context::Direction;
use crate::host::HttpCallResponse;
use crate::testing::{Callback, GuestOptions, OUT, args, call, list, turn};

fn response() -> HttpCallResponse {
    HttpCallResponse {
        headers: list(&[(":status", "200"), ("a", "1")]),
        body: "body".into(),
        trailers: list(&[("t", "1")]),
    }
}

#[test]
fn an_answer_comes_once_with_its_sizes() {
    let mut guest = announcing(GuestOptions::default());
    let id = guest.call_out();
    guest.world.take();
    guest
        .vm
        .on_http_call_response(guest.root, id, Some(response()))
        .unwrap();
    guest
        .vm
        .on_http_call_response(guest.root, id, Some(response()))
        .unwrap();
    expect![[r#"
        p on_http_call_response(1, 1, 2, 4, 1)
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn a_call_out_that_fails_has_no_sizes() {
    let mut guest = announcing(GuestOptions::default());
    let id = guest.call_out();
    guest.world.take();
    guest.vm.on_http_call_response(guest.root, id, None).unwrap();
    expect![[r#"
        p on_http_call_response(1, 1, 0, 0, 0)
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn the_status_of_a_call_out_that_failed_can_be_asked_for() {
    let mut guest = crate::testing::Guest::new(wharf_plugin::ProxyWasmVersion::V0_2_1);
    let id = guest.call_out();
    let seen = guest.call_in(
        Callback::HttpCallResponse,
        "proxy_get_status",
        args![OUT + 16, OUT + 20, OUT + 24],
        |guest| guest.vm.on_http_call_response(guest.root, id, None).unwrap(),
    );
    expect![[r#"
        proxy_get_status(0x40110, 0x40114, 0x40118) → 0 Ok
        memory at 0x100: ????? → reset
        memory at 0x40110: ???????????? → \x0b\x00\x00\x00\x00\x01\x00\x00\x05\x00\x00\x00
    "#]]
    .assert_eq(&seen);
}

#[test]
fn answers_to_what_was_never_asked_are_ignored() {
    let mut guest = announcing(GuestOptions::default());
    guest
        .vm
        .on_http_call_response(guest.root, 1, Some(response()))
        .unwrap();
    guest.vm.on_http_call_response(99, 1, Some(response())).unwrap();
    let (stream, _) = guest.open();
    guest
        .vm
        .on_http_call_response(stream, 1, Some(response()))
        .unwrap();
    expect![[r#"
        p on_context_create(2, 1)
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn a_call_out_from_a_stream_is_answered_on_its_root_which_resumes_the_stream() {
    let mut guest = announcing(GuestOptions::default());
    let (stream, exchange) = guest.open();
    exchange.borrow_mut().request_headers = Some(list(&[("a", "1")]));
    let mut headers = Vec::new();
    let wanted = [
        (&b":method"[..], &b"GET"[..]),
        (b":path", b"/"),
        (b":authority", b"up"),
    ];
    crate::pairs::encode(wanted.into_iter(), &mut headers);
    let ask = call("proxy_http_call", args!["up", headers, "", "", 0, OUT]);
    guest.set_turn(Callback::RequestHeaders, turn(1, [ask]));
    let resume = [
        call("proxy_set_effective_context", args![stream]),
        call("proxy_add_header_map_value", args![0, "checked", "yes"]),
        call("proxy_continue_stream", args![0]),
    ];
    guest.set_turn(Callback::HttpCallResponse, turn(0, resume));
    guest.vm.on_headers(stream, Direction::Request, true).unwrap();
    guest
        .vm
        .on_http_call_response(guest.root, 1, Some(response()))
        .unwrap();
    expect![[r#"
        p on_context_create(2, 1)
        p on_request_headers(2, 1, 1)
        host: http call 1 of 1 p to "up": [:method: GET; :path: /; :authority: up] b"" [] within None
        p on_http_call_response(1, 1, 2, 4, 1)
    "#]]
    .assert_eq(&guest.world.take());
    assert!(guest.vm.take_signals(stream).resume_request);
    assert_eq!(
        exchange
            .borrow()
            .request_headers
            .as_ref()
            .unwrap()
            .get_str("checked"),
        Some("yes")
    );
}

#[test]
fn an_answer_that_comes_after_its_stream_has_ended_goes_to_the_root() {
    let mut guest = announcing(GuestOptions::default());
    let (stream, _) = guest.open();
    let id = guest.call_out();
    guest.vm.close_stream(stream).unwrap();
    guest.world.take();
    let resume = [
        call("proxy_set_effective_context", args![stream]),
        call("proxy_continue_stream", args![0]),
    ];
    guest.set_turn(Callback::HttpCallResponse, turn(0, resume));
    guest
        .vm
        .on_http_call_response(guest.root, id, Some(response()))
        .unwrap();
    expect![[r#"
        p on_http_call_response(1, 1, 2, 4, 1)
        p Debug: proxy_set_effective_context in context 1: BadArgument: there is no context 2
    "#]]
    .assert_eq(&guest.world.take());
}

#[test]
fn an_answer_that_comes_after_its_plugin_has_ended_is_ignored() {
    let mut guest = announcing(GuestOptions::default());
    let id = guest.call_out();
    guest.vm.shut_down().unwrap();
    guest.world.take();
    guest
        .vm
        .on_http_call_response(guest.root, id, Some(response()))
        .unwrap();
    assert_eq!(guest.world.take(), "");
}
