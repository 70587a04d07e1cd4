//! The guest's own allocator, which the host calls back: it gives nothing, or what is not memory, or memory that means
//! something else already; it traps, never returns, recurses, grows the memory, ends the guest, and calls the host again.

use std::time::Duration;

use wharf_plugin::ProxyWasmVersion::{self, V0_2_1};

use super::catalog::{BAD_MEMORY, OK};
use super::guest::{Allocator, Hostile, Seen};
use super::kit::{END, PLACES, Step};
use super::phases::{CONFIGURE, Group, NO_ANSWER, Phase, REQUEST_HEADERS, guarded};

/// The phase in which a function with good arguments has something to give: a message is there only where a call-out
/// has failed.
fn phase_of(name: &str) -> Phase {
    if name == "proxy_get_status" {
        NO_ANSWER
    } else {
        REQUEST_HEADERS
    }
}

/// Whether the function's parameters ask for what the guest has to allocate: the places for an address and a length.
fn gives_memory(hostile: &Hostile, function: usize) -> bool {
    use super::catalog::Parameter::Out;
    let is_address =
        |parameter: &_| matches!(parameter, Out { name, .. } if *name == "the place for the address");
    hostile.kit.entries[function].parameters.iter().any(is_address)
}

/// The functions that allocate, as they are seen to. Those that look as if they did are the same.
fn allocating(version: ProxyWasmVersion) -> Vec<usize> {
    let mut hostile = Hostile::new(version);
    let functions = 0..hostile.kit.entries.len();
    let allocating: Vec<usize> = functions
        .filter(|function| {
            if hostile.kit.entries[*function].is_exit() {
                return false;
            }
            let name = hostile.kit.entries[*function].name;
            let step = hostile.kit.good_step_of(*function);
            hostile.set_allocator(Allocator::Good);
            hostile.run_once(phase_of(name), vec![step]);
            let allocates = hostile.allocations() > 0;
            assert_eq!(allocates, gives_memory(&hostile, *function), "{name}");
            allocates
        })
        .collect();
    assert!(allocating.len() >= 8, "{allocating:?}");
    allocating
}

/// Calls each function that allocates with such an allocator, and shows what came of it.
fn check(version: ProxyWasmVersion, allocator: Allocator, good: impl Fn(&Seen)) {
    for function in allocating(version) {
        // What lies on its inputs is written over, so that each has its own.
        let mut hostile = Hostile::new(version);
        let name = hostile.kit.entries[function].name;
        let what = format!("{name} of {version} where the allocator {allocator:?}");
        if allocator == Allocator::Loops {
            hostile.vm.borrow_mut().deadline = Duration::from_millis(20);
        }
        hostile.set_allocator(allocator);
        let step = hostile.kit.good_step_of(function);
        let seen = guarded(&what, || hostile.run_once(phase_of(name), vec![step]));
        guarded(&format!("{what}: {seen:?}"), || good(&seen));
        hostile.serve_the_next(Group::Http);
    }
}

fn check_status(allocator: Allocator, status: i32) {
    for version in ProxyWasmVersion::ALL {
        check(version, allocator, |seen| {
            assert_eq!((seen.answers[0], seen.fault.as_deref()), (Some(status), None));
        });
    }
}

fn check_fault(allocator: Allocator, fault: &str) {
    for version in ProxyWasmVersion::ALL {
        check(version, allocator, |seen| {
            assert_eq!((seen.answers[0], seen.fault.as_deref()), (None, Some(fault)));
        });
    }
}

#[test]
fn it_gives_nothing() {
    check_status(Allocator::Gives(0), BAD_MEMORY);
}

#[test]
fn it_gives_what_is_not_memory() {
    for pointer in [END, END + 1, 1 << 31, (1 << 31) + 1, u32::MAX - 3, u32::MAX] {
        check_status(Allocator::Gives(pointer), BAD_MEMORY);
    }
}

#[test]
fn it_gives_what_is_too_short() {
    let mut hostile = Hostile::new(V0_2_1);
    // The value has five bytes, the names of the map seven and more.
    for (name, bytes) in [
        ("proxy_get_shared_data", 5),
        ("proxy_dequeue_shared_queue", 5),
        ("proxy_get_property", 1),
        ("proxy_get_buffer_bytes", 9),
        ("proxy_get_header_map_pairs", 53),
    ] {
        for (pointer, status) in [(END - bytes, OK), (END - bytes + 1, BAD_MEMORY)] {
            hostile.set_allocator(Allocator::Gives(pointer));
            let step = hostile.kit.good_step(name);
            let seen = hostile.run(REQUEST_HEADERS, vec![step]);
            assert_eq!(
                seen.answers,
                [Some(status)],
                "{name} at {pointer:#x}: {}",
                seen.told
            );
        }
    }
}

#[test]
fn it_gives_what_is_not_aligned() {
    for offset in [1, 2, 3, 5, 7] {
        check_status(Allocator::Gives(PLACES + offset), OK);
    }
}

#[test]
fn it_gives_memory_that_means_something_else() {
    // The places for the answer, what is read, and the very beginning.
    for pointer in [
        PLACES + 0x1000,
        PLACES + 0x1002,
        PLACES + 0x2000,
        0x20000,
        0x20001,
        1,
    ] {
        check_status(Allocator::Gives(pointer), OK);
    }
}

#[test]
fn it_traps() {
    check_fault(Allocator::Traps, "trap");
}

#[test]
fn it_never_returns() {
    check_fault(Allocator::Loops, "deadline");
}

#[test]
fn it_recurses() {
    check_fault(Allocator::Recurses, "stack");
}

#[test]
fn it_grows_the_memory() {
    check_status(Allocator::Grows, OK);
}

#[test]
fn it_takes_all_memory() {
    check_fault(Allocator::Hogs, "memory");
}

/// Runs one function from inside the allocator, which another one has called.
fn from_inside(hostile: &mut Hostile, outer: &str, inner: Vec<Step>) -> Seen {
    hostile.set_allocator(Allocator::Good);
    hostile.script_allocator(&inner);
    let step = hostile.kit.good_step(outer);
    hostile.run_once(phase_of(outer), vec![step])
}

/// Whatever it calls, there is no way on into the host: logging and WASI work there, which need no memory of the guest;
/// all else ends the guest, as in Envoy. So no call can be under way twice.
#[test]
fn it_calls_every_host_function() {
    for version in ProxyWasmVersion::ALL {
        let mut hostile = Hostile::new(version);
        let outers = [
            "proxy_get_property",
            "proxy_get_buffer_bytes",
            "proxy_get_header_map_value",
        ];
        for outer in outers {
            for function in 0..hostile.kit.entries.len() {
                let entry = hostile.kit.entries[function].clone();
                let what = format!("{}.{} inside {outer} of {version}", entry.module, entry.name);
                let step = hostile.kit.good_step_of(function);
                let seen = guarded(&what, || from_inside(&mut hostile, outer, vec![step]));
                let inside = hostile.allocator_answers(1)[0];
                let expected = if entry.is_exit() {
                    (None, None, Some("exit"))
                } else if entry.is_always_there() {
                    (entry.good.or(Some(0)), Some(OK), None)
                } else {
                    (None, None, Some("bad_reply"))
                };
                assert_eq!(
                    (inside, seen.answers[0], seen.fault.as_deref()),
                    expected,
                    "{what}: {}",
                    seen.told
                );
                hostile.serve_the_next(Group::Http);
            }
        }
    }
}

#[test]
fn the_log_says_what_it_called() {
    let mut hostile = Hostile::new(V0_2_1);
    let inner = hostile.kit.good_step("proxy_send_local_response");
    let seen = from_inside(&mut hostile, "proxy_get_property", vec![inner]);
    assert_eq!(
        seen.told,
        "host: p faulted in proxy_on_request_headers: the guest gave a bad reply: proxy_send_local_response was called \
         from inside the guest's own allocator; only logging and WASI can be\n"
    );
}

/// Logging a thousand times from inside is only slow.
#[test]
fn it_may_log_as_often_as_it_likes() {
    let mut hostile = Hostile::new(V0_2_1);
    let log = hostile.kit.good_step("proxy_log");
    let seen = from_inside(&mut hostile, "proxy_get_property", vec![log; 100]);
    assert_eq!((seen.answers[0], seen.fault), (Some(OK), None));
    assert_eq!(seen.told.lines().count(), 100);
    hostile.serve_the_next(Group::Http);
}

/// An allocator that fails while the plugin is configured keeps it from starting, and nothing more.
#[test]
fn it_fails_while_the_plugin_starts() {
    let mut hostile = Hostile::new(V0_2_1);
    for (allocator, answer, fault) in [
        (Allocator::Gives(0), Some(BAD_MEMORY), None),
        (Allocator::Gives(END), Some(BAD_MEMORY), None),
        (Allocator::Traps, None, Some("trap")),
    ] {
        hostile.set_allocator(allocator);
        let step = hostile
            .kit
            .step("proxy_get_buffer_bytes", &[7, 0, 100, 0x28000, 0x28004]);
        let seen = hostile.run_once(CONFIGURE, vec![step]);
        assert_eq!(
            (seen.answers[0], seen.fault.as_deref()),
            (answer, fault),
            "{}",
            seen.told
        );
        hostile.serve_the_next(Group::Start);
    }
}
