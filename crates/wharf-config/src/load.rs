//! From a file or a text to a configuration.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::rc::Rc;

use crate::decode::{Context, FileCheck, Flaws, Item};
use crate::diagnostic::{Complaint, ConfigErrors, Diagnostic, Diagnostics, Severity, about_file};
use crate::root::{Config, decode_root};
use crate::source::Source;
use crate::yaml::{Documents, Node, parse_trees};

/// A configuration and what is doubtful in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is probably not meant, such as a route that no request reaches. In the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// The longest file that is read, in bytes.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// What a file is for, as far as messages about it as a whole need it.
pub(crate) struct FileKind {
    /// What it is, with its article.
    pub(crate) what: &'static str,
    /// The name that such a file has.
    pub(crate) name: &'static str,
    /// What the smallest useful file looks like, for those who have none.
    pub(crate) start: &'static str,
}

const CONFIGURATION: FileKind = FileKind {
    what: "the configuration",
    name: "wharf.yaml",
    start: "begin with `version: 1`, then `plugins:` and `proxy:`",
};

/// Reads and checks a file, and the files of policies that it names. The files that it names as plugins must exist.
///
/// # Errors
/// All that is wrong with it, in one go; when the file cannot be read, is larger than 1 MiB, or is not UTF-8, only that.
pub fn load(path: &Path) -> Result<Loaded, ConfigErrors> {
    let text = read_text(path, &CONFIGURATION)?;
    check(&text, path, Some(&check_file))
}

/// Checks a text. `origin` is the file's name for messages, and relative paths are relative to its directory; nothing
/// outside the text is looked at, so that policies that are in other files are not there.
///
/// # Errors
/// All that is wrong with it, in one go; when it is larger than 1 MiB or is not YAML, only that.
pub fn parse(text: &str, origin: &Path) -> Result<Loaded, ConfigErrors> {
    check(text, origin, None)
}

fn check(text: &str, origin: &Path, file_check: Option<FileCheck<'_>>) -> Result<Loaded, ConfigErrors> {
    let (config, warnings) = decode(text, origin, &CONFIGURATION, file_check, decode_root)?;
    Ok(Loaded { config, warnings })
}

/// Decodes the text of a file of any kind with the decoder of its root.
pub(crate) fn decode<T>(
    text: &str,
    origin: &Path,
    kind: &FileKind,
    file_check: Option<FileCheck<'_>>,
    decode_root: impl FnOnce(&mut Context<'_>, &Item<'_>) -> Option<T>,
) -> Result<(T, Vec<Diagnostic>), ConfigErrors> {
    if text.len() as u64 > MAX_BYTES {
        return Err(too_large(origin, kind));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(origin, text);
    let mut diagnostics = Diagnostics::new();
    let mut cx = Context::new(&source, &mut diagnostics, file_check);
    let decoded = trees(&mut cx, kind, Documents::One).pop().and_then(|tree| {
        let root = Item::root(&tree);
        report_flaws_outside_of_policies(&mut cx, &root);
        let decoded = decode_root(&mut cx, &root);
        cx.report_flaws();
        decoded
    });
    let warnings = diagnostics.finish()?;
    // A part is missing only where an error says why.
    let decoded = decoded.ok_or_else(|| about_file(origin, "this file cannot be used", kind.start))?;
    Ok((decoded, warnings))
}

/// Reports the flaws that cannot be those of single policies.
fn report_flaws_outside_of_policies(cx: &mut Context<'_>, root: &Item<'_>) {
    let admission = root.peek("admission");
    let policies = admission
        .as_ref()
        .and_then(|admission| admission.peek("policies"));
    let mut elsewhere = others(root, "admission");
    if let Some(admission) = &admission {
        elsewhere.extend(others(admission, "admission.policies"));
    }
    for flaw in cx
        .flaws
        .keep_in(policies.map(|policies| policies.node), &elsewhere)
    {
        cx.error(flaw);
    }
}

fn others<'n>(item: &Item<'n>, except: &str) -> Vec<&'n Node> {
    let children = item.children().into_iter();
    children
        .filter(|child| child.path != except)
        .map(|child| child.node)
        .collect()
}

/// The documents of a text that are not empty; at least one, or an error says why not. Flaws are kept for later.
pub(crate) fn trees(cx: &mut Context<'_>, kind: &FileKind, documents: Documents) -> Vec<Rc<Node>> {
    if let Some(complaint) = unprintable(cx.text()) {
        cx.error(complaint);
        return Vec::new();
    }
    let mut flaws = Flaws::default();
    let trees = parse_trees(cx.text(), documents, &mut |complaint| flaws.add(complaint));
    cx.flaws = flaws;
    let complaint = match trees {
        Ok(mut trees) => {
            trees.retain(|tree| !tree.is_null());
            if !trees.is_empty() {
                return trees;
            }
            Complaint::new(0..0, "the file is empty").hint(kind.start)
        }
        Err(complaint) => complaint,
    };
    cx.report_flaws();
    cx.error(complaint);
    Vec::new()
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

/// Reads a file of any kind.
pub(crate) fn read_text(path: &Path, kind: &FileKind) -> Result<String, ConfigErrors> {
    let bytes = read_file(path, kind)?;
    String::from_utf8(bytes)
        .map_err(|error| not_utf8(path, kind, error.as_bytes(), error.utf8_error().valid_up_to()))
}

fn read_file(path: &Path, kind: &FileKind) -> Result<Vec<u8>, ConfigErrors> {
    let refuse = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path".to_owned(),
            std::io::ErrorKind::PermissionDenied => "let the user who runs Wharf read it".to_owned(),
            std::io::ErrorKind::IsADirectory => format!("name the file in it, for example `{}`", kind.name),
            _ => "check the file".to_owned(),
        };
        about_file(path, format!("{} cannot be read: {error}", kind.what), &hint)
    };
    let file = File::open(path).map_err(refuse)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(refuse)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large(path, kind));
    }
    Ok(bytes)
}

pub(crate) fn too_large(path: &Path, kind: &FileKind) -> ConfigErrors {
    about_file(
        path,
        format!("{} is larger than 1 MiB", kind.what),
        "is this the right file?",
    )
}

/// An error with the place of the first byte that is no UTF-8.
fn not_utf8(path: &Path, kind: &FileKind, bytes: &[u8], valid: usize) -> ConfigErrors {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let message = format!("{} is UTF-16, not UTF-8", kind.what);
        return about_file(path, message, "save it as UTF-8");
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

/// Whether a file can be read, as far as looking tells.
pub(crate) fn check_file(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err("is not a file".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("does not exist".to_owned()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}
