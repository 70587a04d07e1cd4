//! The change from one JSON document to another, as JSON Patch (RFC 6902).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::json::{self, JsonProblem};
use super::response::JsonPatch;

/// The operations that make `mutated` of `original`; none where the two are the same.
///
/// Arrays are compared by position. Numbers are compared as they are written: `1` and `1.0` differ.
pub fn difference(original: &Value, mutated: &Value) -> Option<JsonPatch> {
    let operations = json_patch::diff(original, mutated);
    if operations.0.is_empty() {
        return None;
    }
    let text = serde_json::to_string(&operations).expect("operations of JSON values are JSON");
    Some(JsonPatch::of_base64(STANDARD.encode(text)))
}

/// Takes a patch that a policy made by itself, as OPA policies do, once it is known to be one.
///
/// # Errors
/// [`JsonProblem`] where it is not base64, or no JSON Patch.
pub(super) fn of_policy(base64: String) -> Result<JsonPatch, JsonProblem> {
    let problem = |reason: String| JsonProblem::at("patch", reason);
    let bytes = STANDARD
        .decode(&base64)
        .map_err(|error| problem(format!("this is not base64: {error}")))?;
    json::decode::<json_patch::Patch>(&bytes)
        .map_err(|error| problem(format!("this is no JSON Patch in base64: {error}")))?;
    Ok(JsonPatch::of_base64(base64))
}

#[cfg(test)]
mod tests;
