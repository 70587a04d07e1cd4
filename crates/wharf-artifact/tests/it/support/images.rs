//! Writes images.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;
use wharf_artifact::{Digest, Image, ImageOptions};

use super::tar::Tar;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A layer as it is stored, and the archive in it.
#[derive(Clone)]
pub(crate) struct StoredLayer {
    pub(crate) stored: Vec<u8>,
    pub(crate) unpacked: Vec<u8>,
}

impl From<Vec<u8>> for StoredLayer {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            stored: bytes.clone(),
            unpacked: bytes,
        }
    }
}

pub(crate) fn config(layers: &[StoredLayer]) -> Value {
    let diff_ids: Vec<String> = layers
        .iter()
        .map(|layer| Digest::sha256(&layer.unpacked).to_string())
        .collect();
    let mut history: Vec<Value> = (0..layers.len())
        .map(|index| json!({"created_by": format!("/bin/sh -c #(nop) ADD file:{index} in / ")}))
        .collect();
    history.push(json!({"created_by": "CMD [\"sh\"]", "empty_layer": true}));
    json!({
        "architecture": "amd64", "os": "linux", "history": history,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    })
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(bytes).to_string(), "size": bytes.len()})
}

/// The files of an OCI layout: names and bytes.
pub(crate) struct Layout {
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) manifest: Value,
}

impl Layout {
    /// A layout with one image.
    pub(crate) fn new(layers: &[StoredLayer]) -> Self {
        let mut layout = Self {
            files: Vec::new(),
            manifest: Value::Null,
        };
        let config = config(layers).to_string().into_bytes();
        let described: Vec<Value> = layers
            .iter()
            .map(|layer| {
                layout.blob(&layer.stored);
                descriptor("application/vnd.oci.image.layer.v1.tar", &layer.stored)
            })
            .collect();
        layout.blob(&config);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": described,
        });
        layout.manifest = layout.document("application/vnd.oci.image.manifest.v1+json", &manifest);
        let manifests = [layout.manifest.clone()];
        layout.index(&manifests);
        layout
    }

    pub(crate) fn blob(&mut self, bytes: &[u8]) {
        let name = format!("blobs/sha256/{}", Digest::sha256(bytes).hex());
        self.files.push((name, bytes.to_vec()));
    }

    /// Adds a document as a blob and gives its descriptor.
    pub(crate) fn document(&mut self, media_type: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        self.blob(&bytes);
        descriptor(media_type, &bytes)
    }

    /// Replaces the index.
    pub(crate) fn index(&mut self, manifests: &[Value]) {
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        self.files.retain(|(name, _)| name != "index.json");
        self.files
            .push(("index.json".to_owned(), index.to_string().into_bytes()));
    }

    pub(crate) fn tar(&self) -> Vec<u8> {
        let tar = Tar::new().file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        self.files
            .iter()
            .fold(tar, |tar, (name, bytes)| tar.file(name, bytes))
            .end()
    }

    pub(crate) fn write(&self, folder: &Path) {
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

/// What `docker save` wrote before it wrote layouts: layers in folders of their own, one of them as a link.
pub(crate) fn docker_archive(layers: &[StoredLayer], tags: &[&str]) -> Vec<u8> {
    let config = config(layers).to_string();
    let config_name = format!("{}.json", Digest::sha256(config.as_bytes()).hex());
    let names: Vec<String> = (0..layers.len())
        .map(|index| format!("{index:064}/layer.tar"))
        .collect();
    let manifest = json!([{"Config": config_name, "RepoTags": tags, "Layers": names}]);
    let mut tar = Tar::new();
    let mut written: Vec<&StoredLayer> = Vec::new();
    for (layer, name) in layers.iter().zip(&names) {
        match written.iter().position(|other| other.stored == layer.stored) {
            Some(position) => tar = tar.symbolic_link(name, &format!("../{}", names[position])),
            None => tar = tar.file(name, &layer.stored),
        }
        written.push(layer);
    }
    tar.file(&config_name, config)
        .file("manifest.json", manifest.to_string())
        .end()
}

/// An image in a folder that lasts as long as the image.
pub(crate) struct Opened {
    pub(crate) image: Image,
    pub(crate) _folder: TempDir,
}

/// A file in a folder of its own.
pub(crate) fn written(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tar");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// An image of these layers, as an OCI layout.
pub(crate) fn image_with(layers: &[StoredLayer], options: &ImageOptions) -> Opened {
    let folder = tempfile::tempdir().unwrap();
    Layout::new(layers).write(folder.path());
    Opened {
        image: Image::open(folder.path(), options).unwrap(),
        _folder: folder,
    }
}

pub(crate) fn image(layers: &[Tar]) -> Opened {
    let layers: Vec<StoredLayer> = layers.iter().map(|layer| layer.clone().end().into()).collect();
    image_with(&layers, &ImageOptions::default())
}
