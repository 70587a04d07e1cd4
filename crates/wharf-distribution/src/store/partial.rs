//! Downloads under way: a file that one process at a time adds to, and that the next one goes on with.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use wharf_plugin::{ContentDigest, HashedBytes};

use super::{Store, StoreError};
use crate::hashed::HashedFile;
use crate::registry::Sink;

/// After so many bytes the disk begins to write them, so that little is left to wait for at the end.
const WRITTEN_AT_ONCE: u64 = 1 << 20;

/// A download under way. Nobody else adds to it as long as this lives.
pub(crate) struct Partial {
    content: HashedFile,
    path: PathBuf,
    /// How many bytes the disk has not been asked to write.
    unwritten: u64,
    /// The thread that waits for the disk.
    writing: Option<JoinHandle<io::Result<()>>>,
}

/// A download that ended and was checked, and is to be given its name.
pub(crate) struct Downloaded {
    /// Locked, so that nobody takes it for a download to go on with.
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) digest: ContentDigest,
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
            return Ok(Some(Partial {
                content: HashedFile::resumed(file, digest, locked.len())?,
                path,
                unwritten: 0,
                writing: None,
            }));
        }
    }
}

impl Partial {
    /// All of it is there and was checked.
    pub(crate) fn finish(mut self) -> Downloaded {
        self.begin_to_write();
        Downloaded {
            digest: self.content.wanted().clone(),
            length: self.content.length(),
            file: self.content.file,
            path: self.path,
        }
    }

    /// Has the disk write what the file has, unless it is at it, and waits for nothing. Whoever gives the file its name waits for
    /// all of it, and hears of what went wrong: the kernel tells that to each who has opened the file, which is why it is
    /// opened anew here.
    fn begin_to_write(&mut self) {
        let is_at_it = self
            .writing
            .as_ref()
            .is_some_and(|writing| !writing.is_finished());
        if let (false, Ok(runtime)) = (is_at_it, Handle::try_current()) {
            let path = self.path.clone();
            let write = move || File::open(path).and_then(|file| file.sync_data());
            self.writing = Some(runtime.spawn_blocking(write));
            self.unwritten = 0;
        }
    }
}

impl Sink for Partial {
    fn length(&self) -> u64 {
        self.content.length()
    }

    fn restart(&mut self) -> io::Result<()> {
        self.content.restart()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.content.append(bytes)?;
        self.unwritten += bytes.len() as u64;
        if self.unwritten >= WRITTEN_AT_ONCE {
            self.begin_to_write();
        }
        Ok(())
    }

    fn digest(&self) -> ContentDigest {
        self.content.digest()
    }
}

impl Downloaded {
    /// The digest that was checked.
    pub(crate) fn digest(&self) -> &ContentDigest {
        &self.digest
    }

    /// How many bytes there are.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The first bytes, at most so many.
    pub(crate) fn beginning(&self, most: u64) -> Result<Vec<u8>, StoreError> {
        let read = || -> io::Result<Vec<u8>> {
            let most = most.min(self.length);
            let mut file = &self.file;
            file.seek(SeekFrom::Start(0))?;
            let mut bytes = Vec::with_capacity(usize::try_from(most).unwrap_or(0));
            file.take(most).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| StoreError::of(&self.path, error))
    }

    /// All bytes, checked once more; nothing where somebody has changed the file.
    pub(crate) fn read(&self) -> Result<Option<HashedBytes>, StoreError> {
        let bytes = self.beginning(self.length)?;
        Ok(super::checked(bytes, &self.digest))
    }
}
