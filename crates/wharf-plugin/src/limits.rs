//! What a plugin may cost, and what happens when it fails.

use std::time::Duration;

use crate::ByteSize;

/// What one plugin may use. The engine enforces each of them; a guest that reaches one gets a fault or a refusal,
/// and nobody else notices.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The linear memory of one instance, all its memories together. Default: 64MiB.
    pub memory: ByteSize,
    /// The elements of all tables of one instance. Default: 100 000.
    pub table_elements: u32,
    /// The instances that may live at the same time, over the whole process. Default: 1 000.
    pub instances: u32,
    /// The time that one guest callback may take. Default: 50ms.
    pub deadline: Duration,
    /// The time that each step of starting may take: the start function, the VM's start, the configuration.
    /// Default: 5s.
    pub startup_deadline: Duration,
    /// The guest's call stack. Default: 512KiB.
    pub stack: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: ByteSize::from_mib(64),
            table_elements: 100_000,
            instances: 1_000,
            deadline: Duration::from_millis(50),
            startup_deadline: Duration::from_secs(5),
            stack: ByteSize::from_kib(512),
        }
    }
}

/// What happens to a request when its plugin has a fault or cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnFault {
    /// The request is refused (503). The default, because a filter often guards something.
    #[default]
    Closed,
    /// The request goes on without this plugin.
    Open,
}

impl OnFault {
    /// The word in the configuration: `closed` or `open`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}

impl std::fmt::Display for OnFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
