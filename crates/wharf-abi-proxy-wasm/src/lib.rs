//! The proxy-wasm ABI, versions 0.1.0, 0.2.0 and 0.2.1, as a state machine over headers, bodies and bytes.
//!
//! There are no sockets here and no clock: a filter reaches nothing but what its embedder's [`Host`] and
//! [`StreamProperties`] give it. So a test drives filters with no network, and any proxy can embed them:
//!
//! 1. [`Program::new`] links a compiled module to the ABI's host functions.
//! 2. [`Vm::new`] makes an instance, [`Vm::add_plugin`] a root context in it. A VM belongs to one thread and serves many
//!    streams.
//! 3. [`Chain::new`] puts an HTTP exchange through filters of any VMs: what comes from the client and the upstream goes
//!    in, what is to be sent comes out.
//!
//! Shared data, queues and metrics ([`Shared`]) belong to the process. Where the specification is silent, the behaviour
//! is that of Envoy; `conformance/proxy-wasm.yaml` has each function and callback with its state.

mod body;
mod callouts;
mod chain;
mod context;
mod exports;
pub mod headers;
mod host;
mod hostcalls;
mod numbers;
pub mod pairs;
pub mod shared;
mod state;
mod streams;
mod support;
#[cfg(test)]
mod testing;
mod vm;

pub use body::Body;
pub use chain::{Chain, ChainLimits, Filter, Output, ResetReason, SharedVm, UnavailableFilter};
pub use context::{Direction, Exchange, LocalResponse, SharedExchange, Signals};
pub use headers::{HeaderError, HeaderList, Name};
pub use host::{
    CallRefused, ContextId, GrpcAction, GrpcCall, Host, HttpCall, HttpCallResponse, PluginContext,
    RefusedCall, StreamProperties,
};
pub use hostcalls::host_functions;
pub use numbers::{
    Action, BodyAction, BufferType, HeadersAction, LogLevel, MapType, MetricType, PeerType, Status,
    StreamType,
};
pub use shared::{Namespace, Shared};
pub use support::{Callback, HostFunction, Support, callbacks, start_functions};
pub use vm::{Program, StartError, Vm, VmSettings};
