//! Entries, one after the other.

use std::io::{self, Read};

use super::header::{self, Flag, Header, Kind};
use super::pax::{self, Records};
use super::sparse::{self, MapInData, Segment};
use super::{BLOCK, HeaderFault, MOST_EXTENDED, TarError};

/// Where an archive comes from.
pub(crate) trait Input: Read {
    /// Passes over bytes. Gives how many there were: fewer than asked for only at the end.
    fn skip(&mut self, bytes: u64) -> io::Result<u64>;
}

/// One entry, without its data.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The name as it stands in the archive.
    pub(crate) name: Vec<u8>,
    pub(crate) kind: Kind,
    /// The size of the file in bytes, its holes included.
    pub(crate) size: u64,
    pub(crate) mode: u32,
    /// The target of a link as it stands in the archive.
    pub(crate) link: Vec<u8>,
    /// The parts that are not holes, where it has holes.
    map: Option<Vec<Segment>>,
}

impl Entry {
    /// Whether the data is the file as it is, without holes.
    pub(crate) fn is_whole(&self) -> bool {
        self.map.is_none()
    }
}

/// Reads an archive as a stream.
pub(crate) struct Reader<I> {
    input: I,
    position: u64,
    /// What is left of the data of the entry that was given last.
    data: u64,
    /// What fills its last block.
    padding: u64,
}

/// What came before an entry and is about it.
#[derive(Default)]
struct Announced {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Option<Records>,
}

impl<I: Input> Reader<I> {
    pub(crate) fn new(input: I) -> Self {
        Self {
            input,
            position: 0,
            data: 0,
            padding: 0,
        }
    }

    /// Where the data of the entry that was given last starts, in bytes from the start of the archive, as long as none of it was read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes of data are stored for the entry that was given last, as long as none of it was read.
    pub(crate) fn stored(&self) -> u64 {
        self.data
    }

    pub(crate) fn input(&self) -> &I {
        &self.input
    }

    pub(crate) fn into_input(self) -> I {
        self.input
    }

    /// The next entry, past what was not read of the last one; none at the end of the archive.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, TarError> {
        let mut announced = Announced::default();
        loop {
            self.pass_over_data()?;
            let start = self.position;
            let Some(block) = self.header_block(&announced)? else {
                return Ok(None);
            };
            let at = |fault| TarError::Header {
                position: start,
                fault,
            };
            let found = header::parse(&block).map_err(at)?;
            match found.flag {
                Flag::LongName => announced.name = Some(self.long_text(&found, start)?),
                Flag::LongLink => announced.link = Some(self.long_text(&found, start)?),
                Flag::Extended => {
                    let bytes = self.extended(&found, start)?;
                    announced.records = Some(pax::parse(&bytes).map_err(at)?);
                }
                Flag::Global => self.expect(found.size),
                Flag::Entry(_) | Flag::GnuSparse => {
                    return self.entry(&block, found, announced, start).map(Some);
                }
            }
        }
    }

    /// A block that is not all zeros, or none at the end.
    fn header_block(&mut self, announced: &Announced) -> Result<Option<[u8; BLOCK]>, TarError> {
        let start = self.position;
        let Some(block) = self.block()? else {
            return announced.none_left(start).map(|()| None);
        };
        if !header::is_zero(&block) {
            return Ok(Some(block));
        }
        match self.block()? {
            Some(second) if !header::is_zero(&second) => Err(TarError::Header {
                position: start,
                fault: HeaderFault::AfterEnd,
            }),
            _ => announced.none_left(start).map(|()| None),
        }
    }

    fn entry(
        &mut self,
        block: &[u8; BLOCK],
        found: Header,
        announced: Announced,
        start: u64,
    ) -> Result<Entry, TarError> {
        let at = |fault| TarError::Header {
            position: start,
            fault,
        };
        let records = announced.records.unwrap_or_default();
        let kind = match found.flag {
            Flag::Entry(kind) => kind,
            _ => Kind::File,
        };
        let mut stored = records.size.unwrap_or(found.size);
        if header::is_header_only(block) {
            stored = 0;
        }
        let name = records.sparse.name.or(records.path).unwrap_or(found.name);
        let mut entry = Entry {
            name: announced.name.unwrap_or(name),
            kind,
            size: stored,
            mode: found.mode,
            link: announced.link.or(records.link).unwrap_or(found.link),
            map: None,
        };
        if header::has_old_flag(block) && entry.name.ends_with(b"/") {
            entry.kind = Kind::Directory;
        }
        if found.flag == Flag::GnuSparse {
            if !found.gnu {
                return Err(at(sparse::fault()));
            }
            let map = self.gnu_map(block, start)?;
            entry.size = sparse::gnu_real_size(block).map_err(at)?;
            sparse::check(&map, stored, entry.size).map_err(at)?;
            entry.map = Some(map);
        } else if kind == Kind::File && (records.sparse.in_data || records.sparse.map.is_some()) {
            entry.size = records.sparse.real_size.ok_or_else(|| at(sparse::fault()))?;
            let map = if records.sparse.in_data {
                self.map_in_data(&mut stored, start)?
            } else {
                records.sparse.map.unwrap_or_default()
            };
            sparse::check(&map, stored, entry.size).map_err(at)?;
            entry.map = Some(map);
        }
        self.expect(stored);
        Ok(entry)
    }

    /// Reads the whole file, holes as zeros. `entry.size` must have been held against a limit before.
    pub(crate) fn contents(&mut self, entry: &Entry) -> Result<Vec<u8>, TarError> {
        let out_of_memory = || TarError::Input(io::ErrorKind::OutOfMemory.into());
        let size = usize::try_from(entry.size).map_err(|_| out_of_memory())?;
        let mut bytes = Vec::new();
        let Some(map) = &entry.map else {
            // What is declared need not be there, so memory is taken as the bytes come.
            self.append(&mut bytes, entry.size)?;
            return Ok(bytes);
        };
        bytes.try_reserve_exact(size).map_err(|_| out_of_memory())?;
        for segment in map {
            let offset = usize::try_from(segment.offset).map_err(|_| out_of_memory())?;
            bytes.resize(offset.min(size), 0);
            self.append(&mut bytes, segment.length)?;
        }
        bytes.resize(size, 0);
        Ok(bytes)
    }

    fn append(&mut self, bytes: &mut Vec<u8>, length: u64) -> Result<(), TarError> {
        let length = length.min(self.data);
        if length <= 1 << 20 {
            bytes.reserve(usize::try_from(length).unwrap_or(0));
        }
        let read = (&mut self.input)
            .take(length)
            .read_to_end(bytes)
            .map_err(TarError::Input)? as u64;
        self.position = self.position.saturating_add(read);
        self.data = self.data.saturating_sub(read);
        if read < length {
            Err(TarError::Truncated {
                position: self.position,
            })
        } else {
            Ok(())
        }
    }

    /// What follows the header is data of this many bytes.
    fn expect(&mut self, stored: u64) {
        self.data = stored;
        self.padding = stored.wrapping_neg() % BLOCK as u64;
    }

    fn pass_over_data(&mut self) -> Result<(), TarError> {
        let data = std::mem::take(&mut self.data);
        let padding = std::mem::take(&mut self.padding);
        let skipped = self.input.skip(data).map_err(TarError::Input)?;
        self.position = self.position.saturating_add(skipped);
        if skipped < data {
            return Err(TarError::Truncated {
                position: self.position,
            });
        }
        // Some programs leave the padding of the very last entry away.
        let skipped = self.input.skip(padding).map_err(TarError::Input)?;
        self.position = self.position.saturating_add(skipped);
        Ok(())
    }

    /// The next block; none where the bytes end before it.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(TarError::Input(error)),
            }
        }
        self.position = self.position.saturating_add(filled as u64);
        match filled {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ => Err(TarError::Truncated {
                position: self.position,
            }),
        }
    }

    fn needed_block(&mut self) -> Result<[u8; BLOCK], TarError> {
        self.block()?.ok_or(TarError::Truncated {
            position: self.position,
        })
    }

    fn long_text(&mut self, found: &Header, start: u64) -> Result<Vec<u8>, TarError> {
        let mut bytes = self.extended(found, start)?;
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        Ok(bytes)
    }

    fn extended(&mut self, found: &Header, start: u64) -> Result<Vec<u8>, TarError> {
        let (size, limit) = (found.size, MOST_EXTENDED);
        if size > limit {
            let fault = HeaderFault::TooLarge { size, limit };
            return Err(TarError::Header {
                position: start,
                fault,
            });
        }
        self.expect(size);
        let mut bytes = Vec::new();
        self.append(&mut bytes, size)?;
        Ok(bytes)
    }

    fn gnu_map(&mut self, block: &[u8; BLOCK], start: u64) -> Result<Vec<Segment>, TarError> {
        let at = |fault| TarError::Header {
            position: start,
            fault,
        };
        let mut map = Vec::new();
        let mut more = sparse::gnu_segments(block, 386, 4, &mut map).map_err(at)?;
        let mut blocks = 0;
        while more {
            blocks += 1;
            if blocks > sparse::MOST_SEGMENTS {
                return Err(at(sparse::fault()));
            }
            let next = self.needed_block()?;
            more = sparse::gnu_segments(&next, 0, 21, &mut map).map_err(at)?;
        }
        Ok(map)
    }

    /// Reads the map that stands before the data, and takes its blocks off what is stored.
    fn map_in_data(&mut self, stored: &mut u64, start: u64) -> Result<Vec<Segment>, TarError> {
        let at = |fault| TarError::Header {
            position: start,
            fault,
        };
        let mut reading = MapInData::default();
        loop {
            *stored = stored
                .checked_sub(BLOCK as u64)
                .ok_or_else(|| at(sparse::fault()))?;
            let block = self.needed_block()?;
            if reading.take(&block).map_err(at)? {
                return Ok(reading.map);
            }
        }
    }
}

impl Announced {
    /// The archive ends; nothing may have been announced.
    fn none_left(&self, position: u64) -> Result<(), TarError> {
        if self.name.is_some() || self.link.is_some() || self.records.is_some() {
            return Err(TarError::Header {
                position,
                fault: HeaderFault::NoEntry,
            });
        }
        Ok(())
    }
}
