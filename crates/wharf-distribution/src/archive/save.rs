//! Writing what the store has.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::Serialize;
use wharf_plugin::{ContentDigest, ImageReference};

use super::{ArchiveError, IMAGE_NAME, INDEX, MOST_BLOB, OCI_LAYOUT, RECORDS, REF_NAME};
use crate::registry::manifest::{self, DescriptorText};
use crate::store::{Found, Record, Store};

const BLOCK: usize = 512;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    /// The references, in their order.
    pub references: Vec<String>,
    /// How many blobs there are.
    pub blobs: usize,
    /// How many bytes they have.
    pub bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IndexText<'a> {
    schema_version: u64,
    media_type: &'a str,
    manifests: Vec<DescriptorText>,
}

impl Store {
    /// Writes what these references mean, with the signatures that were found beside them, as an OCI layout in an archive of tar.
    /// References are named as [`Reference::canonical`](wharf_plugin::Reference::canonical) writes them; none means all that
    /// the store has. The same content gives the same bytes.
    ///
    /// # Errors
    /// [`ArchiveError`]. What was written until then is of no use.
    pub fn save<W: Write>(&self, references: &[String], to: W) -> Result<Saved, ArchiveError> {
        let records = self.to_save(references)?;
        let mut archive = Writer { to };
        let mut saved = Saved::default();
        let mut written: BTreeSet<ContentDigest> = BTreeSet::new();
        let mut manifests = Vec::new();
        archive.file("oci-layout", OCI_LAYOUT.as_bytes())?;
        for record in &records {
            for held in &record.blobs {
                if !written.insert(held.digest.clone()) {
                    continue;
                }
                let bytes = self.whole(record, &held.digest)?;
                archive.file(
                    &format!("blobs/{}", held.digest.to_string().replace(':', "/")),
                    &bytes,
                )?;
                saved.blobs += 1;
                saved.bytes += bytes.len() as u64;
            }
            manifests.extend(self.named(record)?);
            saved.references.push(record.reference.clone());
        }
        let index = IndexText {
            schema_version: 2,
            media_type: INDEX,
            manifests,
        };
        let index = serde_json::to_vec(&index).expect("an index is texts and numbers");
        archive.file("index.json", &index)?;
        let records = serde_json::to_vec_pretty(&records).expect("records are texts and numbers");
        archive.file(RECORDS, &records)?;
        archive.end()?;
        Ok(saved)
    }

    fn to_save(&self, references: &[String]) -> Result<Vec<Record>, ArchiveError> {
        let mut records = if references.is_empty() {
            self.records()?
        } else {
            let found = references.iter().map(|reference| {
                let unknown = || ArchiveError::Unknown {
                    reference: reference.clone(),
                };
                self.record(reference)?.ok_or_else(unknown)
            });
            found.collect::<Result<_, ArchiveError>>()?
        };
        records.sort_by(|a: &Record, b: &Record| a.reference.cmp(&b.reference));
        records.dedup_by(|a, b| a.reference == b.reference);
        Ok(records)
    }

    fn whole(&self, record: &Record, digest: &ContentDigest) -> Result<Vec<u8>, ArchiveError> {
        match self.blob(digest, MOST_BLOB.bytes())? {
            Found::Bytes(bytes) => Ok(bytes),
            Found::Absent | Found::Changed => Err(ArchiveError::Incomplete {
                reference: record.reference.clone(),
                digest: digest.clone(),
            }),
        }
    }

    /// The entries of a record in the index: its manifest, and what was found beside it under tags.
    fn named(&self, record: &Record) -> Result<Vec<DescriptorText>, ArchiveError> {
        let image = record.reference.strip_prefix("oci:");
        let Some(Ok(image)) = image.map(str::parse::<ImageReference>) else {
            // What is from a URL has no manifest.
            return Ok(Vec::new());
        };
        let mut names = vec![(image.tag().map(str::to_owned), record.digest.clone())];
        for attached in &record.attached {
            // What was too large to be kept is no part of the record.
            let is_held = record.blobs.iter().any(|held| held.digest == attached.digest);
            if let Some(tag) = attached.name.strip_prefix("tag:").filter(|_| is_held) {
                names.push((Some(tag.to_owned()), attached.digest.clone()));
            }
        }
        let mut entries = Vec::new();
        for (tag, digest) in names {
            let bytes = self.whole(record, &digest)?;
            let Ok(manifest) = manifest::parse_stored(digest.clone(), &bytes) else {
                continue;
            };
            let mut annotations = BTreeMap::new();
            let name = match &tag {
                Some(tag) => image.with_tag(tag).map(|image| image.to_string()),
                None => Some(image.to_string()),
            };
            annotations.extend(name.map(|name| (IMAGE_NAME.to_owned(), name)));
            annotations.extend(tag.map(|tag| (REF_NAME.to_owned(), tag)));
            entries.push(DescriptorText {
                media_type: manifest.media_type.to_owned(),
                digest: digest.to_string(),
                size: bytes.len() as u64,
                artifact_type: None,
                annotations: Some(annotations),
            });
        }
        Ok(entries)
    }
}

/// An archive of tar that is being written.
struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        let mut write = || -> io::Result<()> {
            if name.len() > 100 {
                let record = pax_path(name);
                self.to.write_all(&header("pax", record.len(), b'x'))?;
                self.padded(&record)?;
            }
            let shown = name.get(..name.len().min(100)).unwrap_or_default();
            self.to.write_all(&header(shown, bytes.len(), b'0'))?;
            self.padded(bytes)
        };
        write().map_err(ArchiveError::Write)
    }

    fn padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        let rest = bytes.len() % BLOCK;
        if rest > 0 {
            self.to.write_all(&[0; BLOCK][rest..])?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let written = self.to.write_all(&[0; 2 * BLOCK]);
        written
            .and_then(|()| self.to.flush())
            .map_err(ArchiveError::Write)
    }
}

/// The header of a file of at most 8 GiB, which belongs to nobody and was changed in 1970.
fn header(name: &str, size: usize, kind: u8) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        for (place, byte) in header.iter_mut().skip(at).zip(text) {
            *place = *byte;
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    for (place, byte) in header.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *place = byte;
    }
    header
}

/// The record `LENGTH path=NAME\n`, whose length counts itself.
fn pax_path(name: &str) -> Vec<u8> {
    let rest = format!(" path={name}\n");
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length += 1;
    }
    format!("{length}{rest}").into_bytes()
}
