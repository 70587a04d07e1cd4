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
pub use read::{FromGo, JsonError, Wrapped, from_guest, from_json};
pub use write::{IsEmpty, to_vec, to_vec_pretty};

pub use crate::{go_object, go_text};

/// What the macros of this module need from serde.
#[doc(hidden)]
pub mod serde_parts {
    pub use serde::de::{Deserializer, Error as DeError, IgnoredAny, MapAccess, Visitor};
    pub use serde::ser::{SerializeMap, Serializer};
    pub use serde::{Deserialize, Serialize};
}

#[cfg(test)]
mod tests;
