//! Container images: what they say about themselves, and their layers.

mod archive;
mod blobs;
mod config;
mod docker;
mod error;
mod layout;
mod limits;
mod manifest;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

pub use blobs::BlobSource;
pub use error::ImageError;
pub use limits::{ImageLimits, ImageOptions};
pub(crate) use limits::{Purpose, Totals, Unpacking};
pub use manifest::{Chosen, Descriptor, Platform, PlatformError, choose_manifest};

use crate::Digest;
use crate::compression::{Compression, read_magic};
use crate::layer::LayerErrorKind;
use archive::Archive;
use blobs::{BlobError, Blobs, Place};
use config::Config;

/// An image whose manifest and configuration were read and checked. Its layers are read by [`Image::read_layer`].
///
/// Opening reads the small documents only (and, from a compressed archive, unpacks it once to a temporary file without a name).
/// It may be shared between threads.
pub struct Image {
    target: Arc<str>,
    names: ImageNames,
    id: Digest,
    config: Value,
    layers: Vec<Layer>,
    places: Vec<Place>,
    blobs: Blobs,
    limits: ImageLimits,
    totals: Totals,
}

/// What an image is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageNames {
    /// Tags such as `example/app:1`, as `RepoTags` of a `docker save` archive. None from an OCI layout: what its annotations say is
    /// anybody's.
    pub tags: Vec<String>,
    /// Names with digests such as `example/app@sha256:…`; only a registry knows them.
    pub digests: Vec<String>,
}

impl ImageNames {
    /// The name that identifies it in a report: its first tag, or where it has none its first name with a digest.
    pub fn first(&self) -> Option<&str> {
        let mut names = self.tags.iter().chain(&self.digests);
        names.next().map(String::as_str)
    }
}

/// What is known of a layer before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layer {
    /// The digest of its bytes as they are stored, mostly compressed; none in an older `docker save` archive.
    pub digest: Option<Digest>,
    /// The digest of its unpacked bytes, from the configuration.
    pub diff_id: Digest,
    /// The bytes as they are stored, where that is known.
    pub size: Option<u64>,
    /// The media type that the manifest says. What the bytes are is told by the bytes.
    pub media_type: String,
    /// The command that made it, as Trivy shows it: without the shell in front. Empty where the history does not fit the layers.
    pub created_by: String,
}

/// A manifest and a configuration that somebody else fetched.
#[derive(Debug, Clone, Copy)]
pub struct Documents<'a> {
    /// The bytes of the manifest of one image. Whoever fetched it checked its digest.
    pub manifest: &'a [u8],
    /// The bytes of the configuration, which are held against the manifest.
    pub config: &'a [u8],
}

/// Whether a file begins as a tar archive does, plain or compressed with gzip or zstd, so that it may be an image. No more than
/// its first bytes are read; what cannot be read is none.
pub fn looks_like_archive(path: &Path) -> bool {
    begins_as_archive(path).unwrap_or(false)
}

fn begins_as_archive(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let compression = Compression::of(&read_magic(&mut file)?);
    file.rewind()?;
    let Some(decoder) = compression.decoder(BufReader::new(file)) else {
        return Ok(false);
    };
    let mut start = Vec::new();
    decoder.take(512).read_to_end(&mut start)?;
    Ok(start.get(257..262) == Some(b"ustar"))
}

impl Image {
    /// Opens an image in a file or a directory: an OCI layout, as a directory or in a tar archive, or a `docker save` archive; archives
    /// plain or compressed with gzip or zstd. What it is, its content tells.
    ///
    /// Where `path` does not exist, what follows its first `@`, or else its first `:`, is taken as `options.reference`.
    ///
    /// # Errors
    /// [`ImageError`] names the target and what is wrong.
    pub fn open(path: &Path, options: &ImageOptions) -> Result<Self, ImageError> {
        let (path, options) = layout::split_reference(path, options);
        let target: Arc<str> = Arc::from(path.to_string_lossy());
        let unreadable = |source| ImageError::Unreadable {
            target: target.to_string(),
            source,
        };
        let kind = match std::fs::metadata(&path) {
            Ok(found) => found.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ImageError::Missing {
                    target: target.to_string(),
                });
            }
            Err(error) => return Err(unreadable(error)),
        };
        if kind.is_dir() {
            let blobs = Blobs::Directory(path);
            return layout::open(target, blobs, &options);
        }
        if !kind.is_file() {
            return Err(ImageError::NotAnImage {
                target: target.to_string(),
            });
        }
        let archive = Archive::open(&path, &target, &options)?;
        if archive.has(docker::MANIFEST) {
            docker::open(target, archive, &options)
        } else if archive.has(layout::INDEX) {
            layout::open(target, Blobs::Archive(archive), &options)
        } else {
            Err(ImageError::NotAnImage {
                target: target.to_string(),
            })
        }
    }

    /// An image whose documents were fetched and whose layers come from somewhere else, such as a registry. `target` is what errors
    /// call it.
    ///
    /// # Errors
    /// As [`Image::open`].
    pub fn from_source(
        target: &str,
        documents: Documents<'_>,
        names: ImageNames,
        source: Arc<dyn BlobSource>,
        options: &ImageOptions,
    ) -> Result<Self, ImageError> {
        let target: Arc<str> = Arc::from(target);
        let manifest = manifest::image(&target, documents.manifest)?;
        manifest::check(&target, "configuration", &manifest.config, documents.config)?;
        Self::assemble(
            target,
            names,
            documents.config,
            manifest.layers,
            Blobs::Source(source),
            options,
        )
    }

    /// Joins a configuration with the layers of a manifest.
    fn assemble(
        target: Arc<str>,
        names: ImageNames,
        config: &[u8],
        described: Vec<Descriptor>,
        blobs: Blobs,
        options: &ImageOptions,
    ) -> Result<Self, ImageError> {
        let (id, config) = (
            Digest::sha256(config),
            Config::parse(&target, config, &options.limits)?,
        );
        config.expect_layers(&target, described.len())?;
        let mut layers = Vec::with_capacity(described.len());
        let mut places = Vec::with_capacity(described.len());
        for (descriptor, (diff_id, created_by)) in described.into_iter().zip(config.layers()) {
            layers.push(Layer {
                digest: Some(descriptor.digest.clone()),
                diff_id,
                size: Some(descriptor.size),
                media_type: descriptor.media_type.clone(),
                created_by,
            });
            places.push(Place::Blob(Box::new(descriptor)));
        }
        Ok(Self::whole(
            target,
            names,
            id,
            config.document,
            (layers, places),
            blobs,
            options,
        ))
    }

    fn whole(
        target: Arc<str>,
        names: ImageNames,
        id: Digest,
        config: Value,
        (layers, places): (Vec<Layer>, Vec<Place>),
        blobs: Blobs,
        options: &ImageOptions,
    ) -> Self {
        let totals = Totals::new(layers.len(), options);
        Self {
            target,
            names,
            id,
            config,
            layers,
            places,
            blobs,
            limits: options.limits.clone(),
            totals,
        }
    }

    /// The target, as it was named.
    pub fn target(&self) -> &Arc<str> {
        &self.target
    }

    /// What the image is called.
    pub fn names(&self) -> &ImageNames {
        &self.names
    }

    /// The image id: the SHA-256 of its configuration.
    pub fn id(&self) -> &Digest {
        &self.id
    }

    /// The configuration, as it stands.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// The layers, the lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    pub(crate) fn open_layer(&self, index: usize) -> Result<Box<dyn Read + Send + '_>, LayerErrorKind> {
        let place = self.places.get(index).ok_or(LayerErrorKind::NoSuchLayer)?;
        self.blobs.open(place).map_err(|error| match error {
            BlobError::Missing => LayerErrorKind::Missing,
            BlobError::Unreadable(source) => LayerErrorKind::Unreadable { source },
        })
    }

    /// The bounds of unpacking a layer, for its own files or for what links in another one lead to.
    pub(crate) fn unpacking(&self, index: usize, purpose: Purpose) -> Unpacking<'_> {
        Unpacking::new(&self.limits, &self.totals, index, purpose)
    }

    /// How many bytes may be unpacked to follow links, where so many were already.
    pub(crate) fn exhausted_for_links(&self) -> Option<u64> {
        let limit = self.limits.most_image;
        (self.totals.read_again() >= limit).then_some(limit)
    }

    pub(crate) fn has_read_again(&self, unpacked: u64) {
        self.totals.has_read_again(unpacked);
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Image")
            .field("target", &self.target)
            .field("id", &self.id)
            .field("layers", &self.layers)
            .finish_non_exhaustive()
    }
}
