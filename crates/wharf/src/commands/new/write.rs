//! Writes the files of a project into a folder that is empty or not there.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::template::ProjectFile;

/// Why a project was not written.
#[derive(Debug)]
pub(super) enum WriteError {
    NotEmpty(PathBuf),
    NotAFolder(PathBuf),
    Folder {
        path: PathBuf,
        source: io::Error,
    },
    File {
        path: PathBuf,
        source: io::Error,
        /// What had been written before.
        written: Vec<PathBuf>,
    },
}

/// Writes all files, and stops at the first that cannot be written.
///
/// # Errors
/// When there is something in the folder already, or when it or a file cannot be written. What was written until then stays.
pub(super) fn write(folder: &Path, files: &[ProjectFile]) -> Result<(), WriteError> {
    claim(folder)?;
    let mut written = Vec::new();
    for file in files {
        let path = folder.join(&file.path);
        if let Err(source) = write_file(&path, &file.text) {
            return Err(WriteError::File {
                path,
                source,
                written,
            });
        }
        written.push(path);
    }
    Ok(())
}

fn claim(folder: &Path) -> Result<(), WriteError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(WriteError::NotEmpty(folder.to_owned())),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(WriteError::NotAFolder(folder.to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_folder(folder),
        Err(source) => Err(WriteError::Folder {
            path: folder.to_owned(),
            source,
        }),
    }
}

fn create_folder(folder: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(folder).map_err(|source| WriteError::Folder {
        path: folder.to_owned(),
        source,
    })
}

fn write_file(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // What appeared since the folder was looked at is not overwritten either.
    File::create_new(path)?.write_all(text.as_bytes())
}

impl WriteError {
    /// What is in the folder now.
    pub(super) fn notes(&self) -> Vec<String> {
        match self {
            Self::File {
                path,
                source,
                written,
            } => {
                let said = |path: &PathBuf| format!("written before: {}", path.display());
                let mut notes: Vec<String> = written.iter().map(said).collect();
                let is_of_another = source.kind() == io::ErrorKind::AlreadyExists;
                if path.exists() && !is_of_another {
                    notes.push(format!("begun, and not whole: {}", path.display()));
                }
                notes
            }
            _ => Vec::new(),
        }
    }

    pub(super) const fn hint(&self) -> &'static str {
        match self {
            Self::NotEmpty(_) | Self::NotAFolder(_) => "`--dir PATH` names another folder",
            Self::Folder { .. } => "`--dir PATH` names a folder that can be written",
            Self::File { .. } => "remove what was written before you try again",
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEmpty(path) => write!(
                f,
                "there are files in {} already, and none are ever overwritten",
                path.display()
            ),
            Self::NotAFolder(path) => write!(f, "{} is not a folder", path.display()),
            Self::Folder { path, .. } => write!(f, "the folder {} cannot be used", path.display()),
            Self::File { path, .. } => write!(f, "{} cannot be written", path.display()),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotEmpty(_) | Self::NotAFolder(_) => None,
            Self::Folder { source, .. } | Self::File { source, .. } => Some(source),
        }
    }
}
