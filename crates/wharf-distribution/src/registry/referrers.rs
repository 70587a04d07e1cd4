//! What refers to a manifest: by the referrers of the distribution specification 1.1, or by the tag of registries that have none.

use http::{Method, StatusCode};
use wharf_plugin::{ContentDigest, ImageReference};

use super::inquiry::{Answer, Inquiry};
use super::manifest::{self, Descriptor, INDEX, Manifest, ManifestKind};
use super::refusal::Wanted;
use super::{RegistryClient, RegistryError, fetch_blob_of, fetch_manifest};

/// How many pages of referrers are read.
const MOST_PAGES: usize = 8;

/// What refers to a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Referrers {
    /// The manifests that do.
    pub manifests: Vec<Descriptor>,
}

impl RegistryClient {
    /// What a name means, or nothing where the repository has no such tag or digest.
    ///
    /// # Errors
    /// [`RegistryError`], of all that is wrong but that there is none.
    pub async fn find_manifest(&self, image: &ImageReference) -> Result<Option<Manifest>, RegistryError> {
        match self.manifest(image).await {
            Ok(manifest) => Ok(Some(manifest)),
            Err(
                RegistryError::NoManifest { .. }
                | RegistryError::NotFound { .. }
                | RegistryError::NoRepository { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What refers to the manifest of this digest in the repository of `image`: signatures, attestations, and whatever
    /// else anybody pushed there. Nothing of it is checked yet but the form.
    ///
    /// # Errors
    /// [`RegistryError`]. That nothing refers to it is none.
    pub async fn referrers(
        &self,
        image: &ImageReference,
        digest: &ContentDigest,
    ) -> Result<Referrers, RegistryError> {
        self.within_limits(image, async {
            let mut inquiry = Inquiry::new(self, image);
            let mut manifests = Vec::new();
            let mut path = format!("/v2/{}/referrers/{digest}", image.repository());
            for _ in 0..MOST_PAGES {
                let most = inquiry.limits().manifest;
                let answer = inquiry
                    .ask(&Method::GET, &path, INDEX, ("the list of referrers", most))
                    .await?;
                let has_none = matches!(
                    answer.status,
                    StatusCode::NOT_FOUND
                        | StatusCode::METHOD_NOT_ALLOWED
                        | StatusCode::BAD_REQUEST
                        | StatusCode::NOT_IMPLEMENTED
                );
                if has_none {
                    return by_tag(&mut inquiry, image, digest).await;
                }
                let answer = inquiry.accepted(answer, &Wanted::Blob(digest))?;
                manifests.extend(entries(&answer)?);
                match next_page(&answer) {
                    Some(next) => path = next,
                    None => break,
                }
            }
            Ok(Referrers { manifests })
        })
        .await
    }

    /// The bytes of a small blob, which were checked.
    ///
    /// # Errors
    /// [`RegistryError`], also where it is said to have more bytes than `most`.
    pub async fn small_blob(
        &self,
        image: &ImageReference,
        descriptor: &Descriptor,
        most: wharf_plugin::ByteSize,
    ) -> Result<Vec<u8>, RegistryError> {
        self.within_limits(image, async {
            let mut inquiry = Inquiry::new(self, image);
            fetch_blob_of(&mut inquiry, image, descriptor, ("the blob", most)).await
        })
        .await
    }
}

fn entries(answer: &Answer) -> Result<Vec<Descriptor>, RegistryError> {
    let digest = ContentDigest::sha256_of(&answer.body);
    match manifest::parse(digest, INDEX, &answer.body)?.kind {
        ManifestKind::Index { entries } => Ok(entries.into_iter().map(|entry| entry.descriptor).collect()),
        ManifestKind::Image(_) => Ok(Vec::new()),
    }
}

/// The path of the page behind this one: `Link: </v2/…>; rel="next"`.
fn next_page(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = rest.contains("rel=\"next\"") || rest.contains("rel=next");
    // A path of the same registry, and nowhere else.
    (is_next && target.starts_with("/v2/")).then(|| target.to_owned())
}

/// What the tag says that clients write where the registry keeps no referrers.
pub(super) async fn by_tag(
    inquiry: &mut Inquiry<'_>,
    image: &ImageReference,
    digest: &ContentDigest,
) -> Result<Referrers, RegistryError> {
    let Some(tagged) = image.with_tag(&digest.to_string().replace(':', "-")) else {
        // The digest is longer than a tag can be.
        return Ok(Referrers::default());
    };
    match fetch_manifest(inquiry, &tagged).await {
        Ok(Manifest {
            kind: ManifestKind::Index { entries },
            ..
        }) => Ok(Referrers {
            manifests: entries.into_iter().map(|entry| entry.descriptor).collect(),
        }),
        Ok(_)
        | Err(
            RegistryError::NoManifest { .. }
            | RegistryError::NotFound { .. }
            | RegistryError::NoRepository { .. },
        ) => Ok(Referrers::default()),
        Err(error) => Err(error),
    }
}
