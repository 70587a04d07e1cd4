//! The functions that a filter exports (specification, "Callbacks"). All but an allocator are optional.

use wharf_engine::{Fault, FaultKind, GuestFunction, Instance};
use wharf_plugin::ProxyWasmVersion;

use crate::state::State;

type Call1 = GuestFunction<u32, ()>;
type Call2 = GuestFunction<(u32, u32), ()>;
type Call3 = GuestFunction<(u32, u32, u32), ()>;
type Call5 = GuestFunction<(u32, u32, u32, u32, u32), ()>;
type Ask1 = GuestFunction<u32, u32>;
type Ask2 = GuestFunction<(u32, u32), u32>;
type Ask3 = GuestFunction<(u32, u32, u32), u32>;

/// A headers callback, which has another signature in 0.1.0.
pub(crate) enum HeadersCallback {
    /// (context, count) → action
    V0_1(Ask2),
    /// (context, count, end of stream) → action
    V0_2(Ask3),
}

pub(crate) struct Exports {
    pub(crate) on_context_create: Option<Call2>,
    pub(crate) on_vm_start: Option<Ask2>,
    pub(crate) on_configure: Option<Ask2>,
    pub(crate) validate_configuration: Option<Ask2>,
    pub(crate) on_tick: Option<Call1>,
    pub(crate) on_new_connection: Option<Ask1>,
    pub(crate) on_downstream_data: Option<Ask3>,
    pub(crate) on_upstream_data: Option<Ask3>,
    pub(crate) on_downstream_connection_close: Option<Call2>,
    pub(crate) on_upstream_connection_close: Option<Call2>,
    pub(crate) on_request_headers: Option<HeadersCallback>,
    pub(crate) on_request_body: Option<Ask3>,
    pub(crate) on_request_trailers: Option<Ask2>,
    pub(crate) on_response_headers: Option<HeadersCallback>,
    pub(crate) on_response_body: Option<Ask3>,
    pub(crate) on_response_trailers: Option<Ask2>,
    pub(crate) on_http_call_response: Option<Call5>,
    pub(crate) on_grpc_receive_initial_metadata: Option<Call3>,
    pub(crate) on_grpc_receive: Option<Call3>,
    pub(crate) on_grpc_receive_trailing_metadata: Option<Call3>,
    pub(crate) on_grpc_close: Option<Call3>,
    pub(crate) on_queue_ready: Option<Call2>,
    pub(crate) on_foreign_function: Option<Call3>,
    pub(crate) on_done: Option<Ask1>,
    pub(crate) on_log: Option<Call1>,
    pub(crate) on_delete: Option<Call1>,
}

impl Exports {
    /// Finds the callbacks of a filter.
    ///
    /// # Errors
    /// A [`Fault`] where one of them has another signature than the ABI's.
    pub(crate) fn find(instance: &mut Instance<State>, version: ProxyWasmVersion) -> Result<Self, Fault> {
        let old = version == ProxyWasmVersion::V0_1_0;
        Ok(Self {
            on_context_create: instance.function("proxy_on_context_create")?,
            on_vm_start: instance.function("proxy_on_vm_start")?,
            on_configure: instance.function("proxy_on_configure")?,
            validate_configuration: instance.function("proxy_validate_configuration")?,
            on_tick: instance.function("proxy_on_tick")?,
            on_new_connection: instance.function("proxy_on_new_connection")?,
            on_downstream_data: instance.function("proxy_on_downstream_data")?,
            on_upstream_data: instance.function("proxy_on_upstream_data")?,
            on_downstream_connection_close: instance.function("proxy_on_downstream_connection_close")?,
            on_upstream_connection_close: instance.function("proxy_on_upstream_connection_close")?,
            on_request_headers: headers_callback(instance, "proxy_on_request_headers", old)?,
            on_request_body: instance.function("proxy_on_request_body")?,
            on_request_trailers: instance.function("proxy_on_request_trailers")?,
            on_response_headers: headers_callback(instance, "proxy_on_response_headers", old)?,
            on_response_body: instance.function("proxy_on_response_body")?,
            on_response_trailers: instance.function("proxy_on_response_trailers")?,
            on_http_call_response: instance.function("proxy_on_http_call_response")?,
            on_grpc_receive_initial_metadata: instance.function("proxy_on_grpc_receive_initial_metadata")?,
            on_grpc_receive: instance.function("proxy_on_grpc_receive")?,
            on_grpc_receive_trailing_metadata: instance
                .function("proxy_on_grpc_receive_trailing_metadata")?,
            on_grpc_close: instance.function("proxy_on_grpc_close")?,
            on_queue_ready: instance.function("proxy_on_queue_ready")?,
            on_foreign_function: if old {
                None
            } else {
                instance.function("proxy_on_foreign_function")?
            },
            on_done: instance.function("proxy_on_done")?,
            on_log: instance.function("proxy_on_log")?,
            on_delete: instance.function("proxy_on_delete")?,
        })
    }
}

fn headers_callback(
    instance: &mut Instance<State>,
    name: &'static str,
    old: bool,
) -> Result<Option<HeadersCallback>, Fault> {
    if old {
        return Ok(instance.function(name)?.map(HeadersCallback::V0_1));
    }
    Ok(instance.function(name)?.map(HeadersCallback::V0_2))
}

/// The guest's allocator, under either of its names. Envoy looks for `malloc` first; so do we.
///
/// # Errors
/// [`FaultKind::MissingExport`] where there is none: nothing could be given to such a guest.
pub(crate) fn allocator(instance: &mut Instance<State>) -> Result<Ask1, Fault> {
    if let Some(malloc) = instance.function("malloc")? {
        return Ok(malloc);
    }
    let name = "proxy_on_memory_allocate";
    let missing = || {
        Fault::new(
            FaultKind::MissingExport {
                name: format!("{name}\" or \"malloc"),
            },
            "(start)",
        )
    };
    instance.function(name)?.ok_or_else(missing)
}
