//! What is in use, and so must stay.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::{Store, StoreError, open_lock};

/// Keeps what a reference meant in the store for as long as it lives, or its process does. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Hold {
    _locked: Arc<File>,
}

impl Store {
    /// Keeps what a reference means from being pruned.
    pub(crate) fn hold(&self, reference: &str) -> Result<Hold, StoreError> {
        let path = self.hold_path(reference);
        let locked = || -> io::Result<File> {
            loop {
                let file = open_lock(&path)?;
                file.lock_shared()?;
                // Whoever pruned just now may have taken the file away.
                let inode = file.metadata()?.ino();
                if fs::metadata(&path).is_ok_and(|named| named.ino() == inode) {
                    return Ok(file);
                }
            }
        };
        locked()
            .map(|file| Hold {
                _locked: Arc::new(file),
            })
            .map_err(|error| StoreError::of(&path, error))
    }

    /// Sees to it that no process uses what a reference means, as long as what this gives lives; nothing where one does.
    pub(super) fn claim(&self, reference: &str) -> Option<File> {
        let file = open_lock(&self.hold_path(reference)).ok()?;
        file.try_lock().ok()?;
        Some(file)
    }
}
