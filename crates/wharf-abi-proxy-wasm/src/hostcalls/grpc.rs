//! gRPC call-outs (specification, "gRPC calls").

use std::time::Duration;

use bytes::Bytes;
use wharf_engine::Imports;

use super::http_call::map;
use super::{Call, Named, Refusal, Reply, bad_argument, check_place, check_places, function, refuse, text};
use crate::callouts::{is_grpc_call, is_grpc_stream};
use crate::context::GrpcState;
use crate::host::{GrpcAction, GrpcCall};
use crate::numbers::Status;
use crate::state::State;

/// The most gRPC call-outs of one plugin that may be open in a worker at once.
const MOST_OPEN: usize = 10_000;

/// What the log calls the place for a call-out's id.
const ID_OUT: &str = "the place for the call-out's id";

pub(super) fn add(imports: &mut Imports<State>) {
    type CallParameters = (u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32, u32);
    type StreamParameters = (u32, u32, u32, u32, u32, u32, u32, u32, u32);
    function(imports, "proxy_grpc_call", |call, p: CallParameters| {
        grpc_call(call, p)
    });
    function(imports, "proxy_grpc_stream", |call, p: StreamParameters| {
        grpc_stream(call, p)
    });
    function(imports, "proxy_grpc_send", |call, p: (u32, u32, u32, u32)| {
        send(call, p)
    });
    function(imports, "proxy_grpc_close", |call, (id,): (u32,)| {
        end(call, id, GrpcAction::Close)
    });
    function(imports, "proxy_grpc_cancel", |call, (id,): (u32,)| {
        end(call, id, GrpcAction::Cancel)
    });
    function(
        imports,
        "proxy_get_status",
        |call, (code, a, l): (u32, u32, u32)| status(call, code, a, l),
    );
}

/// `proxy_grpc_call`: sends one message and waits for one.
///
/// - `upstream`: its name, or a serialized `GrpcService`; PARSE_FAILURE where it is unknown.
/// - `service`, `method`: text; BAD_ARGUMENT otherwise. `metadata`: a serialized map. `message`: the bytes.
/// - `timeout`: milliseconds; 0: none.
/// - `id_out`: where the call's id goes, as u32le; INVALID_MEMORY_ACCESS.
fn grpc_call(
    call: &mut Call<'_>,
    (upstream, us, service, ss, method, ms, metadata, mds, message, size, timeout, id_out): (
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
    ),
) -> Reply {
    let message = Bytes::copy_from_slice(call.memory().read(message, size).named("the message")?);
    let timeout = (timeout > 0).then(|| Duration::from_millis(u64::from(timeout)));
    start(
        call,
        (upstream, us, service, ss, method, ms, metadata, mds),
        Some(message),
        timeout,
        id_out,
    )
}

/// `proxy_grpc_stream`: opens a stream of messages.
///
/// Arguments and statuses as for a call.
fn grpc_stream(
    call: &mut Call<'_>,
    (upstream, us, service, ss, method, ms, metadata, mds, id_out): (
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
        u32,
    ),
) -> Reply {
    start(
        call,
        (upstream, us, service, ss, method, ms, metadata, mds),
        None,
        None,
        id_out,
    )
}

fn start(
    call: &mut Call<'_>,
    (upstream, us, service, ss, method, ms, metadata, mds): (u32, u32, u32, u32, u32, u32, u32, u32),
    message: Option<Bytes>,
    timeout: Option<Duration>,
    id_out: u32,
) -> Reply {
    let upstream = call.memory().read(upstream, us).named("the upstream")?.to_vec();
    let service = text(call, service, ss, "the service")?;
    let method = text(call, method, ms, "the method")?;
    let metadata = map(call, metadata, mds, "the metadata")?;
    // The place for the id is tried before anything is sent.
    call.memory().write_u32(id_out, 0).named(ID_OUT)?;
    let state = call.state();
    let (Some(root), Some(plugin)) = (
        state.contexts.root_id_of(state.effective),
        state.contexts.plugin_name_of(state.effective),
    ) else {
        return refuse(Status::InternalFailure, "only a plugin can call out");
    };
    let id = next_id(state, root, message.is_some())?;
    let grpc = GrpcCall {
        id,
        root,
        plugin,
        upstream,
        service,
        method,
        metadata,
        message,
        timeout,
    };
    if let Err(refused) = state.host.grpc_call(grpc) {
        return refuse(refused.status, refused.reason);
    }
    if let Some(context) = state.contexts.root(root) {
        context.grpc.insert(id, GrpcState::default());
    }
    call.memory().write_u32(id_out, id).named(ID_OUT)?;
    Ok(())
}

fn next_id(state: &mut State, root: u32, is_call: bool) -> Result<u32, Refusal> {
    let Some(context) = state.contexts.root(root) else {
        return refuse(Status::InternalFailure, "only a plugin can call out");
    };
    if context.grpc.len() >= MOST_OPEN {
        return refuse(
            Status::InternalFailure,
            format!("{MOST_OPEN} gRPC call-outs of this plugin are open already"),
        );
    }
    let mut id = state.last_grpc_call;
    loop {
        id = id.checked_add(1).unwrap_or(1);
        let is_right = if is_call {
            is_grpc_call(id)
        } else {
            is_grpc_stream(id)
        };
        if is_right && !context.grpc.contains_key(&id) {
            state.last_grpc_call = id;
            return Ok(id);
        }
    }
}

/// `proxy_grpc_send`: sends a message on a stream.
///
/// - `id`: BAD_ARGUMENT for one that no stream can have, NOT_FOUND for one that is not open.
/// - `message`, `size`: INVALID_MEMORY_ACCESS. `end_of_stream`: whether it is the last.
fn send(call: &mut Call<'_>, (id, message, size, end_of_stream): (u32, u32, u32, u32)) -> Reply {
    let message = Bytes::copy_from_slice(call.memory().read(message, size).named("the message")?);
    if !is_grpc_stream(id) {
        return bad_argument(format!("{id} is no stream; only a stream takes further messages"));
    }
    let state = call.state();
    let end_of_stream = end_of_stream != 0;
    let Some(grpc) = state
        .contexts
        .root_of(state.effective)
        .and_then(|root| root.grpc.get_mut(&id))
    else {
        return refuse(Status::NotFound, format!("there is no open stream {id}"));
    };
    if !grpc.local_closed && !grpc.remote_closed {
        grpc.local_closed = end_of_stream;
        state.host.grpc_action(
            id,
            GrpcAction::Send {
                message,
                end_of_stream,
            },
        );
    }
    Ok(())
}

/// `proxy_grpc_close`: says that no more messages come; a call is ended. `proxy_grpc_cancel`: ends it and forgets it.
///
/// - `id`: NOT_FOUND for one that is not open, BAD_ARGUMENT for one that neither a call nor a stream can have.
fn end(call: &mut Call<'_>, id: u32, action: GrpcAction) -> Reply {
    if !is_grpc_call(id) && !is_grpc_stream(id) {
        return bad_argument(format!("{id} is neither a gRPC call nor a gRPC stream"));
    }
    let state = call.state();
    let grpc = state
        .contexts
        .root_of(state.effective)
        .and_then(|root| Some((root.grpc.get_mut(&id)?.remote_closed, root)));
    let Some((remote_closed, root)) = grpc else {
        return refuse(Status::NotFound, format!("there is no open gRPC call-out {id}"));
    };
    let forget = is_grpc_call(id) || remote_closed || matches!(action, GrpcAction::Cancel);
    if forget {
        root.grpc.remove(&id);
    } else if let Some(grpc) = root.grpc.get_mut(&id) {
        grpc.local_closed = true;
    }
    // Closing a call ends it, since it has sent its only message.
    let action = if is_grpc_call(id) {
        GrpcAction::Cancel
    } else {
        action
    };
    if !remote_closed {
        state.host.grpc_action(id, action);
    }
    Ok(())
}

/// `proxy_get_status`: the status of the last call-out that ended, and its message where its callback still runs.
///
/// - `code_out`: where the code goes, as u32le. `address_out`, `length_out`: where the message's copy goes;
///   INVALID_MEMORY_ACCESS.
fn status(call: &mut Call<'_>, code_out: u32, address_out: u32, length_out: u32) -> Reply {
    let (code, message) = call
        .state()
        .root()
        .map(|root| root.answer.status.clone())
        .unwrap_or_default();
    check_place(call, code_out, 4, "the place for the code")?;
    check_places(call, address_out, length_out)?;
    call.memory()
        .write_u32(code_out, code)
        .named("the place for the code")?;
    super::give(call, message.as_bytes(), address_out, length_out)
}
