//! Gives each target its committed corpus: the seeds, and what was once found.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use wharf_fuzz::TARGETS;

/// The committed corpus of a target: the files in the folder of its name, sorted.
fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.sort();
    paths
}

fn replay(name: &str) {
    let (_, target) = TARGETS
        .iter()
        .find(|(other, _)| *other == name)
        .expect("a target of this name");
    target(b"");
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "there are no seeds");
    for path in corpus {
        let bytes = std::fs::read(&path).expect("the file can be read");
        // An input that is cut is another one, and no less fit to be read.
        for bytes in [&bytes[..], &bytes[..bytes.len() / 2]] {
            let survived = catch_unwind(|| target(bytes));
            assert!(survived.is_ok(), "by {} bytes of {}", bytes.len(), path.display());
        }
    }
}

#[test]
fn header_pairs() {
    replay("header_pairs");
}

#[test]
fn host_functions() {
    replay("host_functions");
}

#[test]
fn config() {
    replay("config");
}

#[test]
fn chain() {
    replay("chain");
}

#[test]
fn http1() {
    replay("http1");
}

#[test]
fn inspect() {
    replay("inspect");
}

#[test]
fn signatures() {
    replay("signatures");
}

#[test]
fn manifests() {
    replay("manifests");
}

#[test]
fn references() {
    replay("references");
}

#[test]
fn layers() {
    replay("layers");
}

#[test]
fn archive() {
    replay("archive");
}

#[test]
fn every_target_is_replayed_here() {
    let here = [
        "header_pairs",
        "host_functions",
        "config",
        "chain",
        "http1",
        "inspect",
        "signatures",
        "manifests",
        "references",
        "layers",
        "archive",
    ];
    assert_eq!(TARGETS.map(|(name, _)| name), here);
}
