//! New files: written in full, confirmed by the disk, and only then given their names.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Downloaded, Store, StoreError};

/// How many confirmations of the disk are waited for at once. Most file systems give those who wait together one answer.
const AT_ONCE: usize = 8;

/// A file that was written and is to be given its name.
pub(super) struct NewFile {
    /// Dropped last: it may be locked.
    file: File,
    from: PathBuf,
    to: PathBuf,
    /// Whether it is nothing to anybody where it never gets its name.
    is_temporary: bool,
}

impl NewFile {
    /// One with these bytes, which is gone again unless it is given its name.
    pub(super) fn written(store: &Store, to: PathBuf, bytes: &[u8]) -> Result<Self, StoreError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", std::process::id());
        let from = store.root.join("tmp").join(name);
        // One of this name is of a process that ended long ago.
        let file = File::create(&from).map_err(|error| StoreError::of(&to, error))?;
        let mut new = Self {
            file,
            from,
            to,
            is_temporary: true,
        };
        match new.file.write_all(bytes) {
            Ok(()) => Ok(new),
            Err(error) => Err(new.failed(error)),
        }
    }

    /// One that was downloaded, which can be gone on with if it is not given its name.
    pub(super) fn downloaded(download: Downloaded, to: PathBuf) -> Self {
        Self {
            file: download.file,
            from: download.path,
            to,
            is_temporary: false,
        }
    }

    /// Gives it its name. The disk may never hear of that, or of the bytes.
    pub(super) fn name_unconfirmed(mut self) -> Result<(), StoreError> {
        self.name()
    }

    fn name(&mut self) -> Result<(), StoreError> {
        fs::rename(&self.from, &self.to).map_err(|error| self.failed(error))?;
        self.is_temporary = false;
        Ok(())
    }

    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::of(&self.to, error)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.is_temporary {
            let _ = fs::remove_file(&self.from);
        }
    }
}

/// Gives files their names, one after the other, once the bytes of all are on the disk; and waits until it knows the names. The
/// lock of the store is held by whoever calls this.
pub(super) fn name(mut files: Vec<NewFile>) -> Result<(), StoreError> {
    for_each_at_once(&files, |new| {
        new.file.sync_data().map_err(|error| new.failed(error))
    })?;
    for new in &mut files {
        new.name()?;
    }
    let directories: BTreeSet<&Path> = files.iter().filter_map(|new| new.to.parent()).collect();
    for_each_at_once(&Vec::from_iter(directories), |directory| {
        let synced = File::open(directory).and_then(|opened| opened.sync_all());
        synced.map_err(|error| StoreError::of(directory, error))
    })
}

/// Calls for each item, for a few of them at once on threads of their own. The error is one of those that there are.
fn for_each_at_once<T: Sync>(
    items: &[T],
    call: impl Fn(&T) -> Result<(), StoreError> + Sync,
) -> Result<(), StoreError> {
    let call = &call;
    let share = |items: &[T]| items.iter().try_for_each(call);
    let mut shares = items.chunks(items.len().div_ceil(AT_ONCE).max(1));
    let Some(own) = shares.next() else {
        return Ok(());
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = shares
            .map(|items| {
                let thread = std::thread::Builder::new().name("wharf-store".into());
                // Where there is no thread to be had, this one does it.
                thread
                    .spawn_scoped(scope, move || share(items))
                    .map_err(|_| share(items))
            })
            .collect();
        let mut outcome = share(own);
        for other in others {
            let other = match other {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(done) => done,
            };
            outcome = outcome.and(other);
        }
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_called_for_once_and_an_error_of_any_is_told() {
        for count in [0, 1, 2, 7, 8, 9, 100] {
            let items: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
            let called = for_each_at_once(&items, |item| {
                item.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            assert!(called.is_ok());
            assert!(
                items.iter().all(|item| item.load(Ordering::Relaxed) == 1),
                "{count}"
            );
            for wrong in 0..count {
                let numbered: Vec<u64> = (0..count).collect();
                let called = for_each_at_once(&numbered, |item| match *item == wrong {
                    true => Err(StoreError::OtherVersion { path: PathBuf::new() }),
                    false => Ok(()),
                });
                assert!(called.is_err(), "{wrong} of {count}");
            }
        }
    }
}
