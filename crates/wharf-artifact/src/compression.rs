//! Compressed streams: which format, and their decoders.

use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How many bytes tell a format.
pub(crate) const MAGIC: usize = 6;
/// The most bytes that a stream of zstd may refer back to, and with it the memory of its decoder: what `zstd` itself takes without
/// being asked to take more.
const MOST_WINDOW: u64 = 128 << 20;

/// A format of compressed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not compressed.
    Plain,
    /// gzip, of one or more members.
    Gzip,
    /// Zstandard, of one or more frames.
    Zstd,
    /// bzip2, which is not read.
    Bzip2,
    /// xz, which is not read.
    Xz,
}

impl Compression {
    /// Tells the format by the first bytes, whatever a name or a media type says.
    pub(crate) fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [b'B', b'Z', b'h', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', ..] => Self::Xz,
            _ => Self::Plain,
        }
    }

    /// A reader of what is in a stream of this format; none where the format is not read.
    pub(crate) fn decoder<'a>(self, input: impl BufRead + 'a) -> Option<Box<dyn Read + 'a>> {
        match self {
            Self::Plain => Some(Box::new(input)),
            Self::Gzip => Some(Box::new(MultiGzDecoder::new(input))),
            Self::Zstd => Some(Box::new(ZstdFrames::new(input))),
            Self::Bzip2 | Self::Xz => None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        })
    }
}

/// Reads as many of the first bytes as tell the format.
pub(crate) fn read_magic(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(MAGIC);
    input.take(MAGIC as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Frames of zstd one after the other; those that are to be skipped are skipped.
struct ZstdFrames<R> {
    input: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(input: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MOST_WINDOW);
        Self {
            input,
            decoder,
            in_frame: false,
        }
    }

    /// Starts the next frame; says whether there is one.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut (&mut self.input).take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(corrupt(error)),
            }
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.in_frame {
                let read = self.decoder.read(buffer)?;
                if read > 0 {
                    return Ok(read);
                }
                if self.decoder.is_finished() {
                    self.in_frame = false;
                } else {
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder
                        .decode_blocks(&mut self.input, one)
                        .map_err(corrupt)?;
                }
            } else if self.next_frame()? {
                self.in_frame = true;
            } else {
                return Ok(0);
            }
        }
    }
}

fn corrupt(error: FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
