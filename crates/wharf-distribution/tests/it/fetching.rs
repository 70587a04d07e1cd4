//! Images that are fetched: every layout, the pull policies, the lock file, mirrors.

use std::sync::Arc;

use wharf_distribution::registry::{HostSettings, RegistryClient};
use wharf_distribution::{
    FetchError, Fetcher, Layout, LayoutError, LockMode, Lockfile, Origin, PullPolicy, Store,
};
use wharf_plugin::{Digest, Reference, Verification};
use wharf_testing::refused_address;
use wharf_testing::registry::{IMAGE_INDEX, IMAGE_MANIFEST, digest_of, registry};

use crate::harness::settings;
use crate::plugins::{
    CNCF, DOCKER_TAR, ISTIO, KUBEWARDEN, TAR, check_blobs, client, fetcher, gzip, large_module, limits,
    manifest, module, oci, tar, with_artifact,
};

/// Layers by their media types.
type Layers<'a> = Vec<(&'a str, &'a [u8])>;

#[test]
fn what_is_pulled_is_in_the_store_and_what_is_no_module_is_not() {
    let wasm = large_module(1, 3 << 20);
    let (packed, text) = (
        tar(&[("plugin.wasm", &wasm)]),
        b"<html>no module</html>".repeat(5_000),
    );
    let registry = with_artifact(registry(), "app", "plain", &[(CNCF, &wasm)]);
    let registry = with_artifact(registry, "app", "packed", &[(TAR, &packed)]);
    let registry = with_artifact(registry, "app", "page", &[(CNCF, &text)]).start();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    for tag in ["plain", "packed"] {
        let reference = oci(registry.address(), &format!("app:{tag}"));
        for origin in [Origin::Network, Origin::Store] {
            let pulled = fetcher.pull(&reference).unwrap();
            assert_eq!(
                (pulled.module, pulled.size),
                (Digest::of(&wasm), wasm.len() as u64)
            );
            assert_eq!(pulled.provenance.origin, origin, "{tag}");
            let pin = fetcher.fetch(&reference).unwrap().pin();
            assert_eq!(pulled.pin(), pin);
        }
        let never = fetcher.clone().with_policy(PullPolicy::Never);
        assert_eq!(never.fetch(&reference).unwrap().artifact.bytes(), &wasm);
    }
    let page = oci(registry.address(), "app:page");
    let error = fetcher.pull(&page).unwrap_err();
    assert!(matches!(error, FetchError::NotAModule { .. }), "{error:?}");
    assert_eq!(fetcher.store().unwrap().records().unwrap().len(), 2);
    let file = Reference::File(directory.path().join("plugin.wasm"));
    std::fs::write(directory.path().join("plugin.wasm"), &wasm).unwrap();
    let pulled = fetcher.pull(&file).unwrap();
    assert_eq!(
        (pulled.module, pulled.provenance.origin),
        (Digest::of(&wasm), Origin::File)
    );
}

#[test]
fn every_layout_gives_the_plugin_and_says_which_it_was() {
    let wasm = module(1);
    let named = tar(&[
        ("etc/notes.txt", b"x"),
        ("other.wasm", b"y"),
        ("./plugin.wasm", &wasm),
    ]);
    let only = tar(&[("a/filter.wasm", &wasm), ("b.txt", b"z")]);
    let (gzipped, zstd) = (gzip(&named), zstd_frame(&only));
    let config = br#"{"type":"envoy_proxy"}"#.as_slice();
    let cases: [(&str, Layout, Layers<'_>); 8] = [
        ("cncf", Layout::Cncf, vec![(CNCF, &wasm)]),
        ("kubewarden", Layout::Kubewarden, vec![(KUBEWARDEN, &wasm)]),
        ("trivy", Layout::Istio, vec![(ISTIO, &wasm)]),
        (
            "istio",
            Layout::Istio,
            vec![
                (ISTIO, &wasm),
                ("application/vnd.module.wasm.config.v1+json", config),
            ],
        ),
        ("tar", Layout::Image, vec![(TAR, b"below"), (TAR, &only)]),
        ("docker", Layout::Image, vec![(DOCKER_TAR, &gzipped)]),
        // The first bytes of a layer say how it is compressed, and not its media type.
        ("gzip", Layout::Image, vec![(TAR, &gzipped)]),
        (
            "zstd",
            Layout::Image,
            vec![("application/vnd.oci.image.layer.v1.tar+zstd", &zstd)],
        ),
    ];
    let described = cases.iter().fold(registry(), |registry, (tag, _, layers)| {
        with_artifact(registry, "app", tag, layers)
    });
    let registry = described.start();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    for (tag, layout, layers) in &cases {
        for origin in [Origin::Network, Origin::Store] {
            let fetched = fetcher
                .fetch(&oci(registry.address(), &format!("app:{tag}")))
                .unwrap();
            assert_eq!(fetched.layout, *layout, "{tag}");
            assert_eq!(fetched.artifact.bytes(), &wasm, "{tag}");
            assert_eq!(fetched.artifact.verification(), Verification::Unverified);
            assert_eq!(fetched.resolved.to_string(), digest_of(manifest(layers)), "{tag}");
            assert_eq!(fetched.origin, origin, "{tag}");
        }
    }
    let records = fetcher.store().unwrap().records().unwrap();
    assert_eq!(records.len(), cases.len());
    assert!(records.iter().all(|record| record.module == Digest::of(&wasm)));
    check_blobs(directory.path());
}

/// A frame of zstd with one raw block.
fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 1 << 16);
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0b0110_0000];
    // With a single segment the length counts from 256 in two bytes.
    let length = u16::try_from(bytes.len() - 256).unwrap();
    frame.extend_from_slice(&length.to_le_bytes());
    let header = (u32::try_from(bytes.len()).unwrap() << 3) | 1;
    frame.extend_from_slice(&header.to_le_bytes()[..3]);
    frame.extend_from_slice(bytes);
    frame
}

#[test]
fn an_index_leads_to_the_plugin_for_webassembly() {
    let (right, wrong) = (module(1), module(2));
    let mut described = registry();
    let mut entries = Vec::new();
    for (os, architecture, bytes) in [
        ("linux", "amd64", &wrong),
        ("wasip1", "wasm", &right),
        ("unknown", "unknown", &wrong),
    ] {
        let text = manifest(&[(CNCF, bytes)]);
        entries.push(format!(
            r#"{{"mediaType":"{IMAGE_MANIFEST}","digest":"{}","size":{},"platform":{{"os":"{os}","architecture":"{architecture}"}}}}"#,
            digest_of(&text),
            text.len()
        ));
        described = with_artifact(described, "app", architecture, &[(CNCF, bytes)]);
    }
    let index = |entries: &[String]| format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
    let none = format!(
        r#"{{"mediaType":"{IMAGE_MANIFEST}","digest":"{}","size":1,"platform":{{"os":"plan9","architecture":"mips"}}}}"#,
        digest_of("")
    );
    let registry = described
        .manifest("app", "all", IMAGE_INDEX, index(&entries))
        .manifest("app", "only", IMAGE_INDEX, index(&entries[..1]))
        .manifest("app", "none", IMAGE_INDEX, index(&[none.clone(), none]))
        .start();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    for _ in 0..2 {
        let fetched = fetcher.fetch(&oci(registry.address(), "app:all")).unwrap();
        assert_eq!(fetched.artifact.bytes(), &right);
        assert_eq!(fetched.resolved.to_string(), digest_of(index(&entries)));
        let only = fetcher.fetch(&oci(registry.address(), "app:only")).unwrap();
        assert_eq!(only.artifact.bytes(), &wrong);
    }
    let error = fetcher.fetch(&oci(registry.address(), "app:none")).unwrap_err();
    assert!(
        matches!(
            error,
            FetchError::Layout {
                source: LayoutError::NoPlatform { count: 2, .. },
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn what_is_no_plugin_is_told() {
    let wasm = module(1);
    let several = tar(&[("a.wasm", &wasm), ("b.wasm", &wasm)]);
    let no_file = tar(&[("a.txt", b"x"), (".wh.plugin.wasm", b"")]);
    let cases: [(&str, Layers<'_>, &str); 8] = [
        (
            "empty",
            vec![],
            "no layer has a media type of a plugin; there is none",
        ),
        ("other", vec![("text/plain", b"x")], "the last has `text/plain`"),
        (
            "two",
            vec![(CNCF, &wasm), (KUBEWARDEN, &wasm)],
            "2 layers are plugins",
        ),
        (
            "several",
            vec![(TAR, &several)],
            "several `.wasm` files (a.wasm, b.wasm)",
        ),
        (
            "nofile",
            vec![(TAR, &no_file)],
            "has neither `plugin.wasm` nor another",
        ),
        ("broken", vec![(TAR, b"not an archive")], "it ends in the middle"),
        ("gz", vec![(TAR, &[0x1f, 0x8b, 8, 0])], "cannot be read"),
        ("text", vec![(CNCF, b"(module)")], "is not a plugin"),
    ];
    let described = cases.iter().fold(registry(), |registry, (tag, layers, _)| {
        with_artifact(registry, "app", tag, layers)
    });
    let registry = described.start();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    for (tag, _, words) in cases {
        let error = fetcher
            .fetch(&oci(registry.address(), &format!("app:{tag}")))
            .unwrap_err();
        let told = crate::plugins::told(&error, registry.address());
        assert!(told.contains(words), "{tag}: {told}");
    }
    assert_eq!(fetcher.store().unwrap().records().unwrap(), []);
}

#[test]
fn the_pull_policies_differ_where_a_tag_moves() {
    let (old, new) = (module(1), module(2));
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &old)])
        .blob("app", new.clone())
        .start();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    let never = fetcher.clone().with_policy(PullPolicy::Never);
    let always = fetcher.clone().with_policy(PullPolicy::Always);
    let reference = oci(registry.address(), "app:1");
    let error = never.fetch(&reference).unwrap_err();
    assert!(matches!(error, FetchError::NotStored { .. }), "{error:?}");
    assert_eq!(registry.asked(), [] as [String; 0]);
    assert_eq!(fetcher.fetch(&reference).unwrap().artifact.bytes(), &old);
    registry.retag("app", "1", IMAGE_MANIFEST, manifest(&[(CNCF, &new)]));
    let asked = registry.asked().len();
    for unasking in [&fetcher, &never] {
        let fetched = unasking.fetch(&reference).unwrap();
        assert_eq!(
            (fetched.artifact.bytes().as_ref(), fetched.origin),
            (old.as_slice(), Origin::Store)
        );
    }
    assert_eq!(registry.asked().len(), asked);
    let moved = always.fetch(&reference).unwrap();
    assert_eq!(
        (moved.artifact.bytes().as_ref(), moved.origin),
        (new.as_slice(), Origin::Network)
    );
    // What is named by its digest means the same for ever.
    let exact = oci(
        registry.address(),
        &format!("app@{}", digest_of(manifest(&[(CNCF, &old)]))),
    );
    assert_eq!(always.fetch(&exact).unwrap().artifact.bytes(), &old);
    let asked = registry.asked().len();
    assert_eq!(always.fetch(&exact).unwrap().origin, Origin::Store);
    assert_eq!(registry.asked().len(), asked);
}

#[test]
fn a_registry_that_is_down_stops_no_start() {
    let wasm = module(1);
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]).start();
    let address = registry.address();
    let directory = tempfile::tempdir().unwrap();
    let always = fetcher(address, directory.path()).with_policy(PullPolicy::Always);
    let reference = oci(address, "app:1");
    always.fetch(&reference).unwrap();
    drop(registry);
    let fetched = always.fetch(&reference).unwrap();
    assert_eq!(fetched.artifact.bytes(), &wasm);
    assert!(
        matches!(fetched.origin, Origin::StoreInstead(_)),
        "{:?}",
        fetched.origin
    );
    let error = always.fetch(&oci(address, "app:2")).unwrap_err();
    assert!(
        matches!(&error, FetchError::Registry { source, .. } if source.is_outage()),
        "{error:?}"
    );
}

#[test]
fn a_tag_that_is_gone_is_no_outage() {
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &module(1))]).start();
    let directory = tempfile::tempdir().unwrap();
    let always = fetcher(registry.address(), directory.path()).with_policy(PullPolicy::Always);
    let reference = oci(registry.address(), "app:1");
    always.fetch(&reference).unwrap();
    registry.remove("/v2/app/manifests/1");
    let error = always.fetch(&reference).unwrap_err();
    assert!(
        crate::plugins::told(&error, registry.address())
            .ends_with("the repository `app` of the registry ADDRESS has no `1`"),
        "{error:?}"
    );
}

#[test]
fn a_lock_file_holds_a_tag_where_it_was() {
    let (old, new) = (module(1), module(2));
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &old)])
        .blob("app", new.clone())
        .start();
    let directory = tempfile::tempdir().unwrap();
    let first = fetcher(registry.address(), directory.path());
    let reference = oci(registry.address(), "app:1");
    let file = directory.path().join("local.wasm");
    std::fs::write(&file, module(3)).unwrap();
    let local = Reference::File(file.clone());
    let lockfile = first.lock([&reference, &local]).unwrap();
    let pin = lockfile.pin(&reference).unwrap();
    assert_eq!(pin.module, Digest::of(&old));
    assert_eq!(pin.digest.to_string(), digest_of(manifest(&[(CNCF, &old)])));
    assert_eq!(pin.layout, Layout::Cncf);
    registry.retag("app", "1", IMAGE_MANIFEST, manifest(&[(CNCF, &new)]));
    std::fs::write(&file, module(4)).unwrap();

    let lockfile = Arc::new(lockfile);
    let elsewhere = tempfile::tempdir().unwrap();
    for mode in [LockMode::Prefer, LockMode::Require] {
        for policy in [PullPolicy::Always, PullPolicy::Never] {
            let locked = fetcher(registry.address(), elsewhere.path())
                .with_policy(policy)
                .with_lock(Arc::clone(&lockfile), mode);
            assert_eq!(locked.fetch(&reference).unwrap().artifact.bytes(), &old);
            let other = oci(registry.address(), "app:2");
            let error = locked.fetch(&other).unwrap_err();
            let is_not_locked = matches!(error, FetchError::NotLocked { .. });
            assert_eq!(is_not_locked, mode == LockMode::Require, "{error:?}");
            let changed = locked.fetch(&local);
            assert_eq!(changed.is_ok(), mode == LockMode::Prefer, "{changed:?}");
        }
    }
    // What was fetched before it was locked need not be fetched again.
    let never = first
        .with_policy(PullPolicy::Never)
        .with_lock(lockfile, LockMode::Require);
    assert_eq!(never.fetch(&reference).unwrap().artifact.bytes(), &old);
}

#[test]
fn a_lock_file_of_something_else_refuses_a_digest() {
    let wasm = module(1);
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]).start();
    let exact = oci(
        registry.address(),
        &format!("app:1@{}", digest_of(manifest(&[(CNCF, &wasm)]))),
    );
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    let mut pin = fetcher.fetch(&exact).unwrap().pin();
    pin.digest = wharf_plugin::ContentDigest::sha256_of(b"other");
    let mut lockfile = Lockfile::default();
    lockfile.set(&exact, pin);
    let locked = fetcher.with_lock(Arc::new(lockfile), LockMode::Require);
    let error = locked.fetch(&exact).unwrap_err();
    assert!(matches!(error, FetchError::NotAsLocked { .. }), "{error:?}");
}

#[test]
fn mirrors_are_asked_first_and_the_registry_where_they_cannot_give_it() {
    let wasm = module(1);
    let mirror = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]).start();
    let own = with_artifact(registry(), "app", "2", &[(CNCF, &wasm)]).start();
    let mut settings = settings(own.address());
    settings
        .hosts
        .extend(crate::harness::settings(mirror.address()).hosts);
    let down: wharf_plugin::RegistryHost = refused_address().to_string().parse().unwrap();
    let named = HostSettings {
        plain_http: true,
        mirrors: vec![down, mirror.address().to_string().parse().unwrap()],
        ..HostSettings::default()
    };
    settings
        .hosts
        .insert(own.address().to_string().parse().unwrap(), named);
    let directory = tempfile::tempdir().unwrap();
    let fetcher = Fetcher::new(Arc::new(RegistryClient::new(settings).unwrap()))
        .with_store(Store::open(directory.path()).unwrap())
        .with_limits(limits());
    fetcher.fetch(&oci(own.address(), "app:1")).unwrap();
    assert_eq!(own.asked(), [] as [String; 0]);
    fetcher.fetch(&oci(own.address(), "app:2")).unwrap();
    assert!(mirror.asked().iter().any(|asked| asked.ends_with("/manifests/2")));
}

#[test]
fn without_a_store_all_is_had_in_memory() {
    let wasm = module(1);
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]).start();
    let fetcher = Fetcher::new(client(registry.address()));
    let fetched = fetcher.fetch(&oci(registry.address(), "app:1")).unwrap();
    assert_eq!(fetched.artifact.bytes(), &wasm);
    assert!(fetched.hold.is_none());
    let local = tempfile::tempdir().unwrap();
    let file = local.path().join("a.wasm");
    std::fs::write(&file, &wasm).unwrap();
    let fetched = fetcher.fetch(&Reference::File(file)).unwrap();
    assert_eq!((fetched.layout, fetched.origin), (Layout::File, Origin::File));
}

#[tokio::test]
async fn the_blocking_call_may_come_from_a_runtime() {
    let wasm = module(1);
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]).start();
    let fetcher = Fetcher::new(client(registry.address()));
    let reference = oci(registry.address(), "app:1");
    assert_eq!(fetcher.fetch(&reference).unwrap().artifact.bytes(), &wasm);
    // The other may be a task that moves between threads.
    let task = tokio::spawn(async move { fetcher.fetch_async(&reference).await });
    assert_eq!(task.await.unwrap().unwrap().artifact.bytes(), &wasm);
}
