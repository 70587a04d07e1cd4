//! Why a layer cannot be used.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::problem::Shown;
use crate::{Compression, Digest, HeaderFault};

/// Why a layer of an image cannot be used. Its text names the target, the layer and what is wrong.
#[derive(Debug)]
pub struct LayerError {
    target: Arc<str>,
    index: usize,
    layer: Option<String>,
    kind: LayerErrorKind,
}

/// What is wrong with a layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerErrorKind {
    /// The image has fewer layers.
    #[error("the image has no such layer")]
    NoSuchLayer,
    /// The blob is not where the image says.
    #[error("its blob is missing")]
    Missing,
    /// The blob could not be read.
    #[error("its blob cannot be read")]
    Unreadable {
        /// The reason.
        source: io::Error,
    },
    /// It is compressed in a way that is not read.
    #[error("it is compressed with {compression}, which is not read")]
    UnknownCompression {
        /// The format.
        compression: Compression,
    },
    /// The compressed bytes are broken.
    #[error("its {compression} stream is broken after {unpacked} unpacked bytes")]
    Corrupt {
        /// The format.
        compression: Compression,
        /// How many bytes came out of it.
        unpacked: u64,
        /// The decoder's reason.
        source: io::Error,
    },
    /// The bytes end within the archive.
    #[error("it ends in the middle of an entry, at byte {position} of the unpacked archive")]
    Truncated {
        /// Where it ends, in unpacked bytes.
        position: u64,
    },
    /// A header of the archive is none.
    #[error("the entry at byte {position} of the unpacked archive is malformed")]
    Malformed {
        /// Where the header starts, in unpacked bytes.
        position: u64,
        /// What is wrong with it.
        source: HeaderFault,
    },
    /// The stored bytes have another digest than the image says.
    #[error("its digest is {found}, and the image says {expected}")]
    WrongDigest {
        /// What the image says.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// The unpacked bytes have another digest than the image's configuration says.
    #[error("the digest of its unpacked bytes is {found}, and the image's configuration says {expected}")]
    WrongDiffId {
        /// What the configuration says.
        expected: Digest,
        /// The digest of the unpacked bytes.
        found: Digest,
    },
    /// There are more or fewer stored bytes than the image says.
    #[error("it has {found} bytes, and the image says {expected}")]
    WrongSize {
        /// What the image says, in bytes.
        expected: u64,
        /// How many there are; where there are more, how many were read.
        found: u64,
    },
    /// More unpacked bytes than a layer may have.
    #[error("it has more than {limit} bytes when it is unpacked")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// More unpacked bytes than the layers of an image may have together.
    #[error("the layers of the image have more than {limit} bytes together when they are unpacked")]
    ImageTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// So many bytes come out of so few that it is made to do harm.
    #[error("its {stored} bytes so far unpack to more than {limit} times as many: a decompression bomb")]
    Bomb {
        /// How many stored bytes were read.
        stored: u64,
        /// The limit as a factor.
        limit: u64,
    },
    /// More entries than a layer may have.
    #[error("it has more than {limit} entries")]
    TooManyEntries {
        /// The limit in entries.
        limit: u64,
    },
    /// More names to remember than there may be.
    #[error("its whiteouts and links have more than {limit} bytes of names")]
    TooManyNames {
        /// The limit in bytes.
        limit: usize,
    },
    /// The visitor stopped, or the options' flag was set.
    #[error("reading it was stopped")]
    Stopped,
}

impl LayerError {
    pub(super) fn new(target: &Arc<str>, index: usize, layer: Option<String>, kind: LayerErrorKind) -> Self {
        Self {
            target: Arc::clone(target),
            index,
            layer,
            kind,
        }
    }

    /// The target, as it was named.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The number of the layer, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The layer's digest of its unpacked bytes, where there is such a layer.
    pub fn layer(&self) -> Option<&str> {
        self.layer.as_deref()
    }

    /// What is wrong.
    pub fn kind(&self) -> &LayerErrorKind {
        &self.kind
    }

    /// Who is at fault, and what to do.
    pub fn hint(&self) -> &'static str {
        match &self.kind {
            LayerErrorKind::NoSuchLayer => "ask for a layer that the image has",
            LayerErrorKind::Missing => "save the image again with all of its layers",
            LayerErrorKind::Unreadable { .. } => {
                "check the disk or the network, and that the file may be read"
            }
            LayerErrorKind::UnknownCompression { .. } => "build the image with layers in gzip or zstd",
            LayerErrorKind::Corrupt { .. }
            | LayerErrorKind::Truncated { .. }
            | LayerErrorKind::WrongSize { .. }
            | LayerErrorKind::WrongDigest { .. } => {
                "the image was damaged or changed after it was built: fetch or save it again"
            }
            LayerErrorKind::Malformed { .. } | LayerErrorKind::WrongDiffId { .. } => {
                "the image was built wrongly, or changed with intent: do not run it, and build it again"
            }
            LayerErrorKind::TooLarge { .. }
            | LayerErrorKind::ImageTooLarge { .. }
            | LayerErrorKind::TooManyEntries { .. }
            | LayerErrorKind::TooManyNames { .. } => "raise the limit if you trust who built the image",
            LayerErrorKind::Bomb { .. } => {
                "do not run the image; raise the limit only if you know why it is so"
            }
            LayerErrorKind::Stopped => "scan again without interrupting it",
        }
    }
}

impl fmt::Display for LayerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: layer {}",
            Shown(&self.target),
            self.index.saturating_add(1)
        )?;
        if let Some(layer) = &self.layer {
            write!(formatter, " ({layer})")?;
        }
        write!(formatter, ": {}", self.kind)
    }
}

impl std::error::Error for LayerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.kind)
    }
}
