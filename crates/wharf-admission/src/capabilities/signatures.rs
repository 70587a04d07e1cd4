//! `oci/v1/verify`, `oci/v2/verify`: whether those whom a policy names signed an image.
//!
//! | a policy names | what is asked for |
//! |---|---|
//! | public keys | of each key a signature |
//! | issuers with subjects, whole or as the beginning of a URL | of each of them a signature |
//! | an owner at GitHub, with or without a repository | a signature of one of its workflows |
//! | a certificate | not offered |
//!
//! Each signature has to have the annotations that the policy names, and those of identities an entry of a log. One signature
//! may count for several identities that are named. The answer is `{"is_trusted": true, "digest": "sha256:…"}`, or an error that
//! begins with the words of Kubewarden's server: it has no answer with `false` either.
//!
//! An answer is kept for a minute, as Kubewarden's server does it, by all that was asked. Errors are not kept. Who asks for the
//! same at the same time waits for one answer.

mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wharf_abi_wapc::kubewarden::capability::{
    CapabilityRequest, KeylessInfo, KeylessPrefixInfo, VerificationAnswer,
};
use wharf_distribution::registry::RegistryClient;
use wharf_plugin::{ByteSize, ImageReference};
use wharf_signature::SignatureRule;
use wharf_trust::{ImageError, RootOfTrust, check_image, now};

use super::answers::{self, Age, Answers, Bounds};
use super::error::AskError;

pub(super) use self::rule::SignerError;

/// How long an answer is kept.
const KEEP: Duration = Duration::from_secs(60);
/// How many answers are kept.
const MOST_ANSWERS: usize = 1024;
/// How many bytes they have together, with what was asked.
const MOST_BYTES: ByteSize = ByteSize::from_mib(16);
/// How much a policy is told of why an image is not signed as wanted, in characters.
const MOST_REASON: usize = 2000;

/// Answers policies that ask who signed images.
pub(super) struct Signatures {
    client: Arc<RegistryClient>,
    answers: Answers<Inquiry, Arc<[u8]>>,
}

/// Which image is asked about, and who has to have signed it, as the policy wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Inquiry {
    image: String,
    signers: Signers,
    annotations: Option<BTreeMap<String, String>>,
}

/// Who has to have signed: all of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Signers {
    Keys(Vec<String>),
    Identities(Vec<KeylessInfo>),
    Prefixes(Vec<KeylessPrefixInfo>),
    Github {
        owner: String,
        repository: Option<String>,
    },
}

impl Inquiry {
    /// What a request asks; none where it is about something else.
    pub(super) fn of(request: &CapabilityRequest) -> Option<Self> {
        let (image, signers, annotations) = match request {
            CapabilityRequest::SigstorePubKeyVerify(asked) => {
                let signers = Signers::Keys(asked.pub_keys.clone());
                (&asked.image, signers, &asked.annotations)
            }
            CapabilityRequest::SigstoreKeylessVerify(asked) => {
                let signers = Signers::Identities(asked.keyless.clone());
                (&asked.image, signers, &asked.annotations)
            }
            CapabilityRequest::SigstoreKeylessPrefixVerify(asked) => {
                let signers = Signers::Prefixes(asked.keyless_prefix.clone());
                (&asked.image, signers, &asked.annotations)
            }
            CapabilityRequest::SigstoreGithubActionsVerify(asked) => {
                let signers = Signers::Github {
                    owner: asked.owner.clone(),
                    repository: asked.repo.clone(),
                };
                (&asked.image, signers, &asked.annotations)
            }
            _ => return None,
        };
        Some(Self {
            image: image.clone(),
            signers,
            annotations: annotations.clone(),
        })
    }

    /// The image; Kubewarden's server takes it with `registry://` in front too.
    fn image(&self) -> Result<ImageReference, AskError> {
        let image = self.image.strip_prefix("registry://").unwrap_or(&self.image);
        image.parse().map_err(AskError::Image)
    }
}

impl answers::Question for Inquiry {
    fn bytes(&self) -> usize {
        let signers: usize = match &self.signers {
            Signers::Keys(keys) => keys.iter().map(String::len).sum(),
            Signers::Identities(all) => all.iter().map(|one| one.issuer.len() + one.subject.len()).sum(),
            Signers::Prefixes(all) => all
                .iter()
                .map(|one| one.issuer.len() + one.url_prefix.len())
                .sum(),
            Signers::Github { owner, repository } => owner.len() + repository.as_ref().map_or(0, String::len),
        };
        let pairs = self.annotations.iter().flatten();
        let annotations: usize = pairs.map(|(key, value)| key.len() + value.len()).sum();
        self.image.len() + signers + annotations
    }
}

impl Signatures {
    pub(super) fn new(client: Arc<RegistryClient>) -> Self {
        let bounds = Bounds {
            keep: KEEP,
            count: MOST_ANSWERS,
            bytes: MOST_BYTES.as_usize(),
        };
        Self {
            client,
            answers: Answers::new(bounds),
        }
    }

    /// An answer that is known already.
    pub(super) fn known(&self, inquiry: &Inquiry) -> Option<Vec<u8>> {
        self.answers.known(inquiry, KEEP).map(|answer| answer.to_vec())
    }

    /// The answer, by the registry where it is not known.
    pub(super) async fn ask(&self, inquiry: Inquiry, root: RootOfTrust) -> Result<Vec<u8>, AskError> {
        let (image, rule) = (inquiry.image()?, inquiry.rule()?);
        // On the heap, since all that connecting and a handshake need is in it.
        let check = Box::pin(check(Arc::clone(&self.client), image, rule, root));
        let (answer, _) = self.answers.get(inquiry, Age::UpTo(KEEP), check).await?;
        Ok(answer.to_vec())
    }
}

async fn check(
    client: Arc<RegistryClient>,
    image: ImageReference,
    rule: SignatureRule,
    root: RootOfTrust,
) -> Result<Arc<[u8]>, AskError> {
    match check_image(&client, &image, &rule, Some(root.get()), now()).await {
        Ok(digest) => {
            let answer = VerificationAnswer {
                is_trusted: true,
                digest: digest.to_string(),
            };
            Ok(answer.encode().into())
        }
        Err(ImageError::Registry(error)) => Err(AskError::Registry {
            image: Arc::new(image),
            error,
        }),
        Err(ImageError::NotSigned { good: 0, bad, .. }) if bad.is_empty() => {
            Err(AskError::Unsigned(Arc::new(image)))
        }
        Err(error @ ImageError::NotSigned { .. }) => Err(AskError::NotSigned {
            image: Arc::new(image),
            reason: error.to_string().chars().take(MOST_REASON).collect(),
        }),
    }
}
