//! Logging (specification, "Logging").

use wharf_engine::Imports;
use wharf_plugin::ProxyWasmVersion;

use super::{Call, Named, Reply, bad_argument, function};
use crate::numbers::LogLevel;
use crate::state::State;

/// The longest log line that is kept, in bytes; the rest is cut off.
const LONGEST_LINE: usize = 16 << 10;

pub(super) fn add(imports: &mut Imports<State>, version: ProxyWasmVersion) {
    function(
        imports,
        "proxy_log",
        |call, (level, message, size): (u32, u32, u32)| log(call, level, message, size),
    );
    if version == ProxyWasmVersion::V0_2_1 {
        function(imports, "proxy_get_log_level", |call, (level_out,): (u32,)| {
            get_log_level(call, level_out)
        });
    }
}

/// `proxy_log`: writes a line to the log.
///
/// - `level`: 0 trace to 5 critical; BAD_ARGUMENT otherwise.
/// - `message`, `size`: the text; INVALID_MEMORY_ACCESS where it is not in memory. Bytes that are not UTF-8 are
///   replaced; what goes past 16 KiB is cut off.
fn log(call: &mut Call<'_>, level: u32, message: u32, size: u32) -> Reply {
    let Some(level) = LogLevel::from_number(level) else {
        return bad_argument(format!("{level} is not a log level"));
    };
    let (memory, state) = call.memory_and_state();
    let message = memory.read(message, size).named("the message")?;
    if level >= state.host.log_level() {
        let kept = &message[..message.len().min(LONGEST_LINE)];
        let plugin = state.contexts.plugin_of(state.effective);
        state.host.log(
            plugin.map(|plugin| &**plugin),
            level,
            &String::from_utf8_lossy(kept),
        );
    }
    Ok(())
}

/// `proxy_get_log_level` (0.2.1): the least grave level that is kept.
///
/// - `level_out`: where the level goes, as u32le; INVALID_MEMORY_ACCESS where that is not in memory.
fn get_log_level(call: &mut Call<'_>, level_out: u32) -> Reply {
    let level = call.state().host.log_level();
    call.memory()
        .write_u32(level_out, level as u32)
        .named("the place for the level")?;
    Ok(())
}
