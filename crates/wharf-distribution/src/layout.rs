//! In which form a plugin is in a registry.
//!
//! | layout | the plugin is |
//! |---|---|
//! | CNCF | the layer `application/wasm` |
//! | Kubewarden | the layer `application/vnd.wasm.content.layer.v1+wasm` |
//! | Istio, Trivy | the layer `application/vnd.module.wasm.content.layer.v1+wasm` |
//! | image | `plugin.wasm`, or the only `.wasm` file, in the last layer of a container image |
//!
//! An index leads to one of these: to its only manifest, else to that for WebAssembly, else to that for this machine.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::registry::manifest::platform;
use crate::registry::{Descriptor, ImageManifest, IndexEntry};

/// The media type of a plugin's bytes as CNCF's artifact layout has it.
pub(crate) const CNCF_LAYER: &str = "application/wasm";
/// As Kubewarden has it.
pub(crate) const KUBEWARDEN_LAYER: &str = "application/vnd.wasm.content.layer.v1+wasm";
/// As Istio and Trivy have it.
pub(crate) const ISTIO_LAYER: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// Layers of container images, which may be compressed; with what, their first bytes say.
const IMAGE_LAYERS: [&str; 2] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
];
/// The annotation of what is said about an image by whoever built it, in an index of Docker's.
const ABOUT_ANOTHER: &str = "vnd.docker.reference.type";

/// In which form a plugin is where it was fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Layout {
    /// A file of this machine.
    File,
    /// A file of a server.
    Https,
    /// The artifact layout of the CNCF: a layer `application/wasm`.
    Cncf,
    /// Kubewarden's: a layer `application/vnd.wasm.content.layer.v1+wasm`.
    Kubewarden,
    /// Istio's and Trivy's: a layer `application/vnd.module.wasm.content.layer.v1+wasm`.
    Istio,
    /// A container image with a file in its last layer.
    Image,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::File => "file",
            Self::Https => "https",
            Self::Cncf => "cncf",
            Self::Kubewarden => "kubewarden",
            Self::Istio => "istio",
            Self::Image => "image",
        })
    }
}

/// Where in a manifest the plugin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) layout: Layout,
    /// The layer. Of a container image it is an archive, else the plugin itself.
    pub(crate) layer: Descriptor,
}

impl Choice {
    pub(crate) fn is_packed(&self) -> bool {
        self.layout == Layout::Image
    }
}

/// Why a manifest leads to no plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// No layer is one of a plugin.
    #[error("no layer has a media type of a plugin; {found}")]
    NoPlugin {
        /// What there is, as `the last has \`…\``.
        found: String,
    },
    /// More than one layer is a plugin.
    #[error("{count} layers are plugins, and nothing says which is meant")]
    SeveralLayers {
        /// How many.
        count: usize,
    },
    /// An index that names nothing for this machine.
    #[error("the index has {count} manifests, and none is for WebAssembly or for {platform}")]
    NoPlatform {
        /// How many.
        count: usize,
        /// Such as `linux/amd64`.
        platform: String,
    },
    /// An index that leads to an index.
    #[error("the index leads to another index")]
    Nested,
    /// The archive has no plugin.
    #[error("the last layer has neither `plugin.wasm` nor another `.wasm` file")]
    NoFile,
    /// The archive has several modules, and none has the name that is looked for.
    #[error("the last layer has several `.wasm` files ({}), and none is `plugin.wasm`", .names.join(", "))]
    SeveralFiles {
        /// The first of their names, shortened.
        names: Vec<String>,
    },
    /// The layer is no archive, or a broken one.
    #[error("the last layer cannot be read: {reason}")]
    BadArchive {
        /// Why.
        reason: String,
    },
    /// The archive, or the file in it, is larger than it may be.
    #[error("{what} has more than {limit}")]
    TooLarge {
        /// The unpacked layer, or the plugin in it.
        what: &'static str,
        /// The bound.
        limit: wharf_plugin::ByteSize,
    },
}

impl LayoutError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoPlugin { .. } => {
                "check that this is a plugin; `wharf push` and `oras push FILE:application/wasm` make one"
            }
            Self::SeveralLayers { .. } | Self::SeveralFiles { .. } => "push each plugin by itself",
            Self::NoPlatform { .. } => "name the manifest by its digest",
            Self::Nested => "name the manifest itself, by its digest",
            Self::NoFile => "have the last layer of the image be the plugin alone, named `plugin.wasm`",
            Self::BadArchive { .. } => "push the image anew with a current tool",
            Self::TooLarge { .. } => "is it a plugin? Have the last layer of the image be the plugin alone",
        }
    }
}

/// Where the plugin is.
pub(crate) fn choose(manifest: &ImageManifest) -> Result<Choice, LayoutError> {
    let plugins: Vec<Choice> = manifest
        .layers
        .iter()
        .filter_map(|layer| {
            let layout = match plain(&layer.media_type) {
                CNCF_LAYER => Layout::Cncf,
                KUBEWARDEN_LAYER => Layout::Kubewarden,
                ISTIO_LAYER => Layout::Istio,
                _ => return None,
            };
            Some(Choice {
                layout,
                layer: layer.clone(),
            })
        })
        .collect();
    match plugins.len() {
        0 => packed(manifest),
        1 => plugins.into_iter().next().ok_or(LayoutError::NoFile),
        count => Err(LayoutError::SeveralLayers { count }),
    }
}

fn packed(manifest: &ImageManifest) -> Result<Choice, LayoutError> {
    let is_archive = |layer: &&Descriptor| {
        let media_type = plain(&layer.media_type);
        IMAGE_LAYERS.iter().any(|known| media_type.starts_with(known))
    };
    match manifest.layers.last() {
        Some(layer) if is_archive(&layer) => Ok(Choice {
            layout: Layout::Image,
            layer: layer.clone(),
        }),
        Some(layer) => Err(LayoutError::NoPlugin {
            found: format!("the last has `{}`", shown(&layer.media_type)),
        }),
        None => Err(LayoutError::NoPlugin {
            found: "there is none".to_owned(),
        }),
    }
}

/// A media type without its parameters.
fn plain(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// Which manifest of an index is meant.
pub(crate) fn choose_entry(entries: &[IndexEntry]) -> Result<&Descriptor, LayoutError> {
    let platform_of = |entry: &IndexEntry| entry.platform.clone().unwrap_or_default();
    let candidates: Vec<&IndexEntry> = entries
        .iter()
        .filter(|entry| {
            let is_about_another = entry.descriptor.annotations.contains_key(ABOUT_ANOTHER);
            !is_about_another && platform_of(entry).0 != "unknown"
        })
        .collect();
    if let [only] = candidates.as_slice() {
        return Ok(&only.descriptor);
    }
    let (os, architecture) = platform();
    let is_wasm = |entry: &&&IndexEntry| {
        let (os, architecture) = platform_of(entry);
        architecture.starts_with("wasm") || os.starts_with("wasi")
    };
    let is_here = |entry: &&&IndexEntry| platform_of(entry) == (os.to_owned(), architecture.to_owned());
    let found = candidates.iter().find(is_wasm);
    let found = found.or_else(|| candidates.iter().find(is_here));
    found
        .map(|entry| &entry.descriptor)
        .ok_or_else(|| LayoutError::NoPlatform {
            count: candidates.len(),
            platform: format!("{os}/{architecture}"),
        })
}
