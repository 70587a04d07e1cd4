//! The proxy between real sockets: raw clients on one side, scripted origins on the other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bodies;
mod disconnects;
mod drain;
mod guests;
mod harness;
mod heads;
mod keep_alive;
mod listening;
mod observed;
mod replace;
mod routing;
mod smuggling;
mod timeouts;
mod upstreams;
