//! What is broken, and what is said about it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wharf_artifact::{
    Compression, Digest, HeaderFault, Image, ImageError, ImageOptions, LayerError, LayerErrorKind,
    LayerOptions,
};

use crate::support::images::{Layout, StoredLayer, config, docker_archive, gzip, image_with, written, zstd};
use crate::support::tar::{Header, Tar, header};
use crate::support::visitors::SeenLayer;

fn error_of(layer: StoredLayer) -> LayerError {
    let opened = image_with(&[layer], &ImageOptions::default());
    let error = opened
        .image
        .read_layer(0, &LayerOptions::default(), &mut SeenLayer::default())
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(&**opened.image.target()) && text.contains(": layer 1 (sha256:"),
        "{text}"
    );
    assert!(!error.hint().is_empty());
    error
}

fn header_fault(bytes: Vec<u8>) -> (u64, HeaderFault) {
    match error_of(bytes.into()).kind() {
        LayerErrorKind::Malformed { position, source } => (*position, *source),
        other => panic!("{other:?}"),
    }
}

#[test]
fn archives_that_end_too_early() {
    let tar = Tar::new().file("a", "a".repeat(600)).end();
    for length in [100, 600, 1111] {
        let kind = error_of(tar[..length].to_vec().into());
        assert!(matches!(kind.kind(), LayerErrorKind::Truncated { position } if *position == length as u64));
    }
    let compressed = gzip(&tar);
    let cut = StoredLayer {
        stored: compressed[..compressed.len() - 9].to_vec(),
        unpacked: tar.clone(),
    };
    let error = error_of(cut);
    assert!(
        matches!(
            error.kind(),
            LayerErrorKind::Corrupt {
                compression: Compression::Gzip,
                ..
            }
        ),
        "{error:?}"
    );
    let compressed = zstd(&tar);
    let cut = StoredLayer {
        stored: compressed[..compressed.len() - 3].to_vec(),
        unpacked: tar,
    };
    let error = error_of(cut);
    assert!(
        matches!(
            error.kind(),
            LayerErrorKind::Corrupt {
                compression: Compression::Zstd,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn archives_that_end_between_entries_are_whole() {
    // Programs exist that leave the zeros at the end away; what counts is the digest.
    let tar = Tar::new().file("a", "x").bytes;
    let opened = image_with(&[tar.into()], &ImageOptions::default());
    let mut seen = SeenLayer::default();
    opened
        .image
        .read_layer(0, &LayerOptions::default(), &mut seen)
        .unwrap();
    assert_eq!(seen.texts(), ["a=x"]);
    let empty = image_with(&[Vec::new().into()], &ImageOptions::default());
    assert_eq!(
        empty
            .image
            .read_layer(0, &LayerOptions::default(), &mut seen)
            .unwrap()
            .entries,
        0
    );
}

#[test]
fn headers_that_are_none() {
    let good = Tar::new().file("a", "x");
    let mut bytes = good.clone().file("b", "y").end();
    bytes[1024 + 5] = b'!';
    assert_eq!(header_fault(bytes), (1024, HeaderFault::Checksum));
    assert_eq!(
        header_fault(b"this is no archive".repeat(100)),
        (0, HeaderFault::Checksum)
    );
    let mut negative = header(&Header {
        name: b"n",
        size: 1 << 40,
        ..Header::default()
    });
    negative[124] = 0xff;
    crate::support::tar::sum(&mut negative);
    let size = HeaderFault::Number { field: "size" };
    assert_eq!(header_fault(Tar::new().raw(&negative, b"").end()), (0, size));
    let mut letters = header(&Header {
        name: b"n",
        ..Header::default()
    });
    letters[124..128].copy_from_slice(b"12x4");
    crate::support::tar::sum(&mut letters);
    assert_eq!(header_fault(Tar::new().raw(&letters, b"").end()), (0, size));
    let mut after_end = good.bytes;
    after_end.resize(after_end.len() + 512, 0);
    after_end.extend(Tar::new().file("hidden", "x").end());
    assert_eq!(header_fault(after_end), (1024, HeaderFault::AfterEnd));
}

#[test]
fn extended_headers_that_are_none() {
    let extended = |flag: u8, size: u64, data: &[u8]| {
        let block = header(&Header {
            name: b"x",
            flag,
            size,
            ..Header::default()
        });
        Tar::new().raw(&block, data)
    };
    for record in [
        "7 a=b",
        "99 a=b\n",
        "x a=b\n",
        "0 a=b\n",
        "3 a=b\n",
        "5 ab\n",
        "18446744073709551616 a=b\n",
    ] {
        let layer = extended(b'x', record.len() as u64, record.as_bytes())
            .file("a", "")
            .end();
        assert_eq!(header_fault(layer), (0, HeaderFault::Record), "{record}");
    }
    let size = Tar::new().pax(&[("size", "-1")]).file("a", "").end();
    assert_eq!(header_fault(size), (0, HeaderFault::Number { field: "size" }));
    let large = extended(b'L', 2 << 20, b"").end();
    assert_eq!(
        header_fault(large),
        (
            0,
            HeaderFault::TooLarge {
                size: 2 << 20,
                limit: 1 << 20
            }
        )
    );
    let alone = Tar::new().long(b'L', "a long name").end();
    assert_eq!(header_fault(alone), (1024, HeaderFault::NoEntry));
    for records in [
        &[("GNU.sparse.map", "1,2,3"), ("GNU.sparse.size", "9")][..],
        &[("GNU.sparse.numbytes", "1"), ("GNU.sparse.size", "9")],
        &[("GNU.sparse.offset", "1"), ("GNU.sparse.size", "9")],
        &[("GNU.sparse.map", "0,1")],
        &[
            ("GNU.sparse.map", "18446744073709551615,1"),
            ("GNU.sparse.size", "9"),
        ],
        &[
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.realsize", "9"),
        ],
    ] {
        let (_, fault) = header_fault(Tar::new().pax(records).file("a", "x").end());
        assert!(
            matches!(fault, HeaderFault::SparseMap { .. }),
            "{records:?}: {fault}"
        );
    }
}

#[test]
fn a_size_that_is_not_there() {
    let huge = header(&Header {
        name: b"huge",
        size: 200 << 20,
        ..Header::default()
    });
    let error = error_of(Tar::new().raw(&huge, b"little").bytes.into());
    assert!(
        matches!(error.kind(), LayerErrorKind::Truncated { position: 1024 }),
        "{error:?}"
    );
    let most = header(&Header {
        name: b"most",
        size: u64::MAX >> 2,
        ..Header::default()
    });
    let error = error_of(Tar::new().raw(&most, b"little").bytes.into());
    assert!(
        matches!(error.kind(), LayerErrorKind::Truncated { .. }),
        "{error:?}"
    );
}

#[test]
fn garbage_behind_a_compressed_stream() {
    let tar = Tar::new().file("a", "x").end();
    for compressed in [gzip(&tar), zstd(&tar)] {
        let layer = StoredLayer {
            stored: [compressed, b"garbage".repeat(9)].concat(),
            unpacked: tar.clone(),
        };
        assert!(matches!(error_of(layer).kind(), LayerErrorKind::Corrupt { .. }));
    }
}

#[test]
fn compressions_that_are_not_read() {
    for (stored, name) in [(&b"BZh91AY&SY"[..], "bzip2"), (b"\xfd7zXZ\0\0\x04", "xz")] {
        let error = error_of(StoredLayer {
            stored: stored.to_vec(),
            unpacked: Vec::new(),
        });
        assert!(matches!(error.kind(), LayerErrorKind::UnknownCompression { .. }));
        assert!(error.to_string().contains(name));
        let (_folder, path) = written(stored);
        let error = Image::open(&path, &ImageOptions::default()).unwrap_err();
        assert!(matches!(error, ImageError::UnknownCompression { .. }), "{error}");
    }
}

#[test]
fn a_layer_with_another_digest_names_both() {
    let tar = Tar::new().file("a", "x").end();
    let other = Tar::new().file("a", "y").end();
    let found = Digest::sha256(&tar);
    // The configuration is about other bytes than the manifest.
    let error = error_of(StoredLayer {
        stored: gzip(&tar),
        unpacked: other.clone(),
    });
    let text = error.to_string();
    assert!(
        matches!(error.kind(), LayerErrorKind::WrongDiffId { .. }),
        "{text}"
    );
    assert!(
        text.contains(found.hex()) && text.contains(Digest::sha256(&other).hex()),
        "{text}"
    );
    // The blob is not what its name says; it has the same length.
    let folder = tempfile::tempdir().unwrap();
    Layout::new(&[tar.clone().into()]).write(folder.path());
    let blob = folder.path().join("blobs/sha256").join(found.hex());
    fs::write(&blob, &other).unwrap();
    let image = Image::open(folder.path(), &ImageOptions::default()).unwrap();
    let read = || {
        image
            .read_layer(0, &LayerOptions::default(), &mut SeenLayer::default())
            .unwrap_err()
    };
    let error = read();
    assert!(
        matches!(error.kind(), LayerErrorKind::WrongDigest { .. }),
        "{error}"
    );
    assert!(error.to_string().contains(Digest::sha256(&other).hex()));
    fs::write(&blob, [&tar[..], &[0; 512]].concat()).unwrap();
    assert!(matches!(read().kind(), LayerErrorKind::WrongSize { .. }));
    fs::write(&blob, &tar[..tar.len() - 512]).unwrap();
    assert!(matches!(read().kind(), LayerErrorKind::WrongSize { .. }));
    fs::remove_file(&blob).unwrap();
    assert!(matches!(read().kind(), LayerErrorKind::Missing));
    fs::create_dir(&blob).unwrap();
    assert!(matches!(read().kind(), LayerErrorKind::Missing));
}

#[test]
fn targets_that_are_no_images() {
    let error = |bytes: &[u8]| {
        let (_folder, path) = written(bytes);
        let error = Image::open(&path, &ImageOptions::default()).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(!error.hint().is_empty());
        error
    };
    assert!(matches!(error(b""), ImageError::NotAnImage { .. }));
    assert!(matches!(
        error(b"some text"),
        ImageError::Truncated { position: 9, .. }
    ));
    assert!(matches!(
        error(&[b'x'; 600]),
        ImageError::Malformed { position: 0, .. }
    ));
    assert!(matches!(
        error(&Tar::new().file("a", "").end()),
        ImageError::NotAnImage { .. }
    ));
    let whole = docker_archive(&[Tar::new().file("a", "x").end().into()], &[]);
    assert!(matches!(error(&whole[..700]), ImageError::Truncated { .. }));
    let compressed = gzip(&whole);
    assert!(matches!(
        error(&compressed[..compressed.len() - 20]),
        ImageError::Corrupt { .. }
    ));
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| Image::open(path, &ImageOptions::default()).unwrap_err();
    assert!(matches!(open(folder.path()), ImageError::NotAnImage { .. }));
    assert!(matches!(
        open(&folder.path().join("none")),
        ImageError::Missing { .. }
    ));
    assert!(matches!(
        open(Path::new("/dev/null")),
        ImageError::NotAnImage { .. }
    ));
}

/// The error of an archive with this manifest, this configuration and a layer `layer.tar`.
fn docker_error(manifest: &Value, config: &str) -> ImageError {
    let tar = Tar::new()
        .file("config.json", config)
        .file("layer.tar", Tar::new().end())
        .file("manifest.json", manifest.to_string())
        .end();
    let (_folder, path) = written(&tar);
    Image::open(&path, &ImageOptions::default()).unwrap_err()
}

#[test]
fn documents_that_do_not_fit() {
    let layer: StoredLayer = Tar::new().end().into();
    let good = config(std::slice::from_ref(&layer)).to_string();
    let manifest = json!([{"Config": "config.json", "Layers": ["layer.tar"]}]);
    let error = docker_error(&json!([{"Config": "none.json", "Layers": ["layer.tar"]}]), &good);
    assert!(
        matches!(
            error,
            ImageError::DocumentMissing {
                document: "configuration",
                ..
            }
        ),
        "{error}"
    );
    let error = docker_error(&json!([{"Config": "../../etc/passwd", "Layers": []}]), &good);
    assert!(matches!(error, ImageError::DocumentMissing { .. }), "{error}");
    assert!(matches!(
        docker_error(&json!([]), &good),
        ImageError::DocumentMissing { .. }
    ));
    assert!(matches!(
        docker_error(&json!({}), &good),
        ImageError::DocumentMalformed { .. }
    ));
    assert!(matches!(
        docker_error(&manifest, "{"),
        ImageError::DocumentMalformed { .. }
    ));
    assert!(matches!(
        docker_error(&manifest, "{}"),
        ImageError::DocumentMalformed { .. }
    ));
    let diff_id = good.replace("sha256:", "sha256:..");
    assert!(matches!(
        docker_error(&manifest, &diff_id),
        ImageError::DocumentMalformed { .. }
    ));
    let error = docker_error(&json!([{"Config": "config.json", "Layers": []}]), &good);
    assert!(
        matches!(
            error,
            ImageError::LayerCount {
                manifest: 0,
                config: 1,
                ..
            }
        ),
        "{error}"
    );
    let deep = "[".repeat(100_000);
    assert!(matches!(
        docker_error(&manifest, &deep),
        ImageError::DocumentMalformed { .. }
    ));
}

#[test]
fn layouts_that_do_not_fit() {
    let error = |layout: &Layout| {
        let (_folder, path) = written(&layout.tar());
        Image::open(&path, &ImageOptions::default()).unwrap_err()
    };
    let layout = || Layout::new(&[Tar::new().end().into()]);
    let mut nested = layout();
    for _ in 0..9 {
        let index = json!({"schemaVersion": 2, "manifests": [nested.manifest]});
        nested.manifest = nested.document("application/vnd.oci.image.index.v1+json", &index);
    }
    nested.index(&[nested.manifest.clone()]);
    assert!(matches!(error(&nested), ImageError::NestedTooDeep { .. }));
    let mut missing = layout();
    missing.files.retain(|(name, _)| name == "index.json");
    assert!(matches!(
        error(&missing),
        ImageError::DocumentMissing {
            document: "manifest",
            ..
        }
    ));
    let mut changed = layout();
    for (name, bytes) in &mut changed.files {
        if name != "index.json" {
            bytes.push(b' ');
        }
    }
    assert!(matches!(error(&changed), ImageError::DocumentChanged { .. }));
    let mut traversal = layout();
    traversal.index(&[json!({"digest": "sha256:../../../etc/passwd", "size": 1})]);
    assert!(matches!(error(&traversal), ImageError::DocumentMalformed { .. }));
    let mut old = layout();
    let document = json!({"schemaVersion": 1, "mediaType": "old", "fsLayers": []});
    let old_manifest = old.document("old", &document);
    old.index(&[old_manifest]);
    assert!(matches!(error(&old), ImageError::NotAnImageManifest { .. }));
    let mut empty = layout();
    empty.index(&[]);
    assert!(matches!(error(&empty), ImageError::NoMatch { .. }));
}
