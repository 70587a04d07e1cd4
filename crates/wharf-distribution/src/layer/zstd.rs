//! Streams of Zstandard: frames one after the other, as tools write them that want to reach single files of a layer.

use std::io::{self, Read};

use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

const FRAME: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The bytes before the content of a frame that is to be skipped: what it is, and its length.
const SKIPPED_HEADER: usize = 8;

/// Whether bytes begin as a frame does, or as one that is to be skipped.
pub(super) fn is_zstd(bytes: &[u8]) -> bool {
    bytes.starts_with(FRAME) || matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// What is in all frames. Those that are to be skipped are.
pub(super) struct Frames<'a> {
    frame: Option<StreamingDecoder<&'a [u8], ruzstd::decoding::FrameDecoder>>,
    /// What follows the frame.
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self {
            frame: None,
            rest: bytes,
        }
    }

    /// Begins with the next frame; says whether there is one.
    fn next(&mut self) -> io::Result<bool> {
        while !self.rest.is_empty() {
            match StreamingDecoder::new(self.rest) {
                Ok(frame) => {
                    self.frame = Some(frame);
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    let skipped = SKIPPED_HEADER.saturating_add(length);
                    self.rest = self.rest.get(skipped..).ok_or(io::ErrorKind::UnexpectedEof)?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let count = frame.read(buffer)?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
                self.rest = frame.get_ref();
                self.frame = None;
            }
            if !self.next()? {
                return Ok(0);
            }
        }
    }
}
