//! The functions that work on descriptors. 0, 1 and 2 are the standard streams, as every guest has them.

use wharf_engine::{GuestMemory, HostCall};

use super::{ROOT, Tree, TreeHost};
use crate::refusal::{Answer, Refusal};
use crate::{Table, files, stdio};

/// The name of the root, as the guest asks for it.
const ROOT_NAME: &[u8] = b"/";

/// The last descriptor of the standard streams.
const LAST_STREAM: u32 = 2;

pub(super) fn add<S: TreeHost + 'static>(table: &mut Table<'_, S>) {
    table
        .add("fd_close", fd_close)
        .add("fd_fdstat_get", fd_fdstat_get)
        .add("fd_fdstat_set_flags", fd_fdstat_set_flags)
        .add("fd_filestat_get", fd_filestat_get)
        .add_unstable("fd_filestat_get", fd_filestat_get_unstable)
        .add("fd_pread", fd_pread)
        .add("fd_prestat_dir_name", fd_prestat_dir_name)
        .add("fd_prestat_get", fd_prestat_get)
        .add("fd_read", fd_read)
        .add("fd_readdir", fd_readdir)
        .add("fd_seek", fd_seek)
        .add_unstable("fd_seek", fd_seek_unstable)
        .add("fd_tell", fd_tell);
}

/// `fd_close(fd)`: closes what was opened. The standard streams stay open, and closing them is a success.
///
/// Gives 8 for a descriptor that is not open.
fn fd_close<S: TreeHost>(call: &mut HostCall<'_, S>, (fd,): (u32,)) -> Answer {
    match fd {
        0..=LAST_STREAM => Ok(()),
        _ => call.state().tree().close(fd),
    }
}

/// `fd_fdstat_get(fd, stat)`: what is behind a descriptor; [`Tree::descriptor_record`] has the 24 bytes.
///
/// Gives 8 for a descriptor that is not open, 21 where the record does not fit into the memory.
fn fd_fdstat_get<S: TreeHost>(call: &mut HostCall<'_, S>, (fd, stat): (u32, u32)) -> Answer {
    if fd <= LAST_STREAM {
        return files::fd_fdstat_get(call, (fd, stat));
    }
    let (mut memory, state) = call.memory_and_state();
    let tree = state.tree();
    let record = tree.descriptor_record(tree.descriptor(fd)?.node);
    Ok(memory.write(stat, &record)?)
}

/// `fd_fdstat_set_flags(fd, flags)`: 0 for what is open, since no flag changes how a file is read here.
///
/// Gives 8 for a descriptor that is not open.
fn fd_fdstat_set_flags<S: TreeHost>(call: &mut HostCall<'_, S>, (fd, _flags): (u32, u32)) -> Answer {
    match fd {
        0..=LAST_STREAM => Ok(()),
        _ => call.state().tree().descriptor(fd).map(|_| ()),
    }
}

/// `fd_filestat_get(fd, stat)`: the state of a file or directory; [`Tree::state_record`] has the 64 bytes.
///
/// Gives 8 for a descriptor that is not open, 21 where the record does not fit into the memory.
fn fd_filestat_get<S: TreeHost>(call: &mut HostCall<'_, S>, (fd, stat): (u32, u32)) -> Answer {
    if fd <= LAST_STREAM {
        return files::fd_filestat_get(call, (fd, stat));
    }
    let (mut memory, state) = call.memory_and_state();
    let tree = state.tree();
    let record = tree.state_record(tree.descriptor(fd)?.node);
    Ok(memory.write(stat, &record)?)
}

/// `fd_filestat_get(fd, stat)` of the older interface, whose record has 56 bytes.
fn fd_filestat_get_unstable<S: TreeHost>(call: &mut HostCall<'_, S>, (fd, stat): (u32, u32)) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    let tree = state.tree();
    let record = tree.unstable_state_record(tree.descriptor(fd)?.node);
    Ok(memory.write(stat, &record)?)
}

/// `fd_prestat_get(fd, prestat)`: that descriptor 3 is a directory which was open from the start, whose name has one byte.
///
/// ```text
///    kind            length of the name
///   ┌───┬─────────┬──────────┐
///   │ 0 │ 0  0  0 │ 1 0 0 0  │
///   └───┴─────────┴──────────┘
///   0   1         4
/// ```
///
/// Gives 8 for all others, which ends a guest's search; 21 where the record does not fit into the memory.
fn fd_prestat_get<S: TreeHost>(call: &mut HostCall<'_, S>, (fd, prestat): (u32, u32)) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    preopened(state.tree(), fd)?;
    let mut record = [0; 8];
    record[4..].copy_from_slice(&(ROOT_NAME.len() as u32).to_le_bytes());
    Ok(memory.write(prestat, &record)?)
}

/// `fd_prestat_dir_name(fd, path, path_len)`: the name of that directory, `/`.
///
/// * `path`, `path_len`: where it goes and how much room there is; no NUL is written behind it.
///
/// Gives 8 for another descriptor, 37 where there is too little room, 21 where it is not inside the memory.
fn fd_prestat_dir_name<S: TreeHost>(
    call: &mut HostCall<'_, S>,
    (fd, path, length): (u32, u32, u32),
) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    preopened(state.tree(), fd)?;
    if (length as usize) < ROOT_NAME.len() {
        return Err(Refusal::PathLength(ROOT_NAME.len() as u32));
    }
    Ok(memory.write(path, ROOT_NAME)?)
}

/// Only the root was open from the start; a guest may have closed it.
fn preopened(tree: &Tree, fd: u32) -> Result<(), Refusal> {
    match fd {
        ROOT => tree.descriptor(fd).map(|_| ()),
        _ => Err(Refusal::NotOpen(fd)),
    }
}

/// `fd_read(fd, iovs, iovs_len, nread)`: the next bytes of a file, in the way of the standard streams: at most 1 MiB in one
/// call. 0 bytes are the end of it.
///
/// Gives 8 for a descriptor that is not open, 31 for a directory, 21 where a vector, its bytes or `nread` is not inside the
/// memory, nothing being read then.
fn fd_read<S: TreeHost>(call: &mut HostCall<'_, S>, parameters: (u32, u32, u32, u32)) -> Answer {
    let (fd, vectors, count, read) = parameters;
    if fd <= LAST_STREAM {
        return stdio::fd_read(call, parameters);
    }
    let (mut memory, state) = call.memory_and_state();
    let (open, contents) = state.tree().file_mut(fd)?;
    let got = read_at(&mut memory, &contents, open.offset, (vectors, count, read))?;
    open.offset += u64::from(got);
    Ok(())
}

/// `fd_pread(fd, iovs, iovs_len, offset, nread)`: as [`fd_read`], from `offset`, and the next read is where it was.
fn fd_pread<S: TreeHost>(call: &mut HostCall<'_, S>, parameters: (u32, u32, u32, u64, u32)) -> Answer {
    let (fd, vectors, count, offset, read) = parameters;
    let (mut memory, state) = call.memory_and_state();
    let (_, contents) = state.tree().file_mut(fd)?;
    read_at(&mut memory, &contents, offset, (vectors, count, read)).map(drop)
}

fn read_at(
    memory: &mut GuestMemory<'_>,
    contents: &[u8],
    offset: u64,
    (vectors, count, read): (u32, u32, u32),
) -> Result<u32, Refusal> {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let mut rest = contents.get(offset..).unwrap_or_default();
    stdio::scatter(memory, &mut rest, vectors, count, read)
}

/// `fd_readdir(fd, buf, buf_len, cookie, nread)`: the entries of a directory: `.`, `..`, and the one name in it.
///
/// * `buf`, `buf_len`: where they go. What does not fit is cut, in the middle of an entry too.
/// * `cookie`: the number of the first entry that is wanted; each entry has that of the next.
/// * `nread`: where the bytes that were written go, as `u32`; less than `buf_len` is the end of the directory.
///
/// ```text
///    next       number     length    kind       name
///   ┌──────────┬──────────┬─────────┬───┬─────┬─────────────┐
///   │ 3        │ 2        │ 3 0 0 0 │ 3 │ 0 … │ 'e' 't' 'c' │
///   └──────────┴──────────┴─────────┴───┴─────┴─────────────┘
///   0          8          16        20  21    24
/// ```
///
/// Gives 8 for a descriptor that is not open and for a file, 21 where the buffer or `nread` is not inside the memory; nothing is
/// written then.
fn fd_readdir<S: TreeHost>(
    call: &mut HostCall<'_, S>,
    (fd, buffer, length, cookie, read): (u32, u32, u32, u64, u32),
) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    let tree = state.tree();
    let directory = tree.directory(fd).map_err(|_| Refusal::NotOpen(fd))?;
    let mut entries = tree.entries(directory, cookie);
    entries.truncate(length as usize);
    memory.writable(buffer, length as usize)?;
    memory.writable(read, 4)?;
    memory.write(buffer, &entries)?;
    Ok(memory.write_u32(read, entries.len() as u32)?)
}

/// `fd_seek(fd, offset, whence, newoffset)`: sets where a file is read next.
///
/// * `offset`: how far, as `i64`, from where `whence` says: the beginning (0), the place now (1), the end (2).
/// * `newoffset`: where the place goes, from the beginning, as `u64`.
///
/// A place behind the end is one where nothing is read. The standard streams have no places: 0 is written for them.
///
/// Gives 8 for a descriptor that is not open, 31 for a directory, 28 for a place before the beginning and for another
/// `whence`, 21 where `newoffset` is not inside the memory.
fn fd_seek<S: TreeHost>(
    call: &mut HostCall<'_, S>,
    (fd, offset, whence, new_offset): (u32, u64, u32, u32),
) -> Answer {
    seek(call, (fd, offset, whence, new_offset))
}

/// `fd_seek(fd, offset, whence, newoffset)` of the older interface, where 0 is the place now, 1 the end, and 2 the beginning.
fn fd_seek_unstable<S: TreeHost>(
    call: &mut HostCall<'_, S>,
    (fd, offset, whence, new_offset): (u32, u64, u32, u32),
) -> Answer {
    let whence = match whence {
        0 => 1,
        1 => 2,
        2 => 0,
        other => other,
    };
    seek(call, (fd, offset, whence, new_offset))
}

fn seek<S: TreeHost>(
    call: &mut HostCall<'_, S>,
    (fd, offset, whence, new_offset): (u32, u64, u32, u32),
) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    if fd <= LAST_STREAM {
        return Ok(memory.write_u64(new_offset, 0)?);
    }
    let (open, contents) = state.tree().file_mut(fd)?;
    let from = match whence {
        0 => 0,
        1 => open.offset,
        2 => contents.len() as u64,
        _ => return Err(Refusal::Invalid("this is no place to seek from")),
    };
    let place = from
        .checked_add_signed(offset.cast_signed())
        .filter(|place| i64::try_from(*place).is_ok())
        .ok_or(Refusal::Invalid("this is no place to seek to"))?;
    memory.write_u64(new_offset, place)?;
    open.offset = place;
    Ok(())
}

/// `fd_tell(fd, offset)`: where a file is read next, as `u64`.
///
/// Gives the same errors as [`fd_seek`].
fn fd_tell<S: TreeHost>(call: &mut HostCall<'_, S>, (fd, offset): (u32, u32)) -> Answer {
    seek(call, (fd, 0, 1, offset))
}
