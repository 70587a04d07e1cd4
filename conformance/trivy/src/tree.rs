//! A folder that is made for a case.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Entries by their paths, in the order in which they are made.
#[derive(Clone, Default)]
pub(crate) struct Tree {
    entries: Vec<(String, Entry)>,
}

#[derive(Clone)]
enum Entry {
    File(Vec<u8>),
    Folder,
    Link(String),
    Pipe,
}

impl Tree {
    pub(crate) fn file(self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.with(path.into(), Entry::File(content.into()))
    }

    pub(crate) fn folder(self, path: &str) -> Self {
        self.with(path.to_owned(), Entry::Folder)
    }

    pub(crate) fn link(self, path: &str, to: &str) -> Self {
        self.with(path.to_owned(), Entry::Link(to.to_owned()))
    }

    pub(crate) fn pipe(self, path: &str) -> Self {
        self.with(path.to_owned(), Entry::Pipe)
    }

    fn with(mut self, path: String, entry: Entry) -> Self {
        self.entries.push((path, entry));
        self
    }

    /// Writes it into a folder, which is made where it is not there.
    ///
    /// # Errors
    /// Which entry cannot be made.
    pub(crate) fn write(&self, root: &Path) -> Result<(), String> {
        fs::create_dir_all(root).map_err(|error| format!("{}: {error}", root.display()))?;
        for (path, entry) in &self.entries {
            let place = root.join(path);
            make(&place, entry).map_err(|error| format!("{}: {error}", place.display()))?;
        }
        Ok(())
    }
}

fn make(place: &Path, entry: &Entry) -> io::Result<()> {
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    match entry {
        Entry::File(content) => fs::write(place, content),
        Entry::Folder => fs::create_dir_all(place),
        Entry::Link(to) => symlink(to, place),
        Entry::Pipe => Ok(mknodat(CWD, place, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?),
    }
}
