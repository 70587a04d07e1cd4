//! Which fields of Kubernetes objects a policy wants.

use std::collections::BTreeMap;

use serde_json::Value;

/// The most parts of a path; objects are nested less deep.
const MOST_PARTS: usize = 32;

/// The most bytes of all paths together.
const MOST_BYTES: usize = 64 << 10;

/// Fields, each by a path such as `spec.containers.image`. A path goes through arrays: this one means the image of each
/// container. No paths at all mean all fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMask(Node);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Node {
    /// Everything below is wanted.
    whole: bool,
    children: BTreeMap<String, Node>,
}

/// Why paths are no field mask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldMaskError {
    /// A path has too many parts.
    #[error("a field mask has {parts} parts, and at most {MOST_PARTS} are taken")]
    TooDeep {
        /// How many.
        parts: usize,
    },
    /// There are too many paths.
    #[error("the field masks have {bytes} bytes, and at most {MOST_BYTES} are taken")]
    TooLarge {
        /// How many bytes they have.
        bytes: usize,
    },
}

impl FieldMask {
    /// Reads paths.
    ///
    /// # Errors
    /// [`FieldMaskError`] where they are more than any object has.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Result<Self, FieldMaskError> {
        let mut root = Node::default();
        let mut bytes = 0;
        for path in paths {
            bytes += path.len();
            let parts = path.split('.').count();
            if bytes > MOST_BYTES {
                return Err(FieldMaskError::TooLarge { bytes });
            }
            if parts > MOST_PARTS {
                return Err(FieldMaskError::TooDeep { parts });
            }
            let mut node = &mut root;
            for part in path.split('.') {
                node = node.children.entry(part.to_owned()).or_default();
            }
            node.whole = true;
        }
        Ok(Self(root))
    }

    /// Takes from an object all fields that are not wanted. `apiVersion`, `kind` and `metadata` stay whole, since without
    /// them nobody knows what an object is.
    pub fn prune_object(&self, object: &mut Value) {
        if self.0.children.is_empty() {
            return;
        }
        let Value::Object(fields) = object else {
            return;
        };
        fields.retain(|name, value| match self.0.children.get(name) {
            _ if matches!(name.as_str(), "apiVersion" | "kind" | "metadata") => true,
            Some(node) => {
                node.prune(value);
                true
            }
            None => false,
        });
    }

    /// Takes from each object of a list all fields that are not wanted.
    pub fn prune_list(&self, list: &mut Value) {
        if let Some(Value::Array(items)) = list.get_mut("items") {
            items.iter_mut().for_each(|item| self.prune_object(item));
        }
    }
}

impl Node {
    fn prune(&self, value: &mut Value) {
        if self.whole {
            return;
        }
        match value {
            Value::Object(fields) => fields.retain(|name, value| match self.children.get(name) {
                Some(node) => {
                    node.prune(value);
                    true
                }
                None => false,
            }),
            Value::Array(items) => items.iter_mut().for_each(|item| self.prune(item)),
            _ => {}
        }
    }
}
