use expect_test::expect;

use super::{CONTINUE, PAUSE, REQUEST, RESPONSE, STREAM, WATERMARK, on_stream, resume, set_body};
use crate::testing::{Callback, Scenario, filter};

#[test]
fn a_request_that_a_filter_collects_past_the_limit_is_answered_with_413() {
    let mut exchange = Scenario::holding(
        5,
        [filter("a"), filter("b").returns(Callback::RequestBody, &[PAUSE])],
    );
    exchange.post().upload("12345", false).note_state();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 5, 0)
        b on_request_body(2, 5, 0)
        chain: wants [Request, Response], paused [Request]
    "#]]
    .assert_eq(&exchange.told());
    exchange.upload("6", false).note_state().upload("more", true);
    expect![[r#"
        a on_request_body(2, 1, 0)
        b on_request_body(2, 6, 0)
        b on_response_headers(2, 3, 0)
        a on_response_headers(2, 3, 0)
        b on_response_body(2, 32, 1)
        a on_response_body(2, 32, 1)
        => answered: request_payload_too_large
        => client: headers [:status: 413; content-length: 32; content-type: text/plain]
        => client: data "the request\'s body is too large\n" end
        chain: wants [], paused [Request]
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_response_that_a_filter_collects_past_the_limit_is_broken_off_once_its_headers_have_left() {
    let mut exchange = Scenario::holding(5, [filter("a").returns(Callback::ResponseBody, &[PAUSE])]);
    exchange.get().ok().told();
    exchange
        .download("123456", false)
        .download("more", true)
        .note_state();
    expect![[r#"
        a on_response_body(2, 6, 0)
        => reset: ResponseTooLarge
        chain: wants [], paused [Response]
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_response_whose_headers_wait_is_replaced_by_500() {
    let mut exchange = Scenario::holding(
        5,
        [
            filter("a"),
            filter("b")
                .allows_stop_iteration()
                .returns(Callback::ResponseHeaders, &[PAUSE])
                .returns(Callback::ResponseBody, &[PAUSE]),
        ],
    );
    exchange.get().ok().told();
    exchange.download("123456", false);
    expect![[r#"
        b on_response_body(2, 6, 0)
        => answered: response_payload_too_large
        => client: headers [:status: 500; content-length: 33; content-type: text/plain]
        => client: data "the response\'s body is too large\n" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_request_past_the_limit_is_broken_off_once_a_response_has_left() {
    let mut exchange = Scenario::holding(5, [filter("a").returns(Callback::RequestBody, &[PAUSE])]);
    exchange.post().ok().told();
    exchange.upload("123456", false);
    expect![[r#"
        a on_request_body(2, 6, 0)
        => reset: RequestTooLarge
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_body_that_its_filter_makes_too_large_counts() {
    let mut exchange = Scenario::holding(
        5,
        [filter("a").on(Callback::RequestBody, PAUSE, [set_body(0, 0, 100, "123456")])],
    );
    exchange.post().told();
    exchange.upload("1", false);
    expect![[r#"
        a on_request_body(2, 1, 0)
        a on_response_headers(2, 3, 0)
        a on_response_body(2, 32, 1)
        => answered: request_payload_too_large
        => client: headers [:status: 413; content-length: 32; content-type: text/plain]
        => client: data "the request\'s body is too large\n" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_body_that_goes_on_at_once_may_be_of_any_size() {
    let mut exchange = Scenario::holding(5, [filter("a")]);
    exchange.post().told();
    exchange
        .upload("123456789", false)
        .note_state()
        .upload("123456789", true);
    expect![[r#"
        a on_request_body(2, 9, 0)
        => upstream: data "123456789"
        chain: wants [Request, Response], paused []
        a on_request_body(2, 9, 1)
        => upstream: data "123456789" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn headers_that_wait_stop_the_reading_at_the_limit() {
    let mut exchange = Scenario::holding(
        5,
        [filter("a").returns(Callback::RequestHeaders, &[PAUSE]).on(
            Callback::Tick,
            0,
            [on_stream(STREAM), resume(REQUEST)],
        )],
    );
    exchange
        .post()
        .upload("1234", false)
        .note_state()
        .upload("5", false)
        .note_state();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        chain: wants [Request, Response], paused [Request]
        chain: wants [Response], paused [Request]
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("a").poll().note_state();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
        a on_request_body(2, 5, 0)
        => upstream: headers [:method: POST; :path: /]
        => upstream: data "12345"
        chain: wants [Request, Response], paused []
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_watermark_stops_the_reading_at_the_limit() {
    let mut exchange = Scenario::holding(
        5,
        [filter("a")
            .returns(Callback::ResponseBody, &[WATERMARK, WATERMARK, CONTINUE])
            .on(Callback::Tick, 0, [on_stream(STREAM), resume(RESPONSE)])],
    );
    exchange.get().ok().told();
    exchange
        .download("1234", false)
        .note_state()
        .download("56", false)
        .note_state();
    expect![[r#"
        a on_response_body(2, 4, 0)
        chain: wants [Request, Response], paused [Response]
        a on_response_body(2, 6, 0)
        chain: wants [Request], paused [Response]
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("a").poll().note_state();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
        => client: data "123456"
        chain: wants [Request, Response], paused []
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_watermark_stops_the_reading_where_headers_wait_too() {
    let mut exchange = Scenario::holding(
        5,
        [filter("a")
            .allows_stop_iteration()
            .returns(Callback::RequestHeaders, &[PAUSE])
            .returns(Callback::RequestBody, &[WATERMARK])
            .on(Callback::Tick, 0, [on_stream(STREAM), resume(REQUEST)])],
    );
    exchange.post().upload("123456", false).note_state();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        a on_request_body(2, 6, 0)
        chain: wants [Response], paused [Request]
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("a").poll().note_state();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
        => upstream: headers [:method: POST; :path: /]
        => upstream: data "123456"
        chain: wants [Request, Response], paused []
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn only_the_direction_that_is_full_stops() {
    let mut exchange = Scenario::holding(1, [filter("a").returns(Callback::RequestBody, &[WATERMARK])]);
    exchange.post().upload("12", false).ok().told();
    exchange.note_state().download("123", true);
    expect![[r#"
        chain: wants [Response], paused [Request]
        a on_response_body(2, 3, 1)
        => client: data "123" end
    "#]]
    .assert_eq(&exchange.told());
}
