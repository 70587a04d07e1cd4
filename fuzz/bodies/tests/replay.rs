//! Gives each target its committed corpus: the seeds, and what was once found.

use std::path::{Path, PathBuf};

use wharf_fuzz::{TARGETS, Target};

/// The committed corpus of a target: its name's folder, sorted.
fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths
}

/// Says which input it was.
struct Named<'a>(&'a Path);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input is {}", self.0.display());
        }
    }
}

fn replay(name: &str) {
    let (_, target): &Target = TARGETS.iter().find(|(other, _)| *other == name).unwrap();
    target(b"");
    for path in corpus(name) {
        let _named = Named(&path);
        let bytes = std::fs::read(&path).unwrap();
        target(&bytes);
        // A program that is cut is another program, and no less a good one.
        target(&bytes[..bytes.len() / 2]);
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
fn every_target_is_replayed_here() {
    let here = ["header_pairs", "host_functions", "config", "chain", "http1", "inspect"];
    assert_eq!(TARGETS.map(|(name, _)| name), here);
}
