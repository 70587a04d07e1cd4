//! What each fuzz target does with its bytes.
//!
//! Every boundary where bytes enter that nobody vouches for has a target: a function over bytes that returns where all
//! is well and panics where it is not. `fuzz/` gives them to libFuzzer, and `tests/replay.rs` gives them the committed
//! corpora, so that neither a nightly compiler nor cargo-fuzz is needed to see that what was once found stays fixed.
//!
//! The bytes of [`host_functions`] and [`chain`] are programs; `plan.rs` says how they are written.

mod archive;
mod chain;
mod checker;
mod config;
mod exchange;
mod guest;
mod header_pairs;
mod host_functions;
mod http1;
mod input;
mod inspect;
mod layers;
mod manifests;
mod observer;
mod plan;
mod references;
mod script;
mod signatures;
mod world;

pub use archive::archive;
pub use chain::chain;
pub use config::config;
pub use header_pairs::header_pairs;
pub use host_functions::host_functions;
pub use http1::http1;
pub use inspect::inspect;
pub use layers::layers;
pub use manifests::manifests;
pub use references::references;
pub use signatures::signatures;

/// A target: its name, which is also that of its corpus, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 11] = [
    ("header_pairs", header_pairs),
    ("host_functions", host_functions),
    ("config", config),
    ("chain", chain),
    ("http1", http1),
    ("inspect", inspect),
    ("signatures", signatures),
    ("manifests", manifests),
    ("references", references),
    ("layers", layers),
    ("archive", archive),
];
