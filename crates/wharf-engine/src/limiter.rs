//! The limits of one instance, as the engine asks for them while the guest grows.

use wasmtime::ResourceLimiter;
use wharf_plugin::{ByteSize, Limits};

use crate::fault::FaultKind;

/// How many tables a module may have. Compilers make one, and a second one for references.
pub(crate) const MOST_TABLES: u32 = 4;

/// Refuses growth past the plugin's limits and remembers that it did, so that the abort which usually follows in the
/// guest is reported as what it is: a limit, not a mere trap.
pub(crate) struct Limiter {
    memory: ByteSize,
    table_elements: u32,
    refused: Option<FaultKind>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: limits.memory,
            table_elements: limits.table_elements,
            refused: None,
        }
    }

    /// A new call begins: what was refused before has nothing to do with how it ends.
    pub(crate) fn forget_refusals(&mut self) {
        self.refused = None;
    }

    /// The last growth that was refused in this call, as the fault that it led to.
    pub(crate) fn take_refusal(&mut self) -> Option<FaultKind> {
        self.refused.take()
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let desired_bytes = desired as u64;
        if desired_bytes > self.memory.bytes() {
            let requested = ByteSize::from_bytes(desired_bytes);
            self.refused = Some(FaultKind::MemoryLimit {
                limit: self.memory,
                requested,
            });
            return Ok(false);
        }
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired as u64 > u64::from(self.table_elements) {
            self.refused = Some(FaultKind::TableLimit {
                limit: self.table_elements,
                requested: desired as u64,
            });
            return Ok(false);
        }
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        MOST_TABLES as usize
    }
}
