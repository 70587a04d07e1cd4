//! Clocks and timers (specification, "Clocks" and "Timers").

use std::time::Duration;

use wharf_engine::Imports;

use super::{Call, Named, Reply, function};
use crate::state::State;

pub(super) fn add(imports: &mut Imports<State>) {
    function(
        imports,
        "proxy_get_current_time_nanoseconds",
        |call, (time_out,): (u32,)| current_time(call, time_out),
    );
    function(
        imports,
        "proxy_set_tick_period_milliseconds",
        |call, (period,): (u32,)| set_tick_period(call, period),
    );
}

/// `proxy_get_current_time_nanoseconds`: nanoseconds since 1970.
///
/// - `time_out`: where they go, as u64le; INVALID_MEMORY_ACCESS where that is not in memory.
fn current_time(call: &mut Call<'_>, time_out: u32) -> Reply {
    let now = call.state().host.realtime_nanoseconds();
    call.memory()
        .write_u64(time_out, now)
        .named("the place for the time")?;
    Ok(())
}

/// `proxy_set_tick_period_milliseconds`: calls `proxy_on_tick` of the plugin this often.
///
/// - `milliseconds`: the period; 0 stops it.
fn set_tick_period(call: &mut Call<'_>, milliseconds: u32) -> Reply {
    let state = call.state();
    if let Some(root) = state.contexts.root_id_of(state.effective) {
        let period = (milliseconds > 0).then(|| Duration::from_millis(u64::from(milliseconds)));
        state.host.set_tick_period(root, period);
    }
    Ok(())
}
