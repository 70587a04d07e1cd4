//! Archives of plugins, as they are carried to sites that reach no registry.

use std::path::Path;

use tempfile::TempDir;
use wharf_distribution::{ArchiveError, Loaded, Store};
use wharf_plugin::Reference;

/// Archives up to here are read.
const LONGEST: usize = 256 << 10;
/// A directory in memory, where the machine has one: the store waits for the disk after each file.
const IN_MEMORY: &str = "/dev/shm";

/// Loads the bytes into an empty store. What is refused is refused with a reason and a hint and leaves no name behind; what is loaded
/// can be saved, and means the same in another store.
pub fn archive(bytes: &[u8]) {
    if bytes.len() > LONGEST {
        return;
    }
    let (_directory, store) = empty();
    match store.load(bytes) {
        Ok(loaded) => check_loaded(&store, &loaded),
        Err(error) => {
            check_error(&error);
            assert!(names(&store).is_empty(), "a name without all that it means");
        }
    }
}

fn empty() -> (TempDir, Store) {
    let directory = if Path::new(IN_MEMORY).is_dir() {
        tempfile::tempdir_in(IN_MEMORY)
    } else {
        tempfile::tempdir()
    };
    let directory = directory.expect("a directory can be made for the time of the test");
    let store = Store::open(directory.path().join("store")).expect("it is a directory of its own");
    (directory, store)
}

fn names(store: &Store) -> Vec<String> {
    let records = store.records().expect("the store is there");
    let mut names: Vec<String> = records.into_iter().map(|record| record.reference).collect();
    names.sort();
    names
}

fn check_error(error: &ArchiveError) {
    let text = error.to_string();
    assert!(!text.is_empty() && !error.hint().is_empty());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

fn check_loaded(store: &Store, loaded: &Loaded) {
    let mut told = loaded.references.clone();
    told.dedup();
    assert_eq!(told, names(store));
    for name in &told {
        let reference: Reference = name.parse().expect("a name of the store is a reference");
        assert_eq!(reference.canonical(), *name);
    }
    let mut saved = Vec::new();
    store.save(&[], &mut saved).expect("what was loaded is whole");
    let (_directory, other) = empty();
    other.load(&*saved).expect("what was saved can be loaded");
    assert_eq!(
        other.records().expect("it is there").len(),
        store.records().expect("it is there").len()
    );
    let mut again = Vec::new();
    other.save(&[], &mut again).expect("what was loaded is whole");
    assert!(saved == again, "what is saved depends on how it came there");
}
