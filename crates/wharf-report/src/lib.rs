//! The report of a scan: what it says, the formats that it is written in, and what is left out of it.
//!
//! The types have the fields of Trivy 0.76.0 in their order, under their keys, and [`Report::to_json`] writes them byte for byte
//! as it does, so that what reads Trivy's reports reads these. There are no files here, no sockets and no clock: reports are
//! made from values, and are the same from run to run.
//!
//! [`ScanWarning`] is what a scan has to tell beside its findings; the formats carry it.
//!
//! [`json`] has the JSON of Go by which the types are read and written, for the payloads of Trivy's modules, which are made of
//! the same types.

pub mod filter;
pub mod format;
pub mod json;
mod model;
mod moment;
pub mod purl;
pub mod sbom;
mod visible;
pub mod warning;

pub use model::*;
pub use visible::visible;
pub use warning::{ScanWarning, WarningKind};
