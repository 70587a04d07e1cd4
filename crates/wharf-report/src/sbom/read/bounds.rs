//! What keeps documents from becoming much larger in memory than they are.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use super::SbomError;
use crate::json::{FromGo, Wrapped};

/// The most objects of a document, of all kinds.
const MAX_OBJECTS: usize = 16_000_000;
/// The most values of a document, of all kinds.
const MAX_VALUES: usize = 64_000_000;

/// Counts what is in a document before anything is made of it: an empty object has two bytes there, and hundreds as a
/// component.
pub(super) fn check_counts(bytes: &[u8]) -> Result<(), SbomError> {
    let (mut objects, mut values) = (0_usize, 0_usize);
    let (mut in_text, mut escaped) = (false, false);
    for byte in bytes {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'{') => objects += 1,
            (false, b',') => values += 1,
            _ => {}
        }
    }
    for (what, count, max) in [("objects", objects, MAX_OBJECTS), ("values", values, MAX_VALUES)] {
        if count > max {
            return Err(SbomError::TooMany { what, max });
        }
    }
    Ok(())
}

/// A list with so many items at most. The rest of a longer one is not read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Capped<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> Default for Capped<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: FromGo, const MAX: usize> FromGo for Capped<T, MAX> {
    fn from_go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const MAX: usize>(PhantomData<T>);

        impl<'de, T: FromGo, const MAX: usize> Visitor<'de> for Items<T, MAX> {
            type Value = Capped<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Capped::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut kept = Vec::new();
                while let Some(item) = items.next_element::<Wrapped<T>>()? {
                    if kept.len() == MAX {
                        return Err(A::Error::custom(format_args!("it has more than {MAX} items")));
                    }
                    kept.push(item.0);
                }
                Ok(Capped(kept))
            }
        }

        deserializer.deserialize_any(Items(PhantomData))
    }
}

impl<T: Serialize, const MAX: usize> Serialize for Capped<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::{Capped, check_counts};
    use crate::json::{from_json, go_object};

    go_object! {
        struct Three {
            items: Capped<String, 3> => "items",
        }
    }

    #[test]
    fn longer_lists_are_refused() {
        let read = |text: &str| from_json::<Three>(text.as_bytes()).map(|three| three.items.0.len());
        assert_eq!(read(r#"{"items": ["a", "b", "c"]}"#), Ok(3));
        assert_eq!(read(r#"{"items": null}"#), Ok(0));
        let told = read(r#"{"items": ["a", "b", "c", "d", "e"]}"#)
            .unwrap_err()
            .to_string();
        assert!(told.starts_with("items: it has more than 3 items"), "{told}");
        assert!(read(r#"{"items": {}}"#).is_err());
    }

    #[test]
    fn what_stands_in_texts_does_not_count() {
        check_counts(format!("\"{}\\\"{}\"", "{".repeat(17_000_000), "{".repeat(17_000_000)).as_bytes())
            .unwrap();
        let told = check_counts("{}".repeat(17_000_000).as_bytes())
            .unwrap_err()
            .to_string();
        assert_eq!(told, "it has more than 16000000 objects");
    }
}
