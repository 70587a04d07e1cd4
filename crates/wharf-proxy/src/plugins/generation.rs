//! A set of plugins as one worker runs it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use wharf_abi_proxy_wasm::{Filter, StartError, UnavailableFilter};
use wharf_plugin::{OnFault, PluginName};

use super::slot::SlotUse;
use super::{Blueprint, PluginSet, WorkerVms};
use crate::context::Worker;

/// How long a request waits for a VM that is being rebuilt, before it is refused.
const PATIENCE: Duration = Duration::from_millis(250);

/// A set of plugins with this worker's VMs of it. The default has none.
#[derive(Default)]
pub(crate) struct Generation {
    set: Arc<PluginSet>,
    /// By the order of the set's blueprints.
    slots: Vec<SlotUse>,
}

/// A filter of a route: which VM of this worker, and which of its root contexts. It keeps the VM from ending.
#[derive(Clone, Debug)]
pub(crate) struct RouteFilter {
    slot: SlotUse,
    root: usize,
    on_fault: OnFault,
}

impl Generation {
    /// Builds the VMs of a set beside those that run; a VM that the worker's generation has too is taken from there. Between
    /// two VMs other tasks of the worker have a turn.
    ///
    /// # Errors
    /// The plugins of the first VM that does not start: the same plugins have started in the canary VM before. The VMs that
    /// did start end.
    pub(crate) async fn build(
        set: Arc<PluginSet>,
        worker: &Rc<Worker>,
    ) -> Result<Self, (Arc<Blueprint>, StartError)> {
        let mut slots = Vec::with_capacity(set.blueprints().len());
        for blueprint in set.blueprints() {
            let running = worker.vms.generation().slot_of(blueprint);
            let slot = match running {
                Some(slot) => slot,
                None => {
                    let slot = WorkerVms::build(Arc::clone(blueprint), worker)
                        .map_err(|error| (Arc::clone(blueprint), error))?;
                    tokio::task::yield_now().await;
                    slot
                }
            };
            slots.push(slot);
        }
        Ok(Self { set, slots })
    }

    fn slot_of(&self, blueprint: &Arc<Blueprint>) -> Option<SlotUse> {
        self.slots
            .iter()
            .find(|slot| Arc::ptr_eq(&slot.blueprint, blueprint))
            .cloned()
    }

    /// A plugin with one configuration, for a route.
    pub(crate) fn filter(&self, plugin: &PluginName, config: &[u8]) -> Option<RouteFilter> {
        let definition = self.set.find(plugin, config)?;
        Some(RouteFilter {
            slot: self.slots[definition.vm].clone(),
            root: definition.root,
            on_fault: definition.on_fault,
        })
    }
}

/// The filters of a route, as they are now. A filter that must not be missing and is being rebuilt is waited for, a little.
pub(crate) async fn filters(route: &[RouteFilter]) -> Vec<Result<Filter, UnavailableFilter>> {
    for filter in route {
        if filter.on_fault == OnFault::Closed && filter.slot.running().is_none() {
            filter.slot.wait(PATIENCE).await;
        }
    }
    route.iter().map(RouteFilter::now).collect()
}

impl RouteFilter {
    fn now(&self) -> Result<Filter, UnavailableFilter> {
        let on_fault = self.on_fault;
        let running = self.slot.running().ok_or(UnavailableFilter { on_fault })?;
        Ok(Filter {
            vm: Rc::clone(&running.vm),
            root: running.roots[self.root],
            on_fault,
        })
    }
}
