//! Why the store cannot be used.

use std::io;
use std::path::{Path, PathBuf};

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full, or the user has no more of it.
    #[error("there is no more room for {}", .path.display())]
    Full {
        /// What was to be written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The system refused something else.
    #[error("{} cannot be used", .path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It was made by another version of Wharf.
    #[error("{} says that this is a store of another version of Wharf", .path.display())]
    OtherVersion {
        /// The file that says so.
        path: PathBuf,
    },
}

impl StoreError {
    /// The error of the system at a path.
    pub(crate) fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Unusable { path, source },
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Full { .. } => "make room on the disk, or `wharf prune` what is in the store",
            Self::Unusable { .. } => {
                "check the directory of the store, and that this process's user may write to it"
            }
            Self::OtherVersion { .. } => "name another directory for the store, or delete this one",
        }
    }
}
