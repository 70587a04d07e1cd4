//! Layers on the disk, in files that have no name and are gone with the process.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_plugin::ContentDigest;

use super::RemoteImageError;
use crate::hashed::HashedFile;

/// Where large temporary files go on systems that keep to the standard of their hierarchy: not into memory.
const LARGE_FILES: &str = "/var/tmp";

/// A layer that is being downloaded.
pub(super) struct Spool {
    content: HashedFile,
    directory: PathBuf,
}

impl Spool {
    /// An empty one, in this directory or in the first of those that there are by default.
    pub(super) fn new(digest: &ContentDigest, directory: Option<&Path>) -> Result<Self, RemoteImageError> {
        let system = std::env::temp_dir();
        let is_said = std::env::var_os("TMPDIR").is_some_and(|directory| !directory.is_empty());
        let candidates = match directory {
            Some(directory) => vec![directory.to_owned()],
            None if is_said => vec![system],
            None => vec![PathBuf::from(LARGE_FILES), system],
        };
        let mut failure = None;
        for directory in candidates {
            match tempfile::tempfile_in(&directory) {
                Ok(file) => {
                    return Ok(Self {
                        content: HashedFile::empty(file, digest),
                        directory,
                    });
                }
                Err(error) => failure = Some(RemoteImageError::temporary(directory, error)),
            }
        }
        Err(failure.expect("there is a directory to try"))
    }

    /// What was written, to be read by [`RemoteLayer`].
    pub(super) fn into_file(self) -> File {
        self.content.file
    }

    /// Where the download goes.
    pub(super) fn sink(&mut self) -> &mut HashedFile {
        &mut self.content
    }

    /// Why it took no more.
    pub(super) fn unwritable(&self, error: io::Error) -> RemoteImageError {
        RemoteImageError::temporary(self.directory.clone(), error)
    }
}

/// The bytes of a layer as a registry has it, mostly compressed. Each has its own place in the file, which all share.
#[derive(Debug)]
pub struct RemoteLayer {
    file: Arc<File>,
    position: u64,
}

impl RemoteLayer {
    pub(super) fn of(file: Arc<File>) -> Self {
        Self { file, position: 0 }
    }
}

impl Read for RemoteLayer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}
