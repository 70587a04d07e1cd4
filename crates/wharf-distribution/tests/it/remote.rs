//! Images that are looked at: what they say of themselves, and their layers.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wharf_distribution::registry::{HostSettings, Manifest, ManifestKind, RegistryClient};
use wharf_distribution::{RemoteImage, RemoteImageError, RemoteImageLimits, RemoteImages};
use wharf_plugin::{ByteSize, ContentDigest, ImageReference};
use wharf_testing::registry::{
    Fault, IMAGE_INDEX, IMAGE_MANIFEST, Registry, RegistryBuilder, digest_of, registry,
};
use wharf_testing::{eventually, refused_address};

use crate::harness::settings;
use crate::plugins::{TAR, client, manifest, with_artifact};

/// Bytes that differ from those of other numbers. What is in a layer matters to nobody here.
fn layer(number: u8, bytes: usize) -> Vec<u8> {
    let mut state = u32::from(number) + 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// A registry that has an image `app:1` with these layers, to which more may be added.
fn with_layers(layers: &[Vec<u8>]) -> RegistryBuilder {
    let layers: Vec<(&str, &[u8])> = layers.iter().map(|layer| (TAR, layer.as_slice())).collect();
    with_artifact(registry(), "app", "1", &layers)
}

/// Limits with which no test waits long.
fn limits() -> RemoteImageLimits {
    RemoteImageLimits {
        download: Duration::from_secs(60),
        retries: 2,
        ..RemoteImageLimits::default()
    }
}

fn images(registry: &Registry) -> RemoteImages {
    RemoteImages::new(client(registry.address())).with_limits(limits())
}

fn named(registry: &Registry, rest: &str) -> ImageReference {
    format!("{}/{rest}", registry.address()).parse().unwrap()
}

fn open(images: &RemoteImages, registry: &Registry, rest: &str) -> Result<RemoteImage, RemoteImageError> {
    images.open(&named(registry, rest), choose)
}

/// The last entry of each index.
fn choose(manifest: &Manifest) -> Result<Option<ContentDigest>, RemoteImageError> {
    match &manifest.kind {
        ManifestKind::Image(_) => Ok(None),
        ManifestKind::Index { entries } => Ok(entries.last().map(|entry| entry.descriptor.digest.clone())),
    }
}

/// All bytes of a layer.
fn read(image: &RemoteImage, layer: &[u8]) -> Result<Vec<u8>, RemoteImageError> {
    let mut reader = image.layer(&ContentDigest::sha256_of(layer))?;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

/// An error with those behind it, with the address that it has in this run replaced. Each error has a hint.
fn told(error: &RemoteImageError, registry: &Registry) -> String {
    assert!(!error.hint().is_empty(), "{error:?}");
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text += &format!(": {source}");
        next = source.source();
    }
    text.replace(&registry.address().to_string(), "ADDRESS")
}

/// How often a layer was asked for, and from which byte the last time.
fn requests_for(registry: &Registry, layer: &[u8]) -> (usize, Option<String>) {
    let digest = digest_of(layer);
    let received = registry.received();
    let asked: Vec<_> = received
        .iter()
        .filter(|request| request.target.ends_with(&digest))
        .collect();
    let last = asked.last().and_then(|request| request.header("range"));
    (asked.len(), last.map(str::to_owned))
}

fn index(entries: &[&str]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|text| {
            let media_type = if text.contains("manifests") {
                IMAGE_INDEX
            } else {
                IMAGE_MANIFEST
            };
            format!(
                r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#,
                digest_of(text),
                text.len()
            )
        })
        .collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE_INDEX}","manifests":[{}]}}"#,
        entries.join(",")
    )
}

#[test]
fn only_layers_that_are_wanted_are_downloaded_and_once() {
    let layers = [layer(1, 300_000), layer(2, 50), layer(3, 70_000)];
    let registry = with_layers(&layers).start();
    let image = open(&images(&registry), &registry, "app:1").unwrap();
    assert_eq!(image.config(), b"{}");
    assert_eq!(*image.resolved(), image.manifest().digest);
    assert_eq!(
        image.reference().to_string(),
        named(&registry, "app:1").to_string()
    );
    assert_eq!(registry.asked().len(), 2, "{:?}", registry.asked());
    for _ in 0..2 {
        assert_eq!(read(&image, &layers[0]).unwrap(), layers[0]);
        assert_eq!(read(&image, &layers[2]).unwrap(), layers[2]);
    }
    let counts = layers.each_ref().map(|layer| requests_for(&registry, layer).0);
    assert_eq!(counts, [1, 0, 1]);
}

#[test]
fn each_reader_has_its_own_place() {
    let layers = [layer(1, 10_000)];
    let registry = with_layers(&layers).start();
    let image = open(&images(&registry), &registry, "app:1").unwrap();
    let digest = ContentDigest::sha256_of(&layers[0]);
    let (mut one, mut other) = (image.layer(&digest).unwrap(), image.layer(&digest).unwrap());
    drop(image);
    let (mut half, mut rest, mut whole) = (vec![0; 5_000], Vec::new(), Vec::new());
    one.read_exact(&mut half).unwrap();
    other.read_to_end(&mut whole).unwrap();
    one.read_to_end(&mut rest).unwrap();
    assert_eq!(whole, layers[0]);
    assert_eq!([half, rest].concat(), layers[0]);
}

#[test]
fn several_threads_read_layers_at_once() {
    let layers: Vec<Vec<u8>> = (0..4).map(|number| layer(number, 200_000)).collect();
    let registry = with_layers(&layers).start();
    let image = open(&images(&registry), &registry, "app:1").unwrap();
    thread::scope(|scope| {
        for number in 0..16 {
            let (image, layers) = (&image, &layers);
            scope.spawn(move || {
                let layer = &layers[number % layers.len()];
                assert_eq!(read(image, layer).unwrap(), *layer);
            });
        }
    });
    for layer in &layers {
        assert_eq!(requests_for(&registry, layer).0, 1);
    }
}

#[tokio::test]
async fn a_thread_that_serves_a_runtime_may_ask_too() {
    let layers = [layer(1, 1_000)];
    let registry = with_layers(&layers).start();
    let image = open(&images(&registry), &registry, "app:1").unwrap();
    assert_eq!(read(&image, &layers[0]).unwrap(), layers[0]);
}

#[test]
fn who_asks_chooses_from_indexes() {
    let layers = [layer(1, 100)];
    let own = manifest(&[(TAR, &layers[0])]);
    let other = manifest(&[]);
    let inner = index(&[&other, &own]);
    let outer = index(&[&inner]);
    let registry = with_layers(&layers)
        .manifest("app", "inner", IMAGE_INDEX, inner.clone())
        .manifest("app", "outer", IMAGE_INDEX, outer.clone())
        .start();
    let images = images(&registry);
    let image = open(&images, &registry, "app:outer").unwrap();
    assert_eq!(image.resolved().to_string(), digest_of(&outer));
    assert_eq!(image.manifest().text, own);
    assert_eq!(read(&image, &layers[0]).unwrap(), layers[0]);
    let by_digest = format!("app@{}", digest_of(&inner));
    let image = open(&images, &registry, &by_digest).unwrap();
    assert_eq!(image.resolved().to_string(), digest_of(&inner));
    let not_chosen = images.open(&named(&registry, "app:outer"), |_| {
        Ok::<_, RemoteImageError>(None)
    });
    assert_eq!(
        told(&not_chosen.unwrap_err(), &registry),
        "ADDRESS/app:outer is an index of several images, and none of them was chosen"
    );
}

/// What a program says that finds nothing in an index.
#[derive(Debug)]
enum Choosing {
    NoneFits,
    Remote(RemoteImageError),
}

impl From<RemoteImageError> for Choosing {
    fn from(error: RemoteImageError) -> Self {
        Self::Remote(error)
    }
}

#[test]
fn what_the_chooser_says_is_told_as_it_is() {
    let registry = with_layers(&[]).start();
    let refused = images(&registry).open(&named(&registry, "app:1"), |_| Err(Choosing::NoneFits));
    assert!(matches!(refused, Err(Choosing::NoneFits)), "{refused:?}");
    let missing = images(&registry).open(&named(&registry, "app:2"), |_| Err(Choosing::NoneFits));
    assert!(
        matches!(missing, Err(Choosing::Remote(RemoteImageError::Registry { .. }))),
        "{missing:?}"
    );
}

#[test]
fn an_index_that_has_no_end_is_given_up() {
    let mut text = manifest(&[]);
    let mut described = with_layers(&[]);
    for number in 0..9 {
        text = index(&[&text]);
        described = described.manifest("app", &format!("deep-{number}"), IMAGE_INDEX, text.clone());
    }
    let registry = described.start();
    let images = images(&registry);
    open(&images, &registry, "app:deep-7").unwrap();
    let error = open(&images, &registry, "app:deep-8").unwrap_err();
    assert_eq!(
        told(&error, &registry),
        "ADDRESS/app:deep-8: its indexes are nested more than 8 deep"
    );
}

#[test]
fn a_layer_that_breaks_off_is_gone_on_with() {
    let layers = [layer(1, 200_000)];
    for fault in [Fault::Cut, Fault::Stall] {
        // Only where nothing comes, since a busy machine may take its time for the rest.
        let idle = match fault {
            Fault::Stall => Duration::from_secs(2),
            _ => limits().idle,
        };
        let registry = with_layers(&layers)
            .fault_times(1, &digest_of(&layers[0]), fault)
            .start();
        let images = images(&registry).with_limits(RemoteImageLimits { idle, ..limits() });
        let image = open(&images, &registry, "app:1").unwrap();
        assert_eq!(read(&image, &layers[0]).unwrap(), layers[0]);
        let (times, range) = requests_for(&registry, &layers[0]);
        assert_eq!(times, 2);
        let from: u64 = range.unwrap()["bytes=".len()..]
            .trim_end_matches('-')
            .parse()
            .unwrap();
        assert!(from > 0 && from < 200_000, "{from}");
    }
}

#[test]
fn what_fails_for_a_while_is_asked_for_again() {
    let layers = [layer(1, 1_000)];
    let registry = with_layers(&layers)
        .fault_times(1, "/manifests/", Fault::Status(429, "retry-after: 0\r\n", ""))
        .fault_times(1, &digest_of("{}"), Fault::Status(503, "", ""))
        .fault_times(
            2,
            &digest_of(&layers[0]),
            Fault::Status(429, "retry-after: 0\r\n", ""),
        )
        .start();
    let image = open(&images(&registry), &registry, "app:1").unwrap();
    assert_eq!(read(&image, &layers[0]).unwrap(), layers[0]);
    assert_eq!(requests_for(&registry, &layers[0]).0, 3);
}

#[test]
fn a_registry_that_lies_about_a_layer_is_told() {
    let layers = [layer(1, 20_000)];
    let digest = digest_of(&layers[0]);
    let other = layer(2, 20_000);
    let size = "the layer has fewer than the 20000 bytes that its manifest says";
    let more = "the layer has more than the 20000 bytes that its manifest says";
    let bytes = format!(
        "the layer is not what was asked for: its digest is {}, and should be {digest}",
        digest_of(&other)
    );
    for (fault, expected) in [
        (Fault::Bytes(other), bytes.as_str()),
        (Fault::Short, size),
        (Fault::Bytes(layer(1, 19_999)), size),
        (Fault::Long, more),
        (Fault::Endless, more),
        (Fault::Length(1 << 50), more),
        (
            Fault::Header("content-encoding: gzip\r\n"),
            "ADDRESS gives it encoded with gzip, which was not asked for",
        ),
        (Fault::Status(500, "", ""), "the registry ADDRESS answered 500"),
        (
            Fault::Status(404, "", r#"{"errors":[{"code":"BLOB_UNKNOWN"}]}"#),
            "the repository `app` of the registry ADDRESS lacks the blob DIGEST, which its manifest names",
        ),
    ] {
        let registry = with_layers(&layers).fault(&digest, fault).start();
        let image = open(&images(&registry), &registry, "app:1").unwrap();
        let expected = format!("the layer {digest} of ADDRESS/app:1 cannot be fetched: {expected}");
        for _ in 0..2 {
            let error = read(&image, &layers[0]).unwrap_err();
            assert_eq!(told(&error, &registry), expected.replace("DIGEST", &digest));
        }
    }
}

#[test]
fn a_registry_that_lies_about_documents_is_told() {
    let config = digest_of("{}");
    for (part, fault, expected) in [
        (
            "/manifests/",
            Fault::Bytes(b"{}".to_vec()),
            "the manifest is not what was asked for",
        ),
        (
            config.as_str(),
            Fault::Bytes(b"[]".to_vec()),
            "the configuration is not what was asked for",
        ),
        (
            config.as_str(),
            Fault::Endless,
            "the configuration has more than the 2 bytes",
        ),
        ("/manifests/", Fault::Endless, "the manifest has more than 4MiB"),
        (
            "/manifests/",
            Fault::Status(403, "", ""),
            "the registry ADDRESS refuses `app`",
        ),
    ] {
        let registry = with_layers(&[]).fault(part, fault).start();
        let error = open(&images(&registry), &registry, "app:1").unwrap_err();
        let told = told(&error, &registry);
        let start = format!("the image ADDRESS/app:1 cannot be fetched: {expected}");
        assert!(told.starts_with(&start), "{told}");
    }
}

#[test]
fn nothing_beyond_a_bound_is_even_asked_for() {
    let layers = [layer(1, 60_000), layer(2, 60_000), layer(3, 100_001)];
    let registry = with_layers(&layers).start();
    let images = images(&registry).with_limits(RemoteImageLimits {
        layer: ByteSize::from_bytes(100_000),
        layers: ByteSize::from_bytes(119_999),
        ..limits()
    });
    let image = open(&images, &registry, "app:1").unwrap();
    let error = read(&image, &layers[2]).unwrap_err();
    assert_eq!(
        told(&error, &registry),
        "the layer of ADDRESS/app:1 may have 100000B, and its manifest says that there are more"
    );
    for _ in 0..2 {
        assert_eq!(read(&image, &layers[0]).unwrap(), layers[0]);
    }
    let error = read(&image, &layers[1]).unwrap_err();
    assert_eq!(
        told(&error, &registry),
        "the layers together of ADDRESS/app:1 may have 119999B, and its manifest says that there are more"
    );
    let counts = layers.each_ref().map(|layer| requests_for(&registry, layer).0);
    assert_eq!(counts, [1, 0, 0]);
    let huge = manifest(&[]).replace(r#""size":2}"#, r#""size":9000000000}"#);
    let registry = with_layers(&[])
        .manifest("app", "huge", IMAGE_MANIFEST, huge)
        .start();
    let error = open(&images, &registry, "app:huge").err();
    assert!(
        matches!(error, Some(RemoteImageError::Registry { .. })),
        "{error:?}"
    );
    let images = RemoteImages::new(client(registry.address()));
    let error = open(&images, &registry, "app:huge").unwrap_err();
    assert_eq!(
        told(&error, &registry),
        "the configuration of ADDRESS/app:huge may have 8MiB, and its manifest says that there are more"
    );
}

#[test]
fn a_download_that_failed_takes_no_room() {
    let layers = [layer(1, 60_000)];
    let digest = digest_of(&layers[0]);
    let registry = with_layers(&layers)
        .fault_times(1, &digest, Fault::Status(404, "", ""))
        .start();
    let images = images(&registry).with_limits(RemoteImageLimits {
        layers: ByteSize::from_bytes(60_000),
        ..limits()
    });
    let image = open(&images, &registry, "app:1").unwrap();
    read(&image, &layers[0]).unwrap_err();
    assert_eq!(read(&image, &layers[0]).unwrap(), layers[0]);
}

#[test]
fn a_token_is_had_once_for_all_layers() {
    let layers = [layer(1, 100), layer(2, 100)];
    let registry = with_layers(&layers).token(None).start();
    let image = open(&images(&registry), &registry, "app:1").unwrap();
    for layer in &layers {
        assert_eq!(read(&image, layer).unwrap(), *layer);
    }
    let asked = registry.asked();
    let tokens = asked.iter().filter(|asked| asked.contains("/token")).count();
    assert_eq!(tokens, 1, "{asked:?}");
    let closed = with_layers(&layers).token(Some("Basic x")).start();
    let error = open(&images(&closed), &closed, "app:1").unwrap_err();
    assert_eq!(
        told(&error, &closed),
        "the image ADDRESS/app:1 cannot be fetched: the token server ADDRESS of the registry ADDRESS answered 401: \
         UNAUTHORIZED, no such user"
    );
}

#[test]
fn whoever_waits_can_be_told_to_stop() {
    let layers = [layer(1, 100_000)];
    for part in ["/manifests/1", &digest_of("{}"), &digest_of(&layers[0])] {
        let registry = with_layers(&layers).fault(part, Fault::Stall).start();
        let stop = Arc::new(AtomicBool::new(false));
        let images = images(&registry).with_stop(Arc::clone(&stop));
        thread::scope(|scope| {
            let fetching = scope.spawn(|| {
                let image = open(&images, &registry, "app:1")?;
                read(&image, &layers[0])
            });
            eventually("the part is asked for", || {
                registry.asked().iter().any(|asked| asked.ends_with(part))
            });
            stop.store(true, Ordering::Relaxed);
            let error = fetching.join().unwrap().unwrap_err();
            assert_eq!(told(&error, &registry), "fetching ADDRESS/app:1 was stopped");
        });
        // Nothing is begun any more either.
        let before = registry.asked().len();
        open(&images, &registry, "app:1").unwrap_err();
        assert_eq!(registry.asked().len(), before);
    }
}

#[test]
fn a_mirror_is_asked_first_and_the_registry_for_what_it_lacks() {
    let layers = [layer(1, 100_000), layer(2, 50_000)];
    let broken = digest_of(&layers[1]);
    let mirror = with_layers(&layers).fault(&broken, Fault::Cut).start();
    let own = with_layers(&layers).start();
    let mut settings = settings(own.address());
    settings
        .hosts
        .extend(crate::harness::settings(mirror.address()).hosts);
    let absent = refused_address();
    settings.hosts.extend(crate::harness::settings(absent).hosts);
    let mirrors = [absent, mirror.address()].map(|address| address.to_string().parse().unwrap());
    settings.hosts.insert(
        own.address().to_string().parse().unwrap(),
        HostSettings {
            plain_http: true,
            mirrors: mirrors.to_vec(),
            ..HostSettings::default()
        },
    );
    let client = Arc::new(RegistryClient::new(settings).unwrap());
    let images = RemoteImages::new(client).with_limits(RemoteImageLimits {
        retries: 0,
        ..limits()
    });
    let image = open(&images, &own, "app:1").unwrap();
    assert_eq!(read(&image, &layers[0]).unwrap(), layers[0]);
    assert_eq!(own.asked(), [] as [String; 0]);
    assert_eq!(read(&image, &layers[1]).unwrap(), layers[1]);
    // What the mirror gave is not asked for again.
    let (times, range) = requests_for(&own, &layers[1]);
    assert_eq!((times, range.is_some()), (1, true));
}

#[test]
fn a_directory_without_room_is_told() {
    let layers = [layer(1, 100)];
    let registry = with_layers(&layers).start();
    let missing = tempfile::tempdir().unwrap().path().join("missing");
    let images = images(&registry).with_directory(missing.clone());
    let image = open(&images, &registry, "app:1").unwrap();
    let error = read(&image, &layers[0]).unwrap_err();
    let told = told(&error, &registry);
    let start = format!("a layer cannot be kept in {}: ", missing.display());
    assert!(told.starts_with(&start), "{told}");
    assert_eq!(requests_for(&registry, &layers[0]).0, 0);
}

#[test]
fn nothing_stays_on_the_disk() {
    let layers = [layer(1, 10_000)];
    let registry = with_layers(&layers).start();
    let directory = tempfile::tempdir().unwrap();
    let images = images(&registry).with_directory(directory.path().to_owned());
    let image = open(&images, &registry, "app:1").unwrap();
    assert_eq!(read(&image, &layers[0]).unwrap(), layers[0]);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let error = image.layer(&ContentDigest::sha256_of(b"other")).unwrap_err();
    assert!(matches!(error, RemoteImageError::NoLayer { .. }), "{error:?}");
}
