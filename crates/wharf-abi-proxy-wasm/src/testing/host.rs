//! A host without a world: it notes what filters want of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use wharf_engine::{Fault, GuestMemory, HostCallEvent, HostCallObserver, Value};
use wharf_plugin::ProxyWasmVersion;

use super::script::Callback;
use crate::headers::HeaderList;
use crate::host::{
    CallRefused, ContextId, GrpcAction, GrpcCall, Host, HttpCall, PluginContext, StreamProperties,
};
use crate::numbers::{LogLevel, Status};
use crate::shared::QueueListener;

/// What happened, in order, and what is to happen.
pub(crate) struct World {
    lines: Vec<String>,
    pub(crate) log_level: LogLevel,
    /// Why call-outs are refused, where they are.
    pub(crate) refusal: Option<CallRefused>,
    pub(crate) properties: HashMap<&'static str, Vec<u8>>,
    /// The last HTTP call-out.
    pub(crate) http_call: Option<HttpCall>,
    version: ProxyWasmVersion,
}

/// A world that a host, an observer and a test look at.
#[derive(Clone)]
pub(crate) struct SharedWorld(Arc<Mutex<World>>);

impl SharedWorld {
    pub(crate) fn new(version: ProxyWasmVersion) -> Self {
        Self(Arc::new(Mutex::new(World {
            lines: Vec::new(),
            log_level: LogLevel::Trace,
            refusal: None,
            properties: HashMap::new(),
            http_call: None,
            version,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub(crate) fn note(&self, line: impl Into<String>) {
        self.lock().lines.push(line.into());
    }

    /// What has been noted since this was last asked.
    pub(crate) fn take(&self) -> String {
        let lines = std::mem::take(&mut self.lock().lines);
        lines.into_iter().map(|line| line + "\n").collect()
    }
}

/// A host over a world.
pub(crate) struct FakeHost(pub(crate) SharedWorld);

impl FakeHost {
    fn refusal(&self) -> Result<(), CallRefused> {
        self.0.lock().refusal.clone().map_or(Ok(()), Err)
    }
}

impl Host for FakeHost {
    fn log(&mut self, plugin: Option<&PluginContext>, level: LogLevel, message: &str) {
        let who = plugin.map_or("(vm)", |plugin| plugin.name.as_str());
        let version = self.0.lock().version;
        self.0.note(match announcement(message, version) {
            Some(callback) => format!("{who} {callback}"),
            None => format!("{who} {level:?}: {message}"),
        });
    }

    fn log_level(&self) -> LogLevel {
        self.0.lock().log_level
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        0x1122_3344_5566_7788
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        77
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(0xa5);
    }

    fn set_tick_period(&mut self, root: ContextId, period: Option<Duration>) {
        self.0.note(format!("host: ticks of {root}: {period:?}"));
    }

    fn http_call(&mut self, call: HttpCall) -> Result<(), CallRefused> {
        self.refusal()?;
        self.0.note(format!(
            "host: http call {} of {} {} to {:?}: [{}] {:?} [{}] within {:?}",
            call.id,
            call.root,
            call.plugin,
            call.upstream,
            text(&call.headers),
            call.body,
            text(&call.trailers),
            call.timeout
        ));
        self.0.lock().http_call = Some(call);
        Ok(())
    }

    fn grpc_call(&mut self, call: GrpcCall) -> Result<(), CallRefused> {
        self.refusal()?;
        self.0.note(format!(
            "host: grpc call {} of {} {} to \"{}\": {}/{} [{}] {:?} within {:?}",
            call.id,
            call.root,
            call.plugin,
            call.upstream.escape_ascii(),
            call.service,
            call.method,
            text(&call.metadata),
            call.message,
            call.timeout
        ));
        Ok(())
    }

    fn grpc_action(&mut self, id: u32, action: GrpcAction) {
        self.0.note(format!("host: grpc {id}: {action:?}"));
    }

    fn queue_listener(&mut self, root: ContextId) -> QueueListener {
        let world = self.0.clone();
        Arc::new(move |queue| world.note(format!("host: queue {queue} is ready for {root}")))
    }

    fn property(&self, path: &[&[u8]]) -> Option<Vec<u8>> {
        let path = String::from_utf8_lossy(&path.join(&b'.')).into_owned();
        self.0.lock().properties.get(path.as_str()).cloned()
    }

    fn foreign_function(&mut self, name: &str, arguments: &[u8]) -> Option<Result<Vec<u8>, CallRefused>> {
        match name {
            "reverse" => Some(Ok(arguments.iter().rev().copied().collect())),
            "refuse" => Some(Err(CallRefused::new(Status::Unimplemented, "it is refused here"))),
            _ => None,
        }
    }

    fn faulted(&mut self, plugin: Option<&PluginContext>, fault: &Fault) {
        let who = plugin.map_or("(vm)", |plugin| plugin.name.as_str());
        self.0.note(format!("host: {who} faulted {fault}"));
    }
}

/// What a fake host knows of a stream.
pub(crate) struct FakeProperties;

impl StreamProperties for FakeProperties {
    fn property(&self, path: &[&[u8]]) -> Option<Vec<u8>> {
        (path == [&b"source"[..], b"address"]).then(|| b"192.0.2.1:5000".to_vec())
    }
}

/// Writes down each host call.
pub(crate) struct Trace(pub(crate) SharedWorld);

impl HostCallObserver for Trace {
    fn before(&mut self, _event: &HostCallEvent<'_>, _memory: &GuestMemory<'_>) {}

    fn after(&mut self, event: &HostCallEvent<'_>, memory: &GuestMemory<'_>) {
        if is_announcement(event, memory) {
            return;
        }
        let arguments: Vec<String> = event.arguments.iter().map(argument).collect();
        let result = match event.result {
            None => "ends the guest's call".to_owned(),
            Some([Value::I32(number)]) if event.name.starts_with("proxy_") => status(*number),
            Some(values) => format!("{values:?}"),
        };
        self.0
            .note(format!("{}({}) → {result}", event.name, arguments.join(", ")));
    }
}

fn is_announcement(event: &HostCallEvent<'_>, memory: &GuestMemory<'_>) -> bool {
    let [_, Value::I32(message), Value::I32(42)] = event.arguments else {
        return false;
    };
    event.name == "proxy_log"
        && memory
            .read(message.cast_unsigned(), 1)
            .is_ok_and(|first| first == [1])
}

fn argument(value: &Value) -> String {
    match value {
        Value::I32(number) if number.cast_unsigned() > 0xffff => format!("{number:#x}"),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn status(number: i32) -> String {
    let known = [
        Status::Ok,
        Status::NotFound,
        Status::BadArgument,
        Status::SerializationFailure,
        Status::ParseFailure,
        Status::InvalidMemoryAccess,
        Status::Empty,
        Status::CasMismatch,
        Status::InternalFailure,
        Status::Unimplemented,
    ];
    let status = known.iter().find(|status| **status as i32 == number);
    status.map_or_else(
        || format!("{number}, which is no status"),
        |status| format!("{number} {status:?}"),
    )
}

/// Headers on one line.
pub(crate) fn text(headers: &HeaderList) -> String {
    let line = |(name, value): (&crate::Name, &http::HeaderValue)| {
        format!("{name}: {}", value.as_bytes().escape_ascii())
    };
    headers.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// A guest announces each callback: the byte 1, a letter for the callback, and five numbers of eight letters each.
fn announcement(message: &str, version: ProxyWasmVersion) -> Option<String> {
    if message.len() != 42 {
        return None;
    }
    let (which, digits) = message.strip_prefix('\x01')?.as_bytes().split_first()?;
    let callback = *Callback::ALL.get(usize::from(which - b'A'))?;
    let number = |letters: &[u8]| {
        letters
            .iter()
            .fold(0_u32, |number, letter| number << 4 | u32::from(letter - b'a'))
    };
    let numbers: Vec<String> = digits
        .chunks(8)
        .take(callback.parameters(version))
        .map(|letters| number(letters).to_string())
        .collect();
    let name = callback.export().0.trim_start_matches("proxy_");
    Some(format!("{name}({})", numbers.join(", ")))
}
