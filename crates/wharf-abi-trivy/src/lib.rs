//! Trivy's modules, with no files, no sockets and no clock.
//!
//! [`TrivyModule`] is a module of Trivy's API version 1, loaded and asked what it is. [`TrivyModule::analyze`] gives it one file
//! and reads what it found; [`TrivyModule::post_scan`] lets it insert, update or remove findings. What they see of
//! a report has the types of `wharf-report`. What a module reaches of the world is its [`Host`].
//!
//! # What a module exports
//!
//! | function | |
//! |---|---|
//! | `_initialize()`, or without it `_start()` | the language's own start; an exit with code 0 from it is no fault |
//! | `malloc(size) -> ptr` | memory for what the host gives |
//! | `free(ptr, size)` or `free(ptr)` | gives it back |
//! | `name() -> i64`, `version() -> i32`, `api_version() -> i32` | what it is; the last is 1 |
//! | `is_analyzer() -> i64`, `is_post_scanner() -> i64` | what it does; `i32` is good too |
//! | `required() -> i64` | for analyzers: the regular expressions of the paths that it wants, an array of JSON |
//! | `analyze(ptr, size) -> i64` | looks at the file whose path is given |
//! | `post_scan_spec() -> i64` | for post-scanners: what it changes, and which findings it wants |
//! | `post_scan(ptr, size) -> i64` | looks at the results that are given |
//!
//! A result of 64 bits is a pointer in its upper and a size in its lower half. What it points at is read, and given back to a
//! `free` with two parameters; Trivy calls no other `free` for results, so modules with one parameter may point at memory that
//! never came from their allocator.
//!
//! # What a module imports
//!
//! `env.debug`, `env.info`, `env.warn`, `env.error`, each with a pointer and a size: a line for the log. And WASI, in which a
//! module sees the one file that it is given, at its path, and nothing else of the machine.

mod analysis;
mod error;
mod exports;
mod guest;
mod host;
mod hostcalls;
mod module;
mod post_scan;
mod required;
mod settings;
mod state;

pub use analysis::{AnalysisResult, Application, PackageInfo, Repository};
pub use error::{CallError, LoadError};
pub use host::{Host, LogLine, LogSource};
pub use hostcalls::host_functions;
pub use module::{ModuleInfo, TrivyModule};
pub use post_scan::{Action, Changes, PostScanSpec};
pub use required::{PatternError, Required, RequiredSet};
pub use settings::{Clock, Lifetime, PayloadLimits, Settings};

/// The version of the API that is spoken.
pub const API_VERSION: u32 = 1;
