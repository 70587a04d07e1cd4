//! What could not be read of a target while the rest was.

use std::fmt;
use std::io;
use std::sync::Arc;

/// One part of a target that could not be read. The rest of the target is read all the same.
///
/// Its text names the target, the layer where there is one, the path and what is wrong; control characters of names are
/// escaped, so that a name cannot write to a terminal.
#[derive(Debug)]
pub struct Problem {
    target: Arc<str>,
    layer: Option<Arc<str>>,
    path: String,
    kind: ProblemKind,
}

/// What is wrong with a part of a target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The system does not let a directory be listed, or only a part of it.
    #[error("the directory cannot be listed, so that what is in it was not scanned")]
    Unlistable {
        /// The system's reason.
        source: io::Error,
    },
    /// The system does not let a file be opened or read.
    #[error("the file cannot be read")]
    Unreadable {
        /// The system's reason.
        source: io::Error,
    },
    /// It was listed, and was gone when it was to be opened.
    #[error("it went away while the target was scanned")]
    Gone,
    /// It was a file or a directory when it was listed, and something else, such as a link, when it was to be opened.
    #[error("it was replaced by something that is not followed while the target was scanned")]
    Replaced,
    /// A file that is larger than one file may be.
    #[error("the file of {size} bytes is larger than {limit} bytes, the most of one file")]
    TooLarge {
        /// Its size in bytes, as far as it is known.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A directory below as many others as may be.
    #[error("the directory is more than {limit} levels below the root")]
    TooDeep {
        /// The limit in levels.
        limit: usize,
    },
    /// A path that is longer than a path may be.
    #[error("the path of {length} bytes is longer than {limit} bytes")]
    PathTooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The target has more files than may be; those that are left were not read.
    #[error("the target has more than {limit} files; the rest was not scanned")]
    TooManyFiles {
        /// The limit in files.
        limit: u64,
    },
    /// The names that had to be remembered at once are more than may be; the rest of this directory was not read.
    #[error("the names in this directory need more than {limit} bytes; the rest of it was not scanned")]
    TooManyNames {
        /// The limit in bytes.
        limit: usize,
    },
    /// A path in a layer that would leave the root of the image.
    #[error("the path leaves the root of the image by `..`; the entry was passed over")]
    LeavesRoot,
    /// A path in a layer that no file can have.
    #[error("the path has a NUL byte or no name at all; the entry was passed over")]
    ImpossiblePath,
    /// A hard link in a layer whose target is in no layer.
    #[error(
        "the hard link leads to `{}`, which no layer up to this one has as a file",
        Shown(target)
    )]
    DanglingLink {
        /// Where it leads.
        target: String,
    },
    /// A hard link in a layer whose target was not looked for in all layers below, since following links has unpacked enough.
    #[error(
        "the hard link was not followed: to follow those of the image, more than {limit} bytes were unpacked again"
    )]
    LinkTooCostly {
        /// The limit in bytes.
        limit: u64,
    },
    /// There are more hard links to wanted files than are resolved in one layer.
    #[error(
        "the layer has more than {limit} hard links to files that are wanted; this one and the rest were not scanned"
    )]
    TooManyLinks {
        /// The limit in links.
        limit: usize,
    },
    /// The map of a sparse file does not fit its data.
    #[error("the map of the sparse file does not fit its data")]
    BadSparseMap,
}

impl Problem {
    pub(crate) fn new(
        target: &Arc<str>,
        layer: Option<&Arc<str>>,
        path: impl Into<String>,
        kind: ProblemKind,
    ) -> Self {
        Self {
            target: Arc::clone(target),
            layer: layer.cloned(),
            path: path.into(),
            kind,
        }
    }

    /// The target, as it was named.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The layer, by the digest of its unpacked bytes; none in a directory.
    pub fn layer(&self) -> Option<&str> {
        self.layer.as_deref()
    }

    /// The path in the target, with `/`; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong.
    pub fn kind(&self) -> &ProblemKind {
        &self.kind
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match &self.kind {
            ProblemKind::Unlistable { .. } | ProblemKind::Unreadable { .. } => {
                "run the scan as a user who may read it, or skip it"
            }
            ProblemKind::Gone | ProblemKind::Replaced => {
                "scan again when nothing writes to the target, or scan a copy of it"
            }
            ProblemKind::TooLarge { .. } => "raise the limit of one file, or skip the file",
            ProblemKind::TooDeep { .. } | ProblemKind::PathTooLong { .. } => {
                "scan the deep part as a target of its own"
            }
            ProblemKind::TooManyFiles { .. } | ProblemKind::TooManyNames { .. } => {
                "skip directories that need no scan, scan parts as targets of their own, or raise the limit"
            }
            ProblemKind::LeavesRoot
            | ProblemKind::ImpossiblePath
            | ProblemKind::DanglingLink { .. }
            | ProblemKind::BadSparseMap => {
                "whoever built the image is at fault: build it again with another tool"
            }
            ProblemKind::TooManyLinks { .. } | ProblemKind::LinkTooCostly { .. } => {
                "unpack the image and scan the directory"
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", Shown(&self.target))?;
        if let Some(layer) = &self.layer {
            write!(formatter, "layer {layer}: ")?;
        }
        if !self.path.is_empty() {
            write!(formatter, "{}: ", Shown(&self.path))?;
        }
        self.kind.fmt(formatter)
    }
}

impl std::error::Error for Problem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.kind)
    }
}

/// A name as it may be written to a terminal: control characters are escaped, and a very long one is shortened.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

/// The most characters of a name that are shown.
const MOST_SHOWN: usize = 300;

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, character) in self.0.chars().enumerate() {
            if position == MOST_SHOWN {
                return formatter.write_str("…");
            }
            if character.is_control() {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                write!(formatter, "{character}")?;
            }
        }
        Ok(())
    }
}
