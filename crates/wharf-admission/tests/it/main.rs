//! The admission server over real sockets, with policies in WAT.

mod bad_input;
mod harness;
mod load;
mod reload;
mod verdicts;
