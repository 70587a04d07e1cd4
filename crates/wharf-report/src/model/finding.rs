//! Findings that were suppressed or changed.

use serde::de::{Deserializer, Error};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{DetectedLicense, DetectedMisconfiguration, DetectedSecret, DetectedVulnerability};
use crate::json::{FromGo, Wrapped, go_object};

/// A finding that was suppressed or changed, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct ModifiedFinding {
    /// `ignored`, `not_affected`, `fixed` and so on.
    pub status: String,
    /// The reason that was given.
    pub statement: String,
    /// What says so, such as `.trivyignore`.
    pub source: String,
    /// The finding.
    pub finding: Finding,
}

/// A finding of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// A vulnerability.
    Vulnerability(Box<DetectedVulnerability>),
    /// A misconfiguration.
    Misconfiguration(Box<DetectedMisconfiguration>),
    /// A secret.
    Secret(Box<DetectedSecret>),
    /// A license.
    License(Box<DetectedLicense>),
}

impl Finding {
    /// The kind, as it stands beside the finding.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Vulnerability(_) => "vulnerability",
            Self::Misconfiguration(_) => "misconfiguration",
            Self::Secret(_) => "secret",
            Self::License(_) => "license",
        }
    }
}

go_object! {
    /// A modified finding as it is read.
    struct Parts {
        kind: String => "Type",
        status: String => "Status",
        statement: String => "Statement",
        source: String => "Source",
        finding: Value => "Finding",
    }
}

impl FromGo for ModifiedFinding {
    fn from_go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn read<T: FromGo, E: Error>(value: Value) -> Result<Box<T>, E> {
            serde_json::from_value::<Wrapped<T>>(value)
                .map(|read| Box::new(read.0))
                .map_err(E::custom)
        }
        let parts = Parts::from_go(deserializer)?;
        let finding = match parts.kind.as_str() {
            "vulnerability" => Finding::Vulnerability(read::<_, D::Error>(parts.finding)?),
            "misconfiguration" => Finding::Misconfiguration(read::<_, D::Error>(parts.finding)?),
            "secret" => Finding::Secret(read::<_, D::Error>(parts.finding)?),
            "license" => Finding::License(read::<_, D::Error>(parts.finding)?),
            other => {
                return Err(D::Error::custom(format_args!(
                    "\"{}\" is no kind of finding",
                    other.escape_debug()
                )));
            }
        };
        Ok(Self {
            status: parts.status,
            statement: parts.statement,
            source: parts.source,
            finding,
        })
    }
}

impl Serialize for ModifiedFinding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("Type", self.finding.kind())?;
        map.serialize_entry("Status", &self.status)?;
        map.serialize_entry("Statement", &self.statement)?;
        map.serialize_entry("Source", &self.source)?;
        match &self.finding {
            Finding::Vulnerability(finding) => map.serialize_entry("Finding", finding)?,
            Finding::Misconfiguration(finding) => map.serialize_entry("Finding", finding)?,
            Finding::Secret(finding) => map.serialize_entry("Finding", finding)?,
            Finding::License(finding) => map.serialize_entry("Finding", finding)?,
        }
        map.end()
    }
}
