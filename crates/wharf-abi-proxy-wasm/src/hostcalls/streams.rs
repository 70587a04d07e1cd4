//! Going on with streams and ending them (specification, "HTTP streams" and "TCP streams").
//!
//! Both take effect when the guest's call has returned.

use wharf_engine::Imports;
use wharf_plugin::ProxyWasmVersion;

use super::{Call, Reply, bad_argument, function};
use crate::numbers::StreamType;
use crate::state::State;

pub(super) fn add(imports: &mut Imports<State>, version: ProxyWasmVersion) {
    if version != ProxyWasmVersion::V0_1_0 {
        function(imports, "proxy_continue_stream", |call, (stream,): (u32,)| {
            continue_stream(call, stream)
        });
        function(imports, "proxy_close_stream", |call, (stream,): (u32,)| {
            close_stream(call, stream)
        });
    }
    // 0.1.0 only; SDKs of later versions still import `proxy_clear_route_cache` where they are told to.
    if version == ProxyWasmVersion::V0_1_0 {
        function(imports, "proxy_continue_request", |call, (): ()| {
            continue_stream(call, StreamType::Request as u32)
        });
        function(imports, "proxy_continue_response", |call, (): ()| {
            continue_stream(call, StreamType::Response as u32)
        });
        // The route is chosen before its filters run, since they belong to it: there is nothing to clear.
        function(imports, "proxy_clear_route_cache", |_call, (): ()| Ok(()));
    }
}

/// `proxy_continue_stream`: lets a direction go on that a callback has paused. One that is not paused stays as it is.
///
/// - `stream`: 0 request, 1 response, 2 downstream, 3 upstream; BAD_ARGUMENT otherwise.
fn continue_stream(call: &mut Call<'_>, stream: u32) -> Reply {
    let Some(stream) = StreamType::from_number(stream) else {
        return bad_argument(format!("{stream} is not a stream type"));
    };
    call.state().signal(|signals| match stream {
        StreamType::Request => signals.resume_request = true,
        StreamType::Response => signals.resume_response = true,
        StreamType::Downstream => signals.resume_downstream = true,
        StreamType::Upstream => signals.resume_upstream = true,
    });
    Ok(())
}

/// `proxy_close_stream` (0.2): resets the exchange, or closes the TCP connection.
///
/// - `stream`: as for going on.
fn close_stream(call: &mut Call<'_>, stream: u32) -> Reply {
    let Some(stream) = StreamType::from_number(stream) else {
        return bad_argument(format!("{stream} is not a stream type"));
    };
    call.state().signal(|signals| match stream {
        StreamType::Request | StreamType::Response => signals.close = true,
        StreamType::Downstream => signals.close_downstream = true,
        StreamType::Upstream => signals.close_upstream = true,
    });
    Ok(())
}
