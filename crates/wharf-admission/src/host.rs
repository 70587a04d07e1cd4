//! What a policy of this server reaches: the log, clocks, random bytes, and what the server can ask for it.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use wharf_abi_wapc::kubewarden::capability::{Capabilities, CapabilityError, CapabilityRequest};
use wharf_abi_wapc::kubewarden::{PolicyHost, PolicyLog, PolicyLogLevel, RefusedCapability};
use wharf_engine::Deadline;
use wharf_telemetry::Metrics;

/// Whoever answers what policies ask, for all policies and threads at once.
pub trait SharedCapabilities: Send + Sync {
    /// As [`Capabilities::call`].
    ///
    /// # Errors
    /// [`CapabilityError`], whose words the policy gets.
    fn call(&self, request: &CapabilityRequest, deadline: Deadline) -> Result<Vec<u8>, CapabilityError>;
}

/// None at all.
impl SharedCapabilities for () {
    fn call(&self, request: &CapabilityRequest, _deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        Err(CapabilityError::NotOffered(request.path()))
    }
}

/// What all policies of a server have in common.
pub(crate) struct HostContext {
    pub(crate) capabilities: Arc<dyn SharedCapabilities>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) started: Instant,
}

/// Which policy asks, about which review.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    pub(crate) policy: String,
    /// Empty where there is no review, as when settings are looked at.
    pub(crate) uid: String,
}

impl HostContext {
    pub(crate) fn asking(self: &Arc<Self>, asking: Asking) -> ReviewHost {
        ReviewHost {
            context: Arc::clone(self),
            asking,
        }
    }
}

/// The world of one policy in one review.
pub(crate) struct ReviewHost {
    context: Arc<HostContext>,
    asking: Asking,
}

impl Capabilities for ReviewHost {
    fn call(&mut self, request: &CapabilityRequest, deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        let answer = self.context.capabilities.call(request, deadline);
        let outcome = match &answer {
            Ok(_) => "answered",
            Err(CapabilityError::NotOffered(_)) => "not_offered",
            Err(CapabilityError::Timeout) => "timeout",
            Err(_) => "failed",
        };
        let Asking { policy, uid } = &self.asking;
        self.context
            .metrics
            .admission()
            .host_call(policy, request.path(), outcome);
        if let Err(error) = &answer {
            tracing::warn!(policy, uid, operation = request.path(), %error, "A policy's call of the host was not answered.");
        }
        answer
    }
}

impl PolicyHost for ReviewHost {
    fn capabilities(&mut self) -> &mut dyn Capabilities {
        self
    }

    fn log(&mut self, event: &PolicyLog) {
        let Asking { policy, uid } = &self.asking;
        let message = &event.message;
        let data = if event.data.is_empty() {
            None
        } else {
            serde_json::to_string(&event.data).ok()
        };
        match event.level {
            PolicyLogLevel::Trace => tracing::trace!(target: "wharf::policy", policy, uid, data, "{message}"),
            PolicyLogLevel::Debug => tracing::debug!(target: "wharf::policy", policy, uid, data, "{message}"),
            PolicyLogLevel::Info => tracing::info!(target: "wharf::policy", policy, uid, data, "{message}"),
            PolicyLogLevel::Warning => {
                tracing::warn!(target: "wharf::policy", policy, uid, data, "{message}")
            }
            PolicyLogLevel::Error => tracing::error!(target: "wharf::policy", policy, uid, data, "{message}"),
        }
    }

    fn refused(&mut self, refusal: &RefusedCapability<'_>) {
        let Asking { policy, uid } = &self.asking;
        match refusal {
            RefusedCapability::Operation(operation) => tracing::warn!(
                policy,
                uid,
                operation,
                "A policy asked for what it is not granted; `hostCapabilities` of the policy grants it."
            ),
            RefusedCapability::Resource {
                path,
                api_version,
                kind,
            } => tracing::warn!(
                policy,
                uid,
                operation = path,
                api_version,
                kind,
                "A policy asked for objects that it is not granted; `contextAwareResources` of the policy grants them."
            ),
        }
        self.context
            .metrics
            .admission()
            .host_call(policy, "(refused)", "refused");
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        u64::try_from(now.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        u64::try_from(self.context.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn random(&mut self, buffer: &mut [u8]) {
        let mut filled = 0;
        while filled < buffer.len() {
            match rustix::rand::getrandom(&mut buffer[filled..], rustix::rand::GetRandomFlags::empty()) {
                Ok(count) => filled += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "The system gave no random bytes; a policy gets zeroes.");
                    return;
                }
            }
        }
    }
}
