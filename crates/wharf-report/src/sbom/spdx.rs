//! Reports as SPDX documents.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

use super::SbomContext;
use super::cyclonedx::LICENSE_TEXT;
use super::graph::{Component, ComponentKind, Edge, Graph};
use super::hash::{component_id, kind, license_id, text_id};
use super::ids::uuid;
use super::license::{Expression, Operator};
use crate::json::to_vec_pretty;
use crate::moment::utc_seconds;
use crate::{DetectedVulnerability, Report};

/// What SPDX says where there is nothing to say.
const NO_ASSERTION: &str = "NOASSERTION";

/// Properties that have places of their own in SPDX.
const ELSEWHERE: &[&str] = &["SrcName", "SrcRelease", "SrcEpoch", "SrcVersion", "FilePath"];

/// What is said of license texts.
const TEXT_COMMENT: &str = "The license text represents text found in package metadata and may not represent the full text of the license";

/// The report as an SPDX document of version 2.3 in JSON, without a line end at its end, as Trivy writes it.
///
/// Packages are the artifact, its operating system, its lock files and the packages; vulnerabilities are references to
/// advisories. SPDX demands a moment of creation: without [`SbomContext::created`] it is 1970-01-01T00:00:00Z.
pub fn to_spdx_json(report: &Report, context: &SbomContext) -> Vec<u8> {
    let graph = Graph::of(report);
    let created = context.created.as_ref();
    let created = created.map_or_else(|| "1970-01-01T00:00:00".to_owned(), utc_seconds);
    let mut writer = Writer {
        created: format!("{created}Z"),
        tool: format!("trivy-{}", context.tool_version),
        download_location: download_location(&graph),
        ids: Vec::new(),
        packages: Vec::new(),
        files: BTreeMap::new(),
        licenses: BTreeMap::new(),
        relationships: Vec::new(),
    };
    writer.add_packages(&graph);
    writer.add_relationships(&graph);
    to_vec_pretty(&writer.document(&graph))
}

fn download_location(graph: &Graph) -> String {
    match root(graph) {
        Some(root) if root.kind == ComponentKind::Repository => format!("git+{}", root.name),
        _ => "NONE".to_owned(),
    }
}

fn root(graph: &Graph) -> Option<&Component> {
    graph.root.and_then(|root| graph.components.get(root))
}

struct Writer {
    created: String,
    tool: String,
    download_location: String,
    /// The ids of the components, by their places.
    ids: Vec<String>,
    /// Packages with what they are sorted by.
    packages: Vec<((&'static str, String, String), Value)>,
    /// Files by path and id.
    files: BTreeMap<(String, String), Value>,
    /// Licenses that are not on the list, by id.
    licenses: BTreeMap<String, Value>,
    relationships: Vec<(String, String, &'static str)>,
}

impl Writer {
    fn add_packages(&mut self, graph: &Graph) {
        let mut given: HashMap<String, usize> = HashMap::new();
        for (place, (component, vulnerabilities)) in
            graph.components.iter().zip(&graph.vulnerabilities).enumerate()
        {
            let is_root = graph.root == Some(place);
            let mut id = if is_root {
                let id = text_id(&format!("{}-{}", component.name, kind(component.kind)));
                format!("{}-{id}", camel_case(kind(component.kind)))
            } else {
                format!("{}-{}", element(component.kind), component_id(component))
            };
            // Two components that are the same in all their parts would have one id.
            let number = given.entry(id.clone()).or_default();
            *number += 1;
            if *number > 1 {
                id = format!("{id}-{number}");
            }
            let package = self.package(component, &id, is_root, vulnerabilities);
            let purpose = purpose(component.kind, is_root);
            self.packages
                .push(((purpose, package_name(component), id.clone()), package));
            self.ids.push(id);
        }
        self.packages.sort_by(|(first, _), (second, _)| first.cmp(second));
    }

    fn package(
        &mut self,
        component: &Component,
        id: &str,
        is_root: bool,
        vulnerabilities: &[DetectedVulnerability],
    ) -> Value {
        let is_library = !is_root && component.kind == ComponentKind::Library;
        let mut package = Map::new();
        let mut add = |key: &str, value: Value| package.insert(key.to_owned(), value);
        add("name", package_name(component).into());
        add("SPDXID", format!("SPDXRef-{id}").into());
        if !is_root && !component.version.is_empty() {
            add("versionInfo", component.version.as_str().into());
        }
        if is_library {
            let supplier = match component.supplier.as_str() {
                "" => NO_ASSERTION.to_owned(),
                supplier => format!("Organization: {supplier}"),
            };
            add("supplier", supplier.into());
        }
        add("downloadLocation", self.download_location.as_str().into());
        let file = self.file(component, id);
        add("filesAnalyzed", file.is_some().into());
        if let Some(code) = file {
            add(
                "packageVerificationCode",
                json!({"packageVerificationCodeValue": code}),
            );
        }
        let checksums = checksums(&component.digests);
        if component.file_path.is_empty() && !checksums.is_empty() {
            add("checksums", checksums.into());
        }
        if is_library && !component.source_name.is_empty() {
            let source = format!("{} {}", component.source_name, component.source_version);
            add("sourceInfo", format!("built package from: {source}").into());
        } else if is_library && !component.source_file.is_empty() {
            add(
                "sourceInfo",
                format!("package found in: {}", component.source_file).into(),
            );
        }
        let license = if is_library {
            self.license(&component.licenses)
        } else {
            NO_ASSERTION.to_owned()
        };
        if !license.is_empty() {
            add("licenseConcluded", license.as_str().into());
            add("licenseDeclared", license.into());
        }
        let references = external_references(component, vulnerabilities);
        if !references.is_empty() {
            add("externalRefs", references.into());
        }
        add("primaryPackagePurpose", purpose(component.kind, is_root).into());
        let annotations: Vec<Value> = component
            .properties
            .iter()
            .filter(|(name, _)| is_root || !ELSEWHERE.contains(&name.as_str()))
            .map(|(name, value)| self.annotation(name, value))
            .collect();
        if !annotations.is_empty() {
            add("annotations", annotations.into());
        }
        package.into()
    }

    fn annotation(&self, name: &str, value: &str) -> Value {
        json!({
            "annotator": format!("Tool: {}", self.tool),
            "annotationDate": self.created,
            "annotationType": "OTHER",
            "comment": format!("{name}: {value}"),
        })
    }

    /// Adds the file of a component that has one with a digest, and gives the code by which the package is verified.
    fn file(&mut self, component: &Component, package: &str) -> Option<String> {
        if component.file_path.is_empty() || component.digests.is_empty() {
            return None;
        }
        let id = format!("File-{}", text_id(&component.file_path));
        let file = json!({
            "fileName": component.file_path,
            "SPDXID": format!("SPDXRef-{id}"),
            "checksums": checksums(&component.digests),
            "copyrightText": "",
        });
        self.files.insert((component.file_path.clone(), id.clone()), file);
        self.relationships.push((package.to_owned(), id, "CONTAINS"));
        let mut sums: Vec<&str> = component
            .digests
            .iter()
            .filter_map(|digest| digest.strip_prefix("sha1:"))
            .collect();
        sums.sort_unstable();
        let code = Sha1::digest(sums.concat().as_bytes());
        Some(code.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// All licenses in one expression, and those that are not on the list noted.
    fn license(&mut self, licenses: &[String]) -> String {
        if licenses.is_empty() {
            return NO_ASSERTION.to_owned();
        }
        let parts: Vec<String> = licenses
            .iter()
            .map(|license| match license.strip_prefix(LICENSE_TEXT) {
                Some(text) => self.note_license(text, NO_ASSERTION, TEXT_COMMENT),
                None => {
                    let license = license.replace("-with-", " WITH ").replace("-WITH-", " WITH ");
                    format!("({license})")
                }
            })
            .collect();
        let Some(expression) = Expression::parse(&parts.join(" AND ")) else {
            return String::new();
        };
        let noted = expression.normalised().map(&mut |part| {
            let name = match &part {
                Expression::License { name, .. } if name.starts_with("LicenseRef") || part.is_listed() => {
                    return part;
                }
                Expression::License { name, .. } => name.clone(),
                Expression::Both(_, Operator::With, _) if part.is_listed() => {
                    return Expression::license(part.to_string());
                }
                Expression::Both(_, Operator::With, _) => part.to_string(),
                Expression::Both(..) => return part,
            };
            let text = format!("This component is licensed under {}", quoted(&name));
            Expression::license(self.note_license(&text, &name, ""))
        });
        noted.to_string()
    }

    fn note_license(&mut self, text: &str, name: &str, comment: &str) -> String {
        let id = format!("LicenseRef-{}", license_id(text, name, comment));
        let mut license = Map::new();
        license.insert("licenseId".to_owned(), id.as_str().into());
        license.insert("extractedText".to_owned(), text.into());
        license.insert("name".to_owned(), name.into());
        if !comment.is_empty() {
            license.insert("comment".to_owned(), comment.into());
        }
        self.licenses.insert(id.clone(), license.into());
        id
    }

    fn add_relationships(&mut self, graph: &Graph) {
        for (parent, id) in self.ids.iter().enumerate() {
            for (edge, child) in graph.below(parent) {
                let kind = match edge {
                    Edge::Contains => "CONTAINS",
                    Edge::DependsOn => "DEPENDS_ON",
                };
                if let Some(child) = self.ids.get(*child) {
                    self.relationships.push((id.clone(), child.clone(), kind));
                }
            }
        }
        if let Some(root) = graph.root.and_then(|root| self.ids.get(root)) {
            self.relationships
                .push(("DOCUMENT".to_owned(), root.clone(), "DESCRIBES"));
        }
        self.relationships.sort();
    }

    fn document(self, graph: &Graph) -> Value {
        let name = root(graph).map_or("unknown", |root| &root.name);
        let mut document = Map::new();
        let mut add = |key: &str, value: Value| document.insert(key.to_owned(), value);
        let packages: Value = self.packages.into_iter().map(|(_, package)| package).collect();
        let relationships: Value = self
            .relationships
            .into_iter()
            .map(|(element, related, kind)| {
                json!({
                    "spdxElementId": format!("SPDXRef-{element}"),
                    "relatedSpdxElement": format!("SPDXRef-{related}"),
                    "relationshipType": kind,
                })
            })
            .collect();
        let content = [packages.to_string(), relationships.to_string(), self.tool.clone()];
        let content: Vec<&[u8]> = content.iter().map(String::as_bytes).collect();
        add("spdxVersion", "SPDX-2.3".into());
        add("dataLicense", "CC0-1.0".into());
        add("SPDXID", "SPDXRef-DOCUMENT".into());
        add("name", name.into());
        let kind = root(graph).map_or("unknown", |root| kind(root.kind));
        let place = name.replace("https://", "").replace("http://", "");
        add(
            "documentNamespace",
            format!("http://trivy.dev/{kind}/{place}-{}", uuid(&content)).into(),
        );
        add(
            "creationInfo",
            json!({
                "creators": ["Organization: aquasecurity", format!("Tool: {}", self.tool)],
                "created": self.created,
            }),
        );
        add("packages", packages);
        if !self.files.is_empty() {
            add("files", self.files.into_values().collect());
        }
        if !self.licenses.is_empty() {
            add(
                "hasExtractedLicensingInfos",
                self.licenses.into_values().collect(),
            );
        }
        add("relationships", relationships);
        document.into()
    }
}

fn external_references(component: &Component, vulnerabilities: &[DetectedVulnerability]) -> Vec<Value> {
    let reference = |category: &str, kind: &str, locator: &str| json!({"referenceCategory": category, "referenceType": kind, "referenceLocator": locator});
    let purl = component.purl.as_ref();
    let purl = purl.map(|purl| reference("PACKAGE-MANAGER", "purl", &purl.to_string()));
    let advisories = vulnerabilities
        .iter()
        .map(|vulnerability| reference("SECURITY", "advisory", &vulnerability.primary_url));
    purl.into_iter().chain(advisories).collect()
}

fn checksums(digests: &[String]) -> Vec<Value> {
    digests
        .iter()
        .filter_map(|digest| {
            let (algorithm, value) = digest.split_once(':')?;
            matches!(algorithm, "sha1" | "sha256" | "sha512" | "md5")
                .then(|| json!({"algorithm": algorithm.to_uppercase(), "checksumValue": value}))
        })
        .collect()
}

/// The name with its group, if it has a package URL, in the way of its type.
fn package_name(component: &Component) -> String {
    match &component.purl {
        Some(purl) if !component.group.is_empty() => {
            let separator = if matches!(purl.kind.as_str(), "maven" | "gradle") {
                ':'
            } else {
                '/'
            };
            format!("{}{separator}{}", component.group, component.name)
        }
        _ => component.name.clone(),
    }
}

fn element(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::OperatingSystem => "OperatingSystem",
        ComponentKind::Application => "Application",
        _ => "Package",
    }
}

fn purpose(kind: ComponentKind, is_root: bool) -> &'static str {
    match kind {
        ComponentKind::ContainerImage if is_root => "CONTAINER",
        _ if is_root => "SOURCE",
        ComponentKind::OperatingSystem => "OPERATING-SYSTEM",
        ComponentKind::Application => "APPLICATION",
        _ => "LIBRARY",
    }
}

/// `container_image` is `ContainerImage`.
fn camel_case(text: &str) -> String {
    text.split('_')
        .map(|word| {
            let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
            first.to_uppercase() + rest
        })
        .collect()
}

/// The text between double quotes, as Go quotes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
