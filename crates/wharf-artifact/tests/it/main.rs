//! Targets made on the fly, good and bad, read as the scanner reads them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod directories;
mod images;
mod layers;
mod limits;
mod malformed;
mod mutations;
mod support;
