//! The functions that work on paths. Each path is relative to an open directory; see [`Tree::resolve`].

use wharf_engine::{GuestMemory, HostCall};

use super::{LONGEST_PATH, Node, Tree, TreeHost};
use crate::Table;
use crate::refusal::{Answer, Refusal};

/// The flag of `path_open` for directories only.
const DIRECTORY: u32 = 2;

pub(super) fn add<S: TreeHost + 'static>(table: &mut Table<'_, S>) {
    table
        .add("path_create_directory", path_create_directory)
        .add("path_filestat_get", path_filestat_get)
        .add_unstable("path_filestat_get", path_filestat_get_unstable)
        .add("path_open", path_open)
        .add("path_readlink", path_readlink)
        .add("path_remove_directory", path_remove_directory)
        .add("path_unlink_file", path_unlink_file);
}

/// `path_open(fd, dirflags, path, path_len, oflags, rights, inherited, fdflags, opened)`: opens the file or a directory.
///
/// * `fd`: the directory that the path starts in.
/// * `path`, `path_len`: the path.
/// * `oflags`: 2 for directories only; the others are not looked at, since nothing is ever created or emptied.
/// * `opened`: where the descriptor goes, as `u32`.
///
/// The rights are not looked at either: a file that was opened to be written cannot be written, and 8 says so then. `dirflags`
/// says whether links are followed, and there are none.
///
/// Gives 8 for a descriptor that is not open, 21 where the path or `opened` is not inside the memory, 28 for an empty path, 33
/// where 256 descriptors are open, 37 for a path of more than 64 KiB, 44 where there is nothing, 54 where a file is taken for a
/// directory, 63 for an absolute path and one that leads out.
fn path_open<S: TreeHost>(
    call: &mut HostCall<'_, S>,
    parameters: (u32, u32, u32, u32, u32, u64, u64, u32, u32),
) -> Answer {
    let (fd, _, path, length, flags, _, _, _, opened) = parameters;
    let (mut memory, state) = call.memory_and_state();
    memory.writable(opened, 4)?;
    let tree = state.tree();
    let node = find(&memory, tree, fd, path, length)?;
    if flags & DIRECTORY != 0 && !tree.is_directory(node) {
        return Err(Refusal::NotDirectory);
    }
    let fd = tree.open(node)?;
    Ok(memory.write_u32(opened, fd)?)
}

/// `path_filestat_get(fd, flags, path, path_len, stat)`: the state of what the path names, as `fd_filestat_get` writes it.
///
/// Gives the errors of [`path_open`] that are about the path, and 21 where the record does not fit into the memory.
fn path_filestat_get<S: TreeHost>(
    call: &mut HostCall<'_, S>,
    (fd, _flags, path, length, stat): (u32, u32, u32, u32, u32),
) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    let tree = state.tree();
    let node = find(&memory, tree, fd, path, length)?;
    Ok(memory.write(stat, &tree.state_record(node))?)
}

/// `path_filestat_get(fd, flags, path, path_len, stat)` of the older interface, whose record has 56 bytes.
fn path_filestat_get_unstable<S: TreeHost>(
    call: &mut HostCall<'_, S>,
    (fd, _flags, path, length, stat): (u32, u32, u32, u32, u32),
) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    let tree = state.tree();
    let node = find(&memory, tree, fd, path, length)?;
    Ok(memory.write(stat, &tree.unstable_state_record(node))?)
}

/// `path_readlink(fd, path, path_len, buf, buf_len, used)`: always 52; there are no links.
fn path_readlink<S: TreeHost>(
    _: &mut HostCall<'_, S>,
    _parameters: (u32, u32, u32, u32, u32, u32),
) -> Answer {
    Err(Refusal::NotImplemented)
}

/// `path_create_directory(fd, path, path_len)`: always 52; nothing can be changed.
fn path_create_directory<S: TreeHost>(_: &mut HostCall<'_, S>, _parameters: (u32, u32, u32)) -> Answer {
    Err(Refusal::NotImplemented)
}

/// `path_remove_directory(fd, path, path_len)`: always 52, as [`path_create_directory`].
fn path_remove_directory<S: TreeHost>(_: &mut HostCall<'_, S>, _parameters: (u32, u32, u32)) -> Answer {
    Err(Refusal::NotImplemented)
}

/// `path_unlink_file(fd, path, path_len)`: always 52, as [`path_create_directory`].
fn path_unlink_file<S: TreeHost>(_: &mut HostCall<'_, S>, _parameters: (u32, u32, u32)) -> Answer {
    Err(Refusal::NotImplemented)
}

fn find(memory: &GuestMemory<'_>, tree: &Tree, fd: u32, path: u32, length: u32) -> Result<Node, Refusal> {
    if length > LONGEST_PATH {
        return Err(Refusal::PathLength(length));
    }
    tree.resolve(fd, memory.read(path, length)?)
}
