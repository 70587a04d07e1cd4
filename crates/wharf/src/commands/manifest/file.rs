//! Policies as a file has them: with ids, settings, times and grants.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use wharf_abi_wapc::kubewarden::Metadata;
use wharf_abi_wapc::kubewarden::capability::CapabilityPatterns;
use wharf_config::kubewarden::{PolicyEntry, PolicyKind, PolicyModule, PolicySet, parse_policies};
use wharf_config::{ConfigErrors, Diagnostic};
use wharf_distribution::Fetcher;
use wharf_plugin::Reference;

use super::deployed::{DEFAULT_TIMEOUT, Deployed, NoPolicy, asks, metadata, rules};

/// A file of policies, none of which is bad.
pub(super) struct PolicyFile {
    /// What stands in it.
    pub(super) text: String,
    policies: PolicySet,
    /// Its folder where that is absolute: a module below it was most likely written relative to it.
    folder: Option<std::path::PathBuf>,
}

impl PolicyFile {
    /// Reads a file. What it says of modules is not looked at yet.
    ///
    /// # Errors
    /// All that is wrong with it, bad policies included.
    pub(super) fn parse(path: &Path, bytes: Vec<u8>) -> Result<(Self, Vec<Diagnostic>), ConfigErrors> {
        // What is no UTF-8 is told of by the reader, as a character that cannot stand there.
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let loaded = parse_policies(&text, path)?;
        loaded.policies.all_good()?;
        let folder = path.parent().filter(|folder| folder.is_absolute());
        let file = Self {
            text,
            policies: loaded.policies,
            folder: folder.map(Path::to_owned),
        };
        Ok((file, loaded.warnings))
    }

    /// The policies with what their modules say. `modules` is the folder in which the modules are on this machine.
    pub(super) fn deployed(
        &self,
        fetcher: &Fetcher,
        modules: Option<&Path>,
    ) -> Result<Vec<Deployed>, NoPolicy> {
        let entries = self.policies.entries.iter();
        entries
            .map(|entry| self.deploy(fetcher, entry, modules))
            .collect()
    }

    fn deploy(
        &self,
        fetcher: &Fetcher,
        entry: &PolicyEntry,
        modules: Option<&Path>,
    ) -> Result<Deployed, NoPolicy> {
        let (place, id) = (entry.source.to_string(), entry.id.clone());
        if !is_path_step(&id) {
            return Err(NoPolicy::Id { place, id });
        }
        let mut members = Vec::new();
        for module in entry.modules() {
            if self.is_relative(&module.reference) {
                return Err(NoPolicy::Relative { place, id });
            }
            members.push((module, metadata(fetcher, &here(&module.reference, modules))?));
        }
        let webhook = entry.resource.as_ref().map(|resource| resource.webhook.clone());
        let resources = members
            .iter()
            .flat_map(|(module, _)| &module.context_aware_resources);
        Ok(Deployed {
            shown: format!("the policy `{id}`"),
            rules: webhook.as_ref().map_or_else(
                || rules_of(&members),
                |webhook| {
                    let rules = webhook.rules.iter();
                    // They were made of YAML.
                    rules
                        .map(|rule| serde_json::to_value(rule).unwrap_or_default())
                        .collect()
                },
            ),
            mutates: matches!(&entry.kind, PolicyKind::Policy(policy) if policy.allowed_to_mutate),
            resources: resources
                .map(|resource| (resource.api_version.clone(), resource.kind.clone()))
                .collect::<BTreeSet<_>>(),
            asks_who_may: members
                .iter()
                .any(|(module, metadata)| may_ask_who(module, metadata)),
            timeout: timeout(&entry.kind),
            webhook,
            reviews_own_namespace: entry
                .resource
                .as_ref()
                .is_some_and(|resource| resource.allow_inside_admission_controller_namespace),
            entry: Value::Null,
            id,
        })
    }

    fn is_relative(&self, reference: &Reference) -> bool {
        reference.as_file().is_some_and(|path| {
            !path.is_absolute()
                || self
                    .folder
                    .as_ref()
                    .is_some_and(|folder| path.starts_with(folder))
        })
    }
}

/// The rules of all members, each once.
fn rules_of(members: &[(&PolicyModule, Metadata)]) -> Vec<Value> {
    let mut all = Vec::new();
    for rule in members.iter().flat_map(|(_, metadata)| rules(metadata)) {
        if !all.contains(&rule) {
            all.push(rule);
        }
    }
    all
}

/// Whether it is granted, and wanted where the policy says what it wants.
fn may_ask_who(module: &PolicyModule, metadata: &Metadata) -> bool {
    const WHO: &str = "kubernetes/can_i";
    let granted = CapabilityPatterns::parse(&module.host_capabilities);
    granted.is_ok_and(|granted| granted.allow(WHO)) && asks(metadata, WHO).unwrap_or(true)
}

/// What a review may take. Members of a group are asked one after the other.
fn timeout(kind: &PolicyKind) -> Duration {
    let own = |module: &PolicyModule| module.timeout.unwrap_or(DEFAULT_TIMEOUT);
    match kind {
        PolicyKind::Policy(policy) => own(&policy.module),
        PolicyKind::Group(group) => group
            .timeout
            .unwrap_or_else(|| group.members.values().map(own).sum()),
    }
}

/// The module on this machine.
fn here(reference: &Reference, modules: Option<&Path>) -> Reference {
    let name = reference.as_file().and_then(Path::file_name);
    match (modules, name) {
        (Some(folder), Some(name)) => Reference::File(folder.join(name)),
        _ => reference.clone(),
    }
}

/// Whether the API server takes it as a part of a webhook's path, and of a webhook's name.
fn is_path_step(id: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        let edges = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && label.len() <= 63 && !edges && label.bytes().all(inside)
    };
    id.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_that_the_api_server_takes_in_a_path() {
        for good in ["a", "clusterwide-labels", "a.b-c.1", &"x".repeat(63)] {
            assert!(is_path_step(good), "{good}");
        }
        for bad in [
            "",
            "a_b",
            "A",
            "a..b",
            ".a",
            "a-",
            "a b",
            "é",
            "a%2fb",
            &"x".repeat(64),
        ] {
            assert!(!is_path_step(bad), "{bad:?}");
        }
    }
}
