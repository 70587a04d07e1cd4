//! Every host function in every callback, in the allocator and while the module starts.

use std::fmt::Write;

use expect_test::{ExpectFile, expect_file};
use wharf_plugin::ProxyWasmVersion::{self, V0_1_0, V0_2_0, V0_2_1};

use super::catalog::{Entry, Parameter};
use super::guest::{Hostile, Seen};
use super::kit::{Kit, Starts, Step};
use crate::testing::{SharedWorld, link};
use crate::vm::StartError;

/// What has to happen for a callback to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// A plugin is added to a new VM.
    Start,
    /// Something happens to the plugin.
    Root,
    /// An exchange goes through the filter.
    Http,
    /// A TCP connection goes through the filter.
    Tcp,
    /// The VM is shut down.
    End,
}

/// A time at which a guest can call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    pub(super) group: Group,
    pub(super) label: &'static str,
    pub(super) callback: &'static str,
}

const fn phase(group: Group, label: &'static str, callback: &'static str) -> Phase {
    Phase {
        group,
        label,
        callback,
    }
}

pub(super) const CONFIGURE: Phase = phase(Group::Start, "configure", "proxy_on_configure");
pub(super) const TICK: Phase = phase(Group::Root, "tick", "proxy_on_tick");
pub(super) const NO_ANSWER: Phase = phase(Group::Root, "no answer", "proxy_on_http_call_response");
pub(super) const REQUEST_HEADERS: Phase = phase(Group::Http, "request headers", "proxy_on_request_headers");

/// All callbacks, each as often as it comes for something else.
const PHASES: &[Phase] = &[
    phase(Group::Start, "root", "proxy_on_context_create"),
    phase(Group::Start, "vm start", "proxy_on_vm_start"),
    phase(Group::Start, "validate", "proxy_validate_configuration"),
    CONFIGURE,
    TICK,
    phase(Group::Root, "queue ready", "proxy_on_queue_ready"),
    phase(Group::Root, "foreign function", "proxy_on_foreign_function"),
    phase(Group::Root, "answer", "proxy_on_http_call_response"),
    NO_ANSWER,
    phase(
        Group::Root,
        "grpc metadata",
        "proxy_on_grpc_receive_initial_metadata",
    ),
    phase(Group::Root, "grpc message", "proxy_on_grpc_receive"),
    phase(
        Group::Root,
        "grpc trailers",
        "proxy_on_grpc_receive_trailing_metadata",
    ),
    phase(Group::Root, "grpc close", "proxy_on_grpc_close"),
    phase(Group::Http, "stream", "proxy_on_context_create"),
    REQUEST_HEADERS,
    phase(Group::Http, "request body", "proxy_on_request_body"),
    phase(Group::Http, "request trailers", "proxy_on_request_trailers"),
    phase(Group::Http, "response headers", "proxy_on_response_headers"),
    phase(Group::Http, "response body", "proxy_on_response_body"),
    phase(Group::Http, "response trailers", "proxy_on_response_trailers"),
    phase(Group::Http, "done", "proxy_on_done"),
    phase(Group::Http, "log", "proxy_on_log"),
    phase(Group::Http, "delete", "proxy_on_delete"),
    phase(Group::Tcp, "connection", "proxy_on_context_create"),
    phase(Group::Tcp, "new connection", "proxy_on_new_connection"),
    phase(Group::Tcp, "downstream data", "proxy_on_downstream_data"),
    phase(Group::Tcp, "upstream data", "proxy_on_upstream_data"),
    phase(
        Group::Tcp,
        "downstream close",
        "proxy_on_downstream_connection_close",
    ),
    phase(Group::Tcp, "upstream close", "proxy_on_upstream_connection_close"),
    phase(Group::Tcp, "connection done", "proxy_on_done"),
    phase(Group::End, "root done", "proxy_on_done"),
    phase(Group::End, "root delete", "proxy_on_delete"),
];

#[test]
fn every_callback_is_a_phase() {
    for version in ProxyWasmVersion::ALL {
        for callback in Kit::of(version).callbacks() {
            let is_here = PHASES.iter().any(|phase| phase.callback == callback);
            assert!(
                is_here || callback == "allocator",
                "no function is called in {callback}"
            );
        }
    }
}

/// The calls of a function that are told apart: one for each map, buffer or direction, or one with good arguments.
pub(super) fn calls(kit: &Kit, index: usize) -> Vec<(String, Step)> {
    let entry = &kit.entries[index];
    let good = Step {
        function: index,
        arguments: kit.good[index].clone(),
    };
    let name = entry.name.trim_start_matches("proxy_").to_owned();
    let kinds = ["header_map", "buffer", "continue_stream", "close_stream"];
    let Some(Parameter::Known { known, .. }) = entry.parameters.first() else {
        return vec![(name, good)];
    };
    if !kinds.iter().any(|kind| entry.name.contains(kind)) {
        return vec![(name, good)];
    }
    let of_kind = |number: &i64| {
        let mut step = good.clone();
        step.arguments[0] = *number;
        (format!("{name}({number})"), step)
    };
    known.iter().map(of_kind).collect()
}

/// What a call gave, in a letter: the status, `!` for a fault, `.` where the callback did not come.
pub(super) fn letter(seen: &Seen, step: usize) -> char {
    match (seen.answers[step], &seen.fault) {
        (Some(status), None) => char::from_digit(status.cast_unsigned(), 16).unwrap(),
        (_, Some(_)) => '!',
        (None, None) => '.',
    }
}

/// A table with a line for each call and a column for each phase.
fn table(version: ProxyWasmVersion) -> String {
    let mut hostile = Hostile::new(version);
    let mut out = String::from("statuses in hexadecimal; ! a fault; . the callback does not come\n\n");
    for (column, phase) in PHASES.iter().enumerate() {
        writeln!(out, "{} {} ({})", mark(column), phase.label, phase.callback).unwrap();
    }
    let marks = in_groups((0..PHASES.len()).map(mark));
    writeln!(out, "\n{:38}{marks}", "").unwrap();
    for index in 0..hostile.kit.entries.len() {
        if hostile.kit.entries[index].is_wasi() {
            continue;
        }
        for (label, step) in calls(hostile.kit, index) {
            let letters = PHASES.iter().map(|phase| {
                let seen = guarded(&format!("{label} in {}", phase.label), || {
                    hostile.run(*phase, vec![step.clone()])
                });
                letter(&seen, 0)
            });
            writeln!(out, "{label:38}{}", in_groups(letters)).unwrap();
        }
    }
    out
}

fn mark(column: usize) -> char {
    ('A'..='Z').chain('a'..='z').nth(column).unwrap()
}

/// A space between the groups.
fn in_groups(letters: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for (letter, (column, phase)) in letters.zip(PHASES.iter().enumerate()) {
        if column > 0 && PHASES[column - 1].group != phase.group {
            out.push(' ');
        }
        out.push(letter);
    }
    out
}

/// Says what was being done where the host panics, which it must never do.
pub(super) fn guarded<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    outcome.unwrap_or_else(|_| panic!("{what}: see the panic above"))
}

fn check(version: ProxyWasmVersion, expected: ExpectFile) {
    expected.assert_eq(&table(version));
}

#[test]
fn every_function_in_every_callback_of_0_1_0() {
    check(V0_1_0, expect_file!["phases-0.1.0.txt"]);
}

#[test]
fn every_function_in_every_callback_of_0_2_0() {
    check(V0_2_0, expect_file!["phases-0.2.0.txt"]);
}

#[test]
fn every_function_in_every_callback_of_0_2_1() {
    check(V0_2_1, expect_file!["phases-0.2.1.txt"]);
}

#[test]
fn wasi_answers_the_same_in_every_callback() {
    for version in ProxyWasmVersion::ALL {
        let mut hostile = Hostile::new(version);
        let wasi: Vec<usize> = (0..hostile.kit.entries.len())
            .filter(|index| {
                let entry = &hostile.kit.entries[*index];
                entry.is_wasi() && !entry.is_exit()
            })
            .collect();
        for phase in PHASES {
            let steps = wasi
                .iter()
                .map(|index| hostile.kit.good_step_of(*index))
                .collect();
            let seen = guarded(phase.label, || hostile.run(*phase, steps));
            if phase.callback == "proxy_on_foreign_function" && version == V0_1_0 {
                assert!(seen.answers.iter().all(Option::is_none));
                continue;
            }
            let expected: Vec<_> = wasi
                .iter()
                .map(|index| hostile.kit.entries[*index].good)
                .collect();
            assert_eq!(seen.answers, expected, "{}: {}", phase.label, seen.told);
            assert_eq!(seen.fault, None, "{}", phase.label);
        }
    }
}

#[test]
fn proc_exit_ends_the_guest_in_every_callback() {
    let mut hostile = Hostile::new(V0_2_1);
    for phase in PHASES {
        for module in wharf_abi_wasi::MODULES {
            let exit = hostile
                .kit
                .entries
                .iter()
                .position(|entry| entry.is_exit() && entry.module == module);
            let step = hostile.kit.good_step_of(exit.unwrap());
            let seen = guarded(phase.label, || hostile.run(*phase, vec![step]));
            assert_eq!(seen.fault.as_deref(), Some("exit"), "{}", phase.label);
        }
    }
}

/// What is expected of a call while the module starts: logging and WASI work, all else ends the start.
fn while_starting(entry: &Entry) -> Result<Option<i32>, &'static str> {
    if entry.is_exit() {
        Err("exit")
    } else if entry.is_always_there() {
        Ok(entry.good.or(Some(0)))
    } else {
        Err("bad_reply")
    }
}

#[test]
fn only_logging_and_wasi_are_there_while_the_module_starts() {
    for version in ProxyWasmVersion::ALL {
        for starts in [Starts::Initialize, Starts::Main, Starts::Start] {
            let kit = Kit::new(version, starts);
            for (index, entry) in kit.entries.iter().enumerate() {
                let what = format!("{}.{} in {starts:?}", entry.module, entry.name);
                let world = SharedWorld::new(version);
                let started = guarded(&what, || kit.start(&world, index));
                let seen = match started {
                    Ok((_, answer)) => Ok(answer),
                    Err(StartError::Fault(fault)) => Err(fault.kind().label()),
                    Err(other) => panic!("{what}: {other}"),
                };
                assert_eq!(seen, while_starting(entry), "{what}: {}", world.take());
            }
        }
        Hostile::new(version).serve_the_next(Group::Start);
    }
}

/// The start section runs before the host knows the guest's memory, so that no pointer is good.
#[test]
fn the_start_section_is_no_way_around() {
    for version in ProxyWasmVersion::ALL {
        for entry in &Kit::of(version).entries {
            let (module, name) = (entry.module, entry.name);
            let types = entry.types().replace('i', " i32").replace('I', " i64");
            let arguments = entry
                .types()
                .replace('i', "(i32.const 0)")
                .replace('I', "(i64.const 0)");
            let (result, drop) = match entry.good {
                Some(_) => ("(result i32)", "drop"),
                None => ("", ""),
            };
            let wat = format!(
                r#"(module
                    (import "{module}" "{name}" (func $f (param{types}) {result}))
                    (memory (export "memory") 1)
                    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
                    (func $start (call $f {arguments}) {drop})
                    (start $start))"#
            );
            let program = link(&wat, version).unwrap_or_else(|error| panic!("{error}\n{wat}"));
            let world = SharedWorld::new(version);
            let started = guarded(name, || super::kit::start(&program, &world, 0));
            let seen = started.map_err(|error| match error {
                StartError::Fault(fault) => fault.kind().label(),
                other => panic!("{name}: {other}"),
            });
            assert_eq!(
                seen.map(|_| ()),
                while_starting(entry).map(|_| ()),
                "{module}.{name}: {}",
                world.take()
            );
        }
    }
}
