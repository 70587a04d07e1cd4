//! Signing with keys.

mod encrypted;

use std::collections::BTreeMap;
use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use serde_json::{Map, Value};
use wharf_plugin::ContentDigest;

use crate::bundle::KeyBundle;
use crate::envelope::{self, COSIGN_SIGN, EnvelopeFile, IN_TOTO, StatementFile};
use crate::key::{KeyAlgorithm, PublicKey};
use crate::log::sha256;
use crate::pem::{self, encode_base64};
use crate::simple_signing;

/// A key that signs: ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 to 4096 bits.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// A signature in cosign's older layout: a layer, and the annotations of that layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimpleSigned {
    /// The layer, of the type [`SIMPLE_SIGNING_MEDIA_TYPE`](crate::SIMPLE_SIGNING_MEDIA_TYPE).
    pub payload: Vec<u8>,
    /// Its annotations in the manifest.
    pub annotations: BTreeMap<String, String>,
}

/// The most bytes of a file with a key.
const MOST_TEXT: usize = 64 * 1024;

impl PrivateKey {
    /// Reads a key: PKCS #8 in PEM, or the file that `cosign generate-key-pair` writes, which takes the password and then
    /// about a tenth of a second and 64 MiB of memory.
    ///
    /// # Errors
    /// It is no such file, is damaged, is of another kind, or the password is missing or wrong.
    pub fn from_pem(text: &str, password: Option<&[u8]>) -> Result<Self, PrivateKeyError> {
        let blocks = match text.len() <= MOST_TEXT {
            true => pem::blocks(text, 8).ok_or(PrivateKeyError::NoPem)?,
            false => return Err(PrivateKeyError::NoPem),
        };
        // OpenSSL writes the parameters of a curve in a block before the key.
        let mut keys = blocks.iter().filter(|block| block.label != "EC PARAMETERS");
        let (Some(block), None) = (keys.next(), keys.next()) else {
            return Err(PrivateKeyError::NoPem);
        };
        match block.label.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(&block.bytes),
            "ENCRYPTED SIGSTORE PRIVATE KEY" | "ENCRYPTED COSIGN PRIVATE KEY" => {
                let password = password.ok_or(PrivateKeyError::NoPassword)?;
                Self::from_pkcs8(&encrypted::decrypt(&block.bytes, password)?)
            }
            other => Err(PrivateKeyError::OtherBlock {
                label: other.chars().take(40).collect(),
            }),
        }
    }

    /// Reads PKCS #8 in DER.
    ///
    /// # Errors
    /// It is damaged, is of another kind, or has no public key in it where its kind needs one.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, PrivateKeyError> {
        let random = SystemRandom::new();
        let curves = [
            (
                &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
                KeyAlgorithm::EcdsaP256,
            ),
            (
                &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
                KeyAlgorithm::EcdsaP384,
            ),
        ];
        for (algorithm, kind) in curves {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm, der, &random) {
                let public = PublicKey::from_raw(kind, pair.public_key().as_ref());
                return Self::of(Pair::Ecdsa(pair), public);
            }
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let public = PublicKey::from_raw(KeyAlgorithm::Ed25519, pair.public_key().as_ref());
            return Self::of(Pair::Ed25519(pair), public);
        }
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            let public = PublicKey::from_raw(KeyAlgorithm::Rsa, pair.public_key().as_ref());
            return Self::of(Pair::Rsa(Box::new(pair)), public);
        }
        Err(PrivateKeyError::Unusable)
    }

    fn of(pair: Pair, public: Result<PublicKey, crate::key::KeyError>) -> Result<Self, PrivateKeyError> {
        let public = public.map_err(|_| PrivateKeyError::Unusable)?;
        Ok(Self { pair, public })
    }

    /// The key that checks what this one signs.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a digest in cosign's older layout, for its `sha256-….sig` tag. `repository` is where the image is, for those
    /// who read; it is not checked by anybody.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn sign_simple(
        &self,
        digest: &ContentDigest,
        repository: &str,
        annotations: &BTreeMap<String, String>,
    ) -> Result<SimpleSigned, SigningError> {
        let payload = simple_signing::payload_for(digest, repository, annotations);
        let signature = encode_base64(&self.sign(&payload)?);
        Ok(SimpleSigned {
            payload,
            annotations: BTreeMap::from([(simple_signing::SIGNATURE.to_owned(), signature)]),
        })
    }

    /// Signs a digest as cosign 3 does: a bundle, for the referrers of the digest. cosign 3.1 verifies those of keys of ECDSA
    /// on P-256 and of RSA.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn sign_bundle(
        &self,
        digest: &ContentDigest,
        annotations: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, SigningError> {
        let predicate = Value::Object(Map::new());
        self.bundle_of(&StatementFile::of(
            digest,
            COSIGN_SIGN,
            predicate,
            Some(annotations),
        ))
    }

    /// States something about a digest: a bundle with an in-toto statement.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn attest(
        &self,
        digest: &ContentDigest,
        predicate_type: &str,
        predicate: Value,
    ) -> Result<Vec<u8>, SigningError> {
        self.bundle_of(&StatementFile::of(digest, predicate_type, predicate, None))
    }

    /// Signs the bytes of a file, as `cosign sign-blob` does: a bundle, to be kept beside the file.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn sign_file(&self, bytes: &[u8]) -> Result<Vec<u8>, SigningError> {
        let signature = encode_base64(&self.sign(bytes)?);
        let digest = encode_base64(&sha256(bytes));
        Ok(KeyBundle::message(self.public.hint(), digest, signature).json())
    }

    fn bundle_of(&self, statement: &StatementFile) -> Result<Vec<u8>, SigningError> {
        let payload = serde_json::to_vec(statement).expect("text and JSON can be written as JSON");
        let signature = self.sign(&envelope::pre_authentication(IN_TOTO, &payload))?;
        Ok(KeyBundle::envelope(self.public.hint(), EnvelopeFile::write(&payload, &signature)).json())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| SigningError)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| SigningError)?;
                Ok(signature)
            }
        }
    }
}

/// Nothing of the secret.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {:?})", self.public)
    }
}

/// Nothing could be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers, so nothing can be signed")]
pub struct SigningError;

/// Bytes that are no private key that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateKeyError {
    /// No text with one PEM block.
    #[error(
        "this is no private key: one is a single PEM block, as `cosign generate-key-pair` or `openssl genpkey` writes it"
    )]
    NoPem,
    /// Another PEM block.
    #[error(
        "this is a PEM block {label:?}, which is not read: convert it with `openssl pkcs8 -topk8 -nocrypt`"
    )]
    OtherBlock {
        /// What stands behind `BEGIN`.
        label: String,
    },
    /// An encrypted key, and no password.
    #[error("this key is encrypted, and there is no password for it")]
    NoPassword,
    /// The password opens it not, or it was changed; which of them cannot be told.
    #[error("the password is wrong, or the file of the key is damaged")]
    WrongPassword,
    /// A file of cosign's that cannot be read.
    #[error("the encrypted key is damaged: {reason}")]
    Damaged {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A key of another kind, or one that is damaged.
    #[error(
        "this key cannot be used: it is damaged, without its public part, or neither ECDSA on P-256 or P-384, nor Ed25519, nor RSA of 2048 to 4096 bits"
    )]
    Unusable,
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSIGN_25: &str = include_str!("../tests/data/cosign-2.5/cosign.key");
    const PASSWORD: Option<&[u8]> = Some(b"harbour");

    #[test]
    fn keys_of_cosign_are_opened_with_their_password() {
        for (private, public) in [
            (COSIGN_25, include_str!("../tests/data/cosign-2.5/cosign.pub")),
            (
                include_str!("../tests/data/cosign-3.1/cosign.key"),
                include_str!("../tests/data/cosign-3.1/cosign.pub"),
            ),
            (
                include_str!("../tests/data/cosign-3.1/p384.key"),
                include_str!("../tests/data/cosign-3.1/p384.pub"),
            ),
            (
                include_str!("../tests/data/cosign-3.1/ed25519.key"),
                include_str!("../tests/data/cosign-3.1/ed25519.pub"),
            ),
            (
                include_str!("../tests/data/cosign-3.1/rsa.key"),
                include_str!("../tests/data/cosign-3.1/rsa.pub"),
            ),
        ] {
            let key = PrivateKey::from_pem(private, PASSWORD).unwrap();
            assert_eq!(key.public_key().to_pem(), public);
            let signature = key.sign(b"message").unwrap();
            assert!(key.public_key().verifies(b"message", &signature));
            assert!(!key.public_key().verifies(b"messagf", &signature));
        }
    }

    #[test]
    fn what_opens_no_key_is_told() {
        let open = |text: &str, password: Option<&[u8]>| PrivateKey::from_pem(text, password).unwrap_err();
        assert_eq!(open(COSIGN_25, None), PrivateKeyError::NoPassword);
        assert_eq!(
            open(COSIGN_25, Some(b"other".as_slice())),
            PrivateKeyError::WrongPassword
        );
        assert_eq!(open("", None), PrivateKeyError::NoPem);
        assert_eq!(open(&COSIGN_25.repeat(2), PASSWORD), PrivateKeyError::NoPem);
        assert_eq!(
            open(&pem::encode("PRIVATE KEY", b"x"), None),
            PrivateKeyError::Unusable
        );
        let other = |label: &str| PrivateKeyError::OtherBlock {
            label: label.to_owned(),
        };
        assert_eq!(
            open(&pem::encode("EC PRIVATE KEY", b"x"), None),
            other("EC PRIVATE KEY")
        );
        assert_eq!(
            open(include_str!("../tests/data/cosign-2.5/cosign.pub"), None),
            other("PUBLIC KEY")
        );
    }

    #[test]
    fn a_private_key_shows_nothing_of_itself() {
        let key = PrivateKey::from_pem(COSIGN_25, PASSWORD).unwrap();
        let shown = format!("{key:?}");
        assert!(
            shown.starts_with("PrivateKey(of PublicKey(ECDSA P-256 sha256:"),
            "{shown}"
        );
    }
}
