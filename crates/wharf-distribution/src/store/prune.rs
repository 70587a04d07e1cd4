//! Taking away: what nobody has used for the longest time, what a reference meant, and what no record names.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use wharf_plugin::{ByteSize, ContentDigest};

use super::{Record, Store, StoreError};

/// How long a download that broke off may be gone on with.
const LIFE_OF_PARTIAL: Duration = Duration::from_hours(24);

/// What was taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The references that the store does not know any more, in their order.
    pub references: Vec<String>,
    /// How many files are gone, records not counted.
    pub files: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// The references that would have gone, if no process used what they mean.
    pub in_use: Vec<String>,
}

impl Store {
    /// Takes away what nobody has used for the longest time, until no more than so many bytes are left. What a process uses
    /// stays, and so do downloads under way; of what belongs to several references, what one of them needs stays.
    /// It waits for whoever writes to the store just now.
    ///
    /// # Errors
    /// [`StoreError`], where something cannot be read or taken away.
    pub fn prune(&self, most: ByteSize) -> Result<Pruned, StoreError> {
        let _lock = self.lock_exclusive()?;
        let mut pruned = Pruned::default();
        let mut kept = HashSet::new();
        let mut total = 0_u64;
        let mut is_over = false;
        for record in self.records()? {
            let new: HashSet<(ContentDigest, u64)> = record
                .blobs
                .iter()
                .filter(|held| !kept.contains(&held.digest))
                .map(|held| (held.digest.clone(), held.size))
                .collect();
            let more = new.iter().map(|(_, size)| *size).fold(0, u64::saturating_add);
            // What is older than something that had to go is older than what may stay.
            is_over |= total.saturating_add(more) > most.bytes();
            if is_over {
                if let Some(claim) = self.claim(&record.reference) {
                    self.forget(&record, &claim)?;
                    pruned.references.push(record.reference);
                    continue;
                }
                pruned.in_use.push(record.reference.clone());
            }
            total = total.saturating_add(more);
            kept.extend(new.into_iter().map(|(digest, _)| digest));
        }
        pruned.references.sort();
        self.sweep(&kept, &mut pruned)?;
        Ok(pruned)
    }

    /// Takes away what a reference means, and what nothing else needs. Nothing where the store does not know it; where a
    /// process uses it, it is told and stays.
    ///
    /// # Errors
    /// [`StoreError`], where something cannot be read or taken away.
    pub fn remove(&self, reference: &str) -> Result<Pruned, StoreError> {
        let _lock = self.lock_exclusive()?;
        let mut pruned = Pruned::default();
        let Some(record) = self.record(reference)? else {
            return Ok(pruned);
        };
        let Some(claim) = self.claim(reference) else {
            pruned.in_use.push(record.reference);
            return Ok(pruned);
        };
        self.forget(&record, &claim)?;
        pruned.references.push(record.reference);
        let records = self.records()?;
        let kept = records
            .iter()
            .flat_map(|record| record.blobs.iter().map(|held| held.digest.clone()));
        self.sweep(&kept.collect(), &mut pruned)?;
        Ok(pruned)
    }

    /// How many bytes the store has, each file counted once.
    ///
    /// # Errors
    /// [`StoreError`], where a directory cannot be read.
    pub fn size(&self) -> Result<ByteSize, StoreError> {
        let mut total = 0_u64;
        for directory in ["blobs/sha256", "blobs/sha512", "partial"] {
            self.each_file(directory, |_, length, _| {
                total = total.saturating_add(length);
                Ok(())
            })?;
        }
        Ok(ByteSize::from_bytes(total))
    }

    /// Forgets what a reference means. Whoever wants to hold it meanwhile waits for the claim, and then finds that it is gone.
    fn forget(&self, record: &Record, _claim: &File) -> Result<(), StoreError> {
        remove(&self.record_path(&record.reference))?;
        remove(&self.hold_path(&record.reference))
    }

    /// Takes away what no record names.
    fn sweep(&self, kept: &HashSet<ContentDigest>, pruned: &mut Pruned) -> Result<(), StoreError> {
        for algorithm in ["sha256", "sha512"] {
            self.each_file(&format!("blobs/{algorithm}"), |path, length, _| {
                let name = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default();
                let digest = format!("{algorithm}:{name}").parse::<ContentDigest>();
                if digest.is_ok_and(|digest| kept.contains(&digest)) {
                    return Ok(());
                }
                remove(path)?;
                pruned.files += 1;
                pruned.bytes = pruned.bytes.saturating_add(length);
                Ok(())
            })?;
        }
        // Those that nobody holds are made anew when somebody does.
        self.each_file("holds", |path, _, _| match File::open(path) {
            Ok(file) if file.try_lock().is_ok() => remove(path),
            _ => Ok(()),
        })?;
        // Nobody writes there while the lock is held.
        self.each_file("tmp", |path, _, _| remove(path))?;
        self.each_file("partial", |path, length, changed| {
            let age = SystemTime::now().duration_since(changed).unwrap_or_default();
            let is_idle = File::open(path).is_ok_and(|file| file.try_lock().is_ok());
            if age < LIFE_OF_PARTIAL || !is_idle {
                return Ok(());
            }
            remove(path)?;
            pruned.files += 1;
            pruned.bytes = pruned.bytes.saturating_add(length);
            Ok(())
        })
    }

    /// Calls for each file of a directory, with its length and the time of its last change.
    fn each_file(
        &self,
        directory: &str,
        mut call: impl FnMut(&Path, u64, SystemTime) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let directory = self.root.join(directory);
        let entries = fs::read_dir(&directory).map_err(|error| StoreError::of(&directory, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| StoreError::of(&directory, error))?;
            // One that has just gone is none.
            let Ok(metadata) = entry.metadata() else { continue };
            let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            call(&entry.path(), metadata.len(), changed)?;
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::of(path, error)),
        _ => Ok(()),
    }
}
