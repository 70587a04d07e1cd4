//! Runs WebAssembly modules for Wharf.
//!
//! This is the only crate that names wasmtime. It compiles a [`wharf_plugin::VerifiedArtifact`] once for each digest
//! and engine settings ([`Engine::compile`]), links it against a table of host functions ([`Imports`]), and runs it
//! in an [`Instance`] under [`wharf_plugin::Limits`]. Whatever goes wrong inside a guest is a typed [`Fault`]; no
//! guest can panic the host, run past its deadline or grow past its memory limit.
//!
//! Every host function of every ABI is entered through one door (`imports.rs`), where a [`HostCallObserver`] can be
//! attached; while none is, the door costs one branch.

mod cache;
mod clock;
mod deadline;
mod engine;
mod fault;
mod imports;
mod instance;
mod limiter;
mod memory;
mod module;
mod own_memory;
mod pool;
mod requirements;
mod resident;
mod slots;

pub use cache::{CacheReport, CompiledCache, CompiledCacheError};
pub use deadline::Deadline;
pub use engine::{Allocation, Engine, EngineError, EngineSettings};
pub use fault::{Fault, FaultKind, Frame};
pub use imports::{
    HostCall, HostCallEvent, HostCallObserver, HostFailure, HostParameters, HostResult, HostReturn,
    HostValue, Imports, Value,
};
pub use instance::{GuestFunction, Instance};
pub use memory::{GuestMemory, OutOfBounds};
pub use module::{CompileError, ImportProblem, LinkError, Linked, Module};
pub use pool::{InstancePool, PooledInstance};
pub use requirements::OverLimit;

/// The log targets of the libraries under this crate. They say much about themselves below warnings.
pub const NOISY_LOG_TARGETS: &[&str] = &["wasmtime", "cranelift", "regalloc2"];

/// What the parameters of a guest function may be: a tuple of `u32`, `i32`, `u64`, `i64`, `f32`, `f64`.
pub use wasmtime::WasmParams;
/// What a guest function may return.
pub use wasmtime::WasmResults;
