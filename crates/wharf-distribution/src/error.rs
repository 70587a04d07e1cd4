//! Why a plugin's bytes cannot be had.

use std::fmt;
use std::io;
use std::path::PathBuf;

use wharf_plugin::{ByteSize, IdentifyError, Reference};

/// Why a plugin's bytes cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is no such file.
    #[error("there is no file {}", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// The system refused to open or read the file.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The path leads to something else than a file.
    #[error("{} is {kind}, not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it leads to.
        kind: FileKind,
    },
    /// The file, or what its text is assembled to, is larger than a plugin may be.
    #[error("{} is larger than a plugin may be, {limit}", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// [`MOST_BYTES`](crate::MOST_BYTES).
        limit: ByteSize,
    },
    /// The bytes are not a WebAssembly module.
    #[error("{} is not a plugin", path.display())]
    NotWasm {
        /// The path.
        path: PathBuf,
        /// What they seem to be.
        source: IdentifyError,
    },
    /// A `.wat` file that cannot be assembled.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Text {
        /// The path.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
        /// The line's text, without its indentation; shortened where it is very long.
        excerpt: String,
    },
    /// A `.wat` file that is a binary module.
    #[error("{} is a binary module with the name of a text", path.display())]
    BinaryText {
        /// The path.
        path: PathBuf,
    },
    /// A reference that this version does not fetch.
    #[error("{reference}: plugins are only fetched from files in this version")]
    NotSupportedYet {
        /// The reference.
        reference: Reference,
    },
}

impl FetchError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotFound { path } if path.is_relative() => {
                "a relative path in a configuration is relative to its file; was the plugin built?".to_owned()
            }
            Self::NotFound { .. } => "check the path; was the plugin built?".to_owned(),
            Self::Unreadable { .. } => "check that this process's user may read it".to_owned(),
            Self::NotAFile { .. } => "name the `.wasm` or `.wat` file itself".to_owned(),
            Self::TooLarge { .. } => {
                "is it the right file? Strip debug information with `wasm-strip`".to_owned()
            }
            Self::NotWasm { source, .. } => source.hint(),
            Self::Text { excerpt, .. } => format!("correct the text at `{excerpt}`"),
            Self::BinaryText { .. } => "name the file `.wasm`".to_owned(),
            Self::NotSupportedYet { .. } => "download it and name it with `file:`".to_owned(),
        }
    }
}

/// What a path leads to that is not a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A terminal, a disk or another device.
    Device,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Directory => "a directory",
            Self::Pipe => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}
