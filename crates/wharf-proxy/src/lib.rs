//! Wharf's reverse proxy: HTTP/1.1 on both sides, with chains of filters in between.
//!
//! ```text
//! server    → worker (a thread: one runtime, one listening socket for each listener, one pool of connections)
//!  strict     every byte of a client is checked before hyper sees it
//!  handle     one request: its id, its target, its route
//!  passthrough | exchange   without filters | through a chain of filters
//!  upstream   endpoints, pooled connections, retries; or the embedded responder
//!  record     what the access log and the metrics say about it, whatever way it ends
//! ```
//!
//! Nothing on this path is shared between threads except counters, so nothing takes a lock.

pub mod answer;
pub mod body;
pub mod context;
pub mod exchange;
mod handle;
pub mod headers;
mod passthrough;
pub mod pipe;
pub mod plugins;
pub mod record;
pub mod request_id;
pub mod response_body;
pub mod routes;
pub mod server;
pub mod status;
pub mod strict;
mod target;
mod timer;
pub mod upstream;

pub use self::server::{BindError, BoundListener, ReplaceError, RunningPlugins, Server, ServerSettings};
