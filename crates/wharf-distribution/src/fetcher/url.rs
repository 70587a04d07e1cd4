//! Plugins of servers that are no registries: by a URL, and the digest that their bytes must have.

use wharf_plugin::{ContentDigest, PullPolicy, Reference};

use super::get::{Place, Wanted};
use super::{Fetcher, Module, Obtained, Origin, Provenance, Pulled, check_module, module};
use crate::registry::DownloadError;
use crate::runtime::block_on;
use crate::store::{Found, Held, Record};
use crate::verify::Subject;
use crate::{FetchError, Layout, Pin};

impl Fetcher {
    /// Fetches what a URL has. The digest is known before anybody is asked, so it is verified before, too.
    pub(super) async fn fetch_url(
        &self,
        reference: &Reference,
        pin: Option<&Pin>,
    ) -> Result<Obtained, FetchError> {
        let (url, written) = parts(reference)?;
        let digest = match (written, pin) {
            (Some(written), Some(pin)) if written != pin.digest => {
                return Err(FetchError::NotAsLocked {
                    reference: reference.clone(),
                    locked: pin.digest.clone(),
                    actual: written,
                });
            }
            (Some(digest), _) => digest,
            (None, Some(pin)) => pin.digest.clone(),
            (None, None) => {
                return Err(FetchError::NoDigest {
                    reference: reference.clone(),
                });
            }
        };
        let subject = Subject {
            reference,
            digest: &digest,
            bytes: None,
            attachments: None,
        };
        let verified = self.verify(subject).await?;
        let hold = self.hold(&reference.canonical());
        let (module, origin) = self.module_of(reference, url, &digest).await?;
        Ok(Obtained {
            module,
            provenance: Provenance {
                layout: Layout::Https,
                resolved: digest,
                origin,
                verified,
                hold,
            },
        })
    }

    async fn module_of(
        &self,
        reference: &Reference,
        url: &str,
        digest: &ContentDigest,
    ) -> Result<(Module, Origin), FetchError> {
        let name = reference.canonical();
        let found = match &self.store {
            Some(store) => store.hashed_blob(digest, self.limits.module.bytes())?,
            None => Found::Absent,
        };
        match (found, self.policy) {
            (Found::Bytes(bytes), _) => {
                if let Some(store) = &self.store {
                    store.touch(&name);
                }
                return Ok((Module::Bytes(bytes), Origin::Store));
            }
            (Found::Absent, PullPolicy::Never) => return Err(FetchError::not_stored(reference)),
            (Found::Changed, PullPolicy::Never) => return Err(FetchError::changed(reference)),
            _ => {}
        }
        let wanted = Wanted {
            reference,
            what: "the plugin",
            digest,
            size: None,
            most: self.limits.module,
        };
        let gotten = self.get(Place::Url(url), wanted).await?;
        let (module, downloaded) = module(reference, gotten)?;
        if let Some(store) = &self.store {
            let record = Record {
                reference: name,
                digest: digest.clone(),
                layout: Layout::Https,
                module: module.digest(),
                size: module.size(),
                fetched_at: super::image::now(),
                blobs: vec![Held {
                    digest: digest.clone(),
                    size: module.size(),
                }],
                attached: Vec::new(),
            };
            store.keep(downloaded.into_iter().collect(), &[], &record)?;
        }
        Ok((module, Origin::Network))
    }

    /// Pulls what a URL has now, whatever its digest is: to write that down.
    pub(super) fn pull_unpinned(&self, reference: &Reference) -> Result<Pulled, FetchError> {
        let (url, _) = parts(reference)?;
        let unpinned = || async {
            let mut memory = super::get::Memory::new(&ContentDigest::sha256_of(b""));
            let progress = |bytes, of| self.progress.downloaded(reference, bytes, of);
            let download = self
                .client
                .download_anything(url, &self.limits, &progress, &mut memory);
            download.await.map_err(|error| match error {
                DownloadError::Registry(error) => FetchError::registry(reference, error),
                DownloadError::Sink(error) => FetchError::no_runtime(error),
            })?;
            check_module(reference, &memory.bytes)?;
            Ok::<_, FetchError>(ContentDigest::sha256_of(&memory.bytes))
        };
        let digest = block_on(unpinned).map_err(FetchError::no_runtime)??;
        let text = format!("{url}#{digest}");
        self.pull(&Reference::Https(text))
    }
}

/// The URL, and the digest that is written behind it.
fn parts(reference: &Reference) -> Result<(&str, Option<ContentDigest>), FetchError> {
    let parts = reference.as_https().unwrap_or(Ok(("", None)));
    let (url, digest) = parts.map_err(|source| FetchError::BadDigest {
        reference: reference.clone(),
        source,
    })?;
    Ok((url, digest.map(ContentDigest::Sha256)))
}
