//! What the repository's fuzz targets reach, and nobody else: this is no part of the crate's interface, and may change at any time.
//!
//! Each does what the fetcher does with bytes that came from a registry, without the registry.

use wharf_plugin::{ByteSize, ContentDigest};

use crate::layout::{self, LayoutError};
use crate::registry::manifest::{self, DescriptorText};
use crate::registry::{Descriptor, IndexEntry, Manifest, ManifestKind, RegistryError};

/// A manifest as a registry gives it, of this media type. Nothing where that is the type of no manifest.
pub fn manifest_of_registry(media_type: &str, bytes: &[u8]) -> Option<Result<Manifest, RegistryError>> {
    let media_type = manifest::known_media_type(media_type)?;
    Some(manifest::parse(
        ContentDigest::sha256_of(bytes),
        media_type,
        bytes,
    ))
}

/// The same bytes as the store has them, of which nobody else says what they are.
///
/// # Errors
/// As when the store is read.
pub fn manifest_of_store(bytes: &[u8]) -> Result<Manifest, RegistryError> {
    manifest::parse_stored(ContentDigest::sha256_of(bytes), bytes)
}

/// Where a manifest leads: an index to a manifest, and that of an image to a layer.
///
/// # Errors
/// It leads to no plugin.
pub fn follow(manifest: &Manifest) -> Result<Descriptor, LayoutError> {
    match &manifest.kind {
        ManifestKind::Image(image) => Ok(layout::choose(image)?.layer),
        ManifestKind::Index { entries } => layout::choose_entry(entries).cloned(),
    }
}

/// The index that the store keeps of what refers to a manifest.
pub fn kept_index(entries: &[IndexEntry]) -> String {
    let texts = entries.iter().map(|entry| DescriptorText::of(&entry.descriptor));
    manifest::index_of(texts.collect())
}

/// The plugin in a layer of a container image.
///
/// # Errors
/// There is none, or the layer cannot be read.
pub fn plugin_in(layer: &[u8], most: ByteSize) -> Result<Vec<u8>, LayoutError> {
    crate::layer::plugin_in(layer, most)
}
