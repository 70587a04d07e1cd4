//! One file that was found.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::beneath::Root;
use crate::{Problem, ProblemKind};

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stamp {
    /// The size in bytes.
    pub size: u64,
    /// When its content was last changed, in nanoseconds since 1970.
    pub modified: i128,
    /// When its content or its attributes were last changed, in nanoseconds since 1970. Programs cannot set it.
    pub changed: i128,
    /// Its number in its file system.
    pub inode: u64,
    /// The file system's number.
    pub device: u64,
}

/// A regular file below the root of a walk. It may be sent to another thread and read there; it holds no descriptor of its own, only the
/// root's, which all files of a walk share.
#[derive(Debug, Clone)]
pub struct FoundFile {
    root: Arc<Root>,
    path: String,
    /// The path beneath the root, where that is not `path`: it is not UTF-8, or a link to a file was the target.
    real: Option<Box<[u8]>>,
    lossy: bool,
    stamp: Stamp,
    mode: u32,
}

/// What a file held when it was read.
#[derive(Debug, Clone)]
pub struct Contents {
    /// All of its bytes.
    pub bytes: Arc<[u8]>,
    /// Whether the file was from the moment when it was found until it had been read as its [`Stamp`] says. Where it was
    /// not, the bytes are what was read, and nothing about them should be remembered under that stamp.
    pub unchanged: bool,
}

impl FoundFile {
    pub(super) fn new(root: &Arc<Root>, path: String, real: &[u8], lossy: bool, stat: &Stat) -> Self {
        let real = (path.as_bytes() != real).then(|| real.into());
        let mode = stat.st_mode;
        Self {
            root: Arc::clone(root),
            path,
            real,
            lossy,
            stamp: Stamp::of(stat),
            mode,
        }
    }

    /// The path relative to the root, with `/`. Bytes that are not UTF-8 stand as U+FFFD.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the real path is not UTF-8, so that [`path`](Self::path) does not name the file exactly. Two files may then have the same path.
    pub fn has_lossy_path(&self) -> bool {
        self.lossy
    }

    /// The size in bytes when it was found.
    pub fn size(&self) -> u64 {
        self.stamp.size
    }

    /// What tells this state of the file from another one.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Its permissions, as the lower twelve bits.
    pub fn mode(&self) -> u32 {
        self.mode & 0o7777
    }

    /// Opens the file. No link is followed, so nothing outside of the root is opened whatever was changed meanwhile. Blocks as the file system does.
    ///
    /// # Errors
    /// [`ProblemKind::Gone`], [`ProblemKind::Replaced`] where it is no regular file any more, [`ProblemKind::Unreadable`].
    pub fn open(&self) -> Result<File, Problem> {
        self.opened().map(|(file, _)| file)
    }

    /// Reads the whole file. A file that grew or shrank since it was found is read as it is now.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and [`ProblemKind::TooLarge`] where there are more than `limit` bytes, also when the file
    /// grows beyond them while it is read.
    pub fn read(&self, limit: u64) -> Result<Contents, Problem> {
        let unreadable = |source| self.problem(ProblemKind::Unreadable { source });
        let (mut file, before) = self.opened()?;
        if before.size > limit {
            return Err(self.problem(ProblemKind::TooLarge {
                size: before.size,
                limit,
            }));
        }
        let expected = usize::try_from(before.size).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(expected)
            .map_err(|_| unreadable(std::io::ErrorKind::OutOfMemory.into()))?;
        // One more than the limit tells a file that grew beyond it. It is asked in a second step, so that `bytes` need not grow.
        (&mut file)
            .take(before.size)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let mut more = Vec::new();
        let room = limit.saturating_sub(before.size).saturating_add(1);
        let ended_early = bytes.len() < expected;
        if !ended_early {
            (&mut file)
                .take(room)
                .read_to_end(&mut more)
                .map_err(unreadable)?;
            bytes.append(&mut more);
        }
        let size = bytes.len() as u64;
        if size > limit {
            return Err(self.problem(ProblemKind::TooLarge { size, limit }));
        }
        let after = rustix::fs::fstat(&file).map_err(|errno| unreadable(errno.into()))?;
        let unchanged = before == self.stamp && Stamp::of(&after) == self.stamp && size == self.stamp.size;
        Ok(Contents {
            bytes: bytes.into(),
            unchanged,
        })
    }

    fn opened(&self) -> Result<(File, Stamp), Problem> {
        let refused = |errno| {
            self.problem(match errno {
                Errno::NOENT => ProblemKind::Gone,
                Errno::LOOP | Errno::NOTDIR | Errno::NXIO | Errno::XDEV => ProblemKind::Replaced,
                errno => ProblemKind::Unreadable { source: errno.into() },
            })
        };
        let real = self.real.as_deref().unwrap_or(self.path.as_bytes());
        let descriptor = self.root.open_file(real).map_err(refused)?;
        let stat = rustix::fs::fstat(&descriptor).map_err(refused)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.problem(ProblemKind::Replaced));
        }
        Ok((File::from(descriptor), Stamp::of(&stat)))
    }

    fn problem(&self, kind: ProblemKind) -> Problem {
        Problem::new(&self.root.target, None, self.path.as_str(), kind)
    }
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        let nanoseconds =
            |seconds: i128, rest: i128| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: nanoseconds(stat.st_mtime.into(), stat.st_mtime_nsec.into()),
            changed: nanoseconds(stat.st_ctime.into(), stat.st_ctime_nsec.into()),
            inode: stat.st_ino,
            device: stat.st_dev,
        }
    }
}
