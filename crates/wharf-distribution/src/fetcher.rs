//! From a reference to bytes that may be compiled: files, URLs and images, through the store.
//!
//! ```text
//! fetch(reference)
//!   file:   read                                            ─► verify the digest of the bytes
//!   https:  the digest in the reference or the lock file    ─► verify it ─► store, or download (get.rs)
//!   oci:    the lock file ─► store, or the registry: the manifest and its digest (image.rs)
//!             ─► verify it ─► in which form the plugin is there (layout.rs) ─► its layer: store, or download
//!             ─► for container images, the file in it (layer.rs) ─► keep it all in the store, and then its record
//! ```

mod get;
mod image;
mod url;

use std::sync::Arc;
use std::time::Duration;

use wharf_plugin::{
    ByteSize, ContentDigest, Digest, HashedBytes, IdentifyError, ImageReference, Lookalike, PullPolicy,
    Reference, VerifiedArtifact,
};

use self::get::Gotten;
pub(crate) use self::get::Memory;
use crate::registry::{RegistryClient, RegistryError};
use crate::runtime::block_on;
use crate::store::{Downloaded, Found, Hold, Store};
use crate::verify::{NoPolicy, Subject, Verified, Verifier};
use crate::{FetchError, Layout, LockMode, Lockfile, MOST_BYTES, Pin, file};

/// How much of a file says what it is.
const MOST_LOOKED_AT: u64 = 64 << 10;

/// The bounds of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchLimits {
    /// How long a download may take. Default: 10 min.
    pub download: Duration,
    /// How long nothing at all may come. Default: 30 s.
    pub idle: Duration,
    /// How often a request is sent again that failed for a reason that may pass: nobody there, a broken connection, 429, 500,
    /// 502, 503, 504. `Retry-After` is kept to, as long as it ends before the time is over. Default: 3.
    pub retries: u32,
    /// The most bytes of a plugin. Default: 64 MiB.
    pub module: ByteSize,
    /// The most bytes of a layer of a container image, as it is transferred. Default: 128 MiB.
    pub layer: ByteSize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            download: Duration::from_mins(10),
            idle: Duration::from_secs(30),
            retries: 3,
            module: MOST_BYTES,
            layer: ByteSize::from_mib(128),
        }
    }
}

/// Hears of downloads. It may be called from several threads at once.
pub trait FetchProgress: Send + Sync {
    /// So many bytes of what a reference means are there, of so many, as far as that is known.
    fn downloaded(&self, reference: &Reference, bytes: u64, of: Option<u64>);
}

/// Nobody listens.
impl FetchProgress for () {
    fn downloaded(&self, _reference: &Reference, _bytes: u64, _of: Option<u64>) {}
}

/// Fetches plugins. It may be used from any number of threads at once, and keeps nothing in memory but the client's tokens.
#[derive(Clone)]
pub struct Fetcher {
    client: Arc<RegistryClient>,
    store: Option<Store>,
    policy: PullPolicy,
    verifier: Arc<dyn Verifier>,
    lock: Option<(Arc<Lockfile>, LockMode)>,
    limits: FetchLimits,
    progress: Arc<dyn FetchProgress>,
}

/// A plugin's bytes, and how they came here.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The bytes, which may be compiled.
    pub artifact: VerifiedArtifact,
    /// In which form they were there.
    pub layout: Layout,
    /// What the reference meant: the digest of the manifest or index; of files and URLs, that of the bytes.
    pub resolved: ContentDigest,
    /// Where they are from.
    pub origin: Origin,
    /// What was found out about who made them.
    pub verified: Verified,
    /// Keeps them in the store for as long as this or a clone of it lives. None without a store, and for files.
    pub hold: Option<Hold>,
}

/// Where bytes are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file of this machine.
    File,
    /// A registry or server, just now.
    Network,
    /// The store; nobody was asked.
    Store,
    /// The store, because the registry could not be asked.
    StoreInstead(RegistryError),
}

/// All that is known of a plugin's bytes but the bytes themselves. As JSON it is as the admin port and the commands show it.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// In which form they were there.
    pub layout: Layout,
    /// What the reference meant: the digest of the manifest or index; of files and URLs, that of the bytes.
    pub resolved: ContentDigest,
    /// Where they are from.
    pub origin: Origin,
    /// What was found out about who made them.
    pub verified: Verified,
    /// Keeps them in the store for as long as this or a clone of it lives. None without a store, and for files.
    pub hold: Option<Hold>,
}

/// A plugin that was seen to, wherever its bytes are: in the store, in most cases.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The digest of the plugin's bytes.
    pub module: Digest,
    /// How many there are.
    pub size: u64,
    /// How they came here.
    pub provenance: Provenance,
}

/// The bytes of a plugin that may run.
enum Module {
    /// They are in memory.
    Bytes(HashedBytes),
    /// They are in the store, by this digest.
    Stored { digest: Digest, size: u64 },
}

/// A plugin that may run, and how it came here.
struct Obtained {
    module: Module,
    provenance: Provenance,
}

impl Fetched {
    /// The bytes, and all else, for who keeps the one longer than the other.
    pub fn into_parts(self) -> (VerifiedArtifact, Provenance) {
        let provenance = Provenance {
            layout: self.layout,
            resolved: self.resolved,
            origin: self.origin,
            verified: self.verified,
            hold: self.hold,
        };
        (self.artifact, provenance)
    }

    /// What a lock file is to say of it.
    pub fn pin(&self) -> Pin {
        Pin {
            digest: self.resolved.clone(),
            module: self.artifact.digest(),
            layout: self.layout,
        }
    }
}

impl Pulled {
    /// What a lock file is to say of it.
    pub fn pin(&self) -> Pin {
        Pin {
            digest: self.provenance.resolved.clone(),
            module: self.module,
            layout: self.provenance.layout,
        }
    }
}

impl Module {
    fn digest(&self) -> Digest {
        match self {
            Self::Bytes(bytes) => bytes.digest(),
            Self::Stored { digest, .. } => *digest,
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.bytes().len() as u64,
            Self::Stored { size, .. } => *size,
        }
    }
}

impl Fetcher {
    /// One that keeps nothing, asks for each fetch and has no policy of trust.
    pub fn new(client: Arc<RegistryClient>) -> Self {
        Self {
            client,
            store: None,
            policy: PullPolicy::default(),
            verifier: Arc::new(NoPolicy),
            lock: None,
            limits: FetchLimits::default(),
            progress: Arc::new(()),
        }
    }

    /// The same with a store.
    #[must_use]
    pub fn with_store(self, store: Store) -> Self {
        Self {
            store: Some(store),
            ..self
        }
    }

    /// The same with another pull policy.
    #[must_use]
    pub fn with_policy(self, policy: PullPolicy) -> Self {
        Self { policy, ..self }
    }

    /// The same with somebody who is asked what may run.
    #[must_use]
    pub fn with_verifier(self, verifier: Arc<dyn Verifier>) -> Self {
        Self { verifier, ..self }
    }

    /// The same with a lock file.
    #[must_use]
    pub fn with_lock(self, lockfile: Arc<Lockfile>, mode: LockMode) -> Self {
        Self {
            lock: Some((lockfile, mode)),
            ..self
        }
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_limits(self, limits: FetchLimits) -> Self {
        Self { limits, ..self }
    }

    /// The same with somebody who hears of downloads.
    #[must_use]
    pub fn with_progress(self, progress: Arc<dyn FetchProgress>) -> Self {
        Self { progress, ..self }
    }

    /// The store, where there is one.
    pub fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// The client of registries.
    pub fn client(&self) -> &RegistryClient {
        &self.client
    }

    /// Fetches a plugin. This blocks the thread; on one that serves a tokio runtime, another thread does the work.
    ///
    /// # Errors
    /// [`FetchError`] says what is wrong and whose fault it is, and [`FetchError::hint`] what to do about it.
    pub fn fetch(&self, reference: &Reference) -> Result<Fetched, FetchError> {
        block_on(|| self.fetch_async(reference)).map_err(FetchError::no_runtime)?
    }

    /// The same on a tokio runtime with time and I/O. Files are read and written on the thread that polls it.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch_async(&self, reference: &Reference) -> Result<Fetched, FetchError> {
        let Obtained { module, provenance } = self.obtain(reference).await?;
        let bytes = match module {
            Module::Bytes(bytes) => bytes,
            Module::Stored { digest, size } => self.stored_module(reference, digest, size)?,
        };
        let verification = provenance.verified.verification;
        Ok(Fetched {
            artifact: VerifiedArtifact::dangerously_trusted(reference.clone(), bytes, verification),
            layout: provenance.layout,
            resolved: provenance.resolved,
            origin: provenance.origin,
            verified: provenance.verified,
            hold: provenance.hold,
        })
    }

    /// Sees to it that the store has a plugin which may run, without reading it into memory where that can be helped. Without a
    /// store, and for files, it is only looked at. This blocks the thread; on one that serves a tokio runtime, another
    /// thread does the work.
    ///
    /// # Errors
    /// [`FetchError`], as for [`Fetcher::fetch`].
    pub fn pull(&self, reference: &Reference) -> Result<Pulled, FetchError> {
        let obtained = block_on(|| self.obtain(reference)).map_err(FetchError::no_runtime)??;
        Ok(Pulled {
            module: obtained.module.digest(),
            size: obtained.module.size(),
            provenance: obtained.provenance,
        })
    }

    async fn obtain(&self, reference: &Reference) -> Result<Obtained, FetchError> {
        let pin = self.pin_of(reference)?;
        match reference {
            Reference::File(path) => {
                let bytes = file::read_module(path)?;
                self.take_file(reference, bytes, pin).await
            }
            Reference::Https(_) => Box::pin(self.fetch_url(reference, pin)).await,
            Reference::Oci(text) => {
                let image: ImageReference = text.parse().map_err(|source| FetchError::NoImage {
                    reference: reference.clone(),
                    source,
                })?;
                Box::pin(self.fetch_image(reference, image, pin)).await
            }
        }
    }

    /// What was kept just now.
    fn stored_module(
        &self,
        reference: &Reference,
        digest: Digest,
        size: u64,
    ) -> Result<HashedBytes, FetchError> {
        let found = match &self.store {
            Some(store) => store.hashed_blob(&ContentDigest::Sha256(digest), size)?,
            None => Found::Absent,
        };
        match found {
            Found::Bytes(bytes) => Ok(bytes),
            Found::Absent | Found::Changed => Err(FetchError::changed_meanwhile(reference)),
        }
    }

    /// What the references mean now, as a lock file says it. Registries are asked, whatever the pull policy and the lock file
    /// say, and what they give is kept in the store. This blocks the thread.
    ///
    /// # Errors
    /// [`FetchError`], of the first reference that has one.
    pub fn lock<'r>(
        &self,
        references: impl IntoIterator<Item = &'r Reference>,
    ) -> Result<Lockfile, FetchError> {
        let asking = Self {
            policy: PullPolicy::Always,
            lock: None,
            ..self.clone()
        };
        let mut lockfile = Lockfile::default();
        for reference in references {
            let pulled = match reference.as_https() {
                // The lock file is where the digest of a URL may stand that has none.
                Some(Ok((_, None))) => asking.pull_unpinned(reference)?,
                _ => asking.pull(reference)?,
            };
            if let Origin::StoreInstead(error) = pulled.provenance.origin {
                return Err(FetchError::registry(reference, error));
            }
            lockfile.set(reference, pulled.pin());
        }
        Ok(lockfile)
    }

    async fn take_file(
        &self,
        reference: &Reference,
        bytes: Vec<u8>,
        pin: Option<&Pin>,
    ) -> Result<Obtained, FetchError> {
        let bytes = HashedBytes::from(bytes);
        let digest = bytes.digest();
        if let Some(pin) = pin.filter(|pin| pin.module != digest && self.must_be_locked()) {
            return Err(FetchError::NotAsLocked {
                reference: reference.clone(),
                locked: ContentDigest::Sha256(pin.module),
                actual: ContentDigest::Sha256(digest),
            });
        }
        let resolved = ContentDigest::Sha256(digest);
        let verified = self
            .verify(Subject {
                reference,
                digest: &resolved,
                bytes: Some(bytes.bytes()),
                attachments: None,
            })
            .await?;
        Ok(Obtained {
            module: Module::Bytes(bytes),
            provenance: Provenance {
                layout: Layout::File,
                resolved,
                origin: Origin::File,
                verified,
                hold: None,
            },
        })
    }

    async fn verify(&self, subject: Subject<'_>) -> Result<Verified, FetchError> {
        let verified = self.verifier.verify(subject).await;
        verified.map_err(|source| FetchError::Refused {
            reference: subject.reference.clone(),
            source: Box::new(source),
        })
    }

    fn must_be_locked(&self) -> bool {
        self.lock
            .as_ref()
            .is_some_and(|(_, mode)| *mode == LockMode::Require)
    }

    fn pin_of(&self, reference: &Reference) -> Result<Option<&Pin>, FetchError> {
        let Some((lockfile, mode)) = &self.lock else {
            return Ok(None);
        };
        match (lockfile.pin(reference), mode) {
            (None, LockMode::Require) => Err(FetchError::NotLocked {
                reference: reference.clone(),
            }),
            (pin, _) => Ok(pin),
        }
    }
}

/// The plugin that was gotten as it is, and the file that is to be kept. What is no module is refused before anybody keeps it.
fn module(reference: &Reference, gotten: Gotten) -> Result<(Module, Option<Downloaded>), FetchError> {
    if let Gotten::File(downloaded) = &gotten
        && let ContentDigest::Sha256(digest) = *downloaded.digest()
    {
        check_module(reference, &downloaded.beginning(MOST_LOOKED_AT)?)?;
        let size = downloaded.length();
        return Ok((Module::Stored { digest, size }, gotten.into_file()));
    }
    let (bytes, downloaded) = gotten.read(reference)?;
    check_module(reference, bytes.bytes())?;
    Ok((Module::Bytes(bytes), downloaded))
}

fn check_module(reference: &Reference, bytes: &[u8]) -> Result<(), FetchError> {
    if bytes.starts_with(file::MAGIC) {
        return Ok(());
    }
    Err(FetchError::NotAModule {
        reference: reference.clone(),
        source: IdentifyError::NotWasm {
            looks_like: Lookalike::of(bytes),
        },
    })
}
