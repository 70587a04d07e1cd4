//! The seam between fetching and trust: who is asked whether bytes may run, and what is asked.
//!
//! ```text
//! Fetcher::fetch ──► the digest of what was named ──► Verifier::verify(Subject) ──► Verified, or Refused
//!                                                          │
//!                                                          └─► Attachments: signatures beside it, in the registry or the store
//!                ──► the bytes, each by a digest that hangs on the verified one ──► VerifiedArtifact
//! ```
//!
//! The verifier is asked about the digest of the manifest (or of the bytes, for files and URLs), before any layer is
//! downloaded. All that is compiled afterwards is reached from that digest by digests alone, so nothing in between can change
//! what was verified.

use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use wharf_plugin::{ContentDigest, Reference, Verification};

use crate::attachments::Attachments;
use crate::registry::RegistryError;

/// Whoever holds the deployer's policy of what may run.
///
/// It is asked once for each fetch, on a tokio runtime with time and I/O. It may be asked from several threads at once.
pub trait Verifier: Send + Sync {
    /// Whether what was named may run, and what speaks for it.
    ///
    /// # Errors
    /// [`Refused`] says why not, and what to do.
    fn verify<'a>(&'a self, subject: Subject<'a>) -> Verifying<'a>;
}

/// A verifier at work.
pub type Verifying<'a> = Pin<Box<dyn Future<Output = Result<Verified, Refused>> + Send + 'a>>;

/// What is to be verified.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Where the deployer says it is. [`Reference::canonical`] is what patterns are held against.
    pub reference: &'a Reference,
    /// The digest of the manifest or index that the reference means now; of a file or URL, that of its bytes. This is what
    /// signatures are made of.
    pub digest: &'a ContentDigest,
    /// The bytes of that digest: the manifest or index, or a file's module. None for URLs, which are not asked for before their
    /// digest was verified.
    pub bytes: Option<&'a [u8]>,
    /// What else the registry, or the store, has beside the manifest. None for files and URLs.
    pub attachments: Option<&'a Attachments<'a>>,
}

/// What a verifier found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How the bytes came to be trusted.
    pub verification: Verification,
    /// The signatures that count, and that were good. Empty where none is asked for.
    pub signatures: Vec<CheckedSignature>,
    /// What the deployer should hear of all the same, each a sentence.
    pub warnings: Vec<String>,
}

/// A signature that was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedSignature {
    /// Who signed: the fingerprint or name of a key, or the subject of a certificate.
    pub signer: String,
    /// Who vouched for the signer, where it is a certificate.
    pub issuer: Option<String>,
    /// The entry of the transparency log, where one was checked.
    pub log_index: Option<u64>,
    /// When it was signed, as far as somebody else than the signer says so.
    pub time: Option<SystemTime>,
}

/// Why something may not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The policy does not let it run.
    #[error("{reason}")]
    Policy {
        /// Why, as a sentence without a full stop.
        reason: Arc<str>,
        /// What to do.
        hint: Arc<str>,
    },
    /// What speaks for it could not be had.
    #[error("its signatures cannot be had")]
    Unavailable(#[source] RegistryError),
}

impl Refused {
    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::Policy { hint, .. } => hint,
            Self::Unavailable(error) => error.hint(),
        }
    }
}

impl From<RegistryError> for Refused {
    fn from(error: RegistryError) -> Self {
        Self::Unavailable(error)
    }
}

/// Lets everything run, and says of it that nobody checked it: for deployers without a policy.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPolicy;

impl Verifier for NoPolicy {
    fn verify<'a>(&'a self, _subject: Subject<'a>) -> Verifying<'a> {
        Box::pin(std::future::ready(Ok(Verified {
            verification: Verification::Unverified,
            signatures: Vec::new(),
            warnings: Vec::new(),
        })))
    }
}
