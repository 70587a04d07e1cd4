//! Images that are no plugins, and are looked at rather than run: the documents at once, the layers when somebody wants them.
//!
//! ```text
//! RemoteImages::open     the manifest ─► from an index the caller chooses ─► the manifest of one image ─► its configuration
//! RemoteImage::layer     downloaded once, checked as a whole, into a file without a name (spool.rs) ─► read from there
//! ```
//!
//! A mirror is asked before the registry. Whoever waits can be told to stop by a flag, which is looked at all the time.

mod error;
mod spool;

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wharf_plugin::{ByteSize, ContentDigest, ImageReference};

pub use self::error::RemoteImageError;
pub use self::spool::RemoteLayer;
use self::spool::Spool;
use crate::fetcher::Memory;
use crate::registry::{Descriptor, Download, DownloadError, Manifest, ManifestKind, RegistryClient, Visit};
use crate::runtime::block_on;

/// How deep indexes may be in each other.
const MOST_INDEXES: usize = 8;

/// How often it is looked whether to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The bounds of reading images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteImageLimits {
    /// How long one download may take. Default: 1 h.
    pub download: Duration,
    /// How long nothing at all may come. Default: 30 s.
    pub idle: Duration,
    /// How often a request is sent again that failed for a reason that may pass: nobody there, a broken connection, 429, 500,
    /// 502, 503, 504. `Retry-After` is kept to, as long as it ends before the time is over. What was downloaded is gone on with.
    /// Default: 3.
    pub retries: u32,
    /// The most bytes of a configuration, which is kept in memory. Default: 8 MiB.
    pub config: ByteSize,
    /// The most bytes of one layer, as it is transferred. Default: 32 GiB.
    pub layer: ByteSize,
    /// The most bytes of all layers that are downloaded of one image, which is what they take on the disk. Default: 64 GiB.
    pub layers: ByteSize,
}

impl Default for RemoteImageLimits {
    fn default() -> Self {
        Self {
            download: Duration::from_hours(1),
            idle: Duration::from_secs(30),
            retries: 3,
            config: ByteSize::from_mib(8),
            layer: ByteSize::from_gib(32),
            layers: ByteSize::from_gib(64),
        }
    }
}

/// Hears of layers that are being downloaded. It may be called from several threads at once, for each piece that comes.
pub trait LayerProgress: Send + Sync {
    /// So many bytes of a layer are there, of so many.
    fn downloaded(&self, layer: &ContentDigest, bytes: u64, of: u64);
}

/// Nobody listens.
impl LayerProgress for () {
    fn downloaded(&self, _layer: &ContentDigest, _bytes: u64, _of: u64) {}
}

/// Opens images of registries. It may be used from any number of threads at once, and cloning it is cheap.
#[derive(Clone)]
pub struct RemoteImages {
    client: Arc<RegistryClient>,
    limits: RemoteImageLimits,
    stop: Option<Arc<AtomicBool>>,
    directory: Option<PathBuf>,
    progress: Arc<dyn LayerProgress>,
}

/// An image whose manifest and configuration were fetched and checked. Its layers are fetched when they are asked for.
///
/// It may be shared between threads. What was downloaded of it lies in files without names, which are gone when it and all
/// [`RemoteLayer`]s are.
pub struct RemoteImage {
    images: RemoteImages,
    reference: ImageReference,
    /// Who is asked for layers, first to last.
    places: Vec<ImageReference>,
    resolved: ContentDigest,
    manifest: Manifest,
    layers: Vec<Descriptor>,
    config: Vec<u8>,
    downloads: Mutex<HashMap<ContentDigest, Slot>>,
    /// The bytes of all downloads that ended or are under way.
    reserved: AtomicU64,
}

/// Where a layer is once it is there; locked by who downloads it.
type Slot = Arc<Mutex<Option<Arc<File>>>>;

impl RemoteImages {
    /// One with the default bounds, which nobody stops.
    pub fn new(client: Arc<RegistryClient>) -> Self {
        Self {
            client,
            limits: RemoteImageLimits::default(),
            stop: None,
            directory: None,
            progress: Arc::new(()),
        }
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_limits(self, limits: RemoteImageLimits) -> Self {
        Self { limits, ..self }
    }

    /// The same with a flag that ends all that is being fetched within a tenth of a second, from another thread or a handler of
    /// signals.
    #[must_use]
    pub fn with_stop(self, stop: Arc<AtomicBool>) -> Self {
        Self {
            stop: Some(stop),
            ..self
        }
    }

    /// The same with another directory for layers. By default it is that of TMPDIR, or else `/var/tmp`, since `/tmp` is in memory
    /// on many machines, or else the system's for temporary files.
    #[must_use]
    pub fn with_directory(self, directory: PathBuf) -> Self {
        Self {
            directory: Some(directory),
            ..self
        }
    }

    /// The same with somebody who hears of downloads.
    #[must_use]
    pub fn with_progress(self, progress: Arc<dyn LayerProgress>) -> Self {
        Self { progress, ..self }
    }

    /// Fetches what an image says of itself. This blocks the thread; on one that serves a tokio runtime, another thread does the
    /// work.
    ///
    /// `choose` is shown each manifest: of an index it gives the digest of the entry that is wanted, of one image nothing. Indexes may
    /// be in each other, 8 at most. It is asked anew for each mirror that gives something.
    ///
    /// # Errors
    /// [`RemoteImageError`], or what `choose` gives, of the registry itself: a mirror that does not have it does not matter.
    pub fn open<E>(
        &self,
        reference: &ImageReference,
        mut choose: impl FnMut(&Manifest) -> Result<Option<ContentDigest>, E> + Send,
    ) -> Result<RemoteImage, E>
    where
        E: From<RemoteImageError> + Send,
    {
        let opened = block_on(|| self.until_stopped(self.open_anywhere(reference, &mut choose)));
        match opened.map_err(RemoteImageError::NoRuntime)? {
            Some(opened) => opened,
            None => Err(RemoteImageError::stopped(reference).into()),
        }
    }

    async fn open_anywhere<E: From<RemoteImageError>>(
        &self,
        reference: &ImageReference,
        choose: &mut (impl FnMut(&Manifest) -> Result<Option<ContentDigest>, E> + Send),
    ) -> Result<RemoteImage, E> {
        let places = self.client.places_of(reference);
        let (registry, mirrors) = places.split_last().expect("the registry itself is one");
        for mirror in mirrors {
            // Why a mirror does not give it does not matter where the registry does.
            if let Ok(mut image) = Box::pin(self.open_at(reference, mirror, choose)).await {
                image.places.push(registry.clone());
                return Ok(image);
            }
        }
        Box::pin(self.open_at(reference, registry, choose)).await
    }

    async fn open_at<E: From<RemoteImageError>>(
        &self,
        reference: &ImageReference,
        place: &ImageReference,
        choose: &mut (impl FnMut(&Manifest) -> Result<Option<ContentDigest>, E> + Send),
    ) -> Result<RemoteImage, E> {
        let mut visit = self.client.visit(place);
        let mut manifest = self.manifest(reference, &mut visit, place).await?;
        let resolved = manifest.digest.clone();
        for _ in 0..=MOST_INDEXES {
            if let Some(chosen) = choose(&manifest)? {
                let named = place.with_digest(chosen);
                manifest = self.manifest(reference, &mut visit, &named).await?;
                continue;
            }
            let ManifestKind::Image(image) = &manifest.kind else {
                return Err(RemoteImageError::not_chosen(reference).into());
            };
            let layers = image.layers.clone();
            let config = self.config(reference, &mut visit, &image.config).await?;
            return Ok(RemoteImage {
                images: self.clone(),
                reference: reference.clone(),
                places: vec![place.clone()],
                resolved,
                manifest,
                layers,
                config,
                downloads: Mutex::default(),
                reserved: AtomicU64::new(0),
            });
        }
        Err(RemoteImageError::nested(reference, MOST_INDEXES).into())
    }

    async fn manifest(
        &self,
        reference: &ImageReference,
        visit: &mut Visit<'_>,
        named: &ImageReference,
    ) -> Result<Manifest, RemoteImageError> {
        let found = visit.manifest(named, self.limits.idle, self.limits.retries).await;
        found.map_err(|error| RemoteImageError::registry(reference, error))
    }

    async fn config(
        &self,
        reference: &ImageReference,
        visit: &mut Visit<'_>,
        descriptor: &Descriptor,
    ) -> Result<Vec<u8>, RemoteImageError> {
        let most = self.limits.config;
        if descriptor.size > most.bytes() {
            return Err(RemoteImageError::too_large(reference, "configuration", most));
        }
        let mut memory = Memory::new(&descriptor.digest);
        let download = self.download("the configuration", descriptor, most, &|_, _| {});
        match visit.download(&download, &mut memory).await {
            Ok(()) => Ok(memory.bytes),
            Err(DownloadError::Registry(error)) => Err(RemoteImageError::registry(reference, error)),
            // Memory takes all that it is given.
            Err(DownloadError::Sink(error)) => Err(RemoteImageError::NoRuntime(error)),
        }
    }

    fn download<'a>(
        &self,
        what: &'static str,
        descriptor: &'a Descriptor,
        most: ByteSize,
        progress: &'a (dyn Fn(u64, Option<u64>) + Send + Sync),
    ) -> Download<'a> {
        Download {
            what,
            digest: &descriptor.digest,
            size: Some(descriptor.size),
            most,
            whole: self.limits.download,
            idle: self.limits.idle,
            retries: self.limits.retries,
            progress,
        }
    }

    fn is_stopped(&self) -> bool {
        let stop = self.stop.as_ref();
        stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// What comes of some work; nothing where it is to stop, which ends the work.
    async fn until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = Box::pin(work);
        while !self.is_stopped() {
            if let Ok(done) = tokio::time::timeout(LOOK_AGAIN, work.as_mut()).await {
                return Some(done);
            }
        }
        None
    }
}

impl RemoteImage {
    /// The name that it was opened by.
    pub fn reference(&self) -> &ImageReference {
        &self.reference
    }

    /// What the name means: the digest of the manifest, or of the index that the image was chosen from.
    pub fn resolved(&self) -> &ContentDigest {
        &self.resolved
    }

    /// The manifest of the image itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The configuration as the registry has it, by the digest in the manifest.
    pub fn config(&self) -> &[u8] {
        &self.config
    }

    /// Opens a layer of the manifest for reading from its start. It is downloaded where that was not done before; two who want the
    /// same one at the same time wait for one download. This blocks the thread; on one that serves a tokio runtime, another thread
    /// does the work.
    ///
    /// What is read has the layer's digest, and no more of it is in memory than is asked for.
    ///
    /// # Errors
    /// [`RemoteImageError`]. What failed is tried anew when it is asked for again.
    pub fn layer(&self, digest: &ContentDigest) -> Result<RemoteLayer, RemoteImageError> {
        let mut layers = self.layers.iter();
        let layer = layers.find(|layer| layer.digest == *digest);
        let layer = layer.ok_or_else(|| RemoteImageError::no_layer(&self.reference, digest))?;
        let slot = {
            let mut downloads = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(downloads.entry(digest.clone()).or_default())
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &*slot {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(self.download(layer)?);
                *slot = Some(Arc::clone(&file));
                file
            }
        };
        Ok(RemoteLayer::of(file))
    }

    fn download(&self, layer: &Descriptor) -> Result<File, RemoteImageError> {
        self.reserve(layer.size)?;
        let downloaded = self.download_reserved(layer);
        if downloaded.is_err() {
            self.reserved.fetch_sub(layer.size, Ordering::Relaxed);
        }
        downloaded
    }

    /// Takes its part of the bytes that all layers may have together.
    fn reserve(&self, size: u64) -> Result<(), RemoteImageError> {
        let RemoteImageLimits { layer, layers, .. } = self.images.limits;
        if size > layer.bytes() {
            return Err(RemoteImageError::too_large(&self.reference, "layer", layer));
        }
        let with = |reserved: u64| {
            let total = reserved.checked_add(size);
            total.filter(|total| *total <= layers.bytes())
        };
        let reserved = self
            .reserved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, with);
        match reserved {
            Ok(_) => Ok(()),
            Err(_) => Err(RemoteImageError::too_large(
                &self.reference,
                "layers together",
                layers,
            )),
        }
    }

    fn download_reserved(&self, layer: &Descriptor) -> Result<File, RemoteImageError> {
        let images = &self.images;
        let mut spool = Spool::new(&layer.digest, images.directory.as_deref())?;
        let done = block_on(|| images.until_stopped(self.download_anywhere(layer, &mut spool)));
        match done.map_err(RemoteImageError::NoRuntime)? {
            Some(done) => done?,
            None => return Err(RemoteImageError::stopped(&self.reference)),
        }
        Ok(spool.into_file())
    }

    /// Downloads from the first place that gives it. What one gave until it broke off is gone on with at the next.
    async fn download_anywhere(&self, layer: &Descriptor, spool: &mut Spool) -> Result<(), RemoteImageError> {
        let progress =
            |bytes, _: Option<u64>| self.images.progress.downloaded(&layer.digest, bytes, layer.size);
        let most = self.images.limits.layer;
        let download = self.images.download("the layer", layer, most, &progress);
        let mut last = None;
        for place in &self.places {
            let mut visit = self.images.client.visit(place);
            match Box::pin(visit.download(&download, spool.sink())).await {
                Ok(()) => return Ok(()),
                Err(DownloadError::Registry(error)) => last = Some(error),
                Err(DownloadError::Sink(error)) => return Err(spool.unwritable(error)),
            }
        }
        let error = last.expect("the registry itself is a place");
        Err(RemoteImageError::layer(&self.reference, &layer.digest, error))
    }
}

impl std::fmt::Debug for RemoteImage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RemoteImage")
            .field("reference", &self.reference)
            .field("resolved", &self.resolved)
            .field("manifest", &self.manifest.digest)
            .finish_non_exhaustive()
    }
}
