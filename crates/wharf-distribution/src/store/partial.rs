//! Downloads under way: a file that one process at a time adds to, and that the next one goes on with.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use wharf_plugin::ContentDigest;

use super::{Store, StoreError, sync_parent};
use crate::hashed::HashedFile;
use crate::registry::Sink;

/// A download under way. Nobody else adds to it as long as this lives.
pub(crate) struct Partial {
    content: HashedFile,
    path: PathBuf,
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
            let file = OpenOptions::new()
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
            let content = HashedFile::resumed(file, digest, locked.len())?;
            return Ok(Some(Partial { content, path }));
        }
    }
}

impl Partial {
    /// Where a download goes.
    pub(crate) fn sink(&mut self) -> &mut HashedFile {
        &mut self.content
    }

    /// Reads all that is there.
    pub(crate) fn read(&mut self) -> Result<Vec<u8>, StoreError> {
        let read = || -> io::Result<Vec<u8>> {
            let length = self.content.length();
            let mut file = &self.content.file;
            file.seek(SeekFrom::Start(0))?;
            let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
            file.take(length).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| StoreError::of(&self.path, error))
    }

    /// Gives what was downloaded and checked its name. The lock of the store is held by whoever calls this.
    pub(super) fn finish(self, store: &Store) -> Result<(), StoreError> {
        let to = store.blob_path(self.content.wanted());
        let named = || -> io::Result<()> {
            self.content.file.sync_data()?;
            fs::rename(&self.path, &to)?;
            sync_parent(&to)
        };
        named().map_err(|error| StoreError::of(&to, error))
    }
}
