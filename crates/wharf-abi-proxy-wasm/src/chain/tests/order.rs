use expect_test::expect;

use super::{add, on_stream};
use crate::context::Direction;
use crate::testing::{Callback, Scenario, args, call, filter};

#[test]
fn requests_go_first_to_last_and_responses_last_to_first() {
    let mut exchange = Scenario::new([filter("a"), filter("b")]);
    exchange
        .post()
        .upload("up", true)
        .ok()
        .download("down", true)
        .finish();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 1)
        b on_request_body(2, 2, 1)
        => upstream: data "up" end
        b on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        b on_response_body(2, 4, 1)
        a on_response_body(2, 4, 1)
        => client: data "down" end
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
fn a_filter_sees_what_the_one_before_it_changed() {
    let mut exchange = Scenario::new([
        filter("a")
            .on(Callback::RequestHeaders, 0, [add(0, "by", "a")])
            .on(Callback::ResponseHeaders, 0, [add(2, "by", "a")]),
        filter("b")
            .on(Callback::RequestHeaders, 0, [add(0, "by", "b")])
            .on(Callback::ResponseHeaders, 0, [add(2, "by", "b")]),
    ]);
    exchange
        .get()
        .headers(Direction::Response, &[(":status", "204")], true);
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        b on_context_create(2, 1)
        b on_request_headers(2, 3, 1)
        => upstream: headers [:method: GET; :path: /; by: a; by: b] end
        b on_response_headers(2, 1, 1)
        a on_response_headers(2, 2, 1)
        => client: headers [:status: 204; by: b; by: a] end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_chain_without_filters_passes_everything() {
    let mut exchange = Scenario::new([]);
    exchange
        .post()
        .upload("1", false)
        .upload("2", false)
        .trailers(Direction::Request, &[("t", "1")]);
    exchange
        .ok()
        .download("", false)
        .download("3", true)
        .note_state()
        .finish();
    expect![[r#"
        => upstream: headers [:method: POST; :path: /]
        => upstream: data "1"
        => upstream: data "2"
        => upstream: trailers [t: 1] end
        => client: headers [:status: 200]
        => client: data "3" end
        chain: wants [Request, Response], paused []
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn directions_do_not_wait_for_each_other() {
    let mut exchange = Scenario::new([filter("a")]);
    exchange.post().ok().download("early", true).upload("late", true);
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        a on_response_body(2, 5, 1)
        => client: data "early" end
        a on_request_body(2, 4, 1)
        => upstream: data "late" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn two_plugins_of_one_vm_have_streams_of_their_own() {
    let mut exchange = Scenario::new([
        filter("a").on(Callback::RequestHeaders, 0, [add(0, "by", "a")]),
        filter("b")
            .in_vm_of("a")
            .on(Callback::RequestHeaders, 0, [add(0, "by", "b")]),
    ]);
    exchange.get().finish();
    expect![[r#"
        a on_context_create(3, 1)
        a on_request_headers(3, 2, 1)
        b on_context_create(4, 2)
        b on_request_headers(4, 3, 1)
        => upstream: headers [:method: GET; :path: /; by: a; by: b] end
        a on_done(3)
        a on_log(3)
        a on_delete(3)
        b on_done(4)
        b on_log(4)
        b on_delete(4)
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_property_is_left_for_later_filters() {
    let mut exchange = Scenario::new([
        filter("a").on(
            Callback::RequestHeaders,
            0,
            [call("proxy_set_property", args!["x", "from a"])],
        ),
        filter("b"),
    ]);
    exchange.get();
    let exchange = exchange.chain.exchange().borrow();
    assert_eq!(exchange.filter_state[&b"x"[..]], "from a");
}

#[test]
fn all_maps_are_there_when_a_stream_is_logged() {
    let read = |map| call("proxy_get_header_map_pairs", args![map, 16, 20]);
    let log = call("proxy_log", args![2, 0x100, 60]);
    let mut exchange = Scenario::new([filter("a").on(Callback::Log, 0, [read(2), log])]);
    exchange.get().ok().download("", true).told();
    exchange.finish();
    let told = exchange.told();
    assert!(told.contains(":status\x00200\x00"), "{told}");
}

#[test]
fn what_a_filter_asks_for_when_its_exchange_is_over_is_left() {
    let mut exchange = Scenario::new([filter("a")
        .on(Callback::Done, 1, [super::answer(403, "late")])
        .on(Callback::Tick, 0, [on_stream(2), super::resume(0)])]);
    exchange.get().ok().download("", true).finish().tick("a").poll();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        => upstream: headers [:method: GET; :path: /] end
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        a on_response_body(2, 0, 1)
        => client: data "" end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        a on_tick(1)
        a Debug: proxy_set_effective_context in context 1: BadArgument: there is no context 2
    "#]]
    .assert_eq(&exchange.told());
}
