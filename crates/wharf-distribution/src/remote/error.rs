//! Why an image, or a layer of it, cannot be had.

use std::io;
use std::path::PathBuf;

use wharf_plugin::{ByteSize, ContentDigest, ImageReference};

use crate::registry::RegistryError;

/// Why an image of a registry, or a layer of it, cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteImageError {
    /// The registry does not give what the image says of itself.
    #[error("the image {image} cannot be fetched")]
    Registry {
        /// The image.
        image: Box<ImageReference>,
        /// Why.
        source: Box<RegistryError>,
    },
    /// The registry does not give a layer.
    #[error("the layer {layer} of {image} cannot be fetched")]
    Layer {
        /// The image.
        image: Box<ImageReference>,
        /// The layer, as it is transferred.
        layer: ContentDigest,
        /// Why.
        source: Box<RegistryError>,
    },
    /// More bytes than are taken.
    #[error("the {what} of {image} may have {limit}, and its manifest says that there are more")]
    TooLarge {
        /// The image.
        image: Box<ImageReference>,
        /// What has them.
        what: &'static str,
        /// The bound.
        limit: ByteSize,
    },
    /// The manifest has no such layer.
    #[error("{image} has no layer {layer}")]
    NoLayer {
        /// The image.
        image: Box<ImageReference>,
        /// The digest.
        layer: ContentDigest,
    },
    /// The name means several images, and none was chosen.
    #[error("{image} is an index of several images, and none of them was chosen")]
    NotChosen {
        /// The index.
        image: Box<ImageReference>,
    },
    /// Indexes in indexes in indexes.
    #[error("{image}: its indexes are nested more than {limit} deep")]
    Nested {
        /// The index.
        image: Box<ImageReference>,
        /// The limit in levels.
        limit: usize,
    },
    /// There is no place on the disk for a layer.
    #[error("a layer cannot be kept in {}", directory.display())]
    Temporary {
        /// The directory for temporary files.
        directory: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The system gives no thread or no descriptors to fetch with.
    #[error("the system does not give what fetching needs")]
    NoRuntime(#[source] io::Error),
    /// Somebody wanted it to stop.
    #[error("fetching {image} was stopped")]
    Stopped {
        /// The image.
        image: Box<ImageReference>,
    },
}

impl RemoteImageError {
    pub(super) fn registry(image: &ImageReference, source: RegistryError) -> Self {
        Self::Registry {
            image: Box::new(image.clone()),
            source: Box::new(source),
        }
    }

    pub(super) fn layer(image: &ImageReference, layer: &ContentDigest, source: RegistryError) -> Self {
        Self::Layer {
            image: Box::new(image.clone()),
            layer: layer.clone(),
            source: Box::new(source),
        }
    }

    pub(super) fn too_large(image: &ImageReference, what: &'static str, limit: ByteSize) -> Self {
        Self::TooLarge {
            image: Box::new(image.clone()),
            what,
            limit,
        }
    }

    pub(super) fn no_layer(image: &ImageReference, layer: &ContentDigest) -> Self {
        Self::NoLayer {
            image: Box::new(image.clone()),
            layer: layer.clone(),
        }
    }

    pub(super) fn not_chosen(image: &ImageReference) -> Self {
        Self::NotChosen {
            image: Box::new(image.clone()),
        }
    }

    pub(super) fn nested(image: &ImageReference, limit: usize) -> Self {
        Self::Nested {
            image: Box::new(image.clone()),
            limit,
        }
    }

    pub(super) fn temporary(directory: PathBuf, source: io::Error) -> Self {
        Self::Temporary { directory, source }
    }

    pub(super) fn stopped(image: &ImageReference) -> Self {
        Self::Stopped {
            image: Box::new(image.clone()),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Registry { source, .. } | Self::Layer { source, .. } => match &**source {
                RegistryError::Slow { .. } => "try again later, or look at what slows the network down",
                source => source.hint(),
            },
            Self::TooLarge { .. } => "raise the limit if you trust who built the image",
            Self::NoLayer { .. } => "ask for a layer that the manifest names",
            Self::NotChosen { .. } => "name the platform that is wanted, or the image by its digest",
            Self::Nested { .. } => "whoever built the image is at fault: name the image itself by its digest",
            Self::Temporary { .. } => "make room there, or name another directory with TMPDIR",
            Self::NoRuntime(_) => "raise the limits of this process (`ulimit -n`, `ulimit -u`)",
            Self::Stopped { .. } => "fetch it again without interrupting it",
        }
    }
}
