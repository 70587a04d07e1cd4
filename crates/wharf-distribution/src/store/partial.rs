//! Downloads under way: a file that one process at a time adds to, and that the next one goes on with.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256, Sha512};
use wharf_plugin::{ContentDigest, Digest};

use super::{Store, StoreError, sync_parent};
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

/// A download under way. Nobody else adds to it as long as this lives.
pub(crate) struct Partial {
    file: File,
    path: PathBuf,
    digest: ContentDigest,
    hasher: Hasher,
    length: u64,
}

impl Store {
    /// The download of a digest; nothing where another process, or another thread, is at it.
    pub(crate) fn partial(&self, digest: &ContentDigest) -> Result<Option<Partial>, StoreError> {
        let path = self.partial_path(digest);
        self.try_partial(digest)
            .map_err(|error| StoreError::of(&path, error))
    }

    fn try_partial(&self, digest: &ContentDigest) -> io::Result<Option<Partial>> {
        let path = self.partial_path(digest);
        loop {
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had the lock before may have given the file its final name, or taken it away.
            let locked = file.metadata()?;
            let is_it = fs::metadata(&path).is_ok_and(|named| named.ino() == locked.ino());
            if !is_it {
                continue;
            }
            let mut hasher = Hasher::like(digest);
            let length = hash(&mut file, locked.len(), &mut hasher)?;
            return Ok(Some(Partial {
                file,
                path,
                digest: digest.clone(),
                hasher,
                length,
            }));
        }
    }
}

/// The digest of what is there already. What comes next goes behind it.
fn hash(file: &mut File, length: u64, hasher: &mut Hasher) -> io::Result<u64> {
    let mut buffer = vec![0; 64 << 10];
    let mut read = 0;
    let mut reader = Read::by_ref(file).take(length);
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return Ok(read);
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
        read += count as u64;
    }
}

impl Partial {
    /// Reads all that is there.
    pub(crate) fn read(&mut self) -> Result<Vec<u8>, StoreError> {
        let mut read = || -> io::Result<Vec<u8>> {
            self.file.seek(SeekFrom::Start(0))?;
            let mut bytes = Vec::with_capacity(usize::try_from(self.length).unwrap_or(0));
            Read::by_ref(&mut self.file)
                .take(self.length)
                .read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| StoreError::of(&self.path, error))
    }

    /// Gives what was downloaded and checked its name. The lock of the store is held by whoever calls this.
    pub(super) fn finish(self, store: &Store) -> Result<(), StoreError> {
        let to = store.blob_path(&self.digest);
        let named = || -> io::Result<()> {
            self.file.sync_data()?;
            fs::rename(&self.path, &to)?;
            sync_parent(&to)
        };
        named().map_err(|error| StoreError::of(&to, error))
    }
}

impl Sink for Partial {
    fn length(&self) -> u64 {
        self.length
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Hasher::like(&self.digest);
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
