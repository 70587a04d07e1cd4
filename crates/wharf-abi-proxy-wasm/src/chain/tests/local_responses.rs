use expect_test::expect;

use super::{CONTINUE, PAUSE, RESPONSE, STREAM, add, answer, on_stream, resume, set_body};
use crate::context::Direction;
use crate::testing::{Callback, Scenario, args, call, filter};

#[test]
fn an_answer_to_request_headers_goes_back_through_the_filters_that_were_reached() {
    let mut exchange = Scenario::new([
        filter("a").on(Callback::ResponseHeaders, CONTINUE, [add(2, "by", "a")]),
        filter("b").on(Callback::RequestHeaders, CONTINUE, [answer(403, "no")]),
        filter("c"),
    ]);
    exchange.post().upload("ignored", true).ok().note_state().finish();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        b on_response_headers(2, 3, 0)
        a on_response_headers(2, 3, 0)
        b on_response_body(2, 2, 1)
        a on_response_body(2, 2, 1)
        => answered: because
        => client: headers [:status: 403; content-length: 2; content-type: text/plain; by: a]
        => client: data "no" end
        chain: wants [], paused [Request]
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        b on_done(2)
        b on_log(2)
        b on_delete(2)
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_answer_without_a_body_ends_with_its_headers() {
    let mut exchange = Scenario::new([filter("a").on(Callback::RequestHeaders, PAUSE, [answer(401, "")])]);
    exchange.get();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        a on_response_headers(2, 1, 1)
        => answered: because
        => client: headers [:status: 401] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_answer_to_a_request_body() {
    let mut exchange = Scenario::new([
        filter("a"),
        filter("b").on(Callback::RequestBody, CONTINUE, [answer(400, "bad")]),
    ]);
    exchange.post().told();
    exchange.upload("up", false).upload("more", true);
    expect![[r#"
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        b on_response_headers(2, 3, 0)
        a on_response_headers(2, 3, 0)
        b on_response_body(2, 3, 1)
        a on_response_body(2, 3, 1)
        => answered: because
        => client: headers [:status: 400; content-length: 3; content-type: text/plain]
        => client: data "bad" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_answer_to_request_trailers() {
    let mut exchange =
        Scenario::new([filter("a").on(Callback::RequestTrailers, CONTINUE, [answer(400, "bad")])]);
    exchange.post().upload("up", false).told();
    exchange.trailers(Direction::Request, &[("t", "1")]);
    expect![[r#"
        a on_request_trailers(2, 1)
        a on_response_headers(2, 3, 0)
        a on_response_body(2, 3, 1)
        => answered: because
        => client: headers [:status: 400; content-length: 3; content-type: text/plain]
        => client: data "bad" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_answer_when_the_stream_is_created() {
    let mut exchange = Scenario::new([
        filter("a"),
        filter("b").on(Callback::ContextCreate, 0, [on_stream(STREAM), answer(403, "no")]),
    ]);
    exchange.get();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 1)
        b on_response_headers(2, 3, 0)
        a on_response_headers(2, 3, 0)
        b on_response_body(2, 2, 1)
        a on_response_body(2, 2, 1)
        => answered: because
        => client: headers [:status: 403; content-length: 2; content-type: text/plain]
        => client: data "no" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_answer_from_a_tick_while_the_request_waits() {
    let mut exchange = Scenario::new([
        filter("a"),
        filter("b").returns(Callback::RequestHeaders, &[PAUSE]).on(
            Callback::Tick,
            0,
            [on_stream(STREAM), answer(403, "no")],
        ),
    ]);
    exchange.post().upload("held", false).told();
    exchange.tick("b").poll();
    expect![[r#"
        b on_tick(1)
        host: the exchange is woken
        b on_response_headers(2, 3, 0)
        a on_response_headers(2, 3, 0)
        b on_response_body(2, 2, 1)
        a on_response_body(2, 2, 1)
        => answered: because
        => client: headers [:status: 403; content-length: 2; content-type: text/plain]
        => client: data "no" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_answer_to_response_headers_goes_past_the_filters() {
    let mut exchange = Scenario::new([
        filter("a"),
        filter("b").on(Callback::ResponseHeaders, CONTINUE, [answer(502, "bad upstream")]),
    ]);
    exchange.get().told();
    exchange.ok().download("ignored", true);
    expect![[r#"
        b on_response_headers(2, 1, 0)
        => answered: because
        => client: headers [:status: 502; content-length: 12; content-type: text/plain]
        => client: data "bad upstream" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_answer_while_the_response_waits_replaces_it_once_and_for_all() {
    let mut exchange = Scenario::new([
        filter("a"),
        filter("b").returns(Callback::ResponseHeaders, &[PAUSE]).on(
            Callback::Tick,
            0,
            [on_stream(STREAM), answer(502, "bad"), resume(RESPONSE)],
        ),
    ]);
    exchange.get().ok().download("held", true).told();
    exchange.tick("b").poll().tick("b").poll();
    expect![[r#"
        b on_tick(1)
        host: the exchange is woken
        host: the exchange is woken
        => answered: because
        => client: headers [:status: 502; content-length: 3; content-type: text/plain]
        => client: data "bad" end
        b on_tick(1)
        host: the exchange is woken
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_answer_after_the_responses_headers_have_left_breaks_it_off() {
    let mut exchange =
        Scenario::new([filter("a").on(Callback::ResponseBody, CONTINUE, [answer(502, "late")])]);
    exchange.get().ok().told();
    exchange.download("down", false).download("more", true);
    expect![[r#"
        a on_response_body(2, 4, 0)
        => reset: AnsweredTooLate
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_answer_after_everything_has_left_does_nothing() {
    let mut exchange =
        Scenario::new([filter("a").on(Callback::Tick, 0, [on_stream(STREAM), answer(502, "late")])]);
    exchange.get().ok().download("down", true).told();
    exchange.tick("a").poll();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_second_answer_of_a_filter_is_ignored() {
    let mut exchange = Scenario::new([filter("a")
        .on(
            Callback::RequestHeaders,
            CONTINUE,
            [answer(403, "first"), answer(404, "second")],
        )
        .on(Callback::ResponseHeaders, CONTINUE, [answer(405, "third")])]);
    exchange.get();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        a on_response_headers(2, 3, 0)
        a on_response_body(2, 5, 1)
        => answered: because
        => client: headers [:status: 403; content-length: 5; content-type: text/plain]
        => client: data "first" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_earlier_filter_may_replace_an_answer_on_its_way_out() {
    let mut exchange = Scenario::new([
        filter("a").on(Callback::ResponseHeaders, CONTINUE, [answer(500, "from a")]),
        filter("b").on(Callback::RequestHeaders, CONTINUE, [answer(403, "from b")]),
    ]);
    exchange.get();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 1)
        b on_response_headers(2, 3, 0)
        a on_response_headers(2, 3, 0)
        => answered: because
        => answered: because
        => client: headers [:status: 500; content-length: 6; content-type: text/plain]
        => client: data "from a" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_earlier_filter_may_change_an_answer_and_hold_it() {
    let mut exchange = Scenario::new([
        filter("a")
            .returns(Callback::ResponseHeaders, &[PAUSE])
            .on(
                Callback::ResponseBody,
                CONTINUE,
                [set_body(1, 0, 1000, "changed")],
            )
            .on(Callback::Tick, 0, [on_stream(STREAM), resume(RESPONSE)]),
        filter("b").on(Callback::RequestHeaders, CONTINUE, [answer(403, "from b")]),
    ]);
    exchange.get();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 1)
        b on_response_headers(2, 3, 0)
        a on_response_headers(2, 3, 0)
        b on_response_body(2, 6, 1)
        => answered: because
    "#]]
    .assert_eq(&exchange.told());
    exchange.tick("a").poll();
    expect![[r#"
        a on_tick(1)
        host: the exchange is woken
        a on_response_body(2, 6, 1)
        => client: headers [:status: 403; content-length: 6; content-type: text/plain]
        => client: data "changed" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn trailers_may_be_made_for_an_answer() {
    let mut exchange = Scenario::new([
        filter("a").on(Callback::ResponseBody, CONTINUE, [add(3, "made", "by a")]),
        filter("b").on(Callback::RequestHeaders, CONTINUE, [answer(403, "from b")]),
    ]);
    exchange.get();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 1)
        b on_response_headers(2, 3, 0)
        a on_response_headers(2, 3, 0)
        b on_response_body(2, 6, 1)
        a on_response_body(2, 6, 1)
        => answered: because
        => client: headers [:status: 403; content-length: 6; content-type: text/plain]
        => client: data "from b"
        => client: trailers [made: by a] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_grpc_request_is_answered_with_a_grpc_status() {
    for (status, grpc_status, expected) in [
        (
            403,
            -1,
            expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 3, 0)
        a on_response_headers(2, 4, 1)
        => answered: because
        => client: headers [:status: 200; content-type: application/grpc; grpc-status: 7; grpc-message: 50%25 off%0A] end
    "#]],
        ),
        (
            503,
            8,
            expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 3, 0)
        a on_response_headers(2, 4, 1)
        => answered: because
        => client: headers [:status: 200; content-type: application/grpc; grpc-status: 8; grpc-message: 50%25 off%0A] end
    "#]],
        ),
    ] {
        let send = call(
            "proxy_send_local_response",
            args![status, "because", "50% off\n", "", grpc_status],
        );
        let mut exchange = Scenario::new([filter("a").on(Callback::RequestHeaders, CONTINUE, [send])]);
        let headers = &[
            (":method", "POST"),
            (":path", "/"),
            ("content-type", "application/grpc+proto"),
        ];
        exchange.headers(Direction::Request, headers, false);
        expected.assert_eq(&exchange.told());
    }
}

#[test]
fn the_answers_own_headers_are_kept() {
    let mut headers = Vec::new();
    let wanted = [
        (&b"content-type"[..], &b"application/json"[..]),
        (b":status", b"200"),
        (b"x", b"1"),
    ];
    crate::pairs::encode(wanted.into_iter(), &mut headers);
    let send = call(
        "proxy_send_local_response",
        args![418, "because", "{}", headers, -1],
    );
    let mut exchange = Scenario::new([filter("a").on(Callback::RequestHeaders, CONTINUE, [send])]);
    exchange.get();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        a on_response_headers(2, 4, 0)
        a on_response_body(2, 2, 1)
        => answered: because
        => client: headers [:status: 418; content-type: application/json; x: 1; content-length: 2]
        => client: data "{}" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn the_embedder_answers_too() {
    let mut exchange = Scenario::new([filter("a")]);
    exchange.post().told();
    exchange.chain.answer(crate::LocalResponse {
        status: 504,
        details: "upstream timeout".into(),
        headers: crate::HeaderList::new(),
        body: "too late\n".into(),
        grpc_status: None,
    });
    exchange.poll();
    expect![[r#"
        a on_response_headers(2, 3, 0)
        a on_response_body(2, 9, 1)
        => answered: upstream timeout
        => client: headers [:status: 504; content-length: 9; content-type: text/plain]
        => client: data "too late\n" end
    "#]]
    .assert_eq(&exchange.told());
}
