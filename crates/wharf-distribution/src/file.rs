//! Plugins in files of this machine.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use wharf_plugin::{IdentifyError, Lookalike};

use crate::{FetchError, FileKind, MOST_BYTES, text};

/// What each binary module begins with.
pub(crate) const MAGIC: &[u8] = b"\0asm";

/// Reads a module, and assembles it where the file is a text.
pub(crate) fn read_module(path: &Path) -> Result<Vec<u8>, FetchError> {
    let bytes = read(path)?;
    let is_binary = bytes.starts_with(MAGIC);
    if path.extension().is_some_and(|extension| extension == "wat") {
        if is_binary {
            return Err(FetchError::BinaryText {
                path: path.to_owned(),
            });
        }
        let assembled = text::assemble(path, bytes)?;
        return if assembled.len() > MOST_BYTES.as_usize() {
            Err(too_large(path))
        } else {
            Ok(assembled)
        };
    }
    if is_binary {
        return Ok(bytes);
    }
    let source = IdentifyError::NotWasm {
        looks_like: Lookalike::of(&bytes),
    };
    Err(FetchError::NotWasm {
        path: path.to_owned(),
        source,
    })
}

/// Reads a whole file, but never more than a plugin may have.
fn read(path: &Path) -> Result<Vec<u8>, FetchError> {
    let unreadable = |source| FetchError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = open(path)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if let Some(kind) = kind_of_no_file(metadata.file_type()) {
        return Err(FetchError::NotAFile {
            path: path.to_owned(),
            kind,
        });
    }
    if metadata.len() > MOST_BYTES.bytes() {
        return Err(too_large(path));
    }
    // The file may grow while it is read, so its length says nothing for certain.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(MOST_BYTES.bytes() + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > MOST_BYTES.as_usize() {
        Err(too_large(path))
    } else {
        Ok(bytes)
    }
}

/// Opens a file without waiting for anybody, as the opening of a named pipe would.
fn open(path: &Path) -> Result<File, FetchError> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("the flags of open are small");
    OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => FetchError::NotFound {
                path: path.to_owned(),
            },
            // This is how the opening of a socket fails.
            _ if source.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                FetchError::NotAFile {
                    path: path.to_owned(),
                    kind: FileKind::Socket,
                }
            }
            _ => FetchError::Unreadable {
                path: path.to_owned(),
                source,
            },
        })
}

fn kind_of_no_file(file_type: FileType) -> Option<FileKind> {
    match () {
        () if file_type.is_file() => None,
        () if file_type.is_dir() => Some(FileKind::Directory),
        () if file_type.is_fifo() => Some(FileKind::Pipe),
        () if file_type.is_socket() => Some(FileKind::Socket),
        () => Some(FileKind::Device),
    }
}

fn too_large(path: &Path) -> FetchError {
    FetchError::TooLarge {
        path: path.to_owned(),
        limit: MOST_BYTES,
    }
}
