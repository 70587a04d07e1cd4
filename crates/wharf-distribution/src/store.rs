//! The store: all that was fetched, in one directory, by digest.
//!
//! ```text
//! ~/.cache/wharf/store/
//!   format                     which version of Wharf's store this is
//!   lock                       shared by whoever adds something, exclusive for whoever takes something away
//!   blobs/sha256/HEX           manifests, layers, modules, signatures: bytes by their digest
//!   partial/sha256-HEX         a download under way, or broken off; locked by who writes it
//!   records/HEX.json           what a reference meant when it was fetched last (record.rs); HEX is of the reference
//!   holds/HEX                  locked by each process that uses what the record of this name has
//!   tmp/                       files on their way to one of the above
//! ```
//!
//! **Many processes.** All locks are `flock`s, which end with the process however it ends. A file appears under its name as a
//! whole, by a rename, after its bytes are on the disk, and a record after all that it names. So a process may be killed, or the
//! machine lose its power, at any moment: what is left is at worst a partial download, which is checked before it is used; a
//! blob that no record names, which the next pruning takes away; or, of the names that the disk was about to learn, a record
//! whose blobs are not there, which are fetched anew. What was kept, once that is said, is there after any of it.
//!
//! **Nothing is believed.** Bytes are checked against their digest each time that they are read. What was changed on the disk is
//! told, thrown away, and fetched anew where that may be.

mod error;
mod hold;
mod partial;
mod prune;
mod record;
mod written;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wharf_plugin::{ContentDigest, Digest, HashedBytes};

use crate::bounded::read_bounded;

pub use error::StoreError;
pub use hold::Hold;
pub(crate) use partial::Downloaded;
pub use prune::Pruned;
pub use record::Record;
pub(crate) use record::{Attached, Held, as_text};
use written::NewFile;

/// What the file `format` says.
const FORMAT: &str = "wharf-store 1\n";
/// The directories of a store.
const DIRECTORIES: [&str; 6] = [
    "blobs/sha256",
    "blobs/sha512",
    "partial",
    "records",
    "holds",
    "tmp",
];
/// The most bytes of a record.
const MOST_RECORD: u64 = 4 << 20;

/// A directory with all that was fetched. It may be used from any number of threads and processes at once; opening it is
/// cheap. Its methods block, for as long as reading or writing a file takes.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// What is found under a digest.
#[derive(Debug)]
pub(crate) enum Found<B = Vec<u8>> {
    Bytes(B),
    Absent,
    /// Other bytes than those of the digest, which were thrown away.
    Changed,
}

/// A store to which more and more is added.
pub(crate) struct Loading<'s> {
    store: &'s Store,
    _lock: File,
}

impl Loading<'_> {
    /// Keeps bytes whose digest was checked.
    pub(crate) fn blob(&self, digest: &ContentDigest, bytes: &[u8]) -> Result<(), StoreError> {
        match self.store.blob(digest, bytes.len() as u64) {
            Ok(Found::Bytes(_)) => Ok(()),
            _ => self.store.write(&self.store.blob_path(digest), bytes),
        }
    }

    /// Keeps what a reference means, once all of it is there.
    pub(crate) fn record(&self, record: &Record) -> Result<(), StoreError> {
        let path = self.store.record_path(&record.reference);
        self.store.write(&path, record.text().as_bytes())
    }
}

/// Bytes that are to be kept.
pub(crate) struct NewBlob<'a> {
    pub(crate) digest: ContentDigest,
    pub(crate) bytes: &'a [u8],
}

impl Store {
    /// Opens a store, and makes it where there is none. It belongs to this process's user alone.
    ///
    /// # Errors
    /// [`StoreError`], where the directory cannot be made, or is a store of another version.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Self { root: root.into() };
        for directory in DIRECTORIES {
            let path = store.root.join(directory);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|error| StoreError::of(&path, error))?;
        }
        let format = store.root.join("format");
        match read_bounded(&format, 64) {
            Ok(text) if text == FORMAT.as_bytes() => return Ok(store),
            // The disk never learnt what was written, for which nobody waits.
            Ok(text) if text.iter().all(|byte| *byte == 0) => {}
            Ok(_) => return Err(StoreError::OtherVersion { path: format }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::of(&format, error)),
        }
        let _lock = store.lock_shared()?;
        NewFile::written(&store, format, FORMAT.as_bytes())?.name_unconfirmed()?;
        Ok(store)
    }

    /// Where a store of the user is to be: `$XDG_CACHE_HOME/wharf/store`, or `~/.cache/wharf/store`. None where the user has
    /// no home.
    pub fn users_directory() -> Option<PathBuf> {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.filter(|path| path.is_absolute());
        let cache = cache.or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
        Some(cache.join("wharf").join("store"))
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.root
    }

    /// The bytes of a digest, checked.
    pub(crate) fn blob(&self, digest: &ContentDigest, most: u64) -> Result<Found, StoreError> {
        let Some(bytes) = self.unchecked_blob(digest, most)? else {
            return Ok(Found::Absent);
        };
        if digest.again_of(&bytes) == *digest {
            return Ok(Found::Bytes(bytes));
        }
        self.throw_away(digest);
        Ok(Found::Changed)
    }

    /// The same with the digest by which plugins are named, so that it need not be computed twice.
    pub(crate) fn hashed_blob(
        &self,
        digest: &ContentDigest,
        most: u64,
    ) -> Result<Found<HashedBytes>, StoreError> {
        let Some(bytes) = self.unchecked_blob(digest, most)? else {
            return Ok(Found::Absent);
        };
        if let Some(hashed) = checked(bytes, digest) {
            return Ok(Found::Bytes(hashed));
        }
        self.throw_away(digest);
        Ok(Found::Changed)
    }

    /// The bytes that are there for a digest, whatever they are.
    fn unchecked_blob(&self, digest: &ContentDigest, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.blob_path(digest);
        match read_bounded(&path, most) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::of(&path, error)),
        }
    }

    /// Takes away bytes that are not what they should be. Where that cannot be, they are found out the next time too.
    fn throw_away(&self, digest: &ContentDigest) {
        let _ = fs::remove_file(self.blob_path(digest));
    }

    /// Whether there is something for a digest.
    pub(crate) fn has(&self, digest: &ContentDigest) -> bool {
        self.blob_path(digest).exists()
    }

    /// How many bytes there are for a digest, where there are any.
    pub(crate) fn length(&self, digest: &ContentDigest) -> Option<u64> {
        let found = fs::metadata(self.blob_path(digest)).ok()?;
        Some(found.len())
    }

    /// The record of a reference, where there is one that can be read.
    pub(crate) fn record(&self, reference: &str) -> Result<Option<Record>, StoreError> {
        let path = self.record_path(reference);
        match read_bounded(&path, MOST_RECORD) {
            // What cannot be understood was written by nobody who keeps to the format: it is as good as none.
            Ok(bytes) => Ok(Record::parse(&bytes).filter(|record| record.reference == reference)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::of(&path, error)),
        }
    }

    /// Notes that something was used just now, for the order in which pruning takes away. That it cannot be noted harms
    /// nobody.
    pub(crate) fn touch(&self, reference: &str) {
        if let Ok(file) = OpenOptions::new().append(true).open(self.record_path(reference)) {
            let _ = file.set_modified(SystemTime::now());
        }
    }

    /// Keeps what a reference means: the downloads that ended, further bytes, and then the record that names them all. Once
    /// this returns the disk has it.
    pub(crate) fn keep(
        &self,
        downloads: Vec<Downloaded>,
        blobs: &[NewBlob<'_>],
        record: &Record,
    ) -> Result<(), StoreError> {
        let _lock = self.lock_shared()?;
        let mut files: Vec<NewFile> = downloads
            .into_iter()
            .map(|download| {
                let to = self.blob_path(&download.digest);
                NewFile::downloaded(download, to)
            })
            .collect();
        for blob in blobs {
            if !self.has(&blob.digest) {
                files.push(NewFile::written(self, self.blob_path(&blob.digest), blob.bytes)?);
            }
        }
        let record_path = self.record_path(&record.reference);
        files.push(NewFile::written(self, record_path, record.text().as_bytes())?);
        written::name(files)
    }

    /// Begins to take what an archive has. Nothing is taken away meanwhile.
    pub(crate) fn loading(&self) -> Result<Loading<'_>, StoreError> {
        Ok(Loading {
            store: self,
            _lock: self.lock_shared()?,
        })
    }

    /// All records, those first that were used last.
    ///
    /// # Errors
    /// [`StoreError`], where the directory cannot be read.
    pub fn records(&self) -> Result<Vec<Record>, StoreError> {
        let dated = self.dated_records()?;
        Ok(dated.into_iter().map(|(_, record)| record).collect())
    }

    fn dated_records(&self) -> Result<Vec<(SystemTime, Record)>, StoreError> {
        let directory = self.root.join("records");
        let entries = fs::read_dir(&directory).map_err(|error| StoreError::of(&directory, error))?;
        let mut records = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| StoreError::of(&directory, error))?.path();
            // One that has just gone is none.
            let Ok(bytes) = read_bounded(&path, MOST_RECORD) else {
                continue;
            };
            let Some(record) = Record::parse(&bytes) else {
                continue;
            };
            let used = fs::metadata(&path).and_then(|metadata| metadata.modified());
            records.push((used.unwrap_or(SystemTime::UNIX_EPOCH), record));
        }
        records.sort_by(|(a, first), (b, second)| b.cmp(a).then(first.reference.cmp(&second.reference)));
        Ok(records)
    }

    /// Writes a file so that it is there as a whole or not at all. The lock is held by whoever calls this.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        written::name(vec![NewFile::written(self, path.to_owned(), bytes)?])
    }

    fn blob_path(&self, digest: &ContentDigest) -> PathBuf {
        self.root.join("blobs").join(digest.to_string().replace(':', "/"))
    }

    fn partial_path(&self, digest: &ContentDigest) -> PathBuf {
        self.root
            .join("partial")
            .join(digest.to_string().replace(':', "-"))
    }

    fn record_path(&self, reference: &str) -> PathBuf {
        self.root.join("records").join(format!("{}.json", key(reference)))
    }

    fn hold_path(&self, reference: &str) -> PathBuf {
        self.root.join("holds").join(key(reference))
    }

    /// The lock of whoever adds something: nothing is taken away meanwhile.
    fn lock_shared(&self) -> Result<File, StoreError> {
        let file = self.lock_file()?;
        file.lock_shared()
            .map_err(|error| StoreError::of(&self.root.join("lock"), error))?;
        Ok(file)
    }

    /// The lock of whoever takes something away.
    fn lock_exclusive(&self) -> Result<File, StoreError> {
        let file = self.lock_file()?;
        file.lock()
            .map_err(|error| StoreError::of(&self.root.join("lock"), error))?;
        Ok(file)
    }

    fn lock_file(&self) -> Result<File, StoreError> {
        let path = self.root.join("lock");
        open_lock(&path).map_err(|error| StoreError::of(&path, error))
    }
}

/// Opens a file that is there to be locked.
fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
}

/// The bytes with the digest by which plugins are named, where the one that they are to have is right.
fn checked(bytes: Vec<u8>, digest: &ContentDigest) -> Option<HashedBytes> {
    match digest {
        ContentDigest::Sha256(wanted) => {
            Some(HashedBytes::from(bytes)).filter(|hashed| hashed.digest() == *wanted)
        }
        ContentDigest::Sha512(_) if digest.again_of(&bytes) == *digest => Some(bytes.into()),
        ContentDigest::Sha512(_) => None,
    }
}

/// The name of a reference's files.
fn key(reference: &str) -> String {
    Digest::of(reference.as_bytes()).to_hex()
}
