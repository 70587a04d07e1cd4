//! Calls that come too late, twice, or in the wrong direction, and what the client and the upstream get all the same. After
//! each, the next exchange goes through the same VM untouched.

use std::fmt::Write;

use expect_test::{Expect, expect};
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use super::guest::{Hostile, STREAM};
use super::kit::Step;
use super::phases::{Group, Phase, REQUEST_HEADERS, guarded};

const fn phase(label: &'static str, callback: &'static str) -> Phase {
    Phase {
        group: Group::Http,
        label,
        callback,
    }
}

const REQUEST_BODY: Phase = phase("request body", "proxy_on_request_body");
const REQUEST_TRAILERS: Phase = phase("request trailers", "proxy_on_request_trailers");
const RESPONSE_HEADERS: Phase = phase("response headers", "proxy_on_response_headers");
const RESPONSE_BODY: Phase = phase("response body", "proxy_on_response_body");
const RESPONSE_TRAILERS: Phase = phase("response trailers", "proxy_on_response_trailers");
const DONE: Phase = phase("done", "proxy_on_done");
const LOG: Phase = phase("log", "proxy_on_log");
const DELETE: Phase = phase("delete", "proxy_on_delete");
/// Ticks while an exchange is under way.
const TICK_IN_REQUEST: Phase = phase("tick in the request", "proxy_on_tick");
const TICK_IN_RESPONSE: Phase = phase("tick in the response", "proxy_on_tick");
const TICK_BEHIND: Phase = phase("tick behind the response", "proxy_on_tick");

/// Whatever comes behind the head of the response.
const TOO_LATE: [Phase; 7] = [
    RESPONSE_BODY,
    RESPONSE_TRAILERS,
    DONE,
    LOG,
    DELETE,
    TICK_IN_RESPONSE,
    TICK_BEHIND,
];

fn hostile() -> Hostile {
    Hostile::new(V0_2_1)
}

/// Makes these calls in each phase, and shows what each answered and what came out. A tick is not of the stream, and so
/// names it first.
fn check(hostile: &mut Hostile, phases: &[Phase], steps: &[Step], expected: Expect) {
    let mut out = String::new();
    for phase in phases {
        let mut all = steps.to_vec();
        let is_tick = phase.callback == "proxy_on_tick";
        if is_tick {
            all.insert(0, hostile.kit.step("proxy_set_effective_context", &[STREAM]));
        }
        let seen = guarded(phase.label, || hostile.run(*phase, all));
        let answers = seen.answers.iter().skip(usize::from(is_tick));
        let answers: Vec<String> = answers
            .map(|answer| answer.map_or_else(|| "–".to_owned(), |answer| answer.to_string()))
            .collect();
        writeln!(out, "{}: {} → {}", phase.label, answers.join(" "), seen.out).unwrap();
        assert_eq!(seen.fault, None, "{}", phase.label);
    }
    expected.assert_eq(&out);
}

/// The same where these callbacks pause.
fn check_paused(callbacks: &[&str], phase: Phase, steps: &[(&str, &[i64])], expected: Expect) {
    let mut hostile = hostile();
    let steps: Vec<_> = steps
        .iter()
        .map(|(name, arguments)| hostile.kit.step(name, arguments))
        .collect();
    for callback in callbacks {
        hostile.returns(callback, 1);
    }
    let mut all = steps;
    all.insert(0, hostile.kit.step("proxy_set_effective_context", &[STREAM]));
    let seen = guarded(phase.label, || hostile.run_once(phase, all));
    for callback in callbacks {
        hostile.returns(callback, 0);
    }
    hostile.serve_the_next(phase.group);
    expected.assert_eq(&format!("{:?} → {}\n", &seen.answers[1..], seen.out));
}

fn good(hostile: &Hostile, names: &[&str]) -> Vec<Step> {
    names.iter().map(|name| hostile.kit.good_step(name)).collect()
}

#[test]
fn a_reply_after_the_response_has_left() {
    let mut hostile = hostile();
    let reply = good(&hostile, &["proxy_send_local_response"]);
    check(
        &mut hostile,
        &TOO_LATE,
        &reply,
        expect![[r#"
        response body: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] reset (AnsweredTooLate)
        response trailers: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" reset (AnsweredTooLate)
        done: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        log: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        delete: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        tick in the response: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" reset (AnsweredTooLate)
        tick behind the response: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
    "#]],
    );
}

#[test]
fn closing_after_the_response_has_left() {
    let mut hostile = hostile();
    let close = good(&hostile, &["proxy_close_stream"]);
    check(
        &mut hostile,
        &TOO_LATE,
        &close,
        expect![[r#"
        response body: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] reset (ClosedByFilter)
        response trailers: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" reset (ClosedByFilter)
        done: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        log: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        delete: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        tick in the response: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" reset (ClosedByFilter)
        tick behind the response: 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
    "#]],
    );
}

#[test]
fn replying_and_closing_twice_and_in_either_order() {
    let mut hostile = hostile();
    let (reply, close) = ("proxy_send_local_response", "proxy_close_stream");
    let phases = [REQUEST_HEADERS, REQUEST_BODY, RESPONSE_HEADERS, TICK_IN_REQUEST];
    for (names, expected) in [
        (
            [reply, reply],
            expect![[r#"
            request headers: 0 0 → answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
            request body: 0 0 → request [:method: POST; :path: /; a: 1] answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
            response headers: 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
            tick in the request: 0 0 → request [:method: POST; :path: /; a: 1] answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
        "#]],
        ),
        (
            [close, close],
            expect![[r#"
            request headers: 0 0 → reset (ClosedByFilter)
            request body: 0 0 → request [:method: POST; :path: /; a: 1] reset (ClosedByFilter)
            response headers: 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] reset (ClosedByFilter)
            tick in the request: 0 0 → request [:method: POST; :path: /; a: 1] reset (ClosedByFilter)
        "#]],
        ),
        (
            [reply, close],
            expect![[r#"
            request headers: 0 0 → answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
            request body: 0 0 → request [:method: POST; :path: /; a: 1] answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
            response headers: 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
            tick in the request: 0 0 → request [:method: POST; :path: /; a: 1] answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
        "#]],
        ),
        (
            [close, reply],
            expect![[r#"
            request headers: 0 0 → answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
            request body: 0 0 → request [:method: POST; :path: /; a: 1] answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
            response headers: 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
            tick in the request: 0 0 → request [:method: POST; :path: /; a: 1] answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
        "#]],
        ),
    ] {
        let steps = good(&hostile, &names);
        check(&mut hostile, &phases, &steps, expected);
    }
}

#[test]
fn replying_and_going_on_all_the_same() {
    let mut hostile = hostile();
    let mut steps = good(&hostile, &["proxy_send_local_response"]);
    for direction in [0, 1, 2, 3] {
        steps.push(hostile.kit.step("proxy_continue_stream", &[direction]));
    }
    let phases = [
        REQUEST_HEADERS,
        REQUEST_TRAILERS,
        RESPONSE_HEADERS,
        RESPONSE_TRAILERS,
    ];
    check(
        &mut hostile,
        &phases,
        &steps,
        expect![[r#"
        request headers: 0 0 0 0 0 → answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
        request trailers: 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
        response headers: 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] answered (details) response [:status: 200; :method: GET; :path: /; :authority: up; content-length: 4; content-type: text/plain] "body"
        response trailers: 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" reset (AnsweredTooLate)
    "#]],
    );
}

#[test]
fn going_on_where_nothing_waits() {
    let mut hostile = hostile();
    let directions = [0, 1, 2, 3, 0, 1];
    let steps: Vec<_> = directions
        .iter()
        .map(|direction| hostile.kit.step("proxy_continue_stream", &[*direction]))
        .collect();
    let phases = [
        REQUEST_HEADERS,
        REQUEST_BODY,
        RESPONSE_HEADERS,
        RESPONSE_TRAILERS,
        DONE,
        LOG,
        DELETE,
        TICK_IN_REQUEST,
        TICK_BEHIND,
    ];
    check(
        &mut hostile,
        &phases,
        &steps,
        expect![[r#"
        request headers: 0 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        request body: 0 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        response headers: 0 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        response trailers: 0 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        done: 0 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        log: 0 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        delete: 0 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        tick in the request: 0 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        tick behind the response: 0 0 0 0 0 0 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
    "#]],
    );
}

#[test]
fn going_on_in_the_wrong_direction() {
    let on = "proxy_continue_stream";
    let headers = ["proxy_on_request_headers"];
    check_paused(
        &headers,
        TICK_IN_REQUEST,
        &[(on, &[1]), (on, &[2]), (on, &[3])],
        expect![[r#"
            [Some(0), Some(0), Some(0)] → response [:status: 200] "pong" [u: 2]
        "#]],
    );
    check_paused(
        &headers,
        TICK_IN_REQUEST,
        &[(on, &[1]), (on, &[0])],
        expect![[r#"
            [Some(0), Some(0)] → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        "#]],
    );
    check_paused(
        &["proxy_on_response_headers"],
        TICK_IN_RESPONSE,
        &[(on, &[0])],
        expect![[r#"
            [Some(0)] → request [:method: POST; :path: /; a: 1] "ping" [t: 1]
        "#]],
    );
    check_paused(
        &["proxy_on_response_headers"],
        TICK_IN_RESPONSE,
        &[(on, &[1]), (on, &[1])],
        expect![[r#"
            [Some(0), Some(0)] → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        "#]],
    );
}

/// Each way to change a map, behind the time when it could be changed.
#[test]
fn headers_that_have_left_cannot_be_changed() {
    let mut hostile = hostile();
    let names = [
        "proxy_add_header_map_value",
        "proxy_replace_header_map_value",
        "proxy_remove_header_map_value",
        "proxy_set_header_map_pairs",
    ];
    for (map, phases) in [
        (
            0,
            &[
                REQUEST_BODY,
                REQUEST_TRAILERS,
                RESPONSE_HEADERS,
                LOG,
                TICK_IN_REQUEST,
            ][..],
        ),
        (1, &[REQUEST_HEADERS, RESPONSE_HEADERS, LOG, TICK_IN_RESPONSE]),
        (
            2,
            &[
                REQUEST_HEADERS,
                RESPONSE_BODY,
                RESPONSE_TRAILERS,
                LOG,
                TICK_IN_RESPONSE,
            ],
        ),
        (3, &[RESPONSE_HEADERS, DONE, LOG, DELETE, TICK_BEHIND]),
    ] {
        let mut steps = good(&hostile, &names);
        steps.iter_mut().for_each(|step| step.arguments[0] = map);
        for phase in phases {
            let mut all = steps.clone();
            if phase.callback == "proxy_on_tick" {
                all.insert(0, hostile.kit.step("proxy_set_effective_context", &[STREAM]));
            }
            let seen = hostile.run(*phase, all);
            let refused = [Some(2); 4];
            assert!(
                seen.answers.ends_with(&refused),
                "{map} in {}: {seen:?}",
                phase.label
            );
            assert_eq!(seen.out, super::life::UNDISTURBED);
        }
    }
}

#[test]
fn body_calls_in_a_tick() {
    let get = "proxy_get_buffer_bytes";
    let set = "proxy_set_buffer_bytes";
    let (out, text) = (0x28000, 0x20000);
    let calls: [(&str, &[i64]); 4] = [
        (get, &[0, 0, 100, out, out + 4]),
        (set, &[0, 0, 100, text, 4]),
        (get, &[1, 0, 100, out, out + 4]),
        (set, &[1, 0, 100, text, 4]),
    ];
    // Nothing is held; the request's body is; the response's is.
    check_paused(
        &[],
        TICK_IN_RESPONSE,
        &calls,
        expect![[r#"
        [Some(0), Some(2), Some(0), Some(2)] → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
    "#]],
    );
    let on: (&str, &[i64]) = ("proxy_continue_stream", &[0]);
    let with_on: Vec<_> = calls.iter().copied().chain([on]).collect();
    check_paused(
        &["proxy_on_request_body"],
        TICK_IN_RESPONSE,
        &with_on,
        expect![[r#"
            [Some(0), Some(2), Some(0), Some(2), Some(0)] → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        "#]],
    );
    let on: (&str, &[i64]) = ("proxy_continue_stream", &[1]);
    let with_on: Vec<_> = calls.iter().copied().chain([on]).collect();
    check_paused(
        &["proxy_on_response_body"],
        TICK_IN_RESPONSE,
        &with_on,
        expect![[r#"
            [Some(0), Some(2), Some(0), Some(0), Some(0)] → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "a???" [u: 2]
        "#]],
    );
}

#[test]
fn done_where_nothing_waits_and_twice() {
    let mut hostile = hostile();
    let steps = good(&hostile, &["proxy_done", "proxy_done"]);
    let phases = [REQUEST_HEADERS, DONE, LOG, DELETE, TICK_IN_REQUEST];
    check(
        &mut hostile,
        &phases,
        &steps,
        expect![[r#"
        request headers: 1 1 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        done: 1 1 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        log: 1 1 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        delete: 1 1 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
        tick in the request: 1 1 → request [:method: POST; :path: /; a: 1] "ping" [t: 1] response [:status: 200] "pong" [u: 2]
    "#]],
    );
    hostile.returns("proxy_on_done", 0);
    let seen = hostile.run_once(TICK_BEHIND, Vec::new());
    assert_eq!(seen.fault, None);
    let mut steps = good(&hostile, &["proxy_done", "proxy_done"]);
    steps.insert(0, hostile.kit.step("proxy_set_effective_context", &[STREAM]));
    let seen = hostile.run_once(super::phases::TICK, steps);
    assert_eq!(seen.answers, [Some(0), Some(0), Some(1)], "{}", seen.told);
    hostile.returns("proxy_on_done", 1);
    hostile.serve_the_next(Group::Http);
}
