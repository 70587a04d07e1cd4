//! The configuration of an image.

use serde::Deserialize;
use serde_json::Value;

use super::manifest::parse;
use super::{ImageError, ImageLimits};
use crate::Digest;

/// A configuration, and what of it matters here.
pub(super) struct Config {
    pub(super) document: Value,
    diff_ids: Vec<Digest>,
    /// One for each layer, or none at all where the history does not fit.
    created_by: Vec<String>,
}

#[derive(Deserialize)]
struct Needed {
    rootfs: RootFs,
    #[serde(default)]
    history: Option<Vec<History>>,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<DiffId>>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct DiffId(Digest);

impl TryFrom<String> for DiffId {
    type Error = crate::DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    empty_layer: Option<bool>,
}

impl Config {
    pub(super) fn parse(target: &str, bytes: &[u8], limits: &ImageLimits) -> Result<Self, ImageError> {
        const NAME: &str = "configuration";
        let document: Value = parse(target, NAME, bytes)?;
        let needed: Needed = parse(target, NAME, bytes)?;
        let diff_ids: Vec<Digest> = needed
            .rootfs
            .diff_ids
            .unwrap_or_default()
            .into_iter()
            .map(|DiffId(digest)| digest)
            .collect();
        let (found, limit) = (diff_ids.len(), limits.most_layers);
        if found > limit {
            return Err(ImageError::TooManyLayers {
                target: target.to_owned(),
                found,
                limit,
            });
        }
        let mut created_by: Vec<String> = needed
            .history
            .unwrap_or_default()
            .into_iter()
            .filter(|entry| entry.empty_layer != Some(true))
            .map(|entry| without_shell(&entry.created_by.unwrap_or_default()).to_owned())
            .collect();
        if created_by.len() != diff_ids.len() {
            created_by.clear();
        }
        Ok(Self {
            document,
            diff_ids,
            created_by,
        })
    }

    /// The manifest must have as many layers.
    pub(super) fn expect_layers(&self, target: &str, manifest: usize) -> Result<(), ImageError> {
        let config = self.diff_ids.len();
        if manifest == config {
            return Ok(());
        }
        Err(ImageError::LayerCount {
            target: target.to_owned(),
            manifest,
            config,
        })
    }

    /// Of each layer the digest of its unpacked bytes, and the command that made it.
    pub(super) fn layers(&self) -> impl Iterator<Item = (Digest, String)> + '_ {
        self.diff_ids.iter().enumerate().map(|(index, diff_id)| {
            (
                diff_id.clone(),
                self.created_by.get(index).cloned().unwrap_or_default(),
            )
        })
    }
}

/// A command as it was written in the file that the image was built from.
fn without_shell(command: &str) -> &str {
    let command = command.strip_prefix("/bin/sh -c ").unwrap_or(command);
    command.strip_prefix("#(nop) ").unwrap_or(command)
}
