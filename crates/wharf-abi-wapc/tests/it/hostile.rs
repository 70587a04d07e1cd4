//! Guests that mean harm, or are broken.

use std::time::Duration;

use wharf_abi_wapc::wapc::{CallError, Guest, host_functions};
use wharf_engine::{Deadline, FaultKind};
use wharf_plugin::Limits;

use crate::guests::guest;
use crate::support::{TestHost, ample, compile, short};

fn fault_within(guest: &Guest, deadline: Deadline) -> FaultKind {
    match guest.call("op", b"payload".to_vec(), Box::new(TestHost::default()), deadline) {
        Err(CallError::Fault { fault, .. }) => fault.kind().clone(),
        other => panic!("this is no fault: {other:?}"),
    }
}

fn fault(guest: &Guest) -> FaultKind {
    fault_within(guest, ample())
}

const CALL: &str = r#"(func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1))"#;
const LOOP: &str = "(loop $for_ever (br $for_ever))";

#[test]
fn a_guest_that_never_ends_is_ended_wherever_it_is() {
    let bodies = [
        format!(r#"(func (export "__guest_call") (param i32 i32) (result i32) {LOOP} (unreachable))"#),
        format!(r#"(func (export "_start") {LOOP}) {CALL}"#),
        format!(r#"(func (export "_initialize") {LOOP}) {CALL}"#),
        format!(r#"(func (export "wapc_init") {LOOP}) {CALL}"#),
        format!("(func $start {LOOP}) (start $start) {CALL}"),
    ];
    for body in bodies {
        let kind = fault_within(&guest(&body), short());
        assert!(
            matches!(kind, FaultKind::DeadlineExceeded { .. }),
            "{kind}: {body}"
        );
    }
}

#[test]
fn a_guest_is_not_entered_once_its_time_is_over() {
    let kind = fault_within(&guest(CALL), Deadline::after(Duration::ZERO));
    assert_eq!(
        kind,
        FaultKind::DeadlineExceeded {
            deadline: Duration::ZERO
        }
    );
}

#[test]
fn a_guest_that_wants_all_memory_is_ended_at_its_limit() {
    let hog = guest(
        r#"(func (export "__guest_call") (param i32 i32) (result i32)
            (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
            (unreachable))"#,
    );
    assert!(matches!(fault(&hog), FaultKind::MemoryLimit { .. }));
}

#[test]
fn a_guest_may_call_itself_and_runs_out_of_stack() {
    // Each entry asks for the request again, which stays the same.
    let twice = guest(
        r#"(global $depth (mut i32) (i32.const 0))
        (func $call (export "__guest_call") (param i32 i32) (result i32)
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (call $request (i32.const 900) (i32.const 1000))
            (call $response (i32.const 1000) (local.get 1))
            (if (i32.lt_u (global.get $depth) (i32.const 3))
                (then (drop (call $call (local.get 0) (local.get 1)))))
            (i32.const 1))"#,
    );
    let host = Box::new(TestHost::default());
    assert_eq!(
        twice.call("op", b"payload".to_vec(), host, ample()).unwrap(),
        b"payload"
    );

    let endless = guest(
        r#"(func $call (export "__guest_call") (param i32 i32) (result i32)
            (call $request (i32.const 900) (i32.const 1000))
            (call $call (local.get 0) (local.get 1)))"#,
    );
    assert_eq!(fault(&endless), FaultKind::StackExhausted);
}

/// A parameter of a host function: a pointer and its length, or a place for so many bytes as the host has.
#[derive(Clone, Copy)]
enum Parameter {
    In(&'static str),
    Place(&'static str),
}
use Parameter::{In, Place};

/// Every function of module `wapc` that takes a pointer, with what the fault calls its arguments.
const POINTERS: &[(&str, &[Parameter])] = &[
    ("__console_log", &[In("the text")]),
    ("__guest_error", &[In("the text")]),
    (
        "__guest_request",
        &[
            Place("the place for the operation"),
            Place("the place for the payload"),
        ],
    ),
    ("__guest_response", &[In("the answer")]),
    (
        "__host_call",
        &[
            In("the binding"),
            In("the namespace"),
            In("the operation"),
            In("the payload"),
        ],
    ),
    ("__host_error", &[Place("the place for it")]),
    ("__host_response", &[Place("the place for it")]),
];

const NO_POINTERS: [&str; 2] = ["__host_error_len", "__host_response_len"];

/// 256 KiB, as the prelude has it.
const MEMORY: i64 = 4 * 65_536;

#[test]
fn every_function_of_the_protocol_is_tried() {
    let mut tried: Vec<&str> = POINTERS
        .iter()
        .map(|(name, _)| *name)
        .chain(NO_POINTERS)
        .collect();
    tried.sort_unstable();
    let all: Vec<&str> = host_functions()
        .into_iter()
        .filter(|(module, _)| *module == "wapc")
        .map(|(_, name)| name)
        .collect();
    assert_eq!(tried, all);
}

/// The arguments with one of them wild; the others are good.
fn arguments(parameters: &[Parameter], wild: usize, pointer: i64, length: i64) -> String {
    let mut text = String::new();
    for (index, parameter) in parameters.iter().enumerate() {
        let (at, size) = if index == wild { (pointer, length) } else { (0, 4) };
        text.push_str(&format!("(i32.const {at})"));
        if let In(_) = parameter {
            text.push_str(&format!("(i32.const {size})"));
        }
    }
    text
}

/// A guest that first makes two host calls, so that there are an answer and an error to be written, and then calls
/// `function`.
fn forwarding(function: &str, arguments: &str) -> Guest {
    let local = match function {
        "__console_log" => "log",
        other => other.trim_start_matches("__guest_").trim_start_matches("__"),
    };
    let drop = if function == "__host_call" { "drop" } else { "nop" };
    let host_call = |operation: u32| {
        format!(
            "(drop (call $host_call (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 5)
                (i32.const {operation}) (i32.const 4) (i32.const 0) (i32.const 5)))"
        )
    };
    // Of the two calls, the one whose outcome is wanted comes last.
    let before = match function {
        "__host_error" => host_call(3004),
        _ => host_call(3000),
    };
    guest(&format!(
        r#"(data (i32.const 3000) "echofail")
        (func (export "__guest_call") (param i32 i32) (result i32)
            {before}
            (call ${local} {arguments}) {drop}
            (i32.const 1))"#
    ))
}

#[test]
fn wild_pointers_end_the_call_with_their_name() {
    for (function, parameters) in POINTERS {
        for (wild, parameter) in parameters.iter().enumerate() {
            let (name, cases): (_, &[(i64, i64)]) = match parameter {
                In(name) => (
                    name,
                    &[
                        (MEMORY, 1),
                        (MEMORY - 1, 2),
                        (0, MEMORY + 1),
                        (MEMORY + 1, 0),
                        (-1, 1),
                        (-1, 0),
                        (0, 1 << 21),
                        (0x7fff_ffff, 0x7fff),
                    ],
                ),
                Place(name) => (
                    name,
                    &[(MEMORY, 0), (MEMORY - 1, 0), (-1, 0), (i64::from(i32::MIN), 0)],
                ),
            };
            for (pointer, length) in cases {
                let arguments = arguments(parameters, wild, *pointer, *length);
                match fault(&forwarding(function, &arguments)) {
                    FaultKind::BadReply { reason } => assert!(
                        reason.starts_with(&format!("{function}: {name}: the range at ")),
                        "{reason}"
                    ),
                    other => panic!("{function} {arguments}: {other}"),
                }
            }
        }
        // The same with good arguments goes through, so that the cases above say something.
        let good = forwarding(function, &arguments(parameters, usize::MAX, 0, 0));
        match good.call("op", b"payload".to_vec(), Box::new(TestHost::default()), ample()) {
            Ok(_) | Err(CallError::NoResponse | CallError::Guest(_)) => {}
            other => panic!("{function}: {other:?}"),
        }
    }
}

/// The memory is not known while a module's own start function runs, so nothing can be read of it.
#[test]
fn host_functions_in_the_start_function_fault_and_do_not_panic() {
    let early = guest(&format!(
        "(func $start (call $log (i32.const 0) (i32.const 5))) (start $start) {CALL}"
    ));
    assert!(matches!(fault(&early), FaultKind::BadReply { .. }));
}

#[test]
fn a_memory_that_is_no_memory_is_seen_as_none() {
    let wat = r#"(module
        (import "wapc" "__guest_request" (func $request (param i32 i32)))
        (global (export "memory") i32 (i32.const 0))
        (func (export "__guest_call") (param i32 i32) (result i32)
            (call $request (i32.const 0) (i32.const 0)) (i32.const 1)))"#;
    let guest = Guest::new(&compile(wat), &Limits::default()).unwrap();
    assert!(matches!(fault(&guest), FaultKind::BadReply { .. }));
}

#[test]
fn as_many_instances_as_there_may_be() {
    let limits = Limits {
        instances: 0,
        ..Limits::default()
    };
    let wat = format!("(module (memory (export \"memory\") 1) {CALL})");
    let guest = Guest::new(&compile(&wat), &limits).unwrap();
    assert_eq!(fault(&guest), FaultKind::InstanceLimit { limit: 0 });
}
