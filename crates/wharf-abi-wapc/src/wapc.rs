//! waPC: calls by name into a guest, and from it into its host.
//!
//! A waPC guest is a module with one function, `__guest_call`, to which the host gives an operation's name and a payload of
//! bytes, and which answers with bytes or with an error text. While it runs it can call its host in the same way. The
//! protocol says nothing about the bytes: Kubewarden's policies use JSON, other guests MessagePack.
//!
//! [`Guest`] is such a module, linked and ready: each [`Guest::call`] runs in a fresh instance, so that no call sees what
//! an earlier one left. What the guest reaches of the world is its [`Host`].
//!
//! # What the guest exports
//!
//! | function | |
//! |---|---|
//! | `__guest_call(op_len, msg_len) -> i32` | the call; 1 is success, 0 an error. Required, as is `memory` |
//! | `_start()`, or without it `_initialize()` | the language's own start; an exit with code 0 from it is no fault |
//! | `wapc_init()` | the guest registers its operations |
//!
//! # What the guest imports from module `wapc`
//!
//! | function | |
//! |---|---|
//! | `__guest_request(op_ptr, ptr)` | writes the operation's name and the payload to the two places |
//! | `__guest_response(ptr, len)` | the answer |
//! | `__guest_error(ptr, len)` | the error text |
//! | `__host_call(bd_ptr, bd_len, ns_ptr, ns_len, op_ptr, op_len, ptr, len) -> i32` | calls the host; 1 is success, 0 an error |
//! | `__host_response_len() -> i32`, `__host_response(ptr)` | the host's answer to the last host call |
//! | `__host_error_len() -> i32`, `__host_error(ptr)` | the host's error text of the last host call |
//! | `__console_log(ptr, len)` | a line for the log |
//!
//! Beside these a guest gets WASI, in which nothing of the machine can be reached, and what AssemblyScript's standard
//! library imports from `env`: `abort`, `trace` and `seed`.
//!
//! The protocol has no status for a pointer that is not inside the guest's memory: such a call ends with a
//! [`FaultKind::BadReply`](wharf_engine::FaultKind::BadReply) that names the function and the argument.

mod assemblyscript;
mod error;
mod guest;
mod host;
mod hostcalls;
mod payload;
mod state;

pub use error::{CallError, LoadError};
pub use guest::Guest;
pub(crate) use guest::check_time;
pub use host::{Host, HostCall};
pub use hostcalls::host_functions;
pub use payload::PayloadLimits;
pub use wharf_abi_wasi::Stdio;
