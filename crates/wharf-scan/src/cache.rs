//! What modules found is kept between scans, for files and layers that have not changed.
//!
//! An entry is one file in the directory, whose name is a digest of all that its findings depend on but for the files
//! themselves: the target, the modules and how they are run, what is skipped. It is written beside its place and moved there,
//! so that a scan that is broken off leaves the entry of before; its first line has the digest of the rest, and an entry that
//! is not what was written is as good as none.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wharf_abi_trivy::AnalysisResult;
use wharf_artifact::Stamp;
use wharf_plugin::ByteSize;
use wharf_report::json;

use crate::findings::{FileFindings, Findings};
use crate::fingerprint::hex;

#[cfg(test)]
mod tests;

/// Part of each entry's name and first line: what another version wrote is not read.
const FORMAT: &str = "wharf-scan 1";

/// The largest entry that is read or written.
const MOST_ENTRY: u64 = 256 << 20;

/// A directory in which findings are kept. Any number of processes may use it at once.
#[derive(Debug, Clone)]
pub struct ResultCache {
    directory: PathBuf,
    most: ByteSize,
}

/// What findings depend on but for the files themselves.
#[derive(Debug, Clone)]
pub(crate) struct Key(Sha256);

impl Key {
    /// A key for these modules, by [`Modules::fingerprint`](crate::Modules::fingerprint).
    pub(crate) fn new(modules: [u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(FORMAT);
        hash.update(modules);
        Self(hash)
    }

    /// The same with something else that they depend on.
    pub(crate) fn with(mut self, part: &[u8]) -> Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    fn name(self) -> String {
        hex(&self.0.finalize())
    }
}

/// What was found in the files of a directory when they were looked at last.
#[derive(Debug, Default)]
pub(crate) struct KnownFiles(HashMap<String, (Stamp, FileFindings)>);

impl KnownFiles {
    /// What is known of a file that has not changed since.
    pub(crate) fn get(&self, path: &str, stamp: &Stamp) -> Option<&FileFindings> {
        let (known, findings) = self.0.get(path)?;
        (known == stamp).then_some(findings)
    }
}

/// What was found in a layer when it was looked at last.
#[derive(Debug)]
pub(crate) struct KnownLayer {
    pub(crate) findings: Findings,
    /// The bytes of its archive.
    pub(crate) unpacked: u64,
}

/// The JSON of an entry: paths, stamps, and what modules found, as they write it.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    unpacked: u64,
    #[serde(default)]
    whiteouts: Vec<String>,
    #[serde(default)]
    opaque: Vec<String>,
    files: Vec<StoredFile>,
}

#[derive(Serialize, Deserialize)]
struct StoredFile {
    path: String,
    stamp: Option<StoredStamp>,
    found: Vec<(usize, AnalysisResult)>,
}

type StoredStamp = (u64, i128, i128, u64, u64);

impl ResultCache {
    /// A cache in `directory`, which is made where it is missing. Entries that were not used for longest go when all together
    /// take more than `most`.
    pub fn new(directory: PathBuf, most: ByteSize) -> Self {
        Self { directory, most }
    }

    /// What is known of the files of a directory; nothing where there is no good entry.
    pub(crate) fn files(&self, key: Key) -> KnownFiles {
        let Some(stored) = self.read(&key.name()) else {
            return KnownFiles::default();
        };
        let known = stored.files.into_iter().filter_map(|file| {
            let stamp = stamp(file.stamp?);
            let findings = FileFindings {
                path: file.path.clone(),
                found: file.found,
            };
            Some((file.path, (stamp, findings)))
        });
        KnownFiles(known.collect())
    }

    /// Keeps what was found in the files of a directory.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub(crate) fn keep_files<'a>(
        &self,
        key: Key,
        files: impl Iterator<Item = (&'a FileFindings, Stamp)>,
    ) -> io::Result<()> {
        let files = files.map(|(file, at)| StoredFile {
            path: file.path.clone(),
            stamp: Some((at.size, at.modified, at.changed, at.inode, at.device)),
            found: file.found.clone(),
        });
        let stored = Stored {
            unpacked: 0,
            whiteouts: Vec::new(),
            opaque: Vec::new(),
            files: files.collect(),
        };
        self.write(&key.name(), &stored)
    }

    /// What was found in a layer, where there is a good entry.
    pub(crate) fn layer(&self, key: Key) -> Option<KnownLayer> {
        let stored = self.read(&key.name())?;
        let files = stored.files.into_iter().map(|file| FileFindings {
            path: file.path,
            found: file.found,
        });
        Some(KnownLayer {
            findings: Findings {
                whiteouts: stored.whiteouts,
                opaque_directories: stored.opaque,
                files: files.collect(),
                ..Findings::default()
            },
            unpacked: stored.unpacked,
        })
    }

    /// Keeps what was found in a layer.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub(crate) fn keep_layer(&self, key: Key, findings: &Findings, unpacked: u64) -> io::Result<()> {
        let files = findings.files.iter().map(|file| StoredFile {
            path: file.path.clone(),
            stamp: None,
            found: file.found.clone(),
        });
        let stored = Stored {
            unpacked,
            whiteouts: findings.whiteouts.clone(),
            opaque: findings.opaque_directories.clone(),
            files: files.collect(),
        };
        self.write(&key.name(), &stored)
    }

    fn read(&self, name: &str) -> Option<Stored> {
        let path = self.directory.join(name);
        let file = File::open(&path).ok()?;
        let mut bytes = Vec::new();
        file.take(MOST_ENTRY + 1).read_to_end(&mut bytes).ok()?;
        let at = bytes.iter().position(|byte| *byte == b'\n')?;
        let (first, rest) = bytes.split_at(at);
        let body = rest.get(1..)?;
        if first != head(body).as_bytes() {
            tracing::warn!(
                entry = %path.display(),
                "an entry of the scanner's cache is not what was written: what it was for is looked at again"
            );
            return None;
        }
        // For the order in which entries go.
        if let Ok(file) = File::options().append(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        serde_json::from_slice(body).ok()
    }

    fn write(&self, name: &str, stored: &Stored) -> io::Result<()> {
        let body = json::to_vec(stored);
        if body.len() as u64 > MOST_ENTRY {
            return Ok(());
        }
        create_private(&self.directory)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(head(&body).as_bytes())?;
        file.write_all(b"\n")?;
        file.write_all(&body)?;
        file.persist(self.directory.join(name))
            .map_err(|error| error.error)?;
        self.prune()
    }

    /// Removes entries, those that were not used for longest first, until the rest fits.
    fn prune(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            // What another process has just removed is gone.
            if let Ok(metadata) = entry.metadata()
                && metadata.is_file()
            {
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                entries.push((used, metadata.len(), entry.path()));
            }
        }
        entries.sort_by(|a, b| b.cmp(a));
        let mut total = 0u64;
        for (_, size, path) in entries {
            total = total.saturating_add(size);
            if total > self.most.bytes() {
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

/// The first line of an entry.
fn head(body: &[u8]) -> String {
    format!("{FORMAT} {}", hex(&Sha256::digest(body)))
}

fn stamp((size, modified, changed, inode, device): StoredStamp) -> Stamp {
    Stamp {
        size,
        modified,
        changed,
        inode,
        device,
    }
}

/// Makes the directory where it is missing, for nobody else: findings may have secrets in them.
fn create_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}
