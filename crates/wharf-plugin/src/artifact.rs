//! Bytes that may become a module.

use bytes::Bytes;

use crate::{Digest, HashedBytes, Reference};

/// A plugin's bytes together with how they came to be trusted. Only such bytes can be compiled.
///
/// The fields are private so that nobody can put other bytes beside a verification. Cloning is cheap: the bytes are
/// shared.
#[derive(Debug, Clone)]
pub struct VerifiedArtifact {
    bytes: Bytes,
    digest: Digest,
    reference: Reference,
    verification: Verification,
}

/// Why bytes may be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verification {
    /// Nobody checked them: whoever can write the source decides what runs.
    Unverified,
    /// The deployer's policy was asked, and lets what this source has run without a signature.
    AllowedUnsigned,
    /// As many signatures as the deployer's policy asks for were good.
    Signed,
}

impl Verification {
    /// `unverified`, `allowedUnsigned` or `signed`, for JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::AllowedUnsigned => "allowedUnsigned",
            Self::Signed => "signed",
        }
    }
}

impl VerifiedArtifact {
    /// Takes bytes as they are, with no check of who made them.
    ///
    /// Outside tests only the distribution crate may call this, where the deployer's policy asks for no verification.
    pub fn dangerously_unverified(reference: Reference, bytes: impl Into<Bytes>) -> Self {
        Self::dangerously_trusted(reference, bytes.into(), Verification::Unverified)
    }

    /// Takes bytes together with what somebody found out about them, which is believed.
    ///
    /// Outside tests only the distribution crate may call this, after it asked whoever holds the deployer's policy about
    /// these bytes.
    pub fn dangerously_trusted(
        reference: Reference,
        bytes: impl Into<HashedBytes>,
        verification: Verification,
    ) -> Self {
        let (bytes, digest) = bytes.into().into_parts();
        Self {
            bytes,
            digest,
            reference,
            verification,
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Where the bytes came from.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// How they came to be trusted.
    pub fn verification(&self) -> Verification {
        self.verification
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_knows_the_digest_of_its_own_bytes() {
        let reference = Reference::File("a.wasm".into());
        let artifact = VerifiedArtifact::dangerously_unverified(reference.clone(), &b"bytes"[..]);
        assert_eq!(artifact.digest(), Digest::of(b"bytes"));
        assert_eq!(artifact.bytes(), &Bytes::from_static(b"bytes"));
        assert_eq!(artifact.reference(), &reference);
        assert_eq!(artifact.verification(), Verification::Unverified);
    }
}
