//! The records in which the interface describes files.

use super::{Node, Tree};

const DIRECTORY: u8 = 3;
const REGULAR_FILE: u8 = 4;

/// The rights to read, seek, tell and see the state of a file.
const RIGHTS_OF_FILES: u64 = 1 << 1 | 1 << 2 | 1 << 5 | 1 << 21;
/// The rights to open what is in a directory, list it, and see the state of it and of what is in it.
const RIGHTS_OF_DIRECTORIES: u64 = 1 << 13 | 1 << 14 | 1 << 18 | 1 << 21;

/// The size of the head of an entry of a directory.
pub(super) const ENTRY_HEAD: usize = 24;

impl Tree {
    pub(super) fn kind(&self, node: Node) -> u8 {
        if self.is_directory(node) {
            DIRECTORY
        } else {
            REGULAR_FILE
        }
    }

    /// What `fd_fdstat_get` writes.
    ///
    /// ```text
    ///    kind      flags                  rights                 inherited rights
    ///   ┌───┬───┬─────────┬───────────┬──────────────────────┬──────────────────────┐
    ///   │ 4 │ 0 │ 0     0 │ 0  0  0 0 │ 38 0 32 0  0 0 0 0   │ 0 0 0 0  0 0 0 0     │
    ///   └───┴───┴─────────┴───────────┴──────────────────────┴──────────────────────┘
    ///   0       2         4           8                      16
    /// ```
    pub(super) fn descriptor_record(&self, node: Node) -> [u8; 24] {
        let (rights, inherited) = if self.is_directory(node) {
            (RIGHTS_OF_DIRECTORIES, RIGHTS_OF_DIRECTORIES | RIGHTS_OF_FILES)
        } else {
            (RIGHTS_OF_FILES, 0)
        };
        let mut record = [0; 24];
        record[0] = self.kind(node);
        record[8..16].copy_from_slice(&rights.to_le_bytes());
        record[16..].copy_from_slice(&inherited.to_le_bytes());
        record
    }

    /// What `fd_filestat_get` and `path_filestat_get` write: a device 0, a number that no other place has, one link, and
    /// times that are all 0.
    ///
    /// ```text
    ///    device     number     kind         links      size       accessed   modified   changed
    ///   ┌──────────┬──────────┬───┬────────┬──────────┬──────────┬──────────┬──────────┬──────────┐
    ///   │ 0        │ 3        │ 4 │ 0 …    │ 1        │ 5        │ 0        │ 0        │ 0        │
    ///   └──────────┴──────────┴───┴────────┴──────────┴──────────┴──────────┴──────────┴──────────┘
    ///   0          8          16  17       24         32         40         48         56
    /// ```
    pub(super) fn state_record(&self, node: Node) -> [u8; 64] {
        let mut record = [0; 64];
        record[8..16].copy_from_slice(&Self::number(node).to_le_bytes());
        record[16] = self.kind(node);
        record[24] = 1;
        record[32..40].copy_from_slice(&self.size(node).to_le_bytes());
        record
    }

    /// The same in the older interface, where the links are a `u32` at 20 and all behind them is 8 bytes earlier.
    pub(super) fn unstable_state_record(&self, node: Node) -> [u8; 56] {
        let mut record = [0; 56];
        record[8..16].copy_from_slice(&Self::number(node).to_le_bytes());
        record[16] = self.kind(node);
        record[20] = 1;
        record[24..32].copy_from_slice(&self.size(node).to_le_bytes());
        record
    }

    /// The entries of a directory from the one with the number `from`: `.`, `..`, and the one name in it.
    pub(super) fn entries(&self, directory: Node, from: u64) -> Vec<u8> {
        let above = Node(directory.0.saturating_sub(1));
        let mut entries = vec![(&b"."[..], directory), (&b".."[..], above)];
        entries.extend(self.entry(directory));
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        for (index, (name, node)) in entries.into_iter().enumerate().skip(from) {
            let next = index as u64 + 1;
            let mut head = [0; ENTRY_HEAD];
            head[..8].copy_from_slice(&next.to_le_bytes());
            head[8..16].copy_from_slice(&Self::number(node).to_le_bytes());
            head[16..20].copy_from_slice(&(name.len() as u32).to_le_bytes());
            head[20] = self.kind(node);
            bytes.extend_from_slice(&head);
            bytes.extend_from_slice(name);
        }
        bytes
    }

    /// A number that no other place has; 0 would mean none.
    fn number(node: Node) -> u64 {
        node.0 as u64 + 1
    }
}
