//! Bills of materials: reports as CycloneDX and SPDX documents, and such documents as reports.
//!
//! What is written is what Trivy 0.76.0 writes for the same report ([`to_cyclonedx`], [`to_spdx_json`]), but without chance:
//! serial numbers, references and namespaces are made of the content. What is read ([`read`]) gives the packages that
//! `trivy sbom` finds in the same document. Documents that are read are bounded in size, number and depth.

mod cyclonedx;
mod graph;
mod hash;
mod ids;
mod license;
mod read;
mod spdx;

pub use self::cyclonedx::to_cyclonedx;
pub use self::hash::uid_of;
pub use self::read::{
    MAX_BYTES, MAX_COMPONENTS, MAX_RELATIONS, Sbom, SbomApplication, SbomError, SbomKind, SbomWarning, read,
};
pub use self::spdx::to_spdx_json;

pub(crate) use self::graph::{Component, Graph};
pub(crate) use self::license::{license_parts, normalised_license};

use crate::Timestamp;

/// What a document says of its making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SbomContext {
    /// The version of the tool that makes it.
    pub tool_version: String,
    /// When it is made. Without, a CycloneDX document does not say it, and an SPDX document, which must, says
    /// 1970-01-01T00:00:00Z.
    pub created: Option<Timestamp>,
}

#[cfg(test)]
mod tests;
