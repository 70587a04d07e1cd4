//! Public keys, and what was signed with them.

use std::fmt;

use ring::digest::{SHA256, digest};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use wharf_plugin::Digest;

use crate::der::{self, Reader, Value};
use crate::pem;

/// A public key: ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits.
///
/// Two are equal where they are the same key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    /// The SubjectPublicKeyInfo as DER.
    spki: Vec<u8>,
    /// What the algorithm makes of the key: a point, or an RSAPublicKey.
    raw: Vec<u8>,
}

/// What a key is used with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on the curve P-256.
    EcdsaP256,
    /// ECDSA on the curve P-384.
    EcdsaP384,
    /// Ed25519.
    Ed25519,
    /// RSA, with the padding of PKCS #1 1.5 or PSS.
    Rsa,
}

const OID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// The most bytes of a file with a key.
const MOST_TEXT: usize = 64 * 1024;

impl PublicKey {
    /// Reads a key as `cosign generate-key-pair`, OpenSSL and cloud providers write it: one PEM block `PUBLIC KEY`.
    ///
    /// # Errors
    /// It is something else, or a key of a kind that is not understood.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.len() > MOST_TEXT {
            return Err(KeyError::NoPem);
        }
        let blocks = pem::blocks(text, 8).ok_or(KeyError::NoPem)?;
        match blocks.as_slice() {
            [] => Err(KeyError::NoPem),
            [block] if block.label == "PUBLIC KEY" => Self::from_spki_der(&block.bytes),
            [block] if block.label.contains("PRIVATE") => Err(KeyError::Private),
            [block] => Err(KeyError::OtherBlock {
                label: block.label.chars().take(40).collect(),
            }),
            more => Err(KeyError::Several { count: more.len() }),
        }
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// It is something else, or a key of a kind that is not understood.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, KeyError> {
        let (oid, parameters, raw) = split_spki(spki).ok_or(KeyError::Malformed)?;
        let algorithm = match oid {
            OID_EC => match Value::only(parameters, der::OID).map(|curve| curve.content) {
                Some(OID_P256) => KeyAlgorithm::EcdsaP256,
                Some(OID_P384) => KeyAlgorithm::EcdsaP384,
                _ => return Err(KeyError::Unsupported),
            },
            OID_ED25519 => KeyAlgorithm::Ed25519,
            OID_RSA => KeyAlgorithm::Rsa,
            _ => return Err(KeyError::Unsupported),
        };
        let good = match algorithm {
            KeyAlgorithm::EcdsaP256 => raw.len() == 65 && raw.first() == Some(&4),
            KeyAlgorithm::EcdsaP384 => raw.len() == 97 && raw.first() == Some(&4),
            KeyAlgorithm::Ed25519 => raw.len() == 32,
            KeyAlgorithm::Rsa => (256..=1100).contains(&raw.len()),
        };
        if !good {
            return Err(KeyError::Malformed);
        }
        Ok(Self {
            algorithm,
            spki: spki.to_vec(),
            raw: raw.to_vec(),
        })
    }

    /// A key of which only the point of a curve or the RSAPublicKey is known.
    pub(crate) fn from_raw(algorithm: KeyAlgorithm, raw: &[u8]) -> Result<Self, KeyError> {
        let (oid, parameters) = match algorithm {
            KeyAlgorithm::EcdsaP256 => (OID_EC, der::encode(der::OID, OID_P256)),
            KeyAlgorithm::EcdsaP384 => (OID_EC, der::encode(der::OID, OID_P384)),
            KeyAlgorithm::Ed25519 => (OID_ED25519, Vec::new()),
            KeyAlgorithm::Rsa => (OID_RSA, vec![0x05, 0x00]),
        };
        let algorithm = [der::encode(der::OID, oid), parameters].concat();
        let bits = [&[0], raw].concat();
        let fields = [
            der::encode(der::SEQUENCE, &algorithm),
            der::encode(der::BIT_STRING, &bits),
        ]
        .concat();
        Self::from_spki_der(&der::encode(der::SEQUENCE, &fields))
    }

    /// What it is used with.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The SHA-256 digest of its SubjectPublicKeyInfo, by which reports name it.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.spki)
    }

    /// The key as a SubjectPublicKeyInfo in DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The key as PEM, byte for byte as `cosign public-key` writes it.
    pub fn to_pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.spki)
    }

    /// Whether it made this signature of these bytes. ECDSA and RSA signatures may be of SHA-256 or SHA-384, RSA also of
    /// SHA-512; which of them is not said anywhere, and all of them are sound.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithms: &[&'static dyn VerificationAlgorithm] = match self.algorithm {
            KeyAlgorithm::EcdsaP256 => &[
                &signature::ECDSA_P256_SHA256_ASN1,
                &signature::ECDSA_P256_SHA384_ASN1,
            ],
            KeyAlgorithm::EcdsaP384 => &[
                &signature::ECDSA_P384_SHA384_ASN1,
                &signature::ECDSA_P384_SHA256_ASN1,
            ],
            KeyAlgorithm::Ed25519 => &[&signature::ED25519],
            KeyAlgorithm::Rsa => &[
                &signature::RSA_PKCS1_2048_8192_SHA256,
                &signature::RSA_PKCS1_2048_8192_SHA384,
                &signature::RSA_PKCS1_2048_8192_SHA512,
                &signature::RSA_PSS_2048_8192_SHA256,
                &signature::RSA_PSS_2048_8192_SHA384,
                &signature::RSA_PSS_2048_8192_SHA512,
            ],
        };
        let verifies = |algorithm: &&'static dyn VerificationAlgorithm| {
            UnparsedPublicKey::new(*algorithm, &self.raw)
                .verify(message, signature)
                .is_ok()
        };
        algorithms.iter().any(verifies)
    }

    /// What bundles and logs call the key: the digest of its SubjectPublicKeyInfo in Base64.
    pub(crate) fn hint(&self) -> String {
        pem::encode_base64(digest(&SHA256, &self.spki).as_ref())
    }
}

/// The algorithm's OID, its parameters and the key's bits.
fn split_spki(spki: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut fields = Value::only(spki, der::SEQUENCE)?.reader();
    let mut algorithm = fields.expect(der::SEQUENCE)?.reader();
    let bits = fields.expect(der::BIT_STRING)?.bits()?;
    fields.end()?;
    let oid = algorithm.expect(der::OID)?.content;
    let parameters = rest_of(&mut algorithm)?;
    Some((oid, parameters, bits))
}

fn rest_of<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    if reader.is_empty() {
        return Some(&[]);
    }
    let value = reader.next()?;
    reader.end()?;
    Some(value.whole)
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm, self.fingerprint())
    }
}

/// `ECDSA P-256`, `ECDSA P-384`, `Ed25519` or `RSA`.
impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdsaP256 => "ECDSA P-256",
            Self::EcdsaP384 => "ECDSA P-384",
            Self::Ed25519 => "Ed25519",
            Self::Rsa => "RSA",
        })
    }
}

/// Bytes that are no public key that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No text with a PEM block.
    #[error("this is no PEM: a public key begins with `-----BEGIN PUBLIC KEY-----`")]
    NoPem,
    /// Another PEM block.
    #[error("this is a PEM block {label:?}, and a public key is one of `PUBLIC KEY`")]
    OtherBlock {
        /// What stands behind `BEGIN`.
        label: String,
    },
    /// A private key, which does not belong where public ones are wanted.
    #[error("this is a private key: give the public one, as `cosign public-key --key FILE` prints it")]
    Private,
    /// Several keys in one file.
    #[error("this has {count} PEM blocks: put each key in a file of its own")]
    Several {
        /// How many.
        count: usize,
    },
    /// Bytes that are no SubjectPublicKeyInfo.
    #[error("the key is damaged: it is no SubjectPublicKeyInfo")]
    Malformed,
    /// A key of another kind.
    #[error(
        "keys are ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 bits and more, and this is of another kind"
    )]
    Unsupported,
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256: &str = include_str!("../tests/data/cosign-2.5/cosign.pub");

    #[test]
    fn a_key_of_cosign_is_read_and_written() {
        let key = PublicKey::from_pem(P256).unwrap();
        assert_eq!(key.algorithm(), KeyAlgorithm::EcdsaP256);
        assert_eq!(key.to_pem(), P256);
        assert_eq!(
            PublicKey::from_raw(KeyAlgorithm::EcdsaP256, &key.raw),
            Ok(key.clone())
        );
        assert!(!key.verifies(b"message", b"signature"));
    }

    #[test]
    fn what_is_no_key_is_told() {
        let certificate = pem::encode("CERTIFICATE", b"x");
        let private = pem::encode("ENCRYPTED SIGSTORE PRIVATE KEY", b"x");
        let damaged = pem::encode("PUBLIC KEY", b"x");
        let several = format!("{P256}{P256}");
        for (text, error) in [
            ("", KeyError::NoPem),
            ("-----BEGIN PUBLIC KEY-----", KeyError::NoPem),
            (
                certificate.as_str(),
                KeyError::OtherBlock {
                    label: "CERTIFICATE".to_owned(),
                },
            ),
            (private.as_str(), KeyError::Private),
            (damaged.as_str(), KeyError::Malformed),
            (several.as_str(), KeyError::Several { count: 2 }),
        ] {
            assert_eq!(PublicKey::from_pem(text), Err(error), "{text}");
        }
        let mut spki = PublicKey::from_pem(P256).unwrap().spki_der().to_vec();
        let place = spki
            .windows(OID_P256.len())
            .position(|window| window == OID_P256)
            .unwrap();
        spki[place + OID_P256.len() - 1] = 6;
        assert_eq!(PublicKey::from_spki_der(&spki), Err(KeyError::Unsupported));
    }
}
