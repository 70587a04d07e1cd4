//! What AssemblyScript's standard library imports from `env`.

use wharf_engine::{FaultKind, GuestMemory, HostCall, HostResult, Imports};

use super::state::State;

/// The most bytes of a string that are looked at; strings have two for each unit.
const MOST_BYTES: u32 = 8 << 10;

pub(super) fn add(imports: &mut Imports<State>) {
    imports
        .function("env", "abort", abort)
        .function("env", "trace", trace)
        .function("env", "seed", seed);
}

/// `abort(message, file, line, column)`: the guest gives up. The call ends with a [`FaultKind::Trap`] that says why.
///
/// * `message`, `file`: strings, or 0 for none. A string is a pointer to UTF-16 units, with the number of their bytes in
///   the four bytes before it.
///
/// ```text
///        message
///   ┌─────────┬───────────┬───────────┐
///   │ 4 0 0 0 │  'n'   0  │  'o'   0  │
///   └─────────┴───────────┴───────────┘
///   p − 4     p
/// ```
fn abort(
    call: &mut HostCall<'_, State>,
    (message, file, line, column): (u32, u32, u32, u32),
) -> HostResult<()> {
    let memory = call.memory();
    let message = string(&memory, message).unwrap_or_else(|| "abort".into());
    let reason = match string(&memory, file) {
        Some(file) => format!("{message} at {file}:{line}:{column}"),
        None => message,
    };
    Err(FaultKind::Trap { reason }.into())
}

/// `trace(message, count, a0 … a4)`: a line for the log, with the first `count` of the five numbers.
fn trace(
    call: &mut HostCall<'_, State>,
    (message, count, a0, a1, a2, a3, a4): (u32, u32, f64, f64, f64, f64, f64),
) -> HostResult<()> {
    let (memory, state) = call.memory_and_state();
    let mut line = string(&memory, message).unwrap_or_default();
    for number in [a0, a1, a2, a3, a4].into_iter().take(count as usize) {
        line.push_str(&format!(" {number}"));
    }
    state.host.console_log(&line);
    Ok(())
}

/// `seed() -> f64`: a number from which the guest makes its own random ones.
fn seed(call: &mut HostCall<'_, State>, (): ()) -> HostResult<f64> {
    let mut bytes = [0; 8];
    call.state().host.random(&mut bytes);
    Ok(u64::from_le_bytes(bytes) as f64)
}

/// A string of the guest; none at 0, and where it is not inside the memory.
fn string(memory: &GuestMemory<'_>, pointer: u32) -> Option<String> {
    if pointer == 0 {
        return None;
    }
    let length = memory.read_u32(pointer.checked_sub(4)?).ok()?;
    let bytes = memory.read(pointer, length.min(MOST_BYTES) & !1).ok()?;
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
        .collect();
    Some(String::from_utf16_lossy(&units))
}
