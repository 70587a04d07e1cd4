//! Processes that are killed while they fetch: the store they leave is usable, and holds nothing wrong.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use wharf_distribution::PullPolicy;
use wharf_plugin::ByteSize;
use wharf_testing::eventually;
use wharf_testing::registry::{Registry, registry};

use crate::plugins::{CNCF, check_blobs, fetcher, large_module, oci, with_artifact};

/// How many plugins there are.
const PLUGINS: u32 = 12;
const BYTES: usize = 300_000;
/// What tells a process of these tests that it is the one to be killed: the store, and the address of the registry.
const STORE: &str = "WHARF_TEST_KILLED_STORE";
const ADDRESS: &str = "WHARF_TEST_KILLED_ADDRESS";

fn twelve() -> Registry {
    let described = (0..PLUGINS).fold(registry(), |registry, number| {
        let wasm = large_module(number, BYTES);
        with_artifact(registry, "app", &number.to_string(), &[(CNCF, &wasm)])
    });
    described.start()
}

/// Fetches all plugins, in a process of its own that is told to. Elsewhere there is nothing to do.
#[test]
fn the_one_that_is_killed() {
    let (Some(store), Some(address)) = (std::env::var_os(STORE), std::env::var(ADDRESS).ok()) else {
        return;
    };
    let address = address.parse().unwrap();
    let fetcher = fetcher(address, &PathBuf::from(store));
    for number in 0..PLUGINS {
        let fetched = fetcher.fetch(&oci(address, &format!("app:{number}"))).unwrap();
        assert_eq!(fetched.artifact.bytes(), &large_module(number, BYTES));
    }
}

#[test]
fn a_store_survives_whoever_is_killed() {
    let registry = twelve();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    let store = fetcher.store().unwrap();
    let never = fetcher.clone().with_policy(PullPolicy::Never);
    // A few steps further each time, and from there wherever it is.
    for round in 0..8 {
        let before = registry.asked().len();
        let mut children: Vec<_> = (0..2)
            .map(|_| {
                Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "killed::the_one_that_is_killed"])
                    .env(STORE, directory.path())
                    .env(ADDRESS, registry.address().to_string())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        eventually("they have begun, or have all", || {
            let has_begun = registry.asked().len() > before + round * 3;
            has_begun
                || children
                    .iter_mut()
                    .all(|child| child.try_wait().unwrap().is_some())
        });
        for child in &mut children {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().unwrap();
        }
        check_blobs(directory.path());
        for record in store.records().unwrap() {
            let reference = record.reference.parse().unwrap();
            let fetched = never.fetch(&reference).unwrap();
            assert_eq!(fetched.artifact.digest(), record.module);
        }
    }
    for number in 0..PLUGINS {
        let fetched = fetcher
            .fetch(&oci(registry.address(), &format!("app:{number}")))
            .unwrap();
        assert_eq!(fetched.artifact.bytes(), &large_module(number, BYTES));
    }
    // Nothing that a killed process left stays in the way, or for ever.
    store.prune(ByteSize::from_mib(100)).unwrap();
    assert_eq!(store.records().unwrap().len(), PLUGINS as usize);
    assert_eq!(
        std::fs::read_dir(directory.path().join("tmp")).unwrap().count(),
        0
    );
    assert_eq!(check_blobs(directory.path()), 2 * PLUGINS as usize + 1);
}
