//! Ids that are made of what they are for, so that the same content has the same ids in each run.

use sha2::{Digest, Sha256};

use super::graph::{Component, Graph};

/// A UUID of version 8 from a digest of the parts.
pub(super) fn uuid(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        // With lengths, no two lists of parts are the same bytes.
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut hex = String::new();
    for (index, byte) in digest.iter().take(16).enumerate() {
        let byte = match index {
            6 => byte & 0x0f | 0x80,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        if matches!(index, 4 | 6 | 8 | 10) {
            hex.push('-');
        }
        hex.push_str(&format!("{byte:02x}"));
    }
    hex
}

/// The references of the components of a CycloneDX document: those that they have, package URLs where no two have the
/// same, and UUIDs that are made of what the component is and of the artifact.
pub(super) fn references(graph: &Graph) -> Vec<String> {
    let mut seen = std::collections::HashMap::new();
    for purl in graph
        .components
        .iter()
        .filter_map(|component| component.purl.as_ref())
    {
        *seen.entry(purl.to_string()).or_insert(0_usize) += 1;
    }
    let artifact = graph.root.and_then(|root| graph.components.get(root));
    let artifact = artifact.map_or("", |artifact| artifact.name.as_str());
    let mut given = std::collections::HashMap::new();
    graph
        .components
        .iter()
        .map(|component| {
            if !component.bom_ref.is_empty() {
                return component.bom_ref.clone();
            }
            let purl = component.purl.as_ref().map(ToString::to_string);
            if let Some(purl) = purl.filter(|purl| seen.get(purl) == Some(&1)) {
                return purl;
            }
            let content = content(component);
            let number = given.entry(content.clone()).or_insert(0_u64);
            *number += 1;
            uuid(&[artifact.as_bytes(), content.as_bytes(), &number.to_be_bytes()])
        })
        .collect()
}

fn content(component: &Component) -> String {
    format!("{component:?}")
}
