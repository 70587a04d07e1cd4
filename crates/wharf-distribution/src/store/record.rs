//! What a reference meant when it was fetched last.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wharf_plugin::{ContentDigest, Digest};

use crate::Layout;

/// What a reference meant when it was fetched last.
///
/// It only helps to find things: what is run is reached from the digest that was verified, through manifests whose bytes are
/// checked, and not through anything that stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// The reference, as [`Reference::canonical`](wharf_plugin::Reference::canonical) writes it.
    pub reference: String,
    /// The digest of the manifest or index that it meant; of a URL, that of the bytes.
    #[serde(with = "as_text")]
    pub digest: ContentDigest,
    /// In which form the plugin was there.
    pub layout: Layout,
    /// The digest of the plugin's bytes.
    #[serde(with = "as_text")]
    pub module: Digest,
    /// How many bytes the plugin has.
    pub size: u64,
    /// When it was fetched, in seconds since 1970.
    pub fetched_at: u64,
    /// All that belongs to it.
    pub(crate) blobs: Vec<Held>,
    /// What was found beside it.
    #[serde(default)]
    pub(crate) attached: Vec<Attached>,
}

/// Bytes that belong to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Held {
    #[serde(with = "as_text")]
    pub(crate) digest: ContentDigest,
    pub(crate) size: u64,
}

/// What was found beside a manifest when it was asked for: by a tag, or as what refers to a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Attached {
    /// `tag:TAG`, or `referrers:DIGEST`.
    pub(crate) name: String,
    /// The manifest of the tag, or an index of what refers.
    #[serde(with = "as_text")]
    pub(crate) digest: ContentDigest,
}

impl Record {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(crate) fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a record is texts and numbers");
        text.push('\n');
        text
    }

    /// How many bytes all that belongs to it has.
    pub fn stored_bytes(&self) -> u64 {
        let sizes = self.blobs.iter().map(|held| held.size);
        sizes.fold(0, u64::saturating_add)
    }
}

/// Digests as texts.
pub(crate) mod as_text {
    use super::{Deserialize, Deserializer, Display, FromStr, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| serde::de::Error::custom("this is not a digest"))
    }
}
