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

/// Where a VM's shared data and queues live: plugins that name the same `vmId` share them; a plugin without one shares
/// with nobody but the VMs of its own key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Namespace {
    /// The `vmId` that the deployer gave.
    Named(String),
    /// The key of a VM without a `vmId`.
    Private(String),
}
