//! SARIF 2.1.0, which code hosts read.
//!
//! The document is Trivy's, field by field. What differs: addresses are always such (a file's name is escaped, a link that is
//! none is left out), lines are never below 1, rules of secrets have no link to Trivy's own list, and warnings are there.

mod document;
mod finding;
mod uri;

use std::collections::HashMap;

use self::document::{
    Document, Invocation, Message, Notification, NotificationLocation, PhysicalArtifact, Rule, Run,
    RunProperties,
};
use self::finding::Found;
use crate::json::to_vec_pretty;
use crate::{Report, ScanWarning, WarningKind, class};

/// What the document says beside the findings.
#[derive(Debug, Clone, Default)]
pub struct SarifOptions {
    /// The folder that the paths are relative to, absolute. Only directories have one, and images have none.
    pub root: Option<String>,
    /// Who made the report.
    pub tool: Tool,
}

/// Who made a report. By default it is Wharf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// The name. Code hosts keep the findings of each apart.
    pub name: String,
    /// The name in full.
    pub full_name: String,
    /// The version.
    pub version: String,
    /// Where it is at home.
    pub information_uri: String,
}

impl Default for Tool {
    fn default() -> Self {
        Self {
            name: "Wharf".to_owned(),
            full_name: "Wharf scanner".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            information_uri: env!("CARGO_PKG_REPOSITORY").to_owned(),
        }
    }
}

/// The report as a SARIF document of one run. A rule is made of the last finding that has its id. `warnings` are the
/// notifications of the run's invocation, which is said to have failed where a module did.
pub fn sarif(report: &Report, warnings: &[ScanWarning], options: &SarifOptions) -> Vec<u8> {
    let mut rules = Rules::default();
    let mut results = Vec::new();
    for found in report.results.iter().flat_map(finding::all) {
        let index = rules.add(&found);
        results.push(found.result(index));
    }
    let mut bytes = to_vec_pretty(&Document::of(Run {
        tool: document::ToolComponent::of(&options.tool, rules.rules),
        invocations: invocations(warnings),
        results,
        column_kind: "utf16CodeUnits",
        original_uri_base_ids: options.root.as_deref().map(document::Root::of),
        properties: image_properties(report),
    }));
    bytes.push(b'\n');
    bytes
}

fn image_properties(report: &Report) -> Option<RunProperties<'_>> {
    let metadata = &report.metadata;
    (report.artifact_type == "container_image").then(|| RunProperties {
        image_id: &metadata.image_id,
        image_name: &report.artifact_name,
        repo_digests: &metadata.repo_digests,
        repo_tags: &metadata.repo_tags,
    })
}

/// The rules, each once.
#[derive(Default)]
struct Rules<'a> {
    rules: Vec<Rule<'a>>,
    places: HashMap<String, usize>,
}

impl<'a> Rules<'a> {
    fn add(&mut self, found: &Found<'a>) -> usize {
        let next = self.rules.len();
        let place = *self.places.entry(found.id.to_string()).or_insert(next);
        let mut rule = found.rule();
        match self.rules.get_mut(place) {
            Some(known) => {
                rule.help_uri = rule.help_uri.or_else(|| known.help_uri.take());
                *known = rule;
            }
            None => self.rules.push(rule),
        }
        place
    }
}

fn invocations(warnings: &[ScanWarning]) -> Vec<Invocation<'_>> {
    if warnings.is_empty() {
        return Vec::new();
    }
    let has_fault = warnings
        .iter()
        .any(|warning| warning.kind == WarningKind::ModuleFault);
    vec![Invocation {
        execution_successful: !has_fault,
        tool_execution_notifications: warnings.iter().map(notification).collect(),
    }]
}

fn notification(warning: &ScanWarning) -> Notification<'_> {
    let level = match warning.kind {
        WarningKind::ModuleFault => "error",
        _ => "warning",
    };
    Notification {
        descriptor: document::Descriptor {
            id: warning.kind.as_str(),
        },
        level,
        message: Message::from(warning.to_string()),
        locations: warning.path.iter().map(|path| location(path)).collect(),
    }
}

fn location(path: &str) -> NotificationLocation {
    NotificationLocation {
        physical_location: PhysicalArtifact {
            artifact_location: document::ArtifactLocation::below_root(uri::of_path(path)),
        },
    }
}

/// The name of the rules of a class.
pub(super) fn rule_name(of_class: &str) -> &'static str {
    match of_class {
        class::OS_PACKAGES => "OsPackageVulnerability",
        class::LANGUAGE_PACKAGES => "LanguageSpecificPackageVulnerability",
        class::CONFIG => "Misconfiguration",
        class::SECRET => "Secret",
        class::LICENSE | class::LICENSE_FILE => "License",
        _ => "UnknownIssue",
    }
}

pub(super) use self::uri::path_of_target;

#[cfg(test)]
mod tests;
