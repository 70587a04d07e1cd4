use expect_test::expect;

use super::{CONTINUE, NO_BUFFER, PAUSE, REQUEST, STREAM, on_stream, resume, set_body};
use crate::context::Direction;
use crate::testing::{Callback, Scenario, filter, turn};

#[test]
fn a_body_grows_shrinks_and_is_replaced() {
    let mut exchange = Scenario::new([
        filter("a").on(
            Callback::RequestBody,
            CONTINUE,
            [set_body(0, 0, 0, "<"), set_body(0, 1000, 0, ">")],
        ),
        filter("b").turns(
            Callback::RequestBody,
            vec![
                turn(CONTINUE, [set_body(0, 0, 1000, "replaced")]),
                turn(CONTINUE, [set_body(0, 0, 1000, "")]),
            ],
        ),
    ]);
    exchange
        .post()
        .upload("one", false)
        .upload("two", false)
        .upload("", true);
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 3, 0)
        b on_request_body(2, 5, 0)
        => upstream: data "replaced"
        a on_request_body(2, 3, 0)
        b on_request_body(2, 5, 0)
        a on_request_body(2, 0, 1)
        b on_request_body(2, 2, 1)
        => upstream: data "" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_whole_response_is_collected_and_replaced() {
    let mut exchange = Scenario::new([filter("a").turns(
        Callback::ResponseBody,
        vec![
            turn(PAUSE, []),
            turn(PAUSE, []),
            turn(CONTINUE, [set_body(1, 0, 1000, "all of it")]),
        ],
    )]);
    exchange
        .get()
        .ok()
        .download("one", false)
        .download("two", false)
        .download("three", true);
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        => upstream: headers [:method: GET; :path: /] end
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        a on_response_body(2, 3, 0)
        a on_response_body(2, 6, 0)
        a on_response_body(2, 11, 1)
        => client: data "all of it" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_body_that_waits_is_changed_from_elsewhere() {
    let mut exchange = Scenario::new([filter("a").returns(Callback::RequestBody, &[PAUSE]).on(
        Callback::Tick,
        0,
        [
            on_stream(STREAM),
            set_body(0, 0, 1000, "from a tick"),
            resume(REQUEST),
        ],
    )]);
    exchange.post().told();
    exchange.upload("hello", true).tick("a").poll();
    expect![[r#"
        a on_request_body(2, 5, 1)
        a on_tick(1)
        host: the exchange is woken
        => upstream: data "from a tick" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_body_may_be_taken_piece_by_piece() {
    let mut exchange =
        Scenario::new([filter("a").returns(Callback::RequestBody, &[NO_BUFFER, NO_BUFFER, CONTINUE])]);
    exchange.post().told();
    exchange
        .upload("one", false)
        .upload("two", false)
        .upload("three", true)
        .note_state();
    expect![[r#"
        a on_request_body(2, 3, 0)
        a on_request_body(2, 3, 0)
        a on_request_body(2, 5, 1)
        => upstream: data "three" end
        chain: wants [Request, Response], paused []
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_body_that_is_taken_to_its_end_is_ended_by_a_resume() {
    let mut exchange = Scenario::new([filter("a").returns(Callback::RequestBody, &[NO_BUFFER]).on(
        Callback::Tick,
        0,
        [on_stream(STREAM), resume(REQUEST)],
    )]);
    exchange.post().told();
    exchange.upload("one", false).upload("two", true).tick("a").poll();
    expect![[r#"
        a on_request_body(2, 3, 0)
        a on_request_body(2, 3, 1)
        a on_tick(1)
        host: the exchange is woken
        => upstream: data "" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn large_pieces_go_through_as_they_are() {
    let mut exchange = Scenario::new([filter("a"), filter("b")]);
    exchange.post();
    let piece = bytes::Bytes::from(vec![b'x'; 3 << 20]);
    exchange.chain.data(Direction::Request, piece.clone(), true);
    exchange.told();
    let mut sent = 0;
    while let Some(output) = exchange.chain.next_output() {
        let crate::Output::Data { mut body, .. } = output else {
            continue;
        };
        while let Some(part) = body.pop() {
            assert_eq!(part.as_ptr(), piece.as_ptr(), "nothing is copied");
            sent += part.len();
        }
    }
    assert_eq!(sent, piece.len());
}
