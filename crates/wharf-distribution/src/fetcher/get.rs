//! The bytes of a digest: from the store, or downloaded, into the store or into memory.

use std::time::Duration;

use tokio::time::Instant;
use wharf_plugin::{ByteSize, ContentDigest, HashedBytes, Reference};

use super::Fetcher;
use crate::FetchError;
use crate::hashed::Hasher;
use crate::registry::{Download, DownloadError, Sink, Visit};
use crate::store::{Downloaded, Found, Store, StoreError};

/// How often it is looked whether another process has downloaded what is wanted.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where bytes are to be had.
pub(super) enum Place<'a, 'c> {
    Blob(&'a mut Visit<'c>),
    Url(&'a str),
}

/// What is to be had.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) reference: &'a Reference,
    pub(super) what: &'static str,
    pub(super) digest: &'a ContentDigest,
    pub(super) size: Option<u64>,
    pub(super) most: ByteSize,
}

/// What was checked.
pub(super) enum Gotten {
    /// Bytes that the store has, or that nobody keeps.
    Bytes(HashedBytes),
    /// A file that is to be kept.
    File(Downloaded),
}

impl Gotten {
    /// All bytes, and the file that is to be kept.
    pub(super) fn read(self, reference: &Reference) -> Result<(HashedBytes, Option<Downloaded>), FetchError> {
        match self {
            Self::Bytes(bytes) => Ok((bytes, None)),
            Self::File(downloaded) => match downloaded.read()? {
                Some(bytes) => Ok((bytes, Some(downloaded))),
                None => Err(FetchError::changed_meanwhile(reference)),
            },
        }
    }

    /// The file that is to be kept.
    pub(super) fn into_file(self) -> Option<Downloaded> {
        match self {
            Self::Bytes(_) => None,
            Self::File(downloaded) => Some(downloaded),
        }
    }
}

impl Fetcher {
    /// Gets bytes. Where another process is at it, that one is waited for.
    pub(super) async fn get(&self, place: Place<'_, '_>, wanted: Wanted<'_>) -> Result<Gotten, FetchError> {
        let Some(store) = &self.store else {
            let mut memory = Memory::new(wanted.digest);
            self.download(place, wanted, &mut memory, None).await?;
            return Ok(Gotten::Bytes(memory.bytes.into()));
        };
        let until = Instant::now() + self.limits.download;
        let mut partial = loop {
            if let Found::Bytes(bytes) = store.hashed_blob(wanted.digest, wanted.most.bytes())? {
                return Ok(Gotten::Bytes(bytes));
            }
            if let Some(partial) = store.partial(wanted.digest)? {
                break partial;
            }
            if Instant::now() >= until {
                return Err(FetchError::Busy {
                    reference: wanted.reference.clone(),
                    limit: self.limits.download,
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        // Whoever was at it may have ended in between.
        if partial.length() == 0
            && let Found::Bytes(bytes) = store.hashed_blob(wanted.digest, wanted.most.bytes())?
        {
            return Ok(Gotten::Bytes(bytes));
        }
        self.download(place, wanted, &mut partial, Some(store)).await?;
        Ok(Gotten::File(partial.finish()))
    }

    async fn download(
        &self,
        place: Place<'_, '_>,
        wanted: Wanted<'_>,
        sink: &mut dyn Sink,
        store: Option<&Store>,
    ) -> Result<(), FetchError> {
        let progress = |bytes, of| self.progress.downloaded(wanted.reference, bytes, of);
        let download = Download {
            what: wanted.what,
            digest: wanted.digest,
            size: wanted.size,
            most: wanted.most,
            whole: self.limits.download,
            idle: self.limits.idle,
            retries: self.limits.retries,
            progress: &progress,
        };
        let done = match place {
            Place::Blob(visit) => visit.download(&download, sink).await,
            Place::Url(url) => self.client.download_file(url, &download, sink).await,
        };
        done.map_err(|error| match (error, store) {
            (DownloadError::Registry(error), _) => FetchError::registry(wanted.reference, error),
            (DownloadError::Sink(error), Some(store)) => StoreError::of(store.directory(), error).into(),
            // Memory takes all that it is given.
            (DownloadError::Sink(error), None) => FetchError::no_runtime(error),
        })
    }
}

/// A download that nobody keeps.
pub(crate) struct Memory {
    digest: ContentDigest,
    hasher: Hasher,
    pub(crate) bytes: Vec<u8>,
}

impl Memory {
    pub(crate) fn new(digest: &ContentDigest) -> Self {
        Self {
            digest: digest.clone(),
            hasher: Hasher::like(digest),
            bytes: Vec::new(),
        }
    }
}

impl Sink for Memory {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn restart(&mut self) -> std::io::Result<()> {
        self.bytes.clear();
        self.hasher = Hasher::like(&self.digest);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        self.hasher.update(bytes);
        Ok(())
    }

    fn digest(&self) -> ContentDigest {
        self.hasher.digest()
    }
}
