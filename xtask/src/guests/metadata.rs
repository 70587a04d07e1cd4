//! What policies say about themselves: `metadata.json` beside the source becomes a section of the module.

use std::path::Path;

use serde_json::{Map, Value};

use super::toolchain::BuildError;
use super::wasm;

/// The name of the section.
pub(super) const SECTION: &str = "io.kubewarden.metadata";

/// The name of the file.
pub(super) const FILE: &str = "metadata.json";

/// Adds the metadata to a policy's module, byte for byte as they stand in the file, but for the space around them.
pub(super) fn add(module: Vec<u8>, folder: &Path) -> Result<Vec<u8>, BuildError> {
    let path = folder.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(BuildError::File { path, source }),
    };
    let text = text.trim();
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(_) => Ok(wasm::with_custom_section(module, SECTION, text.as_bytes())),
        Err(error) => Err(BuildError::Metadata {
            path,
            reason: error.to_string(),
        }),
    }
}
