//! Documents as reports.

mod attestation;
mod bounds;
mod cyclonedx;
mod decode;
mod spdx;

use crate::filter::BomLink;
use crate::json::{JsonError, from_json, go_object};
use crate::purl::{AGGREGATED, InvalidPurl};
use crate::{Metadata, Os, Package, Report, ScanResult, class};

/// The longest document that is read, in bytes: 256 MiB.
pub const MAX_BYTES: usize = 256 << 20;
/// The most components of a document.
pub const MAX_COMPONENTS: usize = 1_000_000;
/// The most relations between components of a document.
pub const MAX_RELATIONS: usize = 10_000_000;
/// The most single places that warnings name.
const MAX_NAMED: usize = 20;

/// What a document says of packages.
#[derive(Debug, Clone, PartialEq)]
pub struct Sbom {
    /// The kind of document.
    pub kind: SbomKind,
    /// What it says of the artifact that it is about.
    pub metadata: Metadata,
    /// The packages of the operating system.
    pub os_packages: Vec<Package>,
    /// The packages of applications, by application.
    pub applications: Vec<SbomApplication>,
    /// What VEX documents call this one, where it is one of CycloneDX with a serial number.
    pub link: Option<BomLink>,
    /// What is doubtful in it.
    pub warnings: Vec<SbomWarning>,
}

/// The packages of one application, or those of one type that belong to none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SbomApplication {
    /// Its type, such as `npm`.
    pub kind: String,
    /// Its lock file or binary; empty where the packages belong to none.
    pub file_path: String,
    /// The packages.
    pub packages: Vec<Package>,
}

/// The kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SbomKind {
    /// CycloneDX.
    CycloneDx,
    /// SPDX.
    Spdx,
}

impl SbomKind {
    /// The type of artifact that such a document is in a report.
    pub const fn artifact_type(self) -> &'static str {
        match self {
            Self::CycloneDx => "cyclonedx",
            Self::Spdx => "spdx",
        }
    }
}

/// What is doubtful in a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SbomWarning {
    /// A component has a package URL that is none, and is passed over.
    #[error("a component is passed over: {0}")]
    BadPurl(InvalidPurl),
    /// Components are of types that are not looked at, or have no package URL.
    #[error("{count} components are passed over that have no package URL of a known type, such as {example}")]
    NotPackages {
        /// How many.
        count: usize,
        /// The name of one.
        example: String,
    },
    /// Two components have the same reference.
    #[error("several components have the reference {reference}; relations to it go to the last")]
    DuplicateReference {
        /// The reference.
        reference: String,
    },
    /// Relations go to components that are not there.
    #[error("{count} relations to components that are not there are passed over, such as {example}")]
    DanglingReferences {
        /// How many.
        count: usize,
        /// The reference of one.
        example: String,
    },
    /// There are components within components.
    #[error("{count} components within others are passed over")]
    NestedComponents {
        /// How many.
        count: usize,
    },
    /// There is more than one operating system.
    #[error("there are several operating systems; {family} counts")]
    SeveralOs {
        /// The first.
        family: String,
    },
    /// There are packages of an operating system, and none is named.
    #[error("{count} packages of an operating system are not in the report, as no operating system is named")]
    UnknownOs {
        /// How many.
        count: usize,
    },
}

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// It is larger than [`MAX_BYTES`].
    #[error("it is larger than 256 MiB")]
    TooLarge,
    /// It is a known format that is not read.
    #[error("it is {format}, which is not read; convert it to CycloneDX or SPDX in JSON")]
    Unsupported {
        /// The format.
        format: &'static str,
    },
    /// It is no such document.
    #[error("it is neither CycloneDX (`bomFormat`) nor SPDX (`SPDXID`) in JSON")]
    Unknown,
    /// It is no JSON, or a field is not what it is to be.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is an attestation without a document in it.
    #[error("it is an attestation, but {reason}")]
    Attestation {
        /// Why there is no document in it.
        reason: &'static str,
    },
    /// There is more of something than is read.
    #[error("it has more than {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many may be.
        max: usize,
    },
    /// It has packages of several kinds of operating systems.
    #[error(
        "it has packages of several operating systems ({kinds}), of which it cannot be told which are meant"
    )]
    SeveralOsPackages {
        /// The types of their package URLs.
        kinds: String,
    },
}

go_object! {
    /// What tells the formats apart.
    struct Header {
        bom_format: String => "bomFormat",
        spdx_id: String => "SPDXID",
    }
}

/// Reads a document: CycloneDX 1.2 to 1.7 or SPDX 2.2 and 2.3 in JSON, or an attestation with one of them.
///
/// # Errors
/// Where it is none of these, is not well made, or has more of something than is read.
pub fn read(bytes: &[u8]) -> Result<Sbom, SbomError> {
    if bytes.len() > MAX_BYTES {
        return Err(SbomError::TooLarge);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Some(format) = other_format(bytes) {
        return Err(SbomError::Unsupported { format });
    }
    if let Some(document) = attestation::document(bytes)? {
        return read_document(&document);
    }
    read_document(bytes)
}

fn read_document(bytes: &[u8]) -> Result<Sbom, SbomError> {
    bounds::check_counts(bytes)?;
    let header: Header = from_json(bytes)?;
    if header.bom_format == "CycloneDX" {
        cyclonedx::read(bytes)
    } else if header.spdx_id == "SPDXRef-DOCUMENT" {
        spdx::read(bytes)
    } else {
        Err(SbomError::Unknown)
    }
}

/// The format of a document that is not in JSON.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    let start = bytes.get(..4096).unwrap_or(bytes);
    let start = String::from_utf8_lossy(start);
    let start = start.trim_start();
    if start.starts_with('<') {
        return Some(if start.contains("cyclonedx.org/schema") {
            "CycloneDX in XML"
        } else if start.contains("spdx.org/rdf") {
            "SPDX in RDF"
        } else {
            "XML"
        });
    }
    if start.starts_with("SPDXVersion:") {
        return Some("SPDX as tags and values");
    }
    start.starts_with("spdxVersion:").then_some("SPDX in YAML")
}

impl Sbom {
    /// Whether the operating system is known.
    pub fn os(&self) -> Option<&Os> {
        self.metadata.os.as_ref()
    }

    /// The results that `trivy sbom` has for such a document, without findings. `name` is that of the artifact.
    pub fn results(&self, name: &str) -> Vec<ScanResult> {
        let mut results = Vec::new();
        if let Some(os) = self.os() {
            results.push(ScanResult {
                target: format!("{name} ({} {})", os.family, os.name),
                class: class::OS_PACKAGES.to_owned(),
                kind: os.family.clone(),
                packages: self.os_packages.clone(),
                ..ScanResult::default()
            });
        }
        let mut others: Vec<ScanResult> = self
            .applications
            .iter()
            .filter(|application| !application.packages.is_empty())
            .map(|application| ScanResult {
                target: target_of(application),
                class: class::LANGUAGE_PACKAGES.to_owned(),
                kind: application.kind.clone(),
                packages: application.packages.clone(),
                ..ScanResult::default()
            })
            .collect();
        others.sort_by(|first, second| (&first.target, &first.kind).cmp(&(&second.target, &second.kind)));
        results.extend(others);
        results
    }

    /// A report of the document, without findings, and without what only the scanner knows. `name` is that of the artifact.
    pub fn report(&self, name: &str) -> Report {
        Report {
            schema_version: 2,
            artifact_name: name.to_owned(),
            artifact_type: self.kind.artifact_type().to_owned(),
            metadata: self.metadata.clone(),
            results: self.results(name),
            ..Report::default()
        }
    }
}

fn target_of(application: &SbomApplication) -> String {
    let known = AGGREGATED
        .iter()
        .chain(&[("kubernetes", "Kubernetes")])
        .find(|(kind, _)| *kind == application.kind);
    match known {
        Some((_, name)) if application.file_path.is_empty() => (*name).to_owned(),
        _ => application.file_path.clone(),
    }
}
