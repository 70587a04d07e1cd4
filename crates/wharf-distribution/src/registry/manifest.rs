//! What a manifest says, as far as anybody here needs it. The rest stays in its text.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use wharf_plugin::ContentDigest;

use super::RegistryError;
use super::error::words;
use super::inquiry::Answer;

const IMAGES: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
/// All of them, as a request says it.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// The most layers of an image, and the most manifests of an index. Images have up to a hundred layers.
const MOST_MEMBERS: usize = 4096;

/// A manifest or index. Its bytes have its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of its bytes.
    pub digest: ContentDigest,
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes, which are JSON.
    pub text: String,
    /// What it is.
    pub kind: ManifestKind,
}

/// What a manifest is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestKind {
    /// One image or artifact.
    Image(Box<ImageManifest>),
    /// Several, for different platforms or purposes.
    Index {
        /// Each of them.
        entries: Vec<IndexEntry>,
    },
}

/// What the manifest of one image or artifact names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageManifest {
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, lowest first; at most 4096.
    pub layers: Vec<Descriptor>,
    /// What kind of artifact it says it is, where its configuration does not say so.
    pub artifact_type: Option<String>,
    /// The manifest that it says something about, as a signature does.
    pub subject: Option<Descriptor>,
    /// What else it says of itself.
    pub annotations: BTreeMap<String, String>,
}

/// What names a blob or a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What its bytes are said to be.
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: ContentDigest,
    /// How many bytes it is said to have.
    pub size: u64,
    /// What kind of artifact a manifest is said to be, in an index.
    pub artifact_type: Option<String>,
    /// What else is said of it.
    pub annotations: BTreeMap<String, String>,
}

/// An entry of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The manifest.
    pub descriptor: Descriptor,
    /// `os` and `architecture`, where the entry has them.
    pub platform: Option<(String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<DescriptorText>,
    layers: Option<Vec<DescriptorText>>,
    manifests: Option<Vec<EntryText>>,
    subject: Option<DescriptorText>,
    annotations: Option<BTreeMap<String, String>>,
}

/// The media type of an index.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IndexText {
    schema_version: u64,
    media_type: &'static str,
    manifests: Vec<DescriptorText>,
}

/// An index as it is written.
pub(crate) fn index_of(manifests: Vec<DescriptorText>) -> String {
    let index = IndexText {
        schema_version: 2,
        media_type: INDEX,
        manifests,
    };
    serde_json::to_string(&index).expect("an index is texts and numbers")
}

/// A descriptor as it is written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DescriptorText {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

impl DescriptorText {
    pub(crate) fn of(descriptor: &Descriptor) -> Self {
        Self {
            media_type: descriptor.media_type.clone(),
            digest: descriptor.digest.to_string(),
            size: descriptor.size,
            artifact_type: descriptor.artifact_type.clone(),
            annotations: Some(descriptor.annotations.clone()).filter(|all| !all.is_empty()),
        }
    }
}

#[derive(Deserialize)]
struct EntryText {
    #[serde(flatten)]
    descriptor: DescriptorText,
    platform: Option<PlatformText>,
}

#[derive(Deserialize)]
struct PlatformText {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

/// Reads a manifest whose bytes were checked.
///
/// What it is must be the same by the header, by its own media type and by its members: two readers that disagree about that
/// would see two things under one digest.
pub(super) fn read(digest: ContentDigest, answer: &Answer) -> Result<Manifest, RegistryError> {
    let header = answer.header(CONTENT_TYPE.as_str()).unwrap_or("no media type");
    let named = header.split(';').next().unwrap_or_default().trim();
    let media_type = known_media_type(named).ok_or_else(|| RegistryError::MediaType {
        host: answer.host.as_str().into(),
        media_type: words(named),
    })?;
    parse(digest, media_type, &answer.body)
}

/// A manifest's media type as it is written, where it is one that is understood.
pub(crate) fn known_media_type(named: &str) -> Option<&'static str> {
    let mut known = IMAGES.into_iter().chain(INDEXES);
    known.find(|known| known.eq_ignore_ascii_case(named))
}

/// Reads the bytes of a manifest that were checked, and of which nobody says anything but they themselves.
pub(crate) fn parse_stored(digest: ContentDigest, bytes: &[u8]) -> Result<Manifest, RegistryError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Itself {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    let itself: Itself =
        serde_json::from_slice(bytes).map_err(|error| RegistryError::bad_manifest(&error))?;
    let media_type = match (itself.media_type, itself.manifests) {
        (Some(named), _) => known_media_type(&named)
            .ok_or_else(|| RegistryError::bad_manifest("its media type is that of no manifest"))?,
        (None, Some(_)) => INDEXES[0],
        (None, None) => IMAGES[0],
    };
    parse(digest, media_type, bytes)
}

/// Reads the bytes of a manifest that were checked, and are said to be of this media type.
pub(crate) fn parse(
    digest: ContentDigest,
    media_type: &'static str,
    bytes: &[u8],
) -> Result<Manifest, RegistryError> {
    let text = std::str::from_utf8(bytes).map_err(|error| RegistryError::bad_manifest(&error))?;
    if !text.trim_start().starts_with('{') {
        return Err(RegistryError::bad_manifest("it is no JSON object"));
    }
    let read: Text = serde_json::from_str(text).map_err(|error| RegistryError::bad_manifest(&error))?;
    if read.schema_version != Some(2) {
        return Err(RegistryError::bad_manifest("its `schemaVersion` is not 2"));
    }
    if let Some(own) = read.media_type.filter(|own| own != media_type) {
        let reason = format!("it calls itself {own:?}, and the registry calls it {media_type}");
        return Err(RegistryError::bad_manifest(&reason));
    }
    let is_index = INDEXES.contains(&media_type);
    let members = [
        read.layers.as_ref().map_or(0, Vec::len),
        read.manifests.as_ref().map_or(0, Vec::len),
    ];
    if members.into_iter().any(|count| count > MOST_MEMBERS) {
        let reason = format!("it has more than {MOST_MEMBERS} layers or manifests");
        return Err(RegistryError::bad_manifest(&reason));
    }
    let kind = match (is_index, read.config, read.layers, read.manifests) {
        (false, Some(config), Some(layers), None) => ManifestKind::Image(Box::new(ImageManifest {
            config: descriptor(config)?,
            layers: layers.into_iter().map(descriptor).collect::<Result<_, _>>()?,
            artifact_type: read.artifact_type.filter(|kind| !kind.is_empty()),
            subject: read.subject.map(descriptor).transpose()?,
            annotations: read.annotations.unwrap_or_default(),
        })),
        (true, None, None, Some(manifests)) => ManifestKind::Index {
            entries: manifests.into_iter().map(entry).collect::<Result<_, _>>()?,
        },
        (false, ..) => {
            return Err(RegistryError::bad_manifest(
                "an image has `config` and `layers`, and no `manifests`",
            ));
        }
        (true, ..) => {
            return Err(RegistryError::bad_manifest(
                "an index has `manifests`, and neither `config` nor `layers`",
            ));
        }
    };
    Ok(Manifest {
        digest,
        media_type,
        text: text.to_owned(),
        kind,
    })
}

fn descriptor(text: DescriptorText) -> Result<Descriptor, RegistryError> {
    Ok(Descriptor {
        media_type: text.media_type,
        digest: content_digest(&text.digest)?,
        size: text.size,
        artifact_type: text.artifact_type.filter(|kind| !kind.is_empty()),
        annotations: text.annotations.unwrap_or_default(),
    })
}

fn entry(text: EntryText) -> Result<IndexEntry, RegistryError> {
    Ok(IndexEntry {
        descriptor: descriptor(text.descriptor)?,
        platform: text.platform.map(|platform| (platform.os, platform.architecture)),
    })
}

fn content_digest(text: &str) -> Result<ContentDigest, RegistryError> {
    let bad =
        |()| RegistryError::bad_manifest(&format!("{:?} is no digest that can be checked", short(text)));
    text.parse().map_err(bad)
}

fn short(text: &str) -> Arc<str> {
    words(&text.chars().take(80).collect::<String>())
}

/// The digest of the first image for this machine.
pub(super) fn for_this_platform(entries: &[IndexEntry]) -> Option<&ContentDigest> {
    let (os, architecture) = platform();
    let fits = |entry: &&IndexEntry| {
        entry
            .platform
            .as_ref()
            .is_some_and(|(its_os, its_architecture)| its_os == os && its_architecture == architecture)
    };
    entries.iter().find(fits).map(|entry| &entry.descriptor.digest)
}

/// Operating system and architecture of this machine, in the words of images.
pub(crate) fn platform() -> (&'static str, &'static str) {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    (std::env::consts::OS, architecture)
}
