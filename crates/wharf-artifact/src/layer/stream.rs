//! The unpacked bytes of a layer: counted, bounded and digested on their way.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

use super::LayerErrorKind;
use crate::compression::read_magic;
use crate::digest::Hasher;
use crate::image::{Layer, Unpacking};
use crate::tar::{Input, TarError};
use crate::{Compression, Digest};

/// What is read from a source, or from a decoder, at once.
const BUFFER: usize = 128 << 10;

/// What both ends of the stream know. A decoder in the middle hides an error in one of its own; the real one stands here.
#[derive(Default)]
struct Shared {
    stored: Cell<u64>,
    unpacked: Cell<u64>,
    fault: RefCell<Option<LayerErrorKind>>,
}

impl Shared {
    /// Remembers why the stream ends, and gives an error that says only that it does.
    fn end(&self, kind: LayerErrorKind) -> io::Error {
        self.fault.borrow_mut().get_or_insert(kind);
        io::ErrorKind::Other.into()
    }
}

/// The unpacked bytes of a layer.
pub(super) struct LayerStream<'a> {
    buffered: BufReader<Unpacked<'a>>,
    shared: Rc<Shared>,
    compression: Compression,
    stored_hasher: Rc<RefCell<Option<Hasher>>>,
    layer: &'a Layer,
}

impl<'a> LayerStream<'a> {
    pub(super) fn new(
        mut source: Box<dyn Read + Send + 'a>,
        layer: &'a Layer,
        unpacking: Unpacking<'a>,
    ) -> Result<Self, LayerErrorKind> {
        let start = read_magic(&mut source).map_err(|source| LayerErrorKind::Unreadable { source })?;
        let compression = Compression::of(&start);
        let shared = Rc::new(Shared::default());
        let one_digest_is_enough = compression == Compression::Plain
            && layer
                .digest
                .as_ref()
                .is_some_and(|digest| digest.is_of_same_algorithm(&layer.diff_id));
        let hasher = layer
            .digest
            .as_ref()
            .filter(|_| !one_digest_is_enough)
            .map(Digest::hasher);
        let stored_hasher = Rc::new(RefCell::new(hasher));
        let stored = Stored {
            source: Cursor::new(start).chain(source),
            hasher: Rc::clone(&stored_hasher),
            shared: Rc::clone(&shared),
            expected: layer.size,
        };
        let decoder = compression
            .decoder(BufReader::with_capacity(BUFFER, stored))
            .ok_or(LayerErrorKind::UnknownCompression { compression })?;
        let unpacked = Unpacked {
            decoder,
            hasher: layer.diff_id.hasher(),
            shared: Rc::clone(&shared),
            compression,
            unpacking,
        };
        let buffered = BufReader::with_capacity(BUFFER, unpacked);
        Ok(Self {
            buffered,
            shared,
            compression,
            stored_hasher,
            layer,
        })
    }

    /// How many bytes came out so far.
    pub(super) fn unpacked(&self) -> u64 {
        self.shared.unpacked.get()
    }

    /// What an error of the reader of archives is: the reason why the stream ended, where there is one.
    pub(super) fn fault(&self, error: TarError) -> LayerErrorKind {
        if let Some(fault) = self.shared.fault.borrow_mut().take() {
            return fault;
        }
        match error {
            TarError::Truncated { position } => LayerErrorKind::Truncated { position },
            TarError::Header { position, fault } => LayerErrorKind::Malformed {
                position,
                source: fault,
            },
            TarError::Input(source) => LayerErrorKind::Corrupt {
                compression: self.compression,
                unpacked: self.shared.unpacked.get(),
                source,
            },
        }
    }

    /// Reads what is left behind the archive, and checks sizes and digests. Gives the stored and the unpacked bytes.
    pub(super) fn finish(mut self) -> Result<(u64, u64), LayerErrorKind> {
        if let Err(error) = self.skip(u64::MAX) {
            return Err(self.fault(TarError::Input(error)));
        }
        let (stored, unpacked) = (self.shared.stored.get(), self.shared.unpacked.get());
        if let Some(expected) = self.layer.size
            && expected != stored
        {
            return Err(LayerErrorKind::WrongSize {
                expected,
                found: stored,
            });
        }
        let found_diff_id = self.buffered.into_inner().hasher.finish();
        if let Some(expected) = &self.layer.digest {
            let hasher = self.stored_hasher.borrow_mut().take();
            let found = hasher.map_or_else(|| found_diff_id.clone(), Hasher::finish);
            if found != *expected {
                return Err(LayerErrorKind::WrongDigest {
                    expected: expected.clone(),
                    found,
                });
            }
        }
        if found_diff_id != self.layer.diff_id {
            let expected = self.layer.diff_id.clone();
            return Err(LayerErrorKind::WrongDiffId {
                expected,
                found: found_diff_id,
            });
        }
        Ok((stored, unpacked))
    }
}

impl Read for LayerStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.buffered.read(buffer)
    }
}

impl Input for LayerStream<'_> {
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        let mut left = bytes;
        while left > 0 {
            let available = match self.buffered.fill_buf() {
                Ok(available) => available.len(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available == 0 {
                break;
            }
            let passed = usize::try_from(left).map_or(available, |left| left.min(available));
            self.buffered.consume(passed);
            left -= passed as u64;
        }
        Ok(bytes - left)
    }
}

/// The stored bytes, on their way to the decoder.
struct Stored<'a> {
    source: io::Chain<Cursor<Vec<u8>>, Box<dyn Read + Send + 'a>>,
    hasher: Rc<RefCell<Option<Hasher>>>,
    shared: Rc<Shared>,
    expected: Option<u64>,
}

impl Read for Stored<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.source.read(buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(source) => return Err(self.shared.end(LayerErrorKind::Unreadable { source })),
        };
        let stored = self.shared.stored.get().saturating_add(read as u64);
        self.shared.stored.set(stored);
        if let Some(expected) = self.expected
            && stored > expected
        {
            return Err(self.shared.end(LayerErrorKind::WrongSize {
                expected,
                found: stored,
            }));
        }
        if let Some(hasher) = self.hasher.borrow_mut().as_mut() {
            hasher.update(buffer.get(..read).unwrap_or_default());
        }
        Ok(read)
    }
}

/// The bytes that come out of the decoder.
struct Unpacked<'a> {
    decoder: Box<dyn Read + 'a>,
    hasher: Hasher,
    shared: Rc<Shared>,
    compression: Compression,
    unpacking: Unpacking<'a>,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.decoder.read(buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(source) => {
                let (compression, unpacked) = (self.compression, self.shared.unpacked.get());
                return Err(self.shared.end(LayerErrorKind::Corrupt {
                    compression,
                    unpacked,
                    source,
                }));
            }
        };
        let unpacked = self.shared.unpacked.get().saturating_add(read as u64);
        self.shared.unpacked.set(unpacked);
        if let Err(kind) = self.unpacking.count(self.shared.stored.get(), unpacked) {
            return Err(self.shared.end(kind));
        }
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}
