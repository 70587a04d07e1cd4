//! How a plugin's VMs are, over all workers, for whoever asks from another thread.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Counts over all workers. Reading and writing them takes no lock but for the text of the last fault.
#[derive(Debug, Default)]
pub struct PluginStatus {
    expected: AtomicU32,
    running: AtomicU32,
    faults: AtomicU64,
    rebuilds: AtomicU64,
    last_fault: Mutex<Option<String>>,
}

impl PluginStatus {
    /// How many VMs there should be: one for each worker that has started. A plugin that is being replaced has the new VM and
    /// none of the old ones here: those have a status of their own.
    pub fn expected(&self) -> u32 {
        self.expected.load(Ordering::Relaxed)
    }

    /// How many VMs run.
    pub fn running(&self) -> u32 {
        self.running.load(Ordering::Relaxed)
    }

    /// How many faults there have been.
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    /// How many VMs were built after a fault.
    pub fn rebuilds(&self) -> u64 {
        self.rebuilds.load(Ordering::Relaxed)
    }

    /// The last fault, in one line.
    pub fn last_fault(&self) -> Option<String> {
        self.last_fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether at least one VM runs.
    pub fn is_healthy(&self) -> bool {
        self.running() > 0
    }

    pub(crate) fn expect_one(&self) {
        self.expected.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn expect_one_less(&self) {
        self.expected.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn started(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stopped(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn rebuilt(&self) {
        self.rebuilds.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn faulted(&self, fault: String) {
        self.faults.fetch_add(1, Ordering::Relaxed);
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}
