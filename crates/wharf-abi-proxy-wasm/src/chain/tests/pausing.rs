use expect_test::expect;

use super::{CONTINUE, PAUSE, REQUEST, RESPONSE, STREAM, add, on_stream, resume, set_body};
use crate::context::Direction;
use crate::testing::{Callback, FilterScript, Scenario, filter, turn};

/// A filter that lets a direction go on at the next tick.
fn resumed_by_tick(filter: FilterScript, stream: u32) -> FilterScript {
    filter.on(Callback::Tick, 0, [on_stream(STREAM), resume(stream)])
}

#[test]
fn request_headers_wait_and_nothing_of_the_body_is_shown_meanwhile() {
    let paused = resumed_by_tick(filter("a").returns(Callback::RequestHeaders, &[PAUSE]), REQUEST);
    let mut exchange = Scenario::new([paused, filter("b")]);
    exchange
        .post()
        .upload("one ", false)
        .upload("two", true)
        .note_state();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        chain: wants [Request, Response], paused [Request]
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("a").poll().note_state();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        a on_request_body(2, 7, 1)
        b on_request_body(2, 7, 1)
        => upstream: headers [:method: POST; :path: /]
        => upstream: data "one two" end
        chain: wants [Request, Response], paused []
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn response_headers_wait_while_the_request_goes_on() {
    let paused = resumed_by_tick(filter("b").returns(Callback::ResponseHeaders, &[PAUSE]), RESPONSE);
    let mut exchange = Scenario::new([filter("a"), paused]);
    exchange
        .post()
        .ok()
        .download("down", false)
        .upload("up", true)
        .note_state();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        b on_response_headers(2, 1, 0)
        a on_request_body(2, 2, 1)
        b on_request_body(2, 2, 1)
        => upstream: data "up" end
        chain: wants [Request, Response], paused [Response]
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("b").poll().download("more", true);
    expect![[r#"
        b on_tick(1)
        host: the exchange is woken
        a on_response_headers(2, 1, 0)
        b on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
        => client: headers [:status: 200]
        => client: data "down"
        b on_response_body(2, 4, 1)
        a on_response_body(2, 4, 1)
        => client: data "more" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn headers_with_nothing_behind_them_wait_and_go_on_as_such() {
    let paused = resumed_by_tick(filter("a").returns(Callback::RequestHeaders, &[PAUSE]), REQUEST);
    let mut exchange = Scenario::new([paused, filter("b")]);
    exchange.get().tick("a").poll();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        a on_tick(1)
        host: the exchange is woken
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 1)
        => upstream: headers [:method: GET; :path: /] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn trailers_wait_behind_headers_that_wait() {
    let paused = resumed_by_tick(filter("a").returns(Callback::RequestHeaders, &[PAUSE]), REQUEST);
    let mut exchange = Scenario::new([paused]);
    exchange
        .post()
        .upload("up", false)
        .trailers(Direction::Request, &[("t", "1")]);
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("a").poll();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
        a on_request_body(2, 2, 0)
        a on_request_trailers(2, 1)
        => upstream: headers [:method: POST; :path: /]
        => upstream: data "up"
        => upstream: trailers [t: 1] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_filter_may_resume_within_the_callback_that_pauses() {
    let mut exchange = Scenario::new([filter("a")
        .on(Callback::RequestHeaders, PAUSE, [resume(REQUEST)])
        .on(Callback::RequestBody, PAUSE, [resume(REQUEST)])]);
    exchange.post().upload("up", true);
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 1)
        => upstream: data "up" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn resuming_what_is_not_paused_does_nothing() {
    let mut exchange = Scenario::new([filter("a")
        .on(
            Callback::RequestHeaders,
            CONTINUE,
            [resume(REQUEST), resume(RESPONSE)],
        )
        .on(Callback::Tick, 0, [on_stream(STREAM), resume(REQUEST)])]);
    exchange
        .post()
        .tick("a")
        .poll()
        .upload("up", true)
        .tick("a")
        .poll();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_tick(1)
        host: the exchange is woken
        a on_request_body(2, 2, 1)
        => upstream: data "up" end
        a on_tick(1)
        host: the exchange is woken
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn two_filters_pause_one_after_the_other() {
    let pauses = |name| resumed_by_tick(filter(name).returns(Callback::RequestHeaders, &[PAUSE]), REQUEST);
    let mut exchange = Scenario::new([pauses("a"), pauses("b")]);
    exchange.post().upload("up", false);
    exchange.tick("a").poll().told();
    exchange.upload("more", true);
    expect![[r#"
        a on_request_body(2, 4, 1)
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("b").poll();
    expect![[r#"
        b on_tick(1)
        host: the exchange is woken
        b on_request_body(2, 6, 1)
        => upstream: headers [:method: POST; :path: /]
        => upstream: data "upmore" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_body_waits_and_the_next_callback_sees_all_of_it() {
    let mut exchange = Scenario::new([
        filter("a").returns(Callback::RequestBody, &[PAUSE, PAUSE, CONTINUE]),
        filter("b"),
    ]);
    exchange
        .post()
        .upload("one ", false)
        .upload("two ", false)
        .upload("three", false)
        .upload("four", true);
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 4, 0)
        a on_request_body(2, 8, 0)
        a on_request_body(2, 13, 0)
        b on_request_body(2, 13, 0)
        => upstream: data "one two three"
        a on_request_body(2, 4, 1)
        b on_request_body(2, 4, 1)
        => upstream: data "four" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_body_that_waits_is_resumed_from_elsewhere() {
    let paused = resumed_by_tick(filter("a").returns(Callback::ResponseBody, &[PAUSE]), RESPONSE);
    let mut exchange = Scenario::new([paused, filter("b")]);
    exchange.get().ok().told();
    exchange.download("down", false).tick("a").poll();
    expect![[r#"
        b on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
        a on_tick(1)
        host: the exchange is woken
        => client: data "down"
    "#]]
    .assert_eq(&exchange.told());
    exchange.download("last", true).tick("a").poll();
    expect![[r#"
        b on_response_body(2, 4, 1)
        a on_response_body(2, 4, 1)
        a on_tick(1)
        host: the exchange is woken
        => client: data "last" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_empty_last_piece_that_waits_still_ends_the_body() {
    let paused = resumed_by_tick(filter("a").returns(Callback::RequestBody, &[PAUSE]), REQUEST);
    let mut exchange = Scenario::new([paused]);
    exchange.post().told();
    exchange.upload("", true).tick("a").poll();
    expect![[r#"
        a on_request_body(2, 0, 1)
        a on_tick(1)
        host: the exchange is woken
        => upstream: data "" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_pause_on_headers_may_let_the_body_be_seen() {
    let mut exchange = Scenario::new([
        filter("a")
            .allows_stop_iteration()
            .returns(Callback::ResponseHeaders, &[PAUSE])
            .turns(
                Callback::ResponseBody,
                vec![
                    turn(PAUSE, []),
                    turn(CONTINUE, [add(2, "seen", "all"), set_body(1, 0, 100, "changed")]),
                ],
            ),
        filter("b"),
    ]);
    exchange.get().ok().download("one ", false);
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 1)
        => upstream: headers [:method: GET; :path: /] end
        b on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        b on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
    "#]]
    .assert_eq(&exchange.told());
    exchange.download("two", true);
    expect![[r#"
        b on_response_body(2, 3, 1)
        a on_response_body(2, 7, 1)
        => client: headers [:status: 200; seen: all]
        => client: data "changed" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn headers_and_body_that_wait_together_are_resumed_together() {
    let paused = filter("a")
        .allows_stop_iteration()
        .returns(Callback::RequestHeaders, &[PAUSE])
        .returns(Callback::RequestBody, &[PAUSE]);
    let mut exchange = Scenario::new([resumed_by_tick(paused, REQUEST), filter("b")]);
    exchange.post().upload("one ", false).upload("two", true);
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        a on_request_body(2, 4, 0)
        a on_request_body(2, 7, 1)
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("a").poll();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        b on_request_body(2, 7, 1)
        => upstream: headers [:method: POST; :path: /]
        => upstream: data "one two" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_pause_on_headers_alone_may_end_with_the_headers() {
    let paused = filter("a")
        .allows_stop_iteration()
        .returns(Callback::RequestHeaders, &[PAUSE]);
    let mut exchange = Scenario::new([resumed_by_tick(paused, REQUEST)]);
    exchange.get().told();
    exchange.tick("a").poll();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
        => upstream: headers [:method: GET; :path: /] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn another_stream_of_the_same_vm_resumes_this_one_and_wakes_it() {
    let mut first = Scenario::new([filter("a").returns(Callback::RequestHeaders, &[PAUSE]).on(
        Callback::ResponseHeaders,
        CONTINUE,
        [on_stream(STREAM), resume(REQUEST)],
    )]);
    first.get();
    let mut second = first.another_exchange();
    second.post().ok();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        a on_context_create(3, 1)
        a on_request_headers(3, 2, 0)
        a on_response_headers(3, 1, 0)
        host: the exchange is woken
        => client: headers [:status: 200]
    "#]]
    .assert_eq(&second.told());
    first.poll();
    expect![[r#"
        => upstream: headers [:method: GET; :path: /] end
    "#]]
    .assert_eq(&first.told());
}

#[test]
fn unknown_actions_pause() {
    let paused = resumed_by_tick(
        filter("a")
            .returns(Callback::RequestHeaders, &[77])
            .returns(Callback::RequestTrailers, &[77]),
        REQUEST,
    );
    let mut exchange = Scenario::new([paused]);
    exchange.post().note_state().tick("a").poll().told();
    exchange
        .trailers(Direction::Request, &[("t", "1")])
        .note_state()
        .tick("a")
        .poll();
    expect![[r#"
        a on_request_trailers(2, 1)
        chain: wants [Request, Response], paused [Request]
        a on_tick(1)
        host: the exchange is woken
        => upstream: trailers [t: 1] end
    "#]]
    .assert_eq(&exchange.told());
}
