//! Whether an image that somebody asks about is signed by those whom they name.

use wharf_distribution::registry::{RegistryClient, RegistryError};
use wharf_distribution::{Attachments, Subject};
use wharf_plugin::{ContentDigest, ImageReference, Reference};
use wharf_signature::{Missing, Purpose, SignatureRule, Timestamp, TrustRoot};

use crate::examine::{BadSignature, examine};

/// Why an image is not known to be signed as is asked for.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The registry does not give the image, or what lies beside it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Too few of those who are named signed.
    #[error("{missing}{}", told(bad))]
    NotSigned {
        /// Who did not.
        missing: Missing,
        /// How many good ones there are, whoever they are of.
        good: usize,
        /// Those that are not good.
        bad: Vec<BadSignature>,
    },
}

fn told(bad: &[BadSignature]) -> String {
    let each = bad
        .iter()
        .take(5)
        .map(|bad| format!("; a signature does not count ({bad})"));
    each.collect()
}

/// Asks a registry what an image is, and whether those whom a rule names signed it. Gives the digest that they signed.
///
/// # Errors
/// [`ImageError`].
pub async fn check_image(
    client: &RegistryClient,
    image: &ImageReference,
    rule: &SignatureRule,
    root: Option<&TrustRoot>,
    now: Timestamp,
) -> Result<ContentDigest, ImageError> {
    let manifest = client.manifest(image).await?;
    let attachments = Attachments::of_registry(client, image);
    let reference = Reference::Oci(image.to_string());
    let subject = Subject {
        reference: &reference,
        digest: &manifest.digest,
        bytes: Some(manifest.text.as_bytes()),
        attachments: Some(&attachments),
    };
    let examination = examine(&subject, Purpose::Signature, &rule.keys(), root, now).await;
    match (rule.check(&examination.verified()), examination.missed) {
        (Ok(_), _) => Ok(manifest.digest),
        (Err(_), Some(error)) => Err(error.into()),
        (Err(missing), None) => Err(ImageError::NotSigned {
            missing,
            good: examination.good.len(),
            bad: examination.bad,
        }),
    }
}
