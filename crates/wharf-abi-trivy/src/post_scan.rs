//! What a module does after the scan.

use std::collections::HashSet;

use serde::de::Deserializer;
use serde::{Serialize, Serializer};

use wharf_report::json::{FromGo, IsEmpty, Wrapped, go_object};
use wharf_report::{DetectedMisconfiguration, DetectedVulnerability, ScanResult, class};

go_object! {
    /// What a module does after the scan.
    pub struct PostScanSpec {
        /// What it does to the results.
        pub action: Action => "Action",
        /// The vulnerabilities and misconfigurations that it wants to see, for `UPDATE` and `DELETE`.
        pub ids: Vec<String> => "IDs",
    }
}

/// What a module does to the results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Adds results.
    Insert,
    /// Changes how severe findings are, and what else is known of them.
    Update,
    /// Removes findings.
    Delete,
    /// Nothing: a word that the API does not have. The module is called, and what it gives is not used.
    Other(String),
}

impl Default for Action {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl Action {
    /// The word in JSON.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Other(word) => word,
        }
    }
}

impl FromGo for Action {
    fn from_go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word: Wrapped<String> = serde::Deserialize::deserialize(deserializer)?;
        Ok(match word.0.as_str() {
            "INSERT" => Self::Insert,
            "UPDATE" => Self::Update,
            "DELETE" => Self::Delete,
            _ => Self::Other(word.0),
        })
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl IsEmpty for Action {
    fn is_empty_value(&self) -> bool {
        self.as_str().is_empty()
    }
}

/// How many findings a post-scan changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// Results that were added.
    pub inserted: usize,
    /// Findings that the module gave anew, whether or not anything in them is other than before.
    pub updated: usize,
    /// Findings that were removed.
    pub removed: usize,
}

/// What a post-scan is given: the first result of class `custom`, or an empty one; and for `UPDATE` and `DELETE` of each other
/// result the findings that the module wants, where there are any.
pub(crate) fn payload(spec: &PostScanSpec, results: &[ScanResult]) -> Vec<ScanResult> {
    let custom = results.iter().find(|result| result.class == class::CUSTOM);
    let mut payload = vec![custom.cloned().unwrap_or_default()];
    if matches!(spec.action, Action::Update | Action::Delete) {
        let ids: HashSet<&str> = spec.ids.iter().map(String::as_str).collect();
        payload.extend(results.iter().filter_map(|result| wanted(&ids, result)));
    }
    payload
}

fn wanted(ids: &HashSet<&str>, result: &ScanResult) -> Option<ScanResult> {
    if result.class == class::CUSTOM {
        return None;
    }
    let vulnerabilities: Vec<_> = result
        .vulnerabilities
        .iter()
        .filter(|found| ids.contains(found.vulnerability_id.as_str()))
        .cloned()
        .collect();
    let misconfigurations: Vec<_> = result
        .misconfigurations
        .iter()
        .filter(|found| ids.contains(found.id.as_str()))
        .cloned()
        .collect();
    if vulnerabilities.is_empty() && misconfigurations.is_empty() {
        return None;
    }
    Some(ScanResult {
        target: result.target.clone(),
        class: result.class.clone(),
        kind: result.kind.clone(),
        vulnerabilities,
        misconfigurations,
        ..ScanResult::default()
    })
}

/// Does to the results what the module gave.
pub(crate) fn apply(spec: &PostScanSpec, given: Vec<ScanResult>, results: &mut Vec<ScanResult>) -> Changes {
    let mut changes = Changes::default();
    match spec.action {
        Action::Insert => {
            let before = results.len();
            results.extend(
                given
                    .into_iter()
                    .filter(|result| result.class != class::CUSTOM && !result.class.is_empty()),
            );
            changes.inserted = results.len() - before;
        }
        Action::Update => pairs(&given, results, |given, result| {
            changes.updated += update(given, result);
        }),
        Action::Delete => pairs(&given, results, |given, result| {
            changes.removed += delete(given, result);
        }),
        Action::Other(_) => {}
    }
    changes
}

/// Each result that was given, with each that it is about: of the same target, class and type.
fn pairs(
    given: &[ScanResult],
    results: &mut [ScanResult],
    mut each: impl FnMut(&ScanResult, &mut ScanResult),
) {
    for given in given {
        for result in &mut *results {
            if given.target == result.target && given.class == result.class && given.kind == result.kind {
                each(given, result);
            }
        }
    }
}

/// Overwrites what is known of findings, and gives how many. Of several that are given for one, the last counts.
fn update(given: &ScanResult, result: &mut ScanResult) -> usize {
    let mut updated = 0;
    for found in &mut result.vulnerabilities {
        let new = given.vulnerabilities.iter().rfind(|new| is_same(new, found));
        if let Some(new) = new {
            found.severity_source.clone_from(&new.severity_source);
            found.details = new.details.clone();
            updated += 1;
        }
    }
    for found in &mut result.misconfigurations {
        // The lines are overwritten too, and the next that is given is compared with those.
        let mut is_updated = false;
        for new in &given.misconfigurations {
            if is_same_place(new, found) {
                found.cause = new.cause.clone();
                found.severity.clone_from(&new.severity);
                found.status.clone_from(&new.status);
                is_updated = true;
            }
        }
        updated += usize::from(is_updated);
    }
    updated
}

/// Removes findings, and gives how many.
fn delete(given: &ScanResult, result: &mut ScanResult) -> usize {
    let before = result.vulnerabilities.len() + result.misconfigurations.len();
    result
        .vulnerabilities
        .retain(|found| !given.vulnerabilities.iter().any(|gone| is_same(gone, found)));
    result.misconfigurations.retain(|found| {
        !given
            .misconfigurations
            .iter()
            .any(|gone| is_same_place(gone, found) && gone.status == found.status)
    });
    before - result.vulnerabilities.len() - result.misconfigurations.len()
}

fn is_same(one: &DetectedVulnerability, other: &DetectedVulnerability) -> bool {
    one.vulnerability_id == other.vulnerability_id
        && one.package_name == other.package_name
        && one.package_path == other.package_path
        && one.installed_version == other.installed_version
}

fn is_same_place(one: &DetectedMisconfiguration, other: &DetectedMisconfiguration) -> bool {
    one.id == other.id
        && one.cause.start_line == other.cause.start_line
        && one.cause.end_line == other.cause.end_line
}

#[cfg(test)]
mod tests;
