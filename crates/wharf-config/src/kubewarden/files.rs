//! Files of policies, in any of the forms.

use std::path::Path;

use crate::decode::{Context, Item};
use crate::diagnostic::{ConfigErrors, Diagnostic, Diagnostics};
use crate::load::{FileKind, MAX_BYTES, check_file, read_text, too_large, trees};
use crate::source::Source;
use crate::yaml::Documents;

use super::PolicySet;
use super::collection::Collection;
use super::entries::{ENTRIES, decode_entries};
use super::resources::{decode_resource, is_resource};

/// Policies and what is doubtful about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedPolicies {
    /// The policies, good and bad.
    pub policies: PolicySet,
    /// What is probably not meant, such as keys that nobody knows.
    pub warnings: Vec<Diagnostic>,
}

const POLICIES: FileKind = FileKind {
    what: "the policy file",
    name: "policies.yml",
    start: "write policies by their ids, or Kubewarden's custom resources; for no policies write `{}`",
};

/// Reads files of policies: the `policies.yml` of policy-server, Kubewarden's custom resources, or lists of these as
/// `kubectl get` prints them. Which it is, is told for each document of each file. Modules that are files must exist.
///
/// A policy that nothing can be made of is a bad one and does no harm to the others, as long as its id can be read.
///
/// # Errors
/// All that is wrong with the files themselves, in one go: they cannot be read, are larger than 1 MiB, or are no YAML.
pub fn load_policies<P: AsRef<Path>>(paths: &[P]) -> Result<LoadedPolicies, ConfigErrors> {
    let mut diagnostics = Diagnostics::new();
    let mut found = Collection::default();
    for path in paths.iter().map(AsRef::as_ref) {
        match read_text(path, &POLICIES) {
            Ok(text) => {
                let source = Source::new(path, without_mark(&text));
                let mut cx = Context::new(&source, &mut diagnostics, Some(&check_file));
                decode_documents(&mut cx, &mut found);
            }
            Err(errors) => diagnostics.append(errors),
        }
    }
    finish(diagnostics, found)
}

/// The same for a text. `origin` is the file's name for messages, and relative paths are relative to its directory;
/// nothing outside the text is looked at.
///
/// # Errors
/// All that is wrong with it as a whole.
pub fn parse_policies(text: &str, origin: &Path) -> Result<LoadedPolicies, ConfigErrors> {
    if text.len() as u64 > MAX_BYTES {
        return Err(too_large(origin, &POLICIES));
    }
    let mut diagnostics = Diagnostics::new();
    let mut found = Collection::default();
    let source = Source::new(origin, without_mark(text));
    decode_documents(&mut Context::new(&source, &mut diagnostics, None), &mut found);
    finish(diagnostics, found)
}

fn finish(diagnostics: Diagnostics, found: Collection) -> Result<LoadedPolicies, ConfigErrors> {
    let warnings = diagnostics.finish()?;
    Ok(LoadedPolicies {
        policies: found.finish(),
        warnings,
    })
}

/// Adds the policies of a file that a configuration names. What is wrong with the file is reported with the rest.
pub(crate) fn read_policies(cx: &mut Context<'_>, path: &Path, found: &mut Collection) {
    match read_text(path, &POLICIES) {
        Ok(text) => {
            let source = Source::new(path, without_mark(&text));
            decode_documents(&mut cx.other_file(&source), found);
        }
        Err(errors) => cx.append(errors),
    }
}

/// The text without a byte order mark.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn decode_documents(cx: &mut Context<'_>, found: &mut Collection) {
    for tree in trees(cx, &POLICIES, Documents::Any) {
        let document = Item::root(&tree);
        if !document.is_mapping() {
            document.wrong_kind(cx, &ENTRIES);
        } else if is_resource(&document) {
            decode_resource(cx, &document, found);
        } else {
            decode_entries(cx, &document, found);
        }
    }
    cx.report_flaws();
}
