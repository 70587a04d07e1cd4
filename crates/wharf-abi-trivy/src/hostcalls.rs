//! The host functions of module `env`.

use wharf_engine::{FaultKind, HostCall, HostResult, Imports};

use crate::host::LogSource;
use crate::state::State;

/// Adds all that a module may import.
pub(crate) fn add(imports: &mut Imports<State>) {
    wharf_abi_wasi::add_tree_wasi(imports);
    imports
        .function("env", "debug", debug)
        .function("env", "info", info)
        .function("env", "warn", warn)
        .function("env", "error", error);
}

/// All functions that a module may import, WASI among them, by module and name, sorted.
pub fn host_functions() -> Vec<(&'static str, &'static str)> {
    let mut imports = Imports::new();
    add(&mut imports);
    imports.names()
}

/// `debug(ptr, size)`: a line for the log, for the module's author.
///
/// * `ptr`, `size`: the text. What is too long is cut, and what is not UTF-8 replaced.
///
/// A text that is not inside the memory is a fault.
fn debug(call: &mut HostCall<'_, State>, (ptr, size): (u32, u32)) -> HostResult<()> {
    log(call, LogSource::Debug, "debug", ptr, size)
}

/// `info(ptr, size)`: a line for the log, as [`debug`].
fn info(call: &mut HostCall<'_, State>, (ptr, size): (u32, u32)) -> HostResult<()> {
    log(call, LogSource::Info, "info", ptr, size)
}

/// `warn(ptr, size)`: a warning for the log, as [`debug`].
fn warn(call: &mut HostCall<'_, State>, (ptr, size): (u32, u32)) -> HostResult<()> {
    log(call, LogSource::Warn, "warn", ptr, size)
}

/// `error(ptr, size)`: an error for the log, as [`debug`]. The last one is told with the failure of a call that gives nothing.
fn error(call: &mut HostCall<'_, State>, (ptr, size): (u32, u32)) -> HostResult<()> {
    log(call, LogSource::Error, "error", ptr, size)
}

fn log(
    call: &mut HostCall<'_, State>,
    source: LogSource,
    function: &str,
    ptr: u32,
    size: u32,
) -> HostResult<()> {
    let (memory, state) = call.memory_and_state();
    match memory.read(ptr, size) {
        Ok(text) => {
            state.log(source, text);
            Ok(())
        }
        Err(error) => {
            let reason = format!("{function}: the text: {error}");
            Err(FaultKind::BadReply { reason }.into())
        }
    }
}
