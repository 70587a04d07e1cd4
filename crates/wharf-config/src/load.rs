//! From a file or a text to a configuration.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::decode::{Context, FileCheck, Item};
use crate::diagnostic::{Complaint, ConfigErrors, Diagnostic, Diagnostics, Severity, about_file};
use crate::root::{Config, decode_root};
use crate::source::Source;
use crate::yaml::parse_tree;

/// A configuration and what is doubtful in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is probably not meant, such as a route that no request reaches. In the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What the smallest useful file looks like, for those who have none.
const START: &str = "begin with `version: 1`, then `plugins:` and `proxy:`";

/// Reads and checks a file. The files that it names as plugins must exist.
///
/// # Errors
/// All that is wrong with it, in one go; when the file cannot be read, is larger than 1 MiB, or is not UTF-8, only that.
pub fn load(path: &Path) -> Result<Loaded, ConfigErrors> {
    let bytes = read_file(path)?;
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(error) => return Err(not_utf8(path, &bytes, error.valid_up_to())),
    };
    check(text, path, Some(&check_module_file))
}

/// Checks a text. `origin` is the file's name for messages, and relative paths are relative to its directory; nothing
/// outside the text is looked at.
///
/// # Errors
/// All that is wrong with it, in one go; when it is larger than 1 MiB or is not YAML, only that.
pub fn parse(text: &str, origin: &Path) -> Result<Loaded, ConfigErrors> {
    check(text, origin, None)
}

fn check(text: &str, origin: &Path, file_check: Option<FileCheck<'_>>) -> Result<Loaded, ConfigErrors> {
    if text.len() as u64 > MAX_BYTES {
        return Err(too_large(origin));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(origin, text);
    let mut diagnostics = Diagnostics::new();
    let config = decode(&source, &mut diagnostics, file_check);
    let warnings = diagnostics.finish()?;
    // A part is missing only where an error says why.
    let config = config.ok_or_else(|| about_file(origin, "this file cannot be used", START))?;
    Ok(Loaded { config, warnings })
}

fn decode(
    source: &Source<'_>,
    diagnostics: &mut Diagnostics,
    file_check: Option<FileCheck<'_>>,
) -> Option<Config> {
    if let Some(complaint) = unprintable(source.text) {
        diagnostics.add(complaint.at(source, Severity::Error));
        return None;
    }
    let mut complain = |complaint: Complaint| diagnostics.add(complaint.at(source, Severity::Error));
    let tree = match parse_tree(source.text, &mut complain) {
        Ok(Some(tree)) if !tree.is_null() => tree,
        Ok(_) => {
            diagnostics.add(
                Complaint::new(0..0, "the file is empty")
                    .hint(START)
                    .at(source, Severity::Error),
            );
            return None;
        }
        Err(complaint) => {
            diagnostics.add(complaint.at(source, Severity::Error));
            return None;
        }
    };
    let mut cx = Context::new(source, diagnostics, file_check);
    decode_root(&mut cx, &Item::root(&tree))
}

/// A complaint about the first character that YAML does not allow, such as NUL.
fn unprintable(text: &str) -> Option<Complaint> {
    let allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let (at, character) = text.char_indices().find(|(_, c)| !allowed(*c))?;
    let message = format!(
        "the file contains the control character U+{:04X}",
        u32::from(character)
    );
    Some(
        Complaint::new(at..at + character.len_utf8(), message)
            .hint("is this a text file? Within double quotes, control characters are written as escapes such as \"\\0\""),
    )
}

fn read_file(path: &Path) -> Result<Vec<u8>, ConfigErrors> {
    let refuse = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "let the user who runs Wharf read it",
            std::io::ErrorKind::IsADirectory => "name the file in it, for example `wharf.yaml`",
            _ => "check the file",
        };
        about_file(path, format!("the configuration cannot be read: {error}"), hint)
    };
    let file = File::open(path).map_err(refuse)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(refuse)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(path));
    }
    Ok(bytes)
}

fn too_large(path: &Path) -> ConfigErrors {
    about_file(
        path,
        "the configuration is larger than 1 MiB",
        "is this the right file?",
    )
}

/// An error with the place of the first byte that is no UTF-8.
fn not_utf8(path: &Path, bytes: &[u8], valid: usize) -> ConfigErrors {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return about_file(path, "the configuration is UTF-16, not UTF-8", "save it as UTF-8");
    }
    // Up to `valid` both texts have the same bytes, so that the place is right.
    let text = String::from_utf8_lossy(bytes);
    let message = format!(
        "the byte 0x{:02x} is not UTF-8",
        bytes.get(valid).copied().unwrap_or_default()
    );
    let complaint = Complaint::new(valid..valid + 1, message).hint("save the file as UTF-8");
    let diagnostic = complaint.at(&Source::new(path, &text), Severity::Error);
    ConfigErrors {
        errors: vec![diagnostic],
        warnings: Vec::new(),
        omitted: 0,
    }
}

/// Whether a module can be read, as far as looking tells.
fn check_module_file(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err("is not a file".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("does not exist".to_owned()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}
