use std::time::Duration;

use expect_test::{Expect, expect};

use super::{CONTINUE, PAUSE, STREAM, on_stream, resume, traps};
use crate::context::Direction;
use crate::testing::{Callback, FilterScript, Scenario, args, call, filter, turn};

/// What a filter holds when it faults goes on without it, once, in order.
fn check_release(faulty: FilterScript, expected: Expect) {
    let faulty = faulty
        .open_on_fault()
        .on(Callback::Tick, 0, [call("trap", args![])]);
    let mut exchange = Scenario::new([filter("a"), faulty, filter("c")]);
    exchange.post().upload("one ", false).upload("two", true).told();
    exchange.tick("b").poll().poll();
    expected.assert_eq(&exchange.told());
}

#[test]
fn headers_that_wait_are_released_by_a_fault() {
    check_release(
        filter("b").returns(Callback::RequestHeaders, &[PAUSE]),
        expect![[r#"
            b on_tick(1)
            host: b faulted in proxy_on_tick: the guest trapped: wasm trap: wasm `unreachable` instruction executed
            host: the exchange is woken
            c on_context_create(2, 1)
            c on_request_headers(2, 2, 0)
            c on_request_body(2, 7, 1)
            => upstream: headers [:method: POST; :path: /]
            => upstream: data "one two" end
        "#]],
    );
}

#[test]
fn a_body_that_waits_is_released_by_a_fault() {
    check_release(
        filter("b").returns(Callback::RequestBody, &[PAUSE]),
        expect![[r#"
        b on_tick(1)
        host: b faulted in proxy_on_tick: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        c on_request_body(2, 7, 1)
        => upstream: data "one two" end
    "#]],
    );
}

#[test]
fn headers_and_a_body_that_wait_are_released_by_a_fault() {
    check_release(
        filter("b")
            .allows_stop_iteration()
            .returns(Callback::RequestHeaders, &[PAUSE])
            .returns(Callback::RequestBody, &[PAUSE]),
        expect![[r#"
            b on_tick(1)
            host: b faulted in proxy_on_tick: the guest trapped: wasm trap: wasm `unreachable` instruction executed
            host: the exchange is woken
            c on_context_create(2, 1)
            c on_request_headers(2, 2, 0)
            c on_request_body(2, 7, 1)
            => upstream: headers [:method: POST; :path: /]
            => upstream: data "one two" end
        "#]],
    );
}

#[test]
fn both_directions_are_released_by_a_fault() {
    let faulty = filter("b")
        .returns(Callback::RequestBody, &[PAUSE])
        .returns(Callback::ResponseHeaders, &[PAUSE])
        .on(Callback::Tick, 0, [call("trap", args![])])
        .open_on_fault();
    let mut exchange = Scenario::new([filter("a"), faulty, filter("c")]);
    exchange
        .post()
        .upload("up", true)
        .ok()
        .download("down", false)
        .told();
    exchange.tick("b").poll().download("more", true);
    expect![[r#"
        b on_tick(1)
        host: b faulted in proxy_on_tick: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        c on_request_body(2, 2, 1)
        a on_response_headers(2, 1, 0)
        a on_response_body(2, 4, 0)
        => upstream: data "up" end
        => client: headers [:status: 200]
        => client: data "down"
        c on_response_body(2, 4, 1)
        a on_response_body(2, 4, 1)
        => client: data "more" end
    "#]].assert_eq(&exchange.told());
}

#[test]
fn a_body_that_comes_to_a_filter_that_faults_on_it_goes_on_with_what_waited() {
    let faulty = filter("b")
        .turns(
            Callback::RequestBody,
            vec![turn(PAUSE, []), turn(PAUSE, [call("trap", args![])])],
        )
        .open_on_fault();
    let mut exchange = Scenario::new([filter("a"), faulty, filter("c")]);
    exchange.post().upload("one ", false).told();
    exchange.upload("two", true);
    expect![[r#"
        a on_request_body(2, 3, 1)
        b on_request_body(2, 7, 1)
        host: b faulted in proxy_on_request_body: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        c on_request_body(2, 7, 1)
        => upstream: data "one two" end
    "#]].assert_eq(&exchange.told());
}

#[test]
fn what_a_filter_held_is_dropped_where_it_must_not_be_missing() {
    let faulty = filter("b").returns(Callback::RequestHeaders, &[PAUSE]).on(
        Callback::Tick,
        0,
        [call("trap", args![])],
    );
    let mut exchange = Scenario::new([filter("a"), faulty]);
    exchange.post().upload("up", true).told();
    exchange.tick("b").poll();
    expect![[r#"
        b on_tick(1)
        host: b faulted in proxy_on_tick: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        a on_response_headers(2, 3, 0)
        a on_response_body(2, 30, 1)
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
    "#]].assert_eq(&exchange.told());
}

#[test]
fn a_vm_that_two_filters_share_faults_for_both() {
    for (second, expected) in [
        (
            filter("b").in_vm_of("a"),
            expect![[r#"
            a on_request_body(3, 2, 1)
            host: a faulted in proxy_on_request_body: the guest trapped: wasm trap: wasm `unreachable` instruction executed
            host: the exchange is woken
            host: the exchange is woken
            c on_response_headers(2, 3, 0)
            c on_response_body(2, 30, 1)
            => answered: filter_fault
            => client: headers [:status: 503; content-length: 30; content-type: text/plain]
            => client: data "a filter of this route failed\n" end
        "#]],
        ),
        (
            filter("b").in_vm_of("a").open_on_fault(),
            expect![[r#"
            a on_request_body(3, 2, 1)
            host: a faulted in proxy_on_request_body: the guest trapped: wasm trap: wasm `unreachable` instruction executed
            host: the exchange is woken
            host: the exchange is woken
            c on_request_body(2, 2, 1)
            => upstream: data "up" end
            c on_response_headers(2, 1, 0)
            => client: headers [:status: 200]
            c on_response_body(2, 4, 1)
            => client: data "down" end
        "#]],
        ),
    ] {
        let first = traps("a", Callback::RequestBody).open_on_fault();
        let mut exchange = Scenario::new([first, second, filter("c")]);
        exchange.post().told();
        exchange.upload("up", true).poll().ok().download("down", true);
        expected.assert_eq(&exchange.told());
    }
}

#[test]
fn other_exchanges_of_a_vm_that_faults_are_woken_and_treated_the_same() {
    let faulty = filter("a")
        .returns(Callback::RequestHeaders, &[PAUSE])
        .on(Callback::RequestBody, 0, [call("trap", args![])])
        .on(Callback::Tick, 0, [on_stream(STREAM + 1), resume(0)]);
    let mut first = Scenario::new([faulty]);
    first.post();
    let mut second = first.another_exchange();
    second.post().tick("a").poll().told();
    second.upload("up", false);
    expect![[r#"
        a on_request_body(3, 2, 0)
        host: a faulted in proxy_on_request_body: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        host: the exchange is woken
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
    "#]].assert_eq(&second.told());
    first.poll();
    expect![[r#"
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
    "#]]
    .assert_eq(&first.told());
}

#[test]
fn a_new_exchange_of_a_vm_that_has_faulted_is_refused() {
    let mut first = Scenario::new([traps("a", Callback::Tick)]);
    first.tick("a").told();
    first.get();
    expect![[r#"
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
    "#]]
    .assert_eq(&first.told());
}

#[test]
fn a_fault_after_everything_has_left_changes_nothing() {
    let mut exchange = Scenario::new([traps("a", Callback::Tick)]);
    exchange.get().ok().download("down", true).told();
    exchange.tick("a").poll().finish();
    expect![[r#"
        a on_tick(1)
        host: a faulted in proxy_on_tick: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
    "#]].assert_eq(&exchange.told());
}

#[test]
fn a_fault_after_the_response_has_left_breaks_off_the_request() {
    let mut exchange = Scenario::new([traps("a", Callback::RequestBody)]);
    exchange.post().ok().download("down", true).told();
    exchange.upload("up", true);
    expect![[r#"
        a on_request_body(2, 2, 1)
        host: a faulted in proxy_on_request_body: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        => reset: FilterFault
    "#]].assert_eq(&exchange.told());
}

#[test]
fn what_a_filter_asked_for_before_it_faulted_is_not_done() {
    let faulty = |callback| {
        filter("a")
            .on(
                callback,
                CONTINUE,
                [super::answer(200, "let in"), call("trap", args![])],
            )
            .open_on_fault()
    };
    for callback in [
        Callback::RequestHeaders,
        Callback::RequestBody,
        Callback::RequestTrailers,
    ] {
        let mut exchange = Scenario::new([faulty(callback)]);
        exchange
            .post()
            .upload("up", false)
            .trailers(Direction::Request, &[("t", "1")]);
        let told = exchange.told();
        assert!(
            !told.contains("answered") && told.contains("=> upstream: trailers [t: 1] end"),
            "{told}"
        );
    }
}

#[test]
fn a_filter_that_loops_costs_its_deadline() {
    let endless = filter("a")
        .on(Callback::RequestHeaders, 0, [call("loop", args![])])
        .deadline(Duration::from_millis(20));
    let mut exchange = Scenario::new([endless]);
    exchange.get();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        host: a faulted in proxy_on_request_headers: the guest ran past its deadline of 20ms
        host: the exchange is woken
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn a_filter_that_wants_too_much_memory_faults() {
    let mut exchange = Scenario::new([filter("a").on(Callback::RequestHeaders, 0, [call("hog", args![])])]);
    exchange.get();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        host: a faulted in proxy_on_request_headers: the guest asked for 65856KiB of memory, and its limit is 64MiB
        host: the exchange is woken
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
    "#]].assert_eq(&exchange.told());
}

#[test]
fn a_filter_that_exits_faults() {
    let mut exchange = Scenario::new([filter("a").on(Callback::RequestHeaders, 0, [call("exit", args![])])]);
    exchange.get();
    expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 1)
        host: a faulted in proxy_on_request_headers: the guest called proc_exit with code 3
        host: the exchange is woken
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
    "#]]
    .assert_eq(&exchange.told());
}

#[test]
fn an_unavailable_filter_refuses_or_is_left_out() {
    for (missing, expected) in [
        (
            filter("b").unavailable(),
            expect![[r#"
                a on_context_create(2, 1)
                a on_request_headers(2, 2, 0)
                a on_response_headers(2, 3, 0)
                a on_response_body(2, 40, 1)
                => answered: filter_unavailable
                => client: headers [:status: 503; content-length: 40; content-type: text/plain]
                => client: data "a filter of this route is not available\n" end
                a on_done(2)
                a on_log(2)
                a on_delete(2)
            "#]],
        ),
        (
            filter("b").unavailable().open_on_fault(),
            expect![[r#"
            a on_context_create(2, 1)
            a on_request_headers(2, 2, 0)
            c on_context_create(2, 1)
            c on_request_headers(2, 2, 0)
            => upstream: headers [:method: POST; :path: /]
            a on_request_body(2, 2, 1)
            c on_request_body(2, 2, 1)
            => upstream: data "up" end
            c on_response_headers(2, 1, 0)
            a on_response_headers(2, 1, 0)
            => client: headers [:status: 200]
            c on_response_body(2, 4, 1)
            a on_response_body(2, 4, 1)
            => client: data "down" end
            a on_done(2)
            a on_log(2)
            a on_delete(2)
            c on_done(2)
            c on_log(2)
            c on_delete(2)
        "#]],
        ),
    ] {
        let mut exchange = Scenario::new([filter("a"), missing, filter("c")]);
        exchange
            .post()
            .upload("up", true)
            .ok()
            .download("down", true)
            .finish();
        expected.assert_eq(&exchange.told());
    }
}
