//! From the components of a document to packages.

use std::collections::BTreeMap;

use super::super::graph::{Component, ComponentKind, Graph};
use super::super::hash::uid_of;
use super::{Sbom, SbomApplication, SbomError, SbomKind, SbomWarning};
use crate::purl::{
    Purl, dependency_id, is_aggregated, is_of_system, language_of, normalise_licenses, package_of,
    rpm_version,
};
use crate::{BuildInfo, Metadata, Os, Package, Relationship};

/// What the components say. `skipped` are the names of those that were passed over before.
pub(super) fn decode(
    graph: Graph,
    kind: SbomKind,
    warnings: Vec<SbomWarning>,
    skipped: Vec<String>,
) -> Result<Sbom, SbomError> {
    let mut decoder = Decoder {
        packages: Vec::new(),
        applications: BTreeMap::new(),
        system: None,
        sbom: Sbom {
            kind,
            metadata: metadata(&graph),
            os_packages: Vec::new(),
            applications: Vec::new(),
            link: None,
            warnings,
        },
        skipped,
        graph,
    };
    decoder.find_packages();
    decoder.find_dependencies();
    if let Some(system) = decoder.system {
        decoder.sbom.os_packages = decoder.packages_below(system);
    }
    for (place, mut application) in std::mem::take(&mut decoder.applications) {
        application.packages = decoder.packages_below(place);
        decoder.sbom.applications.push(application);
    }
    decoder.add_others()?;
    Ok(decoder.finish())
}

struct Decoder {
    graph: Graph,
    /// The packages by the places of their components, until they are taken.
    packages: Vec<Option<Package>>,
    applications: BTreeMap<usize, SbomApplication>,
    system: Option<usize>,
    skipped: Vec<String>,
    sbom: Sbom,
}

impl Decoder {
    fn find_packages(&mut self) {
        for (place, component) in self.graph.components.iter().enumerate() {
            self.packages.push(None);
            if component.kind == ComponentKind::OperatingSystem {
                match &self.sbom.metadata.os {
                    None => {
                        self.system = Some(place);
                        self.sbom.metadata.os = Some(Os {
                            family: component.name.clone(),
                            name: component.version.clone(),
                            ..Os::default()
                        });
                    }
                    Some(first) => {
                        let family = first.family.clone();
                        let warning = SbomWarning::SeveralOs { family };
                        if !self.sbom.warnings.contains(&warning) {
                            self.sbom.warnings.push(warning);
                        }
                    }
                }
                continue;
            }
            if component.kind == ComponentKind::Application
                && let Some(application) = application(component)
            {
                self.applications.insert(place, application);
                continue;
            }
            if component.kind != ComponentKind::Library && component.purl.is_none() {
                continue;
            }
            match package(component) {
                Some(found) => {
                    if let Some(slot) = self.packages.last_mut() {
                        *slot = Some(found);
                    }
                }
                None if self.graph.root == Some(place) => {}
                None => self.skipped.push(component.name.clone()),
            }
        }
    }

    fn find_dependencies(&mut self) {
        for place in 0..self.packages.len() {
            if !matches!(self.packages.get(place), Some(Some(_))) {
                continue;
            }
            let ids: Vec<String> = self
                .graph
                .below(place)
                .iter()
                .filter_map(|(_, child)| self.packages.get(*child)?.as_ref())
                .map(|package| package.id.clone())
                .collect();
            if let Some(Some(package)) = self.packages.get_mut(place) {
                package.depends_on = ids;
            }
        }
    }

    /// Takes all packages that are below a component, each once.
    fn packages_below(&mut self, place: usize) -> Vec<Package> {
        let mut taken = Vec::new();
        let below = |graph: &Graph, place| {
            let children = graph.below(place).iter();
            children.map(|(_, child)| *child).rev().collect::<Vec<usize>>()
        };
        let mut waiting = below(&self.graph, place);
        while let Some(place) = waiting.pop() {
            if let Some(package) = self.packages.get_mut(place).and_then(Option::take) {
                taken.push(package);
                waiting.extend(below(&self.graph, place));
            }
        }
        taken
    }

    /// Takes the packages that belong to nothing.
    fn add_others(&mut self) -> Result<(), SbomError> {
        let mut of_systems: BTreeMap<String, Vec<Package>> = BTreeMap::new();
        let mut of_languages: BTreeMap<&str, Vec<Package>> = BTreeMap::new();
        for (component, package) in self.graph.components.iter().zip(&mut self.packages) {
            let (Some(purl), Some(package)) = (&component.purl, package.take()) else {
                continue;
            };
            if is_of_system(purl) {
                of_systems.entry(purl.kind.clone()).or_default().push(package);
            } else if let Some(language) = language_of(purl) {
                of_languages.entry(language).or_default().push(package);
            }
        }
        if of_systems.len() > 1 {
            let kinds: Vec<String> = of_systems.into_keys().collect();
            return Err(SbomError::SeveralOsPackages {
                kinds: kinds.join(", "),
            });
        }
        self.sbom.os_packages.extend(of_systems.into_values().flatten());
        for (language, packages) in of_languages {
            self.sbom.applications.push(SbomApplication {
                kind: language.to_owned(),
                file_path: String::new(),
                packages,
            });
        }
        Ok(())
    }

    fn finish(self) -> Sbom {
        let mut sbom = self.sbom;
        if let Some(example) = self.skipped.first() {
            sbom.warnings.push(SbomWarning::NotPackages {
                count: self.skipped.len(),
                example: example.chars().take(200).collect(),
            });
        }
        if sbom.metadata.os.is_none() && !sbom.os_packages.is_empty() {
            sbom.warnings.push(SbomWarning::UnknownOs {
                count: sbom.os_packages.len(),
            });
        }
        for package in &mut sbom.os_packages {
            package.identifier.uid = uid_of("", package);
        }
        sort_packages(&mut sbom.os_packages);
        sbom.applications
            .sort_by(|first, second| (&first.kind, &first.file_path).cmp(&(&second.kind, &second.file_path)));
        for application in &mut sbom.applications {
            for package in &mut application.packages {
                normalise_licenses(&mut package.licenses);
                package.identifier.uid = uid_of(&application.file_path, package);
            }
            sort_packages(&mut application.packages);
        }
        sbom
    }
}

/// The order of packages in results.
fn sort_packages(packages: &mut [Package]) {
    let rank = |package: &Package| match package.relationship {
        Relationship::Unknown => 5,
        Relationship::Root => 1,
        Relationship::Workspace => 2,
        Relationship::Direct => 3,
        Relationship::Indirect => 4,
    };
    packages.sort_by(|first, second| {
        rank(first)
            .cmp(&rank(second))
            .then_with(|| first.name.cmp(&second.name))
            .then_with(|| first.version.cmp(&second.version))
            .then_with(|| first.id.cmp(&second.id))
            .then_with(|| first.file_path.cmp(&second.file_path))
    });
}

/// What the properties of the artifact say of it.
fn metadata(graph: &Graph) -> Metadata {
    let mut metadata = Metadata::default();
    let root = graph.root.and_then(|root| graph.components.get(root));
    for (name, value) in root.into_iter().flat_map(|root| &root.properties) {
        let value = value.clone();
        match name.as_str() {
            "ImageID" => metadata.image_id = value,
            "RepoDigest" => metadata.repo_digests.push(value),
            "DiffID" => metadata.diff_ids.push(value),
            "RepoTag" => metadata.repo_tags.push(value),
            "Reference" => metadata.reference = value.into(),
            _ => {}
        }
    }
    metadata
}

fn application(component: &Component) -> Option<SbomApplication> {
    let kind = property(component, "Type").filter(|kind| !kind.is_empty())?;
    Some(SbomApplication {
        kind: kind.to_owned(),
        file_path: if is_aggregated(kind) {
            String::new()
        } else {
            component.name.clone()
        },
        packages: Vec::new(),
    })
}

fn property<'c>(component: &'c Component, name: &str) -> Option<&'c str> {
    let mut properties = component.properties.iter().rev();
    properties
        .find(|(given, _)| given == name)
        .map(|(_, value)| value.as_str())
}

/// The package that a component is; none where it has no package URL of a type that is known.
fn package(component: &Component) -> Option<Package> {
    let purl = component.purl.as_ref()?;
    let language = language_of(purl);
    if language.is_none() && !is_of_system(purl) {
        return None;
    }
    let mut package = package_of(purl);
    // A package URL has no capital letters where its type has none, so that the name is better.
    if !matches!(purl.kind.as_str(), "cocoapods" | "maven" | "gradle" | "bitnami") {
        package.name = if component.group.is_empty() {
            component.name.clone()
        } else {
            format!("{}/{}", component.group, component.name)
        };
    }
    package.id = dependency_id(language.unwrap_or_default(), &package.name, &purl.version);
    fill_from_properties(component, &mut package);
    package.identifier.bom_ref.clone_from(&component.bom_ref);
    package.licenses.clone_from(&component.licenses);
    if package.file_path.is_empty() {
        package.file_path.clone_from(&component.file_path);
    }
    if let Some(digest) = component.digests.first() {
        package.digest.clone_from(digest);
    }
    if is_of_system(purl) {
        fill_source(component, purl, &mut package);
    }
    Some(package)
}

fn fill_from_properties(component: &Component, package: &mut Package) {
    let mut build = BuildInfo::default();
    for (name, value) in &component.properties {
        let field = match name.as_str() {
            "PkgID" => &mut package.id,
            "FilePath" => &mut package.file_path,
            "SrcName" => &mut package.source_name,
            "SrcVersion" => &mut package.source_version,
            "SrcRelease" => &mut package.source_release,
            "SrcEpoch" => {
                package.source_epoch = value.parse().unwrap_or_default();
                continue;
            }
            "Modularitylabel" => &mut package.modularity_label,
            "LayerDigest" => &mut package.layer.digest,
            "LayerDiffID" => &mut package.layer.diff_id,
            "ContentSet" => {
                build.content_sets.push(value.clone());
                continue;
            }
            "NVR" => &mut build.name_version_release,
            "Arch" => &mut build.arch,
            _ => continue,
        };
        field.clone_from(value);
    }
    if !build.content_sets.is_empty() || !build.name_version_release.is_empty() {
        package.build_info = Some(build);
    }
}

/// The source package; the package itself where the document does not say it.
fn fill_source(component: &Component, purl: &Purl, package: &mut Package) {
    if package.source_name.is_empty() {
        package.source_name.clone_from(&component.source_name);
    }
    let version = component.source_version.as_str();
    let parts = match purl.kind.as_str() {
        _ if version.is_empty() => None,
        "rpm" => Some(rpm_version(version)),
        "deb" => deb_version(version),
        _ => None,
    };
    if let Some((epoch, version, release)) = parts {
        package.source_epoch = epoch;
        version.clone_into(&mut package.source_version);
        release.clone_into(&mut package.source_release);
    }
    if !package.source_name.is_empty() && !package.source_version.is_empty() {
        return;
    }
    let fill = |field: &mut String, value: &str| {
        if field.is_empty() {
            value.clone_into(field);
        }
    };
    fill(&mut package.source_name, &package.name);
    fill(&mut package.source_version, &package.version);
    fill(&mut package.source_release, &package.release);
    if package.source_epoch == 0 {
        package.source_epoch = package.epoch;
    }
}

/// Epoch, version and revision of a version of a Debian package, where it is one.
fn deb_version(text: &str) -> Option<(i64, &str, &str)> {
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().ok()?, rest),
        None => (0, text),
    };
    let (version, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    version
        .starts_with(|first: char| first.is_ascii_digit())
        .then_some((epoch, version, revision))
}
