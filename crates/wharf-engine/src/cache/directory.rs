//! The cache's directory: whether it is private, the locks of its entries, and what is removed from it.
//!
//! Everything is done relative to the directory as it was opened and checked, so that nobody can put another directory
//! in its place meanwhile.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use wharf_plugin::ByteSize;

use super::CompiledCacheError;
use super::entry::{self, Key};

/// How long a lock is waited for: longer than the largest modules take to compile.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// How often a lock that somebody else holds is tried.
const LOCK_INTERVAL: Duration = Duration::from_millis(5);

/// The directory, opened and found to be private.
pub(super) struct Directory {
    descriptor: OwnedFd,
    path: PathBuf,
}

/// The right to compile one entry. The lock file goes with it.
pub(super) struct Lock<'a> {
    directory: &'a Directory,
    name: String,
    /// Held for its `flock`, which ends when it is closed.
    _file: OwnedFd,
}

impl Directory {
    /// Opens the directory, which is made where it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, CompiledCacheError> {
        let refused = |action, source| CompiledCacheError::System {
            path: path.to_owned(),
            action,
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| refused("created", Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        let descriptor = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|source| refused("opened", source))?;
        let stat = rustix::fs::fstat(&descriptor).map_err(|source| refused("examined", source))?;
        check_private(path, &stat)?;
        Ok(Self {
            descriptor,
            path: path.to_owned(),
        })
    }

    /// The path of a file in it, for messages.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The error of something that the system refused to do to a file in it.
    pub(super) fn refused(&self, name: &str, action: &'static str, source: Errno) -> CompiledCacheError {
        CompiledCacheError::System {
            path: self.path_of(name),
            action,
            source,
        }
    }

    /// Opens a file in it for reading, without following a link or waiting for a pipe's writer.
    pub(super) fn open_file(&self, name: &str) -> Result<Option<File>, CompiledCacheError> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(descriptor) => Ok(Some(File::from(descriptor))),
            Err(Errno::NOENT) => Ok(None),
            Err(source) => Err(self.refused(name, "opened", source)),
        }
    }

    /// Takes the lock of an entry, and waits while another thread or process compiles it.
    pub(super) fn lock(&self, key: &Key) -> Result<Lock<'_>, CompiledCacheError> {
        let name = key.lock_name();
        let started = Instant::now();
        loop {
            if let Some(lock) = self.try_lock(&name)? {
                return Ok(lock);
            }
            let waited = started.elapsed();
            if waited >= LOCK_PATIENCE {
                return Err(CompiledCacheError::Locked {
                    path: self.path_of(&name),
                    waited,
                });
            }
            std::thread::sleep(LOCK_INTERVAL);
        }
    }

    /// Takes a lock unless somebody holds it.
    fn try_lock(&self, name: &str) -> Result<Option<Lock<'_>>, CompiledCacheError> {
        let refused = |source| self.refused(name, "locked", source);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            rustix::fs::openat(&self.descriptor, name, flags, Mode::RUSR | Mode::WUSR).map_err(refused)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(source) => return Err(refused(source)),
        }
        // Who held it before may have removed the file after it was opened here. Then this is a lock on nothing, and
        // the next try takes the file that has the name now.
        let locked = rustix::fs::fstat(&file).map_err(refused)?;
        let same_file = rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|named| (named.st_dev, named.st_ino) == (locked.st_dev, locked.st_ino));
        Ok(same_file.then(|| Lock {
            directory: self,
            name: name.to_owned(),
            _file: file,
        }))
    }

    /// Writes an entry. The caller holds its lock, so nobody else writes the same temporary file.
    pub(super) fn store(&self, key: &Key, code: &[u8], size: ByteSize) -> Result<(), CompiledCacheError> {
        let bytes = ByteSize::from_bytes(code.len() as u64);
        if bytes > size {
            return Err(CompiledCacheError::TooLarge { bytes, size });
        }
        let (temporary, name) = (key.temporary_name(), key.name());
        self.remove(&temporary);
        let stored = self.write(&temporary, code).and_then(|()| {
            rustix::fs::renameat(&self.descriptor, &temporary, &self.descriptor, &name)
                .map_err(|source| self.refused(&name, "stored", source))
        });
        if stored.is_err() {
            self.remove(&temporary);
        }
        stored
    }

    fn write(&self, name: &str, code: &[u8]) -> Result<(), CompiledCacheError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = rustix::fs::openat(&self.descriptor, name, flags, Mode::RUSR)
            .map(File::from)
            .map_err(|source| self.refused(name, "created", source))?;
        file.write_all(code)
            .and_then(|()| file.write_all(&entry::seal(code)))
            .map_err(|error| self.refused(name, "written", Errno::from_io_error(&error).unwrap_or(Errno::IO)))
    }

    /// Removes what writers left that died, and then the entries that were used least recently until the rest fits
    /// into `size`. The entry `latest` stays. What cannot be read or removed is left: the cache is only larger then.
    pub(super) fn sweep(&self, size: ByteSize, latest: &Key) {
        let mut entries = Vec::new();
        for name in self.names() {
            if let Some(stem) = name.strip_suffix(".tmp").or_else(|| name.strip_suffix(".lock")) {
                self.remove_leftover(stem, latest);
            } else if name.ends_with(".cwasm")
                && let Ok(stat) = rustix::fs::statat(&self.descriptor, &name, AtFlags::SYMLINK_NOFOLLOW)
            {
                let used = (stat.st_mtime, stat.st_mtime_nsec);
                entries.push((used, u64::try_from(stat.st_size).unwrap_or(0), name));
            }
        }
        entries.sort_unstable();
        let mut total: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, name) in entries {
            if total <= size.bytes() {
                return;
            }
            if name != latest.name() {
                self.remove(&name);
                total -= bytes;
            }
        }
    }

    /// Whoever works on an entry holds its lock, so files beside a lock that is free are nobody's.
    fn remove_leftover(&self, stem: &str, latest: &Key) {
        let lock = format!("{stem}.lock");
        if lock == latest.lock_name() {
            return;
        }
        if let Ok(Some(_lock)) = self.try_lock(&lock) {
            self.remove(&format!("{stem}.tmp"));
        }
    }

    fn names(&self) -> Vec<String> {
        let Ok(directory) = Dir::read_from(&self.descriptor) else {
            return Vec::new();
        };
        directory
            .flatten()
            .filter_map(|entry| Some(entry.file_name().to_str().ok()?.to_owned()))
            .collect()
    }

    fn remove(&self, name: &str) {
        // Another process may have removed it first; one that cannot be removed is met again at the next sweep.
        let _ = rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty());
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        self.directory.remove(&self.name);
    }
}

/// Whether only this user can write a file or directory.
pub(super) fn check_private(path: &Path, stat: &Stat) -> Result<(), CompiledCacheError> {
    let user = rustix::process::geteuid().as_raw();
    if stat.st_uid != user {
        return Err(CompiledCacheError::ForeignOwner {
            path: path.to_owned(),
            owner: stat.st_uid,
            user,
        });
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.intersects(Mode::WGRP | Mode::WOTH) {
        return Err(CompiledCacheError::WritableByOthers {
            path: path.to_owned(),
            mode: mode.bits() & 0o7777,
        });
    }
    Ok(())
}

/// Whether it is a regular file.
pub(super) fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}
