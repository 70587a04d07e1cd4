//! The client of registries, fetching, the store and pushing, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod archive;
mod asking;
mod fetching;
mod harness;
mod hostile;
mod killed;
mod plugins;
mod publishing;
mod real_registry;
mod remote;
mod secured;
mod store;
mod troubled;
mod trusted;
mod urls;
