//! Why a directory cannot be walked at all.

use std::io;
use std::path::PathBuf;

/// Why a directory cannot be walked at all. Whoever named the target is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// There is nothing of that name.
    #[error("there is no file or directory {}", root.display())]
    Missing {
        /// The target.
        root: PathBuf,
    },
    /// The target is a link that leads to itself, or through too many others.
    #[error("{} is a loop of links", root.display())]
    LoopOfLinks {
        /// The target.
        root: PathBuf,
    },
    /// The system does not let it be opened.
    #[error("{} cannot be opened", root.display())]
    Unreadable {
        /// The target.
        root: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The target is a device, a FIFO or a socket.
    #[error("{} is neither a directory nor a file", root.display())]
    NeitherDirectoryNorFile {
        /// The target.
        root: PathBuf,
    },
}

impl WalkError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing { .. } => {
                "check the path; a relative one is taken from the directory that the command runs in"
            }
            Self::LoopOfLinks { .. } => "name the directory itself, not a link",
            Self::Unreadable { .. } => "run the scan as a user who may read it",
            Self::NeitherDirectoryNorFile { .. } => "name a directory, a file or an image",
        }
    }
}
