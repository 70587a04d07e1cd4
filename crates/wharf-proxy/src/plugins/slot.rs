//! One VM of one worker: running, or being rebuilt.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
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

/// How often a VM that ends is looked at, while its plugins finish what they do.
const FINISHING_INTERVAL: Duration = Duration::from_millis(20);
/// How long the plugins of a VM that has been replaced have to finish what they do, before it is dropped: first the streams
/// that wait for `proxy_done`, then the plugins themselves. Nothing waits for them.
const FINISHING_PATIENCE: Duration = Duration::from_secs(10);

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
    /// Its number in this worker, never used a second time.
    pub(crate) id: u64,
    pub(crate) blueprint: Arc<Blueprint>,
    running: RefCell<Option<Rc<Running>>>,
    builds: Cell<u64>,
    failures: Cell<u32>,
    ready: Notify,
    users: Cell<usize>,
    unused: Notify,
}

/// A slot that is in use: by a generation, by a route, by an exchange on that route.
pub(crate) struct SlotUse(Rc<Slot>);

impl SlotUse {
    pub(crate) fn new(slot: &Rc<Slot>) -> Self {
        slot.users.set(slot.users.get() + 1);
        Self(Rc::clone(slot))
    }
}

impl Clone for SlotUse {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Deref for SlotUse {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        &self.0
    }
}

impl Drop for SlotUse {
    fn drop(&mut self) {
        self.0.users.set(self.0.users.get() - 1);
        if !self.0.is_used() {
            self.0.unused.notify_waiters();
        }
    }
}

impl fmt::Debug for SlotUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SlotUse").field(&self.0.id).finish()
    }
}

impl Slot {
    pub(crate) fn new(id: u64, blueprint: Arc<Blueprint>) -> Self {
        blueprint.status.expect_one();
        Self {
            id,
            blueprint,
            running: RefCell::default(),
            builds: Cell::new(0),
            failures: Cell::new(0),
            ready: Notify::new(),
            users: Cell::new(0),
            unused: Notify::new(),
        }
    }

    /// Whether anything uses it, or may come to use it.
    pub(crate) fn is_used(&self) -> bool {
        self.users.get() > 0
    }

    /// Waits until nothing uses it any more.
    pub(crate) async fn unused(&self) {
        loop {
            let unused = self.unused.notified();
            if !self.is_used() {
                return;
            }
            unused.await;
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
    pub(crate) fn next_build(&self) -> u64 {
        self.builds.set(self.builds.get() + 1);
        self.builds.get()
    }

    /// The number of the VM that was built last.
    pub(crate) fn last_build(&self) -> u64 {
        self.builds.get()
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

    /// Ends the plugins of a VM that nothing uses any more: done and delete. Those that want to finish something first have a
    /// little time for it, in which their timers and call-outs go on.
    pub(crate) async fn end(&self) {
        // A fault ends the VM as well.
        self.until(|running| running.vm.borrow().streams() == 0).await;
        self.until(|running| !running.vm.borrow_mut().shut_down().unwrap_or(false))
            .await;
        drop(self.remove());
    }

    /// Waits until the VM is done, or has faulted; at most [`FINISHING_PATIENCE`].
    async fn until(&self, is_done: impl Fn(&Running) -> bool) {
        let began = Instant::now();
        while let Some(running) = self.running()
            && !is_done(&running)
            && began.elapsed() < FINISHING_PATIENCE
        {
            drop(running);
            tokio::time::sleep(FINISHING_INTERVAL).await;
        }
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

impl Drop for Slot {
    fn drop(&mut self) {
        drop(self.remove());
        self.blueprint.status.expect_one_less();
    }
}

/// Why a VM was not rebuilt; the next try comes later.
pub(crate) fn log_failure(blueprint: &Blueprint, error: &StartError) {
    let plugins = blueprint.plugin_names();
    tracing::error!(?plugins, %error, "A plugin's VM could not be rebuilt; it is tried again, at most a second later.");
}
