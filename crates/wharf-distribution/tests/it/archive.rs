//! What is saved from one store and loaded into another.

use wharf_distribution::{ArchiveError, PullPolicy, Store};
use wharf_plugin::Reference;
use wharf_testing::registry::{IMAGE_MANIFEST, digest_of, registry};

use crate::plugins::{
    CNCF, TAR, check_blobs, fetcher, large_module, manifest, module, oci, tar, with_artifact,
};

#[test]
fn what_is_saved_is_loaded_elsewhere() {
    let (first, second) = (large_module(1, 50_000), module(2));
    let packed = tar(&[("plugin.wasm", &second)]);
    let described = with_artifact(registry(), "app", "1", &[(CNCF, &first)]);
    let registry = with_artifact(described, "app", "image", &[(TAR, &packed)]).start();
    let directory = tempfile::tempdir().unwrap();
    let here = fetcher(registry.address(), directory.path());
    let references = [
        oci(registry.address(), "app:1"),
        oci(registry.address(), "app:image"),
    ];
    for reference in &references {
        here.fetch(reference).unwrap();
    }
    let store = here.store().unwrap();
    let mut archive = Vec::new();
    let saved = store.save(&[], &mut archive).unwrap();
    assert_eq!(saved.references, references.each_ref().map(Reference::canonical));
    let mut again = Vec::new();
    store.save(&saved.references, &mut again).unwrap();
    assert!(archive == again);

    let elsewhere = tempfile::tempdir().unwrap();
    let there = Store::open(elsewhere.path()).unwrap();
    let loaded = there.load(archive.as_slice()).unwrap();
    assert_eq!(loaded.references, saved.references);
    assert_eq!((loaded.blobs, loaded.bytes), (saved.blobs, saved.bytes));
    let offline = fetcher(registry.address(), elsewhere.path()).with_policy(PullPolicy::Never);
    assert_eq!(offline.fetch(&references[0]).unwrap().artifact.bytes(), &first);
    assert_eq!(offline.fetch(&references[1]).unwrap().artifact.bytes(), &second);
    assert_eq!(check_blobs(elsewhere.path()), saved.blobs);
    assert_eq!(there.records().unwrap().len(), 2);

    let mut one = Vec::new();
    let saved = store.save(&[references[0].canonical()], &mut one).unwrap();
    assert_eq!(saved.references.len(), 1);
    let error = store
        .save(&["oci:example.com/none:1".into()], Vec::new())
        .unwrap_err();
    assert!(matches!(error, ArchiveError::Unknown { .. }), "{error:?}");
}

/// An OCI layout as other tools write it.
fn foreign(annotation: &str, name: &str) -> Vec<u8> {
    layout_of(&module(7), annotation, &[name.to_owned()])
}

/// One of a module with many names.
fn layout_of(wasm: &[u8], annotation: &str, names: &[String]) -> Vec<u8> {
    let text = manifest(&[(CNCF, wasm)]);
    let entries: Vec<String> = names
        .iter()
        .map(|name| {
            format!(
                r#"{{"mediaType":"{IMAGE_MANIFEST}","digest":"{}","size":{},"annotations":{{"{annotation}":"{name}"}}}}"#,
                digest_of(&text),
                text.len()
            )
        })
        .collect();
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
    let blob = |bytes: &[u8]| format!("blobs/{}", digest_of(bytes).replace(':', "/"));
    tar(&[
        ("./oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
        ("index.json", index.as_bytes()),
        (&blob(text.as_bytes()), text.as_bytes()),
        (&blob(wasm), wasm),
    ])
}

#[test]
fn an_archive_of_another_tool_is_loaded_where_it_names_its_images() {
    for annotation in ["org.opencontainers.image.ref.name", "io.containerd.image.name"] {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let loaded = store
            .load(foreign(annotation, "registry.example/app:1").as_slice())
            .unwrap();
        assert_eq!(loaded.references, ["oci:registry.example/app:1"]);
        let offline =
            fetcher("127.0.0.1:1".parse().unwrap(), directory.path()).with_policy(PullPolicy::Never);
        let reference: Reference = "oci:registry.example/app:1".parse().unwrap();
        assert_eq!(offline.fetch(&reference).unwrap().artifact.bytes(), &module(7));
    }
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let unnamed = foreign("org.opencontainers.image.ref.name", "1.0");
    let error = store.load(unnamed.as_slice()).unwrap_err();
    assert!(matches!(error, ArchiveError::NotALayout { .. }), "{error:?}");
}

/// Were the layer read for each of them, this would take minutes.
#[test]
fn a_large_layer_with_many_names_is_read_once() {
    let names: Vec<String> = (0..200)
        .map(|number| format!("registry.example/app:{number}"))
        .collect();
    let archive = layout_of(&large_module(1, 6 << 20), "io.containerd.image.name", &names);
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(
        store.load(archive.as_slice()).unwrap().references.len(),
        names.len()
    );
    let records = store.records().unwrap();
    assert_eq!(records.len(), names.len());
    assert!(records.iter().all(|record| record.module == records[0].module));
}

#[test]
fn an_archive_that_is_broken_or_lies_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let good = foreign("io.containerd.image.name", "registry.example/app:1");
    let wrong = format!("blobs/sha256/{}", "0".repeat(64));
    let liar = tar(&[(&wrong, b"other")]);
    let error = store.load(liar.as_slice()).unwrap_err();
    assert!(matches!(error, ArchiveError::WrongDigest { .. }), "{error:?}");
    let error = store.load(&good[..good.len() / 2]).unwrap_err();
    assert!(
        matches!(error, ArchiveError::Read(_) | ArchiveError::NotALayout { .. }),
        "{error:?}"
    );
    for bytes in [
        &b"no archive, but of more than five hundred bytes".repeat(20)[..],
        &[0x50; 10],
    ] {
        let error = store.load(bytes).unwrap_err();
        assert!(matches!(error, ArchiveError::Read(_)), "{error:?}");
    }
    let error = store.load(&[][..]).unwrap_err();
    assert!(matches!(error, ArchiveError::NotALayout { .. }), "{error:?}");
    let bad_index = tar(&[("index.json", b"[")]);
    let error = store.load(bad_index.as_slice()).unwrap_err();
    assert!(matches!(error, ArchiveError::NotALayout { .. }), "{error:?}");
    // A record may name only what is there.
    let digest = digest_of("absent");
    let record = format!(
        r#"[{{"reference":"oci:a.example/a:1","digest":"{digest}","layout":"cncf","module":"{digest}","size":1,"fetchedAt":0,"blobs":[{{"digest":"{digest}","size":1}}]}}]"#
    );
    for record in [
        record.clone(),
        // What it means itself, too, though it does not name it.
        record.replace(
            &format!(r#""blobs":[{{"digest":"{digest}","size":1}}]"#),
            r#""blobs":[]"#,
        ),
    ] {
        let partial = tar(&[("wharf/records.json", record.as_bytes())]);
        let error = store.load(partial.as_slice()).unwrap_err();
        assert!(matches!(error, ArchiveError::Incomplete { .. }), "{error:?}");
    }
    // What is quoted commands no terminal.
    let odd = record.replace("cncf", "\\u001b[2J");
    let odd = tar(&[("wharf/records.json", odd.as_bytes())]);
    let error = store.load(odd.as_slice()).unwrap_err();
    assert!(!error.to_string().chars().any(char::is_control), "{error}");
    // A record is of a reference as the store writes them, and of nothing else.
    for name in [
        "a",
        "oci:a",
        "oci:Team/a:1",
        "file:a.wasm",
        "oci:a.example/a:1\\u001b[2J",
    ] {
        let record = record.replace("oci:a.example/a:1", name);
        let named = tar(&[("wharf/records.json", record.as_bytes())]);
        let error = store.load(named.as_slice()).unwrap_err();
        assert!(matches!(error, ArchiveError::NotALayout { .. }), "{error:?}");
        assert!(!error.to_string().chars().any(char::is_control), "{error}");
    }
    assert_eq!(store.records().unwrap(), []);
    check_blobs(directory.path());
}
