//! The values of Rego, as they go between a policy and the host.
//!
//! A policy hands its values over as text: JSON, with sets (`{1, 2}`, `set()`) and with any value for an object's key.
//! [`read`] takes that apart and [`write`] puts it together. Numbers stay as they were written ([`Number`]), so that a policy
//! that only passes one through a built-in function gets the same digits back.

mod collection;
mod number;
mod read;
mod write;

use std::cmp::Ordering;

pub(crate) use collection::{Object, Set};
pub(crate) use number::{Integer, Number};
pub(crate) use read::{DEEPEST, read_json, read_term};
pub(crate) use write::{is_printable, push_quoted, quoted};

/// A value of Rego. Values are ordered as in OPA: null, false, true, numbers, strings, arrays, objects, sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Value>),
    Object(Object),
    Set(Set),
}

impl Value {
    pub(crate) fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// An object whose keys are these strings.
    pub(crate) fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let fields = fields.into_iter();
        Self::Object(fields.map(|(key, value)| (Self::string(key), value)).collect())
    }

    /// The value of the field `key` of an object.
    pub(crate) fn field(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(object) => object.get(&Self::string(key)),
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::String(_) => 3,
            Self::Array(_) => 4,
            Self::Object(_) => 5,
            Self::Set(_) => 6,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(Number::from(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => one.cmp(other),
            (Self::Number(one), Self::Number(other)) => one.cmp(other),
            (Self::String(one), Self::String(other)) => one.cmp(other),
            (Self::Array(one), Self::Array(other)) => one.cmp(other),
            (Self::Object(one), Self::Object(other)) => one.cmp(other),
            (Self::Set(one), Self::Set(other)) => one.cmp(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_different_kinds_are_ordered_as_in_opa() {
        let texts = [
            "null",
            "false",
            "true",
            "-1",
            "0.5",
            "2",
            "10",
            "\"\"",
            "\"a\"",
            "\"b\"",
            "[]",
            "[1]",
            "[1,2]",
            "[2]",
            "{}",
            "{\"a\":1}",
            "set()",
            "{1}",
        ];
        let values: Vec<Value> = texts
            .iter()
            .map(|text| read_term(text.as_bytes()).unwrap())
            .collect();
        for (index, value) in values.iter().enumerate() {
            for (other_index, other) in values.iter().enumerate() {
                assert_eq!(
                    value.cmp(other),
                    index.cmp(&other_index),
                    "{value:?} and {other:?}"
                );
            }
        }
    }
}
