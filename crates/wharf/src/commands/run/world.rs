//! The host of a filter that is run by hand: it has no network and no timers, and notes all that the filter does.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wharf_abi_proxy_wasm::shared::QueueListener;
use wharf_abi_proxy_wasm::{
    CallRefused, ContextId, Host, HttpCall, LogLevel, PluginContext, RefusedCall, Status,
};
use wharf_engine::Fault;

use super::plan::{Properties, Setup};
use crate::commands::senses::{Random, Time};

/// The most lines, refusals, or properties that are kept of one part, of a filter that makes them without end.
const MOST_NOTES: usize = 10_000;

/// The most bytes of its log that are kept of a run.
const MOST_LOGGED: usize = 16 << 20;

/// The most bytes that are kept of the bodies that leave the filter, those of call-outs among them.
const MOST_SENT: usize = 256 << 20;

/// What the filter did in one part of the run: the start, an exchange, the end.
#[derive(Default)]
pub(in crate::commands) struct Notes {
    pub(in crate::commands) log: Vec<(LogLevel, String)>,
    /// Host calls that were refused, each as the debug log of `serve` would say it.
    pub(in crate::commands) refused: Vec<String>,
    /// Properties that were asked for and are not known.
    pub(in crate::commands) unknown_properties: BTreeSet<String>,
    pub(in crate::commands) callouts: Vec<AnsweredCall>,
    pub(in crate::commands) faults: Vec<Fault>,
    /// What the driver has to say.
    pub(in crate::commands) remarks: Vec<String>,
}

/// A call-out, and how it was answered.
pub(in crate::commands) struct AnsweredCall {
    pub(in crate::commands) call: HttpCall,
    pub(in crate::commands) answered: Answered,
}

/// How a call-out was answered.
pub(in crate::commands) enum Answered {
    /// With this status.
    With(String),
    /// It failed, as was asked for.
    Failed,
    /// It failed, because there was no answer for it.
    ByNobody,
}

/// How often a callback ran, and for how long.
#[derive(Default, Clone, Copy)]
pub(in crate::commands) struct Timing {
    pub(super) calls: u64,
    pub(super) total: Duration,
    pub(super) longest: Duration,
}

/// What the host and the driver share.
pub(super) struct World {
    pub(super) notes: Notes,
    pub(super) timings: BTreeMap<&'static str, Timing>,
    /// Call-outs that wait for their answers.
    pub(super) pending: VecDeque<HttpCall>,
    /// The plugins that want ticks.
    pub(super) ticking: BTreeMap<ContextId, Duration>,
    /// News of queues: whom to tell, and of which.
    pub(super) news: Arc<Mutex<VecDeque<(ContextId, u32)>>>,
    logged: Kept,
    sent: Kept,
    properties: Properties,
    /// Those of the exchange that is under way.
    pub(super) exchange_properties: Properties,
    time: Time,
    random: Random,
}

pub(super) type SharedWorld = Rc<RefCell<World>>;

impl World {
    pub(super) fn new(setup: &Setup) -> Self {
        let mut properties = setup.properties.clone();
        properties
            .entry("request.protocol".to_owned())
            .or_insert_with(|| "HTTP/1.1".into());
        Self {
            notes: Notes::default(),
            timings: BTreeMap::new(),
            pending: VecDeque::new(),
            ticking: BTreeMap::new(),
            news: Arc::default(),
            logged: Kept::at_most(MOST_LOGGED),
            sent: Kept::at_most(MOST_SENT),
            properties,
            exchange_properties: Properties::new(),
            time: Time::new(setup.clock),
            random: Random::new(setup.random),
        }
    }

    pub(super) fn next_news(&self) -> Option<(ContextId, u32)> {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        news.pop_front()
    }

    /// Whether so many bytes more of what the filter sends are kept.
    pub(super) fn keeps(&mut self, bytes: usize) -> bool {
        self.sent.keeps(bytes, "sent", &mut self.notes.remarks)
    }

    /// Lets time pass, where it does not pass by itself.
    pub(super) fn pass(&mut self, duration: Duration) {
        self.time.pass(duration);
    }
}

/// How many bytes of something may still be kept.
struct Kept {
    most: usize,
    left: Option<usize>,
}

impl Kept {
    const fn at_most(most: usize) -> Self {
        Self {
            most,
            left: Some(most),
        }
    }

    /// Whether so many bytes more are kept. The first that are not leave a remark, and nothing is kept behind them, so that
    /// nothing is missing in between.
    fn keeps(&mut self, bytes: usize, what: &str, remarks: &mut Vec<String>) -> bool {
        let Some(left) = self.left else { return false };
        self.left = left.checked_sub(bytes);
        if self.left.is_none() {
            let most = self.most >> 20;
            remarks.push(format!(
                "the filter {what} more than {most} MiB, and the rest is left out here"
            ));
        }
        self.left.is_some()
    }
}

/// The filter's way to the [`World`].
pub(super) struct RunHost {
    pub(super) world: SharedWorld,
}

impl Host for RunHost {
    fn log(&mut self, _plugin: Option<&PluginContext>, level: LogLevel, message: &str) {
        let World { notes, logged, .. } = &mut *self.world.borrow_mut();
        if notes.log.len() < MOST_NOTES && logged.keeps(message.len(), "logged", &mut notes.remarks) {
            notes.log.push((level, message.to_owned()));
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
        self.world.borrow_mut().time.realtime()
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        self.world.borrow_mut().time.monotonic()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        let mut world = self.world.borrow_mut();
        if let Err(error) = world.random.fill(buffer) {
            let remark = format!("the system gave no random bytes ({error}): the filter got zeroes");
            world.notes.remarks.push(remark);
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
        let mut world = self.world.borrow_mut();
        if !world.keeps(call.body.len()) {
            let reason = "the filter has made more call-outs than are kept";
            return Err(CallRefused::new(Status::InternalFailure, reason));
        }
        world.pending.push_back(call);
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
        let known = world.exchange_properties.get(&name);
        if let Some(value) = known.or_else(|| world.properties.get(&name)) {
            return Some(value.to_vec());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let mut remarks = Vec::new();
        let mut kept = Kept::at_most(2 << 20);
        let mut keeps = |bytes| kept.keeps(bytes, "logged", &mut remarks);
        assert!(keeps(2 << 20) && keeps(0));
        assert!(!keeps(1) && !keeps(0) && !keeps(usize::MAX));
        assert_eq!(
            remarks,
            ["the filter logged more than 2 MiB, and the rest is left out here"]
        );
    }
}
