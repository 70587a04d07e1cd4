//! JSON as Go's package `encoding/json` reads and writes it, which is what modules and readers of reports rely on.
//!
//! Reading: a key is that of a field whatever its case, and one that is no field's is passed over; `null` stands for the
//! field's empty value; of text that is not UTF-8 the bytes that are not are replaced. Other than there, a surrogate without
//! its other half and values more than 128 deep are errors.
//!
//! Writing: fields in the order of Trivy's types; `<`, `>`, `&` and the two line separators of Unicode escaped; numbers as Go
//! formats them.

mod any;
mod object;
mod read;
mod write;

pub use any::Any;
pub(crate) use object::{go_object, go_text};
pub use read::JsonError;
pub(crate) use read::{FromGo, Wrapped, from_guest, from_json};
pub(crate) use write::{IsEmpty, to_vec, to_vec_pretty};

/// What the macro of this module needs from serde.
pub(crate) mod serde_parts {
    pub(crate) use serde::de::{Deserializer, Error as DeError, IgnoredAny, MapAccess, Visitor};
    pub(crate) use serde::ser::{SerializeMap, Serializer};
    pub(crate) use serde::{Deserialize, Serialize};
}

#[cfg(test)]
mod tests;
