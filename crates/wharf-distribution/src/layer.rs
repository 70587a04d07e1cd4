//! The one file that is wanted of a container image's layer: read once from the front, within bounds.
//!
//! The layer is an archive of tar, as it is or compressed with gzip or zstd, whatever its media type says of that: the first bytes
//! are believed, since they cannot be wrong about themselves. Nothing is ever written to the disk under a name from it.

mod zstd;

use std::io::{self, Read};

use wharf_plugin::ByteSize;

use crate::layout::{LayoutError, shown};

/// The most bytes of a layer once it is unpacked.
const MOST_UNPACKED: ByteSize = ByteSize::from_mib(512);
/// The most files, directories and other members of a layer.
const MOST_MEMBERS: u32 = 200_000;
/// The most bytes of what says more of a member than its header can.
const MOST_EXTENSION: u64 = 64 << 10;
/// How many names are told.
const MOST_NAMES: usize = 4;
const BLOCK: usize = 512;
const GZIP: &[u8] = &[0x1f, 0x8b];
/// The file that is looked for first.
const PLUGIN: &str = "plugin.wasm";

/// The plugin in a layer of at most so many bytes.
pub(crate) fn plugin_in(layer: &[u8], most: ByteSize) -> Result<Vec<u8>, LayoutError> {
    if layer.starts_with(GZIP) {
        return search(flate2::read::MultiGzDecoder::new(layer), most);
    }
    if zstd::is_zstd(layer) {
        return search(zstd::Frames::of(layer), most);
    }
    search(layer, most)
}

fn search(unpacked: impl Read, most: ByteSize) -> Result<Vec<u8>, LayoutError> {
    let mut archive = Archive::new(unpacked, ("the last layer, unpacked,", MOST_UNPACKED));
    let mut found: Option<Vec<u8>> = None;
    let mut names: Vec<String> = Vec::new();
    let mut count = 0;
    while let Some(member) = archive.next()? {
        count += 1;
        if count > MOST_MEMBERS {
            return Err(bad("it has too many members"));
        }
        let base = member.name.rsplit('/').next().unwrap_or_default();
        // What begins so is the mark of a file that was deleted.
        let is_module = member.is_file && base.ends_with(".wasm") && !base.starts_with(".wh.");
        if !is_module {
            archive.skip(member.size)?;
            continue;
        }
        if member.size > most.bytes() {
            return Err(LayoutError::TooLarge {
                what: "the plugin in the last layer",
                limit: most,
            });
        }
        if base == PLUGIN {
            return archive.content(member.size);
        }
        if names.len() < MOST_NAMES {
            names.push(shown(&member.name));
        }
        if found.is_none() && names.len() == 1 {
            found = Some(archive.content(member.size)?);
        } else {
            found = None;
            archive.skip(member.size)?;
        }
    }
    match (found, names.is_empty()) {
        (Some(bytes), _) => Ok(bytes),
        (None, true) => Err(LayoutError::NoFile),
        (None, false) => Err(LayoutError::SeveralFiles { names }),
    }
}

/// An archive of tar that is read from the front.
pub(crate) struct Archive<R> {
    reader: R,
    /// How many bytes were read, unpacked.
    read: u64,
    /// What it is, and how many bytes it may have.
    most: (&'static str, ByteSize),
}

/// A member of an archive, whose bytes come next.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) is_file: bool,
}

impl<R: Read> Archive<R> {
    pub(crate) fn new(reader: R, most: (&'static str, ByteSize)) -> Self {
        Self {
            reader,
            read: 0,
            most,
        }
    }

    /// The next member that is something by itself; nothing at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, LayoutError> {
        let mut long_name = None;
        let mut long_size = None;
        // Each says something of the next, and a few may follow each other.
        for _ in 0..8 {
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let size = number(field(&header, 124, 12)).ok_or_else(|| bad("a member has no size"))?;
            match header.get(156).copied().unwrap_or_default() {
                b'x' => {
                    let text = self.extension(size)?;
                    for (key, value) in pax(&text) {
                        match key.as_str() {
                            "path" => long_name = Some(value),
                            "size" => long_size = value.parse().ok(),
                            _ => {}
                        }
                    }
                }
                b'L' => {
                    let text = self.extension(size)?;
                    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
                    let text = text.get(..end).unwrap_or_default();
                    long_name = Some(String::from_utf8_lossy(text).into_owned());
                }
                b'g' | b'K' => self.skip(size)?,
                kind => {
                    return Ok(Some(Member {
                        name: long_name.unwrap_or_else(|| name(&header)),
                        size: long_size.unwrap_or(size),
                        is_file: matches!(kind, b'0' | 0 | b'7'),
                    }));
                }
            }
        }
        Err(bad("too much is said of one member"))
    }

    /// A header; nothing at the end of the archive.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, LayoutError> {
        let mut block = [0; BLOCK];
        let count = self.fill(&mut block)?;
        // Behind what was read a decoder may have left anything.
        let is_end = block.iter().take(count).all(|byte| *byte == 0);
        if is_end {
            return Ok(None);
        }
        if count < BLOCK {
            return Err(bad("it ends in the middle"));
        }
        // The sum is of all bytes, with those of the sum itself taken for spaces.
        let bytes = block.iter().enumerate();
        let sum = bytes.fold(0_u64, |sum, (at, byte)| {
            let byte = if (148..156).contains(&at) { b' ' } else { *byte };
            sum + u64::from(byte)
        });
        match number(field(&block, 148, 8)) {
            Some(said) if said == sum => Ok(Some(block)),
            _ => Err(bad("it is no archive of tar")),
        }
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, LayoutError> {
        if size > MOST_EXTENSION {
            return Err(bad("the name of a member is too long"));
        }
        self.content(size)
    }

    /// The bytes of a member.
    pub(crate) fn content(&mut self, size: u64) -> Result<Vec<u8>, LayoutError> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 << 10];
        while (bytes.len() as u64) < size {
            let rest = size - bytes.len() as u64;
            let wanted = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
            let part = buffer.get_mut(..wanted).unwrap_or_default();
            if self.fill(part)? < wanted {
                return Err(bad("it ends in the middle"));
            }
            bytes.extend_from_slice(part);
        }
        self.skip_exactly(padding(size))?;
        Ok(bytes)
    }

    /// Goes past the bytes of a member.
    pub(crate) fn skip(&mut self, size: u64) -> Result<(), LayoutError> {
        self.skip_exactly(size.saturating_add(padding(size)))
    }

    fn skip_exactly(&mut self, mut rest: u64) -> Result<(), LayoutError> {
        let mut buffer = [0; 16 << 10];
        while rest > 0 {
            let wanted = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
            let count = self.fill(buffer.get_mut(..wanted).unwrap_or_default())?;
            if count < wanted {
                return Err(bad("it ends in the middle"));
            }
            rest -= count as u64;
        }
        Ok(())
    }

    /// Reads until a buffer is full or the end has come, and no more than may be read of all.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, LayoutError> {
        let mut count = 0;
        while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(bad(&error.to_string())),
            }
        }
        self.read += count as u64;
        let (what, limit) = self.most;
        if self.read > limit.bytes() {
            return Err(LayoutError::TooLarge { what, limit });
        }
        Ok(count)
    }
}

fn field(header: &[u8], at: usize, length: usize) -> &[u8] {
    header.get(at..at + length).unwrap_or_default()
}

/// A number in octal digits, or in binary where it is too large for these.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((first, rest)) = field.split_first().filter(|(first, _)| **first & 0x80 != 0) {
        let bytes = std::iter::once(first & 0x7f).chain(rest.iter().copied());
        let mut value = 0_u64;
        for byte in bytes {
            value = value.checked_mul(256)?.checked_add(u64::from(byte))?;
        }
        return Some(value);
    }
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(['\0', ' ']);
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(digits, 8).ok()
}

/// The name in a header, in two parts where it is long.
fn name(header: &[u8]) -> String {
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
    };
    let name = text(field(header, 0, 100));
    let prefix = match field(header, 257, 6) {
        b"ustar\0" => text(field(header, 345, 155)),
        _ => String::new(),
    };
    if prefix.is_empty() {
        name
    } else {
        format!("{prefix}/{name}")
    }
}

fn padding(size: u64) -> u64 {
    let block = BLOCK as u64;
    (block - size % block) % block
}

/// The records `LENGTH KEY=VALUE\n` of an extended header.
fn pax(mut bytes: &[u8]) -> Vec<(String, String)> {
    let mut records = Vec::new();
    while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
        let length = std::str::from_utf8(bytes.get(..space).unwrap_or_default())
            .ok()
            .and_then(|digits| digits.parse::<usize>().ok());
        let record = length.and_then(|length| bytes.split_at_checked(length));
        let Some((record, rest)) = record.filter(|(record, _)| record.len() > space) else {
            break;
        };
        let record = String::from_utf8_lossy(record.get(space + 1..).unwrap_or_default()).into_owned();
        if let Some((key, value)) = record.trim_end_matches('\n').split_once('=') {
            records.push((key.to_owned(), value.to_owned()));
        }
        bytes = rest;
    }
    records
}

fn bad(reason: &str) -> LayoutError {
    LayoutError::BadArchive {
        reason: shown(reason),
    }
}

#[cfg(test)]
mod tests;
