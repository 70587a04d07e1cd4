//! Origins, API servers, registries and clients for tests over real sockets, and images on disk.
//!
//! An origin either answers well ([`origin()`]) or follows a script that may do anything with its sockets
//! ([`scripted_origin`]). A [`Client`] sends exactly the bytes that it is told to. Both are plain blocking threads
//! and sockets: nothing here shares code with what is tested, so a mistake cannot hide in both.
//!
//! An [`Image`] is written as an archive or as a layout of OCI, from layers with whatever entries a test needs.
//!
//! Every wait ends after [`PATIENCE`], with a panic that says what was waited for; so a broken proxy fails tests and
//! does not hang them. No test depends on how long anything takes.

pub mod api_server;
pub mod client;
pub mod docker_registry;
pub mod image;
pub mod message;
pub mod origin;
pub mod registry;
#[expect(clippy::unwrap_used, reason = "what it makes can be made")]
pub mod sigstore;
pub mod tar;

use std::time::Duration;

pub use api_server::{ApiServer, api_server};
pub use client::{Client, connect};
pub use docker_registry::DockerRegistry;
pub use image::{Image, Layer};
pub use message::{Received, Response};
pub use origin::{
    Conversation, Origin, OriginBuilder, origin, refused_address, saturated_address, scripted_origin,
};
pub use registry::{Registry, registry};

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `condition` holds, looking every few milliseconds; panics with `what` when it does not.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < until, "this did not happen: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
