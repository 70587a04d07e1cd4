//! The admission server over real sockets, with policies in WAT, and what policies may ask with a scripted API server behind
//! it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asking;
mod bad_input;
mod cluster;
mod connections;
mod harness;
mod images;
mod load;
mod refresh;
mod reload;
mod signatures;
mod verdicts;
