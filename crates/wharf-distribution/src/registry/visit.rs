//! Several questions about one repository, one after the other, over the same connections: what fetching a plugin is.

use std::time::Duration;

use wharf_plugin::{ByteSize, ImageReference};

use super::download::{Download, DownloadError, Sink};
use super::inquiry::Inquiry;
use super::patience::Patience;
use super::{Descriptor, Manifest, RegistryClient, RegistryError, fetch_blob_of, fetch_manifest};

/// Several questions about one repository. A connection that was made for one of them serves the next.
pub(crate) struct Visit<'c> {
    inquiry: Inquiry<'c>,
    image: &'c ImageReference,
}

impl RegistryClient {
    /// Begins to ask about the repository of an image. Nothing is asked yet.
    pub(crate) fn visit<'c>(&'c self, image: &'c ImageReference) -> Visit<'c> {
        Visit {
            inquiry: Inquiry::new(self, image),
            image,
        }
    }
}

impl Visit<'_> {
    /// The manifest or index that a name of the repository means, of which the bytes were checked. What fails for a while is tried
    /// again, as often as this says, within the time that an operation may take.
    pub(crate) async fn manifest(
        &mut self,
        image: &ImageReference,
        idle: Duration,
        retries: u32,
    ) -> Result<Manifest, RegistryError> {
        let inquiry = &mut self.inquiry;
        let client = inquiry.client;
        client
            .within_limits(self.image, async {
                inquiry.patience = Some(Patience {
                    until: tokio::time::Instant::now() + client.limits.operation,
                    idle,
                    retries,
                });
                fetch_manifest(inquiry, image).await
            })
            .await
    }

    /// Downloads a blob of the repository.
    pub(crate) async fn download(
        &mut self,
        download: &Download<'_>,
        sink: &mut dyn Sink,
    ) -> Result<(), DownloadError> {
        let path = format!("/v2/{}/blobs/{}", self.image.repository(), download.digest);
        let url = self.inquiry.url(&path)?;
        let client = self.inquiry.client;
        client.download(&mut self.inquiry, url, download, sink).await
    }

    /// The bytes of a small blob of the repository, which were checked.
    pub(crate) async fn small_blob(
        &mut self,
        descriptor: &Descriptor,
        most: ByteSize,
    ) -> Result<Vec<u8>, RegistryError> {
        let (inquiry, image) = (&mut self.inquiry, self.image);
        let client = inquiry.client;
        inquiry.patience = None;
        client
            .within_limits(
                image,
                fetch_blob_of(inquiry, image, descriptor, ("the blob", most)),
            )
            .await
    }
}
