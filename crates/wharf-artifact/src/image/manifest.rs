//! Indexes and manifests.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};

use super::ImageError;
use crate::Digest;
use crate::problem::Shown;

/// Where some bytes are, by their digest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Descriptor {
    /// What kind of bytes they are said to be.
    #[serde(default)]
    pub media_type: String,
    /// Their digest.
    #[serde(deserialize_with = "digest")]
    pub digest: Digest,
    /// How many there are.
    pub size: u64,
    /// For which platform an image is.
    #[serde(default)]
    pub platform: Option<Platform>,
    /// What else is said of them.
    #[serde(default)]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// An operating system and a processor, such as `linux/arm64` or `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// The operating system, such as `linux`.
    #[serde(default)]
    pub os: String,
    /// The processor, as Go calls it, such as `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// The variant of the processor, such as `v7`. Where it is not asked for, any will do.
    #[serde(default)]
    pub variant: Option<String>,
}

/// A text that is no platform.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[error(
    "`{}` is not a platform (such as `linux/amd64` or `linux/arm/v7`)",
    Shown(text)
)]
pub struct PlatformError {
    /// The text.
    pub text: String,
}

/// The manifest of one image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    #[serde(default)]
    pub(super) layers: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    manifests: Vec<Descriptor>,
}

/// What tells a manifest from an index.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    config: Option<serde::de::IgnoredAny>,
}

/// What a document is: the manifest of an image, or an index and the one of its entries that is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chosen {
    /// The document is the manifest of an image.
    Manifest,
    /// The document is an index; this entry of it is to be read next.
    Entry(Box<Descriptor>),
}

/// Tells a manifest from an index, and chooses from an index by reference and platform. For those who fetch images from somewhere else.
///
/// Without a platform the first entry is chosen that is not an attestation. An entry that says nothing of its platform fits any.
///
/// # Errors
/// A malformed document, one of something else than images, or no entry that fits.
pub fn choose_manifest(
    target: &str,
    document: &[u8],
    reference: Option<&str>,
    platform: Option<&Platform>,
) -> Result<Chosen, ImageError> {
    let outline: Outline = parse(target, "manifest", document)?;
    if outline.manifests.is_none() {
        if outline.config.is_none() || outline.schema_version == 1 {
            let media_type = if outline.media_type.is_empty() {
                "an unknown kind".to_owned()
            } else {
                outline.media_type
            };
            return Err(ImageError::NotAnImageManifest {
                target: target.to_owned(),
                media_type,
            });
        }
        return Ok(Chosen::Manifest);
    }
    let index: Index = parse(target, "index", document)?;
    let named = |entry: &&Descriptor| match reference {
        None => !entry.is_attestation(),
        Some(reference) => entry.reference() == Some(reference) || entry.digest.to_string() == reference,
    };
    let fits = |entry: &&Descriptor| match (platform, &entry.platform) {
        (Some(wanted), Some(has)) => wanted.is_met_by(has),
        _ => true,
    };
    let found = index.manifests.iter().filter(named).find(fits);
    found
        .map(|entry| Chosen::Entry(Box::new(entry.clone())))
        .ok_or_else(|| {
            let wanted = [reference.map(str::to_owned), platform.map(ToString::to_string)];
            let wanted: Vec<String> = wanted.into_iter().flatten().collect();
            let wanted = if wanted.is_empty() {
                "any platform".to_owned()
            } else {
                wanted.join(" and ")
            };
            ImageError::NoMatch {
                target: target.to_owned(),
                wanted: Shown(&wanted).to_string(),
                available: listed(index.manifests.iter().map(Descriptor::label)),
            }
        })
}

/// A manifest of one image.
pub(super) fn image(target: &str, document: &[u8]) -> Result<Manifest, ImageError> {
    match choose_manifest(target, document, None, None)? {
        Chosen::Manifest => parse(target, "manifest", document),
        Chosen::Entry(_) => Err(ImageError::NotAnImageManifest {
            target: target.to_owned(),
            media_type: "several images".to_owned(),
        }),
    }
}

/// Reads a document.
pub(super) fn parse<T: DeserializeOwned>(
    target: &str,
    document: &'static str,
    bytes: &[u8],
) -> Result<T, ImageError> {
    serde_json::from_slice(bytes).map_err(|source| ImageError::DocumentMalformed {
        target: target.to_owned(),
        document,
        source,
    })
}

/// Holds a document against what refers to it.
pub(super) fn check(
    target: &str,
    document: &'static str,
    descriptor: &Descriptor,
    bytes: &[u8],
) -> Result<(), ImageError> {
    let found = descriptor.digest.of_same_algorithm(bytes);
    if found == descriptor.digest {
        return Ok(());
    }
    let expected = descriptor.digest.clone();
    Err(ImageError::DocumentChanged {
        target: target.to_owned(),
        document,
        expected,
        found,
    })
}

/// The first few of some names, as an error shows them.
pub(super) fn listed(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.take(21).map(|name| Shown(&name).to_string()).collect();
    match names.len() {
        0 => return "none".to_owned(),
        21 => {
            names.pop();
            names.push("…".to_owned());
        }
        _ => {}
    }
    names.join(", ")
}

impl Descriptor {
    /// The name that an index gives it.
    pub fn reference(&self) -> Option<&str> {
        self.annotation("org.opencontainers.image.ref.name")
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// Whether it is what a builder says about another image, which builders put in the index beside it.
    fn is_attestation(&self) -> bool {
        self.annotation("vnd.docker.reference.type").is_some()
            || self
                .platform
                .as_ref()
                .is_some_and(|platform| platform.os == "unknown")
    }

    fn label(&self) -> String {
        let parts = [
            self.reference().map(str::to_owned),
            self.platform.as_ref().map(ToString::to_string),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            self.digest.to_string()
        } else {
            parts.join(" ")
        }
    }
}

impl Platform {
    fn is_met_by(&self, has: &Self) -> bool {
        self.os == has.os
            && self.architecture == has.architecture
            && self
                .variant
                .as_ref()
                .is_none_or(|variant| has.variant.as_ref() == Some(variant))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        self.variant
            .as_ref()
            .map_or(Ok(()), |variant| write!(formatter, "/{variant}"))
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match *parts.as_slice() {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            _ => {
                return Err(PlatformError {
                    text: text.to_owned(),
                });
            }
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err(PlatformError {
                text: text.to_owned(),
            });
        }
        Ok(Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        })
    }
}

fn digest<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(D::Error::custom)
}
