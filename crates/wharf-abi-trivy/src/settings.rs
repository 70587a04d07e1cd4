//! How a module is run.

use std::time::Duration;

use wharf_plugin::{ByteSize, Limits};

/// How a module is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What an instance may use. `deadline` is that of a call where its caller names no other; each call has its own.
    /// By default 256MiB of memory and 10 s for a call: modules in Go take some ten megabytes before they do anything.
    pub limits: Limits,
    /// The sizes of what crosses between host and module.
    pub payload: PayloadLimits,
    /// How long an instance lives.
    pub lifetime: Lifetime,
    /// What the module takes for the time.
    pub clock: Clock,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits {
                memory: ByteSize::from_mib(256),
                deadline: Duration::from_secs(10),
                startup_deadline: Duration::from_secs(10),
                ..Limits::default()
            },
            payload: PayloadLimits::default(),
            lifetime: Lifetime::default(),
            clock: Clock::default(),
        }
    }
}

/// How long an instance of a module lives. After a fault none is used again, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lifetime {
    /// For one call: no call sees what an earlier one left, and each pays for the module's start.
    Fresh,
    /// For many calls: each thread that calls takes an idle one, or makes one. Which calls an instance has seen before is
    /// chance, so a module that keeps something between files finds only a part of it.
    #[default]
    Reusable,
    /// For all calls, one after the other, as in Trivy: for modules that keep something between files.
    Shared,
}

impl Lifetime {
    /// The word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Reusable => "reusable",
            Self::Shared => "shared",
        }
    }
}

/// What a module takes for the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Clock {
    /// 2022-01-01T00:00:00Z at the beginning of each call, and a millisecond more each time that it is asked, as in Trivy.
    /// So the same file gives the same result.
    #[default]
    Fixed,
    /// What the host says.
    Real,
}

/// The sizes of what crosses between host and module. The host holds each of these in its own memory, beside the module's,
/// so each has a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadLimits {
    /// The results that a post-scan is given. Default: 64MiB.
    pub request: ByteSize,
    /// What `analyze` and `post_scan` give. Default: 64MiB.
    pub response: ByteSize,
    /// What `name`, `required` and `post_scan_spec` give, each. Default: 1MiB.
    pub description: ByteSize,
    /// A line for the log; what is longer is cut. Default: 16KiB.
    pub text: ByteSize,
}

impl Default for PayloadLimits {
    fn default() -> Self {
        Self {
            request: ByteSize::from_mib(64),
            response: ByteSize::from_mib(64),
            description: ByteSize::from_mib(1),
            text: ByteSize::from_kib(16),
        }
    }
}

impl PayloadLimits {
    /// Bytes of a module as text of bounded length; what is not UTF-8 is replaced.
    pub(crate) fn text_of(&self, bytes: &[u8]) -> String {
        let most = self.text.as_usize();
        match bytes.get(..most) {
            Some(head) if head.len() < bytes.len() => {
                let left_out = bytes.len() - most;
                format!("{}… ({left_out} bytes left out)", String::from_utf8_lossy(head))
            }
            _ => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}
