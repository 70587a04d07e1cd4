//! The files of a server's TLS, as they are on the disk.

use std::fmt;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use crate::error::{FileKind, LoadError};
use crate::settings::ServerTlsSettings;

/// The most bytes of a file: 1 MiB. A chain has some kilobytes, and a bundle of all public CAs about 200.
pub const MOST_BYTES: usize = 1024 * 1024;

/// How often the files are read at a start until two readings in a row are the same.
const READINGS: usize = 5;

/// A file and what it is for. `Display` gives both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFile {
    /// What it is for.
    pub role: FileRole,
    /// Its path, as in the settings.
    pub path: PathBuf,
}

impl fmt::Display for TlsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {}", self.role, self.path.display())
    }
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// The chain of the server's certificate.
    Certificate,
    /// The server's private key.
    Key,
    /// The CAs of clients.
    ClientCa,
}

impl fmt::Display for FileRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Certificate => "certificate file",
            Self::Key => "key file",
            Self::ClientCa => "client CA file",
        })
    }
}

/// All files of one server, read once.
pub(crate) struct Contents {
    pub(crate) certificate: FileContents,
    pub(crate) key: FileContents,
    pub(crate) client_ca: Vec<FileContents>,
}

/// One file, read once.
pub(crate) struct FileContents {
    pub(crate) file: TlsFile,
    pub(crate) bytes: Vec<u8>,
    /// The permission bits.
    pub(crate) mode: u32,
}

/// What tells contents from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentsDigest([u8; 32]);

impl Contents {
    /// Reads the files one after the other. They may change in between: only when two readings are the same do they belong
    /// together.
    pub(crate) fn read(settings: &ServerTlsSettings) -> Result<Contents, LoadError> {
        Ok(Contents {
            certificate: read_file(FileRole::Certificate, &settings.certificate)?,
            key: read_file(FileRole::Key, &settings.key)?,
            client_ca: settings
                .client_ca
                .iter()
                .map(|path| read_file(FileRole::ClientCa, path))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Reads the files until two readings in a row are the same.
    pub(crate) fn read_settled(settings: &ServerTlsSettings) -> Result<Contents, LoadError> {
        let mut contents = Contents::read(settings)?;
        for _ in 1..READINGS {
            let again = Contents::read(settings)?;
            if again.digest() == contents.digest() {
                return Ok(again);
            }
            contents = again;
        }
        Err(LoadError::Changing {
            certificate: settings.certificate.clone(),
        })
    }

    pub(crate) fn digest(&self) -> ContentsDigest {
        let mut hash = Sha256::new();
        for file in [&self.certificate, &self.key].into_iter().chain(&self.client_ca) {
            // Each file by its own digest, so that no byte counts for its neighbour.
            hash.update(Sha256::digest(&file.bytes));
        }
        ContentsDigest(hash.finalize().into())
    }
}

fn read_file(role: FileRole, path: &Path) -> Result<FileContents, LoadError> {
    let file = TlsFile {
        role,
        path: path.to_owned(),
    };
    let opened = open(&file)?;
    let unreadable = |source| LoadError::Unreadable {
        file: file.clone(),
        source,
    };
    let metadata = opened.metadata().map_err(unreadable)?;
    if let Some(kind) = kind_of_no_file(metadata.file_type()) {
        return Err(LoadError::NotAFile { file, kind });
    }
    let mut bytes = Vec::new();
    let most = MOST_BYTES as u64 + 1;
    opened.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    match bytes.len() {
        0 => Err(LoadError::Empty { file }),
        length if length > MOST_BYTES => Err(LoadError::TooLarge { file }),
        _ => Ok(FileContents {
            file,
            bytes,
            mode: metadata.permissions().mode() & 0o7777,
        }),
    }
}

/// Opens a file without waiting for anybody, as the opening of a named pipe would.
fn open(file: &TlsFile) -> Result<File, LoadError> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("the flags of open are small");
    OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(&file.path)
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => LoadError::NotFound { file: file.clone() },
            // This is how the opening of a socket fails.
            _ if source.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                LoadError::NotAFile {
                    file: file.clone(),
                    kind: FileKind::Socket,
                }
            }
            _ => LoadError::Unreadable {
                file: file.clone(),
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
