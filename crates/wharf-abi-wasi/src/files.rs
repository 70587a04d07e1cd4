//! Files and directories, which guests do not have.
//!
//! Nothing is open but stdout (1) and stderr (2), which are the log, and for commands stdin (0). The functions answer so that the start code of
//! C libraries gets through: it asks for preopened directories until it gets 8 (`badf`), and for the state of the
//! standard streams.

use wharf_engine::HostCall;

use crate::refusal::{Answer, Refusal};
use crate::{Stdio, Table, WasiHost};

pub(crate) fn add<S: WasiHost + 'static>(table: &mut Table<'_, S>) {
    add_descriptors(table);
    add_paths(table);
}

fn add_descriptors<S: WasiHost + 'static>(table: &mut Table<'_, S>) {
    table
        .add("fd_advise", fd_advise)
        .add("fd_allocate", fd_allocate)
        .add("fd_close", fd_close)
        .add("fd_datasync", fd_datasync)
        .add("fd_fdstat_get", fd_fdstat_get)
        .add("fd_fdstat_set_flags", fd_fdstat_set_flags)
        .add("fd_fdstat_set_rights", fd_fdstat_set_rights)
        .add("fd_filestat_get", fd_filestat_get)
        .add_unstable("fd_filestat_get", fd_filestat_get_unstable)
        .add("fd_filestat_set_size", fd_filestat_set_size)
        .add("fd_filestat_set_times", fd_filestat_set_times)
        .add("fd_pread", fd_pread)
        .add("fd_prestat_dir_name", fd_prestat_dir_name)
        .add("fd_prestat_get", fd_prestat_get)
        .add("fd_readdir", fd_readdir)
        .add("fd_renumber", fd_renumber)
        .add("fd_seek", fd_seek)
        .add("fd_sync", fd_sync)
        .add("fd_tell", fd_tell);
}

fn add_paths<S: WasiHost + 'static>(table: &mut Table<'_, S>) {
    table
        .add("path_create_directory", path_create_directory)
        .add("path_filestat_get", path_filestat_get)
        .add("path_filestat_set_times", path_filestat_set_times)
        .add("path_link", path_link)
        .add("path_open", path_open)
        .add("path_readlink", path_readlink)
        .add("path_remove_directory", path_remove_directory)
        .add("path_rename", path_rename)
        .add("path_symlink", path_symlink)
        .add("path_unlink_file", path_unlink_file);
}

/// What the functions answer that would do something to an open file: 0 for stdout and stderr, where there is nothing
/// to do, and 8 for all others, which are not open.
fn only_streams(fd: u32) -> Answer {
    Stdio::with_descriptor(fd).map(|_| ())
}

/// `fd_advise(fd, offset, length, advice)`: always 0, since advice may be ignored.
fn fd_advise<S: WasiHost>(
    _: &mut HostCall<'_, S>,
    (_fd, _offset, _length, _advice): (u32, u64, u64, u32),
) -> Answer {
    Ok(())
}

/// `fd_allocate(fd, offset, length)`: 0 for 1 and 2, else 8.
fn fd_allocate<S: WasiHost>(_: &mut HostCall<'_, S>, (fd, _offset, _length): (u32, u64, u64)) -> Answer {
    only_streams(fd)
}

/// `fd_close(fd)`: always 0, and nothing is closed: what a guest writes after it still reaches the log.
fn fd_close<S: WasiHost>(_: &mut HostCall<'_, S>, (_fd,): (u32,)) -> Answer {
    Ok(())
}

/// `fd_datasync(fd)`: 0 for 1 and 2, else 8.
fn fd_datasync<S: WasiHost>(_: &mut HostCall<'_, S>, (fd,): (u32,)) -> Answer {
    only_streams(fd)
}

/// `fd_fdstat_get(fd, stat)`: what the standard streams are.
///
/// * `fd`: 1 or 2; 0 too where the guest has stdin.
/// * `stat`: where the 24 bytes go: an unknown kind of file with no flags and the right to be written (64), or for stdin
///   to be read (2).
///
/// ```text
///    kind      flags                  rights                    inherited rights
///   ┌───┬───┬─────────┬───────────┬──────────────────────┬─────────────────────────┐
///   │ 0 │ 0 │ 0     0 │ 0  0  0 0 │ 64 0 0 0  0 0 0 0    │ 0 0 0 0  0 0 0 0        │
///   └───┴───┴─────────┴───────────┴──────────────────────┴─────────────────────────┘
///   0       2         4           8                      16
/// ```
///
/// Gives 8 for another file descriptor, 21 where the record does not fit into the memory.
pub(crate) fn fd_fdstat_get<S: WasiHost>(call: &mut HostCall<'_, S>, (fd, stat): (u32, u32)) -> Answer {
    const RIGHT_TO_READ: u8 = 2;
    const RIGHT_TO_WRITE: u8 = 64;
    let mut record = [0; 24];
    record[8] = match fd {
        0 if call.state().stdin().is_some() => RIGHT_TO_READ,
        _ => only_streams(fd).map(|()| RIGHT_TO_WRITE)?,
    };
    Ok(call.memory().write(stat, &record)?)
}

/// `fd_fdstat_set_flags(fd, flags)`: always 52; no flag would do anything to a log.
fn fd_fdstat_set_flags<S: WasiHost>(_: &mut HostCall<'_, S>, (_fd, _flags): (u32, u32)) -> Answer {
    Err(Refusal::NotImplemented)
}

/// `fd_fdstat_set_rights(fd, rights, inherited)`: 0 for 1 and 2, else 8. No right is taken away.
fn fd_fdstat_set_rights<S: WasiHost>(
    _: &mut HostCall<'_, S>,
    (fd, _rights, _inherited): (u32, u64, u64),
) -> Answer {
    only_streams(fd)
}

/// `fd_filestat_get(fd, stat)`: for a command, which is a guest with stdin, what its standard streams are; always 8 for
/// others, since nothing is a file.
///
/// * `fd`: 0, 1 or 2.
/// * `stat`: where the 64 bytes go, all 0: an unknown kind of file of size 0.
///
/// Under the older name of the interface, whose record is another, it is 8 for commands too.
///
/// Gives 8 for another file descriptor, 21 where the record does not fit into the memory.
pub(crate) fn fd_filestat_get<S: WasiHost>(call: &mut HostCall<'_, S>, (fd, stat): (u32, u32)) -> Answer {
    if fd > 2 || call.state().stdin().is_none() {
        return Err(Refusal::FileDescriptor(fd));
    }
    Ok(call.memory().write(stat, &[0; 64])?)
}

/// `fd_filestat_get(fd, stat)` of the older interface: always 8.
fn fd_filestat_get_unstable<S: WasiHost>(_: &mut HostCall<'_, S>, (fd, _stat): (u32, u32)) -> Answer {
    Err(Refusal::FileDescriptor(fd))
}

/// `fd_filestat_set_size(fd, size)`: 0 for 1 and 2, else 8.
fn fd_filestat_set_size<S: WasiHost>(_: &mut HostCall<'_, S>, (fd, _size): (u32, u64)) -> Answer {
    only_streams(fd)
}

/// `fd_filestat_set_times(fd, accessed, modified, flags)`: 0 for 1 and 2, else 8.
fn fd_filestat_set_times<S: WasiHost>(
    _: &mut HostCall<'_, S>,
    (fd, _accessed, _modified, _flags): (u32, u64, u64, u32),
) -> Answer {
    only_streams(fd)
}

/// `fd_pread(fd, iovs, iovs_len, offset, nread)`: always 52; there is nothing to read.
fn fd_pread<S: WasiHost>(
    _: &mut HostCall<'_, S>,
    (_fd, _iovs, _iovs_len, _offset, _read): (u32, u32, u32, u64, u32),
) -> Answer {
    Err(Refusal::NotImplemented)
}

/// `fd_prestat_dir_name(fd, path, path_len)`: always 52; no directory is open from the start.
fn fd_prestat_dir_name<S: WasiHost>(
    _: &mut HostCall<'_, S>,
    (_fd, _path, _length): (u32, u32, u32),
) -> Answer {
    Err(Refusal::NotImplemented)
}

/// `fd_prestat_get(fd, prestat)`: always 8; no directory is open from the start, and this number ends the search.
fn fd_prestat_get<S: WasiHost>(_: &mut HostCall<'_, S>, (fd, _prestat): (u32, u32)) -> Answer {
    Err(Refusal::FileDescriptor(fd))
}

/// `fd_readdir(fd, buf, buf_len, cookie, nread)`: always 20, with a 0 (`u32`) at `nread`.
///
/// Gives 21 where `nread` is not inside the memory.
fn fd_readdir<S: WasiHost>(
    call: &mut HostCall<'_, S>,
    (_fd, _buffer, _length, _cookie, read): (u32, u32, u32, u64, u32),
) -> Answer {
    call.memory().write_u32(read, 0)?;
    Err(Refusal::NoDirectory)
}

/// `fd_renumber(fd, to)`: 58 where both are 1 or 2, which keep their numbers, else 8.
fn fd_renumber<S: WasiHost>(_: &mut HostCall<'_, S>, (fd, to): (u32, u32)) -> Answer {
    only_streams(fd)?;
    only_streams(to)?;
    Err(Refusal::NotSupported)
}

/// `fd_seek(fd, offset, whence, newoffset)`: always 0, with a 0 (`u64`) at `newoffset`: nothing can be sought in, and
/// C libraries ask all the same.
///
/// Gives 21 where `newoffset` is not inside the memory.
fn fd_seek<S: WasiHost>(
    call: &mut HostCall<'_, S>,
    (_fd, _offset, _whence, new_offset): (u32, u64, u32, u32),
) -> Answer {
    Ok(call.memory().write_u64(new_offset, 0)?)
}

/// `fd_sync(fd)`: 0 for 1 and 2, else 8.
fn fd_sync<S: WasiHost>(_: &mut HostCall<'_, S>, (fd,): (u32,)) -> Answer {
    only_streams(fd)
}

/// `fd_tell(fd, offset)`: 0 for 1 and 2, with a 0 (`u64`) at `offset`, else 8.
///
/// Gives 21 where `offset` is not inside the memory.
fn fd_tell<S: WasiHost>(call: &mut HostCall<'_, S>, (fd, offset): (u32, u32)) -> Answer {
    only_streams(fd)?;
    Ok(call.memory().write_u64(offset, 0)?)
}

/// `path_create_directory(fd, path, path_len)`: always 58.
fn path_create_directory<S: WasiHost>(
    _: &mut HostCall<'_, S>,
    (_fd, _path, _length): (u32, u32, u32),
) -> Answer {
    Err(Refusal::NotSupported)
}

/// `path_filestat_get(fd, flags, path, path_len, stat)`: always 58.
fn path_filestat_get<S: WasiHost>(
    _: &mut HostCall<'_, S>,
    (_fd, _flags, _path, _length, _stat): (u32, u32, u32, u32, u32),
) -> Answer {
    Err(Refusal::NotSupported)
}

/// `path_filestat_set_times(fd, flags, path, path_len, accessed, modified, times)`: always 58.
fn path_filestat_set_times<S: WasiHost>(
    _: &mut HostCall<'_, S>,
    _parameters: (u32, u32, u32, u32, u64, u64, u32),
) -> Answer {
    Err(Refusal::NotSupported)
}

/// `path_link(old_fd, old_flags, old_path, old_path_len, new_fd, new_path, new_path_len)`: always 58.
fn path_link<S: WasiHost>(
    _: &mut HostCall<'_, S>,
    _parameters: (u32, u32, u32, u32, u32, u32, u32),
) -> Answer {
    Err(Refusal::NotSupported)
}

/// `path_open(fd, dirflags, path, path_len, oflags, rights, inherited, fdflags, opened)`: always 44; there is no file
/// of any name.
fn path_open<S: WasiHost>(
    _: &mut HostCall<'_, S>,
    _parameters: (u32, u32, u32, u32, u32, u64, u64, u32, u32),
) -> Answer {
    Err(Refusal::NoFile)
}

/// `path_readlink(fd, path, path_len, buf, buf_len, used)`: always 58, with a 0 (`u32`) at `used`.
///
/// Gives 21 where `used` is not inside the memory.
fn path_readlink<S: WasiHost>(
    call: &mut HostCall<'_, S>,
    (_fd, _path, _length, _buffer, _buffer_length, used): (u32, u32, u32, u32, u32, u32),
) -> Answer {
    call.memory().write_u32(used, 0)?;
    Err(Refusal::NotSupported)
}

/// `path_remove_directory(fd, path, path_len)`: always 58.
fn path_remove_directory<S: WasiHost>(
    _: &mut HostCall<'_, S>,
    (_fd, _path, _length): (u32, u32, u32),
) -> Answer {
    Err(Refusal::NotSupported)
}

/// `path_rename(fd, old_path, old_path_len, new_fd, new_path, new_path_len)`: always 58.
fn path_rename<S: WasiHost>(_: &mut HostCall<'_, S>, _parameters: (u32, u32, u32, u32, u32, u32)) -> Answer {
    Err(Refusal::NotSupported)
}

/// `path_symlink(old_path, old_path_len, fd, new_path, new_path_len)`: always 58.
fn path_symlink<S: WasiHost>(_: &mut HostCall<'_, S>, _parameters: (u32, u32, u32, u32, u32)) -> Answer {
    Err(Refusal::NotSupported)
}

/// `path_unlink_file(fd, path, path_len)`: always 58.
fn path_unlink_file<S: WasiHost>(_: &mut HostCall<'_, S>, (_fd, _path, _length): (u32, u32, u32)) -> Answer {
    Err(Refusal::NotSupported)
}

#[cfg(test)]
mod tests;
