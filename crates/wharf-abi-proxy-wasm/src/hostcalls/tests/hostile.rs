//! Every pointer and length of every host function, wild in every way: the status is 6, the log says which argument it
//! was, nothing is written and nothing is done.

use wharf_plugin::ProxyWasmVersion::{self, V0_1_0, V0_2_0, V0_2_1};

use crate::hostcalls::host_functions;
use crate::pairs;
use crate::support::HostFunction;
use crate::testing::{Argument, END, FREE, Guest, OUT, args, functions};

enum Parameter {
    /// A number that is good.
    Number(i64),
    /// Bytes in the guest's memory: a pointer and a length. The log calls them so.
    In(Vec<u8>, &'static str),
    /// A place for so many bytes. The log calls it so.
    Out(u32, &'static str),
}
use Parameter::{In, Number, Out};

const ADDRESS: Parameter = Out(4, "the place for the address");
const LENGTH: Parameter = Out(4, "the place for the length");

fn text(text: &str, name: &'static str) -> Parameter {
    In(text.into(), name)
}

fn map(name: &'static str) -> Parameter {
    let mut bytes = Vec::new();
    let wanted = [
        (&b":method"[..], &b"GET"[..]),
        (b":path", b"/"),
        (b":authority", b"up"),
    ];
    pairs::encode(wanted.into_iter(), &mut bytes);
    In(bytes, name)
}

/// The functions that take a pointer, with good arguments for a request headers callback.
fn functions_with_pointers() -> Vec<(&'static str, Vec<Parameter>)> {
    let name = || text("a", "the name");
    let value = || text("value", "the value");
    let call_out = || Out(4, "the place for the call-out's id");
    let queue = || Out(4, "the place for the queue's id");
    vec![
        ("proxy_log", vec![Number(2), text("hello", "the message")]),
        ("proxy_get_log_level", vec![Out(4, "the place for the level")]),
        (
            "proxy_get_current_time_nanoseconds",
            vec![Out(8, "the place for the time")],
        ),
        (
            "proxy_get_buffer_bytes",
            vec![Number(6), Number(0), Number(9), ADDRESS, LENGTH],
        ),
        (
            "proxy_get_buffer_status",
            vec![Number(6), LENGTH, Out(4, "the place for the flags")],
        ),
        (
            "proxy_set_buffer_bytes",
            vec![Number(0), Number(0), Number(0), value()],
        ),
        (
            "proxy_get_header_map_size",
            vec![Number(0), Out(4, "the place for the size")],
        ),
        ("proxy_get_header_map_pairs", vec![Number(0), ADDRESS, LENGTH]),
        ("proxy_set_header_map_pairs", vec![Number(0), map("the map")]),
        (
            "proxy_get_header_map_value",
            vec![Number(0), name(), ADDRESS, LENGTH],
        ),
        ("proxy_add_header_map_value", vec![Number(0), name(), value()]),
        ("proxy_replace_header_map_value", vec![Number(0), name(), value()]),
        ("proxy_remove_header_map_value", vec![Number(0), name()]),
        (
            "proxy_send_local_response",
            vec![
                Number(200),
                text("details", "the details"),
                text("body", "the body"),
                map("the headers"),
                Number(-1),
            ],
        ),
        (
            "proxy_http_call",
            vec![
                text("up", "the upstream's name"),
                map("the headers"),
                text("body", "the body"),
                map("the trailers"),
                Number(0),
                call_out(),
            ],
        ),
        (
            "proxy_grpc_call",
            vec![
                text("up", "the upstream"),
                text("service", "the service"),
                text("method", "the method"),
                map("the metadata"),
                text("message", "the message"),
                Number(0),
                call_out(),
            ],
        ),
        (
            "proxy_grpc_stream",
            vec![
                text("up", "the upstream"),
                text("service", "the service"),
                text("method", "the method"),
                map("the metadata"),
                call_out(),
            ],
        ),
        (
            "proxy_grpc_send",
            vec![Number(2), text("message", "the message"), Number(0)],
        ),
        (
            "proxy_get_status",
            vec![Out(4, "the place for the code"), ADDRESS, LENGTH],
        ),
        (
            "proxy_set_shared_data",
            vec![text("key", "the key"), value(), Number(0)],
        ),
        (
            "proxy_get_shared_data",
            vec![
                text("key", "the key"),
                ADDRESS,
                LENGTH,
                Out(4, "the place for the CAS number"),
            ],
        ),
        ("proxy_register_shared_queue", vec![name(), queue()]),
        (
            "proxy_resolve_shared_queue",
            vec![text("vm", "the VM id"), text("q", "the name"), queue()],
        ),
        ("proxy_enqueue_shared_queue", vec![Number(1), value()]),
        ("proxy_dequeue_shared_queue", vec![Number(1), ADDRESS, LENGTH]),
        (
            "proxy_define_metric",
            vec![Number(0), name(), Out(4, "the place for the metric's id")],
        ),
        (
            "proxy_get_metric",
            vec![Number(1), Out(8, "the place for the value")],
        ),
        (
            "proxy_get_property",
            vec![text("plugin_name", "the path"), ADDRESS, LENGTH],
        ),
        ("proxy_set_property", vec![text("x", "the path"), value()]),
        (
            "proxy_call_foreign_function",
            vec![
                text("compress", "the function's name"),
                text("data", "the arguments"),
                ADDRESS,
                LENGTH,
            ],
        ),
        ("proxy_get_configuration", vec![ADDRESS, LENGTH]),
    ]
}

/// The functions that take numbers alone.
const WITHOUT_POINTERS: &[&str] = &[
    "emscripten_notify_memory_growth",
    "proxy_clear_route_cache",
    "proxy_close_stream",
    "proxy_continue_request",
    "proxy_continue_response",
    "proxy_continue_stream",
    "proxy_done",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_increment_metric",
    "proxy_record_metric",
    "proxy_set_effective_context",
    "proxy_set_tick_period_milliseconds",
    "pthread_equal",
];

#[test]
fn no_function_is_left_out() {
    for version in [V0_1_0, V0_2_0, V0_2_1] {
        let given = host_functions(version)
            .into_iter()
            .filter(|function| function.module == "env");
        let mut known: Vec<_> = functions_with_pointers()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        known.extend(WITHOUT_POINTERS);
        for HostFunction { name, .. } in given {
            assert!(known.contains(&name), "{name} has no hostile arguments here");
        }
    }
}

#[test]
fn wild_pointers_and_lengths_of_0_1_0() {
    check_all(V0_1_0);
}

#[test]
fn wild_pointers_and_lengths_of_0_2_0() {
    check_all(V0_2_0);
}

#[test]
fn wild_pointers_and_lengths_of_0_2_1() {
    check_all(V0_2_1);
}

fn check_all(version: ProxyWasmVersion) {
    let mut guest = guest(version);
    for (function, parameters) in functions_with_pointers() {
        if !functions(version).iter().any(|(name, _)| *name == function) {
            continue;
        }
        let good = good_arguments(&mut guest, &parameters);
        let mut at = 0;
        for parameter in &parameters {
            match parameter {
                Number(_) => at += 1,
                In(_, name) => {
                    for (pointer, length) in wild_ranges() {
                        let mut arguments = good.clone();
                        (arguments[at], arguments[at + 1]) = (pointer.into(), length.into());
                        check(&mut guest, function, &arguments, name);
                    }
                    at += 2;
                }
                Out(bytes, name) => {
                    for pointer in [
                        END,
                        END - bytes + 1,
                        END - 1,
                        1 << 31,
                        u32::MAX - bytes + 1,
                        u32::MAX,
                    ] {
                        let mut arguments = good.clone();
                        arguments[at] = pointer.into();
                        check(&mut guest, function, &arguments, name);
                    }
                    at += 1;
                }
            }
        }
        let (seen, _) = guest.call_in_request_headers(&[("a", "1")], function, good);
        assert!(
            seen.contains("→ 0 Ok") || function == "proxy_set_buffer_bytes",
            "good arguments:\n{seen}"
        );
    }
}

/// A guest in which a shared value, a queue, a gRPC stream and a metric are there to be asked for.
fn guest(version: ProxyWasmVersion) -> Guest {
    let mut guest = Guest::new(version);
    guest.call("proxy_set_shared_data", args!["key", "value", 0]);
    guest.call("proxy_register_shared_queue", args!["q", OUT]);
    guest.call("proxy_enqueue_shared_queue", args![1, "value"]);
    guest.call("proxy_define_metric", args![0, "m", OUT]);
    guest.call("proxy_grpc_stream", args!["up", "service", "method", "", OUT]);
    guest
}

fn good_arguments(guest: &mut Guest, parameters: &[Parameter]) -> Vec<Argument> {
    let mut arguments = Vec::new();
    let mut place = FREE;
    for parameter in parameters {
        place += 0x1000;
        match parameter {
            Number(number) => arguments.push((*number).into()),
            In(bytes, _) => {
                guest.put(place, bytes);
                arguments.extend(args![place, bytes.len() as u32]);
            }
            Out(..) => arguments.push(place.into()),
        }
    }
    arguments
}

fn wild_ranges() -> [(u32, u32); 8] {
    [
        (END, 1),
        (END - 1, 2),
        (1 << 31, 1),
        (u32::MAX, 1),
        (u32::MAX, u32::MAX),
        (FREE, u32::MAX),
        // The sum of these is 0 in 32 bits.
        (1, u32::MAX),
        (0, 1 << 31),
    ]
}

fn check(guest: &mut Guest, function: &'static str, arguments: &[Argument], name: &str) {
    let (seen, exchange) = guest.call_in_request_headers(&[("a", "1")], function, arguments.to_vec());
    let lines: Vec<&str> = seen.lines().collect();
    let told = format!(
        "p Debug: {function} in context {}: InvalidMemoryAccess: {name}: the range at",
        guest.last_stream()
    );
    assert!(lines.len() == 2, "{seen}");
    assert!(lines[0].starts_with(&told), "{told}\n{seen}");
    assert!(lines[1].ends_with("→ 6 InvalidMemoryAccess"), "{seen}");
    assert_eq!(exchange.borrow().request_headers.as_ref().unwrap().len(), 1);
    assert!(exchange.borrow().filter_state.is_empty());
}
