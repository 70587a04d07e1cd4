//! What is scanned: directories and the layers of container images, read file by file within bounds.
//!
//! Nothing here trusts what it reads: a target may be made by somebody who wants the scan to hang, to need all memory, to read files
//! outside of the target, or to see another file than the one that runs. So links are not followed, everything that is
//! counted has a limit, digests are checked, and what cannot be read is told while the rest is read.
//!
//! [`walk`] reads directories; [`Image`] opens images, and [`Image::read_layer`] reads their layers. There are no threads here and
//! nothing is printed; files of directories may be read from other threads, and layers from several at once.

mod compression;
mod digest;
mod directory;
mod image;
mod layer;
mod path;
mod patterns;
mod problem;
mod tar;
mod visit;

pub use compression::Compression;
pub use digest::{Digest, DigestError};
pub use directory::{Contents, FoundFile, Stamp, WalkError, WalkOptions, WalkSummary, walk};
pub use image::{
    BlobSource, Chosen, Descriptor, Documents, Image, ImageError, ImageLimits, ImageNames, ImageOptions,
    Layer, Platform, PlatformError, choose_manifest, looks_like_archive,
};
pub use layer::{LayerContents, LayerError, LayerErrorKind, LayerFile, LayerOptions, LayerVisitor};
pub use patterns::{GlobFault, PatternError, Patterns, SKIPPED_DIRECTORIES};
pub use problem::{Problem, ProblemKind};
pub use tar::HeaderFault;
pub use visit::{Flow, Visitor};
