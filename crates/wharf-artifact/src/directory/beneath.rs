//! Opening what is beneath a root, and nothing else.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::WalkError;

/// The most bytes that the kernel takes as one path, with room for its NUL.
const MOST_OF_KERNEL: usize = 4000;

/// The directory that is walked, or the one that the only file is in.
#[derive(Debug)]
pub(crate) struct Root {
    /// The target, as it was named.
    pub(crate) target: Arc<str>,
    directory: OwnedFd,
}

/// The file that was named as the target.
#[derive(Debug)]
pub(crate) struct SingleFile {
    /// Its name as it was given.
    pub(crate) shown: OsString,
    /// Its name in the root, which is another one where a link was named.
    pub(crate) real: OsString,
}

impl Root {
    /// Opens the root, following links to it. Where it is a file, the directory that it is in is the root.
    pub(crate) fn open(path: &Path, target: Arc<str>) -> Result<(Self, Option<SingleFile>), WalkError> {
        let refused = |source: io::Error| match Errno::from_io_error(&source) {
            Some(Errno::NOENT | Errno::NOTDIR) => WalkError::Missing {
                root: path.to_owned(),
            },
            Some(Errno::LOOP) => WalkError::LoopOfLinks {
                root: path.to_owned(),
            },
            _ => WalkError::Unreadable {
                root: path.to_owned(),
                source,
            },
        };
        let kind = fs::metadata(path).map_err(refused)?.file_type();
        if kind.is_dir() {
            let directory = open_root(path).map_err(|errno| refused(errno.into()))?;
            return Ok((Self { target, directory }, None));
        }
        if !kind.is_file() {
            return Err(WalkError::NeitherDirectoryNorFile {
                root: path.to_owned(),
            });
        }
        let resolved = fs::canonicalize(path).map_err(refused)?;
        let (Some(parent), Some(real), Some(shown)) =
            (resolved.parent(), resolved.file_name(), path.file_name())
        else {
            return Err(WalkError::NeitherDirectoryNorFile {
                root: path.to_owned(),
            });
        };
        // A directory may be searched by those who may not list it.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            rustix::fs::openat(CWD, parent, flags, Mode::empty()).map_err(|errno| refused(errno.into()))?;
        let file = SingleFile {
            shown: shown.to_owned(),
            real: real.to_owned(),
        };
        Ok((Self { target, directory }, Some(file)))
    }

    /// The root itself.
    pub(crate) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Opens a file for reading. Opening a FIFO does not wait.
    pub(crate) fn open_file(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        self.open_beneath(
            path,
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC,
        )
    }

    /// Opens a directory for listing.
    pub(crate) fn open_directory(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        self.open_beneath(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)
    }

    /// Opens what is at a path beneath the root. No part of the path is followed where it is a link, and none of the file
    /// descriptors of its directories outlives the call.
    fn open_beneath(&self, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
        if path.len() < MOST_OF_KERNEL {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(
                &self.directory,
                path,
                flags | OFlags::NOFOLLOW,
                Mode::empty(),
                resolve,
            ) {
                // A kernel or a sandbox that does not have the call, or a rename that came between.
                Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => {}
                answer => return answer,
            }
        }
        self.open_step_by_step(path, flags)
    }

    fn open_step_by_step(&self, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let mut parts = path.split(|byte| *byte == b'/').peekable();
        let mut parent: Option<OwnedFd> = None;
        while let Some(part) = parts.next() {
            if part.is_empty() || part == b"." || part == b".." {
                return Err(Errno::INVAL);
            }
            let from = parent.as_ref().map_or(self.directory.as_fd(), AsFd::as_fd);
            if parts.peek().is_none() {
                return rustix::fs::openat(from, part, flags | OFlags::NOFOLLOW, Mode::empty());
            }
            let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            parent = Some(rustix::fs::openat(from, part, step, Mode::empty())?);
        }
        Err(Errno::INVAL)
    }
}

fn open_root(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path.as_os_str().as_bytes(), flags, Mode::empty())
}

/// Opens a directory in another one.
pub(crate) fn open_in(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

#[cfg(test)]
mod tests;
