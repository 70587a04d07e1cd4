//! CycloneDX documents.

use std::collections::HashMap;

use super::super::graph::{Component, ComponentKind, Edge, Graph};
use super::bounds::Capped;
use super::decode::decode;
use super::{BomLink, MAX_COMPONENTS, MAX_NAMED, MAX_RELATIONS, Sbom, SbomError, SbomKind, SbomWarning};
use crate::json::{from_json, go_object};
use crate::purl::Purl;

go_object! {
    struct Document {
        serial_number: String => "serialNumber",
        version: i64 => "version",
        metadata: DocumentMetadata => "metadata",
        components: Capped<CdxComponent, MAX_COMPONENTS> => "components",
        dependencies: Capped<Dependency, MAX_RELATIONS> => "dependencies",
    }
}

go_object! {
    struct DocumentMetadata {
        component: Option<CdxComponent> => "component",
    }
}

go_object! {
    struct CdxComponent {
        bom_ref: String => "bom-ref",
        kind: String => "type",
        name: String => "name",
        group: String => "group",
        version: String => "version",
        purl: String => "purl",
        supplier: Supplier => "supplier",
        hashes: Vec<Hash> => "hashes",
        licenses: Vec<Choice> => "licenses",
        properties: Vec<Property> => "properties",
        components: Vec<serde_json::Value> => "components",
    }
}

go_object! {
    struct Supplier {
        name: String => "name",
    }
}

go_object! {
    struct Hash {
        algorithm: String => "alg",
        content: String => "content",
    }
}

go_object! {
    struct Choice {
        license: License => "license",
        expression: String => "expression",
    }
}

go_object! {
    struct License {
        id: String => "id",
        name: String => "name",
    }
}

go_object! {
    struct Property {
        name: String => "name",
        value: String => "value",
    }
}

go_object! {
    struct Dependency {
        reference: String => "ref",
        depends_on: Vec<String> => "dependsOn",
    }
}

/// What stands before Trivy's own properties.
const NAMESPACE: &str = "aquasecurity:trivy:";

pub(super) fn read(bytes: &[u8]) -> Result<Sbom, SbomError> {
    let document: Document = from_json(bytes)?;
    let mut reader = Reader::default();
    for component in document.components.0 {
        reader.add(component, false);
    }
    if let Some(component) = document.metadata.component {
        reader.add(component, true);
    }
    reader.connect(&document.dependencies.0)?;
    if reader.nested > 0 {
        let count = reader.nested;
        reader.warnings.push(SbomWarning::NestedComponents { count });
    }
    reader.name_components();
    let mut sbom = decode(reader.graph, SbomKind::CycloneDx, reader.warnings, reader.skipped)?;
    sbom.link = (!document.serial_number.is_empty()).then_some(BomLink {
        serial_number: document.serial_number,
        version: document.version,
    });
    Ok(sbom)
}

#[derive(Default)]
struct Reader {
    graph: Graph,
    by_reference: HashMap<String, usize>,
    warnings: Vec<SbomWarning>,
    /// The names of components of types that are not looked at.
    skipped: Vec<String>,
    nested: usize,
}

impl Reader {
    fn add(&mut self, given: CdxComponent, is_root: bool) {
        self.nested += given.components.len();
        let Some(kind) = kind(&given.kind) else {
            self.skipped.push(given.name);
            return;
        };
        let purl = match given.purl.as_str() {
            "" => None,
            text => match Purl::parse(text) {
                Ok(purl) => Some(purl),
                Err(error) => {
                    self.warn(SbomWarning::BadPurl(error));
                    return;
                }
            },
        };
        let reference = given.bom_ref.clone();
        let place = self.graph.add(Component {
            kind,
            licenses: given.licenses.into_iter().filter_map(license).collect(),
            digests: given.hashes.iter().filter_map(digest).collect(),
            properties: given
                .properties
                .into_iter()
                .map(|property| {
                    let name = property.name.strip_prefix(NAMESPACE).unwrap_or(&property.name);
                    (name.to_owned(), property.value)
                })
                .collect(),
            name: given.name,
            group: given.group,
            version: given.version,
            purl,
            supplier: given.supplier.name,
            bom_ref: given.bom_ref,
            ..Component::default()
        });
        if is_root {
            self.graph.root = Some(place);
        }
        let known = self.by_reference.insert(reference.clone(), place);
        if known.is_some() && !reference.is_empty() {
            self.warn(SbomWarning::DuplicateReference { reference });
        }
    }

    fn warn(&mut self, warning: SbomWarning) {
        if self.warnings.len() < MAX_NAMED {
            self.warnings.push(warning);
        }
    }

    fn connect(&mut self, dependencies: &[Dependency]) -> Result<(), SbomError> {
        let mut count = 0_usize;
        let mut dangling: Vec<&str> = Vec::new();
        for dependency in dependencies {
            count += 1 + dependency.depends_on.len();
            if count > MAX_RELATIONS {
                return Err(SbomError::TooMany {
                    what: "relations between components",
                    max: MAX_RELATIONS,
                });
            }
            let Some(parent) = self.by_reference.get(&dependency.reference).copied() else {
                dangling.push(&dependency.reference);
                continue;
            };
            self.graph.close(parent);
            for reference in &dependency.depends_on {
                match self.by_reference.get(reference) {
                    Some(child) => self.graph.connect(parent, *child, Edge::DependsOn),
                    None => dangling.push(reference),
                }
            }
        }
        if let Some(example) = dangling.first() {
            self.warnings.push(SbomWarning::DanglingReferences {
                count: dangling.len(),
                example: (*example).to_owned(),
            });
        }
        Ok(())
    }

    /// Gives references to components that have none, as Trivy does.
    fn name_components(&mut self) {
        let references = super::super::ids::references(&self.graph);
        for (component, reference) in self.graph.components.iter_mut().zip(references) {
            component.bom_ref = reference;
        }
    }
}

fn kind(kind: &str) -> Option<ComponentKind> {
    Some(match kind {
        "container" => ComponentKind::ContainerImage,
        "application" => ComponentKind::Application,
        "library" | "framework" => ComponentKind::Library,
        "operating-system" => ComponentKind::OperatingSystem,
        "platform" => ComponentKind::Platform,
        "file" => ComponentKind::Filesystem,
        _ => return None,
    })
}

fn license(choice: Choice) -> Option<String> {
    [choice.license.name, choice.license.id, choice.expression]
        .into_iter()
        .find(|name| !name.is_empty())
}

fn digest(hash: &Hash) -> Option<String> {
    let algorithm = match hash.algorithm.as_str() {
        "SHA-1" => "sha1",
        "SHA-256" => "sha256",
        "SHA-512" => "sha512",
        "MD5" => "md5",
        _ => return None,
    };
    Some(format!("{algorithm}:{}", hash.content))
}
