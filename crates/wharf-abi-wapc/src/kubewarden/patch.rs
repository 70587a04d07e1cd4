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

/// The most operations `copy` that are applied. Each may double what is there.
const MOST_COPIES: usize = 16;

/// A patch cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchMisfit {
    /// It is no patch.
    #[error("this is no JSON Patch: {0}")]
    Unreadable(String),
    /// An operation names what is not there, or tests what is otherwise.
    #[error("the patch does not fit the object: {0}")]
    Misfit(String),
    /// It copies so often that the object could be of any size.
    #[error("the patch has more than {MOST_COPIES} operations `copy`")]
    TooManyCopies,
}

/// What a patch makes of `original`.
///
/// # Errors
/// [`PatchMisfit`].
pub fn apply(original: &Value, patch: &JsonPatch) -> Result<Value, PatchMisfit> {
    let unreadable = |error: &dyn std::fmt::Display| PatchMisfit::Unreadable(error.to_string());
    let bytes = STANDARD
        .decode(patch.base64())
        .map_err(|error| unreadable(&error))?;
    let patch: json_patch::Patch = json::decode(&bytes).map_err(|problem| unreadable(&problem))?;
    let is_copy =
        |operation: &&json_patch::PatchOperation| matches!(operation, json_patch::PatchOperation::Copy(_));
    if patch.0.iter().filter(is_copy).count() > MOST_COPIES {
        return Err(PatchMisfit::TooManyCopies);
    }
    let mut patched = original.clone();
    json_patch::patch(&mut patched, &patch.0).map_err(|error| PatchMisfit::Misfit(error.to_string()))?;
    Ok(patched)
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
