//! Good images with bytes flipped, lost or doubled: an answer or an error, never a panic and never much memory.

use std::fs;
use std::io::Write;

use serde_json::json;
use wharf_artifact::{Digest, Image, ImageLimits, ImageOptions, LayerErrorKind, LayerOptions};

use crate::support::images::{Layout, StoredLayer, docker_archive, gzip, zstd};
use crate::support::tar::Tar;
use crate::support::visitors::SeenLayer;

/// Numbers that look random and are the same each time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }
}

/// Changes some bytes of a good file.
fn mutate(good: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(6) {
            0 => bytes.truncate(at),
            1 => {
                let end = (at + numbers.below(600)).min(bytes.len());
                bytes.drain(at..end);
            }
            2 => {
                let end = (at + numbers.below(600)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            3 => bytes
                .get_mut(at)
                .into_iter()
                .for_each(|byte| *byte = b"0123456789 \0\xff\x80"[at % 14]),
            _ => bytes
                .get_mut(at)
                .into_iter()
                .for_each(|byte| *byte ^= 1 << (at % 8)),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Mends the checksums of headers, so that what is behind them is reached.
fn mend(bytes: &mut [u8]) {
    for block in bytes.as_chunks_mut::<512>().0 {
        if block[257..262] == *b"ustar" {
            crate::support::tar::sum(block);
        }
    }
}

fn rich_layer() -> Vec<u8> {
    Tar::new()
        .directory("etc/")
        .file("etc/passwd", "root:x:0:0::/:/bin/sh\n")
        .hard_link("etc/shadow", "etc/passwd")
        .symbolic_link("etc/link", "passwd")
        .long(b'L', &"long/".repeat(50))
        .file("short", "long")
        .pax(&[("path", "päx"), ("size", "5"), ("mtime", "1.25")])
        .file("pax", "pax:5")
        .pax(&[("GNU.sparse.size", "2000"), ("GNU.sparse.map", "4,3,900,2")])
        .file("sparse", "abcde")
        .pax(&[
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.realsize", "20"),
        ])
        .file("sparser", [&b"1\n3\n2\n"[..], &[0; 506], b"xy"].concat())
        .file("gone/.wh.file", "")
        .file("gone/.wh..wh..opq", "")
        .end()
}

#[test]
fn layers() {
    let mut numbers = Numbers(0x5eed);
    let (mut read, mut refused) = (0, 0);
    for round in 0..4000 {
        let mut bytes = mutate(&rich_layer(), &mut numbers);
        mend(&mut bytes);
        let layer = match round % 3 {
            0 => StoredLayer::from(bytes),
            1 => StoredLayer {
                stored: mutate(&gzip(&bytes), &mut numbers),
                unpacked: bytes,
            },
            _ => StoredLayer {
                stored: mutate(&zstd(&bytes), &mut numbers),
                unpacked: bytes,
            },
        };
        let opened = Opened::new(layer);
        let options = LayerOptions {
            most_file: 1 << 20,
            ..LayerOptions::default()
        };
        let mut seen = SeenLayer::default();
        match opened.0.read_layer(0, &options, &mut seen) {
            Ok(contents) => {
                read += 1;
                assert!(contents.unpacked < 1 << 20);
            }
            Err(error) => {
                refused += 1;
                assert!(
                    !matches!(
                        error.kind(),
                        LayerErrorKind::Missing | LayerErrorKind::Unreadable { .. }
                    ),
                    "{error:?}"
                );
            }
        }
        assert!(
            seen.files
                .iter()
                .all(|file| !file.path.starts_with('/') && !file.path.contains("../"))
        );
        assert!(seen.files.iter().map(|file| file.bytes.len()).sum::<usize>() < 8 << 20);
    }
    assert!(read > 100 && refused > 1000, "{read} read, {refused} refused");
}

#[test]
fn images() {
    let layers = [StoredLayer::from(rich_layer())];
    let mut layout = Layout::new(&layers);
    layout
        .files
        .push(("other".to_owned(), json!({}).to_string().into_bytes()));
    let docker = docker_archive(&layers, &["a:1"]);
    let mut numbers = Numbers(0xdead_beef);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    let limits = ImageLimits {
        most_archive: 64 << 20,
        ..ImageLimits::default()
    };
    let options = ImageOptions {
        limits,
        ..ImageOptions::default()
    };
    let (mut opened, mut refused) = (0, 0);
    for round in 0..2000 {
        let good = if round % 2 == 0 {
            layout.tar()
        } else {
            docker.clone()
        };
        let mut bytes = mutate(&good, &mut numbers);
        mend(&mut bytes);
        if round % 5 == 0 {
            bytes = gzip(&bytes);
        }
        fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
        match Image::open(&path, &options) {
            Err(_) => refused += 1,
            Ok(image) => {
                opened += 1;
                for index in 0..image.layers().len() {
                    let mut seen = SeenLayer::default();
                    let answer = image.read_layer(index, &LayerOptions::default(), &mut seen);
                    // What was read whole is what the configuration says.
                    if answer.is_ok() && *image.id() == Digest::sha256(config_of(&layers).as_bytes()) {
                        assert_eq!(image.layers()[index].diff_id, Digest::sha256(&layers[0].unpacked));
                    }
                }
            }
        }
    }
    assert!(
        opened > 100 && refused > 100,
        "{opened} opened, {refused} refused"
    );
}

fn config_of(layers: &[StoredLayer]) -> String {
    crate::support::images::config(layers).to_string()
}

/// An image of one layer that needs no files.
struct Opened(Image);

impl Opened {
    fn new(layer: StoredLayer) -> Self {
        use std::sync::Arc;
        let config = config_of(std::slice::from_ref(&layer)).into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "config": crate::support::images::descriptor("config", &config),
            "layers": [crate::support::images::descriptor("layer", &layer.stored)],
        });
        let manifest = manifest.to_string().into_bytes();
        let documents = wharf_artifact::Documents {
            manifest: &manifest,
            config: &config,
        };
        let source = Arc::new(crate::images::Registry(layer.stored));
        let image = Image::from_source(
            "mutation",
            documents,
            Default::default(),
            source,
            &ImageOptions::default(),
        );
        Self(image.unwrap())
    }
}
