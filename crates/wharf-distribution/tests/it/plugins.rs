//! Plugins, what they are pushed as, and fetchers of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wharf_distribution::registry::RegistryClient;
use wharf_distribution::{FetchError, FetchLimits, Fetcher, Store};
use wharf_plugin::Reference;
use wharf_testing::registry::{IMAGE_MANIFEST, RegistryBuilder, digest_of};

use crate::harness::settings;

pub(crate) const CNCF: &str = "application/wasm";
pub(crate) const KUBEWARDEN: &str = "application/vnd.wasm.content.layer.v1+wasm";
pub(crate) const ISTIO: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
pub(crate) const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const DOCKER_TAR: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const EMPTY_CONFIG: &str = "{}";

/// A module that differs from those of other numbers.
pub(crate) fn module(number: u32) -> Vec<u8> {
    wat::parse_str(format!("(module (global i32 (i32.const {number})))")).unwrap()
}

/// One of so many bytes and more.
pub(crate) fn large_module(number: u32, bytes: usize) -> Vec<u8> {
    let text = format!(
        "(module (memory 100) (data (i32.const {number}) \"{}\"))",
        "x".repeat(bytes)
    );
    wat::parse_str(text).unwrap()
}

/// The manifest of an artifact with these layers.
pub(crate) fn manifest(layers: &[(&str, &[u8])]) -> String {
    let layers: Vec<String> = layers
        .iter()
        .map(|(media_type, bytes)| {
            format!(
                r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#,
                digest_of(bytes),
                bytes.len()
            )
        })
        .collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE_MANIFEST}","config":{{"mediaType":"application/vnd.wasm.config.v0+json","digest":"{}","size":{}}},"layers":[{}]}}"#,
        digest_of(EMPTY_CONFIG),
        EMPTY_CONFIG.len(),
        layers.join(",")
    )
}

/// Adds an artifact with these layers to a registry.
pub(crate) fn with_artifact(
    registry: RegistryBuilder,
    repository: &str,
    tag: &str,
    layers: &[(&str, &[u8])],
) -> RegistryBuilder {
    let text = manifest(layers);
    let registry = registry
        .manifest(repository, tag, IMAGE_MANIFEST, text)
        .blob(repository, EMPTY_CONFIG);
    layers
        .iter()
        .fold(registry, |registry, (_, bytes)| registry.blob(repository, *bytes))
}

/// An archive with these files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        header[148..156].copy_from_slice(b"        ");
        header[156] = b'0';
        header[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Limits with which no test waits long.
pub(crate) fn limits() -> FetchLimits {
    FetchLimits {
        download: Duration::from_secs(60),
        retries: 2,
        ..FetchLimits::default()
    }
}

/// A client that may ask a registry on this machine.
pub(crate) fn client(address: SocketAddr) -> Arc<RegistryClient> {
    Arc::new(RegistryClient::new(settings(address)).unwrap())
}

/// A fetcher with a store in this directory.
pub(crate) fn fetcher(address: SocketAddr, directory: &Path) -> Fetcher {
    Fetcher::new(client(address))
        .with_store(Store::open(directory).unwrap())
        .with_limits(limits())
}

pub(crate) fn oci(address: SocketAddr, rest: &str) -> Reference {
    format!("oci:{address}/{rest}").parse().unwrap()
}

/// An error with those behind it, with the address that it has in this run replaced. Each error has a hint.
pub(crate) fn told(error: &FetchError, address: SocketAddr) -> String {
    assert!(!error.hint().is_empty(), "{error:?}");
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text += &format!(": {source}");
        next = source.source();
    }
    text.replace(&address.to_string(), "ADDRESS")
}

/// Each blob of a store by its name is what its name says. Gives how many there are.
pub(crate) fn check_blobs(store: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(store.join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        let name = format!("sha256:{}", entry.file_name().into_string().unwrap());
        assert_eq!(digest_of(std::fs::read(entry.path()).unwrap()), name);
        count += 1;
    }
    count
}

/// No annotations.
pub(crate) fn nothing() -> BTreeMap<String, String> {
    BTreeMap::new()
}
