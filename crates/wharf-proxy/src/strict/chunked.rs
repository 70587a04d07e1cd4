//! Checking a chunked body (RFC 9112 section 7.1), at whatever byte it is cut.

use super::Refusal;
use super::head::{TOKEN, VALUE};
use super::parser::HeadLimits;

/// The largest sum of a body's chunk extensions: what hyper allows, too.
const EXTENSION_BYTES: usize = 16 * 1024;
const SIZE_DIGITS: u8 = 16;

/// How far the check of one body has come.
#[derive(Debug)]
pub(super) struct ChunkedCheck {
    at: At,
    extension_bytes: usize,
    trailer_bytes: usize,
    trailers: usize,
}

#[derive(Clone, Copy, Debug)]
enum At {
    Size { digits: u8, size: u64 },
    Extension { size: u64 },
    SizeLineFeed { size: u64 },
    Data { left: u64 },
    DataReturn,
    DataLineFeed,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
    End,
}

const FIRST: At = At::Size { digits: 0, size: 0 };

impl Default for ChunkedCheck {
    fn default() -> ChunkedCheck {
        ChunkedCheck {
            at: FIRST,
            extension_bytes: 0,
            trailer_bytes: 0,
            trailers: 0,
        }
    }
}

impl ChunkedCheck {
    /// Checks on. Gives how many bytes belong to the body and were found good; then either the body is at its end,
    /// or the bytes are, or the next byte is refused.
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &HeadLimits) -> (usize, Result<(), Refusal>) {
        let mut used = 0;
        while used < bytes.len() && !self.is_at_end() {
            if let At::Data { left } = self.at {
                used += self.skip(left, bytes.len() - used);
                continue;
            }
            match self.step(bytes[used], limits) {
                Ok(next) => self.at = next,
                Err(refusal) => return (used, Err(refusal)),
            }
            used += 1;
        }
        (used, Ok(()))
    }

    pub(super) fn is_at_end(&self) -> bool {
        matches!(self.at, At::End)
    }

    fn skip(&mut self, left: u64, available: usize) -> usize {
        let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(available);
        let left = left - skipped as u64;
        self.at = if left == 0 {
            At::DataReturn
        } else {
            At::Data { left }
        };
        skipped
    }

    fn step(&mut self, byte: u8, limits: &HeadLimits) -> Result<At, Refusal> {
        match (self.at, byte) {
            (At::Size { digits, size }, _) => size_step(digits, size, byte),
            (At::Extension { size }, b'\r') => Ok(At::SizeLineFeed { size }),
            (At::Extension { size }, _) if VALUE[usize::from(byte)] => self.extension(size),
            (At::Extension { .. }, _) => Err(Refusal::ChunkExtension),
            (At::SizeLineFeed { size: 0 }, b'\n') => Ok(At::TrailerStart),
            (At::SizeLineFeed { size }, b'\n') => Ok(At::Data { left: size }),
            (At::SizeLineFeed { .. }, _) => Err(Refusal::ChunkSize),
            (At::DataReturn, b'\r') => Ok(At::DataLineFeed),
            (At::DataLineFeed, b'\n') => Ok(FIRST),
            (At::DataReturn | At::DataLineFeed, _) => Err(Refusal::ChunkEnd),
            (At::TrailerStart, b'\r') => Ok(At::LastLineFeed),
            (At::LastLineFeed, b'\n') => Ok(At::End),
            _ => self.trailer_step(byte, limits),
        }
    }

    fn extension(&mut self, size: u64) -> Result<At, Refusal> {
        self.extension_bytes += 1;
        if self.extension_bytes > EXTENSION_BYTES {
            return Err(Refusal::ChunkExtension);
        }
        Ok(At::Extension { size })
    }

    fn trailer_step(&mut self, byte: u8, limits: &HeadLimits) -> Result<At, Refusal> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > limits.bytes {
            return Err(Refusal::TrailersTooLarge);
        }
        match (self.at, byte) {
            (At::TrailerStart, _) if TOKEN[usize::from(byte)] => {
                self.trailers += 1;
                if self.trailers > limits.headers {
                    return Err(Refusal::TrailersTooLarge);
                }
                Ok(At::TrailerName)
            }
            (At::TrailerName, b':') => Ok(At::TrailerValue),
            (At::TrailerName, _) if TOKEN[usize::from(byte)] => Ok(At::TrailerName),
            (At::TrailerValue, b'\r') => Ok(At::TrailerLineFeed),
            (At::TrailerValue, _) if VALUE[usize::from(byte)] => Ok(At::TrailerValue),
            (At::TrailerLineFeed, b'\n') => Ok(At::TrailerStart),
            _ => Err(Refusal::Trailer),
        }
    }
}

fn size_step(digits: u8, size: u64, byte: u8) -> Result<At, Refusal> {
    match (byte, hexadecimal(byte)) {
        (_, Some(digit)) if digits < SIZE_DIGITS => Ok(At::Size {
            digits: digits + 1,
            size: (size << 4) | u64::from(digit),
        }),
        (b'\r', _) if digits > 0 => Ok(At::SizeLineFeed { size }),
        (b';', _) if digits > 0 => Ok(At::Extension { size }),
        _ => Err(Refusal::ChunkSize),
    }
}

fn hexadecimal(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
