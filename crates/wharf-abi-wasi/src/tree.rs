//! A tree of directories that leads to one file, which can only be read.
//!
//! The guest finds one directory open from the start: file descriptor 3, of the name `/`. From there a path leads to the
//! file, and nothing else can be seen: each directory above it has one entry, the path's next part. `..` is resolved in the
//! path itself and never leads out of the directory that a path starts in. There are no links.
//!
//! The error numbers are those that modules get in Trivy, where they were looked up.

use std::sync::Arc;

use crate::refusal::Refusal;
use crate::{Table, WasiHost};

mod descriptors;
mod paths;
mod record;
#[cfg(test)]
mod tests;

/// How many descriptors a guest may have open, the root among them.
pub(crate) const MOST_OPEN: usize = 256;

/// The descriptor of the root.
const ROOT: u32 = 3;

/// The longest path that is looked at, in bytes.
const LONGEST_PATH: u32 = 64 << 10;

/// A host whose guest sees a [`Tree`].
pub trait TreeHost: WasiHost {
    /// What the guest sees, with what it has open.
    fn tree(&mut self) -> &mut Tree;
}

/// What one guest sees of files: one, at its path, or none.
///
/// The contents are shared, so showing the same file to several guests copies nothing.
#[derive(Debug, Clone)]
pub struct Tree {
    /// From the root down; the last is the file's.
    names: Vec<Box<[u8]>>,
    contents: Arc<[u8]>,
    /// The descriptors from [`ROOT`] on.
    open: Vec<Option<Open>>,
}

/// A place in the tree: how many names lead to it. The root is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node(usize);

/// What is behind a descriptor.
#[derive(Debug, Clone, Copy)]
struct Open {
    node: Node,
    /// Where the next byte of a file is read.
    offset: u64,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            contents: Arc::from([]),
            open: vec![Some(Open::at(Node(0)))],
        }
    }
}

impl Open {
    fn at(node: Node) -> Self {
        Self { node, offset: 0 }
    }
}

impl Tree {
    /// A tree in which there is nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows the file `contents` at `path`, whose parts are separated by `/`, in place of what was there. What the guest had
    /// open is closed, but for the root.
    pub fn show(&mut self, path: &str, contents: Arc<[u8]>) {
        let mut names: Vec<Box<[u8]>> = Vec::new();
        for name in path.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(names.pop()),
                name => names.push(name.as_bytes().into()),
            }
        }
        *self = Self {
            names,
            contents,
            ..Self::default()
        };
    }

    /// Shows nothing any more.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn is_directory(&self, node: Node) -> bool {
        node.0 < self.names.len() || node.0 == 0
    }

    /// The names in a directory: one, or none where the tree is empty.
    fn entry(&self, directory: Node) -> Option<(&[u8], Node)> {
        let name = self.names.get(directory.0)?;
        Some((name, Node(directory.0 + 1)))
    }

    fn size(&self, node: Node) -> u64 {
        if self.is_directory(node) {
            0
        } else {
            self.contents.len() as u64
        }
    }

    fn descriptor(&self, fd: u32) -> Result<&Open, Refusal> {
        let slot = fd
            .checked_sub(ROOT)
            .and_then(|index| self.open.get(index as usize));
        slot.and_then(Option::as_ref).ok_or(Refusal::NotOpen(fd))
    }

    fn descriptor_mut(&mut self, fd: u32) -> Result<&mut Open, Refusal> {
        let slot = fd
            .checked_sub(ROOT)
            .and_then(|index| self.open.get_mut(index as usize));
        slot.and_then(Option::as_mut).ok_or(Refusal::NotOpen(fd))
    }

    /// The file behind a descriptor, to be read.
    fn file_mut(&mut self, fd: u32) -> Result<(&mut Open, Arc<[u8]>), Refusal> {
        if self.is_directory(self.descriptor(fd)?.node) {
            return Err(Refusal::IsDirectory);
        }
        let contents = Arc::clone(&self.contents);
        Ok((self.descriptor_mut(fd)?, contents))
    }

    fn directory(&self, fd: u32) -> Result<Node, Refusal> {
        let node = self.descriptor(fd)?.node;
        if self.is_directory(node) {
            Ok(node)
        } else {
            Err(Refusal::NotDirectory)
        }
    }

    /// Opens a place, under the lowest number that is free.
    fn open(&mut self, node: Node) -> Result<u32, Refusal> {
        let free = self.open.iter().position(Option::is_none);
        let index = match free {
            Some(index) => index,
            None if self.open.len() < MOST_OPEN => {
                self.open.push(None);
                self.open.len() - 1
            }
            None => return Err(Refusal::TooManyOpen),
        };
        self.open[index] = Some(Open::at(node));
        Ok(ROOT + index as u32)
    }

    fn close(&mut self, fd: u32) -> Result<(), Refusal> {
        self.descriptor(fd)?;
        self.open[(fd - ROOT) as usize] = None;
        Ok(())
    }

    /// The place that `path` names, from the directory `fd`.
    fn resolve(&self, fd: u32, path: &[u8]) -> Result<Node, Refusal> {
        let mut node = self.directory(fd)?;
        if path.is_empty() {
            return Err(Refusal::Invalid("an empty path names nothing"));
        }
        if path.starts_with(b"/") {
            return Err(Refusal::Outside);
        }
        let mut names: Vec<&[u8]> = Vec::new();
        for name in path.split(|byte| *byte == b'/') {
            match name {
                b"" | b"." => {}
                b".." => {
                    names.pop().ok_or(Refusal::Outside)?;
                }
                name => names.push(name),
            }
        }
        for wanted in names {
            node = match self.entry(node) {
                Some((name, below)) if name == wanted => below,
                _ => return Err(Refusal::NotInTree),
            };
        }
        Ok(node)
    }
}

/// Replaces the functions for files and directories.
pub(crate) fn add<S: TreeHost + 'static>(table: &mut Table<'_, S>) {
    descriptors::add(table);
    paths::add(table);
}
