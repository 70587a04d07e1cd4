//! Hashes of structs: the UID of a package, which tells it from the others of a report, and the ids in SPDX documents.
//!
//! They are the hashes that Trivy makes, so that reports with packages of the same modules are the same: FNV-1 of 64 bits over
//! the fields, each with its name, nested as they are.

use super::graph::{Component, ComponentKind};
use crate::purl::Purl;
use crate::{BuildInfo, Layer, Location, Package, PackageIdentifier, Relationship};

/// The UID of a package that was found in this file (empty for packages of an operating system and for those that
/// stand together in one result), in hexadecimal digits without leading zeros.
pub fn uid_of(file: &str, package: &Package) -> String {
    let mut map = 0;
    map ^= ordered(text("filePath"), text(file));
    map ^= ordered(text("pkg"), package_hash(package));
    format!("{:x}", finish(map))
}

fn package_hash(package: &Package) -> u64 {
    let mut fields = Fields::of("Package");
    fields.text("ID", &package.id);
    fields.text("Name", &package.name);
    fields.add("Identifier", identifier(&package.identifier));
    fields.text("Version", &package.version);
    fields.text("Release", &package.release);
    fields.number("Epoch", package.epoch);
    fields.text("Arch", &package.arch);
    fields.flag("Dev", package.dev);
    fields.text("SrcName", &package.source_name);
    fields.text("SrcVersion", &package.source_version);
    fields.text("SrcRelease", &package.source_release);
    fields.number("SrcEpoch", package.source_epoch);
    fields.texts("Licenses", &package.licenses);
    fields.text("Maintainer", &package.maintainer);
    fields.text("Modularitylabel", &package.modularity_label);
    fields.add("BuildInfo", package.build_info.as_ref().map(build_info));
    let repository = &package.repository.class;
    fields.add(
        "Repository",
        (!repository.is_empty()).then(|| {
            let mut fields = Fields::of("PackageRepository");
            fields.text("Class", repository);
            fields.hash
        }),
    );
    fields.flag("Indirect", package.indirect);
    fields.number("Relationship", relationship(package.relationship));
    fields.texts("DependsOn", &package.depends_on);
    fields.add("Layer", layer(&package.layer));
    fields.text("FilePath", &package.file_path);
    fields.text("Digest", &package.digest);
    let locations = package.locations.iter().map(location);
    fields.add(
        "Locations",
        (!package.locations.is_empty()).then(|| list(locations)),
    );
    fields.texts("InstalledFiles", &package.installed_files);
    fields.text("AnalyzedBy", &package.analyzed_by);
    fields.hash
}

fn identifier(identifier: &PackageIdentifier) -> Option<u64> {
    if *identifier == PackageIdentifier::default() {
        return None;
    }
    let mut fields = Fields::of("PkgIdentifier");
    fields.text("UID", &identifier.uid);
    fields.add("PURL", Purl::parse(&identifier.purl).ok().as_ref().map(purl));
    fields.text("BOMRef", &identifier.bom_ref);
    Some(fields.hash)
}

fn purl(purl: &Purl) -> u64 {
    let mut fields = Fields::of("PackageURL");
    fields.text("Type", &purl.kind);
    fields.text("Namespace", &purl.namespace);
    fields.text("Name", &purl.name);
    fields.text("Version", &purl.version);
    let qualifiers = purl.qualifiers.iter().map(|(key, value)| {
        let mut fields = Fields::of("Qualifier");
        fields.text("Key", key);
        fields.text("Value", value);
        fields.hash
    });
    fields.add(
        "Qualifiers",
        (!purl.qualifiers.is_empty()).then(|| list(qualifiers)),
    );
    fields.text("Subpath", &purl.subpath);
    fields.hash
}

fn build_info(info: &BuildInfo) -> u64 {
    let mut fields = Fields::of("BuildInfo");
    fields.texts("ContentSets", &info.content_sets);
    fields.text("Nvr", &info.name_version_release);
    fields.text("Arch", &info.arch);
    fields.hash
}

fn layer(layer: &Layer) -> Option<u64> {
    if *layer == Layer::default() {
        return None;
    }
    let mut fields = Fields::of("Layer");
    fields.number("Size", layer.size);
    fields.text("Digest", &layer.digest);
    fields.text("DiffID", &layer.diff_id);
    fields.text("CreatedBy", &layer.created_by);
    Some(fields.hash)
}

fn location(location: &Location) -> u64 {
    let mut fields = Fields::of("Location");
    fields.number("StartLine", location.start_line);
    fields.number("EndLine", location.end_line);
    fields.hash
}

fn relationship(relationship: Relationship) -> i64 {
    match relationship {
        Relationship::Unknown => 0,
        Relationship::Root => 1,
        Relationship::Workspace => 2,
        Relationship::Direct => 3,
        Relationship::Indirect => 4,
    }
}

/// The id of a component in an SPDX document. All fields count, also those that are empty, and lists are sets.
pub(super) fn component_id(component: &Component) -> String {
    let mut fields = Fields::with_empty("Component");
    fields.text("Type", kind(component.kind));
    fields.flag("Root", false);
    fields.text("Name", &component.name);
    fields.text("Group", &component.group);
    fields.text("Version", &component.version);
    fields.text("SrcName", &component.source_name);
    fields.text("SrcVersion", &component.source_version);
    fields.text("SrcFile", &component.source_file);
    fields.add(
        "Licenses",
        Some(set(component.licenses.iter().map(|license| text(license)))),
    );
    let mut identifier = Fields::with_empty("PkgIdentifier");
    identifier.text("UID", &component.uid);
    identifier.add("PURL", Some(purl_as_set(component.purl.as_ref())));
    identifier.text("BOMRef", &component.bom_ref);
    fields.add("PkgIdentifier", Some(identifier.hash));
    fields.text("Supplier", &component.supplier);
    let file = (!component.file_path.is_empty() || !component.digests.is_empty()).then(|| {
        let mut fields = Fields::with_empty("File");
        fields.text("Path", &component.file_path);
        fields.add(
            "Digests",
            Some(set(component.digests.iter().map(|digest| text(digest)))),
        );
        fields.hash
    });
    fields.add("Files", Some(set(file.into_iter())));
    let properties = component.properties.iter().map(|(name, value)| {
        let mut fields = Fields::with_empty("Property");
        fields.text("Name", name);
        fields.text("Value", value);
        fields.text("Namespace", "");
        fields.flag("External", false);
        fields.hash
    });
    fields.add("Properties", Some(finish(set(properties))));
    format!("{:x}", fields.hash)
}

fn purl_as_set(purl: Option<&Purl>) -> u64 {
    let mut fields = Fields::with_empty("PackageURL");
    let part = |part: fn(&Purl) -> &String| purl.map_or("", |purl| part(purl));
    fields.text("Type", part(|purl| &purl.kind));
    fields.text("Namespace", part(|purl| &purl.namespace));
    fields.text("Name", part(|purl| &purl.name));
    fields.text("Version", part(|purl| &purl.version));
    let qualifiers = purl.iter().flat_map(|purl| &purl.qualifiers).map(|(key, value)| {
        let mut fields = Fields::with_empty("Qualifier");
        fields.text("Key", key);
        fields.text("Value", value);
        fields.hash
    });
    fields.add("Qualifiers", Some(set(qualifiers)));
    fields.text("Subpath", part(|purl| &purl.subpath));
    fields.hash
}

/// The id of a license that is not on SPDX's list, or of the text of one.
pub(super) fn license_id(extracted_text: &str, name: &str, comment: &str) -> String {
    let mut fields = Fields::with_empty("OtherLicense");
    fields.text("LicenseIdentifier", "");
    fields.text("ExtractedText", extracted_text);
    fields.text("LicenseName", name);
    fields.add("LicenseCrossReferences", Some(set(std::iter::empty())));
    fields.text("LicenseComment", comment);
    format!("{:x}", fields.hash)
}

/// The id of a text, such as that of a file by its path.
pub(super) fn text_id(value: &str) -> String {
    format!("{:x}", text(value))
}

/// The kind as Trivy calls it.
pub(super) fn kind(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::Filesystem => "filesystem",
        ComponentKind::Repository => "repository",
        ComponentKind::ContainerImage => "container_image",
        ComponentKind::VirtualMachine => "vm",
        ComponentKind::Application => "application",
        ComponentKind::Library => "library",
        ComponentKind::OperatingSystem => "os",
        ComponentKind::Platform => "platform",
    }
}

/// The hash of a struct, to which its fields are added in their order.
struct Fields {
    hash: u64,
    /// Whether empty values count as well.
    with_empty: bool,
}

impl Fields {
    fn of(name: &str) -> Self {
        Self {
            hash: text(name),
            with_empty: false,
        }
    }

    fn with_empty(name: &str) -> Self {
        Self {
            hash: text(name),
            with_empty: true,
        }
    }

    fn add(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.hash = finish(self.hash ^ ordered(text(name), value));
        }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.add(name, (self.with_empty || !value.is_empty()).then(|| text(value)));
    }

    fn number(&mut self, name: &str, value: i64) {
        self.add(name, (value != 0).then(|| fnv(&value.to_le_bytes())));
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.add(name, (self.with_empty || value).then(|| fnv(&[u8::from(value)])));
    }

    fn texts(&mut self, name: &str, values: &[String]) {
        let hashes = values.iter().map(|value| text(value));
        self.add(name, (!values.is_empty()).then(|| list(hashes)));
    }
}

fn list(hashes: impl Iterator<Item = u64>) -> u64 {
    hashes.fold(0, ordered)
}

fn set(hashes: impl Iterator<Item = u64>) -> u64 {
    hashes.fold(0, |all, hash| all ^ hash)
}

fn text(text: &str) -> u64 {
    fnv(text.as_bytes())
}

fn ordered(first: u64, second: u64) -> u64 {
    let mut bytes = first.to_le_bytes().to_vec();
    bytes.extend(second.to_le_bytes());
    fnv(&bytes)
}

fn finish(hash: u64) -> u64 {
    fnv(&hash.to_le_bytes())
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        hash.wrapping_mul(0x100_0000_01b3) ^ u64::from(*byte)
    })
}

#[cfg(test)]
mod tests {
    use super::uid_of;
    use crate::{Location, Package};

    /// The values are those that Trivy 0.76.0 gave for the same packages.
    #[test]
    fn uids_are_those_of_trivy() {
        let mut package = Package {
            id: "left-pad@1.3.0".to_owned(),
            name: "left-pad".to_owned(),
            version: "1.3.0".to_owned(),
            locations: vec![Location {
                start_line: 2,
                end_line: 2,
            }],
            analyzed_by: "packages-list".to_owned(),
            ..Package::default()
        };
        assert_eq!(uid_of("packages.list", &package), "daaf84229cae1ca8");
        package.version = "1.3.1".to_owned();
        assert_ne!(uid_of("packages.list", &package), "daaf84229cae1ca8");
        let package = Package {
            name: "noid".to_owned(),
            version: "1".to_owned(),
            analyzed_by: "mirror".to_owned(),
            ..Package::default()
        };
        assert_eq!(uid_of("", &package), "2cf41b0334735898");
    }
}
