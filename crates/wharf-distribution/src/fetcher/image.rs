//! Plugins of registries.

use std::time::{SystemTime, UNIX_EPOCH};

use wharf_plugin::{ContentDigest, HashedBytes, ImageReference, PullPolicy, Reference};

use super::get::{Place, Wanted};
use super::{Fetcher, Module, Obtained, Origin, Provenance, check_module, module};
use crate::attachments::{Attachments, Seen};
use crate::layout::{self, Choice};
use crate::registry::{Descriptor, ImageManifest, Manifest, ManifestKind, Visit, manifest};
use crate::store::{Attached, Downloaded, Found, Held, Hold, NewBlob, Record, Store};
use crate::verify::{Subject, Verified};
use crate::{FetchError, Pin, layer};

/// The most bytes of a configuration that is kept beside the plugin.
const MOST_CONFIG: u64 = 1 << 20;

/// All that a reference means, as the store has it.
struct Stored<'s> {
    store: &'s Store,
    top: Manifest,
    choice: Choice,
    layer: HashedBytes,
    record: Option<Record>,
}

/// What an image is fetched as.
struct Errand<'a> {
    reference: &'a Reference,
    /// With the digest of the lock file, where there is one.
    image: ImageReference,
    /// The name of the record.
    name: String,
}

impl Fetcher {
    /// Fetches what an image has.
    pub(super) async fn fetch_image(
        &self,
        reference: &Reference,
        image: ImageReference,
        pin: Option<&Pin>,
    ) -> Result<Obtained, FetchError> {
        let image = pinned(reference, image, pin)?;
        let errand = Errand {
            reference,
            name: format!("oci:{image}"),
            image,
        };
        // Before anything is looked for, so that what is found stays.
        let _hold = self.hold(&errand.name);
        let asks_anyway = self.policy == PullPolicy::Always && errand.image.digest().is_none();
        if !asks_anyway {
            let mut is_changed = false;
            if let Some(stored) = self.stored(&errand, &mut is_changed)? {
                return self.use_stored(&errand, &stored, Origin::Store).await;
            }
            if self.policy == PullPolicy::Never {
                return Err(match is_changed {
                    true => FetchError::changed(reference),
                    false => FetchError::not_stored(reference),
                });
            }
        }
        match self.fetch_from_registry(&errand).await {
            Err(FetchError::Registry { source, reference }) if asks_anyway && source.is_outage() => {
                match self.stored(&errand, &mut false)? {
                    Some(stored) => {
                        self.use_stored(&errand, &stored, Origin::StoreInstead(*source))
                            .await
                    }
                    None => Err(FetchError::Registry { source, reference }),
                }
            }
            outcome => outcome,
        }
    }

    /// All that the store has of an image, where it has all.
    fn stored(&self, errand: &Errand<'_>, is_changed: &mut bool) -> Result<Option<Stored<'_>>, FetchError> {
        let Some(store) = &self.store else {
            return Ok(None);
        };
        let mut record = store.record(&errand.name)?;
        if record.is_none()
            && let (Some(digest), Some(tag)) = (errand.image.digest(), errand.image.tag())
        {
            // It may have been fetched before it was locked.
            let by_tag = errand.image.with_tag(tag);
            let found = by_tag.and_then(|image| store.record(&format!("oci:{image}")).transpose());
            record = found.transpose()?.filter(|record| record.digest == *digest);
        }
        let digest = match (errand.image.digest(), &record) {
            (Some(digest), _) => digest.clone(),
            (None, Some(record)) => record.digest.clone(),
            (None, None) => return Ok(None),
        };
        let Some(top) = stored_manifest(store, &digest, is_changed)? else {
            return Ok(None);
        };
        let image = match &top.kind {
            ManifestKind::Image(image) => image.clone(),
            ManifestKind::Index { entries } => {
                let entry = layout::choose_entry(entries)
                    .map_err(|error| FetchError::layout(errand.reference, error))?;
                match stored_manifest(store, &entry.digest, is_changed)?.map(|manifest| manifest.kind) {
                    Some(ManifestKind::Image(image)) => image,
                    _ => return Ok(None),
                }
            }
        };
        let choice = layout::choose(&image).map_err(|error| FetchError::layout(errand.reference, error))?;
        let most = self.most_of(&choice).bytes();
        match store.hashed_blob(&choice.layer.digest, most)? {
            Found::Bytes(layer) => Ok(Some(Stored {
                store,
                top,
                choice,
                layer,
                record,
            })),
            Found::Absent => Ok(None),
            Found::Changed => {
                *is_changed = true;
                Ok(None)
            }
        }
    }

    /// Takes what the store has, where it may run.
    async fn use_stored(
        &self,
        errand: &Errand<'_>,
        stored: &Stored<'_>,
        origin: Origin,
    ) -> Result<Obtained, FetchError> {
        let verified = self.verify_stored(errand, stored, &origin).await?;
        let module = match stored.choice.is_packed() {
            true => Module::Bytes(self.unpacked(errand.reference, &stored.layer)?),
            false => Module::Bytes(stored.layer.clone()),
        };
        let name = stored
            .record
            .as_ref()
            .map_or(errand.name.as_str(), |record| record.reference.as_str());
        let hold = self.hold(name);
        stored.store.touch(name);
        Ok(Obtained {
            module,
            provenance: Provenance {
                layout: stored.choice.layout,
                resolved: stored.top.digest.clone(),
                origin,
                verified,
                hold,
            },
        })
    }

    /// Verifies with what was stored beside the manifest, and where that does not do with what the registry has now: somebody
    /// may have signed since, or nobody had asked for signatures.
    async fn verify_stored(
        &self,
        errand: &Errand<'_>,
        stored: &Stored<'_>,
        origin: &Origin,
    ) -> Result<Verified, FetchError> {
        let attached = stored.record.as_ref().map(|record| record.attached.as_slice());
        let kept = Attachments::of_store(stored.store, &errand.image, attached.unwrap_or_default());
        let refused = match self.verify(subject(errand, &stored.top, &kept)).await {
            Ok(verified) => return Ok(verified),
            Err(refused) => refused,
        };
        if self.policy == PullPolicy::Never || *origin != Origin::Store {
            return Err(refused);
        }
        for place in self.client.places_of(&errand.image) {
            let asked = Attachments::of_registry(&self.client, &place);
            if let Ok(verified) = self.verify(subject(errand, &stored.top, &asked)).await {
                if let Some(record) = &stored.record {
                    let seen = asked.into_seen();
                    let record = with_attached(record.clone(), &seen);
                    stored.store.keep(Vec::new(), &new_blobs(&seen), &record)?;
                }
                return Ok(verified);
            }
        }
        Err(refused)
    }

    /// Fetches from a mirror, or where none can give it from the registry itself.
    async fn fetch_from_registry(&self, errand: &Errand<'_>) -> Result<Obtained, FetchError> {
        let places = self.client.places_of(&errand.image);
        let (last, mirrors) = places.split_last().expect("the registry itself is one");
        for mirror in mirrors {
            // Why a mirror does not give it does not matter where the registry does.
            if let Ok(fetched) = Box::pin(self.fetch_from(errand, mirror)).await {
                return Ok(fetched);
            }
        }
        Box::pin(self.fetch_from(errand, last)).await
    }

    async fn fetch_from(&self, errand: &Errand<'_>, place: &ImageReference) -> Result<Obtained, FetchError> {
        let reference = errand.reference;
        let mut visit = self.client.visit(place);
        let top = self.manifest(reference, &mut visit, place).await?;
        let mut manifests = vec![top.clone()];
        if let ManifestKind::Index { entries } = &top.kind {
            let entry =
                layout::choose_entry(entries).map_err(|error| FetchError::layout(reference, error))?;
            let named = place.with_digest(entry.digest.clone());
            manifests.push(self.manifest(reference, &mut visit, &named).await?);
        }
        let Some(ManifestKind::Image(image)) = manifests.last().map(|manifest| &manifest.kind) else {
            return Err(FetchError::layout(reference, layout::LayoutError::Nested));
        };
        let choice = layout::choose(image).map_err(|error| FetchError::layout(reference, error))?;
        let attachments = Attachments::of_registry(&self.client, place);
        let verified = self.verify(subject(errand, &top, &attachments)).await?;
        let wanted = Wanted {
            reference,
            what: if choice.is_packed() {
                "the layer"
            } else {
                "the plugin"
            },
            digest: &choice.layer.digest,
            size: Some(choice.layer.size),
            most: self.most_of(&choice),
        };
        let (gotten, config) = tokio::try_join!(self.get(Place::Blob(&mut visit), wanted), async {
            Ok(self.small_config(place, image).await)
        })?;
        let (module, downloaded) = match (choice.is_packed(), gotten) {
            (false, gotten) => module(reference, gotten)?,
            (true, gotten) => {
                let (layer, downloaded) = gotten.read(reference)?;
                let unpacked = self.unpacked(reference, &layer)?;
                check_module(reference, unpacked.bytes())?;
                (Module::Bytes(unpacked), downloaded)
            }
        };
        let seen = attachments.into_seen();
        self.keep(
            errand,
            &manifests,
            &choice,
            &module,
            downloaded,
            &seen,
            config.as_ref(),
        )?;
        Ok(Obtained {
            module,
            provenance: Provenance {
                layout: choice.layout,
                resolved: top.digest.clone(),
                origin: Origin::Network,
                verified,
                hold: self.hold(&errand.name),
            },
        })
    }

    async fn manifest(
        &self,
        reference: &Reference,
        visit: &mut Visit<'_>,
        image: &ImageReference,
    ) -> Result<Manifest, FetchError> {
        let found = visit.manifest(image, self.limits.idle, self.limits.retries).await;
        found.map_err(|error| FetchError::registry(reference, error))
    }

    /// The configuration, so that what is saved is whole. Nothing that runs hangs on it. It is asked for beside the layer, so
    /// that nobody waits longer for it.
    async fn small_config(
        &self,
        place: &ImageReference,
        image: &ImageManifest,
    ) -> Option<(Descriptor, Vec<u8>)> {
        if self.store.is_none() || image.config.size > MOST_CONFIG {
            return None;
        }
        let most = wharf_plugin::ByteSize::from_bytes(MOST_CONFIG);
        let mut visit = self.client.visit(place);
        let bytes = visit.small_blob(&image.config, most).await.ok()?;
        Some((image.config.clone(), bytes))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all of them are parts of one thing, which exists only here"
    )]
    fn keep(
        &self,
        errand: &Errand<'_>,
        manifests: &[Manifest],
        choice: &Choice,
        module: &Module,
        downloaded: Option<Downloaded>,
        seen: &Seen,
        config: Option<&(Descriptor, Vec<u8>)>,
    ) -> Result<(), FetchError> {
        let (Some(store), Some(top)) = (&self.store, manifests.first()) else {
            return Ok(());
        };
        let mut blobs: Vec<NewBlob<'_>> = manifests
            .iter()
            .map(|manifest| NewBlob {
                digest: manifest.digest.clone(),
                bytes: manifest.text.as_bytes(),
            })
            .collect();
        blobs.extend(config.map(|(descriptor, bytes)| NewBlob {
            digest: descriptor.digest.clone(),
            bytes,
        }));
        let held = blobs.iter().map(|blob| Held {
            digest: blob.digest.clone(),
            size: blob.bytes.len() as u64,
        });
        let layer = Held {
            digest: choice.layer.digest.clone(),
            size: choice.layer.size,
        };
        let record = Record {
            reference: errand.name.clone(),
            digest: top.digest.clone(),
            layout: choice.layout,
            module: module.digest(),
            size: module.size(),
            fetched_at: now(),
            blobs: held.chain([layer]).collect(),
            attached: Vec::new(),
        };
        blobs.extend(new_blobs(seen));
        let record = with_attached(record, seen);
        Ok(store.keep(downloaded.into_iter().collect(), &blobs, &record)?)
    }

    fn most_of(&self, choice: &Choice) -> wharf_plugin::ByteSize {
        if choice.is_packed() {
            self.limits.layer
        } else {
            self.limits.module
        }
    }

    /// The plugin in a layer of a container image, whose bytes were checked.
    fn unpacked(&self, reference: &Reference, layer: &HashedBytes) -> Result<HashedBytes, FetchError> {
        let unpacked = layer::plugin_in(layer.bytes(), self.limits.module);
        unpacked
            .map(HashedBytes::from)
            .map_err(|error| FetchError::layout(reference, error))
    }

    /// Keeps what a name means from being pruned. In a store that can only be read nothing is.
    pub(super) fn hold(&self, name: &str) -> Option<Hold> {
        self.store.as_ref()?.hold(name).ok()
    }
}

fn subject<'a>(errand: &'a Errand<'_>, top: &'a Manifest, attachments: &'a Attachments<'a>) -> Subject<'a> {
    Subject {
        reference: errand.reference,
        digest: &top.digest,
        bytes: Some(top.text.as_bytes()),
        attachments: Some(attachments),
    }
}

fn pinned(
    reference: &Reference,
    image: ImageReference,
    pin: Option<&Pin>,
) -> Result<ImageReference, FetchError> {
    let Some(pin) = pin else { return Ok(image) };
    match image.digest() {
        Some(digest) if *digest != pin.digest => Err(FetchError::NotAsLocked {
            reference: reference.clone(),
            locked: pin.digest.clone(),
            actual: digest.clone(),
        }),
        _ => Ok(image.with_digest(pin.digest.clone())),
    }
}

fn stored_manifest(
    store: &Store,
    digest: &ContentDigest,
    is_changed: &mut bool,
) -> Result<Option<Manifest>, FetchError> {
    match store.blob(digest, 4 << 20)? {
        // What was kept was understood.
        Found::Bytes(bytes) => Ok(manifest::parse_stored(digest.clone(), &bytes).ok()),
        Found::Absent => Ok(None),
        Found::Changed => {
            *is_changed = true;
            Ok(None)
        }
    }
}

fn new_blobs(seen: &Seen) -> Vec<NewBlob<'_>> {
    let blobs = seen.blobs.iter();
    blobs
        .map(|(digest, bytes)| NewBlob {
            digest: digest.clone(),
            bytes,
        })
        .collect()
}

/// A record with what was seen beside its manifest.
fn with_attached(mut record: Record, seen: &Seen) -> Record {
    for (digest, bytes) in &seen.blobs {
        if !record.blobs.iter().any(|held| held.digest == *digest) {
            record.blobs.push(Held {
                digest: digest.clone(),
                size: bytes.len() as u64,
            });
        }
    }
    for (name, digest) in &seen.attached {
        record.attached.retain(|attached| attached.name != *name);
        record.attached.push(Attached {
            name: name.clone(),
            digest: digest.clone(),
        });
    }
    record.attached.sort();
    record
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
