//! What a filter needs from the program around it. Whoever embeds filters implements [`Host`] and
//! [`StreamProperties`]; nothing else of the outside world is reachable from a guest.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use wharf_engine::Fault;
use wharf_plugin::PluginName;

use crate::headers::HeaderList;
use crate::numbers::{LogLevel, Status};
use crate::shared::QueueListener;

/// A context of a VM: 0 is the VM itself; roots and streams share one counter.
pub type ContextId = u32;

/// A plugin as a root context of a VM.
#[derive(Debug, Clone)]
pub struct PluginContext {
    /// The plugin's name, which stands in its logs and metrics.
    pub name: PluginName,
    /// Which root context of the module is meant.
    pub root_id: String,
    /// The configuration that `proxy_on_configure` announces.
    pub configuration: Bytes,
    /// Whether a pause on headers lets body callbacks come, so that headers wait while the body is seen. By default a
    /// pause on headers stops everything in that direction, as in Envoy.
    pub allow_on_headers_stop_iteration: bool,
}

/// The outside world of one VM. All calls come from the thread that runs the VM, from inside a guest's call: none may
/// block.
pub trait Host {
    /// The guest wrote a log line, or the ABI notes why it refused a host call (at debug level).
    fn log(&mut self, plugin: Option<&PluginContext>, level: LogLevel, message: &str);

    /// The ABI refused a host call of the guest, which gets no more than the status. Told only where
    /// [`Host::log_level`] is debug or finer. By default it is a debug line.
    fn refused(&mut self, plugin: Option<&PluginContext>, refusal: &RefusedCall<'_>) {
        self.log(plugin, LogLevel::Debug, &refusal.to_string());
    }

    /// The least grave level that is kept; what `proxy_get_log_level` gives.
    fn log_level(&self) -> LogLevel;

    /// Nanoseconds since 1970.
    fn realtime_nanoseconds(&mut self) -> u64;

    /// Nanoseconds of a clock that never goes back.
    fn monotonic_nanoseconds(&mut self) -> u64;

    /// Fills `buffer` with bytes that nobody can guess.
    fn random(&mut self, buffer: &mut [u8]);

    /// From now on call [`Vm::on_tick`](crate::Vm::on_tick) of `root` this often; `None`: no more.
    fn set_tick_period(&mut self, root: ContextId, period: Option<Duration>);

    /// Starts an HTTP call-out. Its answer goes to [`Vm::on_http_call_response`](crate::Vm::on_http_call_response),
    /// never from inside this call.
    ///
    /// # Errors
    /// [`CallRefused`] where it cannot be started; the guest gets the status.
    fn http_call(&mut self, call: HttpCall) -> Result<(), CallRefused>;

    /// Starts a gRPC call-out, or opens a gRPC stream. Its events go to the `on_grpc_…` functions of
    /// [`Vm`](crate::Vm), never from inside this call. By default there is no transport for them.
    ///
    /// # Errors
    /// [`CallRefused`] where it cannot be started; the guest gets the status.
    fn grpc_call(&mut self, call: GrpcCall) -> Result<(), CallRefused> {
        let GrpcCall { .. } = call;
        Err(CallRefused::new(
            Status::InternalFailure,
            "this host has no transport for gRPC call-outs",
        ))
    }

    /// Acts on an open gRPC call-out. Called only with ids that [`Host::grpc_call`] has taken and that have not ended.
    fn grpc_action(&mut self, id: u32, action: GrpcAction) {
        let _ = (id, action);
    }

    /// Whoever is to be told when something is put on a queue that `root` registered; it passes the news to
    /// [`Vm::on_queue_ready`](crate::Vm::on_queue_ready) on this VM's thread. It is asked for once for each `root`, and kept
    /// as long as the VM.
    fn queue_listener(&mut self, root: ContextId) -> QueueListener;

    /// The value of a property that does not belong to a stream, such as `node` or `listener_metadata`, serialized as
    /// the ABI says.
    fn property(&self, path: &[&[u8]]) -> Option<Vec<u8>>;

    /// A foreign function that the ABI itself does not give. `None`: there is none of this name.
    fn foreign_function(&mut self, name: &str, arguments: &[u8]) -> Option<Result<Vec<u8>, CallRefused>> {
        let _ = (name, arguments);
        None
    }

    /// A guest callback ended after `elapsed`, well or not.
    fn called(&mut self, plugin: Option<&PluginContext>, callback: &'static str, elapsed: Duration) {
        let _ = (plugin, callback, elapsed);
    }

    /// The VM has faulted: nothing can be called in it again. Its streams have been woken.
    fn faulted(&mut self, plugin: Option<&PluginContext>, fault: &Fault);
}

/// What is known of one stream beside its headers and bodies: addresses, names, times.
pub trait StreamProperties {
    /// The value of a property such as `source.address`, serialized as the ABI says; `None` where it is not known.
    /// Properties of the request's and the response's headers and sizes never get here.
    fn property(&self, path: &[&[u8]]) -> Option<Vec<u8>>;
}

/// No properties.
impl StreamProperties for () {
    fn property(&self, _path: &[&[u8]]) -> Option<Vec<u8>> {
        None
    }
}

/// A host call that was refused, for whoever looks for a mistake in a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedCall<'a> {
    /// The host function.
    pub function: &'static str,
    /// The effective context at the call.
    pub context: ContextId,
    /// What the guest gets.
    pub status: Status,
    /// Why.
    pub reason: &'a str,
}

impl fmt::Display for RefusedCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            function,
            context,
            status,
            reason,
        } = self;
        write!(f, "{function} in context {context}: {status:?}: {reason}")
    }
}

/// Why a call-out was not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRefused {
    /// What the guest gets.
    pub status: Status,
    /// What the log says.
    pub reason: String,
}

impl CallRefused {
    /// A refusal with this status, for this reason.
    pub fn new(status: Status, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
        }
    }
}

/// An HTTP call-out that a filter wants.
#[derive(Debug)]
pub struct HttpCall {
    /// What the answer will name.
    pub id: u32,
    /// The root context that the answer goes to.
    pub root: ContextId,
    /// The plugin that calls.
    pub plugin: PluginName,
    /// The upstream to call.
    pub upstream: String,
    /// The headers; `:method`, `:path` and `:authority` are there.
    pub headers: HeaderList,
    /// The body; may be empty.
    pub body: Bytes,
    /// The trailers; may be empty.
    pub trailers: HeaderList,
    /// How long the filter waits; `None`: as long as the upstream's own timeout.
    pub timeout: Option<Duration>,
}

/// The answer to an HTTP call-out.
#[derive(Debug, Default)]
pub struct HttpCallResponse {
    /// The headers, `:status` among them.
    pub headers: HeaderList,
    /// The whole body.
    pub body: Bytes,
    /// The trailers; may be empty.
    pub trailers: HeaderList,
}

/// A gRPC call-out that a filter wants.
#[derive(Debug)]
pub struct GrpcCall {
    /// What its events will name: divided by 4 it leaves 1 for a call, 2 for a stream.
    pub id: u32,
    /// The root context that its events go to.
    pub root: ContextId,
    /// The plugin that calls.
    pub plugin: PluginName,
    /// The upstream: its name, or a serialized `GrpcService` message that names it.
    pub upstream: Vec<u8>,
    /// The service, such as `grpc.health.v1.Health`.
    pub service: String,
    /// The method.
    pub method: String,
    /// The metadata to send first.
    pub metadata: HeaderList,
    /// The only message of a call; `None` opens a stream.
    pub message: Option<Bytes>,
    /// How long the filter waits for a call; `None`: without end.
    pub timeout: Option<Duration>,
}

/// What a filter does with an open gRPC call-out.
#[derive(Debug)]
pub enum GrpcAction {
    /// Sends a message on a stream, and says whether it is the last.
    Send {
        /// The message.
        message: Bytes,
        /// Whether it is the last.
        end_of_stream: bool,
    },
    /// Says that no more messages come.
    Close,
    /// Ends it and forgets it.
    Cancel,
}
