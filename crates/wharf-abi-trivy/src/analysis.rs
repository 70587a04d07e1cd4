//! What an analyzer finds in one file.

use std::collections::BTreeMap;

use crate::error::CallError;
use wharf_report::json::{from_guest, go_object};
use wharf_report::{BuildInfo, CustomResource, LicenseFile, Misconfiguration, Os, Package, Secret};

go_object! {
    /// What an analyzer finds in one file. A module gives any part of it; most give custom resources.
    pub struct AnalysisResult {
        /// The operating system that the file names.
        pub os: Os => "OS" omit,
        /// The distribution's repository that the file names.
        pub repository: Option<Repository> => "Repository" omit,
        /// Packages of the operating system.
        pub package_infos: Vec<PackageInfo> => "PackageInfos" omit,
        /// Packages of programming languages.
        pub applications: Vec<Application> => "Applications" omit,
        /// What checks say of the file.
        pub misconfigurations: Vec<Misconfiguration> => "Misconfigurations" omit,
        /// Secrets.
        pub secrets: Vec<Secret> => "Secrets" omit,
        /// Licenses.
        pub licenses: Vec<LicenseFile> => "Licenses" omit,
        /// The files that packages of the operating system installed.
        pub system_installed_files: Vec<String> => "SystemInstalledFiles" omit,
        /// Digests of files that no package installed, by path.
        pub digests: BTreeMap<String, String> => "Digests" omit,
        /// How a Red Hat image was built.
        pub build_info: Option<BuildInfo> => "BuildInfo" omit,
        /// What the module keeps for its own post-scan, and for readers of the report that know it.
        pub custom_resources: Vec<CustomResource> => "CustomResources" omit,
    }
}

impl AnalysisResult {
    /// Reads what the module's function `analyze` gave.
    ///
    /// # Errors
    /// [`CallError::Json`]: it is not the JSON that it should be, or there is too much in it.
    pub fn from_module(json: &[u8]) -> Result<Self, CallError> {
        from_guest(json).map_err(CallError::Json)
    }

    /// Whether nothing was found.
    pub fn has_nothing(&self) -> bool {
        *self == Self::default()
    }
}

go_object! {
    /// A repository of a distribution.
    pub struct Repository {
        /// The family of the operating system.
        pub family: String => "Family" omit,
        /// Its release.
        pub release: String => "Release" omit,
    }
}

go_object! {
    /// Packages of the operating system that a file lists.
    pub struct PackageInfo {
        /// The file.
        pub file_path: String => "FilePath",
        /// The packages.
        pub packages: Vec<Package> => "Packages",
    }
}

go_object! {
    /// Packages of a programming language that a file lists.
    pub struct Application {
        /// The kind of file, such as `npm` or `gomod`, which decides on advisories and package URLs.
        pub kind: String => "Type",
        /// The file.
        pub file_path: String => "FilePath" omit,
        /// The packages.
        pub packages: Vec<Package> => "Packages",
    }
}
