//! All VMs of one worker.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::spawn_local;
use wharf_abi_proxy_wasm::{Filter, StartError, UnavailableFilter, Vm};
use wharf_plugin::OnFault;

use super::host::{Notes, OwnVm, QueueNews, VmHost};
use super::slot::{self, Slot};
use super::{Blueprint, PluginSet};
use crate::context::Worker;

/// How long a request waits for a VM that is being rebuilt, before it is refused.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long plugins have at the end to finish what they do, before they are dropped.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
/// How many pieces of queue news are given to VMs before other tasks of the worker have a turn.
const NEWS_AT_ONCE: usize = 64;

/// The VMs of a worker, and what it takes to build them again.
pub(crate) struct WorkerVms {
    set: Arc<PluginSet>,
    slots: Vec<Rc<Slot>>,
    notes: Rc<Notes>,
    news: mpsc::UnboundedSender<QueueNews>,
    faults: mpsc::UnboundedSender<(usize, u64)>,
    receivers: RefCell<Option<Receivers>>,
}

struct Receivers {
    news: mpsc::UnboundedReceiver<QueueNews>,
    faults: mpsc::UnboundedReceiver<(usize, u64)>,
}

impl WorkerVms {
    /// Places for the VMs of all plugins; none runs yet.
    pub(crate) fn new(set: Arc<PluginSet>) -> Self {
        let slots = set
            .blueprints()
            .iter()
            .map(|blueprint| Rc::new(Slot::new(Arc::clone(blueprint))));
        let (news, news_receiver) = mpsc::unbounded_channel();
        let (faults, faults_receiver) = mpsc::unbounded_channel();
        Self {
            slots: slots.collect(),
            set,
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

    /// The set that the VMs are built from.
    pub(crate) fn set(&self) -> &PluginSet {
        &self.set
    }

    /// Builds all VMs, and starts the tasks that look after them. Call it once, on the worker's runtime.
    ///
    /// # Errors
    /// The plugins of the first VM that does not start: the same plugins have started in the canary VM before.
    pub(crate) fn start(worker: &Rc<Worker>) -> Result<(), (Arc<Blueprint>, StartError)> {
        let vms = &worker.vms;
        for index in 0..vms.slots.len() {
            vms.build(index, worker)
                .map_err(|error| (Arc::clone(&vms.slots[index].blueprint), error))?;
        }
        if let Some(receivers) = vms.receivers.borrow_mut().take() {
            spawn_local(rebuild(Rc::downgrade(worker), receivers.faults));
            spawn_local(pass_news(Rc::downgrade(worker), receivers.news));
        }
        Ok(())
    }

    fn build(&self, index: usize, worker: &Rc<Worker>) -> Result<(), StartError> {
        let slot = &self.slots[index];
        let blueprint = &slot.blueprint;
        let own: OwnVm = Rc::new(RefCell::new(Weak::new()));
        let host = VmHost {
            worker: Rc::downgrade(worker),
            blueprint: Arc::clone(blueprint),
            slot: index,
            generation: slot.next_generation(),
            vm: Rc::clone(&own),
            notes: Rc::clone(&self.notes),
            news: self.news.clone(),
            faults: self.faults.clone(),
            started: Instant::now(),
            timers: Default::default(),
            counters: Default::default(),
        };
        let shared = Arc::clone(self.set.shared());
        let mut vm = Vm::new(
            &blueprint.program,
            blueprint.settings.clone(),
            Box::new(host),
            shared,
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

    /// The filters of a route. A filter that must not be missing and is being rebuilt is waited for, a little.
    pub(crate) async fn filters(&self, places: &[usize]) -> Vec<Result<Filter, UnavailableFilter>> {
        for place in places {
            let definition = &self.set.filters()[*place];
            let slot = &self.slots[definition.vm];
            if definition.on_fault == OnFault::Closed && slot.running().is_none() {
                slot.wait(PATIENCE).await;
            }
        }
        places.iter().map(|place| self.filter(*place)).collect()
    }

    fn filter(&self, place: usize) -> Result<Filter, UnavailableFilter> {
        let definition = &self.set.filters()[place];
        let on_fault = definition.on_fault;
        let running = self.slots[definition.vm]
            .running()
            .ok_or(UnavailableFilter { on_fault })?;
        Ok(Filter {
            vm: Rc::clone(&running.vm),
            root: running.roots[definition.root],
            on_fault,
        })
    }

    /// Notes in the metrics how much memory the guests have. A worker calls this about once a second.
    pub(crate) fn report_memory(&self) {
        self.slots.iter().for_each(|slot| slot.report_memory());
    }

    /// Ends all plugins: done and delete, with a little time for those that want to finish something first.
    pub(crate) async fn shut_down(&self) {
        let mut waiting = false;
        for slot in &self.slots {
            if let Some(running) = slot.running() {
                waiting |= running.vm.borrow_mut().shut_down().unwrap_or(false);
            }
        }
        if waiting {
            tokio::time::sleep(LAST_PATIENCE).await;
        }
        self.slots.iter().for_each(|slot| drop(slot.remove()));
    }
}

/// Rebuilds each VM that faults, beside the traffic: at once the first time, then with growing delays.
async fn rebuild(worker: Weak<Worker>, mut faults: mpsc::UnboundedReceiver<(usize, u64)>) {
    while let Some((index, generation)) = faults.recv().await {
        let Some(running) = worker.upgrade() else { return };
        let slot = Rc::clone(&running.vms.slots[index]);
        // A VM that faults while it is built has never run: whoever builds it tries again.
        if slot.generation() != generation || slot.remove().is_none() {
            continue;
        }
        spawn_local(rebuild_slot(worker.clone(), slot, index));
    }
}

async fn rebuild_slot(worker: Weak<Worker>, slot: Rc<Slot>, index: usize) {
    loop {
        let delay = slot.next_delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let Some(worker) = worker.upgrade() else { return };
        match worker.vms.build(index, &worker) {
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
async fn pass_news(worker: Weak<Worker>, mut news: mpsc::UnboundedReceiver<QueueNews>) {
    let mut passed = 0_usize;
    while let Some(QueueNews {
        slot,
        generation,
        root,
        queue,
    }) = news.recv().await
    {
        let Some(worker) = worker.upgrade() else { return };
        let slot = &worker.vms.slots[slot];
        if slot.generation() == generation
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
