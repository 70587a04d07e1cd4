//! What is left out of one result.

use std::collections::HashMap;

use super::Filter;
use super::ignore::Matcher;
use crate::purl::Purl;
use crate::sbom::license_parts;
use crate::{
    DetectedLicense, DetectedMisconfiguration, DetectedSecret, DetectedVulnerability, Finding,
    MisconfigurationSummary, ModifiedFinding, ScanResult,
};

/// The rules for all results.
pub(super) struct Rules<'f> {
    /// The severities that are wanted, by name.
    pub(super) wanted: &'f [&'f str],
    pub(super) filter: &'f Filter,
    pub(super) vulnerabilities: Matcher<'f>,
    pub(super) misconfigurations: Matcher<'f>,
    pub(super) secrets: Matcher<'f>,
    pub(super) licenses: Matcher<'f>,
}

impl Rules<'_> {
    pub(super) fn apply(&self, result: &mut ScanResult) {
        self.filter_vulnerabilities(result);
        self.filter_misconfigurations(result);
        self.filter_secrets(result);
        self.filter_licenses(result);
        result.vulnerabilities.sort_by(by_package_and_severity);
    }

    fn is_wanted(&self, severity: &str) -> bool {
        self.wanted.contains(&severity)
    }

    fn suppressed(&self, finding: Finding, statement: &str) -> ModifiedFinding {
        ModifiedFinding {
            status: "ignored".to_owned(),
            statement: statement.to_owned(),
            source: self.filter.ignore.source.clone(),
            finding,
        }
    }

    fn filter_vulnerabilities(&self, result: &mut ScanResult) {
        let mut kept: Vec<DetectedVulnerability> = Vec::with_capacity(result.vulnerabilities.len());
        let mut places: HashMap<Key, usize> = HashMap::new();
        for mut vulnerability in std::mem::take(&mut result.vulnerabilities) {
            if vulnerability.details.severity.is_empty() {
                vulnerability.details.severity = "UNKNOWN".to_owned();
            }
            if !self.is_wanted(&vulnerability.details.severity)
                || self.filter.ignore_statuses.contains(&vulnerability.status)
            {
                continue;
            }
            let purl = Purl::parse(&vulnerability.package_identifier.purl).ok();
            let rule = [&result.target, &vulnerability.package_path]
                .into_iter()
                .find_map(|path| {
                    self.vulnerabilities
                        .find(&vulnerability.vulnerability_id, path, purl.as_ref())
                });
            if let Some(rule) = rule {
                let finding = Finding::Vulnerability(Box::new(vulnerability));
                let finding = self.suppressed(finding, rule.statement());
                result.modified_findings.push(finding);
                continue;
            }
            let place = *places.entry(key(&vulnerability)).or_insert(kept.len());
            match kept.get_mut(place) {
                Some(known) if known.fixed_version < vulnerability.fixed_version => *known = vulnerability,
                Some(_) => {}
                None => kept.push(vulnerability),
            }
        }
        result.vulnerabilities = kept;
    }

    fn filter_misconfigurations(&self, result: &mut ScanResult) {
        let mut summary = MisconfigurationSummary::default();
        let mut kept: Vec<DetectedMisconfiguration> = Vec::new();
        for misconfiguration in std::mem::take(&mut result.misconfigurations) {
            if !self.is_wanted(&misconfiguration.severity) {
                continue;
            }
            let rule = [&misconfiguration.id, &misconfiguration.avd_id]
                .into_iter()
                .find_map(|id| self.misconfigurations.find(id, &result.target, None));
            if let Some(rule) = rule {
                let finding = Finding::Misconfiguration(Box::new(misconfiguration));
                let finding = self.suppressed(finding, rule.statement());
                result.modified_findings.push(finding);
                continue;
            }
            let failed = misconfiguration.status == "FAIL";
            summary.failures += i64::from(failed);
            summary.successes += i64::from(misconfiguration.status == "PASS");
            if failed || self.filter.include_non_failures {
                kept.push(misconfiguration);
            }
        }
        let counted = summary != MisconfigurationSummary::default();
        result.misconfigurations = if counted { kept } else { Vec::new() };
        result.misconfiguration_summary = counted.then_some(summary);
    }

    fn filter_secrets(&self, result: &mut ScanResult) {
        let mut kept: Vec<DetectedSecret> = Vec::new();
        for secret in std::mem::take(&mut result.secrets) {
            if !self.is_wanted(&secret.severity) {
                continue;
            }
            match self.secrets.find(&secret.rule_id, &result.target, None) {
                Some(rule) => {
                    let finding = self.suppressed(Finding::Secret(Box::new(secret)), rule.statement());
                    result.modified_findings.push(finding);
                }
                None => kept.push(secret),
            }
        }
        result.secrets = kept;
    }

    fn filter_licenses(&self, result: &mut ScanResult) {
        let ignored = &self.filter.ignored_licenses;
        let mut kept: Vec<DetectedLicense> = Vec::new();
        for license in std::mem::take(&mut result.licenses) {
            if !self.is_wanted(&license.severity) {
                continue;
            }
            let parts = license_parts(&license.name);
            let all_ignored = |is_ignored: &dyn Fn(&str) -> bool| {
                is_ignored(&license.name)
                    || parts
                        .as_ref()
                        .is_some_and(|parts| parts.iter().all(|part| is_ignored(part)))
            };
            let find = |name: &str| self.licenses.find(name, &license.file_path, None);
            if all_ignored(&|name| ignored.iter().any(|ignored| ignored == name)) {
                let mut finding = self.suppressed(Finding::License(Box::new(license)), "");
                finding.source = "--ignored-licenses".to_owned();
                result.modified_findings.push(finding);
            } else if all_ignored(&|name| find(name).is_some()) {
                let statement = find(&license.name).map_or(PARTS_IGNORED, |rule| rule.statement());
                let finding = self.suppressed(Finding::License(Box::new(license.clone())), statement);
                result.modified_findings.push(finding);
            } else {
                kept.push(license);
            }
        }
        result.licenses = kept;
    }
}

/// What is said of a license all of whose parts are passed over, in Trivy's words.
const PARTS_IGNORED: &str = "All license components are individually ignored";

/// What makes two vulnerabilities the same.
type Key = [String; 5];

fn key(vulnerability: &DetectedVulnerability) -> Key {
    [
        &vulnerability.vulnerability_id,
        &vulnerability.package_id,
        &vulnerability.package_name,
        &vulnerability.installed_version,
        &vulnerability.package_path,
    ]
    .map(Clone::clone)
}

fn by_package_and_severity(
    first: &DetectedVulnerability,
    second: &DetectedVulnerability,
) -> std::cmp::Ordering {
    let severity = |vulnerability: &DetectedVulnerability| {
        super::Severity::ALL
            .into_iter()
            .find(|severity| severity.as_str() == vulnerability.details.severity)
            .unwrap_or(super::Severity::Unknown)
    };
    first
        .package_name
        .cmp(&second.package_name)
        .then_with(|| first.package_id.cmp(&second.package_id))
        .then_with(|| first.installed_version.cmp(&second.installed_version))
        .then_with(|| severity(second).cmp(&severity(first)))
        .then_with(|| first.vulnerability_id.cmp(&second.vulnerability_id))
        .then_with(|| first.package_path.cmp(&second.package_path))
}
