//! Whether somebody wants the scan to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends a scan from another thread, or from a signal handler. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// One that nobody has used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the scan soon: files that are being looked at are looked at to their end, and no others are begun.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the scan is to end.
    pub fn is_interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for signal handlers that set one.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
