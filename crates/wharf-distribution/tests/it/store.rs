//! The store: what is changed on the disk, what is full, many at once, what is taken away and what stays.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::{Duration, SystemTime};

use wharf_distribution::{FetchError, Origin, PullPolicy, Store, StoreError};
use wharf_plugin::ByteSize;
use wharf_testing::registry::{Registry, digest_of, registry};

use crate::plugins::{CNCF, check_blobs, fetcher, large_module, manifest, module, oci, with_artifact};

/// A registry with the tags `1`, `2` and `3`, each a plugin of 100 KB and more.
fn three() -> Registry {
    let described = (1..=3).fold(registry(), |registry, number| {
        let wasm = large_module(number, 100_000);
        with_artifact(registry, "app", &number.to_string(), &[(CNCF, &wasm)])
    });
    described.start()
}

fn blob_path(store: &Path, digest: &str) -> PathBuf {
    store.join("blobs").join(digest.replace(':', "/"))
}

#[test]
fn what_was_changed_on_the_disk_is_fetched_anew_or_refused() {
    let wasm = module(1);
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]).start();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    let never = fetcher.clone().with_policy(PullPolicy::Never);
    let reference = oci(registry.address(), "app:1");
    fetcher.fetch(&reference).unwrap();
    for digest in [digest_of(&wasm), digest_of(manifest(&[(CNCF, &wasm)]))] {
        let path = blob_path(directory.path(), &digest);
        let good = fs::read(&path).unwrap();
        for bad in [module(2), Vec::new(), [good.as_slice(), b"x"].concat()] {
            fs::write(&path, &bad).unwrap();
            let error = never.fetch(&reference).unwrap_err();
            assert!(matches!(error, FetchError::ChangedInStore { .. }), "{error:?}");
            assert!(!path.exists());
            fs::write(&path, &bad).unwrap();
            let fetched = fetcher.fetch(&reference).unwrap();
            assert_eq!(
                (fetched.artifact.bytes().as_ref(), fetched.origin),
                (wasm.as_slice(), Origin::Network)
            );
            assert_eq!(fs::read(&path).unwrap(), good);
            assert_eq!(never.fetch(&reference).unwrap().origin, Origin::Store);
        }
    }
}

#[test]
fn a_record_that_lies_leads_nowhere() {
    let registry = three();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    let (first, second) = (oci(registry.address(), "app:1"), oci(registry.address(), "app:2"));
    fetcher.fetch(&first).unwrap();
    fetcher.fetch(&second).unwrap();
    let records: Vec<PathBuf> = fs::read_dir(directory.path().join("records"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    // One says what the other should, and so is none; what is no record at all is none either.
    fs::copy(&records[0], &records[1]).unwrap();
    for reference in [&first, &second] {
        let number = if *reference == first { 1 } else { 2 };
        let bytes = large_module(number, 100_000);
        assert_eq!(fetcher.fetch(reference).unwrap().artifact.bytes(), &bytes);
    }
    fs::write(&records[0], b"{").unwrap();
    for reference in [&first, &second] {
        fetcher.fetch(reference).unwrap();
    }
    assert_eq!(fetcher.store().unwrap().records().unwrap().len(), 2);
}

#[test]
fn a_full_disk_is_told() {
    let wasm = module(1);
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]).start();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    let partial = directory
        .path()
        .join("partial")
        .join(digest_of(&wasm).replace(':', "-"));
    // A device that takes nothing more.
    symlink("/dev/full", &partial).unwrap();
    let reference = oci(registry.address(), "app:1");
    let error = fetcher.fetch(&reference).unwrap_err();
    assert!(
        matches!(error, FetchError::Store(StoreError::Full { .. })),
        "{error:?}"
    );
    assert!(error.hint().contains("wharf prune"), "{}", error.hint());
    fs::remove_file(&partial).unwrap();
    fetcher.fetch(&reference).unwrap();
}

#[test]
fn what_many_want_at_once_is_downloaded_once() {
    let registry = three();
    let directory = tempfile::tempdir().unwrap();
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // Each has its own, as processes have.
                let fetcher = fetcher(registry.address(), directory.path());
                start.wait();
                let fetched = fetcher.fetch(&oci(registry.address(), "app:1")).unwrap();
                assert_eq!(fetched.artifact.bytes(), &large_module(1, 100_000));
            });
        }
    });
    let blob = digest_of(large_module(1, 100_000));
    let asked = registry.asked();
    assert_eq!(
        asked.iter().filter(|asked| asked.ends_with(&blob)).count(),
        1,
        "{asked:#?}"
    );
    check_blobs(directory.path());
}

/// Says when a record was used last, in seconds since 1970.
fn used_at(store: &Store, reference: &str, seconds: u64) {
    let name = wharf_plugin::Digest::of(reference.as_bytes()).to_hex();
    let path = store.directory().join("records").join(format!("{name}.json"));
    let file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .unwrap();
}

#[test]
fn pruning_takes_what_was_used_least_and_leaves_what_is_in_use() {
    let registry = three();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    let store = fetcher.store().unwrap();
    let reference = |number: u32| oci(registry.address(), &format!("app:{number}"));
    let mut fetched: Vec<_> = (1..=3)
        .map(|number| fetcher.fetch(&reference(number)).unwrap())
        .collect();
    for number in 1..=3 {
        used_at(store, &reference(number).canonical(), 1000 + u64::from(number));
    }
    let size = store.size().unwrap().bytes();
    // The oldest is in use; the next is not.
    fetched.truncate(1);
    let pruned = store.prune(ByteSize::from_bytes(size / 2)).unwrap();
    assert_eq!(pruned.references, [reference(2).canonical()]);
    assert_eq!(pruned.in_use, [reference(1).canonical()]);
    assert!(pruned.bytes > 100_000 && pruned.files == 2, "{pruned:?}");
    let never = fetcher.clone().with_policy(PullPolicy::Never);
    assert!(never.fetch(&reference(2)).is_err());
    // Reading is using, and for as long as nobody lets go it stays.
    drop(fetched);
    let third = never.fetch(&reference(3)).unwrap();
    let pruned = store.prune(ByteSize::from_bytes(0)).unwrap();
    assert_eq!(pruned.references, [reference(1).canonical()]);
    assert_eq!(pruned.in_use, [reference(3).canonical()]);
    drop(third);
    store.prune(ByteSize::from_bytes(0)).unwrap();
    assert_eq!(store.size().unwrap().bytes(), 0);
    assert_eq!(store.records().unwrap(), []);
    fetcher.fetch(&reference(1)).unwrap();
}

#[test]
fn what_is_shared_stays_for_those_who_need_it() {
    let wasm = large_module(1, 100_000);
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]);
    let registry = with_artifact(registry, "app", "same", &[(CNCF, &wasm)]).start();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    let store = fetcher.store().unwrap();
    let (first, same) = (
        oci(registry.address(), "app:1"),
        oci(registry.address(), "app:same"),
    );
    fetcher.fetch(&first).unwrap();
    let held = fetcher.fetch(&same).unwrap();
    assert_eq!(
        store.remove(&same.canonical()).unwrap().in_use,
        [same.canonical()]
    );
    let removed = store.remove(&first.canonical()).unwrap();
    assert_eq!((removed.references, removed.files), (vec![first.canonical()], 0));
    drop(held);
    let never = fetcher.clone().with_policy(PullPolicy::Never);
    never.fetch(&same).unwrap();
    assert!(never.fetch(&first).is_err());
    assert_eq!(store.remove(&same.canonical()).unwrap().files, 3);
    assert_eq!(
        store.remove(&same.canonical()).unwrap(),
        wharf_distribution::Pruned::default()
    );
    assert_eq!(check_blobs(directory.path()), 0);
}

#[test]
fn pruning_and_fetching_at_once_lose_nothing() {
    let registry = three();
    let directory = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for number in 1..=3 {
            let (registry, directory) = (&registry, &directory);
            scope.spawn(move || {
                let fetcher = fetcher(registry.address(), directory.path());
                for _ in 0..10 {
                    let fetched = fetcher
                        .fetch(&oci(registry.address(), &format!("app:{number}")))
                        .unwrap();
                    assert_eq!(fetched.artifact.bytes(), &large_module(number, 100_000));
                }
            });
        }
        let store = Store::open(directory.path()).unwrap();
        for _ in 0..30 {
            store.prune(ByteSize::from_bytes(0)).unwrap();
        }
    });
    check_blobs(directory.path());
}

#[test]
fn a_store_that_cannot_be_one_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Store::open(file.join("store")).unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
    let store = directory.path().join("store");
    Store::open(&store).unwrap();
    Store::open(&store).unwrap();
    fs::write(store.join("format"), b"wharf-store 2\n").unwrap();
    let error = Store::open(&store).unwrap_err();
    assert!(matches!(error, StoreError::OtherVersion { .. }), "{error:?}");
}
