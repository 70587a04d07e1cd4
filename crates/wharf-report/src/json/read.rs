//! Reading.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Deserializer;

/// A type that Go's decoder can fill. `null` gives its empty value.
pub trait FromGo: Sized {
    /// Reads one.
    ///
    /// # Errors
    /// Those of the deserializer, and where what it gives does not fit.
    fn from_go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Lends serde a type that is read as Go does.
#[derive(Debug)]
pub struct Wrapped<T>(pub T);

impl<'de, T: FromGo> Deserialize<'de> for Wrapped<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::from_go(deserializer).map(Self)
    }
}

macro_rules! scalars {
    ($($kind:ty),*) => { $(
        impl FromGo for $kind {
            fn from_go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Option::<$kind>::deserialize(deserializer).map(Option::unwrap_or_default)
            }
        }
    )* };
}

scalars!(String, bool, i64, f64);

impl<T: FromGo> FromGo for Vec<T> {
    fn from_go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Option::<Vec<Wrapped<T>>>::deserialize(deserializer)?;
        Ok(items.unwrap_or_default().into_iter().map(|item| item.0).collect())
    }
}

impl<T: FromGo> FromGo for BTreeMap<String, T> {
    fn from_go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Option::<BTreeMap<String, Wrapped<T>>>::deserialize(deserializer)?;
        Ok(items
            .unwrap_or_default()
            .into_iter()
            .map(|(key, item)| (key, item.0))
            .collect())
    }
}

impl<T: FromGo> FromGo for Option<T> {
    fn from_go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let item = Option::<Wrapped<T>>::deserialize(deserializer)?;
        Ok(item.map(|item| item.0))
    }
}

/// Why some JSON cannot be used. Who wrote it is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", in_field(.path))]
pub struct JsonError {
    /// Where in it, such as `[0].Vulnerabilities[2].Status`; empty for the whole.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

fn in_field(path: &str) -> String {
    match path {
        "" => String::new(),
        path => format!("{path}: "),
    }
}

/// The most objects, and words such as `null` in their place, of what a module gives. Each may become a thousand bytes here,
/// out of three there.
const MOST_OBJECTS: usize = 1 << 18;

/// The most values of what a module gives, within others.
const MOST_VALUES: usize = 1 << 22;

/// Reads what a module gave: at most 262 144 objects and 4 194 304 values.
///
/// # Errors
/// Where it is no such JSON, and in which field; where there is more of it.
pub fn from_guest<T: FromGo>(bytes: &[u8]) -> Result<T, JsonError> {
    let (objects, values) = counted(bytes);
    for (what, count, most) in [
        ("objects", objects, MOST_OBJECTS),
        ("values", values, MOST_VALUES),
    ] {
        if count > most {
            return Err(JsonError {
                path: String::new(),
                reason: format!("it has {count} {what}, and at most {most} are read"),
            });
        }
    }
    from_json(bytes)
}

/// How many objects, words and values there are, at most, outside of strings.
fn counted(bytes: &[u8]) -> (usize, usize) {
    let (mut objects, mut values) = (0, 0);
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'{' | b'n' => objects += 1,
            b',' | b'[' => values += 1,
            b'"' => {
                while let Some(byte) = rest.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => _ = rest.next(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    (objects, values)
}

/// Reads JSON without a bound on the number of values; the length of the bytes is the caller's to bound.
///
/// # Errors
/// Where it is no such JSON, and in which field.
pub fn from_json<T: FromGo>(bytes: &[u8]) -> Result<T, JsonError> {
    let text = String::from_utf8_lossy(bytes);
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let read: Result<Wrapped<T>, _> = serde_path_to_error::deserialize(&mut deserializer);
    let value = read.map_err(|error| {
        let path = error.path().to_string();
        JsonError {
            path: if path == "." { String::new() } else { path },
            reason: error.inner().to_string(),
        }
    })?;
    deserializer.end().map_err(|error| JsonError {
        path: String::new(),
        reason: error.to_string(),
    })?;
    Ok(value.0)
}
