//! What one VM of one worker reaches.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval_at};
use wharf_abi_proxy_wasm::shared::QueueListener;
use wharf_abi_proxy_wasm::{CallRefused, ContextId, Host, HttpCall, LogLevel, PluginContext, Status, Vm};
use wharf_engine::Fault;
use wharf_telemetry::{Counter, PluginMetrics};

use super::canary::nanoseconds;
use super::{Blueprint, callouts};
use crate::context::Worker;
use crate::record::Record;

/// The shortest tick period that is kept: a plugin that asks for less gets this.
const SHORTEST_TICK: Duration = Duration::from_millis(1);

/// What the task that passes news to VMs is told.
#[derive(Debug)]
pub(crate) enum News {
    /// Something was put on a queue.
    Queue(QueueNews),
    /// Answered when all news before it has been passed.
    Passed(oneshot::Sender<()>),
}

/// News for a VM, from another worker or from its own.
#[derive(Debug)]
pub(crate) struct QueueNews {
    /// Which slot of this worker.
    pub(crate) slot: u64,
    /// Which of its VMs: news for one that is gone is dropped.
    pub(crate) build: u64,
    pub(crate) root: ContextId,
    pub(crate) queue: u32,
}

/// What the VMs of a worker note for the exchange that is being worked on.
#[derive(Default)]
pub(crate) struct Notes {
    guest_time: Cell<Duration>,
    faults: Cell<u32>,
    current: RefCell<Option<Rc<Record>>>,
}

impl Notes {
    /// From now on this exchange is worked on; what was noted for another one is thrown away.
    pub(crate) fn begin(&self, record: &Rc<Record>) {
        self.guest_time.take();
        self.faults.take();
        *self.current.borrow_mut() = Some(Rc::clone(record));
    }

    /// The exchange is left again, for now. Gives what was noted for it.
    pub(crate) fn end(&self) -> (Duration, u32) {
        self.current.borrow_mut().take();
        (self.guest_time.take(), self.faults.take())
    }

    /// The id of the request that is worked on; none where a timer, a queue or a call-out's answer woke the guest.
    fn request_id(&self) -> Option<String> {
        let current = self.current.borrow();
        current
            .as_ref()
            .and_then(|record| record.request_id().to_str().ok().map(str::to_owned))
    }
}

/// The VM's own handle, set once it exists.
pub(crate) type OwnVm = Rc<RefCell<Weak<RefCell<Vm>>>>;

pub(crate) struct VmHost {
    pub(crate) worker: Weak<Worker>,
    pub(crate) blueprint: Arc<Blueprint>,
    /// Which slot of this worker, and which of its VMs.
    pub(crate) slot: u64,
    pub(crate) build: u64,
    pub(crate) vm: OwnVm,
    pub(crate) notes: Rc<Notes>,
    pub(crate) news: mpsc::UnboundedSender<News>,
    /// Told when the VM has faulted.
    pub(crate) faults: mpsc::UnboundedSender<(u64, u64)>,
    pub(crate) started: Instant,
    pub(crate) timers: BTreeMap<ContextId, JoinHandle<()>>,
    /// By the addresses of the plugin's name and the callback's.
    pub(crate) counters: FxHashMap<(usize, usize), (Counter, Arc<PluginMetrics>)>,
}

impl Host for VmHost {
    fn log(&mut self, plugin: Option<&PluginContext>, level: LogLevel, message: &str) {
        let name = plugin.map_or("", |plugin| plugin.name.as_str());
        if let Some(metrics) = plugin.and_then(|plugin| self.blueprint.metrics.get(&plugin.name)) {
            metrics.logged(level as usize);
        }
        let request_id = self.notes.request_id();
        match level {
            LogLevel::Trace => {
                tracing::trace!(target: "wharf::plugin", plugin = name, request_id, "{message}")
            }
            LogLevel::Debug => {
                tracing::debug!(target: "wharf::plugin", plugin = name, request_id, "{message}")
            }
            LogLevel::Info => tracing::info!(target: "wharf::plugin", plugin = name, request_id, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "wharf::plugin", plugin = name, request_id, "{message}"),
            LogLevel::Error => {
                tracing::error!(target: "wharf::plugin", plugin = name, request_id, "{message}")
            }
            LogLevel::Critical => {
                tracing::error!(target: "wharf::plugin", plugin = name, request_id, critical = true, "{message}");
            }
        }
    }

    fn log_level(&self) -> LogLevel {
        if tracing::enabled!(target: "wharf::plugin", tracing::Level::TRACE) {
            LogLevel::Trace
        } else if tracing::enabled!(target: "wharf::plugin", tracing::Level::DEBUG) {
            LogLevel::Debug
        } else if tracing::enabled!(target: "wharf::plugin", tracing::Level::INFO) {
            LogLevel::Info
        } else if tracing::enabled!(target: "wharf::plugin", tracing::Level::WARN) {
            LogLevel::Warn
        } else {
            LogLevel::Error
        }
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        nanoseconds(
            SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default(),
        )
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        nanoseconds(self.started.elapsed())
    }

    fn random(&mut self, buffer: &mut [u8]) {
        fill_random(buffer);
    }

    fn set_tick_period(&mut self, root: ContextId, period: Option<Duration>) {
        if let Some(timer) = self.timers.remove(&root) {
            timer.abort();
        }
        if let Some(period) = period {
            let timer = tick(Rc::clone(&self.vm), root, period.max(SHORTEST_TICK));
            self.timers.insert(root, tokio::task::spawn_local(timer));
        }
    }

    fn http_call(&mut self, call: HttpCall) -> Result<(), CallRefused> {
        let allowed = self
            .blueprint
            .specs
            .get(&call.plugin)
            .is_some_and(|spec| spec.allowed_upstreams.contains(&call.upstream));
        let Some(worker) = self.worker.upgrade() else {
            return Err(CallRefused::new(
                Status::InternalFailure,
                "the worker is stopping",
            ));
        };
        let upstream = worker.upstreams.get(&call.upstream).cloned();
        let reason = match (&upstream, allowed) {
            (Some(_), true) => None,
            (None, _) => Some("is not defined under proxy.upstreams"),
            (Some(_), false) => Some("is not in the plugin's allow.upstreams"),
        };
        if let Some(reason) = reason {
            let reason = format!("the upstream \"{}\" {reason}", call.upstream);
            tracing::warn!(plugin = %call.plugin, %reason, "A plugin's call-out was refused.");
            return Err(CallRefused::new(Status::BadArgument, reason));
        }
        if let Some(upstream) = upstream {
            tokio::task::spawn_local(callouts::run(upstream, call, Rc::clone(&self.vm)));
        }
        Ok(())
    }

    fn queue_listener(&mut self, root: ContextId) -> QueueListener {
        let (news, slot, build) = (self.news.clone(), self.slot, self.build);
        Arc::new(move |queue| {
            // A worker that has stopped hears nothing more.
            let _ = news.send(News::Queue(QueueNews {
                slot,
                build,
                root,
                queue,
            }));
        })
    }

    fn property(&self, path: &[&[u8]]) -> Option<Vec<u8>> {
        match path {
            [b"node", b"id"] | [b"xds", b"node", b"id"] => Some(b"wharf".into()),
            _ => None,
        }
    }

    fn called(&mut self, plugin: Option<&PluginContext>, callback: &'static str, elapsed: Duration) {
        self.notes.guest_time.set(self.notes.guest_time.get() + elapsed);
        // Before a plugin is in the VM, its first one is charged.
        let name = plugin
            .map(|plugin| &plugin.name)
            .or_else(|| self.blueprint.metrics.keys().next());
        let Some(name) = name else { return };
        // Both texts live as long as the VM, so their addresses stand for them.
        let key = (name.as_str().as_ptr() as usize, callback.as_ptr() as usize);
        let metrics = &self.blueprint.metrics;
        let (calls, plugin) = self.counters.entry(key).or_insert_with(|| {
            let plugin = metrics.get(name).expect("the plugin is of this VM");
            (plugin.calls(callback), Arc::clone(plugin))
        });
        calls.inc();
        plugin.called(elapsed);
    }

    fn faulted(&mut self, plugin: Option<&PluginContext>, fault: &Fault) {
        self.notes.faults.set(self.notes.faults.get() + 1);
        let name = plugin.map_or_else(String::new, |plugin| plugin.name.to_string());
        if let Some(metrics) = plugin.and_then(|plugin| self.blueprint.metrics.get(&plugin.name)) {
            metrics.faulted(fault.kind().label());
        }
        let backtrace: Vec<String> = fault.backtrace().iter().map(ToString::to_string).collect();
        tracing::error!(
            plugin = name,
            request_id = self.notes.request_id(),
            kind = fault.kind().label(),
            callback = fault.callback(),
            backtrace = ?backtrace,
            "A plugin faulted {fault}; its VM is rebuilt."
        );
        self.blueprint.status.faulted(fault.to_string());
        let _ = self.faults.send((self.slot, self.build));
    }
}

impl Drop for VmHost {
    fn drop(&mut self) {
        self.timers.values().for_each(JoinHandle::abort);
    }
}

/// Calls a plugin's tick again and again, until the VM is gone or has faulted.
async fn tick(vm: OwnVm, root: ContextId, period: Duration) {
    let mut interval = interval_at(tokio::time::Instant::now() + period, period);
    // A worker that was busy does not make up for ticks that it missed.
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let Some(vm) = vm.borrow().upgrade() else { return };
        let mut vm = vm.borrow_mut();
        if vm.is_faulted() || vm.on_tick(root).is_err() {
            return;
        }
    }
}

/// Fills a buffer with the system's random bytes.
pub(super) fn fill_random(buffer: &mut [u8]) {
    let mut filled = 0;
    while filled < buffer.len() {
        match rustix::rand::getrandom(&mut buffer[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                tracing::error!(%error, "The system gave no random bytes; a plugin gets zeroes.");
                return;
            }
        }
    }
}
