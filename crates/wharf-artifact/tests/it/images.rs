//! Images: which forms are recognised, which image is chosen, and what it says of itself.

use std::fs;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use wharf_artifact::{
    BlobSource, Chosen, Descriptor, Digest, Documents, Image, ImageError, ImageNames, ImageOptions,
    LayerErrorKind, LayerOptions, Platform, choose_manifest,
};

use crate::support::images::{Layout, StoredLayer, config, descriptor, docker_archive, gzip, written, zstd};
use crate::support::tar::Tar;
use crate::support::visitors::SeenLayer;

fn layers() -> [StoredLayer; 3] {
    let lower = StoredLayer::from(Tar::new().file("a", "lower").end());
    let upper = Tar::new().file("a", "upper").end();
    [
        lower.clone(),
        StoredLayer {
            stored: gzip(&upper),
            unpacked: upper,
        },
        lower,
    ]
}

fn all_texts(image: &Image) -> Vec<String> {
    let mut seen = SeenLayer::default();
    for index in 0..image.layers().len() {
        image
            .read_layer(index, &LayerOptions::default(), &mut seen)
            .unwrap();
    }
    seen.texts()
}

fn open(path: &Path) -> Result<Image, ImageError> {
    Image::open(path, &ImageOptions::default())
}

#[test]
fn each_form_is_recognised_by_its_content() {
    let layers = layers();
    let layout = Layout::new(&layers);
    let docker = docker_archive(&layers, &["example/app:1"]);
    let folder = tempfile::tempdir().unwrap();
    layout.write(folder.path());
    let mut images = vec![open(folder.path()).unwrap()];
    let archives = [
        layout.tar(),
        gzip(&layout.tar()),
        docker.clone(),
        gzip(&docker),
        zstd(&docker),
    ];
    for archive in &archives {
        let (_folder, path) = written(archive);
        images.push(open(&path).unwrap());
    }
    let id = Digest::sha256(config(&layers).to_string().as_bytes());
    for (position, image) in images.iter().enumerate() {
        assert_eq!(
            all_texts(image),
            ["a=lower", "a=upper", "a=lower"],
            "form {position}"
        );
        assert_eq!(*image.id(), id);
        let tags: &[&str] = if position >= 3 { &["example/app:1"] } else { &[] };
        assert_eq!(image.names().tags, tags);
        assert!(image.names().digests.is_empty());
        assert_eq!(image.config()["os"], "linux");
        let created_by: Vec<&str> = image
            .layers()
            .iter()
            .map(|layer| layer.created_by.as_str())
            .collect();
        assert_eq!(
            created_by,
            ["ADD file:0 in / ", "ADD file:1 in / ", "ADD file:2 in / "]
        );
        assert_eq!(image.layers()[1].diff_id, Digest::sha256(&layers[1].unpacked));
        assert_eq!(image.layers()[1].size, Some(layers[1].stored.len() as u64));
    }
    assert_eq!(
        images[0].layers()[1].digest,
        Some(Digest::sha256(&layers[1].stored))
    );
    assert_eq!(images[3].layers()[1].digest, None);
}

#[test]
fn the_newer_archive_of_docker_is_a_layout_with_names() {
    let layers = layers();
    let mut layout = Layout::new(&layers);
    let name = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::sha256(bytes).hex());
    let config = config(&layers).to_string();
    let names: Vec<String> = layers.iter().map(|layer| name(&layer.stored)).collect();
    let manifest = json!([{
        "Config": name(config.as_bytes()), "RepoTags": ["example/app:2"], "Layers": names,
    }]);
    layout
        .files
        .push(("manifest.json".to_owned(), manifest.to_string().into_bytes()));
    let (_folder, path) = written(&layout.tar());
    let image = open(&path).unwrap();
    assert_eq!(image.names().tags, ["example/app:2"]);
    assert_eq!(image.layers()[1].digest, Some(Digest::sha256(&layers[1].stored)));
    assert_eq!(all_texts(&image), ["a=lower", "a=upper", "a=lower"]);
}

#[test]
fn an_image_is_chosen_by_platform_and_by_reference() {
    let image_of = |text: &str| Layout::new(&[Tar::new().file("which", text).end().into()]);
    let (mut all, arm, other) = (image_of("amd64"), image_of("arm"), image_of("other"));
    let on = |manifest: &serde_json::Value, os: &str, architecture: &str| {
        let mut manifest = manifest.clone();
        manifest["platform"] = json!({"os": os, "architecture": architecture, "variant": "v8"});
        manifest
    };
    all.files.extend(arm.files);
    all.files.extend(other.files);
    let inner = json!({"schemaVersion": 2, "manifests": [
        on(&arm.manifest, "unknown", "unknown"),
        on(&all.manifest, "linux", "amd64"),
        on(&arm.manifest, "linux", "arm64"),
    ]});
    let mut multi = all.document("application/vnd.oci.image.index.v1+json", &inner);
    multi["annotations"] = json!({"org.opencontainers.image.ref.name": "1.0"});
    let mut other = other.manifest;
    other["annotations"] = json!({"org.opencontainers.image.ref.name": "other"});
    let digest = other["digest"].as_str().unwrap().to_owned();
    all.index(&[multi, other]);
    let folder = tempfile::tempdir().unwrap();
    all.write(&folder.path().join("layout"));
    let choose = |suffix: &str, platform: Option<&str>| {
        let platform = platform.map(|text| text.parse::<Platform>().unwrap());
        let options = ImageOptions {
            platform,
            ..ImageOptions::default()
        };
        Image::open(&folder.path().join(format!("layout{suffix}")), &options)
    };
    let which = |suffix: &str, platform: Option<&str>| all_texts(&choose(suffix, platform).unwrap());
    assert_eq!(which("", None), ["which=amd64"]);
    assert_eq!(which("", Some("linux/arm64")), ["which=arm"]);
    assert_eq!(which("", Some("linux/arm64/v8")), ["which=arm"]);
    assert_eq!(which(":1.0", None), ["which=amd64"]);
    assert_eq!(which(":other", None), ["which=other"]);
    assert_eq!(which(&format!("@{digest}"), None), ["which=other"]);
    let error = choose("", Some("windows/amd64")).unwrap_err();
    assert!(
        error.to_string().ends_with(
            "has no image for windows/amd64; it has unknown/unknown/v8, linux/amd64/v8, linux/arm64/v8"
        ),
        "{error}"
    );
    assert!(matches!(
        choose(":2.0", None).unwrap_err(),
        ImageError::NoMatch { .. }
    ));
    assert!(matches!(
        choose("-none:1", None).unwrap_err(),
        ImageError::Missing { .. }
    ));
    assert!("linux".parse::<Platform>().is_err());
    assert!("linux//v8".parse::<Platform>().is_err());
}

#[test]
fn an_archive_of_several_images_is_asked_which() {
    let layers = layers();
    let config = config(&layers[..1]).to_string();
    let entry = |tag: &str| json!({"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]});
    let tar = Tar::new()
        .file("config.json", config)
        .file("layer.tar", &layers[0].stored)
        .file("manifest.json", json!([entry("a:1"), entry("b:1")]).to_string())
        .end();
    let (_folder, path) = written(&tar);
    let error = open(&path).unwrap_err();
    assert!(
        error.to_string().ends_with("has several images: a:1, b:1"),
        "{error}"
    );
    let options = ImageOptions {
        reference: Some("b:1".to_owned()),
        ..ImageOptions::default()
    };
    assert_eq!(Image::open(&path, &options).unwrap().names().tags, ["b:1"]);
    let options = ImageOptions {
        reference: Some("c:1".to_owned()),
        ..ImageOptions::default()
    };
    assert!(matches!(
        Image::open(&path, &options).unwrap_err(),
        ImageError::NoMatch { .. }
    ));
}

/// A registry that has one layer.
pub(crate) struct Registry(pub(crate) Vec<u8>);

impl BlobSource for Registry {
    fn open(&self, blob: &Descriptor) -> io::Result<Box<dyn Read + Send>> {
        if blob.digest == Digest::sha256(&self.0) {
            Ok(Box::new(Cursor::new(self.0.clone())))
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

#[test]
fn an_image_may_come_from_somewhere_else() {
    let layers = layers();
    let config = config(&layers).to_string().into_bytes();
    let described: Vec<_> = layers
        .iter()
        .map(|layer| descriptor("layer", &layer.stored))
        .collect();
    let manifest = json!({"schemaVersion": 2, "config": descriptor("config", &config), "layers": described});
    let manifest = manifest.to_string().into_bytes();
    assert_eq!(
        choose_manifest("app", &manifest, None, None).unwrap(),
        Chosen::Manifest
    );
    let names = ImageNames {
        tags: vec!["app:1".to_owned()],
        digests: vec!["app@sha256:0".to_owned()],
    };
    let source = Arc::new(Registry(layers[1].stored.clone()));
    let open = |config: &[u8]| {
        let documents = Documents {
            manifest: &manifest,
            config,
        };
        Image::from_source(
            "app:1",
            documents,
            names.clone(),
            source.clone(),
            &ImageOptions::default(),
        )
    };
    let image = open(&config).unwrap();
    assert_eq!(*image.names(), names);
    assert_eq!(names.first(), Some("app:1"));
    let by_digest = ImageNames {
        tags: Vec::new(),
        ..names.clone()
    };
    assert_eq!(by_digest.first(), Some("app@sha256:0"));
    assert_eq!(ImageNames::default().first(), None);
    let mut seen = SeenLayer::default();
    image.read_layer(1, &LayerOptions::default(), &mut seen).unwrap();
    assert_eq!(seen.texts(), ["a=upper"]);
    let error = image
        .read_layer(0, &LayerOptions::default(), &mut seen)
        .unwrap_err();
    assert!(matches!(error.kind(), LayerErrorKind::Missing));
    assert!(
        error.to_string().starts_with("app:1: layer 1 (sha256:"),
        "{error}"
    );
    assert!(matches!(
        open(b"{}").unwrap_err(),
        ImageError::DocumentChanged { .. }
    ));
    let error = image
        .read_layer(9, &LayerOptions::default(), &mut seen)
        .unwrap_err();
    assert!(matches!(error.kind(), LayerErrorKind::NoSuchLayer));
}

#[test]
fn blobs_may_be_links_in_a_layout() {
    let layers = layers();
    let folder = tempfile::tempdir().unwrap();
    Layout::new(&layers).write(&folder.path().join("real"));
    fs::create_dir(folder.path().join("linked")).unwrap();
    for name in ["index.json", "blobs"] {
        let real = folder.path().join("real").join(name);
        std::os::unix::fs::symlink(real, folder.path().join("linked").join(name)).unwrap();
    }
    assert_eq!(all_texts(&open(&folder.path().join("linked")).unwrap()).len(), 3);
}

#[test]
fn a_history_that_does_not_fit_gives_no_commands() {
    let layers = layers();
    let mut config = config(&layers[..1]);
    config["history"] = json!([{"created_by": "a"}, {"created_by": "b"}]);
    let config = config.to_string();
    let manifest = json!([{"Config": "config.json", "RepoTags": null, "Layers": ["layer.tar"]}]);
    let tar = Tar::new()
        .file("config.json", config)
        .file("layer.tar", &layers[0].stored)
        .file("manifest.json", manifest.to_string())
        .end();
    let (_folder, path) = written(&tar);
    let image = open(&path).unwrap();
    assert_eq!(image.layers()[0].created_by, "");
    assert!(image.names().tags.is_empty());
}
