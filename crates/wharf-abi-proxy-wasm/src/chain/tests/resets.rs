use expect_test::{Expect, expect};

use super::{CONTINUE, REQUEST, RESPONSE, STREAM, on_stream};
use crate::testing::{Callback, Scenario, args, call, filter};

/// An exchange whose second filter closes the stream in this callback.
fn check(callback: Callback, stream: u32, expected: Expect) {
    let closes = filter("b").on(callback, CONTINUE, [call("proxy_close_stream", args![stream])]);
    let mut exchange = Scenario::new([filter("a"), closes, filter("c")]);
    exchange
        .post()
        .upload("up", true)
        .ok()
        .download("down", true)
        .note_state();
    expected.assert_eq(&exchange.told());
}

#[test]
fn closing_the_request_breaks_the_exchange_off() {
    check(
        Callback::RequestHeaders,
        REQUEST,
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        => reset: ClosedByFilter
        chain: wants [], paused []
    "#]],
    );
}

#[test]
fn closing_the_response_breaks_the_exchange_off() {
    check(
        Callback::ResponseBody,
        RESPONSE,
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 1)
        b on_request_body(2, 2, 1)
        c on_request_body(2, 2, 1)
        => upstream: data "up" end
        c on_response_headers(2, 1, 0)
        b on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 1)
        b on_response_body(2, 4, 1)
        => reset: ClosedByFilter
        chain: wants [], paused []
    "#]],
    );
}

#[test]
fn closing_from_a_tick() {
    let closes = filter("a").on(
        Callback::Tick,
        0,
        [on_stream(STREAM), call("proxy_close_stream", args![RESPONSE])],
    );
    let mut exchange = Scenario::new([closes]);
    exchange.post().told();
    exchange.tick("a").poll().tick("a").poll();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
        => reset: ClosedByFilter
        a on_tick(1)
        host: the exchange is woken
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn closing_after_everything_has_left_does_nothing() {
    let closes = filter("a").on(
        Callback::Tick,
        0,
        [on_stream(STREAM), call("proxy_close_stream", args![RESPONSE])],
    );
    let mut exchange = Scenario::new([closes]);
    exchange.get().ok().download("down", true).told();
    exchange.tick("a").poll();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_chain_that_is_dropped_ends_its_streams() {
    let exchange = Scenario::new([filter("a"), filter("b")]);
    let world = exchange.world.clone();
    let mut exchange = exchange;
    exchange.post().upload("half", false).told();
    drop(exchange);
    expect![[r#"
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        b on_done(2)
        b on_log(2)
        b on_delete(2)
    "#]]
    .assert_eq(&world.take());
}

#[test]
fn a_chain_that_is_dropped_before_it_began_has_no_streams() {
    let exchange = Scenario::new([filter("a")]);
    let world = exchange.world.clone();
    drop(exchange);
    expect![""].assert_eq(&world.take());
}

#[test]
fn a_finished_chain_takes_nothing_more() {
    let mut exchange = Scenario::new([filter("a")]);
    exchange.post().finish().told();
    exchange.upload("up", true).ok().poll().finish().note_state();
    expect![[r#"
        chain: wants [], paused []
    "#]]
    .assert_eq(&exchange.told());
}
