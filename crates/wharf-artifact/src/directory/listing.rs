//! The names in one directory, in order.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, RawDir};
use rustix::io::Errno;

/// Names in one piece of memory: millions of them cost little more than their bytes.
#[derive(Debug, Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    /// Where each name starts, and its length.
    places: Vec<(u32, u32)>,
}

/// What a directory has.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: Names,
    pub(super) directories: Names,
    /// Links, sockets, FIFOs and devices.
    pub(super) others: u64,
    /// Why not all of it was read.
    pub(super) broken: Option<Broken>,
}

/// Why not all of a directory was read.
#[derive(Debug)]
pub(super) enum Broken {
    /// The system refused.
    Refused(Errno),
    /// There is no room for more names.
    Full,
}

/// Reads a directory. `room` is the bytes that its names may take.
pub(super) fn list(directory: BorrowedFd<'_>, buffer: &mut Vec<u8>, room: usize) -> Listing {
    let mut listing = Listing::default();
    buffer.clear();
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(errno) => {
                listing.broken = Some(Broken::Refused(errno));
                break;
            }
        };
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not say it.
            FileType::Unknown => match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(_) => FileType::Unknown,
            },
            kind => kind,
        };
        let names = match kind {
            FileType::RegularFile => &mut listing.files,
            FileType::Directory => &mut listing.directories,
            _ => {
                listing.others += 1;
                continue;
            }
        };
        names.push(name);
        if listing
            .files
            .memory()
            .saturating_add(listing.directories.memory())
            > room
        {
            listing.broken = Some(Broken::Full);
            break;
        }
    }
    listing.files.sort();
    listing.directories.sort();
    listing
}

impl Names {
    fn push(&mut self, name: &[u8]) {
        // The room for names is less than what 32 bits count, and a name of the kernel is at most 255 bytes.
        let (Ok(start), Ok(length)) = (u32::try_from(self.bytes.len()), u32::try_from(name.len())) else {
            return;
        };
        self.bytes.extend_from_slice(name);
        self.places.push((start, length));
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.places
            .sort_unstable_by(|left, right| slice(bytes, *left).cmp(slice(bytes, *right)));
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn name(&self, position: usize) -> Option<&[u8]> {
        self.places.get(position).map(|place| slice(&self.bytes, *place))
    }

    /// The bytes that it takes.
    pub(super) fn memory(&self) -> usize {
        self.bytes
            .len()
            .saturating_add(self.places.len().saturating_mul(size_of::<(u32, u32)>()))
    }
}

fn slice(bytes: &[u8], (start, length): (u32, u32)) -> &[u8] {
    let start = start as usize;
    bytes
        .get(start..start.saturating_add(length as usize))
        .unwrap_or_default()
}
