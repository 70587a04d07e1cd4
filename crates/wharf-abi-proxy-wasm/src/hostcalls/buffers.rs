//! Buffers (specification, "Buffers").

use bytes::Bytes;
use wharf_engine::Imports;

use super::{
    ADDRESS_OUT, ALLOCATED, Call, LENGTH_OUT, Named, Refusal, Reply, allocate, bad_argument, check_place,
    check_places, function, give, refuse,
};
use crate::body::Body;
use crate::context::{Direction, Kind};
use crate::numbers::{BufferType, Status};
use crate::state::State;

/// The most bytes that a guest may make a body or TCP data of by adding to it: 64 MiB. Replacing it whole is bounded by
/// the guest's own memory.
const MOST_ADDED_TO: usize = 64 << 20;

pub(super) fn add(imports: &mut Imports<State>) {
    function(
        imports,
        "proxy_get_buffer_bytes",
        |call, p: (u32, u32, u32, u32, u32)| get(call, p),
    );
    function(imports, "proxy_get_buffer_status", |call, p: (u32, u32, u32)| {
        status(call, p)
    });
    function(
        imports,
        "proxy_set_buffer_bytes",
        |call, p: (u32, u32, u32, u32, u32)| set(call, p),
    );
}

/// A buffer that the effective context can see.
enum Buffer<'a> {
    /// A body or TCP data, which can be changed.
    Body(&'a mut Body),
    /// A body or TCP data that is not there now: it reads as empty and cannot be changed, as in Envoy.
    Absent,
    /// Something that can only be read.
    Fixed(Bytes),
}

fn buffer(state: &mut State, number: u32) -> Result<Buffer<'_>, Refusal> {
    let Some(buffer) = BufferType::from_number(number) else {
        return bad_argument(format!("{number} is not a buffer"));
    };
    let fixed = match buffer {
        BufferType::RequestBody => return Ok(body(state, Direction::Request)),
        BufferType::ResponseBody => return Ok(body(state, Direction::Response)),
        BufferType::Downstream | BufferType::Upstream => return Ok(tcp(state, buffer)),
        BufferType::GrpcMessage => {
            let message = state.root().and_then(|root| root.answer.grpc_message.clone());
            return Ok(message.map_or(Buffer::Absent, Buffer::Fixed));
        }
        BufferType::HttpCallBody => state
            .root()
            .and_then(|root| root.answer.http.as_ref().map(|a| a.body.clone())),
        BufferType::VmConfiguration => Some(state.vm_configuration.clone()),
        BufferType::PluginConfiguration => {
            let root = state.root().filter(|root| root.configuring);
            root.map(|root| root.plugin.configuration.clone())
        }
        BufferType::ForeignArguments => state.foreign_arguments.clone(),
    };
    match fixed {
        Some(bytes) => Ok(Buffer::Fixed(bytes)),
        None => refuse(
            Status::NotFound,
            format!("{buffer:?} is not there in this callback"),
        ),
    }
}

fn body(state: &mut State, direction: Direction) -> Buffer<'_> {
    let view = state
        .http()
        .map(|http| http.view(direction))
        .filter(|view| view.body_visible);
    view.map_or(Buffer::Absent, |view| Buffer::Body(&mut view.body))
}

fn tcp(state: &mut State, buffer: BufferType) -> Buffer<'_> {
    match state
        .contexts
        .get_mut(state.effective)
        .map(|context| &mut context.kind)
    {
        Some(Kind::Tcp(tcp)) => Buffer::Body(if buffer == BufferType::Downstream {
            &mut tcp.downstream
        } else {
            &mut tcp.upstream
        }),
        _ => Buffer::Absent,
    }
}

/// `proxy_get_buffer_bytes`: reads from a buffer.
///
/// - `buffer`: 0 to 8; BAD_ARGUMENT for another, NOT_FOUND for one that is not there in this callback.
/// - `start`, `maximum`: what to read. What goes past the end is left out; a start past the end reads nothing.
/// - `address_out`, `length_out`: where the address and the length of the copy go; INVALID_MEMORY_ACCESS where they are
///   not in memory or the allocator gives nothing.
fn get(
    call: &mut Call<'_>,
    (number, start, maximum, address_out, length_out): (u32, u32, u32, u32, u32),
) -> Reply {
    let buffer = buffer(call.state(), number)?;
    let (start, maximum) = (start as usize, maximum as usize);
    let length = match buffer {
        Buffer::Fixed(bytes) => {
            let start = start.min(bytes.len());
            let end = start.saturating_add(maximum).min(bytes.len());
            return give(call, &bytes[start..end], address_out, length_out);
        }
        Buffer::Absent => 0,
        Buffer::Body(body) => body.len().saturating_sub(start).min(maximum),
    };
    if length == 0 {
        return give(call, &[], address_out, length_out);
    }
    check_places(call, address_out, length_out)?;
    // The body goes from where it lies into the guest's memory, with no copy between.
    let address = allocate(call, crate::vm::size(length))?;
    let (mut memory, state) = call.memory_and_state();
    let Buffer::Body(body) = self::buffer(state, number)? else {
        return refuse(
            Status::NotFound,
            "the body went away while memory was allocated for it",
        );
    };
    body.copy_to(start, memory.writable(address, length).named(ALLOCATED)?);
    memory.write_u32(address_out, address).named(ADDRESS_OUT)?;
    memory
        .write_u32(length_out, crate::vm::size(length))
        .named(LENGTH_OUT)?;
    Ok(())
}

/// `proxy_get_buffer_status`: the length of a buffer.
///
/// - `buffer`: as for reading.
/// - `length_out`, `flags_out`: where the length and the flags (always 0) go, as u32le; INVALID_MEMORY_ACCESS.
fn status(call: &mut Call<'_>, (number, length_out, flags_out): (u32, u32, u32)) -> Reply {
    let length = match buffer(call.state(), number)? {
        Buffer::Body(body) => body.len(),
        Buffer::Absent => 0,
        Buffer::Fixed(bytes) => bytes.len(),
    };
    check_place(call, length_out, 4, LENGTH_OUT)?;
    check_place(call, flags_out, 4, "the place for the flags")?;
    let mut memory = call.memory();
    memory
        .write_u32(length_out, crate::vm::size(length))
        .named(LENGTH_OUT)?;
    memory.write_u32(flags_out, 0).named("the place for the flags")?;
    Ok(())
}

/// `proxy_set_buffer_bytes`: changes a body or TCP data.
///
/// - `buffer`: as for reading; BAD_ARGUMENT for one that cannot be changed, or not now.
/// - `start`, `length`: (0, 0) puts the value before the others; 0 and at least the whole length replaces all; a start at
///   or past the end appends. Anything else is BAD_ARGUMENT, as in Envoy. INTERNAL_FAILURE where it would have over 64 MiB
///   by adding.
/// - `value`, `size`: the bytes; INVALID_MEMORY_ACCESS where they are not in memory.
fn set(call: &mut Call<'_>, (number, start, length, value, size): (u32, u32, u32, u32, u32)) -> Reply {
    let (memory, state) = call.memory_and_state();
    let buffer = buffer(state, number)?;
    let value = memory.read(value, size).named("the value")?;
    let Buffer::Body(body) = buffer else {
        return bad_argument("this buffer cannot be changed in this callback");
    };
    let (start, length) = (start as usize, length as usize);
    let replaces = start == 0 && length > 0 && length >= body.len();
    if !replaces && body.len() + value.len() > MOST_ADDED_TO {
        return refuse(
            Status::InternalFailure,
            format!("nothing more can be added to a buffer of {MOST_ADDED_TO} bytes"),
        );
    }
    let value = || Bytes::copy_from_slice(value);
    if start == 0 && length == 0 {
        body.prepend(value());
    } else if replaces {
        body.clear();
        body.push(value());
    } else if start >= body.len() {
        body.push(value());
    } else {
        let held = body.len();
        return bad_argument(format!(
            "{length} bytes at {start} of {held} cannot be replaced alone: put before, replace all, or append"
        ));
    }
    Ok(())
}
