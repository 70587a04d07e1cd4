//! The change from one JSON document to another, as JSON Patch (RFC 6902).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::json::{self, JsonProblem};
use super::response::JsonPatch;

/// The most bytes that the operations' paths may have together. Each names its place from the top, so a short change below
/// a long name could be a patch of any size.
const MOST_PATHS: usize = 4 << 20;

/// A change cannot be told in a patch of sensible size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the paths of the patch would have more than {MOST_PATHS} bytes")]
pub struct PatchTooLarge;

/// The operations that make `mutated` of `original`; none where the two are the same.
///
/// Arrays are compared by position. Numbers are compared as they are written: `1` and `1.0` differ.
///
/// # Errors
/// [`PatchTooLarge`] where the operations' paths have more than 4 MiB together.
pub fn difference(original: &Value, mutated: &Value) -> Result<Option<JsonPatch>, PatchTooLarge> {
    let mut room = MOST_PATHS;
    measure(original, mutated, 0, &mut room)?;
    let operations = json_patch::diff(original, mutated);
    if operations.0.is_empty() {
        return Ok(None);
    }
    let text = serde_json::to_string(&operations).expect("operations of JSON values are JSON");
    Ok(Some(JsonPatch::of_base64(STANDARD.encode(text))))
}

/// Goes the way that the comparison goes, and takes the length of each operation's path from the room that there is.
fn measure(original: &Value, mutated: &Value, path: usize, room: &mut usize) -> Result<(), PatchTooLarge> {
    /// More than any index or separator adds to a path.
    const INDEX: usize = 16;
    let mut take = |path: usize| -> Result<(), PatchTooLarge> {
        *room = room.checked_sub(path).ok_or(PatchTooLarge)?;
        Ok(())
    };
    match (original, mutated) {
        (Value::Object(original), Value::Object(mutated)) => {
            for name in original.keys().filter(|name| !mutated.contains_key(*name)) {
                take(path + name.len() + INDEX)?;
            }
            for (name, value) in mutated {
                let path = path + name.len() + INDEX;
                match original.get(name) {
                    Some(original) => measure(original, value, path, room)?,
                    None => *room = room.checked_sub(path).ok_or(PatchTooLarge)?,
                }
            }
            Ok(())
        }
        (Value::Array(original), Value::Array(mutated)) => {
            let path = path + INDEX;
            for (original, mutated) in original.iter().zip(mutated) {
                measure(original, mutated, path, room)?;
            }
            let more = original.len().abs_diff(mutated.len());
            let paths = path.checked_mul(more).ok_or(PatchTooLarge)?;
            *room = room.checked_sub(paths).ok_or(PatchTooLarge)?;
            Ok(())
        }
        (original, mutated) if original == mutated => Ok(()),
        _ => take(path),
    }
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
