//! Puts the findings of layers together: what an upper layer removes or overwrites is not in the image.

use std::collections::{BTreeMap, HashMap};

use wharf_abi_trivy::{AnalysisResult, Application, PackageInfo};
use wharf_report::{CustomResource, Layer, LicenseFile, Misconfiguration, Os, Package, Secret};

use crate::findings::Findings;

#[cfg(test)]
mod tests;

/// What was found in all layers together.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    pub(crate) os: Os,
    pub(crate) packages: Vec<Package>,
    pub(crate) applications: Vec<Application>,
    pub(crate) misconfigurations: Vec<Misconfiguration>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) licenses: Vec<LicenseFile>,
    pub(crate) custom_resources: Vec<CustomResource>,
    pub(crate) origins: Origins,
}

/// Where a finding stands: the path that its module gives, and what it is. A later one of the same place replaces it.
type Place = (String, String);

/// A finding, and the file that it was found in, which need not be the path that its module gives.
struct Entry {
    source: String,
    item: Item,
}

enum Item {
    Packages(PackageInfo),
    Application(Application),
    Misconfiguration(Misconfiguration),
    License(LicenseFile),
    Custom(CustomResource),
}

/// Puts the layers together, the lowest first.
///
/// * `name_of`: the name of the module of a place.
pub(crate) fn merge<'a>(layers: Vec<Findings>, name_of: impl Fn(usize) -> &'a str) -> Merged {
    let mut tree = Tree::default();
    let mut merged = Merged::default();
    let mut secrets: BTreeMap<String, Secret> = BTreeMap::new();
    let mut origins = Origins::default();
    for layer in layers {
        for directory in &layer.opaque_directories {
            tree.remove_below(&trimmed(directory));
        }
        for path in &layer.whiteouts {
            let path = trimmed(path);
            tree.remove(&path);
            tree.remove_below(&path);
        }
        // Before any finding is added: two files of this layer may give findings of one path.
        for file in layer.files.iter().filter(|file| !file.path.is_empty()) {
            tree.remove_found_in(&file.path);
            // Nothing lies below a file: where something did, that was a folder, whose place it has taken.
            tree.remove_below(&file.path);
        }
        let place = Layer {
            size: 0,
            created_by: String::new(),
            ..layer.layer.clone()
        };
        for file in layer.files {
            for (module, found) in file.found {
                if !found.os.family.is_empty() {
                    merged.os = found.os.clone();
                }
                merge_secrets(&mut secrets, &found, &layer.layer);
                origins.add(&found, &place);
                tree.add(&file.path, found, name_of(module), &place);
            }
        }
    }
    for entry in tree.entries.into_values() {
        match entry.item {
            Item::Packages(info) => merged.packages.extend(info.packages),
            Item::Application(application) => merged.applications.push(application),
            Item::Misconfiguration(found) => merged.misconfigurations.push(found),
            Item::License(found) => merged.licenses.push(found),
            Item::Custom(found) => merged.custom_resources.push(found),
        }
    }
    merged.secrets = secrets.into_values().collect();
    merged.origins = origins;
    merged
}

/// The findings that have a path, by place.
#[derive(Default)]
struct Tree {
    entries: BTreeMap<Place, Entry>,
    /// The places of what was found in each file.
    sources: BTreeMap<String, Vec<Place>>,
}

impl Tree {
    fn add(&mut self, source: &str, found: AnalysisResult, module: &str, layer: &Layer) {
        for mut info in found.package_infos {
            info.packages
                .iter_mut()
                .for_each(|package| module.clone_into(&mut package.analyzed_by));
            self.set(
                source,
                &info.file_path.clone(),
                "packages".into(),
                Item::Packages(info),
            );
        }
        for mut application in found.applications {
            application
                .packages
                .iter_mut()
                .for_each(|package| module.clone_into(&mut package.analyzed_by));
            let kind = format!("application:{}", application.kind);
            let path = application.file_path.clone();
            self.set(source, &path, kind, Item::Application(application));
        }
        for mut found in found.misconfigurations {
            found.layer = layer.clone();
            let path = found.file_path.clone();
            self.set(source, &path, "config".into(), Item::Misconfiguration(found));
        }
        for mut found in found.licenses {
            found.layer = layer.clone();
            let path = found.file_path.clone();
            self.set(
                source,
                &path,
                format!("license:{}", found.kind),
                Item::License(found),
            );
        }
        for mut found in found.custom_resources {
            if found.layer == Layer::default() {
                found.layer = layer.clone();
            }
            let path = found.file_path.clone();
            self.set(
                source,
                &path,
                format!("custom:{}", found.kind),
                Item::Custom(found),
            );
        }
    }

    fn set(&mut self, source: &str, path: &str, kind: String, item: Item) {
        let place = (trimmed(path), kind);
        let entry = Entry {
            source: source.to_owned(),
            item,
        };
        self.entries.insert(place.clone(), entry);
        self.sources.entry(source.to_owned()).or_default().push(place);
    }

    /// What was found in the file `path`, or was given its path.
    fn remove(&mut self, path: &str) {
        self.remove_found_in(path);
        let places = self.entries.range((path.to_owned(), String::new())..);
        let places: Vec<Place> = places
            .map(|(place, _)| place)
            .take_while(|place| place.0 == path)
            .cloned()
            .collect();
        places.iter().for_each(|place| _ = self.entries.remove(place));
    }

    /// The same for all files below a directory; an empty path is the root.
    fn remove_below(&mut self, directory: &str) {
        if directory.is_empty() {
            self.entries.clear();
            self.sources.clear();
            return;
        }
        // All texts that begin with the directory and a slash: `0` is the character behind the slash.
        let (from, to) = (format!("{directory}/"), format!("{directory}0"));
        let sources = self.sources.range(from.clone()..to.clone());
        let sources: Vec<String> = sources.map(|(source, _)| source.clone()).collect();
        sources.iter().for_each(|source| self.remove_found_in(source));
        let places = self.entries.range((from, String::new())..(to, String::new()));
        let places: Vec<Place> = places.map(|(place, _)| place.clone()).collect();
        places.iter().for_each(|place| _ = self.entries.remove(place));
    }

    fn remove_found_in(&mut self, source: &str) {
        for place in self.sources.remove(source).unwrap_or_default() {
            // Another file's finding may stand there by now.
            if self
                .entries
                .get(&place)
                .is_some_and(|entry| entry.source == source)
            {
                self.entries.remove(&place);
            }
        }
    }
}

/// The path as places have it: modules give it with a slash at its beginning, or without.
fn trimmed(path: &str) -> String {
    path.trim_matches('/').to_owned()
}

/// A secret stays in the image though an upper layer removes its file, since whoever has the image has the layer. One that an
/// upper layer has too is that of the upper layer.
fn merge_secrets(secrets: &mut BTreeMap<String, Secret>, found: &AnalysisResult, layer: &Layer) {
    // How large the layer is, is not said beside a secret.
    let layer = Layer {
        size: 0,
        ..layer.clone()
    };
    for secret in &found.secrets {
        let mut secret = secret.clone();
        let findings = secret.findings.get_or_insert_default();
        for finding in findings.iter_mut() {
            finding.layer = layer.clone();
        }
        findings.sort_by(|a, b| (&a.rule_id, a.start_line).cmp(&(&b.rule_id, b.start_line)));
        if let Some(before) = secrets.remove(&secret.file_path) {
            for finding in before.findings.into_iter().flatten() {
                if !findings.iter().any(|new| new.rule_id == finding.rule_id) {
                    findings.push(finding);
                }
            }
        }
        secrets.insert(secret.file_path.clone(), secret);
    }
}

/// The layer in which each package came in.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// By the file (empty for packages of the operating system), the name, the version and the release.
    first: HashMap<[String; 4], Layer>,
}

impl Origins {
    fn add(&mut self, found: &AnalysisResult, layer: &Layer) {
        let system = found.package_infos.iter().map(|info| ("", &info.packages));
        let applications = found
            .applications
            .iter()
            .map(|application| (application.file_path.as_str(), &application.packages));
        for (path, packages) in system.chain(applications) {
            for package in packages {
                self.first
                    .entry(key(path, package))
                    .or_insert_with(|| layer.clone());
            }
        }
    }

    /// Gives a package its layer, unless its module gave one. `path` is that of its application, or empty for a package of the
    /// operating system.
    pub(crate) fn give(&self, path: &str, package: &mut Package) {
        if package.layer == Layer::default() {
            package.layer = self.first.get(&key(path, package)).cloned().unwrap_or_default();
        }
    }
}

fn key(path: &str, package: &Package) -> [String; 4] {
    [path, &package.name, &package.version, &package.release].map(str::to_owned)
}
