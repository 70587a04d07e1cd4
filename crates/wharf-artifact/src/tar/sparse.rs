//! Files with holes.

use super::fields::{decimal, field, number};
use super::{BLOCK, HeaderFault};

/// The most parts of the map of one file.
pub(super) const MOST_SEGMENTS: usize = 100_000;

/// A part of a file that is not a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// The fault of a map.
pub(super) fn fault() -> HeaderFault {
    HeaderFault::SparseMap { limit: MOST_SEGMENTS }
}

/// Adds the parts that a header or a block behind it names, and says whether another block follows.
pub(super) fn gnu_segments(
    block: &[u8; BLOCK],
    start: usize,
    count: usize,
    map: &mut Vec<Segment>,
) -> Result<bool, HeaderFault> {
    for index in 0..count {
        let at = start + index * 24;
        // An entry that is all zeros ends the map.
        if field(block, at, 1) == [0] {
            break;
        }
        let offset = number(field(block, at, 12), "sparse")?;
        let length = number(field(block, at + 12, 12), "sparse")?;
        map.push(Segment { offset, length });
        if map.len() > MOST_SEGMENTS {
            return Err(fault());
        }
    }
    Ok(field(block, start + count * 24, 1).iter().any(|byte| *byte != 0))
}

/// The size of the whole file, as the header of GNU tar has it.
pub(super) fn gnu_real_size(block: &[u8; BLOCK]) -> Result<u64, HeaderFault> {
    number(field(block, 483, 12), "realsize")
}

/// Checks that parts follow each other, lie in the file, and need as many bytes as are stored.
pub(super) fn check(map: &[Segment], stored: u64, real_size: u64) -> Result<(), HeaderFault> {
    let (mut end, mut sum) = (0_u64, 0_u64);
    for segment in map {
        if segment.offset < end {
            return Err(fault());
        }
        end = segment.offset.checked_add(segment.length).ok_or_else(fault)?;
        sum = sum.checked_add(segment.length).ok_or_else(fault)?;
    }
    if end > real_size || sum != stored {
        Err(fault())
    } else {
        Ok(())
    }
}

/// Reads the map at the start of a file's data: a count, then an offset and a length for each part, each on a line.
#[derive(Debug, Default)]
pub(super) struct MapInData {
    count: Option<u64>,
    offset: Option<u64>,
    line: Vec<u8>,
    pub(super) map: Vec<Segment>,
}

impl MapInData {
    /// Takes a block; says whether the map is complete.
    pub(super) fn take(&mut self, block: &[u8; BLOCK]) -> Result<bool, HeaderFault> {
        for byte in block {
            if self.is_complete() {
                break;
            }
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() > 20 {
                    return Err(fault());
                }
                continue;
            }
            let number = decimal(&self.line).ok_or_else(fault)?;
            self.line.clear();
            match (self.count, self.offset.take()) {
                (None, _) if number > MOST_SEGMENTS as u64 => return Err(fault()),
                (None, _) => self.count = Some(number),
                (Some(_), None) => self.offset = Some(number),
                (Some(_), Some(offset)) => self.map.push(Segment {
                    offset,
                    length: number,
                }),
            }
        }
        Ok(self.is_complete())
    }

    fn is_complete(&self) -> bool {
        self.count == Some(self.map.len() as u64) && self.offset.is_none()
    }
}
