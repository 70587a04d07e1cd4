//! Pushing: blobs in one piece each, and then the manifest that names them.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::LOCATION;
use http::{Method, StatusCode};
use wharf_plugin::{ByteSize, ContentDigest, ImageReference};

use super::error::words;
use super::inquiry::{Actions, Answer, Ask, Inquiry, Payload};
use super::manifest::{DescriptorText, INDEX, index_of};
use super::referrers::by_tag;
use super::refusal::Wanted;
use super::{DIGEST, RegistryClient, RegistryError};

/// The header by which a registry says that it keeps what a manifest refers to.
const SUBJECT: &str = "oci-subject";

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
            let (digest, _) = push_manifest(&mut inquiry, image, upload).await?;
            Ok(digest)
        })
        .await
    }

    /// Pushes blobs and a manifest that refers to another of the repository of `image`, by its `subject`, under its own digest.
    /// Where the registry does not keep such references by itself, the index under the tag of `subject`'s digest is written
    /// anew, as the distribution specification has it: two who do that at the same time may undo each other's work.
    /// `artifact_type` and `annotations` are those of the manifest, for that index.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn push_referrer(
        &self,
        image: &ImageReference,
        subject: &ContentDigest,
        upload: &Upload,
        artifact_type: &str,
        annotations: &BTreeMap<String, String>,
    ) -> Result<ContentDigest, RegistryError> {
        self.within(image, self.limits.upload, async {
            let mut inquiry = Inquiry::new(self, image);
            inquiry.actions = Actions::Push;
            for blob in &upload.blobs {
                push_blob(&mut inquiry, image, blob).await?;
            }
            let digest = ContentDigest::sha256_of(upload.manifest.as_bytes());
            let named = image.with_digest(digest.clone()).without_tag();
            let (digest, keeps_references) = push_manifest(&mut inquiry, &named, upload).await?;
            if !keeps_references {
                let own = DescriptorText {
                    media_type: upload.media_type.to_owned(),
                    digest: digest.to_string(),
                    size: upload.manifest.len() as u64,
                    artifact_type: Some(artifact_type.to_owned()),
                    annotations: Some(annotations.clone()),
                };
                add_to_index(&mut inquiry, image, subject, own).await?;
            }
            Ok(digest)
        })
        .await
    }
}

/// Writes the index under the tag of a digest anew, with one entry more.
async fn add_to_index(
    inquiry: &mut Inquiry<'_>,
    image: &ImageReference,
    subject: &ContentDigest,
    own: DescriptorText,
) -> Result<(), RegistryError> {
    let known = by_tag(inquiry, image, subject).await?.manifests;
    if known.iter().any(|known| known.digest.to_string() == own.digest) {
        return Ok(());
    }
    let Some(tagged) = image.with_tag(&subject.to_string().replace(':', "-")) else {
        return Err(no_upload(
            inquiry,
            "it keeps no references, and the digest is longer than a tag can be",
        ));
    };
    let entries = known.iter().map(DescriptorText::of).chain([own]).collect();
    let index = Upload {
        blobs: Vec::new(),
        media_type: INDEX,
        manifest: index_of(entries),
    };
    push_manifest(inquiry, &tagged, &index).await?;
    Ok(())
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

/// The digest of the manifest, and whether the registry keeps what it refers to.
async fn push_manifest(
    inquiry: &mut Inquiry<'_>,
    image: &ImageReference,
    upload: &Upload,
) -> Result<(ContentDigest, bool), RegistryError> {
    let digest = ContentDigest::sha256_of(upload.manifest.as_bytes());
    let name = image.tag().map_or_else(|| digest.to_string(), str::to_owned);
    let path = format!("/v2/{}/manifests/{name}", image.repository());
    let mut put = Ask::new(Method::PUT, inquiry.url(&path)?, "*/*", small(inquiry));
    put.payload = Payload::Bytes(upload.media_type, Bytes::from(upload.manifest.clone()));
    let done = inquiry.ask_for(put).await?;
    let done = inquiry.accepted(done, &Wanted::Upload)?;
    check_said(inquiry, &done, &digest)?;
    Ok((digest, done.header(SUBJECT).is_some()))
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
