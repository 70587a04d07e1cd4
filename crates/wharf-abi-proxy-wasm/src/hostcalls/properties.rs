//! Properties (specification, "Properties").
//!
//! What stands in the messages themselves is answered here; everything else by the embedder's
//! [`StreamProperties`](crate::StreamProperties) and [`Host`](crate::Host).

use bytes::Bytes;
use wharf_engine::Imports;

use super::{Call, Named, Reply, explain, function, give_filled, refuse, shown};
use crate::context::{Exchange, Kind};
use crate::headers::HeaderList;
use crate::numbers::Status;
use crate::state::State;

/// The most bytes of properties that filters may set on one stream, names and values together.
const MOST_SET: usize = 1 << 20;

pub(super) fn add(imports: &mut Imports<State>) {
    function(
        imports,
        "proxy_get_property",
        |call, (p, s, a, l): (u32, u32, u32, u32)| get(call, p, s, a, l),
    );
    function(
        imports,
        "proxy_set_property",
        |call, (p, s, v, vs): (u32, u32, u32, u32)| set(call, p, s, v, vs),
    );
}

/// `proxy_get_property`: something that is known of the stream, the plugin or the host.
///
/// - `path`, `size`: its parts, joined by zero bytes (`source\0address`); INVALID_MEMORY_ACCESS. NOT_FOUND where it is
///   not known, SERIALIZATION_FAILURE where it has no bytes.
/// - `address_out`, `length_out`: where the value's copy goes; INVALID_MEMORY_ACCESS. Text and bytes come as they are;
///   whole numbers, durations and times (nanoseconds) as 8 bytes, little-endian; truth values as one byte; maps as
///   [`crate::pairs`] shows.
fn get(call: &mut Call<'_>, path: u32, size: u32, address_out: u32, length_out: u32) -> Reply {
    let path = call.memory().read(path, size).named("the path")?.to_vec();
    if path.is_empty() {
        return refuse(Status::SerializationFailure, "the path is empty");
    }
    give_filled(call, address_out, length_out, |state, out| {
        match value(state, &path) {
            Some(found) => {
                *out = found;
                Ok(())
            }
            None => {
                let parts: Vec<u8> = path
                    .iter()
                    .map(|byte| if *byte == 0 { b'.' } else { *byte })
                    .collect();
                let reason = explain(state, || {
                    format!("the property {} is not known here", shown(&parts))
                });
                refuse(Status::NotFound, reason)
            }
        }
    })
}

fn value(state: &mut State, path: &[u8]) -> Option<Vec<u8>> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == 0).collect();
    if let Some(plugin) = state.plugin() {
        match parts[..] {
            [b"plugin_name"] => return Some(plugin.name.as_str().into()),
            [b"plugin_root_id"] => return Some(plugin.root_id.clone().into()),
            [b"plugin_vm_id"] => return Some(state.vm_id.clone().into()),
            _ => {}
        }
    }
    let effective = state.effective;
    match state.contexts.get_mut(effective).map(|context| &mut context.kind) {
        Some(Kind::Http(http)) => {
            let exchange = http.exchange.borrow();
            let found = in_messages(&exchange, &parts)
                .or_else(|| exchange.properties.property(&parts))
                .or_else(|| in_filter_state(|key| exchange.filter_state.get(key), path, &parts));
            if found.is_some() {
                return found;
            }
        }
        Some(Kind::Tcp(tcp)) => {
            let found = tcp.properties.property(&parts);
            let found = found.or_else(|| in_filter_state(|key| tcp.filter_state.get(key), path, &parts));
            if found.is_some() {
                return found;
            }
        }
        _ => {}
    }
    state.host.property(&parts)
}

/// What a filter set as `x` is read as `x`, and as `filter_state`, `wasm.x`.
fn in_filter_state<'a>(
    get: impl FnOnce(&[u8]) -> Option<&'a Bytes>,
    path: &[u8],
    parts: &[&[u8]],
) -> Option<Vec<u8>> {
    let key = match parts {
        [b"filter_state", key] => key.strip_prefix(b"wasm.")?,
        _ => path,
    };
    get(key).map(|value| value.to_vec())
}

fn in_messages(exchange: &Exchange, parts: &[&[u8]]) -> Option<Vec<u8>> {
    match parts {
        [b"request", rest @ ..] => in_request(exchange, rest),
        [b"response", rest @ ..] => in_response(exchange, rest),
        _ => None,
    }
}

fn in_request(exchange: &Exchange, parts: &[&[u8]]) -> Option<Vec<u8>> {
    let headers = exchange.request_headers.as_ref()?;
    match parts {
        [b"path"] => header(headers, ":path"),
        [b"url_path"] => Some(split_path(headers)?.0),
        [b"query"] => Some(split_path(headers)?.1),
        [b"host"] => header(headers, ":authority"),
        [b"scheme"] => header(headers, ":scheme"),
        [b"method"] => header(headers, ":method"),
        [b"referer"] => header(headers, "referer"),
        [b"useragent"] => header(headers, "user-agent"),
        [b"id"] => header(headers, "x-request-id"),
        [b"headers"] => Some(map(headers)),
        [b"headers", name] => Some(headers.get(name)?.as_bytes().into()),
        [b"size"] => Some(number(
            content_length(headers).unwrap_or(exchange.request_body_bytes),
        )),
        [b"total_size"] => Some(number(total_size(
            headers,
            exchange.request_body_bytes,
            &exchange.request_trailers,
        ))),
        _ => None,
    }
}

fn in_response(exchange: &Exchange, parts: &[&[u8]]) -> Option<Vec<u8>> {
    let headers = exchange.response_headers.as_ref()?;
    match parts {
        [b"code"] => Some(number(headers.get_str(":status")?.parse().ok()?)),
        [b"headers"] => Some(map(headers)),
        [b"headers", name] => Some(headers.get(name)?.as_bytes().into()),
        [b"trailers"] => Some(map(exchange.response_trailers.as_ref()?)),
        [b"trailers", name] => Some(exchange.response_trailers.as_ref()?.get(name)?.as_bytes().into()),
        [b"grpc_status"] => {
            let trailers = exchange
                .response_trailers
                .as_ref()
                .and_then(|trailers| trailers.get_str("grpc-status"));
            Some(number(
                trailers
                    .or_else(|| headers.get_str("grpc-status"))?
                    .parse()
                    .ok()?,
            ))
        }
        [b"size"] => Some(number(exchange.response_body_bytes)),
        [b"total_size"] => Some(number(total_size(
            headers,
            exchange.response_body_bytes,
            &exchange.response_trailers,
        ))),
        _ => None,
    }
}

fn header(headers: &HeaderList, name: &str) -> Option<Vec<u8>> {
    Some(headers.get(name.as_bytes())?.as_bytes().into())
}

fn split_path(headers: &HeaderList) -> Option<(Vec<u8>, Vec<u8>)> {
    let path = header(headers, ":path")?;
    match path.iter().position(|byte| *byte == b'?') {
        Some(mark) => Some((path[..mark].into(), path[mark + 1..].into())),
        None => Some((path, Vec::new())),
    }
}

fn content_length(headers: &HeaderList) -> Option<u64> {
    headers.get_str("content-length")?.parse().ok()
}

fn total_size(headers: &HeaderList, body: u64, trailers: &Option<HeaderList>) -> u64 {
    let trailers = trailers.as_ref().map_or(0, HeaderList::byte_size);
    body + (headers.byte_size() + trailers) as u64
}

fn map(list: &HeaderList) -> Vec<u8> {
    let mut out = Vec::new();
    list.encode(&mut out);
    out
}

fn number(value: u64) -> Vec<u8> {
    value.to_le_bytes().into()
}

/// `proxy_set_property`: leaves a value for later callbacks and later filters of the stream.
///
/// - `path`, `value`: INVALID_MEMORY_ACCESS. NOT_FOUND outside of a stream. INTERNAL_FAILURE where a stream's values would
///   have over 1 MiB.
fn set(call: &mut Call<'_>, path: u32, size: u32, value: u32, value_size: u32) -> Reply {
    let (memory, state) = call.memory_and_state();
    let path = memory.read(path, size).named("the path")?.to_vec();
    let value = Bytes::copy_from_slice(memory.read(value, value_size).named("the value")?);
    if set_filter_state(state, path, value)? {
        return Ok(());
    }
    refuse(Status::NotFound, "properties can only be set on a stream")
}

/// Sets a value on the effective context's stream; says whether it has one.
pub(super) fn set_filter_state(
    state: &mut State,
    key: Vec<u8>,
    value: Bytes,
) -> Result<bool, super::Refusal> {
    let effective = state.effective;
    let set = |values: &mut rustc_hash::FxHashMap<Vec<u8>, Bytes>| {
        let others = values.iter().filter(|(other, _)| **other != key);
        let used: usize = others.map(|(key, value)| key.len() + value.len()).sum();
        if used + key.len() + value.len() > MOST_SET {
            return refuse(
                Status::InternalFailure,
                format!("the properties of one stream have at most {MOST_SET} bytes"),
            );
        }
        values.insert(key, value);
        Ok(true)
    };
    match state.contexts.get_mut(effective).map(|context| &mut context.kind) {
        Some(Kind::Http(http)) => set(&mut http.exchange.borrow_mut().filter_state),
        Some(Kind::Tcp(tcp)) => set(&mut tcp.filter_state),
        _ => Ok(false),
    }
}
