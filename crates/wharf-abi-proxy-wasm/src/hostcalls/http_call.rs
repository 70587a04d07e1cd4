//! HTTP call-outs (specification, "HTTP calls").

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use wharf_engine::Imports;

use super::{Call, Named, Refusal, Reply, bad_argument, function, refuse, text};
use crate::headers::{HeaderList, Name};
use crate::host::HttpCall;
use crate::numbers::Status;
use crate::pairs;
use crate::state::State;

/// The most HTTP call-outs of one plugin that may be open in a worker at once.
const MOST_OPEN: usize = 10_000;

/// What the log calls the place for a call-out's id.
const ID_OUT: &str = "the place for the call-out's id";

pub(super) fn add(imports: &mut Imports<State>) {
    type Parameters = (u32, u32, u32, u32, u32, u32, u32, u32, u32, u32);
    function(imports, "proxy_http_call", |call, p: Parameters| {
        http_call(call, p)
    });
}

/// `proxy_http_call`: sends a request to an upstream; the answer comes to `proxy_on_http_call_response` of the plugin.
///
/// - `upstream`: its name; BAD_ARGUMENT where it is unknown or not in the plugin's `allow.upstreams`.
/// - `headers`, `trailers`: serialized maps. BAD_ARGUMENT where one is damaged, or `:method`, `:path` or `:authority` is
///   missing.
/// - `body`: its content-length is set where there is one.
/// - `timeout`: milliseconds; 0: none but the upstream's own; BAD_ARGUMENT below 0.
/// - `id_out`: where the call's id goes, as u32le; written (with 0) before the call is started, INVALID_MEMORY_ACCESS.
fn http_call(
    call: &mut Call<'_>,
    (
        upstream,
        upstream_size,
        headers,
        headers_size,
        body,
        body_size,
        trailers,
        trailers_size,
        timeout,
        id_out,
    ): (u32, u32, u32, u32, u32, u32, u32, u32, u32, u32),
) -> Reply {
    let upstream = text(call, upstream, upstream_size, "the upstream's name")?;
    let mut headers = map(call, headers, headers_size, "the headers")?;
    let trailers = map(call, trailers, trailers_size, "the trailers")?;
    let mut memory = call.memory();
    let body = Bytes::copy_from_slice(memory.read(body, body_size).named("the body")?);
    memory.write_u32(id_out, 0).named(ID_OUT)?;
    if timeout.cast_signed() < 0 {
        return bad_argument(format!("the timeout of {} ms is below 0", timeout.cast_signed()));
    }
    for name in [":method", ":path", ":authority"] {
        if headers.get(name.as_bytes()).is_none() {
            return bad_argument(format!(
                "the call to upstream \"{upstream}\" has no {name} header"
            ));
        }
    }
    if !body.is_empty() {
        headers.set(
            Name::Field(http::header::CONTENT_LENGTH),
            HeaderValue::from(body.len()),
        )?;
    }
    let timeout = (timeout > 0).then(|| Duration::from_millis(u64::from(timeout)));
    let id = start(call.state(), upstream, headers, body, trailers, timeout)?;
    call.memory().write_u32(id_out, id).named(ID_OUT)?;
    Ok(())
}

fn start(
    state: &mut State,
    upstream: String,
    headers: HeaderList,
    body: Bytes,
    trailers: HeaderList,
    timeout: Option<Duration>,
) -> Result<u32, Refusal> {
    let (Some(root), Some(plugin)) = (
        state.contexts.root_id_of(state.effective),
        state.contexts.plugin_name_of(state.effective),
    ) else {
        return refuse(Status::InternalFailure, "only a plugin can call out");
    };
    let mut id = state.last_http_call;
    let Some(context) = state.contexts.root(root) else {
        return refuse(Status::InternalFailure, "only a plugin can call out");
    };
    if context.calls.len() >= MOST_OPEN {
        return refuse(
            Status::InternalFailure,
            format!("{MOST_OPEN} call-outs of this plugin are open already"),
        );
    }
    loop {
        id = id.checked_add(1).unwrap_or(1);
        if !context.calls.contains(&id) {
            break;
        }
    }
    let outcome = state.host.http_call(HttpCall {
        id,
        root,
        plugin,
        upstream,
        headers,
        body,
        trailers,
        timeout,
    });
    if let Err(refused) = outcome {
        return refuse(refused.status, refused.reason);
    }
    state.last_http_call = id;
    if let Some(context) = state.contexts.root(root) {
        context.calls.insert(id);
    }
    Ok(id)
}

/// Reads a serialized map of headers.
pub(super) fn map(
    call: &mut Call<'_>,
    pointer: u32,
    size: u32,
    what: &'static str,
) -> Result<HeaderList, Refusal> {
    let memory = call.memory();
    let pairs = pairs::decode(memory.read(pointer, size).named(what)?).named(what)?;
    let mut list = HeaderList::with_capacity(pairs.len());
    for (name, value) in pairs {
        list.add(name, value)?;
    }
    Ok(list)
}
