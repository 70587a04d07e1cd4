//! Packages.

use super::Layer;
use crate::json::{go_object, go_text};

go_object! {
    /// A package that was found.
    pub struct Package {
        /// Its id in the graph of dependencies.
        pub id: String => "ID" omit,
        /// Its name.
        pub name: String => "Name" omit,
        /// Its identifiers elsewhere.
        pub identifier: PackageIdentifier => "Identifier" omit,
        /// Its version.
        pub version: String => "Version" omit,
        /// Its release, in distributions that have one.
        pub release: String => "Release" omit,
        /// Its epoch, in distributions that have one.
        pub epoch: i64 => "Epoch" omit,
        /// Its architecture.
        pub arch: String => "Arch" omit,
        /// Whether only developers need it.
        pub dev: bool => "Dev" omit,
        /// The name of its source package.
        pub source_name: String => "SrcName" omit,
        /// The version of its source package.
        pub source_version: String => "SrcVersion" omit,
        /// The release of its source package.
        pub source_release: String => "SrcRelease" omit,
        /// The epoch of its source package.
        pub source_epoch: i64 => "SrcEpoch" omit,
        /// Its licenses.
        pub licenses: Vec<String> => "Licenses" omit,
        /// Who maintains it.
        pub maintainer: String => "Maintainer" omit,
        /// The module that it is in, in Red Hat's distributions.
        pub modularity_label: String => "Modularitylabel" omit,
        /// How it was built, in Red Hat's distributions.
        pub build_info: Option<BuildInfo> => "BuildInfo" omit,
        /// Where it was distributed from.
        pub repository: PackageRepository => "Repository" omit,
        /// Whether others need it; older than `Relationship`.
        pub indirect: bool => "Indirect" omit,
        /// Why it is there.
        pub relationship: Relationship => "Relationship" omit,
        /// The ids of those that it needs.
        pub depends_on: Vec<String> => "DependsOn" omit,
        /// The layer that it is in.
        pub layer: Layer => "Layer" omit,
        /// Its own file, where it has one.
        pub file_path: String => "FilePath" omit,
        /// The digest of its file.
        pub digest: String => "Digest" omit,
        /// The lines of the lock file that name it.
        pub locations: Vec<Location> => "Locations" omit,
        /// The files that it installed.
        pub installed_files: Vec<String> => "InstalledFiles" omit,
        /// The analyzer that found it.
        pub analyzed_by: String => "AnalyzedBy" omit,
    }
}

go_object! {
    /// What identifies a package elsewhere.
    pub struct PackageIdentifier {
        /// Its package URL.
        pub purl: String => "PURL" omit,
        /// What tells it from the others of a report.
        pub uid: String => "UID" omit,
        /// Its reference in a CycloneDX document.
        pub bom_ref: String => "BOMRef" omit,
    }
}

go_object! {
    /// How a package of Red Hat was built.
    pub struct BuildInfo {
        /// The sets of content that it is from.
        pub content_sets: Vec<String> => "ContentSets" omit,
        /// Name, version and release of the build.
        pub name_version_release: String => "Nvr" omit,
        /// The architecture.
        pub arch: String => "Arch" omit,
    }
}

go_object! {
    /// Where a package was distributed from.
    pub struct PackageRepository {
        /// `official` or `third-party`.
        pub class: String => "Class" omit,
    }
}

go_object! {
    /// Some lines of a file.
    pub struct Location {
        /// The first line.
        pub start_line: i64 => "StartLine" omit,
        /// The last line.
        pub end_line: i64 => "EndLine" omit,
    }
}

go_text! {
    /// Why a package is there.
    pub enum Relationship else error {
        /// Nobody says. Not written.
        #[default]
        Unknown => "unknown",
        /// It is the project itself.
        Root => "root",
        /// It is another part of the project.
        Workspace => "workspace",
        /// The project names it.
        Direct => "direct",
        /// Another package needs it.
        Indirect => "indirect",
    }
}
