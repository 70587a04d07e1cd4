//! Exchanges through chains of scripted filters. What is expected is everything that happened, in order: the callbacks
//! with their parameters, the log, and what goes out (`=>`).

#![expect(
    clippy::needless_pass_by_value,
    reason = "what is expected is written where it is given away"
)]

mod bodies;
mod faults;
mod faulty_vms;
mod limits;
mod local_responses;
mod order;
mod pausing;
mod random;
mod resets;
mod trailers;

use crate::testing::{Callback, FilterScript, Step, args, call, filter};

/// Results of callbacks.
const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;
const WATERMARK: u32 = 2;
const NO_BUFFER: u32 = 3;

/// Streams, as `proxy_continue_stream` and `proxy_close_stream` number them.
const REQUEST: u32 = 0;
const RESPONSE: u32 = 1;

/// The first stream of a VM with one plugin.
const STREAM: u32 = 2;

fn resume(stream: u32) -> Step {
    call("proxy_continue_stream", args![stream])
}

fn on_stream(stream: u32) -> Step {
    call("proxy_set_effective_context", args![stream])
}

fn answer(status: u32, body: &str) -> Step {
    call(
        "proxy_send_local_response",
        args![status, "because", body, "", -1],
    )
}

/// Changes `length` bytes of a body at `start`: of the request (0) or the response (1).
fn set_body(body: u32, start: u32, length: u32, value: &str) -> Step {
    call("proxy_set_buffer_bytes", args![body, start, length, value])
}

/// Adds to a map: request headers 0 and trailers 1, response headers 2 and trailers 3.
fn add(map: u32, name: &str, value: &str) -> Step {
    call("proxy_add_header_map_value", args![map, name, value])
}

/// A filter that traps in a callback.
fn traps(name: &'static str, callback: Callback) -> FilterScript {
    filter(name).on(callback, 0, [call("trap", args![])])
}
