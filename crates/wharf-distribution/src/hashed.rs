//! A file of which the digest is known as it grows.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use sha2::{Digest as _, Sha256, Sha512};
use wharf_plugin::{ContentDigest, Digest};

use crate::registry::Sink;

/// A digest that is computed piece by piece.
#[derive(Clone)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// One of the same algorithm.
    pub(crate) fn like(digest: &ContentDigest) -> Self {
        match digest {
            ContentDigest::Sha256(_) => Self::Sha256(Sha256::new()),
            ContentDigest::Sha512(_) => Self::Sha512(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn digest(&self) -> ContentDigest {
        match self.clone() {
            Self::Sha256(hasher) => ContentDigest::Sha256(Digest::from_bytes(hasher.finalize().into())),
            Self::Sha512(hasher) => ContentDigest::Sha512(Box::new(hasher.finalize().into())),
        }
    }
}

/// A file that is written from its beginning to its end, and the digest of what is in it.
pub(crate) struct HashedFile {
    pub(crate) file: File,
    /// The digest that it is to have in the end, by whose algorithm it is hashed.
    wanted: ContentDigest,
    hasher: Hasher,
    length: u64,
}

impl HashedFile {
    /// An empty one.
    pub(crate) fn empty(file: File, wanted: &ContentDigest) -> Self {
        Self {
            file,
            hasher: Hasher::like(wanted),
            wanted: wanted.clone(),
            length: 0,
        }
    }

    /// One with its first `length` bytes; what comes next goes behind them.
    pub(crate) fn resumed(file: File, wanted: &ContentDigest, length: u64) -> io::Result<Self> {
        let mut resumed = Self::empty(file, wanted);
        let mut buffer = vec![0; 64 << 10];
        let mut reader = Read::by_ref(&mut resumed.file).take(length);
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                return Ok(resumed);
            }
            resumed.hasher.update(buffer.get(..count).unwrap_or_default());
            resumed.length += count as u64;
        }
    }

    pub(crate) fn wanted(&self) -> &ContentDigest {
        &self.wanted
    }
}

impl Sink for HashedFile {
    fn length(&self) -> u64 {
        self.length
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Hasher::like(&self.wanted);
        self.length = 0;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn digest(&self) -> ContentDigest {
        self.hasher.digest()
    }
}
