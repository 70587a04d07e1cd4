//! The text files of the repository, as the checks see them.

use std::io;
use std::path::{Path, PathBuf};

/// What was built or fetched. All of it stands in `.gitignore`, but for `.git` itself, which is a file in a second work tree.
const NOT_SOURCE: [&str; 5] = [".git", ".peers", ".toolchain", "node_modules", "target"];

/// The repository, read once.
pub(crate) struct Repository {
    root: PathBuf,
    files: Vec<SourceFile>,
}

/// A file that is text.
pub(crate) struct SourceFile {
    /// Relative to the root, with `/` between the parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Repository {
    /// Reads all text files below `root`. Files that are not UTF-8, such as modules, are left out.
    ///
    /// # Errors
    /// Where a folder or a file cannot be read.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
                let name = path.file_name().unwrap_or_default();
                if NOT_SOURCE.iter().any(|not_source| name == *not_source) {
                    continue;
                }
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file()
                    && let Ok(text) = String::from_utf8(std::fs::read(&path)?)
                {
                    files.push(SourceFile {
                        path: relative(root, &path),
                        text,
                    });
                }
            }
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(Self {
            root: root.to_owned(),
            files,
        })
    }

    /// The folder with the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// All text files, sorted by their paths.
    pub(crate) fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Those with this ending, such as `.rs`.
    pub(crate) fn ending_with(&self, ending: &str) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(move |file| file.path.ends_with(ending))
    }

    /// The text of one file; `None` where it is not there or not text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        let file = self.files.iter().find(|file| file.path == path)?;
        Some(&file.text)
    }
}

impl SourceFile {
    /// The lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

fn relative(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).iter();
    parts
        .map(|part| part.to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
impl Repository {
    /// A repository of these files, which lie nowhere.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| SourceFile {
            path: (*path).into(),
            text: (*text).into(),
        };
        Self {
            root: PathBuf::new(),
            files: files.iter().map(file).collect(),
        }
    }

    /// The same files, at another place.
    pub(crate) fn move_to(&mut self, root: &Path) {
        self.root = root.to_owned();
    }
}
