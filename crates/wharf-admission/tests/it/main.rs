//! The admission server over real sockets, with policies in WAT.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod connections;
mod harness;
mod images;
mod load;
mod reload;
mod verdicts;
