//! What a VM's host functions work on.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use wharf_abi_wasi::{Stdio, WasiHost};
use wharf_engine::GuestFunction;
use wharf_plugin::ProxyWasmVersion;

use crate::context::{Contexts, Direction, HttpContext, Kind, RootContext, Signals};
use crate::headers::HeaderList;
use crate::host::{ContextId, Host, PluginContext};
use crate::numbers::{LogLevel, MapType};
use crate::shared::{GuestMetric, Namespace, QueueListener, Shared};

/// The context of the VM itself, in which it starts.
pub(crate) const VM_CONTEXT: ContextId = 0;

pub(crate) struct State {
    pub(crate) version: ProxyWasmVersion,
    pub(crate) host: Box<dyn Host>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) namespace: Namespace,
    pub(crate) vm_id: String,
    pub(crate) vm_configuration: Bytes,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) contexts: Contexts,
    /// The context whose callback runs.
    pub(crate) current: ContextId,
    /// The context that host functions work on: the current one, until the guest sets another.
    pub(crate) effective: ContextId,
    /// Whether the module's own start functions are over; before that only logging and WASI are at hand.
    pub(crate) started: bool,
    /// The guest's allocator; taken out while it runs, so that it cannot be entered from inside itself.
    pub(crate) allocator: Option<GuestFunction<u32, u32>>,
    /// Metrics by the ids that the guest knows, less one.
    pub(crate) metrics: Vec<Arc<GuestMetric>>,
    /// The plugins that have registered a queue; they hear of it as long as the VM is there.
    pub(crate) queue_listeners: BTreeMap<ContextId, QueueListener>,
    pub(crate) last_http_call: u32,
    pub(crate) last_grpc_call: u32,
    pub(crate) foreign_arguments: Option<Bytes>,
    /// The contexts for which the guest has called `proxy_done`.
    pub(crate) done: Vec<ContextId>,
    /// How many contexts wait for `proxy_done`.
    pub(crate) waiting: usize,
    /// Reused for what goes back to the guest.
    pub(crate) scratch: Vec<u8>,
}

impl State {
    /// The plugin of the effective context.
    pub(crate) fn plugin(&self) -> Option<&Arc<PluginContext>> {
        self.contexts.plugin_of(self.effective)
    }

    /// The root of the effective context.
    pub(crate) fn root(&mut self) -> Option<&mut RootContext> {
        self.contexts.root_of(self.effective)
    }

    /// The HTTP exchange of the effective context.
    pub(crate) fn http(&mut self) -> Option<&mut HttpContext> {
        self.contexts.http(self.effective)
    }

    /// Notes what the guest asked for, and wakes the stream's driver where the stream is not the one whose callback
    /// runs: that one looks by itself.
    pub(crate) fn signal(&mut self, note: impl FnOnce(&mut Signals)) {
        let is_current = self.effective == self.current;
        let Some(context) = self.contexts.get_mut(self.effective) else {
            return;
        };
        match &mut context.kind {
            Kind::Http(http) => note(&mut http.signals),
            Kind::Tcp(tcp) => note(&mut tcp.signals),
            Kind::Root(_) => return,
        }
        if !is_current {
            context.kind.wake();
        }
    }

    /// Reads a map that the effective context can see now. `None`: it cannot be seen, or is not there.
    pub(crate) fn read_map<R>(&mut self, map: MapType, read: impl FnOnce(&HeaderList) -> R) -> Option<R> {
        match map {
            MapType::HttpCallHeaders => self
                .root()?
                .answer
                .http
                .as_ref()
                .map(|answer| read(&answer.headers)),
            MapType::HttpCallTrailers => self
                .root()?
                .answer
                .http
                .as_ref()
                .map(|answer| read(&answer.trailers)),
            MapType::GrpcInitialMetadata => self.root()?.answer.grpc_initial_metadata.as_ref().map(read),
            MapType::GrpcTrailingMetadata => self.root()?.answer.grpc_trailing_metadata.as_ref().map(read),
            _ => {
                let http = self.http()?;
                if !http.logging && !visible(http, map) {
                    return None;
                }
                let exchange = http.exchange.borrow();
                let list = match map {
                    MapType::RequestHeaders => &exchange.request_headers,
                    MapType::RequestTrailers => &exchange.request_trailers,
                    MapType::ResponseHeaders => &exchange.response_headers,
                    _ => &exchange.response_trailers,
                };
                list.as_ref().map(read)
            }
        }
    }

    /// Changes a map that the effective context can change now. Trailers are made where the last of a body is seen.
    pub(crate) fn write_map<R>(
        &mut self,
        map: MapType,
        write: impl FnOnce(&mut HeaderList) -> R,
    ) -> Option<R> {
        let http = self.http()?;
        let made = match map {
            MapType::RequestTrailers => may_make_trailers(http, Direction::Request),
            MapType::ResponseTrailers => may_make_trailers(http, Direction::Response),
            _ => false,
        };
        if !made && !visible(http, map) {
            return None;
        }
        let mut exchange = http.exchange.borrow_mut();
        let list = match map {
            MapType::RequestHeaders => &mut exchange.request_headers,
            MapType::RequestTrailers => &mut exchange.request_trailers,
            MapType::ResponseHeaders => &mut exchange.response_headers,
            MapType::ResponseTrailers => &mut exchange.response_trailers,
            _ => return None,
        };
        if made {
            return Some(write(list.get_or_insert_default()));
        }
        list.as_mut().map(write)
    }
}

fn visible(http: &HttpContext, map: MapType) -> bool {
    match map {
        MapType::RequestHeaders => http.request.headers_visible,
        MapType::RequestTrailers => http.request.trailers_visible,
        MapType::ResponseHeaders => http.response.headers_visible,
        MapType::ResponseTrailers => http.response.trailers_visible,
        _ => false,
    }
}

fn may_make_trailers(http: &mut HttpContext, direction: Direction) -> bool {
    let view = http.view(direction);
    view.body_visible && view.end_of_stream
}

impl WasiHost for State {
    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    fn write(&mut self, stream: Stdio, bytes: &[u8]) {
        let level = match stream {
            Stdio::Stdout => LogLevel::Info,
            Stdio::Stderr => LogLevel::Error,
        };
        let plugin = self.contexts.plugin_of(self.effective);
        self.host.log(
            plugin.map(|plugin| &**plugin),
            level,
            &String::from_utf8_lossy(bytes),
        );
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        self.host.realtime_nanoseconds()
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        self.host.monotonic_nanoseconds()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        self.host.random(buffer);
    }
}
