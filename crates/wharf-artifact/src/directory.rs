//! The files of a directory.

mod beneath;
mod error;
mod file;
mod listing;
mod walker;

use std::path::Path;
use std::sync::Arc;

pub use error::WalkError;
pub use file::{Contents, FoundFile, Stamp};

use crate::{Patterns, Visitor};
use beneath::Root;
use walker::Walker;

/// How a directory is walked.
#[derive(Debug, Clone)]
pub struct WalkOptions {
    /// Directories that are not entered. The root's own path is `.`. Default: none.
    pub skip_directories: Patterns,
    /// Files that are passed over. Default: none.
    pub skip_files: Patterns,
    /// Whether [`SKIPPED_DIRECTORIES`](crate::SKIPPED_DIRECTORIES) are passed over as well. Default: yes.
    pub skip_usual: bool,
    /// The most levels below the root. Default: 512.
    pub most_levels: usize,
    /// The most files, wanted or not. Default: 10 million.
    pub most_files: u64,
    /// The most bytes of one path, relative to the root. Default: 32 KiB.
    pub most_path: usize,
    /// The most bytes of names that are remembered at once: those of the directory that is being read, and those of the directories
    /// beside its parents that are still to be read. Default: 512 MiB, which is about 15 million names.
    pub most_names: usize,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self {
            skip_directories: Patterns::none(),
            skip_files: Patterns::none(),
            skip_usual: true,
            most_levels: 512,
            most_files: 10_000_000,
            most_path: 32 << 10,
            most_names: 512 << 20,
        }
    }
}

/// What a walk came by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WalkSummary {
    /// Regular files that were seen, wanted or not, without those in directories that were skipped.
    pub files: u64,
    /// Files that the visitor was given.
    pub given: u64,
    /// Directories that were read, the root included.
    pub directories: u64,
    /// Files and directories that the options skip.
    pub skipped: u64,
    /// Links, sockets, FIFOs and devices, which are passed over.
    pub others: u64,
    /// Problems that the visitor was told.
    pub problems: u64,
    /// Whether the visitor stopped the walk.
    pub stopped: bool,
}

/// Walks a directory and gives its regular files to a visitor, or the one file that `root` is.
///
/// The order is the same each time: the files of a directory by the bytes of their names, then its subdirectories by theirs. Links
/// are not followed, but for `root` itself, since that is what was asked for. File systems that are mounted below the root are read.
/// Names alone decide what is skipped or wanted; only of wanted files the size and the times are asked.
///
/// Where `root` is a file, its path is its name alone, and the patterns are held against `.`, as Trivy does.
///
/// At most 64 directories are open at once.
///
/// # Errors
/// Only where nothing can be read at all. Everything else is a [`Problem`](crate::Problem) that the visitor is told.
pub fn walk(root: &Path, options: &WalkOptions, visitor: &mut dyn Visitor) -> Result<WalkSummary, WalkError> {
    let target: Arc<str> = Arc::from(root.to_string_lossy());
    let (root, file) = Root::open(root, target)?;
    let walker = Walker::new(Arc::new(root), options, visitor);
    Ok(match file {
        None => walker.directories(),
        Some(file) => walker.single(&file),
    })
}
