//! OpenVEX documents.

use std::collections::HashMap;

use super::{Field, Verdict, VexError};
use crate::Timestamp;
use crate::moment::instant;
use crate::purl::Purl;
use crate::sbom::Component;

/// The statements of a document.
#[derive(Debug, Clone)]
pub(super) struct OpenVex {
    /// In the order of the document.
    statements: Vec<Statement>,
    /// The places of those on a vulnerability.
    by_name: HashMap<String, Vec<usize>>,
}

#[derive(Debug, Clone)]
struct Statement {
    /// The names of the vulnerability: its id, name and aliases.
    names: Vec<String>,
    /// The name by which statements are sorted.
    name: String,
    products: Vec<Product>,
    status: Status,
    justification: String,
    /// When it was made, in seconds and nanoseconds since 1970.
    made: (i64, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    NotAffected,
    Affected,
    Fixed,
    UnderInvestigation,
}

#[derive(Debug, Clone)]
struct Product {
    identity: Identity,
    parts: Vec<Identity>,
}

/// What identifies a product or a part of one.
#[derive(Debug, Clone)]
struct Identity {
    /// Names that are compared as they are.
    names: Vec<String>,
    /// Package URLs, which cover others.
    purls: Vec<Purl>,
}

impl OpenVex {
    pub(super) fn read(root: &Field<'_>) -> Result<Self, VexError> {
        let context = root.get("@context");
        if !context.required_text()?.contains("openvex") {
            return Err(context.error("it is not that of OpenVEX, such as `https://openvex.dev/ns/v0.2.0`"));
        }
        let made = read_moment(&root.get("timestamp"))?.unwrap_or((i64::MIN, 0));
        let statements = root.get("statements");
        if statements.value.is_none() {
            return Err(statements.wrong("a list"));
        }
        let statements: Result<Vec<Statement>, VexError> = statements
            .items()?
            .iter()
            .map(|statement| read_statement(statement, made))
            .collect();
        let statements = statements?;
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, statement) in statements.iter().enumerate() {
            for name in &statement.names {
                by_name.entry(name.clone()).or_default().push(place);
            }
        }
        Ok(Self { statements, by_name })
    }

    /// What the newest statement on a vulnerability in a product, or in a part of one, says.
    pub(super) fn verdict(
        &self,
        vulnerability: &str,
        product: &Component,
        part: Option<&Component>,
    ) -> Option<Verdict> {
        let product = product.purl.as_ref()?;
        let part = part.and_then(|part| part.purl.as_ref());
        let places = self.by_name.get(vulnerability)?;
        let meant = places
            .iter()
            .rev()
            .filter_map(|place| self.statements.get(*place))
            .filter(|statement| statement.is_for(product, part));
        let newest = meant.max_by(|first, second| {
            // Of statements that were made at the same moment the first of the document counts.
            (&first.name, first.made).cmp(&(&second.name, second.made))
        })?;
        let status = match newest.status {
            Status::NotAffected => "not_affected",
            Status::Fixed => "fixed",
            Status::Affected | Status::UnderInvestigation => return None,
        };
        Some(Verdict {
            status,
            statement: newest.justification.clone(),
        })
    }
}

impl Statement {
    fn is_for(&self, product: &Purl, part: Option<&Purl>) -> bool {
        self.products.iter().any(|known| {
            known.identity.is(product)
                && (known.parts.is_empty()
                    || part.is_none_or(|part| known.parts.iter().any(|known| known.is(part))))
        })
    }
}

impl Identity {
    fn is(&self, purl: &Purl) -> bool {
        self.purls.iter().any(|known| known.covers(purl)) || {
            let text = purl.to_string();
            self.names.contains(&text)
        }
    }

    fn read(field: &Field<'_>) -> Result<Self, VexError> {
        let mut names = Vec::new();
        let mut purls = Vec::new();
        let mut add = |name: &str| {
            if let Ok(purl) = Purl::parse(name) {
                purls.push(purl);
            }
            if !name.is_empty() {
                names.push(name.to_owned());
            }
        };
        field.check_object()?;
        add(field.get("@id").text()?);
        for (_, identifier) in field.get("identifiers").values()? {
            add(identifier.required_text()?);
        }
        for (_, hash) in field.get("hashes").values()? {
            names.push(hash.required_text()?.to_owned());
        }
        Ok(Self { names, purls })
    }
}

fn read_statement(field: &Field<'_>, made: (i64, u32)) -> Result<Statement, VexError> {
    field.check_object()?;
    let vulnerability = field.get("vulnerability");
    let mut names = Vec::new();
    vulnerability.check_object()?;
    let id = vulnerability.get("@id").text()?;
    names.extend((!id.is_empty()).then(|| id.to_owned()));
    names.extend(vulnerability.get("aliases").texts()?);
    let name = vulnerability.get("name").text()?;
    names.extend((!name.is_empty()).then(|| name.to_owned()));
    if names.is_empty() {
        return Err(vulnerability.get("name").wrong("a text"));
    }
    let products: Result<Vec<Product>, VexError> = field
        .get("products")
        .items()?
        .iter()
        .map(|product| {
            let parts: Result<Vec<Identity>, VexError> = product
                .get("subcomponents")
                .items()?
                .iter()
                .map(Identity::read)
                .collect();
            Ok(Product {
                identity: Identity::read(product)?,
                parts: parts?,
            })
        })
        .collect();
    Ok(Statement {
        names,
        name: name.to_owned(),
        products: products?,
        status: read_status(&field.get("status"))?,
        justification: field.get("justification").text()?.to_owned(),
        made: read_moment(&field.get("timestamp"))?.unwrap_or(made),
    })
}

fn read_status(field: &Field<'_>) -> Result<Status, VexError> {
    match field.required_text()? {
        "not_affected" => Ok(Status::NotAffected),
        "affected" => Ok(Status::Affected),
        "fixed" => Ok(Status::Fixed),
        "under_investigation" => Ok(Status::UnderInvestigation),
        other => Err(field.error(format!(
            "\"{}\" is none of `not_affected`, `affected`, `fixed` and `under_investigation`",
            other.chars().take(64).collect::<String>().escape_debug()
        ))),
    }
}

fn read_moment(field: &Field<'_>) -> Result<Option<(i64, u32)>, VexError> {
    match field.text()? {
        "" => Ok(None),
        text => Timestamp::parse(text)
            .map(|moment| Some(instant(&moment)))
            .map_err(|error| field.error(error.to_string())),
    }
}
