//! What the store has, in one file: an OCI image layout as an archive of tar, for sites that reach no registry.
//!
//! ```text
//! oci-layout            that it is one
//! index.json            the manifests by their names, and the signatures by their tags: what other programs read
//! blobs/sha256/HEX      manifests, layers, signatures
//! wharf/records.json    what the store of Wharf knows beside: what belongs together, and what refers to what
//! ```
//!
//! What is loaded is checked blob by blob against its digest. That a name means a digest is the archive's word, as it is a
//! registry's: who may be believed is for the policy of trust to say.

mod load;
mod save;

use std::io;

use wharf_plugin::{ByteSize, ContentDigest};

use crate::layout::LayoutError;
use crate::store::StoreError;

pub use load::Loaded;
pub use save::Saved;

/// The most bytes of an archive that is loaded.
const MOST_ARCHIVE: ByteSize = ByteSize::from_bytes(16 << 30);
/// The most bytes of one blob in it.
const MOST_BLOB: ByteSize = ByteSize::from_mib(256);
const OCI_LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const RECORDS: &str = "wharf/records.json";
/// The annotation of a name within its repository, as the image specification has it.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation of the whole name, as containerd has it.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It cannot be written.
    #[error("the archive cannot be written")]
    Write(#[source] io::Error),
    /// It is no archive, or a broken one.
    #[error("the archive cannot be read")]
    Read(#[source] LayoutError),
    /// It is an archive, and no OCI layout, or one that says nothing that can be used.
    #[error("the archive is no OCI layout of plugins: {reason}")]
    NotALayout {
        /// Why not.
        reason: String,
    },
    /// A blob is not what its name says.
    #[error("the blob {wanted} of the archive is not what its name says: its digest is {actual}")]
    WrongDigest {
        /// As its name says.
        wanted: ContentDigest,
        /// As it is.
        actual: ContentDigest,
    },
    /// The store does not know what is to be saved.
    #[error("the store does not have {reference}")]
    Unknown {
        /// The reference.
        reference: String,
    },
    /// The store has only a part, or what it has was changed.
    #[error("the store has not all of {reference}: {digest} is missing, or was changed")]
    Incomplete {
        /// The reference.
        reference: String,
        /// What is missing.
        digest: ContentDigest,
    },
    /// The store cannot be used.
    #[error("the store of plugins cannot be used")]
    Store(#[from] StoreError),
}

impl ArchiveError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Write(_) => "check the path and the room on the disk",
            Self::Read(_) | Self::NotALayout { .. } => {
                "load what `wharf save` wrote, or another tool as an OCI archive"
            }
            Self::WrongDigest { .. } => "do not use it: it was damaged or changed on its way",
            Self::Unknown { .. } => "fetch it with `wharf pull`; `wharf ls` shows what there is",
            Self::Incomplete { .. } => "fetch it anew with `wharf pull`",
            Self::Store(error) => error.hint(),
        }
    }
}
