//! Digests of bytes.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256, Sha512};

/// A digest of some bytes, such as `sha256:` and 64 lower-case hexadecimal digits. SHA-256 and SHA-512 are known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Algorithm {
    Sha256,
    Sha512,
}

/// A text that is no digest that is known here.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[error(
    "`{}` is not a digest (`sha256:` and 64 lower-case hexadecimal digits, or `sha512:` and 128)",
    crate::problem::Shown(text)
)]
pub struct DigestError {
    /// The text.
    pub text: String,
}

impl Digest {
    /// The SHA-256 of some bytes.
    pub fn sha256(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::Sha256(Sha256::new());
        hasher.update(bytes);
        hasher.finish()
    }

    /// The name of the algorithm: `sha256` or `sha512`.
    pub fn algorithm(&self) -> &'static str {
        match self.algorithm {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// The digits.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// What computes a digest of the same algorithm.
    pub(crate) fn hasher(&self) -> Hasher {
        match self.algorithm {
            Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
            Algorithm::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }

    /// Whether another digest is of the same algorithm.
    pub(crate) fn is_of_same_algorithm(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm
    }

    /// The digest of some bytes by the algorithm of this one.
    pub(crate) fn of_same_algorithm(&self, bytes: &[u8]) -> Self {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// A SHA-256 by its digits alone, as the names of files have it.
    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        format!("sha256:{hex}").parse().ok()
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let fault = || DigestError {
            text: text.to_owned(),
        };
        let (algorithm, hex) = text.split_once(':').ok_or_else(fault)?;
        let (algorithm, length) = match algorithm {
            "sha256" => (Algorithm::Sha256, 64),
            "sha512" => (Algorithm::Sha512, 128),
            _ => return Err(fault()),
        };
        if hex.len() != length || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(fault());
        }
        Ok(Self {
            algorithm,
            hex: hex.to_owned(),
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.algorithm(), self.hex)
    }
}

/// Computes a digest from bytes that come in pieces.
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest {
                algorithm: Algorithm::Sha256,
                hex: hex(&hasher.finalize()),
            },
            Self::Sha512(hasher) => Digest {
                algorithm: Algorithm::Sha512,
                hex: hex(&hasher.finalize()),
            },
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
