//! The layout that arguments and environment variables share: a table of pointers and the strings that they point at.

use wharf_engine::{GuestMemory, OutOfBounds};

/// How many strings there are and how many bytes they take with the NUL behind each.
pub(crate) fn sizes<'a>(strings: impl Iterator<Item = StringParts<'a>>) -> (u32, u32) {
    strings.fold((0, 0), |(count, bytes), parts| {
        (count + 1, bytes + parts.length() + 1)
    })
}

/// Writes each string with a NUL behind it to `buffer`, and a pointer to each to `table`.
///
/// Both ranges are checked first, so that a guest never gets half of it. The pointers are offsets in the same memory
/// that the strings fit into, so none of them wraps.
pub(crate) fn write<'a>(
    memory: &mut GuestMemory<'_>,
    strings: impl Iterator<Item = StringParts<'a>> + Clone,
    table: u32,
    buffer: u32,
) -> Result<(), OutOfBounds> {
    let (count, bytes) = sizes(strings.clone());
    memory.writable(table, count as usize * 4)?;
    memory.writable(buffer, bytes as usize)?;
    let mut next_pointer = table;
    let mut next_string = buffer;
    for parts in strings {
        memory.write_u32(next_pointer, next_string)?;
        next_pointer = next_pointer.wrapping_add(4);
        for part in parts.0.into_iter().chain(["\0"]) {
            memory.write(next_string, part.as_bytes())?;
            next_string = next_string.wrapping_add(part.len() as u32);
        }
    }
    Ok(())
}

/// One string, in up to three pieces, so that `NAME=value` need not be put together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StringParts<'a>(pub(crate) [&'a str; 3]);

impl StringParts<'_> {
    fn length(&self) -> u32 {
        self.0.iter().map(|part| part.len() as u32).sum()
    }
}
