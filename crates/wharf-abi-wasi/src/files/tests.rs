use wharf_engine::WasmParams;

use crate::testing::{Guest, PAGE};

/// Calls `function` in a fresh guest: the error number, and nothing but `pieces` is written.
#[track_caller]
fn check<P: WasmParams>(function: &str, types: &str, parameters: P, errno: i32, pieces: &[(u32, &[u8])]) {
    let mut guest = Guest::new(function, types);
    assert_eq!(guest.call(parameters), errno, "{function}");
    guest.assert_memory(pieces);
    assert_eq!(guest.host().written, []);
}

const BAD: u32 = u32::MAX;

#[test]
fn the_log_streams_have_nothing_to_be_done_to_them_and_others_are_not_open() {
    for (fd, errno) in [(0_u32, 8), (1, 0), (2, 0), (3, 8), (BAD, 8)] {
        check("fd_allocate", "i32 i64 i64", (fd, 0_u64, 1_u64), errno, &[]);
        check("fd_datasync", "i32", (fd,), errno, &[]);
        check(
            "fd_fdstat_set_rights",
            "i32 i64 i64",
            (fd, 0_u64, 0_u64),
            errno,
            &[],
        );
        check("fd_filestat_set_size", "i32 i64", (fd, 0_u64), errno, &[]);
        check(
            "fd_filestat_set_times",
            "i32 i64 i64 i32",
            (fd, 0_u64, 0_u64, 0_u32),
            errno,
            &[],
        );
        check("fd_sync", "i32", (fd,), errno, &[]);
    }
}

#[test]
fn advice_and_closing_always_succeed() {
    for fd in [0_u32, 1, 3, BAD] {
        check(
            "fd_advise",
            "i32 i64 i64 i32",
            (fd, 0_u64, u64::MAX, 9_u32),
            0,
            &[],
        );
        check("fd_close", "i32", (fd,), 0, &[]);
    }
}

#[test]
fn the_state_of_the_log_streams_says_that_they_can_be_written() {
    let record = [[0; 8], [64, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat();
    for fd in [1_u32, 2] {
        check("fd_fdstat_get", "i32 i32", (fd, 5_u32), 0, &[(5, &record)]);
        check(
            "fd_fdstat_get",
            "i32 i32",
            (fd, PAGE - 24),
            0,
            &[(PAGE - 24, &record)],
        );
        check("fd_fdstat_get", "i32 i32", (fd, PAGE - 23), 21, &[]);
        check("fd_fdstat_get", "i32 i32", (fd, BAD), 21, &[]);
    }
    check("fd_fdstat_get", "i32 i32", (0_u32, 5_u32), 8, &[]);
    check("fd_fdstat_get", "i32 i32", (3_u32, BAD), 8, &[]);
}

#[test]
fn a_command_sees_its_standard_streams() {
    let command = |function, types| {
        let mut guest = Guest::new(function, types);
        guest.host().stdin = Some([].into());
        guest
    };
    let mut state = command("fd_fdstat_get", "i32 i32");
    let readable = [[0; 8], [2, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat();
    assert_eq!(state.call((0_u32, 8_u32)), 0);
    state.assert_memory(&[(8, &readable)]);
    assert_eq!(state.call((3_u32, 8_u32)), 8);

    for fd in [0_u32, 1, 2] {
        let mut status = command("fd_filestat_get", "i32 i32");
        assert_eq!(status.call((fd, PAGE - 64)), 0);
        status.assert_memory(&[(PAGE - 64, &[0; 64])]);
        assert_eq!(status.call((fd, PAGE - 63)), 21);
    }
    assert_eq!(command("fd_filestat_get", "i32 i32").call((3_u32, 0_u32)), 8);
}

#[test]
fn no_directory_is_open_from_the_start() {
    for fd in [0_u32, 3, 4, BAD] {
        check("fd_prestat_get", "i32 i32", (fd, BAD), 8, &[]);
        check("fd_prestat_dir_name", "i32 i32 i32", (fd, 0_u32, 4_u32), 52, &[]);
        check("fd_filestat_get", "i32 i32", (fd, 0_u32), 8, &[]);
    }
}

#[test]
fn nothing_can_be_read() {
    for fd in [0_u32, 1, 3] {
        check("fd_read", "i32 i32 i32 i32", (fd, 0_u32, 1_u32, 8_u32), 52, &[]);
        check(
            "fd_pread",
            "i32 i32 i32 i64 i32",
            (fd, 0_u32, 1_u32, 0_u64, 8_u32),
            52,
            &[],
        );
        check(
            "fd_readdir",
            "i32 i32 i32 i64 i32",
            (fd, 0_u32, 1_u32, 0_u64, 8_u32),
            20,
            &[(8, &[0; 4])],
        );
        check(
            "fd_readdir",
            "i32 i32 i32 i64 i32",
            (fd, 0_u32, 1_u32, 0_u64, PAGE - 3),
            21,
            &[],
        );
        check("fd_fdstat_set_flags", "i32 i32", (fd, 1_u32), 52, &[]);
    }
}

#[test]
fn the_offset_is_always_zero() {
    check(
        "fd_seek",
        "i32 i64 i32 i32",
        (1_u32, 99_u64, 2_u32, 3_u32),
        0,
        &[(3, &[0; 8])],
    );
    check(
        "fd_seek",
        "i32 i64 i32 i32",
        (7_u32, u64::MAX, BAD, 3_u32),
        0,
        &[(3, &[0; 8])],
    );
    check(
        "fd_seek",
        "i32 i64 i32 i32",
        (1_u32, 0_u64, 0_u32, PAGE - 7),
        21,
        &[],
    );
    check("fd_tell", "i32 i32", (2_u32, PAGE - 8), 0, &[(PAGE - 8, &[0; 8])]);
    check("fd_tell", "i32 i32", (2_u32, BAD), 21, &[]);
    check("fd_tell", "i32 i32", (0_u32, 0_u32), 8, &[]);
}

#[test]
fn the_log_streams_keep_their_numbers() {
    for (fd, to, errno) in [
        (1_u32, 2_u32, 58),
        (2, 2, 58),
        (0, 1, 8),
        (1, 3, 8),
        (BAD, BAD, 8),
    ] {
        check("fd_renumber", "i32 i32", (fd, to), errno, &[]);
    }
}

#[test]
fn no_path_leads_anywhere() {
    let two = (3_u32, BAD, BAD);
    check("path_create_directory", "i32 i32 i32", two, 58, &[]);
    check("path_remove_directory", "i32 i32 i32", two, 58, &[]);
    check("path_unlink_file", "i32 i32 i32", two, 58, &[]);
    check(
        "path_filestat_get",
        "i32 i32 i32 i32 i32",
        (3_u32, 0_u32, BAD, BAD, BAD),
        58,
        &[],
    );
    check(
        "path_symlink",
        "i32 i32 i32 i32 i32",
        (BAD, BAD, 3_u32, BAD, BAD),
        58,
        &[],
    );
    check(
        "path_rename",
        "i32 i32 i32 i32 i32 i32",
        (3_u32, BAD, BAD, 3_u32, BAD, BAD),
        58,
        &[],
    );
    let link = (3_u32, 0_u32, BAD, BAD, 3_u32, BAD, BAD);
    check("path_link", "i32 i32 i32 i32 i32 i32 i32", link, 58, &[]);
    let times = (3_u32, 0_u32, BAD, BAD, 0_u64, 0_u64, 0_u32);
    check(
        "path_filestat_set_times",
        "i32 i32 i32 i32 i64 i64 i32",
        times,
        58,
        &[],
    );
    let open = (3_u32, 0_u32, BAD, BAD, 0_u32, u64::MAX, u64::MAX, 0_u32, BAD);
    check("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32", open, 44, &[]);
    let readlink = |used: u32| (3_u32, BAD, BAD, BAD, BAD, used);
    check(
        "path_readlink",
        "i32 i32 i32 i32 i32 i32",
        readlink(6),
        58,
        &[(6, &[0; 4])],
    );
    check(
        "path_readlink",
        "i32 i32 i32 i32 i32 i32",
        readlink(PAGE - 3),
        21,
        &[],
    );
}
