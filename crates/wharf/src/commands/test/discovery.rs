//! Finds the files of cases.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use wharf_config::cases::Form;

use crate::commands::single::{shown, with_causes};

/// Folders of what builds leave behind, beside those that are hidden.
const LEFT_OUT: [&str; 2] = ["target", "node_modules"];

/// A file of cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CaseFile {
    pub(super) path: PathBuf,
    pub(super) form: Form,
}

/// The files that were found, in order, and the folders that could not be looked into.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<CaseFile>,
    pub(super) problems: Vec<CannotLook>,
}

/// A place that cannot be looked into.
#[derive(Debug)]
pub(super) struct CannotLook {
    pub(super) path: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Io(io::Error),
    /// A pipe, a device, a socket.
    OtherKind,
}

impl fmt::Display for CannotLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = shown(&self.path.to_string_lossy());
        match self.reason {
            Reason::Io(_) => write!(f, "{path} cannot be read"),
            Reason::OtherKind => write!(f, "{path} is neither a file nor a folder"),
        }
    }
}

impl std::error::Error for CannotLook {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Io(error) => Some(error),
            Reason::OtherKind => None,
        }
    }
}

impl CannotLook {
    fn new(path: &Path, error: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            reason: Reason::Io(error),
        }
    }

    /// The whole of it in one line.
    pub(super) fn message(&self) -> String {
        with_causes(self)
    }
}

/// Finds the files of cases: those that are named, and those below folders that are named. A file that is named is one
/// whatever it is called; each file counts once.
///
/// # Errors
/// Where something that is named is not there, or is neither a file nor a folder.
pub(super) fn find(paths: &[PathBuf]) -> Result<Found, CannotLook> {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| CannotLook::new(path, error))?;
        let mut files = Vec::new();
        if metadata.is_dir() {
            walk(path, &mut files, &mut found.problems);
        } else if metadata.is_file() {
            let form = form_of(path.file_name()).unwrap_or(Form::Table);
            files.push(CaseFile {
                path: path.clone(),
                form,
            });
        } else {
            return Err(CannotLook {
                path: path.clone(),
                reason: Reason::OtherKind,
            });
        }
        // A file that cannot be resolved is read all the same, which says why.
        files.retain(|file| seen.insert(fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone())));
        found.files.extend(files);
    }
    Ok(found)
}

fn form_of(name: Option<&OsStr>) -> Option<Form> {
    Form::of(name?.to_str()?)
}

/// Walks a folder in the order of names, files before folders. Links are not followed, so that there is an end.
fn walk(root: &Path, files: &mut Vec<CaseFile>, problems: &mut Vec<CannotLook>) {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut below = Vec::new();
        match entries(&folder) {
            Err(error) => problems.push(CannotLook::new(&folder, error)),
            Ok(entries) => {
                for entry in entries {
                    match entry.file_type() {
                        Err(error) => problems.push(CannotLook::new(&entry.path(), error)),
                        Ok(kind) if is_left_out(&entry.file_name(), kind.is_dir()) => {}
                        Ok(kind) if kind.is_dir() => below.push(joined(&folder, &entry)),
                        Ok(kind) if kind.is_file() => {
                            files.extend(form_of(Some(&entry.file_name())).map(|form| CaseFile {
                                path: joined(&folder, &entry),
                                form,
                            }));
                        }
                        Ok(_) => {}
                    }
                }
            }
        }
        // The last one is taken first.
        folders.extend(below.into_iter().rev());
    }
}

/// The entries of a folder in the order of their names.
fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

/// The path of an entry, without the `./` that says nothing.
fn joined(folder: &Path, entry: &DirEntry) -> PathBuf {
    if folder == Path::new(".") {
        PathBuf::from(entry.file_name())
    } else {
        folder.join(entry.file_name())
    }
}

fn is_left_out(name: &OsStr, is_folder: bool) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".") || is_folder && LEFT_OUT.iter().any(|left_out| left_out.as_bytes() == name)
}
