//! What was found in one target.

use super::{
    DetectedLicense, DetectedMisconfiguration, DetectedSecret, DetectedVulnerability, Layer, ModifiedFinding,
    Package,
};
use crate::json::{Any, go_object};

/// The classes of results.
pub mod class {
    /// Packages of the operating system.
    pub const OS_PACKAGES: &str = "os-pkgs";
    /// Packages of programming languages.
    pub const LANGUAGE_PACKAGES: &str = "lang-pkgs";
    /// Misconfigurations.
    pub const CONFIG: &str = "config";
    /// Secrets.
    pub const SECRET: &str = "secret";
    /// Licenses of packages.
    pub const LICENSE: &str = "license";
    /// Licenses in files.
    pub const LICENSE_FILE: &str = "license-file";
    /// What modules keep for themselves.
    pub const CUSTOM: &str = "custom";
}

go_object! {
    /// What was found in one target, of one class.
    pub struct ScanResult {
        /// The file, or the artifact and its operating system.
        pub target: String => "Target",
        /// What kind of findings these are: one of [`class`], or what a module made up.
        pub class: String => "Class" omit,
        /// The kind of target, such as `npm` or `alpine`.
        pub kind: String => "Type" omit,
        /// The packages.
        pub packages: Vec<Package> => "Packages" omit,
        /// Their vulnerabilities.
        pub vulnerabilities: Vec<DetectedVulnerability> => "Vulnerabilities" omit,
        /// How many checks passed and failed.
        pub misconfiguration_summary: Option<MisconfigurationSummary> => "MisconfSummary" omit,
        /// The misconfigurations.
        pub misconfigurations: Vec<DetectedMisconfiguration> => "Misconfigurations" omit,
        /// The secrets.
        pub secrets: Vec<DetectedSecret> => "Secrets" omit,
        /// The licenses.
        pub licenses: Vec<DetectedLicense> => "Licenses" omit,
        /// What the modules' analyzers gave.
        pub custom_resources: Vec<CustomResource> => "CustomResources" omit,
        /// The findings that were suppressed, and why.
        pub modified_findings: Vec<ModifiedFinding> => "ExperimentalModifiedFindings" omit,
    }
}

impl ScanResult {
    /// Whether it has no findings of any kind.
    pub fn has_nothing(&self) -> bool {
        self.packages.is_empty()
            && self.vulnerabilities.is_empty()
            && self.misconfigurations.is_empty()
            && self.secrets.is_empty()
            && self.licenses.is_empty()
            && self.custom_resources.is_empty()
            && self.modified_findings.is_empty()
    }
}

go_object! {
    /// How many checks passed and failed.
    pub struct MisconfigurationSummary {
        /// How many passed.
        pub successes: i64 => "Successes",
        /// How many failed.
        pub failures: i64 => "Failures",
    }
}

go_object! {
    /// What an analyzer of a module found, in its own form.
    pub struct CustomResource {
        /// The module's name for the kind of data.
        pub kind: String => "Type",
        /// The file.
        pub file_path: String => "FilePath",
        /// The layer that the file is in; the scanner fills it in.
        pub layer: Layer => "Layer",
        /// The data, of any form.
        pub data: Any => "Data",
    }
}
