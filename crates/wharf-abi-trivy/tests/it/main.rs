//! Modules in text form and the committed ones, run as a program that embeds them would run them.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose setting cannot be made fails there"
)]

mod exports;
mod guests;
mod hostile;
mod lifetimes;
mod support;
