//! What filters share across VMs and workers: data, queues and metrics, all of it for the whole process.

mod data;
mod metrics;
mod queues;

pub use data::{SharedData, SharedDataError};
pub use metrics::{GuestMetric, GuestMetrics, MetricError};
pub use queues::{QueueError, QueueListener, SharedQueues};

/// The shared state of a process: one value of this serves all VMs of all workers.
#[derive(Default)]
pub struct Shared {
    /// Values by key, with compare-and-swap.
    pub data: SharedData,
    /// Queues by name.
    pub queues: SharedQueues,
    /// The metrics that guests define.
    pub metrics: GuestMetrics,
}

impl Shared {
    /// Drops the data and the queues of a namespace, once no VM of it is left and none will come.
    pub fn forget(&self, namespace: &Namespace) {
        self.data.forget(namespace);
        self.queues.forget(namespace);
    }
}

/// Where a VM's shared data and queues live: plugins that name the same `vmId` share them; a plugin without one shares
/// with nobody but the VMs of its own key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Namespace {
    /// The `vmId` that the deployer gave.
    Named(String),
    /// The key of a VM without a `vmId`.
    Private(String),
}
