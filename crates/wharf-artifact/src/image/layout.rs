//! OCI layouts, in a directory or in an archive.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::blobs::{Blobs, path_of};
use super::manifest::{self, Chosen, choose_manifest};
use super::{Descriptor, Image, ImageError, ImageNames, ImageOptions};

/// The document that a layout starts with.
pub(super) const INDEX: &str = "index.json";
/// How deep indexes may be in each other.
const MOST_INDEXES: usize = 8;

/// Opens the image that the options choose.
pub(super) fn open(target: Arc<str>, blobs: Blobs, options: &ImageOptions) -> Result<Image, ImageError> {
    let limit = options.limits.most_document;
    let index = match blobs.document(&target, "index.json", INDEX, limit) {
        Err(ImageError::DocumentMissing { target, .. }) => return Err(ImageError::NotAnImage { target }),
        answer => answer?,
    };
    let mut document = index;
    let mut reference = options.reference.as_deref();
    for _ in 0..MOST_INDEXES {
        match choose_manifest(&target, &document, reference, options.platform.as_ref())? {
            Chosen::Manifest => return image(target, blobs, &document, options),
            Chosen::Entry(entry) => document = blob(&target, &blobs, "manifest", &entry, limit)?,
        }
        // What an index has in it is for the platforms of one image.
        reference = None;
    }
    Err(ImageError::NestedTooDeep {
        target: target.to_string(),
        limit: MOST_INDEXES,
    })
}

fn image(
    target: Arc<str>,
    blobs: Blobs,
    document: &[u8],
    options: &ImageOptions,
) -> Result<Image, ImageError> {
    let manifest = manifest::image(&target, document)?;
    let limit = options.limits.most_document;
    let config = blob(&target, &blobs, "configuration", &manifest.config, limit)?;
    Image::assemble(
        target,
        ImageNames::default(),
        &config,
        manifest.layers,
        blobs,
        options,
    )
}

/// Reads a small blob and checks it.
fn blob(
    target: &str,
    blobs: &Blobs,
    document: &'static str,
    descriptor: &Descriptor,
    limit: u64,
) -> Result<Vec<u8>, ImageError> {
    let bytes = blobs.document(target, document, &path_of(&descriptor.digest), limit)?;
    manifest::check(target, document, descriptor, &bytes)?;
    Ok(bytes)
}

/// Takes a reference off the path of a layout, such as `./layout:1.0` or `./layout@sha256:…`, unless there is a file of that name.
pub(super) fn split_reference(path: &Path, options: &ImageOptions) -> (PathBuf, ImageOptions) {
    let whole = || (path.to_owned(), options.clone());
    let Some(text) = path
        .to_str()
        .filter(|_| options.reference.is_none() && !path.exists())
    else {
        return whole();
    };
    let Some((before, after)) = text.split_once('@').or_else(|| text.split_once(':')) else {
        return whole();
    };
    if before.is_empty() || after.is_empty() || !Path::new(before).exists() {
        return whole();
    }
    (
        PathBuf::from(before),
        ImageOptions {
            reference: Some(after.to_owned()),
            ..options.clone()
        },
    )
}
