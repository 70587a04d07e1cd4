//! Findings of each kind as rules and results.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Number, Value, json};

use super::document::{
    ArtifactLocation, Configuration, Finding, Help, Location, Message, PhysicalLocation, Region, Rule,
};
use super::{rule_name, uri};
use crate::format::severity::{sarif_level, score};
use crate::{DetectedLicense, DetectedMisconfiguration, DetectedSecret, DetectedVulnerability, ScanResult};

/// A finding, with all that a rule and a result say of it.
pub(super) struct Found<'a> {
    pub(super) id: Cow<'a, str>,
    tag: &'static str,
    rule_name: &'static str,
    severity: &'a str,
    score: Cow<'static, str>,
    scores: Vec<(&'static str, Value)>,
    short: Cow<'a, str>,
    full: Cow<'a, str>,
    help: Help,
    link: &'a str,
    message: String,
    /// Where it is.
    path: String,
    lines: Vec<(i64, i64)>,
    place: String,
}

impl<'a> Found<'a> {
    pub(super) fn rule(&self) -> Rule<'a> {
        let mut properties: BTreeMap<&'static str, Value> = self.scores.iter().cloned().collect();
        properties.insert("tags", json!([self.tag, "security", self.severity]));
        properties.insert("precision", json!("very-high"));
        properties.insert("security-severity", json!(self.score));
        Rule {
            id: self.id.clone(),
            name: self.rule_name,
            short_description: Message::from(self.short.clone()),
            full_description: Message::from(self.full.clone()),
            default_configuration: Configuration {
                level: sarif_level(self.severity),
            },
            help_uri: uri::of_link(self.link),
            help: Help {
                text: self.help.text.clone(),
                markdown: self.help.markdown.clone(),
            },
            properties,
        }
    }

    pub(super) fn result(self, rule_index: usize) -> Finding<'a> {
        let lines = if self.lines.is_empty() {
            vec![(1, 1)]
        } else {
            self.lines
        };
        let locations = lines
            .into_iter()
            .map(|(start, end)| Location {
                physical_location: PhysicalLocation {
                    artifact_location: ArtifactLocation::below_root(uri::of_path(&self.path)),
                    region: Region::of_lines(start, end),
                },
                message: Message::from(self.place.clone()),
            })
            .collect();
        Finding {
            rule_id: self.id,
            rule_index,
            level: sarif_level(self.severity),
            message: Message::from(self.message),
            locations,
        }
    }
}

/// The findings of a result, in its order.
pub(super) fn all(result: &ScanResult) -> impl Iterator<Item = Found<'_>> {
    let target = uri::path_of_target(&result.target, &result.class);
    let lines = LinesOfPackages::of(result);
    let vulnerabilities: Vec<Found<'_>> = result
        .vulnerabilities
        .iter()
        .map(|found| vulnerability(result, &target, &lines, found))
        .collect();
    let secrets_target = target.clone();
    vulnerabilities
        .into_iter()
        .chain(
            result
                .misconfigurations
                .iter()
                .map(|found| misconfiguration(result, found)),
        )
        .chain(
            result
                .secrets
                .iter()
                .map(move |found| secret(result, &secrets_target, found)),
        )
        .chain(
            result
                .licenses
                .iter()
                .map(move |found| license(result, &target, found)),
        )
}

/// The lines of a lock file that name a package, by name and version.
struct LinesOfPackages<'a>(std::collections::HashMap<(&'a str, &'a str), Vec<(i64, i64)>>);

impl<'a> LinesOfPackages<'a> {
    fn of(result: &'a ScanResult) -> Self {
        let mut lines = std::collections::HashMap::new();
        for package in &result.packages {
            lines
                .entry((package.name.as_str(), package.version.as_str()))
                .or_insert_with(|| {
                    package
                        .locations
                        .iter()
                        .map(|location| (location.start_line, location.end_line))
                        .collect()
                });
        }
        Self(lines)
    }

    fn with(&self, name: &str, version: &str) -> Vec<(i64, i64)> {
        self.0.get(&(name, version)).cloned().unwrap_or_default()
    }
}

fn vulnerability<'a>(
    result: &'a ScanResult,
    target: &str,
    lines: &LinesOfPackages<'_>,
    found: &'a DetectedVulnerability,
) -> Found<'a> {
    let details = &found.details;
    let (id, severity, url) = (&found.vulnerability_id, &details.severity, &found.primary_url);
    let (package, version) = (&found.package_name, &found.installed_version);
    let (fixed, description) = (&found.fixed_version, &details.description);
    let path = match found.package_path.as_str() {
        "" => target.to_owned(),
        path => uri::path_of_target(path, &result.class),
    };
    let (scores, score) = scores(found);
    Found {
        id: Cow::Borrowed(id),
        tag: "vulnerability",
        rule_name: rule_name(&result.class),
        severity,
        score,
        scores,
        short: Cow::Borrowed(&details.title),
        full: Cow::Borrowed(if description.is_empty() {
            &details.title
        } else {
            description
        }),
        help: Help {
            text: format!(
                "Vulnerability {id}\nSeverity: {severity}\nPackage: {package}\nFixed Version: {fixed}\nLink: [{id}]({url})\n{description}"
            ),
            markdown: format!(
                "**Vulnerability {id}**\n| Severity | Package | Fixed Version | Link |\n| --- | --- | --- | --- |\n\
                 |{severity}|{package}|{fixed}|[{id}]({url})|\n\n{description}"
            ),
        },
        link: url,
        message: format!(
            "Package: {package}\nInstalled Version: {version}\nVulnerability {id}\nSeverity: {severity}\nFixed Version: {fixed}\n\
             Link: [{id}]({url})"
        ),
        lines: lines.with(package, version),
        place: format!("{path}: {package}@{version}"),
        path,
    }
}

/// The scores of the source that says how severe it is, as properties, and the score that counts.
fn scores(found: &DetectedVulnerability) -> (Vec<(&'static str, Value)>, Cow<'static, str>) {
    let plain = Cow::Borrowed(score(&found.details.severity));
    let Some(cvss) = found.details.cvss.get(&found.severity_source) else {
        return (Vec::new(), plain);
    };
    let vectors = [
        ("cvssv2_vector", &cvss.v2_vector),
        ("cvssv3_vector", &cvss.v3_vector),
        ("cvssv40_vector", &cvss.v40_vector),
    ];
    let numbers = [
        ("cvssv2_score", cvss.v2_score),
        ("cvssv3_baseScore", cvss.v3_score),
        ("cvssv40_baseScore", cvss.v40_score),
    ];
    let vectors = vectors
        .into_iter()
        .filter(|(_, vector)| !vector.is_empty())
        .map(|(key, vector)| (key, json!(vector)));
    let numbers = numbers
        .into_iter()
        .filter(|(_, number)| *number != 0.0)
        .filter_map(|(key, number)| Number::from_f64(number).map(|number| (key, Value::Number(number))));
    let score = if cvss.v3_score == 0.0 {
        plain
    } else {
        Cow::Owned(format!("{:.1}", cvss.v3_score))
    };
    (vectors.chain(numbers).collect(), score)
}

fn misconfiguration<'a>(result: &'a ScanResult, found: &'a DetectedMisconfiguration) -> Found<'a> {
    let path = uri::plain_source(&result.target);
    let (id, severity, url, message) = (&found.id, &found.severity, &found.primary_url, &found.message);
    let (kind, title, description) = (&found.kind, &found.title, &found.description);
    let of = &result.kind;
    Found {
        id: Cow::Borrowed(id),
        tag: "misconfiguration",
        rule_name: rule_name(&result.class),
        severity,
        score: Cow::Borrowed(score(severity)),
        scores: Vec::new(),
        short: Cow::Borrowed(title),
        full: Cow::Borrowed(description),
        help: Help {
            text: format!(
                "Misconfiguration {id}\nType: {kind}\nSeverity: {severity}\nCheck: {title}\nMessage: {message}\nLink: [{id}]({url})\n\
                 {description}"
            ),
            markdown: format!(
                "**Misconfiguration {id}**\n| Type | Severity | Check | Message | Link |\n| --- | --- | --- | --- | --- |\n\
                 |{kind}|{severity}|{title}|{message}|[{id}]({url})|\n\n{description}"
            ),
        },
        link: url,
        message: format!(
            "Artifact: {path}\nType: {of}\nVulnerability {id}\nSeverity: {severity}\nMessage: {message}\nLink: [{id}]({url})"
        ),
        lines: vec![(found.cause.start_line, found.cause.end_line)],
        place: path.clone(),
        path,
    }
}

fn secret<'a>(result: &'a ScanResult, target: &str, found: &'a DetectedSecret) -> Found<'a> {
    let (title, severity, matched) = (&found.title, &found.severity, &found.matched);
    Found {
        id: Cow::Borrowed(&found.rule_id),
        tag: "secret",
        rule_name: rule_name(&result.class),
        severity,
        score: Cow::Borrowed(score(severity)),
        scores: Vec::new(),
        short: Cow::Borrowed(title),
        full: Cow::Borrowed(matched),
        help: Help {
            text: format!("Secret {title}\nSeverity: {severity}\nMatch: {matched}"),
            markdown: format!(
                "**Secret {title}**\n| Severity | Match |\n| --- | --- |\n|{severity}|{matched}|"
            ),
        },
        link: "",
        message: format!(
            "Artifact: {}\nType: {}\nSecret {title}\nSeverity: {severity}\nMatch: {matched}",
            result.target, result.kind
        ),
        path: target.to_owned(),
        lines: vec![(found.start_line, found.end_line)],
        place: target.to_owned(),
    }
}

fn license<'a>(result: &'a ScanResult, target: &str, found: &'a DetectedLicense) -> Found<'a> {
    let (name, package, category, path) = (
        &found.name,
        &found.package_name,
        &found.category,
        &found.file_path,
    );
    let description = format!("{name} in {package}");
    Found {
        id: Cow::Owned(format!("{package}:{name}")),
        tag: "license",
        rule_name: rule_name(&result.class),
        severity: &found.severity,
        score: Cow::Borrowed(score(&found.severity)),
        scores: Vec::new(),
        short: Cow::Owned(description.clone()),
        full: Cow::Owned(description),
        help: Help {
            text: format!("License {name}\nClassification: {category}\nPkgName: {package}\nPath: {path}"),
            markdown: format!(
                "**License {name}**\n| PkgName | Classification | Path |\n| --- | --- | --- |\n|{package}|{category}|{path}|"
            ),
        },
        link: &found.link,
        message: format!(
            "Artifact: {}\nLicense {name}\nPkgName: {package}\n Classification: {category}\n Path: {path}",
            result.target
        ),
        path: target.to_owned(),
        lines: Vec::new(),
        place: String::new(),
    }
}
