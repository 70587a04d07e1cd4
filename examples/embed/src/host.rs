//! What filters get of the world here: a log, the clocks, random bytes.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use wharf_abi_proxy_wasm::shared::QueueListener;
use wharf_abi_proxy_wasm::{CallRefused, ContextId, Host, HttpCall, LogLevel, PluginContext, Status};
use wharf_engine::Fault;

/// A host that prints what filters log, and has no upstreams, timers and properties for them.
pub(crate) struct PrintingHost {
    started: Instant,
}

impl PrintingHost {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Host for PrintingHost {
    fn log(&mut self, plugin: Option<&PluginContext>, level: LogLevel, message: &str) {
        let plugin = plugin.map_or("(vm)", |plugin| plugin.name.as_str());
        println!("{level:?} from {plugin}: {message}");
    }

    fn log_level(&self) -> LogLevel {
        LogLevel::Info
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        nanoseconds(now.unwrap_or_default())
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        nanoseconds(self.started.elapsed())
    }

    fn random(&mut self, buffer: &mut [u8]) {
        let filled = File::open("/dev/urandom").and_then(|mut source| source.read_exact(buffer));
        filled.expect("the system has random bytes");
    }

    fn set_tick_period(&mut self, _root: ContextId, _period: Option<Duration>) {
        // A program with an event loop calls `Vm::on_tick` from here on.
    }

    fn http_call(&mut self, call: HttpCall) -> Result<(), CallRefused> {
        let reason = format!("there is no upstream \"{}\"", call.upstream);
        Err(CallRefused::new(Status::BadArgument, reason))
    }

    fn queue_listener(&mut self, _root: ContextId) -> QueueListener {
        Arc::new(|_queue| {})
    }

    fn property(&self, _path: &[&[u8]]) -> Option<Vec<u8>> {
        None
    }

    fn faulted(&mut self, _plugin: Option<&PluginContext>, fault: &Fault) {
        println!("The filter faulted {fault}");
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
