//! The arguments of the program. Filters have none.

use wharf_engine::HostCall;

use crate::refusal::Answer;
use crate::strings::{self, StringParts};
use crate::{Table, WasiHost};

pub(crate) fn add<S: WasiHost + 'static>(table: &mut Table<'_, S>) {
    table
        .add("args_get", args_get)
        .add("args_sizes_get", args_sizes_get);
}

fn parts(arguments: &[String]) -> impl Iterator<Item = StringParts<'_>> + Clone {
    arguments.iter().map(|argument| StringParts([argument, "", ""]))
}

/// `args_get(argv, argv_buf)`: the arguments.
///
/// * `argv`: where the table of pointers goes, four bytes for each argument.
/// * `argv_buf`: where the arguments go, each with a NUL behind it.
///
/// For `["a", "bc"]`, `argv` = 0 and `argv_buf` = 8:
///
/// ```text
///    argv                     argv_buf
///   ┌──────────┬──────────┐  ┌────────┬─────────────┐
///   │ 8  0 0 0 │ 10 0 0 0 │  │ 'a'  0 │ 'b' 'c'  0  │
///   └──────────┴──────────┘  └────────┴─────────────┘
///   0          4             8        10
/// ```
///
/// Gives 21 where either does not fit into the memory; nothing is written then.
fn args_get<S: WasiHost>(call: &mut HostCall<'_, S>, (argv, argv_buf): (u32, u32)) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    Ok(strings::write(
        &mut memory,
        parts(state.arguments()),
        argv,
        argv_buf,
    )?)
}

/// `args_sizes_get(argc, argv_buf_size)`: how much memory [`args_get`] needs.
///
/// * `argc`: where the number of arguments goes, as `u32`.
/// * `argv_buf_size`: where the bytes of all arguments with their NULs go, as `u32`.
///
/// Gives 21 where either is not inside the memory; nothing is written then.
fn args_sizes_get<S: WasiHost>(call: &mut HostCall<'_, S>, (argc, argv_buf_size): (u32, u32)) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    let (count, bytes) = strings::sizes(parts(state.arguments()));
    memory.writable(argv_buf_size, 4)?;
    memory.write_u32(argc, count)?;
    Ok(memory.write_u32(argv_buf_size, bytes)?)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Guest, PAGE};

    #[test]
    fn filters_have_no_arguments() {
        let mut sizes = Guest::new("args_sizes_get", "i32 i32");
        assert_eq!(sizes.call((4_u32, 12_u32)), 0);
        sizes.assert_memory(&[(4, &[0; 4]), (12, &[0; 4])]);

        let mut arguments = Guest::new("args_get", "i32 i32");
        assert_eq!(arguments.call((4_u32, 8_u32)), 0);
        arguments.assert_memory(&[]);
    }

    #[test]
    fn arguments_are_a_table_of_pointers_and_strings() {
        let mut arguments = Guest::new("args_get", "i32 i32");
        arguments.host().arguments = vec!["a".into(), "bc".into()];
        assert_eq!(arguments.call((4_u32, 16_u32)), 0);
        arguments.assert_memory(&[(4, &[16, 0, 0, 0, 18, 0, 0, 0]), (16, b"a\0bc\0")]);

        let mut sizes = Guest::new("args_sizes_get", "i32 i32");
        sizes.host().arguments = vec!["a".into(), "bc".into()];
        assert_eq!(sizes.call((0_u32, 4_u32)), 0);
        sizes.assert_memory(&[(0, &[2, 0, 0, 0, 5, 0, 0, 0])]);
    }

    #[test]
    fn hostile_pointers_give_fault_and_write_nothing() {
        for (table, buffer) in [
            (PAGE - 7, 0),
            (0, PAGE - 4),
            (u32::MAX, 0),
            (0, u32::MAX),
            (PAGE, PAGE),
        ] {
            let mut arguments = Guest::new("args_get", "i32 i32");
            arguments.host().arguments = vec!["a".into(), "bc".into()];
            assert_eq!(arguments.call((table, buffer)), 21);
            arguments.assert_memory(&[]);
        }
        for (count, size) in [(PAGE - 3, 0), (0, PAGE - 3), (u32::MAX, 0), (0, u32::MAX)] {
            let mut sizes = Guest::new("args_sizes_get", "i32 i32");
            assert_eq!(sizes.call((count, size)), 21);
            sizes.assert_memory(&[]);
        }
    }
}
