//! Objects of the cluster as they are kept: text, without what no policy looks at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use wharf_abi_wapc::kubewarden::capability::FieldMask;
use wharf_plugin::ByteSize;

use super::api::ApiError;
use super::error::KindName;

/// What `kubectl apply` leaves in objects: the whole object once more, as text.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// About what an object takes beside its text and its names.
const OVERHEAD: usize = 128;

/// Which fields of objects are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mask {
    Whole,
    Paths(BTreeSet<String>),
}

impl Mask {
    /// That of a request, where no paths at all mean everything.
    pub(super) fn of(paths: Option<&BTreeSet<String>>) -> Self {
        match paths {
            Some(paths) if !paths.is_empty() => Self::Paths(paths.clone()),
            _ => Self::Whole,
        }
    }

    /// Whether all fields of another are among these.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole, _) => true,
            (Self::Paths(_), Self::Whole) => false,
            (Self::Paths(known), Self::Paths(wanted)) => wanted.iter().all(|path| is_kept(known, path)),
        }
    }

    /// The fields of both.
    pub(super) fn with(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Paths(some), Self::Paths(others)) => Self::Paths(some.union(others).cloned().collect()),
            _ => Self::Whole,
        }
    }

    /// None for whole objects, and where the paths of many policies together are more than a mask may have.
    fn to_field_mask(&self) -> Option<FieldMask> {
        match self {
            Self::Whole => None,
            Self::Paths(paths) => FieldMask::new(paths.iter().map(String::as_str)).ok(),
        }
    }
}

/// Whether a path, or one above it, is among those that are kept.
fn is_kept(known: &BTreeSet<String>, path: &str) -> bool {
    let first = path.split('.').next();
    let ends = path.match_indices('.').map(|(end, _)| end).chain([path.len()]);
    matches!(first, Some("apiVersion" | "kind" | "metadata"))
        || ends.into_iter().any(|end| known.contains(&path[..end]))
}

/// How objects of one list are cut down.
pub(super) struct Cut {
    kind: KindName,
    mask: Option<FieldMask>,
}

/// An object that was cut down.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) key: Key,
    pub(super) text: Arc<[u8]>,
    pub(super) version: String,
}

/// Where an object is among those of its kind.
pub(super) type Key = (Box<str>, Box<str>);

impl Cut {
    pub(super) fn new(kind: KindName, mask: &Mask) -> Self {
        Self {
            kind,
            mask: mask.to_field_mask(),
        }
    }

    pub(super) fn kind(&self) -> &KindName {
        &self.kind
    }

    /// Cuts down an object. In lists objects have neither kind nor version; those that policies get do.
    pub(super) fn cut(&self, text: &str) -> Result<Kept, ApiError> {
        let mut object: Value = serde_json::from_str(text).map_err(ApiError::unreadable)?;
        let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
        let metadata = metadata.ok_or_else(|| ApiError::unreadable("an object has no metadata"))?;
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
        let field = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
        let key: Key = (Box::from(field("namespace")), Box::from(field("name")));
        let version = field("resourceVersion").to_owned();
        if key.1.is_empty() {
            return Err(ApiError::unreadable("an object has no name"));
        }
        if let Some(mask) = &self.mask {
            mask.prune_object(&mut object);
        }
        Ok(Kept {
            key,
            text: self.write(&object)?.into(),
            version,
        })
    }

    fn write(&self, object: &Value) -> Result<Vec<u8>, ApiError> {
        let mut text = Vec::new();
        let Value::Object(fields) = object else {
            return Err(ApiError::unreadable("an object is none"));
        };
        let known = |name: &str| fields.get(name).and_then(Value::as_str);
        let api_version = known("apiVersion").unwrap_or(&self.kind.api_version);
        let kind = known("kind").unwrap_or(&self.kind.kind);
        text.extend_from_slice(b"{\"apiVersion\":");
        append(&mut text, api_version)?;
        text.extend_from_slice(b",\"kind\":");
        append(&mut text, kind)?;
        for (name, value) in fields
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind"))
        {
            text.push(b',');
            append(&mut text, name)?;
            text.push(b':');
            append(&mut text, value)?;
        }
        text.push(b'}');
        Ok(text)
    }
}

fn append<T: serde::Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) -> Result<(), ApiError> {
    serde_json::to_writer(text, value).map_err(ApiError::unreadable)
}

/// A list as policies get it.
pub(super) struct ListText {
    text: Vec<u8>,
    empty: bool,
}

impl ListText {
    pub(super) fn new(kind: &KindName, room: usize) -> Self {
        let head = serde_json::json!({
            "apiVersion": &*kind.api_version,
            "kind": format!("{}List", kind.kind),
            "metadata": {},
        });
        let mut text = Vec::with_capacity(room + 256);
        text.extend_from_slice(head.to_string().trim_end_matches('}').as_bytes());
        text.extend_from_slice(b"},\"items\":[");
        Self { text, empty: true }
    }

    pub(super) fn push(&mut self, object: &[u8]) {
        if !std::mem::take(&mut self.empty) {
            self.text.push(b',');
        }
        self.text.extend_from_slice(object);
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.text.extend_from_slice(b"]}");
        self.text
    }
}

/// The bytes that the objects of all watches may have together.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicUsize,
    most: ByteSize,
}

impl Budget {
    pub(super) fn new(most: ByteSize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            most,
        }
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        let take = |used: usize| {
            used.checked_add(bytes)
                .filter(|used| *used <= self.most.as_usize())
        };
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(|_| ()).map_err(|_| NoRoom::Together)
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Why an object is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// The list has more than a list may have.
    List,
    /// All lists together have more than they may.
    Together,
}

/// The objects of one watch. What they take is given back when they are dropped.
#[derive(Debug)]
pub(super) struct Objects {
    by_key: BTreeMap<Key, Arc<[u8]>>,
    bytes: usize,
    /// The bytes of the texts alone.
    text_bytes: usize,
    most: ByteSize,
    budget: Arc<Budget>,
}

impl Objects {
    pub(super) fn new(budget: Arc<Budget>, most: ByteSize) -> Self {
        Self {
            by_key: BTreeMap::new(),
            bytes: 0,
            text_bytes: 0,
            most,
            budget,
        }
    }

    /// Keeps an object in place of an older form of it. Nothing changes where there is no room.
    pub(super) fn put(&mut self, kept: &Kept) -> Result<(), NoRoom> {
        let weight = weight(&kept.key, &kept.text);
        if self.bytes + weight > self.most.as_usize() {
            return Err(NoRoom::List);
        }
        self.budget.take(weight)?;
        self.bytes += weight;
        self.text_bytes += kept.text.len();
        let older = self.by_key.insert(kept.key.clone(), Arc::clone(&kept.text));
        self.took_out(&kept.key, older);
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &Key) {
        let older = self.by_key.remove(key);
        self.took_out(key, older);
    }

    fn took_out(&mut self, key: &Key, text: Option<Arc<[u8]>>) {
        if let Some(text) = text {
            let weight = weight(key, &text);
            self.bytes -= weight;
            self.text_bytes -= text.len();
            self.budget.give_back(weight);
        }
    }

    /// All objects as they are now, by namespace and name, and the bytes of their texts. It costs an increment for each.
    pub(super) fn snapshot(&self) -> (Vec<Arc<[u8]>>, usize) {
        (
            self.by_key.values().cloned().collect(),
            self.text_bytes + self.by_key.len(),
        )
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

fn weight(key: &Key, text: &[u8]) -> usize {
    key.0.len() + key.1.len() + text.len() + OVERHEAD
}

#[cfg(test)]
mod tests;
