//! The plugins that are measured, and a key that signs them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::sections::with_section;

/// A filter in Rust of 200 KB.
pub(super) const FILTER: &str = "rust-headers/rust-headers.wasm";
/// A policy in Go of 4.5 MB.
pub(super) const POLICY: &str = "policies/policy-replicas/policy-replicas.wasm";
/// How many bytes the largest plugin has beside the filter that it is made of.
const LARGE: usize = 60_000_000;

/// A module of the repository.
///
/// # Errors
/// It is missing; this runs where `guests` is.
pub(super) fn guest(path: &str) -> Outcome<Vec<u8>> {
    let path = Path::new("guests").join(path);
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The filter with so many bytes in a section of its own that nothing compresses them.
pub(super) fn large() -> Outcome<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut content = Vec::with_capacity(LARGE + 8);
    while content.len() < LARGE {
        // Marsaglia's xorshift: the same bytes each time.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    Ok(with_section(guest(FILTER)?, "ballast", &content))
}

/// A key in two files.
pub(super) struct Key {
    pub(super) private: PathBuf,
    pub(super) public: PathBuf,
}

impl Key {
    /// Makes one of ECDSA on P-256, for as long as it is measured.
    pub(super) fn make(directory: &Path) -> Outcome<Self> {
        let made = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let key = Self {
            private: directory.join("bench.key"),
            public: directory.join("bench.pub"),
        };
        fs::write(&key.private, made.serialize_pem())?;
        fs::write(&key.public, made.public_key_pem())?;
        Ok(key)
    }
}
