//! Why a plugin's bytes cannot be had.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use wharf_plugin::{ByteSize, ContentDigest, DigestError, IdentifyError, ImageReferenceError, Reference};

use crate::layout::LayoutError;
use crate::registry::RegistryError;
use crate::store::StoreError;
use crate::verify::Refused;

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
    /// The name of an image is none.
    #[error("{reference} names no image")]
    NoImage {
        /// The reference.
        reference: Reference,
        /// Why not.
        source: ImageReferenceError,
    },
    /// What is written behind a URL is no digest.
    #[error("{reference} has something else than a digest behind `#`")]
    BadDigest {
        /// The reference.
        reference: Reference,
        /// What is wrong with it.
        source: DigestError,
    },
    /// A URL without the digest that its bytes must have.
    #[error(
        "{reference} does not say which digest its bytes must have, and anybody who holds the server could change them"
    )]
    NoDigest {
        /// The reference.
        reference: Reference,
    },
    /// The registry or server gives nothing of use.
    #[error("{reference} cannot be fetched")]
    Registry {
        /// The reference.
        reference: Reference,
        /// Why.
        source: Box<RegistryError>,
    },
    /// What was found is no plugin in any form that is known.
    #[error("{reference} is not a plugin in a form that is known")]
    Layout {
        /// The reference.
        reference: Reference,
        /// Why not.
        source: LayoutError,
    },
    /// The bytes are not a WebAssembly module.
    #[error("{reference} is not a plugin")]
    NotAModule {
        /// The reference.
        reference: Reference,
        /// What they seem to be.
        source: IdentifyError,
    },
    /// The policy of trust does not let it run.
    #[error("{reference} is not trusted")]
    Refused {
        /// The reference.
        reference: Reference,
        /// Why not.
        source: Box<Refused>,
    },
    /// Nobody may be asked, and the store does not have it.
    #[error("{reference} is not in the store, and registries are not to be asked")]
    NotStored {
        /// The reference.
        reference: Reference,
    },
    /// Nobody may be asked, and what the store has was changed.
    #[error(
        "{reference} was changed in the store, and registries are not to be asked; what was changed is thrown away"
    )]
    ChangedInStore {
        /// The reference.
        reference: Reference,
    },
    /// Somebody changed what was downloaded before it was used.
    #[error("{reference} was changed in the store while it was fetched; what was changed is not used")]
    ChangedMeanwhile {
        /// The reference.
        reference: Reference,
    },
    /// The lock file does not name it.
    #[error("{reference} is not in the lock file, and nothing else is to be fetched")]
    NotLocked {
        /// The reference.
        reference: Reference,
    },
    /// It is something else than the lock file says.
    #[error("{reference} is {actual}, and the lock file says {locked}")]
    NotAsLocked {
        /// The reference.
        reference: Reference,
        /// As the lock file says.
        locked: ContentDigest,
        /// As it is.
        actual: ContentDigest,
    },
    /// Another process is downloading it, and does not end.
    #[error("{reference} is being downloaded by another process, which has not ended within {limit:?}")]
    Busy {
        /// The reference.
        reference: Reference,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The store cannot be used.
    #[error("the store of plugins cannot be used")]
    Store(#[from] StoreError),
    /// The system gives no thread or no descriptors to fetch with.
    #[error("the system does not give what fetching needs")]
    NoRuntime(#[source] io::Error),
    /// A reference that [`fetch`](crate::fetch) does not fetch.
    #[error("{reference} is not a file, and nobody is there who fetches anything else")]
    OnlyFiles {
        /// The reference.
        reference: Reference,
    },
}

impl FetchError {
    pub(crate) fn registry(reference: &Reference, source: RegistryError) -> Self {
        Self::Registry {
            reference: reference.clone(),
            source: Box::new(source),
        }
    }

    pub(crate) fn layout(reference: &Reference, source: LayoutError) -> Self {
        Self::Layout {
            reference: reference.clone(),
            source,
        }
    }

    pub(crate) fn not_stored(reference: &Reference) -> Self {
        Self::NotStored {
            reference: reference.clone(),
        }
    }

    pub(crate) fn changed(reference: &Reference) -> Self {
        Self::ChangedInStore {
            reference: reference.clone(),
        }
    }

    pub(crate) fn changed_meanwhile(reference: &Reference) -> Self {
        Self::ChangedMeanwhile {
            reference: reference.clone(),
        }
    }

    pub(crate) fn no_runtime(source: io::Error) -> Self {
        Self::NoRuntime(source)
    }

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
            Self::NoImage { .. } => "write for example `oci:registry.example/team/greet:1.2`".to_owned(),
            Self::BadDigest { .. } => "write `#sha256:` and 64 hexadecimal digits".to_owned(),
            Self::NoDigest { .. } => {
                "write the output of `sha256sum` behind it as `#sha256:…`, or have `wharf lock` write it down"
                    .to_owned()
            }
            Self::Registry { source, .. } => source.hint().to_owned(),
            Self::Layout { source, .. } => source.hint().to_owned(),
            Self::NotAModule { source, .. } => source.hint(),
            Self::Refused { source, .. } => source.hint().to_owned(),
            Self::NotStored { .. } => {
                "fetch it with `wharf pull`, or bring it with `wharf save` and `wharf load`".to_owned()
            }
            Self::ChangedInStore { .. } => {
                "find out who writes to the store; fetch it anew with `wharf pull` or `wharf load`".to_owned()
            }
            Self::ChangedMeanwhile { .. } => "fetch it again, and find out who else writes to the store".to_owned(),
            Self::NotLocked { .. } => "write the lock file anew with `wharf lock`".to_owned(),
            Self::NotAsLocked { .. } => {
                "where the change is wanted, write the lock file anew with `wharf lock`".to_owned()
            }
            Self::Busy { .. } => "look what the other process does, or try again later".to_owned(),
            Self::Store(error) => error.hint().to_owned(),
            Self::NoRuntime(_) => "raise the limits of this process (`ulimit -n`, `ulimit -u`)".to_owned(),
            Self::OnlyFiles { .. } => {
                "fetch it with `wharf pull --output FILE`, and name the file; a program gives its loader a `Fetcher`".to_owned()
            }
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
