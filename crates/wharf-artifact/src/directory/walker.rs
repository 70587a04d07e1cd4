//! The walk itself: one directory after the other, without recursion.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::beneath::{Root, SingleFile, open_in};
use super::listing::{Broken, Names, list};
use super::{FoundFile, WalkOptions, WalkSummary};
use crate::{Flow, Problem, ProblemKind, Visitor};

/// The most directories that are open at once. Those further up are opened anew when they are needed.
const MOST_OPEN: usize = 64;
/// What the kernel fills with names at once.
const BUFFER: usize = 64 << 10;

pub(super) struct Walker<'a> {
    root: Arc<Root>,
    options: &'a WalkOptions,
    visitor: &'a mut dyn Visitor,
    summary: WalkSummary,
    /// The path of what is being looked at, as its bytes and as it is shown.
    real: Vec<u8>,
    shown: String,
    levels: Vec<Level>,
    /// The levels below this position have no open descriptor.
    first_open: usize,
    /// The bytes of the names in `levels`.
    held: usize,
    buffer: Vec<u8>,
}

/// A directory that was read and whose subdirectories are still to be read.
struct Level {
    descriptor: Option<OwnedFd>,
    directories: Names,
    next: usize,
    /// How much of the two paths is this directory's.
    real_length: usize,
    shown_length: usize,
}

/// The walk ends here: the visitor stopped it, or there are more files than may be.
struct Ended;

impl<'a> Walker<'a> {
    pub(super) fn new(root: Arc<Root>, options: &'a WalkOptions, visitor: &'a mut dyn Visitor) -> Self {
        Self {
            root,
            options,
            visitor,
            summary: WalkSummary::default(),
            real: Vec::new(),
            shown: String::new(),
            levels: Vec::new(),
            first_open: 0,
            held: 0,
            buffer: Vec::with_capacity(BUFFER),
        }
    }

    pub(super) fn single(mut self, file: &SingleFile) -> WalkSummary {
        let shown = file.shown.to_string_lossy().into_owned();
        self.summary.files = 1;
        if self.options.skip_files.matches(".") {
            self.summary.skipped = 1;
            return self.summary;
        }
        if !self.visitor.wants(&shown) {
            return self.summary;
        }
        let lossy = shown.as_bytes() != file.shown.as_bytes();
        self.shown = shown;
        self.real = file.real.as_bytes().to_vec();
        let root = Arc::clone(&self.root);
        let _ = self.found(root.directory(), file.real.as_bytes(), lossy);
        self.summary
    }

    pub(super) fn directories(mut self) -> WalkSummary {
        let _ = self.all();
        self.summary
    }

    fn all(&mut self) -> Result<(), Ended> {
        if self.options.skip_directories.matches(".") {
            self.summary.skipped += 1;
            return Ok(());
        }
        let opened = open_in(self.root.directory(), b".");
        self.directory(opened)?;
        while let Some(level) = self.levels.last_mut() {
            self.real.truncate(level.real_length);
            self.shown.truncate(level.shown_length);
            let Some(name) = level.directories.name(level.next) else {
                self.leave();
                continue;
            };
            level.next += 1;
            if !self.shown.is_empty() {
                self.real.push(b'/');
                self.shown.push('/');
            }
            self.real.extend_from_slice(name);
            self.shown.push_str(&String::from_utf8_lossy(name));
            let name = name.to_vec();
            self.subdirectory(&name)?;
        }
        Ok(())
    }

    /// The directory that the path names now, if it is to be read.
    fn subdirectory(&mut self, name: &[u8]) -> Result<(), Ended> {
        if self.is_skipped(name) {
            self.summary.skipped += 1;
            return Ok(());
        }
        let limit = self.options.most_levels;
        if self.levels.len() > limit {
            return self.problem(ProblemKind::TooDeep { limit });
        }
        let (length, limit) = (self.real.len(), self.options.most_path);
        if length > limit {
            return self.problem(ProblemKind::PathTooLong { length, limit });
        }
        let parent = self.levels.last().and_then(|level| level.descriptor.as_ref());
        let opened = match parent {
            Some(parent) => open_in(parent.as_fd(), name),
            None => self.root.open_directory(&self.real),
        };
        self.forget_parent_without_children();
        self.directory(opened)
    }

    fn is_skipped(&self, name: &[u8]) -> bool {
        let usual = self.options.skip_usual
            && (name == b".git" || (self.levels.len() == 1 && matches!(name, b"proc" | b"sys" | b"dev")));
        usual || self.options.skip_directories.matches(&self.shown)
    }

    /// Reads a directory, gives its files, and remembers its subdirectories.
    fn directory(&mut self, opened: rustix::io::Result<OwnedFd>) -> Result<(), Ended> {
        let descriptor = match opened {
            Ok(descriptor) => descriptor,
            Err(Errno::NOENT) => return self.problem(ProblemKind::Gone),
            Err(Errno::LOOP | Errno::NOTDIR) => return self.problem(ProblemKind::Replaced),
            Err(errno) => return self.problem(ProblemKind::Unlistable { source: errno.into() }),
        };
        let flow = self.visitor.directory(&self.shown);
        self.go_on(flow)?;
        self.summary.directories += 1;
        let room = self.options.most_names.saturating_sub(self.held).min(1 << 31);
        let listing = list(descriptor.as_fd(), &mut self.buffer, room);
        self.summary.others += listing.others;
        match listing.broken {
            Some(Broken::Refused(errno)) => {
                self.problem(ProblemKind::Unlistable { source: errno.into() })?;
            }
            Some(Broken::Full) => {
                self.problem(ProblemKind::TooManyNames {
                    limit: self.options.most_names,
                })?;
            }
            None => {}
        }
        self.files(descriptor.as_fd(), &listing.files)?;
        self.enter(descriptor, listing.directories);
        Ok(())
    }

    fn enter(&mut self, descriptor: OwnedFd, directories: Names) {
        self.held = self.held.saturating_add(directories.memory());
        self.levels.push(Level {
            descriptor: (directories.len() > 0).then_some(descriptor),
            directories,
            next: 0,
            real_length: self.real.len(),
            shown_length: self.shown.len(),
        });
        while self.levels.len().saturating_sub(self.first_open) > MOST_OPEN {
            if let Some(level) = self.levels.get_mut(self.first_open) {
                level.descriptor = None;
            }
            self.first_open += 1;
        }
    }

    fn leave(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.held = self.held.saturating_sub(level.directories.memory());
        }
        self.first_open = self.first_open.min(self.levels.len());
    }

    /// The last subdirectory of a directory needs its parent only until it is open.
    fn forget_parent_without_children(&mut self) {
        if let Some(level) = self.levels.last_mut()
            && level.next >= level.directories.len()
        {
            level.descriptor = None;
        }
    }

    fn files(&mut self, directory: BorrowedFd<'_>, names: &Names) -> Result<(), Ended> {
        let (real_length, shown_length) = (self.real.len(), self.shown.len());
        for position in 0..names.len() {
            let Some(name) = names.name(position) else {
                continue;
            };
            let limit = self.options.most_files;
            if self.summary.files >= limit {
                self.problem(ProblemKind::TooManyFiles { limit })?;
                return Err(Ended);
            }
            self.summary.files += 1;
            if real_length > 0 {
                self.real.push(b'/');
                self.shown.push('/');
            }
            self.real.extend_from_slice(name);
            self.shown.push_str(&String::from_utf8_lossy(name));
            let answer = self.file(directory, name);
            self.real.truncate(real_length);
            self.shown.truncate(shown_length);
            answer?;
        }
        Ok(())
    }

    /// The file that the path names now.
    fn file(&mut self, directory: BorrowedFd<'_>, name: &[u8]) -> Result<(), Ended> {
        let (length, limit) = (self.real.len(), self.options.most_path);
        if length > limit {
            return self.problem(ProblemKind::PathTooLong { length, limit });
        }
        if self.options.skip_files.matches(&self.shown) {
            self.summary.skipped += 1;
            return Ok(());
        }
        if !self.visitor.wants(&self.shown) {
            return Ok(());
        }
        let lossy = self.shown.as_bytes() != self.real;
        self.found(directory, name, lossy)
    }

    /// Gives a wanted file to the visitor.
    fn found(&mut self, directory: BorrowedFd<'_>, name: &[u8], lossy: bool) -> Result<(), Ended> {
        let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return self.problem(ProblemKind::Gone),
            Err(errno) => return self.problem(ProblemKind::Unreadable { source: errno.into() }),
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return self.problem(ProblemKind::Replaced);
        }
        self.summary.given += 1;
        let file = FoundFile::new(&self.root, self.shown.clone(), &self.real, lossy, &stat);
        let flow = self.visitor.file(file);
        self.go_on(flow)
    }

    fn problem(&mut self, kind: ProblemKind) -> Result<(), Ended> {
        self.summary.problems += 1;
        let flow = self
            .visitor
            .problem(Problem::new(&self.root.target, None, self.shown.as_str(), kind));
        self.go_on(flow)
    }

    fn go_on(&mut self, flow: Flow) -> Result<(), Ended> {
        match flow {
            Flow::Continue => Ok(()),
            Flow::Stop => {
                self.summary.stopped = true;
                Err(Ended)
            }
        }
    }
}
