//! The report as templates see it.

use minijinja::Value;

use crate::json::to_vec;
use crate::model::WithWarnings;
use crate::{Report, ScanWarning};

/// The variables of a template, and the bytes of the report in JSON.
pub(super) fn of(report: &Report, warnings: &[ScanWarning]) -> (Value, usize) {
    let bytes = to_vec(&WithWarnings { report, warnings });
    let report = serde_json::from_slice(&bytes).map(converted).unwrap_or_default();
    let part = |key: &str| match report.get_attr(key) {
        Ok(part) if !part.is_undefined() => part,
        _ => Value::from(Vec::<Value>::new()),
    };
    let (results, warnings) = (part("Results"), part("Warnings"));
    (minijinja::context! { report, results, warnings }, bytes.len())
}

/// Numbers that are whole are integers, since templates show floats with a point. The depth is that of a report, which is
/// bounded.
fn converted(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => Value::from(value),
        serde_json::Value::Number(number) => {
            let float = number.as_f64().unwrap_or_default();
            match number.as_i64() {
                Some(integer) => Value::from(integer),
                None => Value::from(float),
            }
        }
        serde_json::Value::String(text) => Value::from(text),
        serde_json::Value::Array(values) => values.into_iter().map(converted).collect(),
        serde_json::Value::Object(fields) => {
            Value::from_pairs(fields.into_iter().map(|(key, value)| (key, converted(value))))
        }
    }
}
