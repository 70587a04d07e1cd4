//! Reading what somebody saved.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::Deserialize;
use wharf_plugin::{ByteSize, ContentDigest, Digest, ImageReference, Reference};

use super::{ArchiveError, IMAGE_NAME, MOST_ARCHIVE, MOST_BLOB, RECORDS, REF_NAME};
use crate::layer::{self, Archive};
use crate::layout::{self, LayoutError};
use crate::registry::manifest::{self, DescriptorText};
use crate::registry::{Manifest, ManifestKind};
use crate::store::{Found, Held, Loading, Record, Store};

/// The most bytes of `index.json` and of the records.
const MOST_LIST: u64 = 64 << 20;

/// What was loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The references that the store knows now, in their order.
    pub references: Vec<String>,
    /// How many blobs there were.
    pub blobs: usize,
    /// How many bytes they had.
    pub bytes: u64,
}

#[derive(Deserialize)]
struct IndexText {
    manifests: Vec<DescriptorText>,
}

impl Store {
    /// Takes what an archive has that [`Store::save`] wrote, or another tool as an OCI layout whose index names its images in full.
    /// What the store has already of other references stays as it is.
    ///
    /// # Errors
    /// [`ArchiveError`]. Blobs that were read until then are kept; no reference means them.
    pub fn load<R: Read>(&self, from: R) -> Result<Loaded, ArchiveError> {
        let loading = self.loading()?;
        let mut archive = Archive::new(from, ("the archive", MOST_ARCHIVE));
        let mut loaded = Loaded::default();
        let mut records: Option<Vec<Record>> = None;
        let mut index: Option<IndexText> = None;
        while let Some(member) = archive.next().map_err(ArchiveError::Read)? {
            let name = member.name.trim_start_matches("./");
            let most = match name {
                RECORDS | "index.json" => MOST_LIST,
                _ => MOST_BLOB.bytes(),
            };
            let digest = name.strip_prefix("blobs/").map(|name| name.replacen('/', ":", 1));
            let digest = digest.and_then(|digest| digest.parse::<ContentDigest>().ok());
            let is_wanted = digest.is_some() || matches!(name, RECORDS | "index.json");
            if !member.is_file || !is_wanted {
                archive.skip(member.size).map_err(ArchiveError::Read)?;
                continue;
            }
            if member.size > most {
                return Err(ArchiveError::Read(LayoutError::TooLarge {
                    what: "a file of the archive",
                    limit: ByteSize::from_bytes(most),
                }));
            }
            let bytes = archive.content(member.size).map_err(ArchiveError::Read)?;
            if let Some(digest) = digest {
                let actual = digest.again_of(&bytes);
                if actual != digest {
                    return Err(ArchiveError::WrongDigest {
                        wanted: digest,
                        actual,
                    });
                }
                loading.blob(&digest, &bytes)?;
                loaded.blobs += 1;
                loaded.bytes += bytes.len() as u64;
            } else if name == RECORDS {
                records = Some(parse(name, &bytes)?);
            } else {
                index = Some(parse(name, &bytes)?);
            }
        }
        let records = match (records, index) {
            (Some(records), _) => records,
            (None, Some(index)) => self.records_of(index)?,
            (None, None) => {
                return Err(ArchiveError::NotALayout {
                    reason: "it has no `index.json`".to_owned(),
                });
            }
        };
        self.take(&loading, records, &mut loaded)?;
        Ok(loaded)
    }

    /// Writes records that mean something, and whose blobs are all there.
    fn take(
        &self,
        loading: &Loading<'_>,
        mut records: Vec<Record>,
        loaded: &mut Loaded,
    ) -> Result<(), ArchiveError> {
        for record in &mut records {
            if !is_name(&record.reference) {
                return Err(ArchiveError::NotALayout {
                    reason: format!(
                        "it has a record of `{}`, which is no reference as the store writes it",
                        layout::shown(&record.reference)
                    ),
                });
            }
            self.settle(record)?;
        }
        for record in records {
            loading.record(&record)?;
            loaded.references.push(record.reference);
        }
        loaded.references.sort();
        loaded.references.dedup();
        Ok(())
    }

    /// Has a record say of its blobs what is so: pruning goes by that.
    fn settle(&self, record: &mut Record) -> Result<(), ArchiveError> {
        let incomplete = |digest: &ContentDigest| ArchiveError::Incomplete {
            reference: record.reference.clone(),
            digest: digest.clone(),
        };
        let mut names = BTreeSet::new();
        let mut blobs = Vec::new();
        for Held { digest, .. } in &record.blobs {
            if names.insert(digest.clone()) {
                let size = self.length(digest).ok_or_else(|| incomplete(digest))?;
                let digest = digest.clone();
                blobs.push(Held { digest, size });
            }
        }
        if !names.contains(&record.digest) {
            return Err(incomplete(&record.digest));
        }
        record.blobs = blobs;
        // What was beside it and is not there speaks for nobody.
        record
            .attached
            .retain(|attached| names.contains(&attached.digest));
        Ok(())
    }

    /// What the index of another tool says. What is no plugin, or has no name, is left out.
    fn records_of(&self, index: IndexText) -> Result<Vec<Record>, ArchiveError> {
        let mut records = Vec::new();
        let mut known = Known::default();
        for entry in index.manifests {
            let Some(image) = name_of(&entry.annotations.unwrap_or_default()) else {
                continue;
            };
            let Ok(digest) = entry.digest.parse::<ContentDigest>() else {
                continue;
            };
            if !known.records.contains_key(&digest) {
                let record = self.record_of(&digest, &mut known.modules)?;
                known.records.insert(digest.clone(), record);
            }
            if let Some(Some(record)) = known.records.get(&digest) {
                records.push(Record {
                    reference: format!("oci:{image}"),
                    ..record.clone()
                });
            }
        }
        if records.is_empty() {
            return Err(ArchiveError::NotALayout {
                reason: format!(
                    "no plugin in it has a whole name in the annotation `{IMAGE_NAME}` or `{REF_NAME}`"
                ),
            });
        }
        Ok(records)
    }

    /// What a digest means, without the name.
    fn record_of(
        &self,
        digest: &ContentDigest,
        modules: &mut BTreeMap<(ContentDigest, bool), Option<Contained>>,
    ) -> Result<Option<Record>, ArchiveError> {
        let Some((mut held, top)) = self.held_manifest(digest)? else {
            return Ok(None);
        };
        let named = match top.kind {
            ManifestKind::Image(named) => named,
            ManifestKind::Index { entries } => {
                let Ok(entry) = layout::choose_entry(&entries) else {
                    return Ok(None);
                };
                match self.held_manifest(&entry.digest)? {
                    Some((
                        more,
                        Manifest {
                            kind: ManifestKind::Image(named),
                            ..
                        },
                    )) => {
                        held.extend(more);
                        named
                    }
                    _ => return Ok(None),
                }
            }
        };
        let Ok(choice) = layout::choose(&named) else {
            return Ok(None);
        };
        let (layer, is_packed) = (&choice.layer.digest, choice.is_packed());
        let contained = match modules.get(&(layer.clone(), is_packed)) {
            Some(known) => *known,
            None => {
                let contained = self.contained(layer, is_packed)?;
                modules.insert((layer.clone(), is_packed), contained);
                contained
            }
        };
        let Some(contained) = contained else {
            return Ok(None);
        };
        held.push(Held {
            digest: layer.clone(),
            size: contained.layer_size,
        });
        Ok(Some(Record {
            reference: String::new(),
            digest: digest.clone(),
            layout: choice.layout,
            module: contained.module,
            size: contained.size,
            fetched_at: 0,
            blobs: held,
            attached: Vec::new(),
        }))
    }

    /// The plugin in a layer, where it is there and has one.
    fn contained(&self, layer: &ContentDigest, is_packed: bool) -> Result<Option<Contained>, ArchiveError> {
        let Found::Bytes(bytes) = self.blob(layer, MOST_BLOB.bytes())? else {
            return Ok(None);
        };
        let layer_size = bytes.len() as u64;
        let module = if is_packed {
            match layer::plugin_in(&bytes, crate::MOST_BYTES) {
                Ok(module) => module,
                Err(_) => return Ok(None),
            }
        } else {
            bytes
        };
        Ok(Some(Contained {
            layer_size,
            module: Digest::of(&module),
            size: module.len() as u64,
        }))
    }

    fn held_manifest(&self, digest: &ContentDigest) -> Result<Option<(Vec<Held>, Manifest)>, ArchiveError> {
        let Found::Bytes(bytes) = self.blob(digest, 4 << 20)? else {
            return Ok(None);
        };
        let held = Held {
            digest: digest.clone(),
            size: bytes.len() as u64,
        };
        let parsed = manifest::parse_stored(digest.clone(), &bytes).ok();
        Ok(parsed.map(|manifest| (vec![held], manifest)))
    }
}

/// What was found out already: an index may name the same thing thousands of times, and each is to be read once.
#[derive(Default)]
struct Known {
    /// What a digest means, where it is a plugin.
    records: BTreeMap<ContentDigest, Option<Record>>,
    /// What is in a layer, as it is or packed.
    modules: BTreeMap<(ContentDigest, bool), Option<Contained>>,
}

/// The plugin in a layer.
#[derive(Clone, Copy)]
struct Contained {
    layer_size: u64,
    module: Digest,
    size: u64,
}

/// Whether a text is a reference of a registry or a server in the one form in which records have it.
fn is_name(text: &str) -> bool {
    let read = text.parse::<Reference>();
    read.is_ok_and(|reference| reference.as_file().is_none() && reference.canonical() == text)
}

/// The whole name of an image, with its registry.
fn name_of(annotations: &BTreeMap<String, String>) -> Option<ImageReference> {
    let names = [IMAGE_NAME, REF_NAME]
        .into_iter()
        .filter_map(|key| annotations.get(key));
    let whole = |name: &&String| {
        name.split_once('/')
            .is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost")
    };
    names.filter(whole).find_map(|name| name.parse().ok())
}

fn parse<T: for<'de> Deserialize<'de>>(name: &str, bytes: &[u8]) -> Result<T, ArchiveError> {
    serde_json::from_slice(bytes).map_err(|error| {
        // It quotes the file.
        let told: String = error
            .to_string()
            .chars()
            .filter(|c| !c.is_control())
            .take(300)
            .collect();
        ArchiveError::NotALayout {
            reason: format!("its `{name}` cannot be understood: {told}"),
        }
    })
}
