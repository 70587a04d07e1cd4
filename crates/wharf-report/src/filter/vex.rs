//! VEX documents: statements on which vulnerabilities can be exploited in which products, and which cannot.

mod csaf;
mod cyclonedx;
mod openvex;

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::BomLink;
use crate::sbom::{Component, Graph};
use crate::{DetectedVulnerability, Finding, ModifiedFinding, Report};

use self::csaf::Csaf;
use self::cyclonedx::CycloneDx;
use self::openvex::OpenVex;

/// A VEX document: OpenVEX, CSAF, or CycloneDX.
#[derive(Debug, Clone)]
pub struct VexDocument {
    /// Its name, as it stands in suppressed findings.
    source: String,
    statements: Statements,
}

#[derive(Debug, Clone)]
enum Statements {
    OpenVex(OpenVex),
    Csaf(Csaf),
    CycloneDx(CycloneDx),
}

/// Why a text is no VEX document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VexError {
    /// It is larger than 64 MiB.
    #[error("it is larger than 64 MiB")]
    TooLarge,
    /// It is no JSON.
    #[error("it is no JSON: {reason}")]
    NotJson {
        /// What is wrong and where.
        reason: String,
    },
    /// It is JSON of another kind.
    #[error(
        "it is none of OpenVEX (with `@context`), CSAF (with `document` and `vulnerabilities`) and CycloneDX (with `bomFormat`)"
    )]
    UnknownKind,
    /// A field is wrong.
    #[error("{field}: {reason}")]
    Field {
        /// Where, such as `statements[2].status`.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The longest document that is read, in bytes.
const MAX_BYTES: usize = 64 << 20;

impl VexDocument {
    /// Reads one. `source` is its name, as it is to stand in suppressed findings.
    ///
    /// # Errors
    /// Where it is none, and which of its fields is wrong.
    pub fn parse(source: &str, bytes: &[u8]) -> Result<Self, VexError> {
        if bytes.len() > MAX_BYTES {
            return Err(VexError::TooLarge);
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| VexError::NotJson {
            reason: error.to_string(),
        })?;
        let root = Field::root(&value);
        let statements = if value.get("bomFormat").and_then(Value::as_str) == Some("CycloneDX") {
            Statements::CycloneDx(CycloneDx::read(&root)?)
        } else if value.get("@context").is_some() {
            Statements::OpenVex(OpenVex::read(&root)?)
        } else if value.get("document").is_some() && value.get("vulnerabilities").is_some() {
            Statements::Csaf(Csaf::read(&root)?)
        } else {
            return Err(VexError::UnknownKind);
        };
        let source = match statements {
            Statements::CycloneDx(_) => "CycloneDX VEX",
            _ => source,
        };
        Ok(Self {
            source: source.to_owned(),
            statements,
        })
    }

    /// Whether it speaks only of the components of a CycloneDX document (see [`super::Filter::bom`]).
    pub fn needs_bom(&self) -> bool {
        matches!(self.statements, Statements::CycloneDx(_))
    }

    fn verdict(
        &self,
        vulnerability: &str,
        bom: Option<&BomLink>,
        product: &Component,
        part: Option<&Component>,
    ) -> Option<Verdict> {
        match &self.statements {
            Statements::OpenVex(document) => document.verdict(vulnerability, product, part),
            Statements::Csaf(document) => document.verdict(vulnerability, product, part),
            Statements::CycloneDx(document) => document.verdict(vulnerability, bom?, product),
        }
    }
}

/// Why a vulnerability cannot be exploited.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    /// `not_affected` or `fixed`.
    status: &'static str,
    statement: String,
}

/// Suppresses what the documents say cannot be exploited, in any way from the package up to the artifact.
pub(super) fn apply(documents: &[VexDocument], bom: Option<&BomLink>, report: &mut Report) {
    if documents.is_empty()
        || report
            .results
            .iter()
            .all(|result| result.vulnerabilities.is_empty())
    {
        return;
    }
    let graph = Graph::of(report);
    let parents = graph.parents();
    let places: HashMap<&str, usize> = graph
        .components
        .iter()
        .enumerate()
        .map(|(place, component)| (component.uid.as_str(), place))
        .filter(|(uid, _)| !uid.is_empty())
        .collect();
    for result in &mut report.results {
        let vulnerabilities = std::mem::take(&mut result.vulnerabilities);
        for vulnerability in vulnerabilities {
            let place = places.get(vulnerability.package_identifier.uid.as_str());
            let suppressed = place.and_then(|place| {
                let question = Question {
                    documents,
                    bom,
                    graph: &graph,
                    parents: &parents,
                    vulnerability: &vulnerability,
                };
                question.suppressed(*place)
            });
            match suppressed {
                Some((source, verdict)) => result.modified_findings.push(ModifiedFinding {
                    status: verdict.status.to_owned(),
                    statement: verdict.statement,
                    source,
                    finding: Finding::Vulnerability(Box::new(vulnerability)),
                }),
                None => result.vulnerabilities.push(vulnerability),
            }
        }
    }
}

/// Whether one vulnerability of one package can be exploited.
struct Question<'q> {
    documents: &'q [VexDocument],
    bom: Option<&'q BomLink>,
    graph: &'q Graph,
    parents: &'q [Vec<usize>],
    vulnerability: &'q DetectedVulnerability,
}

impl Question<'_> {
    fn verdict(&self, product: usize, part: Option<usize>) -> Option<(String, Verdict)> {
        let product = self.graph.components.get(product)?;
        let part = part.and_then(|part| self.graph.components.get(part));
        self.documents.iter().find_map(|document| {
            let id = &self.vulnerability.vulnerability_id;
            let verdict = document.verdict(id, self.bom, product, part)?;
            Some((document.source.clone(), verdict))
        })
    }

    /// Goes up from the package, not through what is not affected. It can be exploited if that leads to the artifact, or to
    /// something that nothing stands above, which hostile documents have; the verdict is the last one that was met.
    fn suppressed(&self, leaf: usize) -> Option<(String, Verdict)> {
        if let Some(verdict) = self.verdict(leaf, None) {
            return Some(verdict);
        }
        let mut waiting = vec![leaf];
        let mut seen = HashSet::new();
        let mut last = None;
        let mut open = Vec::new();
        let mut met = Vec::new();
        while let Some(place) = waiting.pop() {
            if !seen.insert(place) {
                continue;
            }
            if let Some(verdict) = self.verdict(place, Some(leaf)) {
                last = Some(verdict);
                met.push(place);
                continue;
            }
            open.push(place);
            let parents = self.parents.get(place)?;
            if self.graph.root == Some(place) || parents.is_empty() {
                return None;
            }
            waiting.extend(parents.iter().rev());
        }
        // What stands only below itself leads nowhere, so that nothing is known of it.
        if self.all_lead_to(&open, &met) { last } else { None }
    }

    /// Whether each of the open ones has one of those that were met somewhere above it.
    fn all_lead_to(&self, open: &[usize], met: &[usize]) -> bool {
        let mut leads: HashSet<usize> = met.iter().copied().collect();
        let mut waiting: Vec<usize> = met.to_vec();
        let mut below: HashMap<usize, Vec<usize>> = HashMap::new();
        for place in open {
            for parent in self.parents.get(*place).into_iter().flatten() {
                below.entry(*parent).or_default().push(*place);
            }
        }
        while let Some(place) = waiting.pop() {
            for child in below.get(&place).into_iter().flatten() {
                if leads.insert(*child) {
                    waiting.push(*child);
                }
            }
        }
        open.iter().all(|place| leads.contains(place))
    }
}

/// A value of a document with its place.
struct Field<'v> {
    path: String,
    value: Option<&'v Value>,
}

impl<'v> Field<'v> {
    fn root(value: &'v Value) -> Self {
        Self {
            path: String::new(),
            value: Some(value),
        }
    }

    fn get(&self, key: &str) -> Self {
        let path = match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        let value = self.value.and_then(|value| value.get(key));
        Self {
            path,
            value: value.filter(|value| !value.is_null()),
        }
    }

    fn error(&self, reason: impl Into<String>) -> VexError {
        VexError::Field {
            field: self.path.clone(),
            reason: reason.into(),
        }
    }

    fn wrong(&self, wanted: &str) -> VexError {
        match self.value {
            None => self.error(format!("it is missing, and is to be {wanted}")),
            Some(_) => self.error(format!("it is to be {wanted}")),
        }
    }

    /// The text; empty where there is none.
    fn text(&self) -> Result<&'v str, VexError> {
        match self.value {
            None => Ok(""),
            Some(value) => value.as_str().ok_or_else(|| self.wrong("a text")),
        }
    }

    fn required_text(&self) -> Result<&'v str, VexError> {
        match self.value {
            None => Err(self.wrong("a text")),
            Some(_) => self.text(),
        }
    }

    /// The items; none where there is no list.
    fn items(&self) -> Result<Vec<Self>, VexError> {
        let Some(value) = self.value else {
            return Ok(Vec::new());
        };
        let values = value.as_array().ok_or_else(|| self.wrong("a list"))?;
        let item = |(index, value)| Self {
            path: format!("{}[{index}]", self.path),
            value: Some(value),
        };
        Ok(values.iter().enumerate().map(item).collect())
    }

    fn texts(&self) -> Result<Vec<String>, VexError> {
        self.items()?
            .iter()
            .map(|item| item.required_text().map(str::to_owned))
            .collect()
    }

    /// The values of an object; none where there is none.
    fn values(&self) -> Result<Vec<(&'v str, Self)>, VexError> {
        let Some(value) = self.value else {
            return Ok(Vec::new());
        };
        let fields = value.as_object().ok_or_else(|| self.wrong("an object"))?;
        Ok(fields
            .iter()
            .map(|(key, _)| (key.as_str(), self.get(key)))
            .collect())
    }

    fn check_object(&self) -> Result<(), VexError> {
        match self.value {
            Some(Value::Object(_)) => Ok(()),
            _ => Err(self.wrong("an object")),
        }
    }
}
