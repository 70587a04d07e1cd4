//! What a bill of materials consists of, whatever the format: components, what contains and what needs what, and the
//! vulnerabilities.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::purl::{Purl, is_aggregated, version};
use crate::{DetectedVulnerability, Metadata, Package, Relationship, Report, ScanResult, class};

/// A component.
#[derive(Debug, Clone, Default)]
pub(crate) struct Component {
    pub(crate) kind: ComponentKind,
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) source_name: String,
    pub(crate) source_version: String,
    /// The file in which the component is named, such as a lock file.
    pub(crate) source_file: String,
    pub(crate) licenses: Vec<String>,
    pub(crate) purl: Option<Purl>,
    pub(crate) uid: String,
    /// Its reference in the document; empty where the document has none.
    pub(crate) bom_ref: String,
    pub(crate) supplier: String,
    /// The file that the component is, and its digests such as `sha1:…`.
    pub(crate) file_path: String,
    pub(crate) digests: Vec<String>,
    /// What only Trivy has a place for, sorted.
    pub(crate) properties: Vec<(String, String)>,
}

/// What kind of thing a component is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ComponentKind {
    Filesystem,
    Repository,
    ContainerImage,
    VirtualMachine,
    Application,
    #[default]
    Library,
    OperatingSystem,
    Platform,
}

/// Why one component stands below another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Edge {
    Contains,
    DependsOn,
}

/// A bill of materials. Components are spoken of by their place in the list; the first is the artifact itself, where
/// there is one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub(crate) components: Vec<Component>,
    pub(crate) root: Option<usize>,
    /// Where a component says what is below it, even where that is nothing.
    pub(crate) below: Vec<Option<Vec<(Edge, usize)>>>,
    pub(crate) vulnerabilities: Vec<Vec<DetectedVulnerability>>,
}

impl Graph {
    pub(crate) fn add(&mut self, mut component: Component) -> usize {
        component.properties.sort();
        self.components.push(component);
        self.below.push(None);
        self.vulnerabilities.push(Vec::new());
        self.components.len() - 1
    }

    /// Says that a component has said what is below it.
    pub(crate) fn close(&mut self, parent: usize) {
        if let Some(below) = self.below.get_mut(parent) {
            below.get_or_insert_default();
        }
    }

    pub(crate) fn connect(&mut self, parent: usize, child: usize, edge: Edge) {
        if let Some(below) = self.below.get_mut(parent) {
            below.get_or_insert_default().push((edge, child));
        }
    }

    pub(crate) fn below(&self, parent: usize) -> &[(Edge, usize)] {
        self.below
            .get(parent)
            .and_then(Option::as_deref)
            .unwrap_or_default()
    }

    /// For each component, those directly above it.
    pub(crate) fn parents(&self) -> Vec<Vec<usize>> {
        let mut parents = vec![Vec::new(); self.components.len()];
        for parent in 0..self.components.len() {
            for (_, child) in self.below(parent) {
                if let Some(parents) = parents.get_mut(*child) {
                    parents.push(parent);
                }
            }
        }
        parents
    }

    /// The graph of a report.
    pub(crate) fn of(report: &Report) -> Self {
        let mut graph = Self::default();
        let root = graph.add(root_component(report));
        graph.root = Some(root);
        for result in &report.results {
            if is_aggregated(&result.kind) {
                graph.add_packages(root, result);
            } else if matches!(
                result.class.as_str(),
                class::OS_PACKAGES | class::LANGUAGE_PACKAGES
            ) {
                let parent = graph.add(result_component(result, &report.metadata));
                graph.connect(root, parent, Edge::Contains);
                graph.add_packages(parent, result);
            }
        }
        graph.close(root);
        graph
    }

    fn add_packages(&mut self, parent: usize, result: &ScanResult) {
        let mut vulnerabilities: HashMap<&str, Vec<&DetectedVulnerability>> = HashMap::new();
        for vulnerability in &result.vulnerabilities {
            let uid = vulnerability.package_identifier.uid.as_str();
            vulnerabilities.entry(uid).or_default().push(vulnerability);
        }
        let needed: HashSet<&str> = result
            .packages
            .iter()
            .flat_map(|package| package.depends_on.iter().map(String::as_str))
            .collect();
        let has_root = result
            .packages
            .iter()
            .any(|package| package.relationship == Relationship::Root);
        let mut by_id: HashMap<String, usize> = HashMap::new();
        let mut places = Vec::with_capacity(result.packages.len());
        for package in &result.packages {
            let id = id_of(package);
            let place = self.add(package_component(result, package));
            let found = vulnerabilities.remove(package.identifier.uid.as_str());
            if let (Some(found), Some(all)) = (found, self.vulnerabilities.get_mut(place)) {
                all.extend(found.into_iter().cloned());
            }
            by_id.insert(id.clone(), place);
            places.push((place, id));
        }
        for (package, (place, id)) in result.packages.iter().zip(places) {
            let belongs_to_parent = match package.relationship {
                Relationship::Direct => !has_root,
                _ => !needed.contains(id.as_str()),
            };
            if belongs_to_parent {
                self.connect(parent, place, Edge::Contains);
            }
            for dependency in &package.depends_on {
                if let Some(dependency) = by_id.get(dependency) {
                    self.connect(place, *dependency, Edge::DependsOn);
                }
            }
            if package.depends_on.is_empty() {
                self.close(place);
            }
        }
    }
}

/// The id of a package in the graph.
fn id_of(package: &Package) -> String {
    if package.id.is_empty() {
        format!("{}@{}", package.name, package.version)
    } else {
        package.id.clone()
    }
}

fn root_component(report: &Report) -> Component {
    let metadata = &report.metadata;
    let mut properties = Properties::default();
    properties.add("SchemaVersion", &report.schema_version.to_string());
    let kind = match report.artifact_type.as_str() {
        "container_image" => ComponentKind::ContainerImage,
        "vm" => ComponentKind::VirtualMachine,
        "repository" => ComponentKind::Repository,
        _ => ComponentKind::Filesystem,
    };
    let mut purl = None;
    if kind == ComponentKind::ContainerImage {
        properties.add("ImageID", &metadata.image_id);
        for (label, value) in labels(&metadata.image_config) {
            properties.add(&format!("Labels:{label}"), value);
        }
        purl = image_purl(metadata);
    }
    if metadata.size != 0 {
        properties.add("Size", &metadata.size.to_string());
    }
    properties.add_all("RepoDigest", &metadata.repo_digests);
    properties.add_all("DiffID", &metadata.diff_ids);
    properties.add_all("RepoTag", &metadata.repo_tags);
    properties.add("Reference", metadata.reference.as_str().unwrap_or_default());
    Component {
        kind,
        name: report.artifact_name.clone(),
        purl,
        properties: properties.0,
        ..Component::default()
    }
}

fn labels(image_config: &Value) -> impl Iterator<Item = (&str, &str)> {
    let labels = image_config.pointer("/config/Labels").and_then(Value::as_object);
    labels
        .into_iter()
        .flatten()
        .filter_map(|(label, value)| Some((label.as_str(), value.as_str()?)))
}

/// The package URL of an image that a registry has.
fn image_purl(metadata: &Metadata) -> Option<Purl> {
    let (repository, digest) = metadata.repo_digests.first()?.split_once('@')?;
    let is_host = |host: &str| host.contains(['.', ':']) || host == "localhost";
    let (host, path) = match repository.split_once('/') {
        Some((host, path)) if is_host(host) => (host, path.to_owned()),
        Some(_) => ("index.docker.io", repository.to_owned()),
        None => ("index.docker.io", format!("library/{repository}")),
    };
    let name = path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let architecture = metadata
        .image_config
        .get("architecture")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut qualifiers = Vec::new();
    if !architecture.is_empty() {
        qualifiers.push(("arch".to_owned(), architecture.to_owned()));
    }
    qualifiers.push(("repository_url".to_owned(), format!("{host}/{path}")));
    Some(Purl {
        kind: "oci".to_owned(),
        namespace: String::new(),
        name,
        version: digest.to_owned(),
        qualifiers,
        subpath: String::new(),
    })
}

fn result_component(result: &ScanResult, metadata: &Metadata) -> Component {
    let mut properties = Properties::default();
    properties.add("Type", &result.kind);
    properties.add("Class", &result.class);
    let mut component = Component {
        kind: ComponentKind::Application,
        name: result.target.clone(),
        properties: properties.0,
        ..Component::default()
    };
    if result.class == class::OS_PACKAGES {
        component.kind = ComponentKind::OperatingSystem;
        if let Some(os) = &metadata.os {
            component.name.clone_from(&os.family);
            component.version.clone_from(&os.name);
        }
    }
    component
}

fn package_component(result: &ScanResult, package: &Package) -> Component {
    let purl = Purl::parse(&package.identifier.purl).ok();
    let mut component = Component {
        name: package.name.clone(),
        version: version(package.epoch, &package.version, &package.release),
        source_name: package.source_name.clone(),
        source_version: version(
            package.source_epoch,
            &package.source_version,
            &package.source_release,
        ),
        licenses: package.licenses.clone(),
        uid: package.identifier.uid.clone(),
        bom_ref: package.identifier.bom_ref.clone(),
        supplier: package.maintainer.clone(),
        file_path: package.file_path.clone(),
        properties: package_properties(result, package),
        ..Component::default()
    };
    if let Some(purl) = &purl {
        component.version.clone_from(&purl.version);
        if let Some(epoch) = purl.qualifier("epoch").filter(|epoch| *epoch != "0") {
            component.version = format!("{epoch}:{}", purl.version);
        }
        if matches!(purl.kind.as_str(), "maven" | "npm") {
            component.name.clone_from(&purl.name);
            component.group.clone_from(&purl.namespace);
        }
    }
    component.purl = purl;
    if !package.digest.is_empty() {
        component.digests.push(package.digest.clone());
    }
    if result.class == class::LANGUAGE_PACKAGES && !is_aggregated(&result.kind) {
        component.source_file.clone_from(&result.target);
    }
    component
}

fn package_properties(result: &ScanResult, package: &Package) -> Vec<(String, String)> {
    let mut properties = Properties::default();
    properties.add("PkgID", &package.id);
    properties.add("PkgType", &result.kind);
    properties.add("FilePath", &package.file_path);
    properties.add("SrcName", &package.source_name);
    properties.add("SrcVersion", &package.source_version);
    properties.add("SrcRelease", &package.source_release);
    if package.source_epoch != 0 {
        properties.add("SrcEpoch", &package.source_epoch.to_string());
    }
    properties.add("Modularitylabel", &package.modularity_label);
    properties.add("LayerDigest", &package.layer.digest);
    properties.add("LayerDiffID", &package.layer.diff_id);
    if let Some(build) = &package.build_info {
        properties.add_all("ContentSet", &build.content_sets);
        properties.add("NVR", &build.name_version_release);
        properties.add("Arch", &build.arch);
    }
    properties.0
}

/// Properties, without those that say nothing.
#[derive(Default)]
struct Properties(Vec<(String, String)>);

impl Properties {
    fn add(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    fn add_all(&mut self, name: &str, values: &[String]) {
        for value in values {
            self.add(name, value);
        }
    }
}
