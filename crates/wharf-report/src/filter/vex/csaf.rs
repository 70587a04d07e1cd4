//! CSAF documents of the VEX profile.

use std::collections::{HashMap, HashSet};

use super::{Field, Verdict, VexError};
use crate::purl::Purl;
use crate::sbom::Component;

/// The statements of a document.
#[derive(Debug, Clone)]
pub(super) struct Csaf {
    vulnerabilities: HashMap<String, Statement>,
    /// The package URLs of the products.
    purls: HashMap<String, Vec<Purl>>,
    /// For products that are parts of others, these and the parts.
    relationships: HashMap<String, Vec<(String, String)>>,
}

#[derive(Debug, Clone)]
struct Statement {
    not_affected: HashSet<String>,
    fixed: HashSet<String>,
    impact: String,
}

/// The depth to which branches of products may be nested.
const MAX_DEPTH: usize = 64;

impl Csaf {
    pub(super) fn read(root: &Field<'_>) -> Result<Self, VexError> {
        let tree = root.get("product_tree");
        let mut purls = HashMap::new();
        read_products(&tree, &mut purls, 0)?;
        let mut relationships: HashMap<String, Vec<(String, String)>> = HashMap::new();
        for relationship in tree.get("relationships").items()? {
            let whole = relationship.get("full_product_name");
            read_product(&whole, &mut purls)?;
            let category = relationship.get("category").text()?;
            if matches!(
                category,
                "default_component_of" | "installed_on" | "installed_with"
            ) {
                let ends = (
                    relationship
                        .get("relates_to_product_reference")
                        .text()?
                        .to_owned(),
                    relationship.get("product_reference").text()?.to_owned(),
                );
                let id = whole.get("product_id").text()?.to_owned();
                relationships.entry(id).or_default().push(ends);
            }
        }
        let mut vulnerabilities = HashMap::new();
        for vulnerability in root.get("vulnerabilities").items()? {
            let status = vulnerability.get("product_status");
            let statement = Statement {
                not_affected: status.get("known_not_affected").texts()?.into_iter().collect(),
                fixed: status.get("fixed").texts()?.into_iter().collect(),
                impact: impact(&vulnerability)?,
            };
            let id = vulnerability.get("cve").text()?.to_owned();
            vulnerabilities.entry(id).or_insert(statement);
        }
        Ok(Self {
            vulnerabilities,
            purls,
            relationships,
        })
    }

    pub(super) fn verdict(
        &self,
        vulnerability: &str,
        product: &Component,
        part: Option<&Component>,
    ) -> Option<Verdict> {
        let statement = self.vulnerabilities.get(vulnerability)?;
        let product = product.purl.as_ref()?;
        let part = part.and_then(|part| part.purl.as_ref());
        let lists = [
            ("not_affected", &statement.not_affected),
            ("fixed", &statement.fixed),
        ];
        let (status, _) = lists
            .into_iter()
            .find(|(_, ids)| ids.iter().any(|id| self.is_meant(id, product, part)))?;
        Some(Verdict {
            status,
            statement: statement.impact.clone(),
        })
    }

    fn is_meant(&self, id: &str, product: &Purl, part: Option<&Purl>) -> bool {
        let covers = |id: &str, purl: &Purl| {
            let purls = self.purls.get(id).into_iter().flatten();
            purls.into_iter().any(|known| known.covers(purl))
        };
        covers(id, product)
            || self
                .relationships
                .get(id)
                .into_iter()
                .flatten()
                .any(|(whole, piece)| covers(whole, product) && part.is_some_and(|part| covers(piece, part)))
    }
}

fn read_products(
    field: &Field<'_>,
    purls: &mut HashMap<String, Vec<Purl>>,
    depth: usize,
) -> Result<(), VexError> {
    if depth > MAX_DEPTH {
        return Err(field.error("it is nested more than 64 deep"));
    }
    for product in field.get("full_product_names").items()? {
        read_product(&product, purls)?;
    }
    for branch in field.get("branches").items()? {
        read_product(&branch.get("product"), purls)?;
        read_products(&branch, purls, depth + 1)?;
    }
    Ok(())
}

fn read_product(field: &Field<'_>, purls: &mut HashMap<String, Vec<Purl>>) -> Result<(), VexError> {
    let id = field.get("product_id").text()?;
    let helper = field.get("product_identification_helper");
    let mut texts: Vec<&str> = vec![helper.get("purl").text()?];
    for purl in helper.get("purls").items()? {
        texts.push(purl.required_text()?);
    }
    // A product with another text than a package URL is one that is not found.
    let known = texts.into_iter().filter_map(|text| Purl::parse(text).ok());
    purls.entry(id.to_owned()).or_default().extend(known);
    Ok(())
}

/// What a vulnerability does, as the document says.
fn impact(vulnerability: &Field<'_>) -> Result<String, VexError> {
    for threat in vulnerability.get("threats").items()? {
        if threat.get("category").text()? == "impact" {
            return threat.get("details").text().map(str::to_owned);
        }
    }
    Ok(String::new())
}
