//! Why an image cannot be opened.

use std::io;

use crate::problem::Shown;
use crate::{Compression, Digest, HeaderFault};

/// Why an image cannot be opened. Its text names the target and what is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// There is no such file or directory.
    #[error("there is no file or directory {}", Shown(target))]
    Missing {
        /// The target.
        target: String,
    },
    /// The system does not let it be read.
    #[error("{} cannot be read", Shown(target))]
    Unreadable {
        /// The target.
        target: String,
        /// The system's reason.
        source: io::Error,
    },
    /// It is neither an OCI layout nor a `docker save` archive.
    #[error(
        "{} is not an image: it has neither an `index.json` nor a `manifest.json`",
        Shown(target)
    )]
    NotAnImage {
        /// The target.
        target: String,
    },
    /// The archive is compressed in a way that is not read.
    #[error("{} is compressed with {compression}, which is not read", Shown(target))]
    UnknownCompression {
        /// The target.
        target: String,
        /// The format.
        compression: Compression,
    },
    /// The compressed archive is broken.
    #[error(
        "the {compression} stream of {} is broken after {unpacked} unpacked bytes",
        Shown(target)
    )]
    Corrupt {
        /// The target.
        target: String,
        /// The format.
        compression: Compression,
        /// How many bytes came out of it.
        unpacked: u64,
        /// The decoder's reason.
        source: io::Error,
    },
    /// The archive ends within an entry.
    #[error(
        "{} ends in the middle of an entry, at byte {position} of the archive",
        Shown(target)
    )]
    Truncated {
        /// The target.
        target: String,
        /// Where it ends, in unpacked bytes.
        position: u64,
    },
    /// A header of the archive is none.
    #[error("{}: the entry at byte {position} of the archive is malformed", Shown(target))]
    Malformed {
        /// The target.
        target: String,
        /// Where the header starts, in unpacked bytes.
        position: u64,
        /// What is wrong with it.
        source: HeaderFault,
    },
    /// The archive is larger than it may be, or unpacks to so much that it is made to do harm.
    #[error("{} unpacks to more than {limit} bytes", Shown(target))]
    ArchiveTooLarge {
        /// The target.
        target: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// So many bytes come out of so few that the archive is made to do harm.
    #[error(
        "{}: its {stored} bytes so far unpack to more than {limit} times as many: a decompression bomb",
        Shown(target)
    )]
    Bomb {
        /// The target.
        target: String,
        /// How many compressed bytes were read.
        stored: u64,
        /// The limit as a factor.
        limit: u64,
    },
    /// The archive has more entries, or longer names, than it may have.
    #[error(
        "{} has more than {limit} entries, or names that are too long together",
        Shown(target)
    )]
    TooManyEntries {
        /// The target.
        target: String,
        /// The limit in entries.
        limit: usize,
    },
    /// The temporary file for a compressed archive cannot be written.
    #[error("{} cannot be unpacked to a temporary file", Shown(target))]
    Temporary {
        /// The target.
        target: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Unpacking the archive was interrupted.
    #[error("unpacking {} was stopped", Shown(target))]
    Stopped {
        /// The target.
        target: String,
    },
    /// A document of the image is not there.
    #[error("{}: the {document} is missing", Shown(target))]
    DocumentMissing {
        /// The target.
        target: String,
        /// Which document.
        document: &'static str,
    },
    /// A document of the image is larger than it may be.
    #[error("{}: the {document} is larger than {limit} bytes", Shown(target))]
    DocumentTooLarge {
        /// The target.
        target: String,
        /// Which document.
        document: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// A document of the image is not what it should be.
    #[error("{}: the {document} is malformed", Shown(target))]
    DocumentMalformed {
        /// The target.
        target: String,
        /// Which document.
        document: &'static str,
        /// What is wrong with it, and where.
        source: serde_json::Error,
    },
    /// A document of the image has another digest, or another size, than the image says.
    #[error(
        "{}: the digest of the {document} is {found}, and the image says {expected}",
        Shown(target)
    )]
    DocumentChanged {
        /// The target.
        target: String,
        /// Which document.
        document: &'static str,
        /// What the image says.
        expected: Digest,
        /// The digest of the bytes.
        found: Digest,
    },
    /// The index or the archive has no image that was asked for.
    #[error("{} has no image for {wanted}; it has {available}", Shown(target))]
    NoMatch {
        /// The target.
        target: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        available: String,
    },
    /// The archive has several images, and none was asked for.
    #[error("{} has several images: {available}", Shown(target))]
    Several {
        /// The target.
        target: String,
        /// Their tags.
        available: String,
    },
    /// Indexes in indexes in indexes.
    #[error("{}: its indexes are nested more than {limit} deep", Shown(target))]
    NestedTooDeep {
        /// The target.
        target: String,
        /// The limit in levels.
        limit: usize,
    },
    /// More layers than an image may have.
    #[error("{} has {found} layers, and an image may have {limit}", Shown(target))]
    TooManyLayers {
        /// The target.
        target: String,
        /// How many it has.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The manifest and the configuration do not fit each other.
    #[error(
        "{}: the manifest has {manifest} layers and the configuration {config}",
        Shown(target)
    )]
    LayerCount {
        /// The target.
        target: String,
        /// The layers of the manifest.
        manifest: usize,
        /// The layers of the configuration.
        config: usize,
    },
    /// What the manifest describes is not an image, or one in the form that registries had before 2017.
    #[error(
        "{}: the manifest is one of {media_type}, not of an image that can be scanned",
        Shown(target)
    )]
    NotAnImageManifest {
        /// The target.
        target: String,
        /// The media type.
        media_type: String,
    },
}

impl ImageError {
    /// Who is at fault, and what to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing { .. } => {
                "check the path; a relative one is taken from the directory that the command runs in"
            }
            Self::Unreadable { .. } => "run the scan as a user who may read it",
            Self::NotAnImage { .. } => {
                "name what `docker save` or `skopeo copy … oci:DIRECTORY` wrote; a directory without an index is scanned as a directory"
            }
            Self::UnknownCompression { .. } => "unpack it first, or compress it with gzip or zstd",
            Self::Corrupt { .. } | Self::Truncated { .. } | Self::DocumentChanged { .. } => {
                "the image was damaged or changed after it was saved: save it again"
            }
            Self::Malformed { .. }
            | Self::DocumentMissing { .. }
            | Self::DocumentMalformed { .. }
            | Self::LayerCount { .. }
            | Self::NestedTooDeep { .. } => {
                "whoever saved the image is at fault: save it again with another tool"
            }
            Self::ArchiveTooLarge { .. }
            | Self::TooManyEntries { .. }
            | Self::DocumentTooLarge { .. }
            | Self::TooManyLayers { .. } => "raise the limit if you trust who built the image",
            Self::Bomb { .. } => "do not load the image; raise the limit only if you know why it is so",
            Self::Temporary { .. } => {
                "make room in the directory for temporary files, or set TMPDIR, or unpack the archive first"
            }
            Self::NoMatch { .. } | Self::Several { .. } => "name one of those that there are",
            Self::Stopped { .. } => "scan again without interrupting it",
            Self::NotAnImageManifest { .. } => "name a container image",
        }
    }
}
