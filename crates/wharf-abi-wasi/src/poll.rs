//! Waiting, which guests cannot do.

use wharf_engine::HostCall;

use crate::refusal::Answer;
use crate::{Table, WasiHost};

pub(crate) fn add<S: WasiHost + 'static>(table: &mut Table<'_, S>) {
    table.add("poll_oneoff", poll_oneoff);
}

/// `poll_oneoff(in, out, nsubscriptions, nevents)`: waits for the first of several events, in name only.
///
/// * `in`, `out`, `nsubscriptions`: what is waited for and where the events would go; not looked at.
/// * `nevents`: where the number of events goes, as `u32`: always 0.
///
/// It returns at once and says that nothing has happened, because a guest that waited would hold up every other stream
/// of its worker. So a guest that sleeps is not put to sleep, and one that waits in a loop for a time to pass burns
/// through its deadline. It is a success all the same: the scheduler of Go's runtime ends the program on an error.
///
/// Gives 21 where `nevents` is not inside the memory.
fn poll_oneoff<S: WasiHost>(
    call: &mut HostCall<'_, S>,
    (_in, _out, _count, events): (u32, u32, u32, u32),
) -> Answer {
    Ok(call.memory().write_u32(events, 0)?)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Guest, PAGE};

    #[test]
    fn nothing_ever_happens() {
        let mut poll = Guest::new("poll_oneoff", "i32 i32 i32 i32");
        assert_eq!(poll.call((u32::MAX, u32::MAX, u32::MAX, 9_u32)), 0);
        poll.assert_memory(&[(9, &[0; 4])]);
    }

    #[test]
    fn hostile_pointers_give_fault() {
        for pointer in [PAGE - 3, PAGE, u32::MAX] {
            let mut poll = Guest::new("poll_oneoff", "i32 i32 i32 i32");
            assert_eq!(poll.call((0_u32, 0_u32, 1_u32, pointer)), 21);
            poll.assert_memory(&[]);
        }
    }
}
