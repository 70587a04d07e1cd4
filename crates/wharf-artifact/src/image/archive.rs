//! Archives that an image is in.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::blobs::open_regular;
use super::{ImageError, ImageLimits, ImageOptions};
use crate::Compression;
use crate::compression::read_magic;
use crate::path::beneath_root;
use crate::tar::{Input, Kind, Reader, TarError};

/// How many links are followed from one to the next.
const MOST_STEPS: usize = 40;
/// The most bytes of the names in an archive, together.
const MOST_NAMES: usize = 64 << 20;
const BUFFER: usize = 128 << 10;

/// An archive whose entries are known, so that each may be read from several threads at once.
pub(super) struct Archive {
    file: Arc<File>,
    entries: HashMap<String, Found>,
}

enum Found {
    File {
        offset: u64,
        size: u64,
    },
    /// A link to another path in the archive.
    Link(String),
}

/// The bytes of one file in an archive.
#[derive(Clone)]
pub(super) struct Section {
    file: Arc<File>,
    offset: u64,
    left: u64,
}

impl Section {
    /// How many bytes there are.
    pub(super) fn size(&self) -> u64 {
        self.left
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self
            .file
            .read_at(buffer.get_mut(..length).unwrap_or_default(), self.offset)?;
        self.offset = self.offset.saturating_add(read as u64);
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

impl Archive {
    /// Opens an archive, unpacking it first where it is compressed, and reads its headers.
    pub(super) fn open(path: &Path, target: &str, options: &ImageOptions) -> Result<Self, ImageError> {
        let unreadable = |source| ImageError::Unreadable {
            target: target.to_owned(),
            source,
        };
        let mut file = open_regular(path).map_err(unreadable)?;
        let start = read_magic(&mut file).map_err(unreadable)?;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let file = match Compression::of(&start) {
            Compression::Plain => file,
            compression => unpack(file, compression, target, options)?,
        };
        let length = file.metadata().map_err(unreadable)?.len();
        let entries = index(&file, length, target, &options.limits)?;
        Ok(Self {
            file: Arc::new(file),
            entries,
        })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.section(name).is_some()
    }

    /// The bytes of a file, by its name or by that of a link to it.
    pub(super) fn section(&self, name: &str) -> Option<Section> {
        let mut name = name;
        for _ in 0..MOST_STEPS {
            match self.entries.get(name)? {
                Found::Link(target) => name = target,
                Found::File { offset, size } => {
                    return Some(Section {
                        file: Arc::clone(&self.file),
                        offset: *offset,
                        left: *size,
                    });
                }
            }
        }
        None
    }
}

/// Reads the headers of an archive and passes over the rest.
fn index(
    file: &File,
    length: u64,
    target: &str,
    limits: &ImageLimits,
) -> Result<HashMap<String, Found>, ImageError> {
    let limit = limits.most_archive_entries;
    let too_many = || ImageError::TooManyEntries {
        target: target.to_owned(),
        limit,
    };
    let seekable = Seekable {
        file: BufReader::with_capacity(4096, file),
        position: 0,
        length,
    };
    let mut reader = Reader::new(seekable);
    let mut entries = HashMap::new();
    let mut names = 0_usize;
    while let Some(entry) = reader.next().map_err(|error| archive_error(target, error))? {
        names = names
            .saturating_add(entry.name.len())
            .saturating_add(entry.link.len());
        if entries.len() >= limit || names > MOST_NAMES {
            return Err(too_many());
        }
        let Ok(path) = beneath_root(&entry.name) else {
            continue;
        };
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let found = match entry.kind {
            Kind::File if entry.is_whole() => Found::File {
                offset: reader.position(),
                size: reader.stored(),
            },
            Kind::HardLink => match beneath_root(&entry.link) {
                Ok(target) => Found::Link(target),
                Err(_) => continue,
            },
            // Older archives have a layer that several images share as a link.
            Kind::SymbolicLink => match beneath_root(&[parent.as_bytes(), b"/", &entry.link].concat()) {
                Ok(target) => Found::Link(target),
                Err(_) => continue,
            },
            _ => continue,
        };
        entries.insert(path, found);
    }
    Ok(entries)
}

fn archive_error(target: &str, error: TarError) -> ImageError {
    let target = target.to_owned();
    match error {
        TarError::Truncated { position } => ImageError::Truncated { target, position },
        TarError::Header { position, fault } => ImageError::Malformed {
            target,
            position,
            source: fault,
        },
        TarError::Input(source) => ImageError::Unreadable { target, source },
    }
}

/// A file in which what is passed over is not read.
struct Seekable<'a> {
    file: BufReader<&'a File>,
    position: u64,
    length: u64,
}

impl Read for Seekable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.position = self.position.saturating_add(read as u64);
        Ok(read)
    }
}

impl Input for Seekable<'_> {
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        let bytes = bytes.min(self.length.saturating_sub(self.position));
        let step = i64::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.file.seek_relative(step)?;
        self.position = self.position.saturating_add(bytes);
        Ok(bytes)
    }
}

/// Unpacks an archive to a temporary file that has no name and goes away with the image.
fn unpack(
    file: File,
    compression: Compression,
    target: &str,
    options: &ImageOptions,
) -> Result<File, ImageError> {
    let limits = &options.limits;
    let target = || target.to_owned();
    let temporary = |source| ImageError::Temporary {
        target: target(),
        source,
    };
    let stored = std::cell::Cell::new(0);
    let counted = Counted {
        file,
        stored: &stored,
    };
    let mut decoder = compression
        .decoder(BufReader::with_capacity(BUFFER, counted))
        .ok_or_else(|| ImageError::UnknownCompression {
            target: target(),
            compression,
        })?;
    let mut unpacked_file = tempfile::tempfile().map_err(temporary)?;
    let mut buffer = vec![0; BUFFER];
    let mut unpacked = 0_u64;
    loop {
        let read = match decoder.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => {
                return Err(ImageError::Corrupt {
                    target: target(),
                    compression,
                    unpacked,
                    source,
                });
            }
        };
        if options.is_interrupted() {
            return Err(ImageError::Stopped { target: target() });
        }
        unpacked = unpacked.saturating_add(read as u64);
        if unpacked > limits.most_archive {
            return Err(ImageError::ArchiveTooLarge {
                target: target(),
                limit: limits.most_archive,
            });
        }
        if limits.is_bomb(stored.get(), unpacked) {
            let limit = limits.most_ratio;
            return Err(ImageError::Bomb {
                target: target(),
                stored: stored.get(),
                limit,
            });
        }
        unpacked_file
            .write_all(buffer.get(..read).unwrap_or_default())
            .map_err(temporary)?;
    }
    drop(decoder);
    unpacked_file.seek(SeekFrom::Start(0)).map_err(temporary)?;
    Ok(unpacked_file)
}

/// Counts the bytes that are read.
struct Counted<'a> {
    file: File,
    stored: &'a std::cell::Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.stored.set(self.stored.get().saturating_add(read as u64));
        Ok(read)
    }
}
