//! One header block.

use super::fields::{field, number, text};
use super::{BLOCK, HeaderFault};

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file, also one with holes.
    File,
    /// Another name of a file.
    HardLink,
    /// A symbolic link.
    SymbolicLink,
    /// A directory.
    Directory,
    /// A device, a FIFO, or something that no file system here has.
    Other,
}

/// A header block as it stands.
pub(super) struct Header {
    pub(super) flag: Flag,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) size: u64,
    pub(super) mode: u32,
    /// Whether it is in the dialect of GNU tar, where sparse files have their map in the header.
    pub(super) gnu: bool,
}

/// What a header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    Entry(Kind),
    /// A file of GNU tar with its map of holes in the header.
    GnuSparse,
    /// The name of the next entry.
    LongName,
    /// The link target of the next entry.
    LongLink,
    /// Records about the next entry.
    Extended,
    /// Records about all entries that follow, which nobody heeds.
    Global,
}

/// Whether a block is all zeros.
pub(super) fn is_zero(block: &[u8; BLOCK]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// Reads a header block that is not all zeros.
pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Header, HeaderFault> {
    checksum(block)?;
    let gnu = field(block, 257, 8) == b"ustar  \0";
    let posix = field(block, 257, 6) == b"ustar\0";
    let mut name = text(field(block, 0, 100)).to_vec();
    let prefix = if posix {
        let star = field(block, 508, 4) == b"tar\0";
        text(field(block, 345, if star { 131 } else { 155 }))
    } else {
        &[]
    };
    if !prefix.is_empty() {
        name = [prefix, b"/", &name].concat();
    }
    let flag = match field(block, 156, 1) {
        [0 | b'0' | b'7'] => Flag::Entry(Kind::File),
        b"1" => Flag::Entry(Kind::HardLink),
        b"2" => Flag::Entry(Kind::SymbolicLink),
        b"5" => Flag::Entry(Kind::Directory),
        b"S" => Flag::GnuSparse,
        b"L" => Flag::LongName,
        b"K" => Flag::LongLink,
        b"x" => Flag::Extended,
        b"g" => Flag::Global,
        _ => Flag::Entry(Kind::Other),
    };
    // The permissions decide nothing, so a field that is no number is no reason to refuse the archive.
    let mode = number(field(block, 100, 8), "mode").unwrap_or(0) & 0o7777;
    Ok(Header {
        flag,
        name,
        link: text(field(block, 157, 100)).to_vec(),
        size: number(field(block, 124, 12), "size")?,
        mode: u32::try_from(mode).unwrap_or(0),
        gnu,
    })
}

/// Whether a slash at the end of the name makes the entry a directory, as before archives had directories.
pub(super) fn has_old_flag(block: &[u8; BLOCK]) -> bool {
    field(block, 156, 1) == [0]
}

/// Whether an entry has nothing behind its header, whatever its size says: links, directories, devices and FIFOs.
pub(super) fn is_header_only(block: &[u8; BLOCK]) -> bool {
    matches!(field(block, 156, 1), [b'1'..=b'6'])
}

/// The sum of all bytes, those of the sum itself taken as blanks. Some old programs added signed bytes.
fn checksum(block: &[u8; BLOCK]) -> Result<(), HeaderFault> {
    let declared = number(field(block, 148, 8), "checksum").map_err(|_| HeaderFault::Checksum)?;
    let (mut unsigned, mut signed) = (0_u64, 0_i64);
    for (position, byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&position) {
            b' '
        } else {
            *byte
        };
        unsigned += u64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    if declared == unsigned || i64::try_from(declared) == Ok(signed) {
        Ok(())
    } else {
        Err(HeaderFault::Checksum)
    }
}
