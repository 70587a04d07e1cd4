use expect_test::expect;

use super::{CONTINUE, PAUSE, REQUEST, RESPONSE, STREAM, add, on_stream, resume};
use crate::context::Direction;
use crate::testing::{Callback, Scenario, filter};

#[test]
fn trailers_go_through_and_are_changed() {
    let mut exchange = Scenario::new([
        filter("a").on(Callback::RequestTrailers, CONTINUE, [add(1, "by", "a")]),
        filter("b").on(Callback::ResponseTrailers, CONTINUE, [add(3, "by", "b")]),
    ]);
    exchange
        .post()
        .upload("up", false)
        .trailers(Direction::Request, &[("t", "1")]);
    exchange.ok().trailers(Direction::Response, &[("t", "2")]);
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        b on_request_trailers(2, 2)
        => upstream: trailers [t: 1; by: a] end
        b on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        b on_response_trailers(2, 1)
        a on_response_trailers(2, 2)
        => client: trailers [t: 2; by: b] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn trailers_wait() {
    let mut exchange = Scenario::new([
        filter("a").returns(Callback::ResponseTrailers, &[PAUSE]).on(
            Callback::Tick,
            0,
            [on_stream(STREAM), resume(RESPONSE)],
        ),
        filter("b"),
    ]);
    exchange.get().ok().told();
    exchange.trailers(Direction::Response, &[("t", "1")]).note_state();
    expect![[r#"
        b on_response_trailers(2, 1)
        a on_response_trailers(2, 1)
        chain: wants [Request, Response], paused [Response]
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("a").poll();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
        => client: trailers [t: 1] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn trailers_release_the_body_that_waits() {
    let mut exchange = Scenario::new([
        filter("a").returns(Callback::RequestBody, &[PAUSE]),
        filter("b").returns(Callback::RequestBody, &[PAUSE]),
    ]);
    exchange.post().upload("up", false).told();
    exchange.trailers(Direction::Request, &[("t", "1")]);
    expect![[r#"
        a on_request_trailers(2, 1)
        b on_request_body(2, 2, 0)
        b on_request_trailers(2, 1)
        => upstream: data "up"
        => upstream: trailers [t: 1] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn trailers_release_headers_and_body_that_wait() {
    let mut exchange = Scenario::new([
        filter("a")
            .allows_stop_iteration()
            .returns(Callback::RequestHeaders, &[PAUSE])
            .returns(Callback::RequestBody, &[PAUSE]),
        filter("b"),
    ]);
    exchange.post().upload("up", false).told();
    exchange.trailers(Direction::Request, &[("t", "1")]);
    expect![[r#"
        a on_request_trailers(2, 1)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        b on_request_body(2, 2, 0)
        b on_request_trailers(2, 1)
        => upstream: headers [:method: POST; :path: /]
        => upstream: data "up"
        => upstream: trailers [t: 1] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_body_that_goes_on_before_its_trailers_does_not_end() {
    let mut exchange = Scenario::new([filter("a")
        .returns(Callback::RequestHeaders, &[PAUSE])
        .on(Callback::RequestBody, PAUSE, [resume(REQUEST)])
        .on(Callback::Tick, 0, [on_stream(STREAM), resume(REQUEST)])]);
    exchange
        .post()
        .upload("up", false)
        .trailers(Direction::Request, &[("t", "1")])
        .told();
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
fn trailers_made_in_the_last_body_callback_are_shown_to_the_filters_behind() {
    let mut exchange = Scenario::new([
        filter("a"),
        filter("b").on(Callback::RequestBody, CONTINUE, [add(1, "made", "by b")]),
        filter("c").on(Callback::RequestTrailers, CONTINUE, [add(1, "seen", "by c")]),
        filter("d"),
    ]);
    exchange.post().told();
    exchange.upload("up", true);
    expect![[r#"
        a on_request_body(2, 2, 1)
        b on_request_body(2, 2, 1)
        c on_request_body(2, 2, 0)
        d on_request_body(2, 2, 0)
        c on_request_trailers(2, 1)
        d on_request_trailers(2, 2)
        => upstream: data "up"
        => upstream: trailers [made: by b; seen: by c] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn trailers_that_were_made_wait_with_the_body_before_them() {
    let mut exchange = Scenario::new([
        filter("a").on(Callback::RequestBody, CONTINUE, [add(1, "made", "by a")]),
        filter("b")
            .returns(Callback::RequestBody, &[PAUSE])
            .returns(Callback::RequestTrailers, &[PAUSE])
            .on(Callback::Tick, 0, [on_stream(STREAM), resume(REQUEST)]),
    ]);
    exchange.post().told();
    exchange.upload("up", true);
    expect![[r#"
        a on_request_body(2, 2, 1)
        b on_request_body(2, 2, 0)
        b on_request_trailers(2, 1)
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("b").poll();
    expect![[r#"
        b on_tick(1)
        host: the exchange is woken
        => upstream: data "up"
        => upstream: trailers [made: by a] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn trailers_made_by_a_filter_that_pauses_on_the_last_of_a_body() {
    let mut exchange = Scenario::new([
        filter("a")
            .on(Callback::RequestBody, PAUSE, [add(1, "made", "by a")])
            .on(Callback::Tick, 0, [on_stream(STREAM), resume(REQUEST)]),
        filter("b"),
    ]);
    exchange.post().told();
    exchange.upload("up", true).tick("a").poll();
    expect![[r#"
        a on_request_body(2, 2, 1)
        a on_tick(1)
        host: the exchange is woken
        b on_request_body(2, 2, 0)
        b on_request_trailers(2, 1)
        => upstream: data "up"
        => upstream: trailers [made: by a] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn trailers_made_before_a_filter_whose_headers_wait() {
    let mut exchange = Scenario::new([
        filter("a").on(Callback::RequestBody, CONTINUE, [add(1, "made", "by a")]),
        filter("b"),
        filter("c").returns(Callback::RequestHeaders, &[PAUSE]).on(
            Callback::Tick,
            0,
            [on_stream(STREAM), resume(REQUEST)],
        ),
    ]);
    exchange.post().told();
    exchange.upload("up", true);
    expect![[r#"
        a on_request_body(2, 2, 1)
        b on_request_body(2, 2, 0)
        b on_request_trailers(2, 1)
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("c").poll();
    expect![[r#"
        c on_tick(1)
        host: the exchange is woken
        c on_request_body(2, 2, 0)
        c on_request_trailers(2, 1)
        => upstream: headers [:method: POST; :path: /]
        => upstream: data "up"
        => upstream: trailers [made: by a] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn trailers_of_a_body_that_is_empty() {
    let mut exchange =
        Scenario::new([filter("a").on(Callback::ResponseBody, CONTINUE, [add(3, "made", "1")])]);
    exchange.get().ok().told();
    exchange.download("", true);
    expect![[r#"
        a on_response_body(2, 0, 1)
        => client: trailers [made: 1] end
    "#]]
    .assert_eq(&exchange.told());
}
