//! Scans directories, images and SBOMs with Trivy's modules, and gives a report.
//!
//! [`Modules::load`] loads modules with a [`Loader`](wharf_loader::Loader), and a [`Scan`] lets them look at a [`Target`]:
//! analyzers at the files that they want, on as many threads as there are cores; post-scanners at what was found. What comes of
//! it is a [`Report`](wharf_report::Report), the same from run to run, and what could not be looked at.
//!
//! No module ends the scan or keeps it from ending: a module that traps, hangs or takes too much memory loses the one file that
//! it was looking at, and [`OnFault`] says what that means. Nothing is dropped in silence.
//!
//! [`ResultCache`] keeps what was found in files and layers for the next scan.

mod analyze;
mod cache;
mod directory;
mod error;
mod findings;
mod fingerprint;
mod host;
mod image;
mod interrupt;
mod merge;
mod modules;
mod parallel;
mod post_scan;
mod progress;
mod results;
mod scan;
mod settings;
mod warnings;

pub use cache::ResultCache;
pub use error::ScanError;
pub use fingerprint::{give_fingerprints, give_id};
pub use interrupt::Interrupt;
pub use modules::{LoadedModules, ModuleError, ModuleFailure, ModuleSpec, Modules, OnFault};
pub use progress::ScanProgress;
pub use scan::{Scan, Scanned, Target};
pub use settings::ScanSettings;
