//! What hangs on a manifest: signatures and attestations, as referrers of its digest or by tags that are made of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wharf_plugin::{ByteSize, ContentDigest, ImageReference};

use crate::registry::manifest::{self, DescriptorText};
use crate::registry::{Descriptor, Manifest, ManifestKind, RegistryClient, RegistryError};
use crate::store::{Attached, Found, Store};

/// The most bytes of what is remembered to be kept in the store.
const MOST_REMEMBERED: usize = 16 << 20;

/// What hangs on manifests of one repository: as its registry has it, or, where nobody may be asked, as it was in the store
/// when the manifest was fetched.
pub struct Attachments<'a> {
    image: &'a ImageReference,
    source: Source<'a>,
    /// What the registry gave, so that the store can have it.
    seen: Mutex<Seen>,
}

enum Source<'a> {
    Registry(&'a RegistryClient),
    Store(&'a Store, &'a [Attached]),
}

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) attached: BTreeMap<String, ContentDigest>,
    pub(crate) blobs: BTreeMap<ContentDigest, Vec<u8>>,
    bytes: usize,
}

impl Seen {
    fn keep(&mut self, digest: &ContentDigest, bytes: &[u8]) {
        let total = self.bytes.saturating_add(bytes.len());
        if total <= MOST_REMEMBERED && !self.blobs.contains_key(digest) {
            self.bytes = total;
            self.blobs.insert(digest.clone(), bytes.to_vec());
        }
    }
}

impl<'a> Attachments<'a> {
    /// What hangs on manifests of the repository of `image`, asked of its registry each time.
    pub fn of_registry(client: &'a RegistryClient, image: &'a ImageReference) -> Self {
        Self::of(image, Source::Registry(client))
    }

    /// What hung on a manifest when it was fetched into the store.
    pub(crate) fn of_store(store: &'a Store, image: &'a ImageReference, attached: &'a [Attached]) -> Self {
        Self::of(image, Source::Store(store, attached))
    }

    fn of(image: &'a ImageReference, source: Source<'a>) -> Self {
        Self {
            image,
            source,
            seen: Mutex::default(),
        }
    }

    /// The image whose repository is looked into.
    pub fn image(&self) -> &ImageReference {
        self.image
    }

    /// The manifest of a tag, as `sha256-….sig`; nothing where there is no such tag.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn tag(&self, tag: &str) -> Result<Option<Manifest>, RegistryError> {
        let name = format!("tag:{tag}");
        match &self.source {
            Source::Store(store, attached) => stored_manifest(store, attached, &name),
            Source::Registry(client) => {
                let Some(image) = self.image.with_tag(tag) else {
                    return Ok(None);
                };
                let found = client.find_manifest(&image).await?;
                if let Some(manifest) = &found {
                    let mut seen = self.seen();
                    seen.attached.insert(name, manifest.digest.clone());
                    seen.keep(&manifest.digest, manifest.text.as_bytes());
                }
                Ok(found)
            }
        }
    }

    /// The manifests that refer to the one of this digest; none, where the registry knows of none.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn referrers(&self, digest: &ContentDigest) -> Result<Vec<Descriptor>, RegistryError> {
        let name = format!("referrers:{digest}");
        match &self.source {
            Source::Store(store, attached) => Ok(match stored_manifest(store, attached, &name)? {
                Some(Manifest {
                    kind: ManifestKind::Index { entries },
                    ..
                }) => entries.into_iter().map(|entry| entry.descriptor).collect(),
                _ => Vec::new(),
            }),
            Source::Registry(client) => {
                let found = client.referrers(self.image, digest).await?.manifests;
                if !found.is_empty() {
                    let text = index_of(&found);
                    let digest = ContentDigest::sha256_of(text.as_bytes());
                    let mut seen = self.seen();
                    seen.keep(&digest, text.as_bytes());
                    seen.attached.insert(name, digest);
                }
                Ok(found)
            }
        }
    }

    /// The manifest of a digest, of which the bytes were checked.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn manifest(&self, digest: &ContentDigest) -> Result<Manifest, RegistryError> {
        match &self.source {
            Source::Store(store, _) => {
                let bytes = stored_bytes(store, digest).ok_or_else(|| self.absent(digest))?;
                manifest::parse_stored(digest.clone(), &bytes)
            }
            Source::Registry(client) => {
                let found = client.manifest(&self.image.with_digest(digest.clone())).await?;
                self.seen().keep(&found.digest, found.text.as_bytes());
                Ok(found)
            }
        }
    }

    /// The bytes of a blob of at most so many bytes, which were checked.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn blob(&self, descriptor: &Descriptor, most: ByteSize) -> Result<Vec<u8>, RegistryError> {
        match &self.source {
            Source::Store(store, _) => {
                let bytes = stored_bytes(store, &descriptor.digest);
                bytes
                    .filter(|bytes| bytes.len() as u64 <= most.bytes())
                    .ok_or_else(|| self.absent(&descriptor.digest))
            }
            Source::Registry(client) => {
                let bytes = client.small_blob(self.image, descriptor, most).await?;
                self.seen().keep(&descriptor.digest, &bytes);
                Ok(bytes)
            }
        }
    }

    fn absent(&self, digest: &ContentDigest) -> RegistryError {
        RegistryError::NoBlob {
            host: self.image.host().authority().into(),
            repository: self.image.repository().into(),
            digest: digest.clone(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the registry gave.
    pub(crate) fn into_seen(self) -> Seen {
        self.seen.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What cannot be read, or was changed, is as good as absent: it then speaks for nobody.
fn stored_bytes(store: &Store, digest: &ContentDigest) -> Option<Vec<u8>> {
    match store.blob(digest, MOST_REMEMBERED as u64) {
        Ok(Found::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

fn stored_manifest(
    store: &Store,
    attached: &[Attached],
    name: &str,
) -> Result<Option<Manifest>, RegistryError> {
    let known = attached.iter().find(|attached| attached.name == name);
    let bytes = known.and_then(|known| Some((known, stored_bytes(store, &known.digest)?)));
    bytes
        .map(|(known, bytes)| manifest::parse_stored(known.digest.clone(), &bytes))
        .transpose()
}

/// An index of what refers, as a registry would give it.
fn index_of(manifests: &[Descriptor]) -> String {
    manifest::index_of(manifests.iter().map(DescriptorText::of).collect())
}
