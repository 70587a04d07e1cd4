//! Shared data (specification, "Shared Key-Value Store").

use bytes::Bytes;
use wharf_engine::Imports;

use super::{Call, Named, Reply, check_place, explain, function, give, refuse, shown};
use crate::numbers::Status;
use crate::shared::SharedDataError;
use crate::state::State;

/// What the log calls the place for a CAS number.
const CAS_OUT: &str = "the place for the CAS number";

pub(super) fn add(imports: &mut Imports<State>) {
    function(
        imports,
        "proxy_get_shared_data",
        |call, p: (u32, u32, u32, u32, u32)| get(call, p),
    );
    function(
        imports,
        "proxy_set_shared_data",
        |call, p: (u32, u32, u32, u32, u32)| set(call, p),
    );
}

/// `proxy_get_shared_data`: the value of a key and its CAS number.
///
/// - `key`, `size`: INVALID_MEMORY_ACCESS. NOT_FOUND where the key has no value.
/// - `address_out`, `length_out`, `cas_out`: where the copy's address and length and the CAS number go, as u32le each;
///   INVALID_MEMORY_ACCESS.
fn get(
    call: &mut Call<'_>,
    (key, size, address_out, length_out, cas_out): (u32, u32, u32, u32, u32),
) -> Reply {
    let (memory, state) = call.memory_and_state();
    let key = memory.read(key, size).named("the key")?;
    let Some((value, cas)) = state.shared.data.get(&state.namespace, key) else {
        let reason = explain(state, || format!("the key {} has no value", shown(key)));
        return refuse(Status::NotFound, reason);
    };
    check_place(call, cas_out, 4, CAS_OUT)?;
    give(call, &value, address_out, length_out)?;
    call.memory().write_u32(cas_out, cas).named(CAS_OUT)?;
    Ok(())
}

/// `proxy_set_shared_data`: sets the value of a key.
///
/// - `key`, `value`: INVALID_MEMORY_ACCESS.
/// - `cas`: 0 sets it whatever it was; otherwise CAS_MISMATCH where the value has another CAS number by now. A new key
///   takes any.
///
/// INTERNAL_FAILURE where the VM id's shared data would have over 16 MiB.
fn set(call: &mut Call<'_>, (key, key_size, value, value_size, cas): (u32, u32, u32, u32, u32)) -> Reply {
    let (memory, state) = call.memory_and_state();
    let key = memory.read(key, key_size).named("the key")?;
    let value = Bytes::copy_from_slice(memory.read(value, value_size).named("the value")?);
    match state.shared.data.set(&state.namespace, key, value, cas) {
        Ok(()) => Ok(()),
        Err(error @ SharedDataError::CasMismatch { .. }) => {
            refuse(Status::CasMismatch, format!("the key {}: {error}", shown(key)))
        }
        Err(error @ SharedDataError::Full) => refuse(Status::InternalFailure, error.to_string()),
    }
}
