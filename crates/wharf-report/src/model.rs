//! The report, and what it consists of, as Trivy 0.76.0 writes it: each type has the fields of Trivy's in their order, under
//! their keys, and leaves out what Trivy leaves out. The comments say what a field is for; Trivy's documentation has more.
//!
//! The same types go to modules that look at results, and come back from them.

mod finding;
mod license;
mod metadata;
mod misconfiguration;
mod package;
mod result;
mod secret;
mod timestamp;
mod vulnerability;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

pub use self::finding::{Finding, ModifiedFinding};
pub use self::license::{DetectedLicense, LicenseFile, LicenseFinding};
pub use self::metadata::{Layer, Metadata, Os, ServerInfo, TrivyInfo};
pub use self::misconfiguration::{
    CauseMetadata, DetectedMisconfiguration, Misconfiguration, MisconfigurationResult, Occurrence,
    PolicyMetadata, RenderedCause,
};
pub use self::package::{BuildInfo, Location, Package, PackageIdentifier, PackageRepository, Relationship};
pub use self::result::{CustomResource, MisconfigurationSummary, ScanResult, class};
pub use self::secret::{Code, DetectedSecret, Line, Secret};
pub use self::timestamp::{InvalidTimestamp, Timestamp};
pub use self::vulnerability::{Cvss, DataSource, DetectedVulnerability, Status, Vulnerability};
use crate::json::{JsonError, from_json, go_object, to_vec_pretty};
use crate::warning::ScanWarning;

go_object! {
    /// A report: what was scanned, and what was found.
    pub struct Report {
        /// The version of this form: 2.
        pub schema_version: i64 => "SchemaVersion" omit,
        /// The scanner.
        pub trivy: TrivyInfo => "Trivy" omit,
        /// The report's own id.
        pub report_id: String => "ReportID" omit,
        /// When it was made.
        pub created_at: Option<Timestamp> => "CreatedAt" omit,
        /// What stays the same over the scans of an artifact.
        pub artifact_id: String => "ArtifactID" omit,
        /// What was scanned: a path, a reference.
        pub artifact_name: String => "ArtifactName" omit,
        /// `container_image`, `filesystem`, `repository`, `cyclonedx`, `spdx`, `vm`.
        pub artifact_type: String => "ArtifactType" omit,
        /// What is known of it.
        pub metadata: Metadata => "Metadata" omit,
        /// What was found, one for each target and kind.
        pub results: Vec<ScanResult> => "Results" omit,
    }
}

impl Report {
    /// The bytes that `trivy --format json` writes for this report, with the line end at their end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = to_vec_pretty(self);
        bytes.push(b'\n');
        bytes
    }

    /// The same with the warnings of the scan under a key of their own, `Warnings`, behind `Results`. Where there are none these
    /// are the bytes of [`Report::to_json`]. Trivy and what reads its reports pass over the key.
    pub fn to_json_with(&self, warnings: &[ScanWarning]) -> Vec<u8> {
        let mut bytes = to_vec_pretty(&WithWarnings {
            report: self,
            warnings,
        });
        bytes.push(b'\n');
        bytes
    }

    /// Reads a report.
    ///
    /// # Errors
    /// Where it is not one, and in which field.
    pub fn from_json(bytes: &[u8]) -> Result<Self, JsonError> {
        from_json(bytes)
    }
}

/// A report and the warnings of its scan, in one object.
pub(crate) struct WithWarnings<'a> {
    pub(crate) report: &'a Report,
    pub(crate) warnings: &'a [ScanWarning],
}

impl Serialize for WithWarnings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.report.write_fields(&mut map)?;
        if !self.warnings.is_empty() {
            map.serialize_entry("Warnings", self.warnings)?;
        }
        map.end()
    }
}

/// Writes any part of a report as Trivy writes it: two spaces for each level, texts escaped as Go does.
pub fn to_json_pretty<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    to_vec_pretty(value)
}

/// The configuration of a container image, in the form of the OCI image specification; its keys stay in their order.
pub type ImageConfig = Value;

#[cfg(test)]
mod tests;
