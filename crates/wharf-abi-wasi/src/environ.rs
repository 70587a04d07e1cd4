//! The environment variables that the deployer gave the plugin.

use wharf_engine::HostCall;

use crate::refusal::Answer;
use crate::strings::{self, StringParts};
use crate::{Table, WasiHost};

pub(crate) fn add<S: WasiHost + 'static>(table: &mut Table<'_, S>) {
    table
        .add("environ_get", environ_get)
        .add("environ_sizes_get", environ_sizes_get);
}

fn parts(environment: &[(String, String)]) -> impl Iterator<Item = StringParts<'_>> + Clone {
    environment
        .iter()
        .map(|(name, value)| StringParts([name, "=", value]))
}

/// `environ_get(environ, environ_buf)`: the whole environment.
///
/// * `environ`: where the table of pointers goes, four bytes for each variable.
/// * `environ_buf`: where the variables go, each as `NAME=value` with a NUL behind it.
///
/// For `A=1` and `BC=`, `environ` = 0 and `environ_buf` = 8:
///
/// ```text
///    environ                  environ_buf
///   ┌──────────┬──────────┐  ┌────────────────┬────────────────┐
///   │ 8  0 0 0 │ 12 0 0 0 │  │ 'A' '=' '1'  0 │ 'B' 'C' '='  0 │
///   └──────────┴──────────┘  └────────────────┴────────────────┘
///   0          4             8                12
/// ```
///
/// Gives 21 where either does not fit into the memory; nothing is written then.
fn environ_get<S: WasiHost>(call: &mut HostCall<'_, S>, (environ, environ_buf): (u32, u32)) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    Ok(strings::write(
        &mut memory,
        parts(state.environment()),
        environ,
        environ_buf,
    )?)
}

/// `environ_sizes_get(environc, environ_buf_size)`: how much memory [`environ_get`] needs.
///
/// * `environc`: where the number of variables goes, as `u32`.
/// * `environ_buf_size`: where the bytes of all variables with their `=` and NUL go, as `u32`.
///
/// Gives 21 where either is not inside the memory; nothing is written then.
fn environ_sizes_get<S: WasiHost>(
    call: &mut HostCall<'_, S>,
    (environc, environ_buf_size): (u32, u32),
) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    let (count, bytes) = strings::sizes(parts(state.environment()));
    memory.writable(environ_buf_size, 4)?;
    memory.write_u32(environc, count)?;
    Ok(memory.write_u32(environ_buf_size, bytes)?)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Guest, PAGE};

    fn guest(function: &'static str) -> Guest {
        let mut guest = Guest::new(function, "i32 i32");
        guest.host().environment = vec![("A".into(), "1".into()), ("BC".into(), String::new())];
        guest
    }

    #[test]
    fn the_environment_is_a_table_of_pointers_and_strings() {
        let mut environ = guest("environ_get");
        assert_eq!(environ.call((4_u32, 13_u32)), 0);
        environ.assert_memory(&[(4, &[13, 0, 0, 0, 17, 0, 0, 0]), (13, b"A=1\0BC=\0")]);

        let mut sizes = guest("environ_sizes_get");
        assert_eq!(sizes.call((1_u32, 6_u32)), 0);
        sizes.assert_memory(&[(1, &[2, 0, 0, 0]), (6, &[8, 0, 0, 0])]);
    }

    #[test]
    fn it_may_fill_the_memory_to_the_last_byte() {
        let mut environ = guest("environ_get");
        assert_eq!(environ.call((0_u32, PAGE - 8)), 0);
        let pointers = [(PAGE - 8).to_le_bytes(), (PAGE - 4).to_le_bytes()].concat();
        environ.assert_memory(&[(0, &pointers), (PAGE - 8, b"A=1\0BC=\0")]);
    }

    #[test]
    fn an_empty_environment_is_two_zeros() {
        let mut sizes = Guest::new("environ_sizes_get", "i32 i32");
        assert_eq!(sizes.call((0_u32, 4_u32)), 0);
        sizes.assert_memory(&[(0, &[0; 8])]);

        let mut environ = Guest::new("environ_get", "i32 i32");
        assert_eq!(environ.call((PAGE, PAGE)), 0);
        environ.assert_memory(&[]);
    }

    #[test]
    fn hostile_pointers_give_fault_and_write_nothing() {
        for (table, buffer) in [
            (PAGE - 7, 0),
            (0, PAGE - 7),
            (u32::MAX, 0),
            (0, u32::MAX),
            (u32::MAX - 3, 0),
        ] {
            let mut environ = guest("environ_get");
            assert_eq!(environ.call((table, buffer)), 21);
            environ.assert_memory(&[]);
        }
        for (count, size) in [(PAGE - 3, 0), (0, PAGE - 3), (u32::MAX, 0), (0, u32::MAX)] {
            let mut sizes = guest("environ_sizes_get");
            assert_eq!(sizes.call((count, size)), 21);
            sizes.assert_memory(&[]);
        }
    }
}
