//! Images that are made for a test: layers, and the two ways in which they lie on disk.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::tar::Archive;

/// When everything was made.
const CREATED: &str = "2024-01-02T03:04:05Z";

/// A layer that is being written.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    archive: Archive,
}

impl Layer {
    /// With a file.
    #[must_use]
    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.archive.file(path, content.as_bytes());
        self
    }

    /// With a directory.
    #[must_use]
    pub fn folder(mut self, path: &str) -> Self {
        self.archive.folder(path);
        self
    }

    /// With a symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, to: &str) -> Self {
        self.archive.link(path, to);
        self
    }

    /// With another name of an earlier file.
    #[must_use]
    pub fn hard_link(mut self, path: &str, to: &str) -> Self {
        self.archive.hard_link(path, to);
        self
    }

    /// Removes what lower layers have at this path.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let marker = format!("{folder}/.wh.{name}");
        self.archive.file(marker.trim_start_matches('/'), b"");
        self
    }

    /// Hides what lower layers have in this folder.
    #[must_use]
    pub fn opaque(mut self, folder: &str) -> Self {
        self.archive.file(&format!("{folder}/.wh..wh..opq"), b"");
        self
    }
}

/// An image.
#[derive(Clone, Debug, Default)]
pub struct Image {
    layers: Vec<Vec<u8>>,
    tags: Vec<&'static str>,
    is_compressed: bool,
    is_without_history: bool,
}

impl Image {
    /// With one more layer on top.
    #[must_use]
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer.archive.finish());
        self
    }

    /// With a tag, which an archive names.
    #[must_use]
    pub fn tag(mut self, tag: &'static str) -> Self {
        self.tags.push(tag);
        self
    }

    /// The archive as a whole, or each layer of a layout, is compressed with gzip.
    #[must_use]
    pub fn compressed(mut self) -> Self {
        self.is_compressed = true;
        self
    }

    /// Its configuration does not say how its layers were made.
    #[must_use]
    pub fn without_history(mut self) -> Self {
        self.is_without_history = true;
        self
    }

    /// Writes it as `docker save` does.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_archive(&self, path: &Path) -> Result<(), String> {
        let config = self.config();
        let config_name = format!("{}.json", digest(&config));
        let names: Vec<String> = self
            .layers
            .iter()
            .map(|layer| format!("{}/layer.tar", digest(layer)))
            .collect();
        let mut archive = Archive::default();
        archive.file(&config_name, &config);
        for (index, (name, layer)) in names.iter().zip(&self.layers).enumerate() {
            // A layer that is there twice is written once.
            if !names.iter().take(index).any(|earlier| earlier == name) {
                archive.file(name, layer);
            }
        }
        let manifest = json!([{"Config": config_name, "RepoTags": self.tags, "Layers": names}]);
        archive.file("manifest.json", manifest.to_string().as_bytes());
        let bytes = archive.finish();
        let bytes = if self.is_compressed { gzip(&bytes) } else { bytes };
        fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Writes it as a layout of OCI.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_layout(&self, folder: &Path) -> Result<(), String> {
        let told = |error: std::io::Error| format!("{}: {error}", folder.display());
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(told)?;
        let blob = |kind: &str, bytes: &[u8]| -> Result<Value, String> {
            fs::write(blobs.join(digest(bytes)), bytes).map_err(told)?;
            let digest = format!("sha256:{}", digest(bytes));
            Ok(json!({"mediaType": kind, "digest": digest, "size": bytes.len()}))
        };
        let config = blob("application/vnd.oci.image.config.v1+json", &self.config())?;
        let layers = self.layers.iter().map(|layer| {
            if self.is_compressed {
                blob("application/vnd.oci.image.layer.v1.tar+gzip", &gzip(layer))
            } else {
                blob("application/vnd.oci.image.layer.v1.tar", layer)
            }
        });
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers});
        let manifest = blob(kind, manifest.to_string().as_bytes())?;
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        fs::write(folder.join("index.json"), index.to_string()).map_err(told)?;
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).map_err(told)
    }

    fn config(&self) -> Vec<u8> {
        let diff_ids: Vec<String> = self
            .layers
            .iter()
            .map(|layer| format!("sha256:{}", digest(layer)))
            .collect();
        let history = (0..self.layers.len()).map(|number| {
            json!({"created": CREATED, "created_by": format!("/bin/sh -c #(nop) ADD file:{number} in / ")})
        });
        let mut config = json!({
            "architecture": "amd64", "os": "linux", "created": CREATED,
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/app"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        if !self.is_without_history {
            config["history"] = history.collect();
        }
        config.to_string().into_bytes()
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("a vector takes all that is written")
}
