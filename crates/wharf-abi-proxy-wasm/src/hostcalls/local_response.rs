//! Answering instead of the upstream (specification, "HTTP streams").

use bytes::Bytes;
use wharf_engine::Imports;

use super::{Call, Named, Reply, bad_argument, function};
use crate::context::LocalResponse;
use crate::headers::HeaderList;
use crate::pairs;
use crate::state::State;

/// The last status that gRPC has, `UNAUTHENTICATED`.
const LARGEST_GRPC_STATUS: u32 = 16;

pub(super) fn add(imports: &mut Imports<State>) {
    function(
        imports,
        "proxy_send_local_response",
        |call, p: (u32, u32, u32, u32, u32, u32, u32, u32)| send(call, p),
    );
}

/// `proxy_send_local_response`: answers by itself, when the guest's call has returned. The callback that it is called in
/// counts as a pause. Only the first answer of a stream counts; outside of an HTTP stream it does nothing.
///
/// - `status`: 200 to 599; BAD_ARGUMENT otherwise.
/// - `details`, `body`, `headers`: why (for the access log), the body, a serialized map of headers;
///   INVALID_MEMORY_ACCESS where they are not in memory, BAD_ARGUMENT where the map is damaged or has a name or value
///   that no message may have.
/// - `grpc_status`: the status of a gRPC request's answer, 0 to 16; any other, such as −1, takes it from the HTTP status.
fn send(
    call: &mut Call<'_>,
    (status, details, details_size, body, body_size, headers, headers_size, grpc_status): (
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
    let (memory, state) = call.memory_and_state();
    let details =
        String::from_utf8_lossy(memory.read(details, details_size).named("the details")?).into_owned();
    let body = Bytes::copy_from_slice(memory.read(body, body_size).named("the body")?);
    let pairs =
        pairs::decode(memory.read(headers, headers_size).named("the headers")?).named("the headers")?;
    let mut list = HeaderList::with_capacity(pairs.len());
    for (name, value) in pairs {
        list.add(name, value)?;
    }
    let Some(status) = u16::try_from(status)
        .ok()
        .filter(|status| (200..600).contains(status))
    else {
        return bad_argument(format!("{status} is not a final HTTP status: 200 to 599"));
    };
    let grpc_status = (grpc_status <= LARGEST_GRPC_STATUS).then_some(grpc_status);
    let response = LocalResponse {
        status,
        details,
        headers: list,
        body,
        grpc_status,
    };
    if let Some(http) = state.http() {
        if http.answered {
            return Ok(());
        }
        http.answered = true;
        state.signal(|signals| signals.local_response = Some(response));
    }
    Ok(())
}
