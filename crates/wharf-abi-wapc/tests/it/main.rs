//! Guests and policies in text form, run as a program that embeds them would run them.

mod capabilities;
mod commands;
mod guests;
mod hostile;
mod policies;
mod rego;
mod support;
