//! Guest memory, read and written with every bound checked.
//!
//! Pointers and lengths come from the guest and may be anything. All arithmetic is done in `u64`, so that
//! `pointer + length` cannot wrap; a range that is not wholly inside the memory is [`OutOfBounds`].

use std::ops::Range;

/// The linear memory of an instance, for the length of one host call.
///
/// A module without a memory is seen as one with an empty memory: each access but that of an empty range at
/// address 0 is out of bounds.
pub struct GuestMemory<'a> {
    bytes: &'a mut [u8],
}

/// A range of guest memory that the guest named and does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the range at {pointer:#x} of {length} bytes is not inside the guest's memory of {memory} bytes")]
pub struct OutOfBounds {
    /// Where the range starts.
    pub pointer: u32,
    /// How many bytes it has.
    pub length: u64,
    /// The size of the memory, in bytes.
    pub memory: usize,
}

impl<'a> GuestMemory<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// The size of the memory in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The `length` bytes at `pointer`.
    ///
    /// # Errors
    /// [`OutOfBounds`] where the range is not wholly inside the memory.
    pub fn read(&self, pointer: u32, length: u32) -> Result<&[u8], OutOfBounds> {
        let range = self.range(pointer, u64::from(length))?;
        Ok(&self.bytes[range])
    }

    /// The little-endian `u32` at `pointer`, which needs no alignment.
    ///
    /// # Errors
    /// [`OutOfBounds`] where the four bytes are not wholly inside the memory.
    pub fn read_u32(&self, pointer: u32) -> Result<u32, OutOfBounds> {
        let range = self.range(pointer, 4)?;
        let bytes = self.bytes[range].try_into().expect("the range has four bytes");
        Ok(u32::from_le_bytes(bytes))
    }

    /// The `length` bytes at `pointer`, to be written.
    ///
    /// # Errors
    /// [`OutOfBounds`] where the range is not wholly inside the memory.
    pub fn writable(&mut self, pointer: u32, length: usize) -> Result<&mut [u8], OutOfBounds> {
        let range = self.range(pointer, length as u64)?;
        Ok(&mut self.bytes[range])
    }

    /// Writes `data` at `pointer`.
    ///
    /// # Errors
    /// [`OutOfBounds`] where it does not fit; nothing is written then.
    pub fn write(&mut self, pointer: u32, data: &[u8]) -> Result<(), OutOfBounds> {
        self.writable(pointer, data.len())?.copy_from_slice(data);
        Ok(())
    }

    /// Writes a little-endian `u32` at `pointer`, which needs no alignment.
    ///
    /// # Errors
    /// [`OutOfBounds`] where it does not fit.
    pub fn write_u32(&mut self, pointer: u32, value: u32) -> Result<(), OutOfBounds> {
        self.write(pointer, &value.to_le_bytes())
    }

    /// Writes a little-endian `u64` at `pointer`, which needs no alignment.
    ///
    /// # Errors
    /// [`OutOfBounds`] where it does not fit.
    pub fn write_u64(&mut self, pointer: u32, value: u64) -> Result<(), OutOfBounds> {
        self.write(pointer, &value.to_le_bytes())
    }

    fn range(&self, pointer: u32, length: u64) -> Result<Range<usize>, OutOfBounds> {
        let end = u64::from(pointer).checked_add(length);
        match end {
            Some(end) if end <= self.bytes.len() as u64 => Ok(pointer as usize..end as usize),
            _ => Err(OutOfBounds {
                pointer,
                length,
                memory: self.bytes.len(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_at_each_edge() {
        let mut bytes = vec![b'?'; 16];
        let mut memory = GuestMemory::new(&mut bytes);
        assert_eq!(memory.read(0, 16).unwrap().len(), 16);
        assert_eq!(memory.read(16, 0).unwrap(), b"");
        for (pointer, length) in [
            (17, 0),
            (16, 1),
            (0, 17),
            (u32::MAX, 1),
            (u32::MAX, u32::MAX),
            (1 << 31, 1 << 31),
        ] {
            assert_eq!(
                memory.read(pointer, length),
                Err(OutOfBounds {
                    pointer,
                    length: u64::from(length),
                    memory: 16
                })
            );
        }
        assert!(memory.write_u32(13, 1).is_err());
        memory.write_u32(12, 0x0403_0201).unwrap();
        assert_eq!(memory.read_u32(12).unwrap(), 0x0403_0201);
        assert!(memory.write_u64(9, 1).is_err());
        assert_eq!(bytes, [&[b'?'; 12][..], &[1, 2, 3, 4]].concat());
    }

    #[test]
    fn no_memory_is_an_empty_memory() {
        let memory = GuestMemory::new(&mut []);
        assert_eq!(memory.read(0, 0).unwrap(), b"");
        assert!(memory.read_u32(0).is_err());
    }
}
