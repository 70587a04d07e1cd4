//! A plugin pushed to a registry, in a form that other programs read.
//!
//! | format | who reads it |
//! |---|---|
//! | CNCF | `oras`, containerd's runtimes for WebAssembly, Spin, wasmCloud, and whoever follows the CNCF's layout |
//! | Kubewarden | `kwctl` and Kubewarden's policy server |
//! | Istio | Istio's agents, which want two layers |
//! | Trivy | `trivy module install`, which wants one |
//!
//! Wharf reads all of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::Serialize;
use wharf_plugin::{ContentDigest, IdentifyError, ImageReference, Lookalike};

use crate::file::MAGIC;
use crate::layout::{CNCF_LAYER, ISTIO_LAYER, KUBEWARDEN_LAYER};
use crate::registry::manifest::DescriptorText;
use crate::registry::{RegistryClient, RegistryError, Upload};
use crate::runtime::block_on;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CNCF_CONFIG: &str = "application/vnd.wasm.config.v0+json";
const KUBEWARDEN_CONFIG: &str = "application/vnd.wasm.config.v1+json";
const ISTIO_CONFIG: &str = "application/vnd.module.wasm.config.v1+json";
/// The annotation that has the name of a layer's file.
const TITLE: &str = "org.opencontainers.image.title";
/// The file's name where nobody says another.
const PLUGIN: &str = "plugin.wasm";

/// In which form a plugin is pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PushFormat {
    /// The artifact layout of the CNCF.
    #[default]
    Cncf,
    /// Kubewarden's.
    Kubewarden,
    /// Istio's.
    Istio,
    /// Trivy's.
    Trivy,
}

impl PushFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cncf, Self::Kubewarden, Self::Istio, Self::Trivy];
}

impl fmt::Display for PushFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cncf => "cncf",
            Self::Kubewarden => "kubewarden",
            Self::Istio => "istio",
            Self::Trivy => "trivy",
        })
    }
}

impl FromStr for PushFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let found = Self::ALL.into_iter().find(|format| format.to_string() == text);
        found.ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

/// A word that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a form to push a plugin in: there are `cncf`, `kubewarden`, `istio` and `trivy`")]
pub struct UnknownFormat(String);

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the manifest: what others pull, pin and sign.
    pub digest: ContentDigest,
    /// The digest of the plugin's bytes.
    pub module: ContentDigest,
}

/// Why a plugin was not pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The bytes are not a WebAssembly module.
    #[error("what is to be pushed to {image} is not a plugin")]
    NotAModule {
        /// Where it was to go.
        image: Box<ImageReference>,
        /// What the bytes seem to be.
        source: IdentifyError,
    },
    /// The name has a digest, which what is pushed cannot be made to have.
    #[error("{image} has a digest, and a plugin is pushed under a tag")]
    HasDigest {
        /// The name.
        image: Box<ImageReference>,
    },
    /// The registry did not take it.
    #[error("the plugin cannot be pushed to {image}")]
    Registry {
        /// Where it was to go.
        image: Box<ImageReference>,
        /// Why not.
        source: Box<RegistryError>,
    },
    /// The system gives no thread or no descriptors to push with.
    #[error("the system does not give what pushing needs")]
    NoRuntime(#[source] std::io::Error),
}

impl PublishError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotAModule { source, .. } => source.hint(),
            Self::HasDigest { .. } => "leave out what follows `@`".to_owned(),
            Self::Registry { source, .. } => match &**source {
                RegistryError::Forbidden { .. } => {
                    "let these credentials push to the repository, or use others".to_owned()
                }
                other => other.hint().to_owned(),
            },
            Self::NoRuntime(_) => "raise the limits of this process (`ulimit -n`, `ulimit -u`)".to_owned(),
        }
    }
}

/// Pushes a plugin under the tag of `image`. The annotations become those of the manifest; `org.opencontainers.image.title`
/// among them is the name that a file of it gets. This blocks the thread.
///
/// The same bytes, form and annotations give the same digest each time.
///
/// # Errors
/// [`PublishError`].
pub fn publish(
    client: &RegistryClient,
    image: &ImageReference,
    bytes: Bytes,
    format: PushFormat,
    annotations: &BTreeMap<String, String>,
) -> Result<Pushed, PublishError> {
    block_on(|| publish_async(client, image, bytes, format, annotations)).map_err(PublishError::NoRuntime)?
}

/// The same on a tokio runtime with time and I/O.
///
/// # Errors
/// [`PublishError`].
pub async fn publish_async(
    client: &RegistryClient,
    image: &ImageReference,
    bytes: Bytes,
    format: PushFormat,
    annotations: &BTreeMap<String, String>,
) -> Result<Pushed, PublishError> {
    if !bytes.starts_with(MAGIC) {
        return Err(PublishError::NotAModule {
            image: Box::new(image.clone()),
            source: IdentifyError::NotWasm {
                looks_like: Lookalike::of(&bytes),
            },
        });
    }
    if image.digest().is_some() {
        return Err(PublishError::HasDigest {
            image: Box::new(image.clone()),
        });
    }
    let module = ContentDigest::sha256_of(&bytes);
    let upload = upload(bytes, format, annotations);
    let pushed = Box::pin(client.push(image, &upload)).await;
    let digest = pushed.map_err(|error| PublishError::Registry {
        image: Box::new(image.clone()),
        source: Box::new(error),
    })?;
    Ok(Pushed { digest, module })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestText<'a> {
    schema_version: u64,
    media_type: &'a str,
    config: DescriptorText,
    layers: Vec<DescriptorText>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// What is pushed for a plugin.
fn upload(bytes: Bytes, format: PushFormat, annotations: &BTreeMap<String, String>) -> Upload {
    let title = annotations.get(TITLE).map_or(PLUGIN, String::as_str);
    let digest = ContentDigest::sha256_of(&bytes);
    let (config_type, config, layer_type) = match format {
        PushFormat::Cncf => {
            let config = format!(r#"{{"architecture":"wasm","os":"wasip1","layerDigests":["{digest}"]}}"#);
            (CNCF_CONFIG, config, CNCF_LAYER)
        }
        PushFormat::Kubewarden => (KUBEWARDEN_CONFIG, "{}".to_owned(), KUBEWARDEN_LAYER),
        PushFormat::Istio | PushFormat::Trivy => (ISTIO_CONFIG, "{}".to_owned(), ISTIO_LAYER),
    };
    let config = Bytes::from(config);
    let mut layers = vec![described(layer_type, &bytes, title)];
    let mut blobs = vec![config.clone(), bytes];
    if format == PushFormat::Istio {
        // Its readers want the module and what its runtime is configured with.
        let runtime = Bytes::from_static(br#"{"type":"envoy_proxy"}"#);
        layers.push(described(ISTIO_CONFIG, &runtime, "runtime-config.json"));
        blobs.push(runtime);
    }
    let manifest = ManifestText {
        schema_version: 2,
        media_type: MANIFEST,
        config: DescriptorText {
            annotations: None,
            ..described(config_type, &config, "")
        },
        layers,
        annotations,
    };
    Upload {
        blobs,
        media_type: MANIFEST,
        manifest: serde_json::to_string(&manifest).expect("a manifest is texts and numbers"),
    }
}

fn described(media_type: &str, bytes: &Bytes, title: &str) -> DescriptorText {
    DescriptorText {
        media_type: media_type.to_owned(),
        digest: ContentDigest::sha256_of(bytes).to_string(),
        size: bytes.len() as u64,
        artifact_type: None,
        annotations: Some(BTreeMap::from([(TITLE.to_owned(), title.to_owned())])),
    }
}
