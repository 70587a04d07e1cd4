//! Headers, trailers and metadata (specification, "HTTP fields").

use wharf_engine::Imports;
use wharf_plugin::ProxyWasmVersion;

use super::{
    Call, MOST_SCRATCH, Named, Refusal, Reply, bad_argument, explain, function, give_filled, refuse, shown,
};
use crate::numbers::{MapType, Status};
use crate::pairs;
use crate::state::State;

pub(super) fn add(imports: &mut Imports<State>) {
    function(
        imports,
        "proxy_get_header_map_size",
        |call, (map, size_out): (u32, u32)| size(call, map, size_out),
    );
    function(
        imports,
        "proxy_get_header_map_pairs",
        |call, (map, a, l): (u32, u32, u32)| get_pairs(call, map, a, l),
    );
    function(
        imports,
        "proxy_set_header_map_pairs",
        |call, (map, p, s): (u32, u32, u32)| set_pairs(call, map, p, s),
    );
    function(
        imports,
        "proxy_get_header_map_value",
        |call, p: (u32, u32, u32, u32, u32)| get_value(call, p),
    );
    function(
        imports,
        "proxy_add_header_map_value",
        |call, p: (u32, u32, u32, u32, u32)| add_value(call, p),
    );
    function(
        imports,
        "proxy_replace_header_map_value",
        |call, p: (u32, u32, u32, u32, u32)| replace_value(call, p),
    );
    function(
        imports,
        "proxy_remove_header_map_value",
        |call, (map, n, s): (u32, u32, u32)| remove(call, map, n, s),
    );
}

fn map_type(number: u32) -> Result<MapType, Refusal> {
    match MapType::from_number(number) {
        Some(map) => Ok(map),
        None => bad_argument(format!("{number} is not a map")),
    }
}

fn not_now<T>(map: MapType) -> Result<T, Refusal> {
    bad_argument(format!("{map:?} cannot be seen or changed in this callback"))
}

/// `proxy_get_header_map_size`: the bytes of all names and values together.
///
/// - `map`: 0 to 7; BAD_ARGUMENT for another, or for one that cannot be seen now.
/// - `size_out`: where the size goes, as u32le; INVALID_MEMORY_ACCESS.
fn size(call: &mut Call<'_>, map: u32, size_out: u32) -> Reply {
    let map = map_type(map)?;
    let Some(size) = call.state().read_map(map, |list| list.byte_size()) else {
        return not_now(map);
    };
    call.memory()
        .write_u32(size_out, crate::vm::size(size))
        .named("the place for the size")?;
    Ok(())
}

/// `proxy_get_header_map_pairs`: all names and values, serialized as [`crate::pairs`] shows.
///
/// - `map`: 0 to 7; BAD_ARGUMENT for another. One that cannot be seen now is OK and empty.
/// - `address_out`, `length_out`: where the copy's address and length go; INVALID_MEMORY_ACCESS.
fn get_pairs(call: &mut Call<'_>, map: u32, address_out: u32, length_out: u32) -> Reply {
    let map = map_type(map)?;
    give_filled(call, address_out, length_out, |state, out| {
        state.read_map(map, |list| list.encode(out));
        Ok(())
    })
}

/// `proxy_set_header_map_pairs`: replaces all names and values.
///
/// - `map`: 0 to 3; BAD_ARGUMENT for another, or for one that cannot be changed now.
/// - `pointer`, `size`: the serialized map; INVALID_MEMORY_ACCESS where it is not in memory, BAD_ARGUMENT where it is
///   damaged or has a name or value that no message may have. The map is as it was then.
fn set_pairs(call: &mut Call<'_>, map: u32, pointer: u32, size: u32) -> Reply {
    let map = map_type(map)?;
    let (memory, state) = call.memory_and_state();
    let pairs = pairs::decode(memory.read(pointer, size).named("the map")?).named("the map")?;
    match state.write_map(map, |list| list.replace_all(&pairs)) {
        Some(outcome) => Ok(outcome?),
        None => not_now(map),
    }
}

/// `proxy_get_header_map_value`: the first value of a name.
///
/// - `map`: 0 to 7; BAD_ARGUMENT for another, or for one that cannot be seen now. In `proxy_on_log` one that is not
///   there is as one without the name.
/// - `name`, `size`: the name, in any case; INVALID_MEMORY_ACCESS. A name that is not there is NOT_FOUND; in 0.1.0 it is
///   OK and empty.
/// - `address_out`, `length_out`: where the copy's address and length go; INVALID_MEMORY_ACCESS.
fn get_value(
    call: &mut Call<'_>,
    (map, name, size, address_out, length_out): (u32, u32, u32, u32, u32),
) -> Reply {
    let map = map_type(map)?;
    let (memory, state) = call.memory_and_state();
    let name = memory.read(name, size).named("the name")?;
    let mut scratch = std::mem::take(&mut state.scratch);
    scratch.clear();
    let found = state.read_map(map, |list| match list.get(name) {
        Some(value) => {
            scratch.extend_from_slice(value.as_bytes());
            true
        }
        None => false,
    });
    let is_logging = found.is_none() && state.http().is_some_and(|http| http.logging);
    let found = match found {
        None if !is_logging => not_now(map),
        None | Some(false) if state.version != ProxyWasmVersion::V0_1_0 => refuse(
            Status::NotFound,
            explain(state, || format!("there is no {} in {map:?}", shown(name))),
        ),
        _ => Ok(()),
    };
    let outcome = found.and_then(|()| super::give(call, &scratch, address_out, length_out));
    scratch.shrink_to(MOST_SCRATCH);
    call.state().scratch = scratch;
    outcome
}

/// `proxy_add_header_map_value`: adds a header behind those of the same name.
///
/// - `map`: 0 to 3; BAD_ARGUMENT for another, or for one that cannot be changed now.
/// - `name`, `value`: INVALID_MEMORY_ACCESS where they are not in memory, BAD_ARGUMENT where no message may have them.
fn add_value(
    call: &mut Call<'_>,
    (map, name, name_size, value, value_size): (u32, u32, u32, u32, u32),
) -> Reply {
    let map = map_type(map)?;
    let (memory, state) = call.memory_and_state();
    let name = memory.read(name, name_size).named("the name")?;
    let value = memory.read(value, value_size).named("the value")?;
    match state.write_map(map, |list| list.add(name, value)) {
        Some(outcome) => Ok(outcome?),
        None => not_now(map),
    }
}

/// `proxy_replace_header_map_value`: sets a header, instead of all of the same name.
///
/// Arguments and statuses as for adding.
fn replace_value(
    call: &mut Call<'_>,
    (map, name, name_size, value, value_size): (u32, u32, u32, u32, u32),
) -> Reply {
    let map = map_type(map)?;
    let (memory, state) = call.memory_and_state();
    let name = memory.read(name, name_size).named("the name")?;
    let value = memory.read(value, value_size).named("the value")?;
    match state.write_map(map, |list| list.replace(name, value)) {
        Some(outcome) => Ok(outcome?),
        None => not_now(map),
    }
}

/// `proxy_remove_header_map_value`: removes all headers of a name. One that is not there is OK.
///
/// - `map`: 0 to 3; BAD_ARGUMENT for another, or for one that cannot be changed now.
/// - `name`, `size`: INVALID_MEMORY_ACCESS where it is not in memory.
fn remove(call: &mut Call<'_>, map: u32, name: u32, size: u32) -> Reply {
    let map = map_type(map)?;
    let (memory, state) = call.memory_and_state();
    let name = memory.read(name, size).named("the name")?;
    match state.write_map(map, |list| list.remove(name)) {
        Some(()) => Ok(()),
        None => not_now(map),
    }
}
