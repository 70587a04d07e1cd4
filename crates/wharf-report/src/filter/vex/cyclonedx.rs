//! CycloneDX documents whose vulnerabilities have an analysis.

use std::collections::HashMap;

use super::{BomLink, Field, Verdict, VexError};
use crate::sbom::Component;

/// The analyses of a document.
#[derive(Debug, Clone)]
pub(super) struct CycloneDx {
    statements: HashMap<String, Statement>,
}

#[derive(Debug, Clone)]
struct Statement {
    affects: Vec<String>,
    verdict: Option<Verdict>,
}

impl CycloneDx {
    pub(super) fn read(root: &Field<'_>) -> Result<Self, VexError> {
        let mut statements = HashMap::new();
        for vulnerability in root.get("vulnerabilities").items()? {
            let analysis = vulnerability.get("analysis");
            let status = match analysis.get("state").text()? {
                "resolved" | "resolved_with_pedigree" => Some("fixed"),
                "false_positive" | "not_affected" => Some("not_affected"),
                _ => None,
            };
            let justification = analysis.get("justification").text()?.to_owned();
            let affects: Result<Vec<String>, VexError> = vulnerability
                .get("affects")
                .items()?
                .iter()
                .map(|affects| affects.get("ref").text().map(str::to_owned))
                .collect();
            let statement = Statement {
                affects: affects?,
                verdict: status.map(|status| Verdict {
                    status,
                    statement: justification,
                }),
            };
            statements.insert(vulnerability.get("id").text()?.to_owned(), statement);
        }
        Ok(Self { statements })
    }

    pub(super) fn verdict(&self, vulnerability: &str, bom: &BomLink, product: &Component) -> Option<Verdict> {
        let statement = self.statements.get(vulnerability)?;
        let verdict = statement.verdict.as_ref()?;
        let is_meant = statement.affects.iter().any(|link| {
            link_target(link, bom).is_some_and(|reference| {
                let purl = product.purl.as_ref().map(ToString::to_string);
                reference == product.bom_ref || Some(reference) == purl
            })
        });
        is_meant.then(|| verdict.clone())
    }
}

/// The reference in a link such as `urn:cdx:SERIAL/VERSION#REF`, where it is one into this document.
fn link_target(link: &str, bom: &BomLink) -> Option<String> {
    let (document, reference) = link.strip_prefix("urn:cdx:")?.split_once('#')?;
    let (serial, version) = document.split_once('/')?;
    let own = bom
        .serial_number
        .strip_prefix("urn:uuid:")
        .unwrap_or(&bom.serial_number);
    (serial.eq_ignore_ascii_case(own) && version.parse() == Ok(bom.version))
        .then(|| percent_decoded(reference))
}

/// Package URLs stand percent-encoded in links.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, value) {
            (b'%', Some(value)) => {
                bytes.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
