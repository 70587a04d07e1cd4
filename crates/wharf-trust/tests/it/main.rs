//! Signatures beside images and files, found where tools put them, and held against a policy.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod identities;
mod images;
mod yard;
