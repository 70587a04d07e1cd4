//! Manifests and indexes of registries.

use std::error::Error;

use wharf_distribution::fuzzing::{follow, kept_index, manifest_of_registry, manifest_of_store};
use wharf_distribution::registry::{Descriptor, Manifest, ManifestKind, RegistryError};

/// Those that are understood, and one that is not.
const MEDIA_TYPES: [&str; 5] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/json",
];
/// The most layers of an image, and the most manifests of an index.
const MOST_MEMBERS: usize = 4096;

/// Reads the bytes as a manifest that a registry says is one of each kind, and as one that the store has. Nothing is two things:
/// what is read in one way is read in each other way as the same, or not at all, and the store can read whatever a registry
/// could give. What is read leads to something that it names.
pub fn manifests(bytes: &[u8]) {
    let stored = manifest_of_store(bytes);
    let mut kind: Option<&ManifestKind> = None;
    let given: Vec<Manifest> = MEDIA_TYPES
        .iter()
        .filter_map(|media_type| manifest_of_registry(media_type, bytes))
        .filter_map(checked)
        .collect();
    for manifest in &given {
        assert_eq!(manifest.text.as_bytes(), bytes);
        assert_eq!(*kind.get_or_insert(&manifest.kind), &manifest.kind, "two things");
        let stored = stored.as_ref().expect("the store can read what a registry gives");
        assert_eq!(stored.kind, manifest.kind, "two things");
        assert_eq!(stored.digest, manifest.digest);
    }
    if let Some(manifest) = checked(stored) {
        assert!(given.contains(&manifest), "a registry could not give it");
        check_kind(&manifest);
    }
}

fn checked(read: Result<Manifest, RegistryError>) -> Option<Manifest> {
    read.inspect_err(|error| {
        assert!(!error.hint().is_empty());
        check_told(error);
    })
    .ok()
}

/// An error says something, and nothing to a terminal.
fn check_told(error: &dyn Error) {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        assert!(!text.is_empty() && text.len() <= 4096);
        assert!(!text.chars().any(char::is_control), "{text:?}");
        next = error.source();
    }
}

fn check_kind(manifest: &Manifest) {
    let named: Vec<&Descriptor> = match &manifest.kind {
        ManifestKind::Image(image) => image.layers.iter().collect(),
        ManifestKind::Index { entries } => {
            let kept = kept_index(entries);
            let again = manifest_of_store(kept.as_bytes()).expect("what the store keeps, it reads");
            let ManifestKind::Index { entries: again } = again.kind else {
                panic!("an index became an image");
            };
            let descriptors = |entries: &[_]| -> Vec<Descriptor> {
                let entries: &[wharf_distribution::registry::IndexEntry] = entries;
                entries.iter().map(|entry| entry.descriptor.clone()).collect()
            };
            assert_eq!(descriptors(&again), descriptors(entries));
            entries.iter().map(|entry| &entry.descriptor).collect()
        }
    };
    assert!(named.len() <= MOST_MEMBERS);
    match follow(manifest) {
        Ok(found) => assert!(named.contains(&&found), "it leads elsewhere"),
        Err(error) => {
            assert!(!error.hint().is_empty());
            check_told(&error);
        }
    }
}
