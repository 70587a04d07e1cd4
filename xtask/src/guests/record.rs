//! `guests/built-with.txt`: which toolchains the committed files came from.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::Language;

const HEAD: &str = "\
# The toolchains that built the committed .wasm files: others give other bytes.
# `cargo xtask guests` writes this file.
";

/// The versions, by [`Language::key`].
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    versions: BTreeMap<String, String>,
    changed: bool,
}

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub(super) struct RecordError {
    path: PathBuf,
    source: io::Error,
}

impl Record {
    /// A file that is not there is an empty record.
    pub(super) fn read(path: &Path) -> Result<Self, RecordError> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            other => other.map_err(|source| RecordError {
                path: path.to_owned(),
                source,
            })?,
        };
        Ok(Self {
            path: path.to_owned(),
            versions: parse(&text),
            changed: false,
        })
    }

    pub(super) fn version(&self, language: Language) -> Option<&str> {
        self.versions.get(language.key()).map(String::as_str)
    }

    pub(super) fn set(&mut self, language: Language, version: &str) {
        let old = self
            .versions
            .insert(language.key().to_owned(), version.to_owned());
        self.changed |= old.as_deref() != Some(version);
    }

    /// Writes only what changed.
    pub(super) fn write(&self) -> Result<(), RecordError> {
        if !self.changed {
            return Ok(());
        }
        std::fs::write(&self.path, render(&self.versions)).map_err(|source| RecordError {
            path: self.path.clone(),
            source,
        })
    }
}

fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, version)| (key.to_owned(), version.to_owned()))
        .collect()
}

fn render(versions: &BTreeMap<String, String>) -> String {
    versions.iter().fold(HEAD.to_owned(), |text, (key, version)| {
        text + key + " = " + version + "\n"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let versions = BTreeMap::from([
            ("go".to_owned(), "go1.24.0".to_owned()),
            ("rust".to_owned(), "rustc 1.85.1 (4eb161250 = x)".to_owned()),
        ]);
        assert_eq!(parse(&render(&versions)), versions);
    }
}
