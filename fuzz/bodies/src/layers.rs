//! Layers of container images.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use wharf_artifact::{
    BlobSource, Descriptor, Digest, Documents, Flow, Image, ImageLimits, ImageOptions, LayerContents,
    LayerError, LayerFile, LayerOptions, LayerVisitor, Problem,
};
use wharf_distribution::LayoutError;
use wharf_distribution::fuzzing::plugin_in;
use wharf_plugin::ByteSize;

const BLOCK: usize = 512;
/// The most bytes of a plugin.
const MOST_PLUGIN: ByteSize = ByteSize::from_kib(64);
/// The most bytes of a layer, unpacked, where images are read to be looked at.
const MOST_LAYER: u64 = 8 << 20;

/// Reads the bytes as a layer, by the reader that looks for a plugin and by the one that looks at all files: as they are, with the
/// sums of the headers set right, and these compressed. Compressed or not, the same is read; a plugin is one of the files;
/// nothing is larger than it may be.
pub fn layers(bytes: &[u8]) {
    // What is no layer is refused.
    let _ = check_layer(bytes);
    let summed = summed(bytes);
    let found = check_layer(&summed);
    let compressed = check_layer(&gzip(&summed));
    // What is compressed twice is no archive, and what begins as zstd begins is none either.
    let is_archive = !summed.starts_with(&[0x1f, 0x8b]) && !summed.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    if is_archive {
        assert_eq!(compressed, found, "it depends on the compression");
    }
}

/// What both readers make of a layer.
fn check_layer(layer: &[u8]) -> Result<Vec<u8>, LayoutError> {
    let found = plugin_in(layer, MOST_PLUGIN);
    match &found {
        Ok(plugin) => assert!(plugin.len() as u64 <= MOST_PLUGIN.bytes()),
        Err(error) => {
            let text = error.to_string();
            assert!(
                !text.chars().any(char::is_control) && text.len() <= 4096,
                "{text:?}"
            );
            assert!(!error.hint().is_empty());
        }
    }
    let mut seen = Seen::default();
    match read(layer, &mut seen) {
        Ok(contents) => {
            assert_eq!(contents.stored, layer.len() as u64);
            assert!(contents.unpacked <= MOST_LAYER);
            assert!(contents.files <= contents.entries && contents.given <= contents.entries);
            assert_eq!(contents.given, seen.given);
            assert_eq!(contents.problems, seen.problems);
            if let Ok(plugin) = &found
                && seen.problems == 0
            {
                let digest = Digest::sha256(plugin);
                assert!(
                    seen.modules.contains(&digest.to_string()),
                    "it is no file of the layer"
                );
            }
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.hint().is_empty()),
    }
    found
}

/// The same with the sum of each header set right, which no mutation could do.
fn summed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for block in bytes.chunks_exact_mut(BLOCK) {
        if block.get(257..262) != Some(b"ustar") {
            continue;
        }
        block[148..156].copy_from_slice(b"        ");
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("a vector takes all bytes");
    encoder.finish().expect("a vector takes all bytes")
}

/// What was given.
#[derive(Default)]
struct Seen {
    given: u64,
    problems: u64,
    /// The digests of what is called a module.
    modules: BTreeSet<String>,
}

impl LayerVisitor for Seen {
    fn file(&mut self, file: LayerFile) -> Flow {
        self.given += 1;
        assert!(!file.path.starts_with('/') && !file.path.split('/').any(|part| part == ".."));
        if file.path.ends_with(".wasm") {
            self.modules.insert(Digest::sha256(&file.bytes).to_string());
        }
        Flow::Continue
    }

    fn problem(&mut self, problem: Problem) -> Flow {
        self.problems += 1;
        let text = problem.to_string();
        assert!(
            !text.is_empty() && !text.chars().any(char::is_control),
            "{text:?}"
        );
        assert!(!problem.hint().is_empty());
        Flow::Continue
    }
}

/// The layer of an image, wherever it is.
struct Only(Arc<[u8]>);

impl BlobSource for Only {
    fn open(&self, _blob: &Descriptor) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(Arc::clone(&self.0))))
    }
}

fn read(layer: &[u8], seen: &mut Seen) -> Result<LayerContents, LayerError> {
    let diff_id = Digest::sha256(&unpacked(layer).unwrap_or_default());
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
        descriptor(config.as_bytes()),
        descriptor(layer)
    );
    let documents = Documents {
        manifest: manifest.as_bytes(),
        config: config.as_bytes(),
    };
    let options = ImageOptions {
        limits: ImageLimits {
            most_layer: MOST_LAYER,
            ..ImageLimits::default()
        },
        ..ImageOptions::default()
    };
    let source = Arc::new(Only(layer.into()));
    let image = Image::from_source("layer", documents, Default::default(), source, &options)
        .expect("the image itself is good");
    let options = LayerOptions {
        most_file: 1 << 20,
        most_path: 4096,
        most_entries: 10_000,
        most_names: 1 << 20,
        most_links: 100,
        ..LayerOptions::default()
    };
    image.read_layer(0, &options, seen)
}

fn descriptor(bytes: &[u8]) -> String {
    format!(
        r#"{{"mediaType":"any","digest":"{}","size":{}}}"#,
        Digest::sha256(bytes),
        bytes.len()
    )
}

/// The archive in a layer, which its configuration has to have the digest of.
fn unpacked(layer: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = MOST_LAYER + 1;
    if layer.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(layer)
            .take(most)
            .read_to_end(&mut bytes)?;
    } else if layer.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        // Of one frame; of more of them the readers are shown a wrong digest at the end.
        let decoder = ruzstd::decoding::StreamingDecoder::new(layer).map_err(io::Error::other)?;
        decoder.take(most).read_to_end(&mut bytes)?;
    } else {
        bytes.extend_from_slice(layer);
    }
    Ok(bytes)
}
