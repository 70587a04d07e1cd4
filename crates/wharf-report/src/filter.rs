//! What is left out of a report: by severity and status, by ignore files, and by VEX documents.
//!
//! The rules, and the order in which they count, are those of Trivy 0.76.0. For each result, in their order:
//!
//! 1. findings whose severity is not among the wanted ones go, without a trace;
//! 2. vulnerabilities whose status is not wanted go, without a trace;
//! 3. findings that the ignore file names become suppressed ones;
//! 4. of two equal vulnerabilities of a package one stays, and they are sorted;
//! 5. checks of configurations that did not fail are counted, and go.
//!
//! Then vulnerabilities that a VEX document declares not to be exploitable become suppressed ones. A result of which
//! nothing is left stays in the report.
//!
//! There is no clock here: what has expired is told by [`Filter::now`].

mod glob;
mod ignore;
mod result;
mod vex;

use crate::{Report, Status, Timestamp};

pub use self::glob::{BadPattern, PathPattern};
pub use self::ignore::{BadRule, IgnoreRule, IgnoreRules, SkippedLine};
pub use self::vex::{VexDocument, VexError};

use self::ignore::Matcher;
use self::result::Rules;

/// How severe a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nobody says.
    Unknown,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// All of them, the least severe first.
    pub const ALL: [Self; 5] = [Self::Unknown, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name, as reports have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }

    /// The one with this name, in any case.
    pub fn with_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str().eq_ignore_ascii_case(name))
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The statuses of vulnerabilities for which there is no fix: what `--ignore-unfixed` leaves out.
pub const UNFIXED: &[Status] = &[
    Status::Unknown,
    Status::NotAffected,
    Status::Affected,
    Status::UnderInvestigation,
    Status::WillNotFix,
    Status::FixDeferred,
    Status::EndOfLife,
];

/// What is left out of a report.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The severities that are wanted; all where there is none.
    pub severities: Option<Vec<Severity>>,
    /// The statuses of vulnerabilities that are not wanted; [`UNFIXED`] for `--ignore-unfixed`.
    pub ignore_statuses: Vec<Status>,
    /// Licenses that are passed over, by name.
    pub ignored_licenses: Vec<String>,
    /// Whether checks of configurations that did not fail stay as well.
    pub include_non_failures: bool,
    /// What the ignore file says.
    pub ignore: IgnoreRules,
    /// The VEX documents, the first that suppresses a finding wins.
    pub vex: Vec<VexDocument>,
    /// The document that was scanned, where that was one in CycloneDX. Without, CycloneDX VEX documents suppress nothing.
    pub bom: Option<BomLink>,
    /// Whether suppressed findings are kept, in [`crate::ScanResult::modified_findings`].
    pub show_suppressed: bool,
    /// The present moment, for rules that expire. Where there is none, none has expired.
    pub now: Option<Timestamp>,
}

/// The CycloneDX document that was scanned, which CycloneDX VEX documents speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BomLink {
    /// Its serial number, such as `urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79`.
    pub serial_number: String,
    /// Its version.
    pub version: i64,
}

impl Filter {
    /// Leaves it out.
    pub fn apply(&self, report: &mut Report) {
        let wanted = self.severities.as_deref().unwrap_or(&Severity::ALL);
        let wanted: Vec<&str> = wanted.iter().map(|severity| severity.as_str()).collect();
        let now = self.now.as_ref();
        let rules = Rules {
            wanted: &wanted,
            filter: self,
            vulnerabilities: Matcher::new(&self.ignore.vulnerabilities, now),
            misconfigurations: Matcher::new(&self.ignore.misconfigurations, now),
            secrets: Matcher::new(&self.ignore.secrets, now),
            licenses: Matcher::new(&self.ignore.licenses, now),
        };
        for result in &mut report.results {
            rules.apply(result);
        }
        vex::apply(&self.vex, self.bom.as_ref(), report);
        if !self.show_suppressed {
            for result in &mut report.results {
                result.modified_findings.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests;
