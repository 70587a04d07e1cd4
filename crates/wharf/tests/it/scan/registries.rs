//! Images in registries as targets.

use std::process::Stdio;

use expect_test::expect;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use wharf_testing::eventually;
use wharf_testing::registry::{
    Fault, IMAGE_INDEX, IMAGE_MANIFEST, Registry, RegistryBuilder, digest_of, registry,
};

use super::images::{OLD, SECRET, tar};
use super::{SECRETS, WORDPRESS, scan, targets};
use crate::harness::{Folder, folder};

/// An image: its configuration, its layers and its manifest.
struct Image {
    config: String,
    layers: Vec<Vec<u8>>,
    manifest: String,
}

/// An image for a processor, with these layers.
fn image(architecture: &str, layers: Vec<Vec<u8>>) -> Image {
    let digests: Vec<String> = layers.iter().map(digest_of).collect();
    let config = json!({
        "architecture": architecture, "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": digests },
    })
    .to_string();
    let described = layers.iter().map(|layer| {
        json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": digest_of(layer), "size": layer.len(),
        })
    });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest_of(&config), "size": config.len(),
        },
        "layers": described.collect::<Vec<_>>(),
    })
    .to_string();
    Image {
        config,
        layers,
        manifest,
    }
}

/// Two layers: an old WordPress, and a secret.
fn shop() -> Image {
    let lower = tar(&[("blog/wp-includes/version.php", OLD)]);
    let upper = tar(&[("app/.env", SECRET)]);
    image("amd64", vec![lower, upper])
}

/// A registry with an image as `team/shop` by this tag.
fn with(described: RegistryBuilder, tag: &str, image: &Image) -> RegistryBuilder {
    let described = described
        .manifest("team/shop", tag, IMAGE_MANIFEST, image.manifest.clone())
        .blob("team/shop", image.config.clone());
    let layers = image.layers.iter();
    layers.fold(described, |described, layer| {
        described.blob("team/shop", layer.clone())
    })
}

/// A folder with a configuration that names the registry for plain HTTP.
fn knowing(registry: &Registry) -> Folder {
    let address = registry.address();
    folder().with(
        "wharf.yaml",
        format!(
            "version: 1\nregistries: {{ hosts: {{ \"{address}\": {{ plainHttp: true }} }} }}\nscan: {{}}\n"
        ),
    )
}

/// Scans an image of the registry for secrets.
fn scan_image(registry: &Registry, target: &str, more: &[&str]) -> (i32, Value, String) {
    let folder = knowing(registry);
    let target = target.replace("ADDRESS", &registry.address().to_string());
    let arguments = [&["-c", "wharf.yaml", "--module", SECRETS, &target], more].concat();
    scan(&folder, &arguments)
}

/// All that a scan without modules gives, with the address of this run replaced.
fn transcript(registry: &Registry, arguments: &[&str]) -> String {
    let address = registry.address().to_string();
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| argument.replace("ADDRESS", &address))
        .collect();
    let mut all = vec!["scan", "--no-cache", "-c", "wharf.yaml"];
    all.extend(arguments.iter().map(String::as_str));
    knowing(registry).transcript(&all).replace(&address, "ADDRESS")
}

#[test]
fn an_image_of_a_registry_is_scanned_as_trivy_does() {
    let image = shop();
    let registry = with(registry(), "1", &image).start();
    let (address, digest) = (registry.address(), digest_of(&image.manifest));
    for scheme in [
        "oci:",
        "oci://",
        "registry:",
        "registry://",
        "docker:",
        "docker://",
    ] {
        let target = format!("{scheme}ADDRESS/team/shop:1");
        let (code, report, said) = scan_image(&registry, &target, &["--module", WORDPRESS]);
        assert_eq!((code, said.as_str()), (0, ""), "{report}");
        assert_eq!(report["ArtifactName"], format!("{address}/team/shop:1"));
        assert_eq!(report["ArtifactType"], "container_image");
        let metadata = &report["Metadata"];
        assert_eq!(metadata["ImageID"], digest_of(&image.config));
        assert_eq!(metadata["RepoTags"], json!([format!("{address}/team/shop:1")]));
        assert_eq!(
            metadata["RepoDigests"],
            json!([format!("{address}/team/shop@{digest}")])
        );
        assert_eq!(metadata["Reference"], format!("{address}/team/shop:1"));
        let digests: Vec<String> = image.layers.iter().map(digest_of).collect();
        assert_eq!(metadata["DiffIDs"], json!(digests));
        assert_eq!(metadata["Layers"][1]["Digest"], digests[1].as_str());
        assert_eq!(metadata["Layers"][1]["DiffID"], digests[1].as_str());
        let found: Vec<_> = targets(&report).into_iter().map(|(target, _)| target).collect();
        assert_eq!(
            found,
            ["app/.env", "", "/blog/wp-includes/version.php"],
            "{report}"
        );
    }
}

#[test]
fn a_name_with_a_digest_has_no_tag_in_the_report() {
    let image = shop();
    let registry = with(registry(), "1", &image).start();
    let digest = digest_of(&image.manifest);
    let by_digest = format!("{}/team/shop@{digest}", registry.address());
    let (_, by_tag, _) = scan_image(&registry, "oci:ADDRESS/team/shop:1", &[]);
    for target in [
        format!("oci:ADDRESS/team/shop@{digest}"),
        format!("oci:ADDRESS/team/shop:1@{digest}"),
    ] {
        let (code, report, said) = scan_image(&registry, &target, &[]);
        assert_eq!((code, said.as_str()), (0, ""));
        assert_eq!(report["Metadata"]["RepoTags"], Value::Null);
        assert_eq!(report["Metadata"]["RepoDigests"], json!([by_digest]));
        assert_eq!(report["Metadata"]["Reference"], by_digest.as_str());
        assert_eq!(report["ArtifactID"], by_tag["ArtifactID"]);
    }
}

#[test]
fn the_image_of_a_platform_is_chosen() {
    let arm = image("arm64", vec![tar(&[("readme", b"nothing")])]);
    let amd = shop();
    let entries = [("arm64", &arm), ("amd64", &amd)].map(|(architecture, image)| {
        json!({
            "mediaType": IMAGE_MANIFEST, "digest": digest_of(&image.manifest), "size": image.manifest.len(),
            "platform": { "os": "linux", "architecture": architecture },
        })
    });
    let index = json!({ "schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": entries }).to_string();
    let described = with(with(registry(), "arm", &arm), "amd", &amd);
    let registry = described
        .manifest("team/shop", "all", IMAGE_INDEX, index.clone())
        .start();
    for (more, image) in [
        (&[][..], &amd),
        (&["--platform", "linux/amd64"][..], &amd),
        (&["--platform", "linux/arm64"][..], &arm),
    ] {
        let (code, report, said) = scan_image(&registry, "oci:ADDRESS/team/shop:all", more);
        assert_eq!((code, said.as_str()), (0, ""));
        assert_eq!(report["Metadata"]["ImageID"], digest_of(&image.config));
        let digests = &report["Metadata"]["RepoDigests"];
        assert!(
            digests[0].as_str().unwrap().ends_with(&digest_of(&index)),
            "{digests}"
        );
    }
    let told = transcript(
        &registry,
        &["oci:ADDRESS/team/shop:all", "--platform", "linux/s390x"],
    );
    expect![[r#"
        exit code 1
        --- stderr ---
        error: ADDRESS/team/shop:all has no image for linux/s390x; it has linux/arm64, linux/amd64

        hint: name one of those that there are
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_layer_that_is_known_is_not_downloaded() {
    let image = shop();
    let registry = with(registry(), "1", &image).start();
    let folder = knowing(&registry);
    let cache = tempfile::tempdir().unwrap();
    let target = format!("oci:{}/team/shop:1", registry.address());
    let run = || {
        let arguments = [
            "scan",
            "-c",
            "wharf.yaml",
            "--format",
            "json",
            "--module",
            SECRETS,
            &target,
        ];
        let output = folder
            .command(&arguments)
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
    assert_eq!(registry.asked().len(), 4, "{:?}", registry.asked());
    assert_eq!(run(), first);
    // The manifest and the configuration.
    assert_eq!(registry.asked().len(), 6, "{:?}", registry.asked());
}

#[test]
fn a_name_is_an_image_where_that_is_said() {
    let registry = with(registry(), "1", &shop()).start();
    let (code, report, said) = scan_image(&registry, "ADDRESS/team/shop:1", &["--target-type", "image"]);
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!(targets(&report).len(), 1);
    let told = transcript(&registry, &["ADDRESS/team/shop:2", "--target-type", "image"]);
    expect![[r#"
        exit code 1
        --- stderr ---
        error: the image ADDRESS/team/shop:2 cannot be fetched
          caused by: the repository `team/shop` of the registry ADDRESS has no `2`
          there is no file or directory ADDRESS/team/shop:2, so it is the name of an image in a registry

        hint: check the tag or digest, or push the image; a registry may have deleted it
    "#]]
    .assert_eq(&told);
    let asked = registry.asked().len();
    let told = transcript(&registry, &["ADDRESS/team/shop:1"]);
    expect![[r#"
        exit code 1
        --- stderr ---
        error: there is no file or directory ADDRESS/team/shop:1

        hint: an image in a registry is named `oci:ADDRESS/team/shop:1`
    "#]]
    .assert_eq(&told);
    assert_eq!(registry.asked().len(), asked);
}

#[test]
fn a_file_counts_before_an_image_of_its_name() {
    let folder = folder().with("oci:app", SECRET);
    let (code, report, _) = scan(&folder, &["--module", SECRETS, "oci:app"]);
    assert_eq!(code, 0);
    assert_eq!(report["ArtifactType"], "filesystem");
}

#[test]
fn what_is_no_name_is_told() {
    let told = folder().transcript(&["scan", "oci:registry.example/Shop"]);
    expect![[r#"
        exit code 2
        --- stderr ---
        error: "Shop" is no part of a repository's name: these are of `a-z` and `0-9` with single `.`, `_`, `__` or `-` in between

        hint: write for example `oci:registry.example/team/app:1.2`
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_registry_of_this_machine_has_to_be_named() {
    let registry = with(registry(), "1", &shop()).start();
    let target = format!("oci:{}/team/shop:1", registry.address());
    let told = folder().transcript(&["scan", "--no-cache", &target]);
    assert!(told.starts_with("exit code 1\n"), "{told}");
    assert!(
        told.contains("a registry on this machine has to be named under `registries.hosts`"),
        "{told}"
    );
    assert!(registry.asked().is_empty());
}

#[test]
fn a_layer_that_is_another_one_ends_the_scan() {
    let image = shop();
    let other = tar(&[("app/.env", SECRET), ("more", b"")]);
    let registry = with(registry(), "1", &image)
        .fault(
            &digest_of(&image.layers[1]),
            Fault::Bytes(other[..image.layers[1].len()].to_vec()),
        )
        .start();
    let (code, report, said) = scan_image(&registry, "oci:ADDRESS/team/shop:1", &[]);
    assert_eq!((code, &report), (1, &Value::Null));
    assert!(said.contains("layer 2 ("), "{said}");
    assert!(said.contains("the layer is not what was asked for"), "{said}");
    assert!(said.contains("hint: do not use it"), "{said}");
}

#[test]
fn an_image_beyond_the_bound_is_not_downloaded() {
    let image = shop();
    let registry = with(registry(), "1", &image).start();
    let address = registry.address();
    let folder = folder().with(
        "wharf.yaml",
        format!(
            "version: 1\nregistries: {{ hosts: {{ \"{address}\": {{ plainHttp: true }} }} }}\n\
             scan: {{ limits: {{ imageSize: 1MiB }} }}\n"
        ),
    );
    let manifest = image
        .manifest
        .replace(&format!("\"size\":{}", image.layers[0].len()), "\"size\":1048577");
    registry.retag("team/shop", "huge", IMAGE_MANIFEST, manifest);
    let target = format!("oci:{address}/team/shop:huge");
    let (code, _, said) = scan(&folder, &["-c", "wharf.yaml", &target]);
    assert_eq!(code, 1);
    assert!(said.contains("may have 1MiB"), "{said}");
    assert!(
        said.contains("hint: raise the limit if you trust who built the image"),
        "{said}"
    );
    assert!(
        registry
            .asked()
            .iter()
            .all(|asked| !asked.ends_with(&digest_of(&image.layers[0])))
    );
}

#[test]
fn a_download_ends_with_a_signal() {
    let image = shop();
    let stalled = digest_of(&image.layers[0]);
    let registry = with(registry(), "1", &image)
        .fault(&stalled, Fault::Stall)
        .start();
    let folder = knowing(&registry);
    let target = format!("oci:{}/team/shop:1", registry.address());
    let scan = folder
        .command(&[
            "scan",
            "-c",
            "wharf.yaml",
            "--no-cache",
            "--output",
            "report",
            &target,
        ])
        .env("WHARF_LOG", "off")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the layer is asked for", || {
        registry.asked().iter().any(|asked| asked.ends_with(&stalled))
    });
    kill_process(Pid::from_child(&scan), Signal::INT).unwrap();
    let output = scan.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    // It is no module that did not come back, and the process was not ended by force.
    assert!(said.contains("hint: no report was written"), "{said}");
    assert!(!folder.path().join("report").exists());
}
