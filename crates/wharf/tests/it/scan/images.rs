//! Images as targets.

use expect_test::expect;
use serde_json::json;
use wharf_plugin::Digest;

use super::{SECRETS, WORDPRESS, check, scan, targets};
use crate::harness::{Folder, folder};

/// A tar archive of these files.
pub(super) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files {
        let mut header = [0u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[108..124].copy_from_slice(b"0000000\x000000000\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[136..148].copy_from_slice(b"00000000000\0");
        header[148..156].copy_from_slice(b"        ");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend(header);
        archive.extend(*content);
        archive.resize(archive.len().div_ceil(512) * 512, 0);
    }
    archive.extend([0; 1024]);
    archive
}

fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

/// An archive as `docker save` writes it, with these layers.
fn saved(layers: &[Vec<u8>]) -> Vec<u8> {
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| digest(layer)).collect::<Vec<_>>() },
    })
    .to_string();
    let names: Vec<String> = (0..layers.len())
        .map(|index| format!("{index}/layer.tar"))
        .collect();
    let manifest = json!([{ "Config": "config.json", "RepoTags": ["shop:1"], "Layers": names }]).to_string();
    let mut files: Vec<(&str, &[u8])> = vec![
        ("manifest.json", manifest.as_bytes()),
        ("config.json", config.as_bytes()),
    ];
    files.extend(
        names
            .iter()
            .map(String::as_str)
            .zip(layers.iter().map(Vec::as_slice)),
    );
    tar(&files)
}

pub(super) const OLD: &[u8] = b"<?php\n$wp_version = '6.4.1';\n";
pub(super) const SECRET: &[u8] = b"KEY=acme_ABCDEFGHIJKLMNOPQRSTUVWX\n";

/// Two layers: the upper one removes the blog of the lower one, and brings a secret.
fn shop() -> Folder {
    let lower = tar(&[
        ("blog/wp-includes/version.php", OLD),
        ("old/wp-includes/version.php", OLD),
    ]);
    let upper = tar(&[("old/.wh.wp-includes", b""), ("app/.env", SECRET)]);
    folder().with("shop.tar", saved(&[lower, upper]))
}

#[test]
fn the_layers_of_an_image_are_put_together() {
    let folder = shop();
    let (code, report, said) = scan(&folder, &["--module", WORDPRESS, "--module", SECRETS, "shop.tar"]);
    assert_eq!((code, said.as_str()), (0, ""), "{report}");
    assert_eq!(report["ArtifactType"], "container_image");
    assert_eq!(report["Metadata"]["RepoTags"], json!(["shop:1"]));
    assert_eq!(report["Metadata"]["DiffIDs"].as_array().unwrap().len(), 2);
    let targets: Vec<_> = targets(&report).into_iter().map(|(target, _)| target).collect();
    assert_eq!(
        targets,
        ["app/.env", "", "/blog/wp-includes/version.php"],
        "{report}"
    );
    let upper = &report["Metadata"]["DiffIDs"][1];
    assert_eq!(&report["Results"][0]["Secrets"][0]["Layer"]["DiffID"], upper);
}

#[test]
fn a_layer_is_known_the_next_time() {
    let folder = shop();
    let cache = tempfile::tempdir().unwrap();
    let run = || {
        let mut command = folder.command(&["scan", "--format", "json", "--module", WORDPRESS, "shop.tar"]);
        let output = command
            .env("WHARF_LOG", "off")
            .env("XDG_CACHE_HOME", cache.path())
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    let first = run();
    let entries = std::fs::read_dir(cache.path().join("wharf/scan"))
        .unwrap()
        .count();
    assert_eq!(entries, 2);
    assert_eq!(run(), first);
}

#[test]
fn an_image_that_is_broken_is_told() {
    let good = saved(&[tar(&[("a", b"1")])]);
    let mut other = saved(&[tar(&[("a", SECRET)])]);
    // A byte of the layer's file, so that its digest is another.
    let at = other
        .windows(SECRET.len())
        .position(|bytes| bytes == SECRET)
        .unwrap();
    other[at] ^= 1;
    let folder = folder()
        .with("cut.tar", &good[..good.len() - 2_000])
        .with("other.tar", other)
        .with("none.tar", tar(&[("readme", b"no image")]));
    check(
        &folder,
        &["cut.tar"],
        &expect![[r#"
        exit code 1
        --- stderr ---
        error: cut.tar ends in the middle of an entry, at byte 3632 of the archive

        hint: the image was damaged or changed after it was saved: save it again
    "#]],
    );
    check(
        &folder,
        &["none.tar"],
        &expect![[r#"
        exit code 1
        --- stderr ---
        error: none.tar is not an image: it has neither an `index.json` nor a `manifest.json`

        hint: name what `docker save` or `skopeo copy … oci:DIRECTORY` wrote; a directory without an index is scanned as a directory
    "#]],
    );
    let transcript = folder.transcript(&["scan", "--no-cache", "--module", SECRETS, "other.tar"]);
    assert!(transcript.starts_with("exit code 1\n"), "{transcript}");
    assert!(transcript.contains("digest"), "{transcript}");
    assert!(!transcript.contains("acme-key"), "{transcript}");
}
