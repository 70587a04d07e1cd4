//! `trivy.yaml`: the keys that have a counterpart in Wharf.

use std::path::{Path, PathBuf};

use crate::decode::{Context, Item};
use crate::diagnostic::ConfigErrors;
use crate::load::{FileKind, decode};
use crate::table::{Kind, TEXT};
use crate::yaml::{Scalar, ScalarKind, Value};

/// What a `trivy.yaml` says, as far as there is a counterpart. Paths are relative to the working directory, as Trivy has
/// them. What is none or empty is not in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrivySettings {
    /// `module.dir`: the directory of the modules.
    pub module_dir: Option<PathBuf>,
    /// `module.enable-modules`: the only modules that run, by name.
    pub enable_modules: Vec<String>,
    /// `scan.skip-dirs`: directories that are passed over, as patterns.
    pub skip_dirs: Vec<String>,
    /// `scan.skip-files`: files that are passed over, as patterns.
    pub skip_files: Vec<String>,
    /// `scan.parallel`: how many files are looked at at the same time; 0 for as many as there are processors.
    pub parallel: Option<u32>,
    /// `scan.show-suppressed`: whether suppressed findings are shown.
    pub show_suppressed: Option<bool>,
    /// `format`: the form of the report.
    pub format: Option<String>,
    /// `output`: where the report goes.
    pub output: Option<PathBuf>,
    /// `template`: the template, or `@` and its file.
    pub template: Option<String>,
    /// `severity`: the severities that are wanted.
    pub severity: Vec<String>,
    /// `exit-code`: the exit code where something was found.
    pub exit_code: Option<u8>,
    /// `ignorefile`: the file of findings that are passed over.
    pub ignore_file: Option<PathBuf>,
    /// `list-all-pkgs`: whether all packages are in the report.
    pub list_all_packages: Option<bool>,
    /// `vulnerability.ignore-unfixed`: whether vulnerabilities without a fix are passed over.
    pub ignore_unfixed: Option<bool>,
    /// `vulnerability.ignore-status`: the statuses of vulnerabilities that are passed over.
    pub ignore_status: Vec<String>,
    /// `vulnerability.vex`: VEX documents.
    pub vex: Vec<String>,
    /// `license.ignored`: licenses that are passed over.
    pub ignored_licenses: Vec<String>,
    /// `pkg.include-dev-deps`: whether packages that only developers need are in the report.
    pub include_dev_packages: Option<bool>,
    /// `timeout`, as it is written, such as `5m0s`.
    pub timeout: Option<String>,
    /// `quiet`: whether there is no progress bar.
    pub quiet: Option<bool>,
    /// The keys that have no counterpart, in the order of the file.
    pub unused: Vec<UnusedKey>,
}

/// A key that has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedKey {
    /// The key with those above it, such as `db.skip-update`.
    pub key: String,
    /// Its line, from 1.
    pub line: usize,
}

const FILE: FileKind = FileKind {
    what: "Trivy's configuration",
    name: "trivy.yaml",
    start: "write for example `format: json`; for no settings write `{}`",
};

/// The most keys without a counterpart that are listed.
const MAX_UNUSED: usize = 200;

/// Reads a `trivy.yaml`. `path` is its name for messages.
///
/// # Errors
/// All that is wrong with it, in one go; when it is larger than 1 MiB or is not YAML, only that.
pub fn parse_trivy_yaml(path: &Path, text: &str) -> Result<TrivySettings, ConfigErrors> {
    decode(text, path, &FILE, None, decode_root).map(|(settings, _)| settings)
}

fn decode_root(cx: &mut Context<'_>, root: &Item<'_>) -> Option<TrivySettings> {
    if !root.is_mapping() {
        root.wrong_kind(cx, &MAPPING);
        return None;
    }
    let mut settings = TrivySettings::default();
    read_below(cx, root, &mut settings);
    Some(settings)
}

const MAPPING: Kind = Kind::Map {
    key: "key",
    value: &Kind::Payload,
};

/// Reads the keys below an item. Trees are at most 64 deep.
fn read_below(cx: &mut Context<'_>, parent: &Item<'_>, settings: &mut TrivySettings) {
    for item in parent.children() {
        if item.node.is_null() || read_key(cx, &item, settings) {
            continue;
        }
        if item.is_mapping() {
            read_below(cx, &item, settings);
        } else if settings.unused.len() < MAX_UNUSED {
            let line = cx.line(&item.at);
            settings.unused.push(UnusedKey {
                key: item.path.clone(),
                line,
            });
        }
    }
}

/// Whether the key has a counterpart. Keys are as insensitive to case as Trivy's.
fn read_key(cx: &mut Context<'_>, item: &Item<'_>, settings: &mut TrivySettings) -> bool {
    match item.path.to_ascii_lowercase().as_str() {
        "module.dir" => settings.module_dir = read_text(cx, item).map(PathBuf::from),
        "module.enable-modules" => settings.enable_modules = read_list(cx, item),
        "scan.skip-dirs" => settings.skip_dirs = read_list(cx, item),
        "scan.skip-files" => settings.skip_files = read_list(cx, item),
        "scan.parallel" => settings.parallel = read_integer(cx, item, &PARALLEL, 1024),
        "scan.show-suppressed" => settings.show_suppressed = read_bool(cx, item),
        "format" => settings.format = read_text(cx, item),
        "output" => settings.output = read_text(cx, item).map(PathBuf::from),
        "template" => settings.template = read_text(cx, item),
        "severity" => settings.severity = read_list(cx, item),
        "exit-code" => settings.exit_code = read_integer(cx, item, &EXIT_CODE, 255),
        "ignorefile" => settings.ignore_file = read_text(cx, item).map(PathBuf::from),
        "list-all-pkgs" => settings.list_all_packages = read_bool(cx, item),
        "vulnerability.ignore-unfixed" => settings.ignore_unfixed = read_bool(cx, item),
        "vulnerability.ignore-status" => settings.ignore_status = read_list(cx, item),
        "vulnerability.vex" => settings.vex = read_list(cx, item),
        "license.ignored" => settings.ignored_licenses = read_list(cx, item),
        "pkg.include-dev-deps" => settings.include_dev_packages = read_bool(cx, item),
        "timeout" => settings.timeout = read_text(cx, item),
        "quiet" => settings.quiet = read_bool(cx, item),
        _ => return false,
    }
    true
}

const PARALLEL: Kind = Kind::Integer { min: 0, max: 1024 };
const EXIT_CODE: Kind = Kind::Integer { min: 0, max: 255 };
const TEXTS: Kind = Kind::List { item: &TEXT, min: 0 };

fn read_text(cx: &mut Context<'_>, item: &Item<'_>) -> Option<String> {
    item.text(cx, &Kind::TextOrNumber)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// A list of texts, or one text with commas between them.
fn read_list(cx: &mut Context<'_>, item: &Item<'_>) -> Vec<String> {
    let split = |text: &str| -> Vec<String> {
        let parts = text.split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    match &item.node.value {
        Value::List(_) => item
            .items()
            .iter()
            .filter_map(|item| item.text(cx, &Kind::TextOrNumber))
            .map(str::to_owned)
            .collect(),
        Value::Scalar(scalar) if scalar.kind() == ScalarKind::Text => split(scalar.text()),
        _ => {
            item.wrong_kind(cx, &TEXTS);
            Vec::new()
        }
    }
}

/// A flag, which may stand between quotes.
fn read_bool(cx: &mut Context<'_>, item: &Item<'_>) -> Option<bool> {
    let scalar = match &item.node.value {
        Value::Scalar(scalar) => Some(scalar),
        _ => None,
    };
    match scalar.map(Scalar::text) {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => {
            item.wrong_kind(cx, &Kind::Bool);
            None
        }
    }
}

fn read_integer<T: TryFrom<i64>>(cx: &mut Context<'_>, item: &Item<'_>, kind: &Kind, max: i64) -> Option<T> {
    item.integer(cx, kind, 0, max)
        .and_then(|number| T::try_from(number).ok())
}
