//! Reports as CycloneDX documents.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Number, Value, json};

use super::SbomContext;
use super::graph::{Component, ComponentKind, Graph};
use super::ids::{references, uuid};
use super::license::Expression;
use crate::moment::utc_seconds;
use crate::{Cvss, DetectedVulnerability, Report, Timestamp};

/// The version of CycloneDX that is written, which is the one that Trivy 0.76.0 writes.
const SPEC_VERSION: &str = "1.7";

/// The report as a CycloneDX document in JSON, with the line end at its end.
///
/// Components are the artifact (`metadata.component`), its operating system, its lock files, and the packages; the
/// vulnerabilities are those that are left in the report. Other findings have no place in such a document.
pub fn to_cyclonedx(report: &Report, context: &SbomContext) -> Vec<u8> {
    let graph = Graph::of(report);
    let references = references(&graph);
    let mut document = Object::default();
    document.add(
        "$schema",
        format!("http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json"),
    );
    document.add("bomFormat", "CycloneDX");
    document.add("specVersion", SPEC_VERSION);
    document.add("serialNumber", "");
    document.add("version", 1);
    document.add("metadata", metadata(&graph, &references, context));
    document.add("components", components(&graph, &references));
    document.add("dependencies", dependencies(&graph, &references));
    document.add("vulnerabilities", vulnerabilities(&graph, &references));
    let content = serde_json::to_vec(&document.0).unwrap_or_default();
    document.add("serialNumber", format!("urn:uuid:{}", uuid(&[&content])));
    let mut bytes = serde_json::to_vec_pretty(&document.0).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// An object whose keys stay in their order.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn add(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    /// Adds a text that is not empty.
    fn add_text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.add(key, value);
        }
    }

    fn add_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

fn metadata(graph: &Graph, references: &[String], context: &SbomContext) -> Object {
    let mut metadata = Object::default();
    let created = context.created.as_ref();
    metadata.add_some(
        "timestamp",
        created.map(|created| format!("{}+00:00", utc_seconds(created))),
    );
    metadata.add(
        "tools",
        json!({"components": [{
            "type": "application",
            "manufacturer": {"name": "Aqua Security Software Ltd."},
            "group": "aquasecurity",
            "name": "trivy",
            "version": context.tool_version,
        }]}),
    );
    let root = graph
        .root
        .and_then(|root| Some((graph.components.get(root)?, references.get(root)?)));
    metadata.add_some(
        "component",
        root.map(|(root, reference)| component(root, reference)),
    );
    metadata
}

fn components(graph: &Graph, references: &[String]) -> Value {
    let mut all: Vec<(&String, Value)> = graph
        .components
        .iter()
        .zip(references)
        .enumerate()
        .filter(|(place, _)| Some(*place) != graph.root)
        .map(|(_, (each, reference))| (reference, component(each, reference).into()))
        .collect();
    all.sort_by_key(|(reference, _)| *reference);
    all.into_iter().map(|(_, component)| component).collect()
}

fn component(component: &Component, reference: &str) -> Object {
    let mut object = Object::default();
    object.add("bom-ref", reference);
    object.add("type", kind(component.kind));
    if !component.supplier.is_empty() {
        object.add("supplier", json!({"name": component.supplier}));
    }
    object.add_text("group", &component.group);
    object.add("name", component.name.as_str());
    object.add_text("version", &component.version);
    object.add_some("hashes", hashes(&component.digests));
    object.add_some("licenses", licenses(&component.licenses));
    object.add_some("purl", component.purl.as_ref().map(ToString::to_string));
    let mut properties: Vec<&(String, String)> = component.properties.iter().collect();
    properties.sort();
    let properties: Value = properties
        .into_iter()
        .map(|(name, value)| json!({"name": format!("aquasecurity:trivy:{name}"), "value": value}))
        .collect();
    object.add("properties", properties);
    object
}

fn kind(kind: ComponentKind) -> &'static str {
    match kind {
        ComponentKind::ContainerImage | ComponentKind::VirtualMachine => "container",
        ComponentKind::Application | ComponentKind::Filesystem | ComponentKind::Repository => "application",
        ComponentKind::Library => "library",
        ComponentKind::OperatingSystem => "operating-system",
        ComponentKind::Platform => "platform",
    }
}

fn hashes(digests: &[String]) -> Option<Value> {
    if digests.is_empty() {
        return None;
    }
    let hashes: Vec<Value> = digests
        .iter()
        .filter_map(|digest| {
            let (algorithm, value) = digest.split_once(':')?;
            let algorithm = match algorithm {
                "sha1" => "SHA-1",
                "sha256" => "SHA-256",
                "sha512" => "SHA-512",
                "md5" => "MD5",
                _ => return None,
            };
            Some(json!({"alg": algorithm, "content": value}))
        })
        .collect();
    (!hashes.is_empty()).then(|| hashes.into())
}

/// What stands before the text of a license where a package gives that in place of a name.
pub(super) const LICENSE_TEXT: &str = "text://";

fn licenses(licenses: &[String]) -> Option<Value> {
    let expressions: Vec<Expression> = licenses
        .iter()
        .filter(|license| !license.is_empty())
        .map(|license| {
            if let Some(text) = license.strip_prefix(LICENSE_TEXT) {
                return Expression::license(text);
            }
            let text = license.replace("-with-", " WITH ").replace("-WITH-", " WITH ");
            Expression::parse(&text).map_or_else(|| Expression::license(text), Expression::normalised)
        })
        .collect();
    if expressions.is_empty() {
        return None;
    }
    let compound = |expression: &Expression| matches!(expression, Expression::Both(..));
    if expressions.iter().any(compound) && expressions.iter().all(Expression::is_listed) {
        let texts: Vec<String> = expressions.iter().map(ToString::to_string).collect();
        return Some(json!([{"expression": texts.join(" AND ")}]));
    }
    let choice = |expression: &Expression| {
        let key = if !compound(expression) && expression.is_listed() {
            "id"
        } else {
            "name"
        };
        json!({"license": {key: expression.to_string()}})
    };
    Some(expressions.iter().map(choice).collect())
}

fn dependencies(graph: &Graph, references: &[String]) -> Value {
    let mut all: Vec<(&String, Vec<&String>)> = graph
        .below
        .iter()
        .zip(references)
        .filter_map(|(below, reference)| {
            let mut below: Vec<&String> = below
                .as_ref()?
                .iter()
                .filter_map(|(_, child)| references.get(*child))
                .collect();
            below.sort();
            Some((reference, below))
        })
        .collect();
    all.sort();
    all.into_iter()
        .map(|(reference, below)| json!({"ref": reference, "dependsOn": below}))
        .collect()
}

/// A vulnerability with all that it affects.
struct Affecting<'g> {
    vulnerability: &'g DetectedVulnerability,
    affects: Vec<(&'g str, &'g str)>,
    recommendations: Vec<String>,
}

fn vulnerabilities(graph: &Graph, references: &[String]) -> Value {
    let mut all: BTreeMap<&str, Affecting<'_>> = BTreeMap::new();
    for (found, reference) in graph.vulnerabilities.iter().zip(references) {
        for vulnerability in found {
            let affecting = all
                .entry(&vulnerability.vulnerability_id)
                .or_insert_with(|| Affecting {
                    vulnerability,
                    affects: Vec::new(),
                    recommendations: Vec::new(),
                });
            affecting
                .affects
                .push((reference, &vulnerability.installed_version));
            if !vulnerability.fixed_version.is_empty() {
                affecting.recommendations.push(format!(
                    "Upgrade {} to version {}",
                    vulnerability.package_name, vulnerability.fixed_version
                ));
            }
        }
    }
    all.into_values().map(vulnerability).collect()
}

fn vulnerability(mut affecting: Affecting<'_>) -> Object {
    let vulnerability = affecting.vulnerability;
    let details = &vulnerability.details;
    let mut object = Object::default();
    object.add("id", vulnerability.vulnerability_id.as_str());
    if let Some(source) = &vulnerability.data_source {
        let mut object_of_source = Object::default();
        object_of_source.add_text("name", &source.id);
        object_of_source.add_text("url", &source.url);
        object.add("source", object_of_source);
    }
    object.add("ratings", ratings(vulnerability));
    let cwes: Vec<i64> = details.cwe_ids.iter().filter_map(|id| cwe(id)).collect();
    if !cwes.is_empty() {
        object.add("cwes", cwes);
    }
    object.add_text("description", &details.description);
    affecting.recommendations.sort();
    affecting.recommendations.dedup();
    object.add_text("recommendation", &affecting.recommendations.join("; "));
    object.add_some("advisories", advisories(vulnerability));
    object.add_some("published", details.published.as_ref().map(local_seconds));
    object.add_some("updated", details.last_modified.as_ref().map(local_seconds));
    affecting.affects.sort_by_key(|(reference, _)| *reference);
    let affects: Value = affecting
        .affects
        .iter()
        .map(|(reference, version)| {
            let mut range = Object::default();
            range.add_text("version", version);
            range.add("status", "affected");
            json!({"ref": reference, "versions": [Value::from(range)]})
        })
        .collect();
    object.add("affects", affects);
    object
}

fn cwe(id: &str) -> Option<i64> {
    let id = id.to_lowercase();
    id.strip_prefix("cwe-").unwrap_or(&id).parse().ok()
}

/// The moment as it is written, as if it were in UTC, which is what Trivy makes of it.
fn local_seconds(moment: &Timestamp) -> String {
    let seconds: String = moment.as_str().chars().take(19).collect();
    format!("{seconds}+00:00")
}

fn advisories(vulnerability: &DetectedVulnerability) -> Option<Value> {
    let mut seen = HashSet::new();
    let mut advisories = Vec::new();
    let links = std::iter::once(&vulnerability.primary_url).chain(&vulnerability.details.references);
    for link in links {
        if !seen.insert(link) {
            continue;
        }
        if let Some(url) = link.split(' ').find(|word| is_url(word)) {
            advisories.push(json!({"url": url}));
        }
    }
    (!advisories.is_empty()).then(|| advisories.into())
}

/// Whether a text has a scheme and a host.
fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
            && !rest.is_empty()
            && !rest.starts_with(['/', '?', '#'])
            && !rest.contains(char::is_control)
    })
}

/// The ratings, by source, then by method.
fn ratings(vulnerability: &DetectedVulnerability) -> Value {
    let mut ratings: Vec<(&str, &str, Value)> = Vec::new();
    for (source, severity) in &vulnerability.details.vendor_severity {
        let severity = severity_name(*severity);
        let Some(cvss) = vulnerability.details.cvss.get(source) else {
            ratings.push((
                source,
                "",
                json!({"source": {"name": source}, "severity": severity}),
            ));
            continue;
        };
        ratings.extend(
            scores(source, severity, cvss)
                .into_iter()
                .map(|(method, rating)| (source.as_str(), method, rating)),
        );
    }
    ratings.sort_by(|(first_source, first, _), (second_source, second, _)| {
        (first_source, first).cmp(&(second_source, second))
    });
    ratings.into_iter().map(|(_, _, rating)| rating).collect()
}

fn scores(source: &str, severity: &str, cvss: &Cvss) -> Vec<(&'static str, Value)> {
    let v3 = if cvss.v3_vector.starts_with("CVSS:3.1") {
        "CVSSv31"
    } else {
        "CVSSv3"
    };
    let v2_severity = if source == "nvd" {
        nvd_severity(cvss.v2_score)
    } else {
        severity
    };
    [
        ("CVSSv2", v2_severity, cvss.v2_score, &cvss.v2_vector),
        (v3, severity, cvss.v3_score, &cvss.v3_vector),
        ("CVSSv4", severity, cvss.v40_score, &cvss.v40_vector),
    ]
    .into_iter()
    .filter(|(_, _, score, vector)| *score != 0.0 || !vector.is_empty())
    .map(|(method, severity, score, vector)| {
        let mut rating = Object::default();
        rating.add("source", json!({"name": source}));
        rating.add("score", number(score));
        rating.add("severity", severity);
        rating.add("method", method);
        rating.add_text("vector", vector);
        (method, rating.into())
    })
    .collect()
}

/// The number without a point where it is a whole one.
#[allow(
    clippy::cast_possible_truncation,
    reason = "it is a whole number of at most 15 digits"
)]
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return (value as i64).into();
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn severity_name(severity: i64) -> &'static str {
    match severity {
        1 => "low",
        2 => "medium",
        3 => "high",
        4 => "critical",
        _ => "unknown",
    }
}

/// What the score of version 2 means, as the severity of the source is that of version 3.
fn nvd_severity(score: f64) -> &'static str {
    if score < 4.0 {
        "info"
    } else if score < 7.0 {
        "medium"
    } else {
        "high"
    }
}
