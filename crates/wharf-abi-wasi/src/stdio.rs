//! What the guest writes to stdout and stderr and reads from stdin.

use std::borrow::Cow;
use std::io::Read;

use wharf_engine::{GuestMemory, HostCall, OutOfBounds};

use crate::refusal::{Answer, Refusal};
use crate::{Stdio, Table, WasiHost};

/// How many bytes one call writes or reads. A longer write is cut here and the guest is told so; C libraries then write
/// the rest with a further call.
const MOST_BYTES: usize = 1 << 20;

/// How many vectors one call looks at. A longer write or read ends here in the same way.
const MOST_VECTORS: u32 = 1024;

/// The size of one vector: a pointer and a length, each `u32`.
const VECTOR: usize = 8;

pub(crate) fn add<S: WasiHost + 'static>(table: &mut Table<'_, S>) {
    table
        .add("fd_read", fd_read)
        .add("fd_write", fd_write)
        .add("fd_pwrite", fd_pwrite);
}

impl Stdio {
    /// The stream with this file descriptor.
    pub(crate) fn with_descriptor(fd: u32) -> Result<Self, Refusal> {
        match fd {
            1 => Ok(Self::Stdout),
            2 => Ok(Self::Stderr),
            other => Err(Refusal::FileDescriptor(other)),
        }
    }
}

/// `fd_write(fd, iovs, iovs_len, nwritten)`: text for the log.
///
/// * `fd`: 1 for stdout, 2 for stderr.
/// * `iovs`: the vectors, each a pointer and a length, whose bytes follow each other in the text.
/// * `iovs_len`: how many there are.
/// * `nwritten`: where the number of bytes that were written goes, as `u32`.
///
/// For `iovs` = 0, `iovs_len` = 2 and `nwritten` = 32, this writes `hello` and puts 6 at 32:
///
/// ```text
///    iovs[0]               iovs[1]
///   ┌──────────┬─────────┬──────────┬─────────┬──────────────────┬──────────────┐
///   │ 16 0 0 0 │ 4 0 0 0 │ 20 0 0 0 │ 2 0 0 0 │ 'h' 'e' 'l' 'l'  │ 'o'  '\n'    │
///   └──────────┴─────────┴──────────┴─────────┴──────────────────┴──────────────┘
///   0          4         8          12        16                 20
/// ```
///
/// In the log, one line end at the end is taken off, since each call is a line of it. No bytes at all leave no line. One
/// call writes at most 1 MiB out of at most 1024 vectors and says so in `nwritten`.
///
/// Gives 8 for another file descriptor, 21 where a vector, its bytes or `nwritten` is not inside the memory, 51 where the
/// host takes no more output; nothing is written then.
pub(crate) fn fd_write<S: WasiHost>(call: &mut HostCall<'_, S>, parameters: (u32, u32, u32, u32)) -> Answer {
    let (fd, vectors, count, written) = parameters;
    let stream = Stdio::with_descriptor(fd)?;
    let (mut memory, state) = call.memory_and_state();
    memory.writable(written, 4)?;
    let text = gather(&memory, vectors, count)?;
    if !text.is_empty() {
        state.output(stream, &text)?;
    }
    let length = u32::try_from(text.len()).expect("a text is at most 1 MiB");
    Ok(memory.write_u32(written, length)?)
}

/// `fd_read(fd, iovs, iovs_len, nread)`: the next bytes of stdin.
///
/// * `fd`: 0.
/// * `iovs`: the vectors, each a pointer and a length, that are filled one after the other.
/// * `iovs_len`: how many there are.
/// * `nread`: where the number of bytes that were read goes, as `u32`; 0 is the end of stdin.
///
/// One call reads at most 1 MiB into at most 1024 vectors. It never waits.
///
/// Gives 52 for another file descriptor and where the guest has no stdin, which is so for filters; 21 where a vector, its
/// bytes or `nread` is not inside the memory, nothing being read then; 29 where the host cannot read.
pub(crate) fn fd_read<S: WasiHost>(call: &mut HostCall<'_, S>, parameters: (u32, u32, u32, u32)) -> Answer {
    let (fd, vectors, count, read) = parameters;
    let (mut memory, state) = call.memory_and_state();
    let stdin = match fd {
        0 => state.stdin().ok_or(Refusal::NotImplemented)?,
        _ => return Err(Refusal::NotImplemented),
    };
    scatter(&mut memory, stdin, vectors, count, read).map(drop)
}

/// Reads from `source` into the vectors, up to the caps, and writes to `read` how much it was, which it gives too. Nothing
/// is read where one of them is not inside the memory.
pub(crate) fn scatter(
    memory: &mut GuestMemory<'_>,
    source: &mut dyn Read,
    vectors: u32,
    count: u32,
    read: u32,
) -> Result<u32, Refusal> {
    memory.writable(read, 4)?;
    let mut left = MOST_BYTES;
    let mut pieces = Vec::new();
    for vector in table(memory, vectors, count)?.chunks_exact(VECTOR) {
        let (pointer, length) = ends(vector);
        memory.read(pointer, length)?;
        let length = (length as usize).min(left);
        left -= length;
        pieces.push((pointer, length));
    }
    let mut filled = 0;
    for (pointer, length) in pieces {
        let got = fill(source, memory.writable(pointer, length)?)?;
        filled += got;
        if got < length {
            break;
        }
    }
    let filled = u32::try_from(filled).expect("at most 1 MiB is read");
    memory.write_u32(read, filled)?;
    Ok(filled)
}

/// Reads until the buffer is full or there is no more.
fn fill(stdin: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, Refusal> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stdin.read(&mut buffer[filled..]) {
            Ok(0) => break,
            // A reader that claims more than there is room for is not believed.
            Ok(got) => filled = buffer.len().min(filled + got),
            Err(error) => return Err(Refusal::Stdin(error.kind())),
        }
    }
    Ok(filled)
}

/// `fd_pwrite(fd, iovs, iovs_len, offset, nwritten)`: as [`fd_write`]; a log has no offsets, so `offset` means nothing.
fn fd_pwrite<S: WasiHost>(call: &mut HostCall<'_, S>, parameters: (u32, u32, u32, u64, u32)) -> Answer {
    let (fd, vectors, count, _offset, written) = parameters;
    fd_write(call, (fd, vectors, count, written))
}

/// The bytes that the vectors name, up to the caps; borrowed where one vector has them all, as in most calls.
fn gather<'a>(memory: &'a GuestMemory<'_>, vectors: u32, count: u32) -> Result<Cow<'a, [u8]>, OutOfBounds> {
    let mut text = Cow::Borrowed(&[][..]);
    for vector in table(memory, vectors, count)?.chunks_exact(VECTOR) {
        let (pointer, length) = ends(vector);
        let bytes = memory.read(pointer, length)?;
        let bytes = &bytes[..bytes.len().min(MOST_BYTES - text.len())];
        if text.is_empty() {
            text = Cow::Borrowed(bytes);
        } else if !bytes.is_empty() {
            text.to_mut().extend_from_slice(bytes);
        }
        if text.len() == MOST_BYTES {
            break;
        }
    }
    Ok(text)
}

/// The table of vectors, up to the cap.
fn table<'a>(memory: &'a GuestMemory<'_>, vectors: u32, count: u32) -> Result<&'a [u8], OutOfBounds> {
    memory.read(vectors, count.min(MOST_VECTORS) * VECTOR as u32)
}

/// The pointer and the length of one vector.
fn ends(vector: &[u8]) -> (u32, u32) {
    let (pointer, length) = vector.split_at(4);
    (u32_of(pointer), u32_of(length))
}

fn u32_of(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("a vector is two times four bytes"))
}

#[cfg(test)]
mod tests;
