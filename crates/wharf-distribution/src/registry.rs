//! The client of OCI registries: what a name means, manifests, and the configurations of images.
//!
//! ```text
//! RegistryClient              registry.rs       one operation = one Inquiry, bounded in time, number and bytes
//!   ├─ names, digests           wharf-plugin      ImageReference, ContentDigest
//!   ├─ manifest.rs              what the bytes of a manifest are, and that they are what was asked for
//!   ├─ inquiry.rs               requests to one registry: who one is (auth.rs), redirects, what a status means (refusal.rs)
//!   │    ├─ auth.rs               challenges, tokens ── credentials.rs ── Docker's config.json ── helper.rs
//!   │    └─ connect.rs            name → address that may be reached (place.rs) → proxy.rs → TLS (trust.rs) → HTTP/1.1
//!   └─ error.rs                 why not, whose fault it is, and what to do
//! ```
//!
//! **What a hostile registry can do.** Nothing of what it sends is used before its digest was checked, but the digest that it gives
//! for a tag, which is its to say. All that it sends has a bound. Credentials are those that are configured for it,
//! and go to it and to the token server that it names, over TLS unless that host is named for plain HTTP. It cannot
//! lead the client to this machine or to a cloud's metadata: addresses that have a meaning only here are
//! connected to for a registry that the deployer named, and by redirects only where the registry itself is there.
//!
//! Large blobs go to a file (download.rs), begun where the last download broke off; pushes (upload.rs) go to the registry alone;
//! what refers to a digest (referrers.rs) is an index at another path. Only these try again what failed for a while
//! (patience.rs): somebody waits for the answers to reviews.

mod auth;
mod connect;
mod credentials;
mod download;
mod error;
mod helper;
mod inquiry;
mod login;
pub(crate) mod manifest;
mod patience;
mod place;
mod proxy;
mod referrers;
mod refusal;
mod settings;
mod trust;
mod upload;
mod url;
mod visit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::sync::Semaphore;
use wharf_plugin::{ByteSize, ContentDigest, ImageReference, ManifestName, RegistryHost};

use self::auth::Tokens;
use self::credentials::DockerConfig;
use self::inquiry::{Answer, Inquiry};
use self::manifest::ACCEPT;
use self::refusal::Wanted;
use self::trust::Trust;

pub use self::credentials::CredentialsError;
pub(crate) use self::download::{Download, DownloadError, Sink};
pub use self::error::RegistryError;
pub use self::login::{KeptIn, LoginError};
pub use self::manifest::{Descriptor, ImageManifest, IndexEntry, Manifest, ManifestKind};
pub use self::proxy::Proxies;
pub use self::referrers::Referrers;
pub use self::settings::{Authority, HostSettings, RegistryLimits, RegistrySettings};
pub use self::trust::AuthorityError;
pub use self::upload::Upload;
pub(crate) use self::visit::Visit;

/// The header in which registries say which manifest they mean.
const DIGEST: &str = "docker-content-digest";

/// Asks registries. Its methods must be called on a tokio runtime with time and I/O; they may be called from many tasks
/// at once, of which [`RegistryLimits::concurrent`] are served.
///
/// Making one reads the private authorities and nothing else. It keeps tokens, and no connections.
pub struct RegistryClient {
    hosts: BTreeMap<RegistryHost, HostSettings>,
    limits: RegistryLimits,
    proxies: Proxies,
    docker: DockerConfig,
    trust: Trust,
    tokens: Tokens,
    places: Semaphore,
    lookups: Arc<Semaphore>,
}

/// An image's manifest and its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageConfiguration {
    /// The manifest of the image; where an index was named, that of this machine's platform in it.
    pub manifest: Manifest,
    /// The configuration as the registry has it, by the digest in the manifest. Which format it has its media type says.
    pub config: Vec<u8>,
}

impl RegistryClient {
    /// A client.
    ///
    /// # Errors
    /// [`AuthorityError`], where a private authority cannot be read.
    pub fn new(settings: RegistrySettings) -> Result<Self, AuthorityError> {
        Ok(Self {
            trust: Trust::new(&settings.hosts)?,
            docker: DockerConfig::new(settings.docker_config),
            places: Semaphore::new(settings.limits.concurrent),
            lookups: Arc::new(Semaphore::new(settings.limits.concurrent)),
            hosts: settings.hosts,
            limits: settings.limits,
            proxies: settings.proxies,
            tokens: Tokens::default(),
        })
    }

    /// The digest of what a name means now, as the registry says it. Where it does not, the manifest is fetched.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn resolve(&self, image: &ImageReference) -> Result<ContentDigest, RegistryError> {
        self.within_limits(image, async {
            let mut inquiry = Inquiry::new(self, image);
            let answer = inquiry.manifest(&Method::HEAD, image).await?;
            match said_digest(&answer, image) {
                Some(digest) => check_wanted(image, digest),
                None if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                    Err(inquiry.refusal(&answer, &Wanted::Manifest(image)))
                }
                // A refusal of HEAD has no body that would say why.
                None => fetch_manifest(&mut inquiry, image)
                    .await
                    .map(|manifest| manifest.digest),
            }
        })
        .await
    }

    /// The registries to ask for an image when a plugin is fetched: the mirrors, and then its own.
    pub(crate) fn places_of(&self, image: &ImageReference) -> Vec<ImageReference> {
        let settings = self.hosts.get(image.host());
        let mirrors = settings.into_iter().flat_map(|settings| &settings.mirrors);
        let mirrored = mirrors.map(|mirror| image.with_host(mirror.clone()));
        mirrored.chain([image.clone()]).collect()
    }

    /// The manifest or index that a name means, of which the bytes were checked.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn manifest(&self, image: &ImageReference) -> Result<Manifest, RegistryError> {
        self.within_limits(image, async {
            fetch_manifest(&mut Inquiry::new(self, image), image).await
        })
        .await
    }

    /// The manifest and the configuration of an image. Of an index it is that of this machine's platform.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn configuration(&self, image: &ImageReference) -> Result<ImageConfiguration, RegistryError> {
        self.within_limits(image, async {
            let mut inquiry = Inquiry::new(self, image);
            let mut manifest = fetch_manifest(&mut inquiry, image).await?;
            if let ManifestKind::Index { entries } = &manifest.kind {
                let chosen = manifest::for_this_platform(entries).ok_or_else(RegistryError::no_platform)?;
                manifest = fetch_manifest(&mut inquiry, &image.with_digest(chosen.clone())).await?;
            }
            let ManifestKind::Image(named) = &manifest.kind else {
                return Err(RegistryError::bad_manifest("an index of indexes names no image"));
            };
            let config = fetch_blob(&mut inquiry, image, &named.config).await?;
            Ok(ImageConfiguration { manifest, config })
        })
        .await
    }

    /// Runs an operation when there is a place for it, within the time that it may take.
    async fn within_limits<T>(
        &self,
        image: &ImageReference,
        operation: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        self.within(image, self.limits.operation, operation).await
    }

    /// The same within another time.
    async fn within<T>(
        &self,
        image: &ImageReference,
        limit: Duration,
        operation: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        let placed = async {
            // It is never closed.
            let _place = self.places.acquire().await.ok();
            operation.await
        };
        let slow = || RegistryError::Slow {
            host: image.host().authority().into(),
            limit,
        };
        tokio::time::timeout(limit, placed)
            .await
            .unwrap_or_else(|_| Err(slow()))
    }
}

/// The digest in the answer to HEAD, where there is one to be believed.
fn said_digest(answer: &Answer, image: &ImageReference) -> Option<ContentDigest> {
    let said = answer.header(DIGEST).and_then(|digest| digest.parse().ok());
    match (image.manifest(), said) {
        (ManifestName::Digest(wanted), None) if answer.status.is_success() => Some(wanted.clone()),
        (_, said) => said.filter(|_| answer.status.is_success()),
    }
}

/// A digest, where it is the one that was asked for.
fn check_wanted(image: &ImageReference, digest: ContentDigest) -> Result<ContentDigest, RegistryError> {
    match image.manifest() {
        ManifestName::Digest(wanted) if *wanted != digest => {
            Err(RegistryError::wrong_digest("the manifest", wanted, &digest))
        }
        _ => Ok(digest),
    }
}

async fn fetch_manifest(
    inquiry: &mut Inquiry<'_>,
    image: &ImageReference,
) -> Result<Manifest, RegistryError> {
    let answer = inquiry.manifest(&Method::GET, image).await?;
    let answer = inquiry.accepted(answer, &Wanted::Manifest(image))?;
    let wanted = match image.manifest() {
        ManifestName::Digest(digest) => Some(digest.clone()),
        ManifestName::Tag(_) => answer.header(DIGEST).and_then(|digest| digest.parse().ok()),
    };
    let digest = match wanted {
        Some(wanted) => check_bytes("the manifest", &wanted, &answer.body)?,
        None => ContentDigest::sha256_of(&answer.body),
    };
    manifest::read(digest, &answer)
}

async fn fetch_blob(
    inquiry: &mut Inquiry<'_>,
    image: &ImageReference,
    descriptor: &Descriptor,
) -> Result<Vec<u8>, RegistryError> {
    let most = inquiry.limits().config;
    fetch_blob_of(inquiry, image, descriptor, ("the configuration", most)).await
}

/// A blob that is small enough to be kept in memory.
async fn fetch_blob_of(
    inquiry: &mut Inquiry<'_>,
    image: &ImageReference,
    descriptor: &Descriptor,
    (what, most): (&'static str, ByteSize),
) -> Result<Vec<u8>, RegistryError> {
    if descriptor.size > most.bytes() {
        return Err(RegistryError::too_large(what, most));
    }
    let path = format!("/v2/{}/blobs/{}", image.repository(), descriptor.digest);
    let answer = inquiry.ask(&Method::GET, &path, "*/*", (what, most)).await?;
    let answer = inquiry.accepted(answer, &Wanted::Blob(&descriptor.digest))?;
    check_bytes(what, &descriptor.digest, &answer.body)?;
    Ok(answer.body)
}

/// The digest of some bytes, where it is the one that they should have.
fn check_bytes(
    what: &'static str,
    wanted: &ContentDigest,
    bytes: &[u8],
) -> Result<ContentDigest, RegistryError> {
    let actual = wanted.again_of(bytes);
    if actual == *wanted {
        Ok(actual)
    } else {
        Err(RegistryError::wrong_digest(what, wanted, &actual))
    }
}

impl Inquiry<'_> {
    async fn manifest(&mut self, method: &Method, image: &ImageReference) -> Result<Answer, RegistryError> {
        let path = format!("/v2/{}/manifests/{}", image.repository(), image.manifest());
        let most = self.limits().manifest;
        self.ask(method, &path, ACCEPT, ("the manifest", most)).await
    }
}
