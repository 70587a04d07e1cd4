//! Pushing: blobs in one piece each, and then the manifest that names them.

use bytes::Bytes;
use http::header::LOCATION;
use http::{Method, StatusCode};
use wharf_plugin::{ByteSize, ContentDigest, ImageReference};

use super::error::words;
use super::inquiry::{Actions, Answer, Ask, Inquiry, Payload};
use super::refusal::Wanted;
use super::{DIGEST, RegistryClient, RegistryError};

/// What is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The blobs, which are pushed first. Those that the registry has are not sent again.
    pub blobs: Vec<Bytes>,
    /// The media type of the manifest.
    pub media_type: &'static str,
    /// The manifest.
    pub manifest: String,
}

impl RegistryClient {
    /// Pushes blobs, and a manifest under the name of `image`: its tag, or where it has none the digest of the manifest.
    /// Gives the digest of the manifest. [`RegistryLimits::upload`](super::RegistryLimits::upload) is how long it may take.
    ///
    /// # Errors
    /// [`RegistryError`]. What was pushed before something failed stays, unnamed, until the registry throws it away.
    pub async fn push(
        &self,
        image: &ImageReference,
        upload: &Upload,
    ) -> Result<ContentDigest, RegistryError> {
        self.within(image, self.limits.upload, async {
            let mut inquiry = Inquiry::new(self, image);
            inquiry.actions = Actions::Push;
            for blob in &upload.blobs {
                push_blob(&mut inquiry, image, blob).await?;
            }
            push_manifest(&mut inquiry, image, upload).await
        })
        .await
    }
}

async fn push_blob(
    inquiry: &mut Inquiry<'_>,
    image: &ImageReference,
    bytes: &Bytes,
) -> Result<(), RegistryError> {
    let digest = ContentDigest::sha256_of(bytes);
    let repository = image.repository();
    let path = format!("/v2/{repository}/blobs/{digest}");
    let most = small(inquiry);
    let there = inquiry.ask(&Method::HEAD, &path, "*/*", most).await?;
    if there.status == StatusCode::OK {
        return Ok(());
    }
    let begin = Ask::new(
        Method::POST,
        inquiry.url(&format!("/v2/{repository}/blobs/uploads/"))?,
        "*/*",
        most,
    );
    let begun = inquiry.ask_for(begin.clone()).await?;
    let begun = inquiry.accepted(begun, &Wanted::Upload)?;
    let location = begun
        .header(LOCATION.as_str())
        .ok_or_else(|| no_upload(inquiry, "it does not say where to send it"))?;
    let location = http::HeaderValue::from_str(location)
        .map_err(|_| no_upload(inquiry, "where it wants it sent is no URL"))?;
    let mut url = inquiry.next(&begin.url, &location)?;
    let mark = if url.target.contains('?') { '&' } else { '?' };
    url.target = format!("{}{mark}digest={digest}", url.target);
    let mut put = Ask::new(Method::PUT, url, "*/*", most);
    put.payload = Payload::Bytes("application/octet-stream", bytes.clone());
    let done = inquiry.ask_for(put).await?;
    let done = inquiry.accepted(done, &Wanted::Upload)?;
    check_said(inquiry, &done, &digest)
}

async fn push_manifest(
    inquiry: &mut Inquiry<'_>,
    image: &ImageReference,
    upload: &Upload,
) -> Result<ContentDigest, RegistryError> {
    let digest = ContentDigest::sha256_of(upload.manifest.as_bytes());
    let name = image.tag().map_or_else(|| digest.to_string(), str::to_owned);
    let path = format!("/v2/{}/manifests/{name}", image.repository());
    let mut put = Ask::new(Method::PUT, inquiry.url(&path)?, "*/*", small(inquiry));
    put.payload = Payload::Bytes(upload.media_type, Bytes::from(upload.manifest.clone()));
    let done = inquiry.ask_for(put).await?;
    let done = inquiry.accepted(done, &Wanted::Upload)?;
    check_said(inquiry, &done, &digest)?;
    Ok(digest)
}

fn small(inquiry: &Inquiry<'_>) -> (&'static str, ByteSize) {
    ("the answer to an upload", inquiry.limits().other)
}

/// A registry that says what it has taken must have taken what was sent.
fn check_said(inquiry: &Inquiry<'_>, answer: &Answer, digest: &ContentDigest) -> Result<(), RegistryError> {
    match answer.header(DIGEST) {
        Some(said) if said != digest.to_string() => Err(no_upload(
            inquiry,
            "it says that it took something else than was sent",
        )),
        _ => Ok(()),
    }
}

fn no_upload(inquiry: &Inquiry<'_>, reason: &str) -> RegistryError {
    RegistryError::NoUpload {
        host: inquiry.host().authority().into(),
        reason: words(reason),
    }
}
