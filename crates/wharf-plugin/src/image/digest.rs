//! The digests that registries use.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha512};

use crate::Digest;

/// The digest of a manifest or a blob, by one of the algorithms that the OCI image specification has.
///
/// Where Wharf itself names bytes it uses [`Digest`], which is SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentDigest {
    /// What nearly everybody uses.
    Sha256(Digest),
    /// What a few use.
    Sha512(Box<[u8; 64]>),
}

impl ContentDigest {
    /// The SHA-256 digest of some bytes.
    pub fn sha256_of(bytes: &[u8]) -> Self {
        Self::Sha256(Digest::of(bytes))
    }

    /// The digest of other bytes by the same algorithm: it is equal where the bytes are the same.
    #[must_use]
    pub fn again_of(&self, bytes: &[u8]) -> Self {
        match self {
            Self::Sha256(_) => Self::sha256_of(bytes),
            Self::Sha512(_) => Self::Sha512(Box::new(Sha512::digest(bytes).into())),
        }
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => digest.fmt(f),
            Self::Sha512(bytes) => {
                f.write_str("sha512:")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl FromStr for ContentDigest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_prefix("sha512:") {
            None => text.parse().map(Self::Sha256).map_err(|_| ()),
            Some(digits) => sha512(digits).map(Self::Sha512).ok_or(()),
        }
    }
}

fn sha512(digits: &str) -> Option<Box<[u8; 64]>> {
    let digits = digits.as_bytes();
    if digits.len() != 128 {
        return None;
    }
    let mut digest = Box::new([0; 64]);
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(digest)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
