//! The configuration, as 0.1.0 reads it (specification 0.1.0, "Configuration").

use wharf_engine::Imports;

use super::{Call, Reply, function, give};
use crate::state::State;

pub(super) fn add(imports: &mut Imports<State>) {
    function(imports, "proxy_get_configuration", |call, (a, l): (u32, u32)| {
        get_configuration(call, a, l)
    });
}

/// `proxy_get_configuration` (0.1.0): the plugin's configuration while it is configured, otherwise the VM's.
///
/// - `address_out`, `length_out`: where the copy's address and length go; INVALID_MEMORY_ACCESS.
fn get_configuration(call: &mut Call<'_>, address_out: u32, length_out: u32) -> Reply {
    let state = call.state();
    let plugin = state.root().filter(|root| root.configuring);
    let configuration = match plugin {
        Some(root) => root.plugin.configuration.clone(),
        None => state.vm_configuration.clone(),
    };
    give(call, &configuration, address_out, length_out)
}
