//! What `docker save` writes.

use std::sync::Arc;

use serde::Deserialize;

use super::archive::Archive;
use super::blobs::{Blobs, Place};
use super::config::Config;
use super::manifest::{listed, parse};
use super::{Image, ImageError, ImageNames, ImageOptions, Layer};
use crate::Digest;
use crate::path::beneath_root;

/// The document that such an archive starts with.
pub(super) const MANIFEST: &str = "manifest.json";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// Opens the image that the options choose.
pub(super) fn open(target: Arc<str>, archive: Archive, options: &ImageOptions) -> Result<Image, ImageError> {
    let limit = options.limits.most_document;
    let blobs = Blobs::Archive(archive);
    let manifest = blobs.document(&target, "manifest.json", MANIFEST, limit)?;
    let entries: Vec<Entry> = parse(&target, "manifest.json", &manifest)?;
    let entry = choose(&target, entries, options.reference.as_deref())?;
    let config_name = cleaned(&entry.config);
    let config = blobs.document(&target, "configuration", &config_name, limit)?;
    let id = Digest::sha256(&config);
    if let Some(expected) = digest_in_name(&config_name)
        && expected != id
    {
        let (target, document) = (target.to_string(), "configuration");
        return Err(ImageError::DocumentChanged {
            target,
            document,
            expected,
            found: id,
        });
    }
    let config = Config::parse(&target, &config, &options.limits)?;
    let names = entry.layers.unwrap_or_default();
    config.expect_layers(&target, names.len())?;
    let (mut layers, mut places) = (Vec::new(), Vec::new());
    for (name, (diff_id, created_by)) in names.iter().zip(config.layers()) {
        let name = cleaned(name);
        let section = match &blobs {
            Blobs::Archive(archive) => archive.section(&name),
            _ => None,
        };
        layers.push(Layer {
            digest: digest_in_name(&name),
            diff_id,
            size: section.as_ref().map(super::archive::Section::size),
            media_type: String::new(),
            created_by,
        });
        places.push(section.map_or(Place::Nowhere, Place::Section));
    }
    let names = ImageNames {
        tags: entry.repo_tags.unwrap_or_default(),
        digests: Vec::new(),
    };
    Ok(Image::whole(
        target,
        names,
        id,
        config.document,
        (layers, places),
        blobs,
        options,
    ))
}

fn choose(target: &str, mut entries: Vec<Entry>, reference: Option<&str>) -> Result<Entry, ImageError> {
    let tags = |entries: &[Entry]| {
        listed(
            entries
                .iter()
                .flat_map(|entry| entry.repo_tags.clone().unwrap_or_default()),
        )
    };
    let Some(reference) = reference else {
        if entries.len() > 1 {
            return Err(ImageError::Several {
                target: target.to_owned(),
                available: tags(&entries),
            });
        }
        return entries.pop().ok_or_else(|| ImageError::DocumentMissing {
            target: target.to_owned(),
            document: "image in manifest.json",
        });
    };
    let named = |entry: &Entry| entry.repo_tags.iter().flatten().any(|tag| tag == reference);
    match entries.iter().position(named) {
        Some(position) => Ok(entries.swap_remove(position)),
        None => Err(ImageError::NoMatch {
            target: target.to_owned(),
            wanted: crate::problem::Shown(reference).to_string(),
            available: tags(&entries),
        }),
    }
}

/// A name in the archive; one that leaves the archive names nothing.
fn cleaned(name: &str) -> String {
    beneath_root(name.as_bytes()).unwrap_or_default()
}

/// The digest that the name of a blob or of a configuration is made of: `blobs/sha256/HEX`, `HEX.json`.
fn digest_in_name(name: &str) -> Option<Digest> {
    if let Some(hex) = name.strip_prefix("blobs/sha256/") {
        return Digest::from_hex(hex);
    }
    Digest::from_hex(name.strip_suffix(".json")?)
}
