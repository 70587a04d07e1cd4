//! Foreign functions (specification, "Foreign function interface"): those that Envoy gives and that need nothing of
//! the world, and whatever the embedder adds.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use wharf_engine::Imports;

use super::properties::set_filter_state;
use super::{
    ADDRESS_OUT, ALLOCATED, Call, LENGTH_OUT, Named, Refusal, Reply, allocate, check_place, function, refuse,
    shown,
};
use crate::numbers::Status;
use crate::state::State;

/// The most bytes that `uncompress` gives: 16 MiB.
const MOST_UNCOMPRESSED: u64 = 16 << 20;

pub(super) fn add(imports: &mut Imports<State>) {
    function(
        imports,
        "proxy_call_foreign_function",
        |call, p: (u32, u32, u32, u32, u32, u32)| call_foreign(call, p),
    );
}

/// `proxy_call_foreign_function`: calls a function of the host by name.
///
/// - `name`: NOT_FOUND where there is none of it. `arguments`: as the function wants them. INVALID_MEMORY_ACCESS for either.
/// - `address_out`, `length_out`: where the result's copy goes; either may be 0 where the guest does not want it;
///   INVALID_MEMORY_ACCESS.
///
/// `compress` and `uncompress` (zlib; SERIALIZATION_FAILURE), `set_envoy_filter_state` (a serialized message of path and
/// value; BAD_ARGUMENT), `clear_route_cache` and `declare_property` (nothing to do here) are given.
fn call_foreign(
    call: &mut Call<'_>,
    (name, name_size, arguments, arguments_size, address_out, length_out): (u32, u32, u32, u32, u32, u32),
) -> Reply {
    let memory = call.memory();
    let name = memory.read(name, name_size).named("the function's name")?;
    let Ok(name) = str::from_utf8(name) else {
        let reason = format!("this host has no foreign function {}", shown(name));
        return refuse(Status::NotFound, reason);
    };
    let name = name.to_owned();
    let arguments = memory
        .read(arguments, arguments_size)
        .named("the arguments")?
        .to_vec();
    if address_out != 0 {
        check_place(call, address_out, 4, ADDRESS_OUT)?;
    }
    if length_out != 0 {
        check_place(call, length_out, 4, LENGTH_OUT)?;
    }
    let result = run(call.state(), &name, &arguments)?;
    let address = match (address_out, result.is_empty()) {
        (0, _) | (_, true) => 0,
        _ => allocate(call, crate::vm::size(result.len()))?,
    };
    let mut memory = call.memory();
    if address_out != 0 {
        memory.write(address, &result).named(ALLOCATED)?;
        memory.write_u32(address_out, address).named(ADDRESS_OUT)?;
    }
    if length_out != 0 {
        memory
            .write_u32(length_out, crate::vm::size(result.len()))
            .named(LENGTH_OUT)?;
    }
    Ok(())
}

fn run(state: &mut State, name: &str, arguments: &[u8]) -> Result<Vec<u8>, Refusal> {
    match name {
        "compress" => Ok(compress(arguments)),
        "uncompress" => uncompress(arguments),
        "set_envoy_filter_state" => set_envoy_filter_state(state, arguments),
        "clear_route_cache" | "declare_property" => Ok(Vec::new()),
        _ => match state.host.foreign_function(name, arguments) {
            Some(Ok(result)) => Ok(result),
            Some(Err(refused)) => refuse(refused.status, refused.reason),
            None => refuse(
                Status::NotFound,
                format!("this host has no foreign function {name:?}"),
            ),
        },
    }
}

fn compress(arguments: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(arguments).expect("a vector takes all bytes");
    encoder.finish().expect("a vector takes all bytes")
}

fn uncompress(arguments: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    let read = ZlibDecoder::new(arguments)
        .take(MOST_UNCOMPRESSED + 1)
        .read_to_end(&mut out);
    match read {
        Err(error) => refuse(
            Status::SerializationFailure,
            format!("the data is not zlib's: {error}"),
        ),
        Ok(_) if out.len() as u64 > MOST_UNCOMPRESSED => refuse(
            Status::SerializationFailure,
            format!("the data has over {MOST_UNCOMPRESSED} bytes uncompressed"),
        ),
        Ok(_) => Ok(out),
    }
}

/// The arguments are a protobuf message: field 1 the path, field 2 the value, field 3 how long it lives, which is always
/// the stream here.
fn set_envoy_filter_state(state: &mut State, arguments: &[u8]) -> Result<Vec<u8>, Refusal> {
    let Some((path, value)) = path_and_value(arguments) else {
        return refuse(
            Status::BadArgument,
            "the arguments are not a message of path and value",
        );
    };
    if set_filter_state(state, path.to_vec(), Bytes::copy_from_slice(value))? {
        return Ok(Vec::new());
    }
    refuse(Status::NotFound, "filter state can only be set on a stream")
}

fn path_and_value(mut message: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut path, mut value) = (&[][..], &[][..]);
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match (key >> 3, key & 7) {
            (field, 2) => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (bytes, rest) = message.split_at_checked(length)?;
                message = rest;
                match field {
                    1 => path = bytes,
                    2 => value = bytes,
                    _ => {}
                }
            }
            (_, 0) => _ = varint(&mut message)?,
            _ => return None,
        }
    }
    (!path.is_empty()).then_some((path, value))
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compress_and_back() {
        let data = b"wharf ".repeat(100);
        let compressed = compress(&data);
        assert!(compressed.len() < data.len());
        assert_eq!(uncompress(&compressed).ok().unwrap(), data);
    }

    #[test]
    fn damaged_and_endless_data_is_refused() {
        assert!(uncompress(b"not zlib").is_err());
        let bomb = compress(&vec![0; MOST_UNCOMPRESSED as usize + 1]);
        assert!(bomb.len() < 100_000);
        assert!(uncompress(&bomb).is_err());
    }

    #[test]
    fn the_filter_state_message() {
        assert_eq!(
            path_and_value(b"\x0a\x01k\x12\x02vv\x18\x01"),
            Some((&b"k"[..], &b"vv"[..]))
        );
        for damaged in [&b"\x0a\x05k"[..], b"\x0a", b"\x12\x01v", b"\x0b", &[0xff; 12]] {
            assert_eq!(path_and_value(damaged), None);
        }
    }
}
