//! Licenses.

use super::Layer;
use crate::json::go_object;

go_object! {
    /// A license that was found.
    pub struct DetectedLicense {
        /// How severe it is.
        pub severity: String => "Severity",
        /// Its category, such as `forbidden`.
        pub category: String => "Category",
        /// The package, where it is a package's.
        pub package_name: String => "PkgName",
        /// The file, where it is a file's.
        pub file_path: String => "FilePath",
        /// Its name.
        pub name: String => "Name",
        /// Its text, where a package gives that in place of a name.
        pub text: String => "Text",
        /// How sure that is, from 0 to 1.
        pub confidence: f64 => "Confidence",
        /// Where to read it.
        pub link: String => "Link",
    }
}

go_object! {
    /// The licenses of one file, as an analyzer gives them.
    pub struct LicenseFile {
        /// `dpkg`, `header` or `license-file`.
        pub kind: String => "Type",
        /// The file.
        pub file_path: String => "FilePath",
        /// The package.
        pub package_name: String => "PkgName",
        /// What was found in it.
        pub findings: Option<Vec<LicenseFinding>> => "Findings",
        /// The layer that the file is in.
        pub layer: Layer => "Layer" omit,
    }
}

go_object! {
    /// One license of a file.
    pub struct LicenseFinding {
        /// Its category, such as `forbidden`.
        pub category: String => "Category",
        /// Its name.
        pub name: String => "Name",
        /// How sure that is, from 0 to 1.
        pub confidence: f64 => "Confidence",
        /// Where to read it.
        pub link: String => "Link",
    }
}
