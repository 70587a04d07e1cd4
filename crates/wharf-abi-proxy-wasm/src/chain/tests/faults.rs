use expect_test::{Expect, expect};

use super::traps;
use crate::context::Direction;
use crate::testing::{Callback, Scenario, filter};

/// A whole exchange through `a`, a filter that traps in this callback, and `c`.
fn check(callback: Callback, closed: Expect, open: Expect) {
    for (faulty, expected) in [
        (traps("b", callback), closed),
        (traps("b", callback).open_on_fault(), open),
    ] {
        let mut exchange = Scenario::new([filter("a"), faulty, filter("c")]);
        exchange
            .post()
            .upload("up", false)
            .trailers(Direction::Request, &[("t", "1")]);
        exchange
            .ok()
            .download("down", false)
            .trailers(Direction::Response, &[("t", "2")])
            .finish();
        expected.assert_eq(&exchange.told());
    }
}

#[test]
fn a_trap_when_the_stream_is_created() {
    // The plugin's own context was created before the script was there.
    check(
        Callback::ContextCreate,
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        host: b faulted in proxy_on_context_create: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        a on_response_headers(2, 3, 0)
        a on_response_body(2, 30, 1)
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
    "#]],
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        host: b faulted in proxy_on_context_create: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
        => client: data "down"
        c on_response_trailers(2, 1)
        a on_response_trailers(2, 1)
        => client: trailers [t: 2] end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
    );
}

#[test]
fn a_trap_in_request_headers() {
    check(
        Callback::RequestHeaders,
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        host: b faulted in proxy_on_request_headers: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        a on_response_headers(2, 3, 0)
        a on_response_body(2, 30, 1)
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
    "#]],
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        host: b faulted in proxy_on_request_headers: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
        => client: data "down"
        c on_response_trailers(2, 1)
        a on_response_trailers(2, 1)
        => client: trailers [t: 2] end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
    );
}

#[test]
fn a_trap_in_a_request_body() {
    check(
        Callback::RequestBody,
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        host: b faulted in proxy_on_request_body: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        c on_response_headers(2, 3, 0)
        a on_response_headers(2, 3, 0)
        c on_response_body(2, 30, 1)
        a on_response_body(2, 30, 1)
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        host: b faulted in proxy_on_request_body: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
        => client: data "down"
        c on_response_trailers(2, 1)
        a on_response_trailers(2, 1)
        => client: trailers [t: 2] end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
    );
}

#[test]
fn a_trap_in_request_trailers() {
    check(
        Callback::RequestTrailers,
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        b on_request_trailers(2, 1)
        host: b faulted in proxy_on_request_trailers: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        c on_response_headers(2, 3, 0)
        a on_response_headers(2, 3, 0)
        c on_response_body(2, 30, 1)
        a on_response_body(2, 30, 1)
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        b on_request_trailers(2, 1)
        host: b faulted in proxy_on_request_trailers: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
        => client: data "down"
        c on_response_trailers(2, 1)
        a on_response_trailers(2, 1)
        => client: trailers [t: 2] end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
    );
}

#[test]
fn a_trap_in_response_headers() {
    check(
        Callback::ResponseHeaders,
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        b on_request_trailers(2, 1)
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        b on_response_headers(2, 1, 0)
        host: b faulted in proxy_on_response_headers: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        => answered: filter_fault
        => client: headers [:status: 503; content-length: 30; content-type: text/plain]
        => client: data "a filter of this route failed\n" end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        b on_request_trailers(2, 1)
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        b on_response_headers(2, 1, 0)
        host: b faulted in proxy_on_response_headers: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
        => client: data "down"
        c on_response_trailers(2, 1)
        a on_response_trailers(2, 1)
        => client: trailers [t: 2] end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
    );
}

#[test]
fn a_trap_in_a_response_body() {
    check(
        Callback::ResponseBody,
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        b on_request_trailers(2, 1)
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        b on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 0)
        b on_response_body(2, 4, 0)
        host: b faulted in proxy_on_response_body: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        => reset: FilterFault
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        b on_request_trailers(2, 1)
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        b on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 0)
        b on_response_body(2, 4, 0)
        host: b faulted in proxy_on_response_body: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        a on_response_body(2, 4, 0)
        => client: data "down"
        c on_response_trailers(2, 1)
        a on_response_trailers(2, 1)
        => client: trailers [t: 2] end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
    );
}

#[test]
fn a_trap_in_response_trailers() {
    check(
        Callback::ResponseTrailers,
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        b on_request_trailers(2, 1)
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        b on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 0)
        b on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
        => client: data "down"
        c on_response_trailers(2, 1)
        b on_response_trailers(2, 1)
        host: b faulted in proxy_on_response_trailers: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        => reset: FilterFault
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        b on_request_trailers(2, 1)
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        b on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 0)
        b on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
        => client: data "down"
        c on_response_trailers(2, 1)
        b on_response_trailers(2, 1)
        host: b faulted in proxy_on_response_trailers: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        a on_response_trailers(2, 1)
        => client: trailers [t: 2] end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
    );
}

#[test]
fn a_trap_when_the_stream_is_logged_harms_nobody_else() {
    check(
        Callback::Log,
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        b on_request_trailers(2, 1)
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        b on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 0)
        b on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
        => client: data "down"
        c on_response_trailers(2, 1)
        b on_response_trailers(2, 1)
        a on_response_trailers(2, 1)
        => client: trailers [t: 2] end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        b on_done(2)
        b on_log(2)
        host: b faulted in proxy_on_log: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
        expect![[r#"
        a on_context_create(2, 1)
        a on_request_headers(2, 2, 0)
        b on_context_create(2, 1)
        b on_request_headers(2, 2, 0)
        c on_context_create(2, 1)
        c on_request_headers(2, 2, 0)
        => upstream: headers [:method: POST; :path: /]
        a on_request_body(2, 2, 0)
        b on_request_body(2, 2, 0)
        c on_request_body(2, 2, 0)
        => upstream: data "up"
        a on_request_trailers(2, 1)
        b on_request_trailers(2, 1)
        c on_request_trailers(2, 1)
        => upstream: trailers [t: 1] end
        c on_response_headers(2, 1, 0)
        b on_response_headers(2, 1, 0)
        a on_response_headers(2, 1, 0)
        => client: headers [:status: 200]
        c on_response_body(2, 4, 0)
        b on_response_body(2, 4, 0)
        a on_response_body(2, 4, 0)
        => client: data "down"
        c on_response_trailers(2, 1)
        b on_response_trailers(2, 1)
        a on_response_trailers(2, 1)
        => client: trailers [t: 2] end
        a on_done(2)
        a on_log(2)
        a on_delete(2)
        b on_done(2)
        b on_log(2)
        host: b faulted in proxy_on_log: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        host: the exchange is woken
        c on_done(2)
        c on_log(2)
        c on_delete(2)
    "#]],
    );
}
