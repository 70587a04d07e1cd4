//! Random bytes.

use wharf_engine::HostCall;

use crate::refusal::{Answer, Refusal};
use crate::{Table, WasiHost};

/// How many random bytes a guest gets in one call. One that wants more asks again.
pub(crate) const MOST_BYTES: u32 = 64 << 10;

pub(crate) fn add<S: WasiHost + 'static>(table: &mut Table<'_, S>) {
    table.add("random_get", random_get);
}

/// `random_get(buf, buf_len)`: bytes that nobody can predict.
///
/// * `buf`: where they go.
/// * `buf_len`: how many, at most 64 KiB.
///
/// Gives 28 for more than 64 KiB, 21 where they do not fit into the memory. None at all is a success, wherever `buf`
/// points.
fn random_get<S: WasiHost>(call: &mut HostCall<'_, S>, (buf, buf_len): (u32, u32)) -> Answer {
    match buf_len {
        0 => Ok(()),
        1..=MOST_BYTES => {
            let (mut memory, state) = call.memory_and_state();
            state.random(memory.writable(buf, buf_len as usize)?);
            Ok(())
        }
        _ => Err(Refusal::RandomLength(buf_len)),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Guest, PAGE};

    #[test]
    fn the_host_fills_exactly_the_buffer() {
        let mut random = Guest::new("random_get", "i32 i32");
        assert_eq!(random.call((5_u32, 3_u32)), 0);
        random.assert_memory(&[(5, &[0xa5; 3])]);

        let mut whole = Guest::new("random_get", "i32 i32");
        assert_eq!(whole.call((0_u32, PAGE)), 0);
        whole.assert_memory(&[(0, &[0xa5; PAGE as usize])]);
    }

    #[test]
    fn none_is_a_success_and_too_many_are_invalid() {
        for (pointer, length, errno) in [
            (u32::MAX, 0, 0),
            (0, PAGE + 1, 28),
            (0, u32::MAX, 28),
            (u32::MAX, u32::MAX, 28),
        ] {
            let mut random = Guest::new("random_get", "i32 i32");
            assert_eq!(random.call((pointer, length)), errno);
            random.assert_memory(&[]);
        }
    }

    #[test]
    fn hostile_pointers_give_fault() {
        for (pointer, length) in [(PAGE - 3, 4), (PAGE, 1), (u32::MAX, 1), (1, PAGE)] {
            let mut random = Guest::new("random_get", "i32 i32");
            assert_eq!(random.call((pointer, length)), 21);
            random.assert_memory(&[]);
        }
    }
}
