//! The HTTPS server that answers the reviews of a Kubernetes API server with policies.
//!
//! ```text
//! API server ─► connection.rs ─► http.rs ─► queue.rs ─► review.rs ─► wharf-abi-wapc
//!               TLS, HTTP,       path, body   a thread     the verdict, and what
//!               idleness         and limits   that may     the deployer makes of it
//!                                             block
//! ```
//!
//! Connections are served by a small runtime, guests run on threads of their own ([`AdmissionServer`]). Policies are
//! replaced as a whole while reviews run ([`AdmissionServer::reload`]), and where a tag means another module by now
//! ([`AdmissionServer::refresh`]); a review keeps the policy that it began with.

mod bodies;
mod capabilities;
mod connection;
mod host;
mod http;
mod policies;
mod queue;
mod review;
mod server;
mod start;

pub use capabilities::{CapabilityLimits, ClusterCapabilities, ConnectError};
pub use connection::ConnectionLimits;
pub use host::SharedCapabilities;
pub use policies::{Change, Refreshed};
pub use server::{Bound, StartError};
pub use start::{AdmissionServer, AdmissionSettings, PreparedPolicies};
