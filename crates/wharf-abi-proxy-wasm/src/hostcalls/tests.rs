//! The host functions by their bytes: each is called through the scripted guest, and what is expected is the call with
//! its status, the log's line, and what has changed in the guest's memory.

#![expect(
    clippy::needless_pass_by_value,
    reason = "what is expected is written where it is given away"
)]

mod allocator;
mod buffers;
mod configuration;
mod contexts;
mod emscripten;
mod foreign;
mod grpc;
mod headers;
mod hostile;
mod http_call;
mod local_response;
mod logging;
mod metrics;
mod phases;
mod properties;
mod shared_data;
mod shared_queues;
mod streams;
mod time;
