//! One VM of one worker: running, or being rebuilt.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use wharf_abi_proxy_wasm::{ContextId, SharedVm, StartError};

use super::Blueprint;

/// The first delay before a VM is rebuilt again. A VM that faults for the first time in a while is rebuilt at once.
pub(crate) const FIRST_DELAY: Duration = Duration::from_millis(10);
/// The longest delay: rebuilding costs milliseconds, so there is no need to leave requests without their filter longer.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_secs(1);
/// A VM that ran this long is taken for healthy: its next fault counts as the first.
pub(crate) const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// A VM that runs, with its plugins.
pub(crate) struct Running {
    pub(crate) vm: SharedVm,
    /// By the plugins' order in the blueprint.
    pub(crate) roots: Vec<ContextId>,
    memory_reported: Cell<usize>,
    since: Instant,
}

/// The place of one VM.
pub(crate) struct Slot {
    pub(crate) blueprint: Arc<Blueprint>,
    running: RefCell<Option<Rc<Running>>>,
    generation: Cell<u64>,
    failures: Cell<u32>,
    ready: Notify,
}

impl Slot {
    pub(crate) fn new(blueprint: Arc<Blueprint>) -> Self {
        blueprint.status.expect_one();
        Self {
            blueprint,
            running: RefCell::default(),
            generation: Cell::new(0),
            failures: Cell::new(0),
            ready: Notify::new(),
        }
    }

    /// The VM, where it runs and has not faulted.
    pub(crate) fn running(&self) -> Option<Rc<Running>> {
        self.running
            .borrow()
            .clone()
            .filter(|running| !running.vm.borrow().is_faulted())
    }

    /// Waits until the VM runs, at most this long.
    pub(crate) async fn wait(&self, limit: Duration) {
        let running = async {
            loop {
                let ready = self.ready.notified();
                if self.running().is_some() {
                    return;
                }
                ready.await;
            }
        };
        // Whoever waited looks again by itself.
        let _ = tokio::time::timeout(limit, running).await;
    }

    /// The number of the VM that is built next.
    pub(crate) fn next_generation(&self) -> u64 {
        self.generation.set(self.generation.get() + 1);
        self.generation.get()
    }

    /// The number of the VM that was built last.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// A VM has been built.
    pub(crate) fn put(&self, vm: SharedVm, roots: Vec<ContextId>) {
        let running = Rc::new(Running {
            vm,
            roots,
            memory_reported: Cell::new(0),
            since: Instant::now(),
        });
        self.blueprint.status.started();
        *self.running.borrow_mut() = Some(running);
        self.report_memory();
        self.ready.notify_waiters();
    }

    /// Takes the VM away, after a fault or at the end. Streams that still use it hold it until they are done.
    pub(crate) fn remove(&self) -> Option<Rc<Running>> {
        let running = self.running.borrow_mut().take()?;
        self.blueprint.status.stopped();
        self.report(running.memory_reported.replace(0), 0);
        if running.since.elapsed() >= HEALTHY_AFTER {
            self.failures.set(0);
        }
        Some(running)
    }

    /// How long to wait before building a VM after a fault, or after a VM that did not start.
    pub(crate) fn next_delay(&self) -> Duration {
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        match failures {
            0 => Duration::ZERO,
            _ => (FIRST_DELAY * 2_u32.saturating_pow(failures - 1)).min(LONGEST_DELAY),
        }
    }

    /// Notes in the metrics how much memory the guest has by now.
    pub(crate) fn report_memory(&self) {
        let Some(running) = self.running() else { return };
        let size = running.vm.borrow().memory_size();
        self.report(running.memory_reported.replace(size), size);
    }

    fn report(&self, before: usize, now: usize) {
        // A VM that several plugins share is counted for its first.
        let Some(metrics) = self.blueprint.metrics.get(&self.blueprint.plugins[0].name) else {
            return;
        };
        let change = i64::try_from(now).unwrap_or(i64::MAX) - i64::try_from(before).unwrap_or(i64::MAX);
        metrics.memory_bytes.inc_by(change);
    }
}

/// Why a VM was not rebuilt; the next try comes later.
pub(crate) fn log_failure(blueprint: &Blueprint, error: &StartError) {
    let plugins = blueprint.plugin_names();
    tracing::error!(?plugins, %error, "A plugin's VM could not be rebuilt; it is tried again, at most a second later.");
}
