//! What hangs on a manifest: signatures and attestations, as referrers of its digest or by tags that are made of it.

use wharf_plugin::{ByteSize, ContentDigest, ImageReference};

use crate::registry::{Descriptor, Manifest, RegistryClient, RegistryError};

/// What hangs on manifests of one repository.
pub struct Attachments<'a> {
    client: &'a RegistryClient,
    image: &'a ImageReference,
}

impl<'a> Attachments<'a> {
    /// What hangs on manifests of the repository of `image`, asked of its registry each time.
    pub fn of_registry(client: &'a RegistryClient, image: &'a ImageReference) -> Self {
        Self { client, image }
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
        match self.image.with_tag(tag) {
            Some(image) => self.client.find_manifest(&image).await,
            None => Ok(None),
        }
    }

    /// The manifests that refer to the one of this digest; none, where the registry knows of none.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn referrers(&self, digest: &ContentDigest) -> Result<Vec<Descriptor>, RegistryError> {
        let found = self.client.referrers(self.image, digest).await?;
        Ok(found.manifests)
    }

    /// The manifest of a digest, of which the bytes were checked.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn manifest(&self, digest: &ContentDigest) -> Result<Manifest, RegistryError> {
        self.client
            .manifest(&self.image.with_digest(digest.clone()))
            .await
    }

    /// The bytes of a blob of at most so many bytes, which were checked.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn blob(&self, descriptor: &Descriptor, most: ByteSize) -> Result<Vec<u8>, RegistryError> {
        self.client.small_blob(self.image, descriptor, most).await
    }
}
