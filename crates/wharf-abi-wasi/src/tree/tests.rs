use std::sync::Arc;

use wharf_engine::WasmParams;

use super::Tree;
use crate::testing::{Guest, PAGE};

const NEW: &str = "wasi_snapshot_preview1";
const OLD: &str = "wasi_unstable";
const BAD: u32 = u32::MAX;

/// A guest of one function that sees `hello` at `/etc/app/a.txt`.
fn seeing(module: &str, function: &str, parameters: &str) -> Guest {
    let mut guest = Guest::with_tree(module, function, parameters);
    guest.host().tree.show("/etc/app/a.txt", Arc::from(*b"hello"));
    guest
}

/// Opens a path in the tree itself, for functions that need a descriptor.
fn open(guest: &mut Guest, path: &str) -> u32 {
    let tree = &mut guest.host().tree;
    let node = tree.resolve(3, path.as_bytes()).unwrap();
    tree.open(node).unwrap()
}

#[track_caller]
fn check<P: WasmParams>(guest: &mut Guest, parameters: P, errno: i32, pieces: &[(u32, &[u8])]) {
    assert_eq!(guest.call(parameters), errno);
    guest.assert_memory(pieces);
}

const OPEN: &str = "i32 i32 i32 i32 i32 i64 i64 i32 i32";

/// Calls `path_open` from descriptor `fd` with the path at 16, and gives the error number and what is at 8.
fn path_open(guest: &mut Guest, fd: u32, path: &str, flags: u32) -> (i32, u32) {
    guest.put(16, path.as_bytes());
    let length = path.len() as u32;
    let errno = guest.call((fd, 1_u32, 16_u32, length, flags, 64_u64, 0_u64, 0_u32, 8_u32));
    (errno, guest.u32_at(8))
}

#[test]
fn one_directory_is_open_from_the_start() {
    let mut get = seeing(NEW, "fd_prestat_get", "i32 i32");
    check(&mut get, (3_u32, 4_u32), 0, &[(4, &[0, 0, 0, 0, 1, 0, 0, 0])]);
    for (fd, at, errno) in [
        (4_u32, 0, 8),
        (2, 0, 8),
        (BAD, 0, 8),
        (3, PAGE - 7, 21),
        (3, BAD, 21),
    ] {
        check(
            &mut seeing(NEW, "fd_prestat_get", "i32 i32"),
            (fd, at),
            errno,
            &[],
        );
    }
    let name = |parameters, errno, pieces: &[(u32, &[u8])]| {
        check(
            &mut seeing(NEW, "fd_prestat_dir_name", "i32 i32 i32"),
            parameters,
            errno,
            pieces,
        );
    };
    name((3_u32, 9_u32, 1_u32), 0, &[(9, b"/")]);
    name((3, PAGE - 1, BAD), 0, &[(PAGE - 1, b"/")]);
    name((3, 9, 0), 37, &[]);
    name((4, 9, 1), 8, &[]);
    name((3, PAGE, 1), 21, &[]);
}

#[test]
fn a_path_leads_to_the_file_and_to_nothing_else() {
    let mut guest = seeing(NEW, "path_open", OPEN);
    for (fd, path, flags, errno) in [
        (3, "etc/app/a.txt", 0, 0),
        (3, "./etc//x/../app/a.txt", 0, 0),
        (3, "etc", 2, 0),
        (3, "etc/app/", 2, 0),
        (3, ".", 2, 0),
        (3, "", 2, 28),
        // Nothing is created or emptied, whatever is asked for.
        (3, "etc/app/a.txt", 1 | 4 | 8, 0),
        (3, "etc/app/b.txt", 1, 44),
        (3, "etc/app/b.txt", 0, 44),
        (3, "etc/passwd", 0, 44),
        (3, "etc/app/a.txt\0", 0, 44),
        (3, "ETC/app/a.txt", 0, 44),
        (3, "etc/app/a.txt/", 0, 0),
        (3, "etc/app/a.txt/b", 0, 44),
        (3, "etc/app/a.txt", 2, 54),
        (3, "/etc/app/a.txt", 0, 63),
        (3, "..", 0, 63),
        (3, "etc/../../etc/app/a.txt", 0, 63),
        (0, "etc", 0, 8),
        (2, "etc", 0, 8),
        (99, "etc", 0, 8),
        (BAD, "etc", 0, 8),
    ] {
        guest.put(8, &[0xee; 4]);
        let (given, fd_at_8) = path_open(&mut guest, fd, path, flags);
        assert_eq!(given, errno, "{path} from {fd} with {flags}");
        if errno == 0 {
            assert!(fd_at_8 > 3 && fd_at_8 < 99, "{path}: {fd_at_8}");
        } else {
            assert_eq!(fd_at_8, 0xeeee_eeee, "{path}");
        }
    }
}

#[test]
fn a_path_may_start_in_any_directory_that_is_open() {
    let mut guest = seeing(NEW, "path_open", OPEN);
    let (errno, etc) = path_open(&mut guest, 3, "etc", 2);
    assert_eq!(errno, 0);
    let (errno, file) = path_open(&mut guest, etc, "app/a.txt", 0);
    assert_eq!(errno, 0);
    assert_eq!(path_open(&mut guest, etc, "../etc/app/a.txt", 0).0, 63);
    assert_eq!(path_open(&mut guest, file, ".", 0).0, 54);
}

#[test]
fn hostile_pointers_of_paths_give_fault_and_long_paths_are_refused() {
    let call = |path: u32, length: u32, opened: u32, errno: i32| {
        let mut guest = seeing(NEW, "path_open", OPEN);
        let parameters = (3_u32, 0_u32, path, length, 0_u32, 0_u64, 0_u64, 0_u32, opened);
        check(&mut guest, parameters, errno, &[]);
    };
    call(PAGE, 1, 0, 21);
    call(BAD, 1, 0, 21);
    call(1, PAGE, 0, 21);
    call(0, PAGE + 1, 0, 37);
    call(0, BAD, 0, 37);
    call(0, 1, PAGE - 3, 21);
    call(0, 1, BAD, 21);
}

#[test]
fn only_so_many_descriptors_are_open_and_the_lowest_that_is_free_is_given() {
    let mut guest = seeing(NEW, "path_open", OPEN);
    for expected in 4..3 + super::MOST_OPEN as u32 {
        assert_eq!(path_open(&mut guest, 3, "etc", 0), (0, expected));
    }
    assert_eq!(path_open(&mut guest, 3, "etc", 0).0, 33);
    guest.host().tree.close(7).unwrap();
    assert_eq!(path_open(&mut guest, 3, "etc", 0), (0, 7));
}

#[test]
fn a_file_is_read_from_where_it_was_left() {
    let mut guest = seeing(NEW, "fd_read", "i32 i32 i32 i32");
    let file = open(&mut guest, "etc/app/a.txt");
    // Two vectors: 3 bytes at 100, 1 byte at 200.
    let vectors = [100_u32, 3, 200, 1].map(u32::to_le_bytes).concat();
    guest.put(16, &vectors);
    check(
        &mut guest,
        (file, 16_u32, 2_u32, 8_u32),
        0,
        &[(16, &vectors), (8, &[4, 0, 0, 0]), (100, b"hel"), (200, b"l")],
    );
    check(
        &mut guest,
        (file, 16_u32, 2_u32, 8_u32),
        0,
        &[(16, &vectors), (8, &[1, 0, 0, 0]), (100, b"oel"), (200, b"l")],
    );
    assert_eq!(guest.call((file, 16_u32, 2_u32, 8_u32)), 0);
    assert_eq!(guest.u32_at(8), 0);
    for (fd, vectors, read, errno) in [
        (3, 16, 8, 31),
        (50, 16, 8, 8),
        (BAD, 16, 8, 8),
        (file, PAGE - 8, 8, 21),
        (file, 16, PAGE - 3, 21),
    ] {
        assert_eq!(guest.call((fd, vectors, 2_u32, read)), errno);
    }
    // Standard input is that of every guest, and there is none.
    assert_eq!(guest.call((0_u32, 16_u32, 1_u32, 8_u32)), 52);
}

#[test]
fn a_file_is_read_from_anywhere_without_being_moved() {
    let mut guest = seeing(NEW, "fd_pread", "i32 i32 i32 i64 i32");
    let file = open(&mut guest, "etc/app/a.txt");
    let vector = [100_u32, 9].map(u32::to_le_bytes).concat();
    guest.put(16, &vector);
    check(
        &mut guest,
        (file, 16_u32, 1_u32, 2_u64, 8_u32),
        0,
        &[(16, &vector), (8, &[3, 0, 0, 0]), (100, b"llo")],
    );
    assert_eq!(guest.call((file, 16_u32, 1_u32, u64::MAX, 8_u32)), 0);
    assert_eq!(guest.u32_at(8), 0);
    assert_eq!(guest.host().tree.descriptor(file).unwrap().offset, 0);
}

#[test]
fn seeking_counts_from_where_each_interface_says() {
    for (module, beginning, now, end) in [(NEW, 0_u32, 1_u32, 2_u32), (OLD, 2, 0, 1)] {
        let mut guest = seeing(module, "fd_seek", "i32 i64 i32 i32");
        let file = open(&mut guest, "etc/app/a.txt");
        let mut seek = |fd: u32, offset: i64, whence: u32, at: u32| {
            let errno = guest.call((fd, offset, whence, at));
            (errno, guest.u32_at(8))
        };
        assert_eq!(seek(file, 2, beginning, 8), (0, 2));
        assert_eq!(seek(file, -1, now, 8), (0, 1));
        assert_eq!(seek(file, -1, end, 8), (0, 4));
        assert_eq!(seek(file, 100, end, 8), (0, 105));
        assert_eq!(seek(file, 0, now, 8), (0, 105));
        assert_eq!(seek(file, -1, beginning, 8), (28, 105));
        assert_eq!(seek(file, i64::MAX, end, 8), (28, 105));
        assert_eq!(seek(file, 0, 3, 8), (28, 105));
        assert_eq!(seek(3, 0, beginning, 8), (31, 105));
        assert_eq!(seek(60, 0, beginning, 8), (8, 105));
        assert_eq!(seek(file, 1, beginning, PAGE - 7), (21, 105));
        assert_eq!(seek(file, 0, now, 8), (0, 105));
        // The log has no places.
        assert_eq!(seek(1, 5, beginning, 8), (0, 0));
    }
    let mut tell = seeing(NEW, "fd_tell", "i32 i32");
    let file = open(&mut tell, "etc/app/a.txt");
    tell.host().tree.descriptor_mut(file).unwrap().offset = 3;
    check(&mut tell, (file, 8_u32), 0, &[(8, &[3, 0, 0, 0, 0, 0, 0, 0])]);
    check(&mut seeing(NEW, "fd_tell", "i32 i32"), (9_u32, 8_u32), 8, &[]);
}

#[test]
fn descriptors_say_what_is_behind_them() {
    let mut guest = seeing(NEW, "fd_fdstat_get", "i32 i32");
    let file = open(&mut guest, "etc/app/a.txt");
    let mut record = [0; 24];
    record[0] = 4;
    record[8..12].copy_from_slice(&[0x26, 0, 0x20, 0]);
    check(&mut guest, (file, 40_u32), 0, &[(40, &record)]);
    assert_eq!(guest.call((file, PAGE - 23)), 21);
    assert_eq!(guest.call((77_u32, 40_u32)), 8);

    let mut root = seeing(NEW, "fd_fdstat_get", "i32 i32");
    assert_eq!(root.call((3_u32, 40_u32)), 0);
    assert_eq!(root.u32_at(40) & 0xff, 3);
    let mut log = seeing(NEW, "fd_fdstat_get", "i32 i32");
    check(
        &mut log,
        (1_u32, 8_u32),
        0,
        &[(8, &[0; 8]), (16, &[64, 0, 0, 0, 0, 0, 0, 0]), (24, &[0; 8])],
    );
    for (fd, errno) in [(1_u32, 0), (3, 0), (9, 8)] {
        check(
            &mut seeing(NEW, "fd_fdstat_set_flags", "i32 i32"),
            (fd, 4_u32),
            errno,
            &[],
        );
    }
}

#[test]
fn states_are_written_in_the_record_of_each_interface() {
    let mut new = [0; 64];
    (new[8], new[16], new[24], new[32]) = (4, 4, 1, 5);
    let mut old = [0; 56];
    (old[8], old[16], old[20], old[24]) = (4, 4, 1, 5);
    for (module, record) in [(NEW, &new[..]), (OLD, &old[..])] {
        let size = record.len() as u32;
        let mut by_fd = seeing(module, "fd_filestat_get", "i32 i32");
        let file = open(&mut by_fd, "etc/app/a.txt");
        check(&mut by_fd, (file, PAGE - size), 0, &[(PAGE - size, record)]);
        check(
            &mut seeing(module, "fd_filestat_get", "i32 i32"),
            (8_u32, 0_u32),
            8,
            &[],
        );
        check(
            &mut seeing(module, "fd_filestat_get", "i32 i32"),
            (3_u32, PAGE - size + 1),
            21,
            &[],
        );

        let by_path = || {
            let mut guest = seeing(module, "path_filestat_get", "i32 i32 i32 i32 i32");
            guest.put(0, b"etc/app/a.txt");
            guest
        };
        let path: (u32, &[u8]) = (0, b"etc/app/a.txt");
        check(
            &mut by_path(),
            (3_u32, 0_u32, 0_u32, 13_u32, 100_u32),
            0,
            &[path, (100, record)],
        );
        check(
            &mut by_path(),
            (3_u32, 0_u32, 0_u32, 12_u32, 100_u32),
            44,
            &[path],
        );
        check(
            &mut by_path(),
            (3_u32, 0_u32, 0_u32, 13_u32, PAGE - size + 1),
            21,
            &[path],
        );
        check(&mut by_path(), (3_u32, 0_u32, PAGE, 1_u32, 100_u32), 21, &[path]);
        check(&mut by_path(), (9_u32, 0_u32, 0_u32, 13_u32, 100_u32), 8, &[path]);
    }
}

/// One entry as it stands in the memory.
fn entry(next: u8, number: u8, kind: u8, name: &str) -> Vec<u8> {
    let mut bytes = vec![0; 24];
    (bytes[0], bytes[8], bytes[16], bytes[20]) = (next, number, name.len() as u8, kind);
    bytes.extend(name.bytes());
    bytes
}

#[test]
fn a_directory_has_the_paths_next_part_and_nothing_else() {
    let listed = |path: &str, length: u32, cookie: u64| {
        let mut guest = seeing(NEW, "fd_readdir", "i32 i32 i32 i64 i32");
        let directory = open(&mut guest, path);
        assert_eq!(guest.call((directory, 100_u32, length, cookie, 8_u32)), 0);
        let used = guest.u32_at(8);
        guest.bytes_at(100, used)
    };
    let dots = |number, above| [entry(1, number, 3, "."), entry(2, above, 3, "..")].concat();
    assert_eq!(listed(".", 500, 0), [dots(1, 1), entry(3, 2, 3, "etc")].concat());
    assert_eq!(
        listed("etc", 500, 0),
        [dots(2, 1), entry(3, 3, 3, "app")].concat()
    );
    assert_eq!(
        listed("etc/app", 500, 0),
        [dots(3, 2), entry(3, 4, 4, "a.txt")].concat()
    );
    assert_eq!(listed("etc/app", 500, 2), entry(3, 4, 4, "a.txt"));
    assert_eq!(listed("etc/app", 27, 2), entry(3, 4, 4, "a.txt")[..27]);
    assert_eq!(listed("etc/app", 0, 0), b"");
    for cookie in [3, 4, u64::MAX] {
        assert_eq!(listed("etc/app", 500, cookie), b"");
    }
}

#[test]
fn listing_what_is_no_directory_is_refused() {
    let mut guest = seeing(NEW, "fd_readdir", "i32 i32 i32 i64 i32");
    let file = open(&mut guest, "etc/app/a.txt");
    for (fd, buffer, length, read, errno) in [
        (file, 100_u32, 100_u32, 8_u32, 8),
        (30, 100, 100, 8, 8),
        (1, 100, 100, 8, 8),
        (3, PAGE - 99, 100, 8, 21),
        (3, BAD, 1, 8, 21),
        (3, 100, BAD, 8, 21),
        (3, 100, 100, PAGE - 3, 21),
    ] {
        check(&mut guest, (fd, buffer, length, 0_u64, read), errno, &[]);
    }
}

#[test]
fn nothing_can_be_changed() {
    for function in [
        "path_create_directory",
        "path_remove_directory",
        "path_unlink_file",
    ] {
        for parameters in [(3_u32, 0_u32, 0_u32), (BAD, BAD, BAD)] {
            check(&mut seeing(NEW, function, "i32 i32 i32"), parameters, 52, &[]);
        }
    }
    let mut link = seeing(NEW, "path_readlink", "i32 i32 i32 i32 i32 i32");
    check(&mut link, (3_u32, BAD, BAD, BAD, BAD, BAD), 52, &[]);
    let mut write = seeing(NEW, "fd_write", "i32 i32 i32 i32");
    let file = open(&mut write, "etc/app/a.txt");
    write.put(16, &[0; 8]);
    assert_eq!(write.call((file, 16_u32, 1_u32, 8_u32)), 8);
}

#[test]
fn closing_closes() {
    let mut guest = seeing(NEW, "fd_close", "i32");
    let file = open(&mut guest, "etc/app/a.txt");
    for (fd, errno) in [(file, 0), (file, 8), (1, 0), (3, 0), (3, 8), (40, 8), (BAD, 8)] {
        check(&mut guest, (fd,), errno, &[]);
    }
}

#[test]
fn the_next_file_takes_the_place_of_the_last_and_closes_what_was_open() {
    let mut tree = Tree::new();
    assert!(tree.resolve(3, b"a").is_err());
    tree.show("/a/b", Arc::from(*b"one"));
    let node = tree.resolve(3, b"a/b").unwrap();
    let fd = tree.open(node).unwrap();
    tree.close(3).unwrap();
    tree.show("x/../c", Arc::from(*b"two"));
    assert!(tree.descriptor(fd).is_err());
    assert!(tree.resolve(3, b"a").is_err());
    assert_eq!(tree.size(tree.resolve(3, b"c").unwrap()), 3);
    tree.clear();
    assert!(tree.resolve(3, b"c").is_err());
    assert!(tree.is_directory(tree.resolve(3, b".").unwrap()));
}
