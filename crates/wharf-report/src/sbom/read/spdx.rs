//! SPDX documents.

use std::collections::HashMap;

use super::super::graph::{Component, ComponentKind, Edge, Graph};
use super::bounds::Capped;
use super::decode::decode;
use super::{MAX_COMPONENTS, MAX_NAMED, MAX_RELATIONS, Sbom, SbomError, SbomKind, SbomWarning};
use crate::json::{from_json, go_object};
use crate::purl::Purl;

go_object! {
    struct Document {
        creation: Creation => "creationInfo",
        packages: Capped<SpdxPackage, MAX_COMPONENTS> => "packages",
        files: Capped<SpdxFile, MAX_COMPONENTS> => "files",
        relationships: Capped<Relationship, MAX_RELATIONS> => "relationships",
        describes: Vec<String> => "documentDescribes",
    }
}

go_object! {
    struct Creation {
        creators: Vec<String> => "creators",
    }
}

go_object! {
    struct SpdxPackage {
        id: String => "SPDXID",
        name: String => "name",
        version: String => "versionInfo",
        license: String => "licenseDeclared",
        source: String => "sourceInfo",
        supplier: String => "supplier",
        checksums: Vec<Checksum> => "checksums",
        references: Vec<Reference> => "externalRefs",
        annotations: Vec<Annotation> => "annotations",
        attribution: Vec<String> => "attributionTexts",
        files: Vec<String> => "hasFiles",
    }
}

go_object! {
    struct SpdxFile {
        id: String => "SPDXID",
        name: String => "fileName",
        checksums: Vec<Checksum> => "checksums",
    }
}

go_object! {
    struct Checksum {
        algorithm: String => "algorithm",
        value: String => "checksumValue",
    }
}

go_object! {
    struct Reference {
        category: String => "referenceCategory",
        kind: String => "referenceType",
        locator: String => "referenceLocator",
    }
}

go_object! {
    struct Annotation {
        comment: String => "comment",
    }
}

go_object! {
    struct Relationship {
        element: String => "spdxElementId",
        related: String => "relatedSpdxElement",
        kind: String => "relationshipType",
    }
}

/// What stands before the name of a source package.
const SOURCE_PACKAGE: &str = "built package from: ";

pub(super) fn read(bytes: &[u8]) -> Result<Sbom, SbomError> {
    let document: Document = from_json(bytes)?;
    let mut reader = Reader {
        by_trivy: document
            .creation
            .creators
            .iter()
            .any(|creator| creator.starts_with("Tool: trivy")),
        ..Reader::default()
    };
    let files = files_of_packages(&document);
    let root = document
        .relationships
        .0
        .iter()
        .find(|relationship| is_document(&relationship.element) && relationship.kind == "DESCRIBES")
        .map(|relationship| &relationship.related)
        .or(document.describes.first());
    for package in &document.packages.0 {
        let is_root = root == Some(&package.id);
        reader.add(package, files.get(package.id.as_str()).copied(), is_root);
    }
    reader.connect(&document.relationships.0);
    decode(reader.graph, SbomKind::Spdx, reader.warnings, Vec::new())
}

fn is_document(id: &str) -> bool {
    id == "SPDXRef-DOCUMENT"
}

/// The id without what stands before all of them.
fn short(id: &str) -> &str {
    id.strip_prefix("SPDXRef-").unwrap_or(id)
}

/// The last file that each package contains.
fn files_of_packages(document: &Document) -> HashMap<&str, &SpdxFile> {
    let files: HashMap<&str, &SpdxFile> = document
        .files
        .0
        .iter()
        .map(|file| (file.id.as_str(), file))
        .collect();
    let listed = document.packages.0.iter().flat_map(|package| {
        package
            .files
            .iter()
            .map(|file| (package.id.as_str(), file.as_str()))
    });
    let contained = document
        .relationships
        .0
        .iter()
        .filter(|relationship| matches!(relationship.kind.as_str(), "CONTAINS" | "CONTAIN"))
        .map(|relationship| (relationship.element.as_str(), relationship.related.as_str()));
    contained
        .chain(listed)
        .filter(|(_, file)| short(file).starts_with("File"))
        .filter_map(|(package, file)| Some((package, *files.get(file)?)))
        .collect()
}

#[derive(Default)]
struct Reader {
    graph: Graph,
    by_id: HashMap<String, usize>,
    warnings: Vec<SbomWarning>,
    by_trivy: bool,
}

impl Reader {
    fn add(&mut self, package: &SpdxPackage, file: Option<&SpdxFile>, is_root: bool) {
        let purl = self.purl(package);
        let mut component = Component {
            kind: kind(&package.id),
            name: package.name.clone(),
            version: package.version.clone(),
            licenses: licenses(&package.license),
            purl,
            properties: properties(package),
            digests: file
                .map_or(&package.checksums, |file| &file.checksums)
                .iter()
                .filter_map(digest)
                .collect(),
            file_path: file.map(|file| file.name.clone()).unwrap_or_default(),
            ..Component::default()
        };
        if let Some((name, version)) = package
            .source
            .strip_prefix(SOURCE_PACKAGE)
            .map(|source| source.split_once(' ').unwrap_or((source, "")))
        {
            name.clone_into(&mut component.source_name);
            version.clone_into(&mut component.source_version);
        }
        // Older versions of Trivy had the path there, and the type in place of the name.
        if self.by_trivy && component.kind == ComponentKind::Application && !package.source.is_empty() {
            component.name.clone_from(&package.source);
            component
                .properties
                .push(("Type".to_owned(), package.name.clone()));
        }
        let place = self.graph.add(component);
        if is_root {
            self.graph.root = Some(place);
        }
        let known = self.by_id.insert(package.id.clone(), place);
        if known.is_some() {
            let reference = package.id.clone();
            self.warn(SbomWarning::DuplicateReference { reference });
        }
    }

    fn purl(&mut self, package: &SpdxPackage) -> Option<Purl> {
        let reference = package.references.iter().find(|reference| {
            // SPDX 2.2 has an underscore in the category.
            reference.kind == "purl" && reference.category.replace('_', "-") == "PACKAGE-MANAGER"
        })?;
        match Purl::parse(&reference.locator) {
            Ok(purl) => Some(purl),
            Err(error) => {
                self.warn(SbomWarning::BadPurl(error));
                None
            }
        }
    }

    fn warn(&mut self, warning: SbomWarning) {
        if self.warnings.len() < MAX_NAMED {
            self.warnings.push(warning);
        }
    }

    /// Relations to files and to the document are none between packages.
    fn connect(&mut self, relationships: &[Relationship]) {
        for relationship in relationships {
            let edge = match relationship.kind.as_str() {
                "DESCRIBES" | "DESCRIBE" => continue,
                "DEPENDS_ON" => Edge::DependsOn,
                _ => Edge::Contains,
            };
            let ends = (
                self.by_id.get(&relationship.element),
                self.by_id.get(&relationship.related),
            );
            if let (Some(parent), Some(child)) = ends {
                self.graph.connect(*parent, *child, edge);
            }
        }
    }
}

fn kind(id: &str) -> ComponentKind {
    let id = short(id);
    if id.starts_with("OperatingSystem") {
        ComponentKind::OperatingSystem
    } else if id.starts_with("Application") {
        ComponentKind::Application
    } else {
        ComponentKind::Library
    }
}

fn licenses(declared: &str) -> Vec<String> {
    if declared == "NONE" {
        return Vec::new();
    }
    declared
        .split(',')
        .filter(|license| !license.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What Trivy has no other place for, in annotations, or in attribution texts as older versions had it.
fn properties(package: &SpdxPackage) -> Vec<(String, String)> {
    let annotations = package
        .annotations
        .iter()
        .map(|annotation| annotation.comment.as_str());
    let texts: Vec<&str> = if package.annotations.is_empty() {
        package.attribution.iter().map(String::as_str).collect()
    } else {
        annotations.collect()
    };
    texts
        .into_iter()
        .filter_map(|text| text.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn digest(checksum: &Checksum) -> Option<String> {
    let algorithm = checksum.algorithm.to_ascii_lowercase();
    matches!(algorithm.as_str(), "sha1" | "sha256" | "sha512" | "md5")
        .then(|| format!("{algorithm}:{}", checksum.value))
}
