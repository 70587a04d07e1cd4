//! The client of registries, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod asking;
mod harness;
mod hostile;
mod real_registry;
mod secured;
