//! Guests and policies in text form, run as a program that embeds them would run them.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose setting cannot be made fails there"
)]

mod capabilities;
mod commands;
mod guests;
mod hostile;
mod policies;
mod rego;
mod support;
