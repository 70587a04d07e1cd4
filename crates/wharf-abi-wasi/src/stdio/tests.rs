use crate::Stdio;
use crate::testing::{Guest, PAGE};

/// The bytes of a table of vectors.
fn vectors(vectors: &[(u32, u32)]) -> Vec<u8> {
    vectors
        .iter()
        .flat_map(|(pointer, length)| [pointer.to_le_bytes(), length.to_le_bytes()].concat())
        .collect()
}

fn guest() -> Guest {
    Guest::new("fd_write", "i32 i32 i32 i32")
}

#[test]
fn vectors_are_joined_and_one_line_end_is_taken_off() {
    let mut write = guest();
    let table = vectors(&[(100, 4), (200, 0), (300, 3)]);
    write.put(0, &table);
    write.put(100, b"hell");
    write.put(300, b"o\n\n");
    assert_eq!(write.call((1_u32, 0_u32, 3_u32, 400_u32)), 0);
    assert_eq!(write.host().written, [(Stdio::Stdout, b"hello\n".to_vec())]);
    write.assert_memory(&[(0, &table), (100, b"hell"), (300, b"o\n\n"), (400, &[7, 0, 0, 0])]);
}

#[test]
fn stderr_is_another_stream_and_text_may_be_any_bytes() {
    let mut write = guest();
    write.put(0, &vectors(&[(8, 3)]));
    write.put(8, &[0xff, 0, b'x']);
    assert_eq!(write.call((2_u32, 0_u32, 1_u32, 20_u32)), 0);
    assert_eq!(write.host().written, [(Stdio::Stderr, vec![0xff, 0, b'x'])]);
}

#[test]
fn nothing_leaves_no_line_and_a_lone_line_end_an_empty_one() {
    let mut nothing = guest();
    assert_eq!(nothing.call((1_u32, 0_u32, 0_u32, 20_u32)), 0);
    assert_eq!(nothing.host().written, []);
    nothing.assert_memory(&[(20, &[0; 4])]);

    let mut line_end = guest();
    line_end.put(0, &vectors(&[(8, 1)]));
    line_end.put(8, b"\n");
    assert_eq!(line_end.call((1_u32, 0_u32, 1_u32, 20_u32)), 0);
    assert_eq!(line_end.host().written, [(Stdio::Stdout, vec![])]);
    line_end.assert_memory(&[(0, &vectors(&[(8, 1)])), (8, b"\n"), (20, &[1, 0, 0, 0])]);
}

#[test]
fn other_descriptors_are_bad() {
    for fd in [0_u32, 3, u32::MAX] {
        let mut write = guest();
        assert_eq!(write.call((fd, u32::MAX, u32::MAX, u32::MAX)), 8);
        assert_eq!(write.host().written, []);
        write.assert_memory(&[]);
    }
}

#[test]
fn hostile_pointers_give_fault_and_leave_no_line() {
    let good = vectors(&[(100, 1)]);
    for (table, at, count, written) in [
        (&good, 0, 1, PAGE - 3),
        (&good, 0, 1, u32::MAX),
        (&good, PAGE - 8, 2, 0),
        (&good, PAGE - 8, 1 << 29, 0),
        (&vectors(&[(PAGE, 1)]), 0, 1, 20),
        (&vectors(&[(u32::MAX, u32::MAX)]), 0, 1, 20),
        (&vectors(&[(0, u32::MAX)]), 0, 1, 20),
        (&vectors(&[(100, 1), (PAGE - 1, 2)]), 0, 2, 20),
    ] {
        let mut write = guest();
        write.put(at, table);
        assert_eq!(write.call((1_u32, at, count, written)), 21);
        assert_eq!(write.host().written, []);
        write.assert_memory(&[(at, table)]);
    }
    assert_eq!(guest().call((1_u32, u32::MAX, 1_u32, 0_u32)), 21);
}

#[test]
fn a_long_write_is_cut_and_says_so() {
    // 20 vectors over the same page of memory are more than the cap of 1 MiB, which is 16 pages.
    let mut write = guest();
    let table = vectors(&[(0, PAGE); 20]);
    write.put(0, &table);
    assert_eq!(write.call((1_u32, 0_u32, 20_u32, 1000_u32)), 0);
    assert_eq!(write.host().written[0].1.len(), 1 << 20);
    write.assert_memory(&[(0, &table), (1000, &(1_u32 << 20).to_le_bytes())]);
}

#[test]
fn many_vectors_are_cut_and_say_so() {
    let mut write = guest();
    let table = vectors(&[(60_000, 1); 1025]);
    write.put(0, &table);
    assert_eq!(write.call((1_u32, 0_u32, 1025_u32, 50_000_u32)), 0);
    assert_eq!(write.host().written, [(Stdio::Stdout, vec![b'?'; 1024])]);
    write.assert_memory(&[(0, &table), (50_000, &1024_u32.to_le_bytes())]);
}

#[test]
fn an_offset_means_nothing() {
    let mut write = Guest::new("fd_pwrite", "i32 i32 i32 i64 i32");
    write.put(0, &vectors(&[(8, 2)]));
    assert_eq!(write.call((1_u32, 0_u32, 1_u32, u64::MAX, 20_u32)), 0);
    assert_eq!(write.host().written, [(Stdio::Stdout, b"??".to_vec())]);
    write.assert_memory(&[(0, &vectors(&[(8, 2)])), (20, &[2, 0, 0, 0])]);

    let mut bad = Guest::new("fd_pwrite", "i32 i32 i32 i64 i32");
    assert_eq!(bad.call((3_u32, 0_u32, 1_u32, 0_u64, 20_u32)), 8);
    assert_eq!(bad.call((1_u32, PAGE, 1_u32, 0_u64, 20_u32)), 21);
}

/// A command whose stdin has these bytes.
fn reader(stdin: &[u8]) -> Guest {
    let mut guest = Guest::new("fd_read", "i32 i32 i32 i32");
    guest.host().stdin = Some(stdin.iter().copied().collect());
    guest
}

#[test]
fn stdin_fills_one_vector_after_the_other_until_it_ends() {
    let mut read = reader(b"hello world");
    let table = vectors(&[(100, 4), (200, 0), (300, 5)]);
    read.put(0, &table);
    assert_eq!(read.call((0_u32, 0_u32, 3_u32, 400_u32)), 0);
    read.assert_memory(&[(0, &table), (100, b"hell"), (300, b"o wor"), (400, &[9, 0, 0, 0])]);

    assert_eq!(read.call((0_u32, 0_u32, 3_u32, 400_u32)), 0);
    let rest: &[(u32, &[u8])] = &[(0, &table), (100, b"ldll"), (300, b"o wor"), (400, &[2, 0, 0, 0])];
    read.assert_memory(rest);

    assert_eq!(read.call((0_u32, 0_u32, 3_u32, 400_u32)), 0);
    read.assert_memory(&[(0, &table), (100, b"ldll"), (300, b"o wor"), (400, &[0; 4])]);
}

#[test]
fn a_long_read_is_cut() {
    let mut read = reader(&vec![b'x'; 20 * PAGE as usize]);
    let table = vectors(&[(0, PAGE); 20]);
    read.put(0, &table);
    assert_eq!(read.call((0_u32, 0_u32, 20_u32, 1000_u32)), 0);
    let mut memory = vec![b'x'; PAGE as usize];
    memory[1000..1004].copy_from_slice(&(1_u32 << 20).to_le_bytes());
    read.assert_memory(&[(0, &memory)]);
}

#[test]
fn nothing_but_stdin_can_be_read_and_filters_have_none() {
    for fd in [1_u32, 2, 3, u32::MAX] {
        assert_eq!(reader(b"x").call((fd, 0_u32, 1_u32, 8_u32)), 52);
    }
    let mut filter = Guest::new("fd_read", "i32 i32 i32 i32");
    assert_eq!(filter.call((0_u32, 0_u32, 1_u32, 8_u32)), 52);
}

#[test]
fn hostile_pointers_read_nothing() {
    let good = vectors(&[(100, 1)]);
    for (table, at, count, read) in [
        (&good, 0, 1, PAGE - 3),
        (&good, 0, 1, u32::MAX),
        (&good, PAGE - 8, 2, 0),
        (&good, PAGE - 8, 1 << 29, 0),
        (&vectors(&[(PAGE, 1)]), 0, 1, 20),
        (&vectors(&[(u32::MAX, u32::MAX)]), 0, 1, 20),
        (&vectors(&[(0, u32::MAX)]), 0, 1, 20),
        (&vectors(&[(100, 1), (PAGE - 1, 2)]), 0, 2, 20),
    ] {
        let mut guest = reader(b"abc");
        guest.put(at, table);
        assert_eq!(guest.call((0_u32, at, count, read)), 21);
        guest.assert_memory(&[(at, table)]);
        assert_eq!(guest.host().stdin.as_ref().unwrap().len(), 3);
    }
}

#[test]
fn the_output_of_a_command_is_taken_byte_for_byte_and_may_be_full() {
    let mut write = guest();
    write.host().captured = Some(Vec::new());
    let table = vectors(&[(100, 3), (200, 1)]);
    write.put(0, &table);
    write.put(100, b"{}\n");
    write.put(200, b"\n");
    assert_eq!(write.call((1_u32, 0_u32, 2_u32, 400_u32)), 0);
    assert_eq!(write.host().captured.as_deref(), Some(&b"{}\n\n"[..]));

    assert_eq!(write.call((1_u32, 0_u32, 2_u32, 404_u32)), 51);
    assert_eq!(write.host().captured.as_deref(), Some(&b"{}\n\n"[..]));
    let memory: &[(u32, &[u8])] = &[(0, &table), (100, b"{}\n"), (200, b"\n"), (400, &[4, 0, 0, 0])];
    write.assert_memory(memory);
}
