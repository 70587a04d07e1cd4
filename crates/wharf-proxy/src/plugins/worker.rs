//! All VMs of one worker.

use std::cell::{Cell, Ref, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use wharf_abi_proxy_wasm::{StartError, Vm};

use super::host::{News, Notes, OwnVm, QueueNews, VmHost};
use super::slot::{self, Slot, SlotUse};
use super::{Blueprint, Generation};
use crate::context::Worker;

/// How long plugins have at the end to finish what they do, before they are dropped.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
/// How many pieces of queue news are given to VMs before other tasks of the worker have a turn.
const NEWS_AT_ONCE: usize = 64;

/// The VMs of a worker, and what it takes to build them again.
pub(crate) struct WorkerVms {
    /// What new exchanges use.
    generation: RefCell<Generation>,
    /// All slots that have not ended, also those of generations before.
    slots: RefCell<BTreeMap<u64, Rc<Slot>>>,
    last_slot: Cell<u64>,
    notes: Rc<Notes>,
    news: mpsc::UnboundedSender<News>,
    faults: mpsc::UnboundedSender<(u64, u64)>,
    receivers: RefCell<Option<Receivers>>,
}

struct Receivers {
    news: mpsc::UnboundedReceiver<News>,
    faults: mpsc::UnboundedReceiver<(u64, u64)>,
}

impl WorkerVms {
    /// No VM runs yet.
    pub(crate) fn new() -> Self {
        let (news, news_receiver) = mpsc::unbounded_channel();
        let (faults, faults_receiver) = mpsc::unbounded_channel();
        Self {
            generation: RefCell::default(),
            slots: RefCell::default(),
            last_slot: Cell::new(0),
            notes: Rc::default(),
            news,
            faults,
            receivers: RefCell::new(Some(Receivers {
                news: news_receiver,
                faults: faults_receiver,
            })),
        }
    }

    /// What the VMs note for the exchange that is being worked on.
    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The VMs that new exchanges use.
    pub(crate) fn generation(&self) -> Ref<'_, Generation> {
        self.generation.borrow()
    }

    /// New exchanges use these VMs from now on. Those of the generation before that nothing else uses end.
    pub(crate) fn install(&self, generation: Generation) {
        drop(self.generation.replace(generation));
    }

    /// Starts the tasks that look after VMs. Call it once, on the worker's runtime.
    pub(crate) fn start(worker: &Rc<Worker>) {
        if let Some(receivers) = worker.vms.receivers.borrow_mut().take() {
            spawn_local(rebuild(Rc::downgrade(worker), receivers.faults));
            spawn_local(pass_news(Rc::downgrade(worker), receivers.news));
        }
    }

    /// Builds a VM in a slot of its own, which ends when nothing uses it any more.
    pub(crate) fn build(blueprint: Arc<Blueprint>, worker: &Rc<Worker>) -> Result<SlotUse, StartError> {
        let vms = &worker.vms;
        vms.last_slot.set(vms.last_slot.get() + 1);
        let slot = Rc::new(Slot::new(vms.last_slot.get(), blueprint));
        vms.build_in(&slot, worker)?;
        vms.slots.borrow_mut().insert(slot.id, Rc::clone(&slot));
        let used = SlotUse::new(&slot);
        spawn_local(end_when_unused(Rc::downgrade(worker), slot));
        Ok(used)
    }

    fn build_in(&self, slot: &Slot, worker: &Rc<Worker>) -> Result<(), StartError> {
        let blueprint = &slot.blueprint;
        let own: OwnVm = Rc::new(RefCell::new(Weak::new()));
        let host = VmHost {
            worker: Rc::downgrade(worker),
            blueprint: Arc::clone(blueprint),
            slot: slot.id,
            build: slot.next_build(),
            vm: Rc::clone(&own),
            notes: Rc::clone(&self.notes),
            news: self.news.clone(),
            faults: self.faults.clone(),
            started: Instant::now(),
            timers: Default::default(),
            counters: Default::default(),
        };
        let mut vm = Vm::new(
            &blueprint.program,
            blueprint.settings.clone(),
            Box::new(host),
            Arc::clone(blueprint.shared()),
        )?;
        let mut roots = Vec::with_capacity(blueprint.plugins.len());
        for plugin in &blueprint.plugins {
            roots.push(vm.add_plugin(plugin.clone())?);
        }
        let vm = Rc::new(RefCell::new(vm));
        *own.borrow_mut() = Rc::downgrade(&vm);
        slot.put(vm, roots);
        Ok(())
    }

    fn slot(&self, id: u64) -> Option<Rc<Slot>> {
        self.slots.borrow().get(&id).cloned()
    }

    fn all_slots(&self) -> Vec<Rc<Slot>> {
        self.slots.borrow().values().cloned().collect()
    }

    /// Notes in the metrics how much memory the guests have. A worker calls this about once a second.
    pub(crate) fn report_memory(&self) {
        self.slots.borrow().values().for_each(|slot| slot.report_memory());
    }

    /// Ends all plugins: done and delete, with a little time for those that want to finish something first.
    pub(crate) async fn shut_down(&self) {
        let slots = self.all_slots();
        let mut waiting = false;
        for slot in &slots {
            if let Some(running) = slot.running() {
                waiting |= running.vm.borrow_mut().shut_down().unwrap_or(false);
            }
        }
        if waiting {
            tokio::time::sleep(LAST_PATIENCE).await;
        }
        slots.iter().for_each(|slot| drop(slot.remove()));
    }
}

/// Ends a VM when no generation and no exchange uses it any more, and forgets its slot.
async fn end_when_unused(worker: Weak<Worker>, slot: Rc<Slot>) {
    slot.unused().await;
    // What was put on a queue for this VM is given to it first: another VM hears only of what comes later.
    let (passed, all_passed) = oneshot::channel();
    if let Some(worker) = worker.upgrade() {
        let _ = worker.vms.news.send(News::Passed(passed));
    }
    let _ = all_passed.await;
    slot.end().await;
    if let Some(worker) = worker.upgrade() {
        worker.vms.slots.borrow_mut().remove(&slot.id);
    }
}

/// Rebuilds each VM that faults, beside the traffic: at once the first time, then with growing delays.
async fn rebuild(worker: Weak<Worker>, mut faults: mpsc::UnboundedReceiver<(u64, u64)>) {
    while let Some((slot, build)) = faults.recv().await {
        let Some(running) = worker.upgrade() else { return };
        // A VM that faults while it is built has never run: whoever builds it tries again.
        let Some(slot) = running.vms.slot(slot) else {
            continue;
        };
        if slot.last_build() != build || slot.remove().is_none() {
            continue;
        }
        spawn_local(rebuild_slot(worker.clone(), slot));
    }
}

async fn rebuild_slot(worker: Weak<Worker>, slot: Rc<Slot>) {
    loop {
        let delay = slot.next_delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let Some(worker) = worker.upgrade() else { return };
        if !slot.is_used() {
            return;
        }
        match worker.vms.build_in(&slot, &worker) {
            Ok(()) => {
                slot.blueprint.status.rebuilt();
                slot.blueprint.metrics.values().for_each(|metrics| {
                    metrics.vm_rebuilds.inc();
                });
                let plugins = slot.blueprint.plugin_names();
                tracing::info!(?plugins, "A plugin's VM was rebuilt.");
                return;
            }
            Err(error) => slot::log_failure(&slot.blueprint, &error),
        }
    }
}

/// Tells VMs what was put on their queues.
async fn pass_news(worker: Weak<Worker>, mut news: mpsc::UnboundedReceiver<News>) {
    let mut passed = 0_usize;
    while let Some(next) = news.recv().await {
        let QueueNews {
            slot,
            build,
            root,
            queue,
        } = match next {
            News::Queue(news) => news,
            News::Passed(waiting) => {
                // Who waits for it may have ended with the worker.
                let _ = waiting.send(());
                continue;
            }
        };
        let Some(worker) = worker.upgrade() else { return };
        if let Some(slot) = worker.vms.slot(slot)
            && slot.last_build() == build
            && let Some(running) = slot.running()
        {
            // A fault has been told to the host, which rebuilds the VM.
            let _ = running.vm.borrow_mut().on_queue_ready(root, queue);
        }
        passed += 1;
        if passed.is_multiple_of(NEWS_AT_ONCE) {
            tokio::task::yield_now().await;
        }
    }
}
