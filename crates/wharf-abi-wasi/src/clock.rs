//! The clocks.

use wharf_engine::HostCall;

use crate::refusal::{Answer, Refusal};
use crate::{Table, WasiHost};

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

pub(crate) fn add<S: WasiHost + 'static>(table: &mut Table<'_, S>) {
    table
        .add("clock_time_get", clock_time_get)
        .add("clock_res_get", clock_res_get);
}

/// `clock_time_get(clock, precision, time)`: what a clock shows.
///
/// * `clock`: 0 for the real time since 1970, 1 for the monotonic clock.
/// * `precision`: how exact the guest wants it, in nanoseconds; not needed.
/// * `time`: where the nanoseconds go, as `u64`.
///
/// Gives 58 for the clocks of processor time (2, 3) and unknown ones, 21 where `time` is not inside the memory.
fn clock_time_get<S: WasiHost>(
    call: &mut HostCall<'_, S>,
    (clock, _precision, time): (u32, u64, u32),
) -> Answer {
    let (mut memory, state) = call.memory_and_state();
    let nanoseconds = match clock {
        REALTIME => state.realtime_nanoseconds(),
        MONOTONIC => state.monotonic_nanoseconds(),
        other => return Err(Refusal::Clock(other)),
    };
    Ok(memory.write_u64(time, nanoseconds)?)
}

/// `clock_res_get(clock, resolution)`: the smallest step of a clock, which is always given as one nanosecond.
///
/// * `clock`: as for [`clock_time_get`].
/// * `resolution`: where the nanoseconds go, as `u64`.
///
/// Gives the same errors as [`clock_time_get`].
fn clock_res_get<S: WasiHost>(call: &mut HostCall<'_, S>, (clock, resolution): (u32, u32)) -> Answer {
    match clock {
        REALTIME | MONOTONIC => Ok(call.memory().write_u64(resolution, 1)?),
        other => Err(Refusal::Clock(other)),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Guest, PAGE};

    #[test]
    fn each_clock_writes_its_nanoseconds() {
        for (clock, bytes) in [(0_u32, [1, 2, 3, 4, 5, 6, 7, 8]), (1, [9, 0, 0, 0, 0, 0, 0, 0])] {
            let mut time = Guest::new("clock_time_get", "i32 i64 i32");
            time.host().realtime = 0x0807_0605_0403_0201;
            time.host().monotonic = 9;
            assert_eq!(time.call((clock, u64::MAX, 3_u32)), 0);
            time.assert_memory(&[(3, &bytes)]);

            let mut resolution = Guest::new("clock_res_get", "i32 i32");
            assert_eq!(resolution.call((clock, PAGE - 8)), 0);
            resolution.assert_memory(&[(PAGE - 8, &[1, 0, 0, 0, 0, 0, 0, 0])]);
        }
    }

    #[test]
    fn other_clocks_are_not_supported() {
        for clock in [2_u32, 3, 4, u32::MAX] {
            let mut time = Guest::new("clock_time_get", "i32 i64 i32");
            assert_eq!(time.call((clock, 0_u64, 0_u32)), 58);
            time.assert_memory(&[]);
            let mut resolution = Guest::new("clock_res_get", "i32 i32");
            assert_eq!(resolution.call((clock, 0_u32)), 58);
            resolution.assert_memory(&[]);
        }
    }

    #[test]
    fn hostile_pointers_give_fault() {
        for pointer in [PAGE - 7, PAGE, u32::MAX] {
            let mut time = Guest::new("clock_time_get", "i32 i64 i32");
            assert_eq!(time.call((0_u32, 0_u64, pointer)), 21);
            time.assert_memory(&[]);
            let mut resolution = Guest::new("clock_res_get", "i32 i32");
            assert_eq!(resolution.call((1_u32, pointer)), 21);
            resolution.assert_memory(&[]);
        }
    }
}
