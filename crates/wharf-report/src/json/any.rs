//! A value of any kind.

use serde::de::Deserializer;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Number, Value};

use super::read::FromGo;
use super::write::IsEmpty;

/// A value of any kind, as Go keeps one: the keys of objects are sorted, and every number is a float of 64 bits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Any(Value);

impl Any {
    /// The value.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The value, given away.
    pub fn into_value(self) -> Value {
        self.0
    }
}

impl From<Value> for Any {
    fn from(mut value: Value) -> Self {
        as_go_keeps_it(&mut value);
        Self(value)
    }
}

/// The depth is that of a value which was read or made, and both are bounded.
fn as_go_keeps_it(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().and_then(Number::from_f64) {
                *number = float;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(as_go_keeps_it),
        Value::Object(fields) => {
            fields.sort_keys();
            fields.values_mut().for_each(as_go_keeps_it);
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

impl FromGo for Any {
    fn from_go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl IsEmpty for Any {
    /// An interface is empty in Go where it holds nothing; an empty text in it is something.
    fn is_empty_value(&self) -> bool {
        self.0.is_null()
    }
}

impl FromGo for Value {
    fn from_go<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl IsEmpty for Value {
    fn is_empty_value(&self) -> bool {
        self.is_null()
    }
}
