//! Where the bytes of an image are.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use super::archive::{Archive, Section};
use super::{Descriptor, ImageError};
use crate::Digest;

/// Gives the layers of an image that was found somewhere else, such as in a registry.
pub trait BlobSource: Send + Sync {
    /// Opens a blob for reading from its start. Called once for each reading of a layer, from whichever thread reads it; a layer
    /// with hard links to wanted files is read twice.
    ///
    /// The bytes are held against the digest by the caller.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where there is no such blob; any other error is shown with its causes.
    fn open(&self, blob: &Descriptor) -> io::Result<Box<dyn Read + Send>>;
}

/// Where the blobs are.
pub(super) enum Blobs {
    /// An OCI layout.
    Directory(PathBuf),
    /// An OCI layout, or what `docker save` wrote.
    Archive(Archive),
    /// Somewhere else.
    Source(Arc<dyn BlobSource>),
}

/// Where one layer is.
pub(super) enum Place {
    /// Under its digest.
    Blob(Box<Descriptor>),
    /// In the archive.
    Section(Section),
    /// The archive does not have it.
    Nowhere,
}

/// Why a blob cannot be opened.
pub(super) enum BlobError {
    Missing,
    Unreadable(io::Error),
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Unreadable(error),
        }
    }
}

impl Blobs {
    pub(super) fn open(&self, place: &Place) -> Result<Box<dyn Read + Send + '_>, BlobError> {
        let blob = match place {
            Place::Nowhere => return Err(BlobError::Missing),
            Place::Section(section) => return Ok(Box::new(section.clone())),
            Place::Blob(blob) => blob,
        };
        match self {
            Self::Directory(_) | Self::Archive(_) => self.named(&path_of(&blob.digest)),
            Self::Source(source) => Ok(source.open(blob)?),
        }
    }

    /// Opens a file of a layout by its name.
    fn named(&self, name: &str) -> Result<Box<dyn Read + Send + '_>, BlobError> {
        match self {
            Self::Directory(root) => Ok(Box::new(open_regular(&root.join(name))?)),
            Self::Archive(archive) => Ok(Box::new(archive.section(name).ok_or(BlobError::Missing)?)),
            Self::Source(_) => Err(BlobError::Missing),
        }
    }

    /// Reads a small file of a layout.
    pub(super) fn document(
        &self,
        target: &str,
        document: &'static str,
        name: &str,
        limit: u64,
    ) -> Result<Vec<u8>, ImageError> {
        let target = || target.to_owned();
        let unreadable = |source| ImageError::Unreadable {
            target: target(),
            source,
        };
        let reader = self.named(name).map_err(|error| match error {
            BlobError::Missing => ImageError::DocumentMissing {
                target: target(),
                document,
            },
            BlobError::Unreadable(source) => unreadable(source),
        })?;
        let mut bytes = Vec::new();
        reader
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > limit {
            return Err(ImageError::DocumentTooLarge {
                target: target(),
                document,
                limit,
            });
        }
        Ok(bytes)
    }
}

/// Where a layout has a blob.
pub(super) fn path_of(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// Opens a regular file. Links are followed, since some tools build layouts from them; whatever they lead to must have the digest
/// that was asked for. Opening a FIFO does not wait, and a device is not read.
pub(super) fn open_regular(path: &Path) -> io::Result<std::fs::File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}
