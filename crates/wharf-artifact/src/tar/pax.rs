//! Extended headers: records about the next entry.

use super::HeaderFault;
use super::fields::decimal;
use super::sparse::{MOST_SEGMENTS, Segment};

/// What the records say that matters here. Records without a value leave what the header says.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) sparse: SparseRecords,
}

/// The records of the three ways in which files with holes are written in this format.
#[derive(Debug, Default)]
pub(super) struct SparseRecords {
    pub(super) name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    /// The map, where the records have it; `None` where there is none.
    pub(super) map: Option<Vec<Segment>>,
    /// Whether the map stands at the start of the data.
    pub(super) in_data: bool,
    offset: Option<u64>,
    major: Option<u64>,
    minor: Option<u64>,
}

/// Reads all records of an extended header.
pub(super) fn parse(mut bytes: &[u8]) -> Result<Records, HeaderFault> {
    let mut records = Records::default();
    // What follows the records in the last block may be zeros.
    while !bytes.is_empty() && bytes.first() != Some(&0) {
        let blank = bytes
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or(HeaderFault::Record)?;
        let (digits, _) = bytes.split_at_checked(blank).ok_or(HeaderFault::Record)?;
        let length = decimal(digits).and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or(HeaderFault::Record)?;
        let (record, rest) = bytes.split_at_checked(length).ok_or(HeaderFault::Record)?;
        bytes = rest;
        let record = record
            .get(blank + 1..)
            .and_then(|record| record.strip_suffix(b"\n"));
        let record = record.ok_or(HeaderFault::Record)?;
        let equals = record
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or(HeaderFault::Record)?;
        let (key, value) = record.split_at_checked(equals).ok_or(HeaderFault::Record)?;
        records.take(key, value.get(1..).unwrap_or_default())?;
    }
    let sparse = &mut records.sparse;
    sparse.in_data = sparse.major == Some(1) && sparse.minor == Some(0);
    if sparse.offset.is_some() {
        return Err(HeaderFault::SparseMap { limit: MOST_SEGMENTS });
    }
    Ok(records)
}

impl Records {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), HeaderFault> {
        let given = |value: &[u8]| (!value.is_empty()).then(|| value.to_vec());
        let counted = |field| {
            if value.is_empty() {
                return Ok(None);
            }
            decimal(value).map(Some).ok_or(HeaderFault::Number { field })
        };
        match key {
            b"path" => self.path = given(value),
            b"linkpath" => self.link = given(value),
            b"size" => self.size = counted("size")?,
            b"GNU.sparse.name" => self.sparse.name = given(value),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                self.sparse.real_size = counted("GNU.sparse.size")?;
            }
            b"GNU.sparse.major" => self.sparse.major = counted("GNU.sparse.major")?,
            b"GNU.sparse.minor" => self.sparse.minor = counted("GNU.sparse.minor")?,
            b"GNU.sparse.map" => self.sparse.whole_map(value)?,
            b"GNU.sparse.offset" => self.sparse.offset = counted("GNU.sparse.offset")?,
            b"GNU.sparse.numbytes" => self.sparse.length(decimal(value))?,
            b"GNU.sparse.numblocks" => {
                self.sparse.map.get_or_insert_default();
            }
            _ => {}
        }
        Ok(())
    }
}

impl SparseRecords {
    /// `OFFSET,LENGTH,OFFSET,LENGTH…`
    fn whole_map(&mut self, value: &[u8]) -> Result<(), HeaderFault> {
        let fault = HeaderFault::SparseMap { limit: MOST_SEGMENTS };
        let mut map = Vec::new();
        let mut numbers = value.split(|byte| *byte == b',').filter(|part| !part.is_empty());
        while let Some(offset) = numbers.next() {
            let length = numbers.next().and_then(decimal).ok_or(fault)?;
            map.push(Segment {
                offset: decimal(offset).ok_or(fault)?,
                length,
            });
            if map.len() > MOST_SEGMENTS {
                return Err(fault);
            }
        }
        self.map = Some(map);
        Ok(())
    }

    /// A length, which follows its offset.
    fn length(&mut self, length: Option<u64>) -> Result<(), HeaderFault> {
        let fault = HeaderFault::SparseMap { limit: MOST_SEGMENTS };
        let (Some(offset), Some(length)) = (self.offset.take(), length) else {
            return Err(fault);
        };
        let map = self.map.get_or_insert_default();
        map.push(Segment { offset, length });
        if map.len() > MOST_SEGMENTS {
            Err(fault)
        } else {
            Ok(())
        }
    }
}
