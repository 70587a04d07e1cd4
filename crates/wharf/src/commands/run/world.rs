//! The host of a filter that is run by hand: it has no network and no timers, and notes all that the filter does.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use wharf_abi_proxy_wasm::shared::QueueListener;
use wharf_abi_proxy_wasm::{CallRefused, ContextId, Host, HttpCall, LogLevel, PluginContext, RefusedCall};
use wharf_engine::Fault;

/// The most lines, refusals, or properties that are kept of one part, of a filter that makes them without end.
const MOST_NOTES: usize = 10_000;

/// What the filter did in one part of the run: the start, an exchange, the end.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) log: Vec<(LogLevel, String)>,
    /// Host calls that were refused, each as the debug log of `serve` would say it.
    pub(super) refused: Vec<String>,
    /// Properties that were asked for and are not known.
    pub(super) unknown_properties: BTreeSet<String>,
    pub(super) callouts: Vec<AnsweredCall>,
    pub(super) faults: Vec<Fault>,
    /// What the driver has to say.
    pub(super) remarks: Vec<String>,
}

/// A call-out, and the status that it was answered with; `None`: nobody answered.
pub(super) struct AnsweredCall {
    pub(super) call: HttpCall,
    pub(super) status: Option<String>,
}

/// How often a callback ran, and for how long.
#[derive(Default, Clone, Copy)]
pub(super) struct Timing {
    pub(super) calls: u64,
    pub(super) total: Duration,
    pub(super) longest: Duration,
}

/// What the host and the driver share.
#[derive(Default)]
pub(super) struct World {
    pub(super) notes: Notes,
    pub(super) timings: BTreeMap<&'static str, Timing>,
    /// Call-outs that wait for their answers.
    pub(super) pending: VecDeque<HttpCall>,
    /// The plugins that want ticks.
    pub(super) ticking: BTreeMap<ContextId, Duration>,
    /// News of queues: whom to tell, and of which.
    pub(super) news: Arc<Mutex<VecDeque<(ContextId, u32)>>>,
    pub(super) properties: BTreeMap<String, String>,
}

pub(super) type SharedWorld = Rc<RefCell<World>>;

impl World {
    pub(super) fn next_news(&self) -> Option<(ContextId, u32)> {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        news.pop_front()
    }
}

/// The filter's way to the [`World`].
pub(super) struct RunHost {
    pub(super) world: SharedWorld,
    pub(super) started: Instant,
}

impl Host for RunHost {
    fn log(&mut self, _plugin: Option<&PluginContext>, level: LogLevel, message: &str) {
        let log = &mut self.world.borrow_mut().notes.log;
        if log.len() < MOST_NOTES {
            log.push((level, message.to_owned()));
        }
    }

    fn refused(&mut self, _plugin: Option<&PluginContext>, refusal: &RefusedCall<'_>) {
        let refused = &mut self.world.borrow_mut().notes.refused;
        if refused.len() < MOST_NOTES {
            refused.push(refusal.to_string());
        }
    }

    /// Whoever runs a filter by hand wants to see everything.
    fn log_level(&self) -> LogLevel {
        LogLevel::Trace
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        nanoseconds(now.unwrap_or_default())
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        nanoseconds(self.started.elapsed())
    }

    fn random(&mut self, buffer: &mut [u8]) {
        let mut filled = 0;
        while filled < buffer.len() {
            let flags = rustix::rand::GetRandomFlags::empty();
            match rustix::rand::getrandom(&mut buffer[filled..], flags) {
                Ok(count) => filled += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    let remark = format!("the system gave no random bytes ({error}): the filter got zeroes");
                    self.world.borrow_mut().notes.remarks.push(remark);
                    return;
                }
            }
        }
    }

    fn set_tick_period(&mut self, root: ContextId, period: Option<Duration>) {
        let ticking = &mut self.world.borrow_mut().ticking;
        match period {
            Some(period) => ticking.insert(root, period),
            None => ticking.remove(&root),
        };
    }

    fn http_call(&mut self, call: HttpCall) -> Result<(), CallRefused> {
        self.world.borrow_mut().pending.push_back(call);
        Ok(())
    }

    fn queue_listener(&mut self, root: ContextId) -> QueueListener {
        let news = Arc::clone(&self.world.borrow().news);
        Arc::new(move |queue| {
            let mut news = news.lock().unwrap_or_else(PoisonError::into_inner);
            news.push_back((root, queue));
        })
    }

    fn property(&self, path: &[&[u8]]) -> Option<Vec<u8>> {
        let parts: Vec<_> = path.iter().map(|part| String::from_utf8_lossy(part)).collect();
        let name = parts.join(".");
        let mut world = self.world.borrow_mut();
        if let Some(value) = world.properties.get(&name) {
            return Some(value.clone().into_bytes());
        }
        let unknown = &mut world.notes.unknown_properties;
        if unknown.len() < MOST_NOTES {
            unknown.insert(name);
        }
        None
    }

    fn called(&mut self, _plugin: Option<&PluginContext>, callback: &'static str, elapsed: Duration) {
        let mut world = self.world.borrow_mut();
        let timing = world.timings.entry(callback).or_default();
        timing.calls += 1;
        timing.total += elapsed;
        timing.longest = timing.longest.max(elapsed);
    }

    fn faulted(&mut self, _plugin: Option<&PluginContext>, fault: &Fault) {
        self.world.borrow_mut().notes.faults.push(fault.clone());
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
