//! What a policy reaches while it is run by hand.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use wharf_abi_wapc::kubewarden::capability::{Capabilities, CapabilityError, CapabilityRequest};
use wharf_abi_wapc::kubewarden::{PolicyHost, PolicyLog, RefusedCapability};
use wharf_engine::Deadline;

/// What answers a policy, and what was noted.
pub(super) struct World {
    capabilities: Box<dyn Capabilities>,
    pub(super) notes: Notes,
    started: Instant,
}

pub(super) type SharedWorld = Rc<RefCell<World>>;

/// What a policy did in one call.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) log: Vec<PolicyLog>,
    pub(super) calls: Vec<Call>,
    /// What it asked for and was not granted, and the flag that grants it.
    pub(super) refused: Vec<(String, String)>,
}

/// A host call that was granted.
pub(super) struct Call {
    pub(super) request: CapabilityRequest,
    pub(super) answer: Result<Vec<u8>, CapabilityError>,
}

impl World {
    pub(super) fn new(capabilities: Box<dyn Capabilities>) -> SharedWorld {
        Rc::new(RefCell::new(Self {
            capabilities,
            notes: Notes::default(),
            started: Instant::now(),
        }))
    }
}

/// The host of one call of a policy.
pub(super) struct RunHost(pub(super) SharedWorld);

impl Capabilities for RunHost {
    fn call(&mut self, request: &CapabilityRequest, deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        let mut world = self.0.borrow_mut();
        let answer = world.capabilities.call(request, deadline);
        world.notes.calls.push(Call {
            request: request.clone(),
            answer: answer.clone(),
        });
        answer
    }
}

impl PolicyHost for RunHost {
    fn capabilities(&mut self) -> &mut dyn Capabilities {
        self
    }

    fn log(&mut self, event: &PolicyLog) {
        self.0.borrow_mut().notes.log.push(event.clone());
    }

    fn refused(&mut self, refusal: &RefusedCapability<'_>) {
        let refused = match refusal {
            RefusedCapability::Operation(operation) => {
                ((*operation).to_owned(), format!("--allow {operation}"))
            }
            RefusedCapability::Resource {
                path,
                api_version,
                kind,
            } => (
                format!("{path} of {api_version}/{kind}"),
                format!("--resource {api_version}/{kind}"),
            ),
        };
        self.0.borrow_mut().notes.refused.push(refused);
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        realtime_nanoseconds()
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        nanoseconds_since(self.0.borrow().started)
    }

    fn random(&mut self, buffer: &mut [u8]) {
        random(buffer);
    }
}

pub(super) fn realtime_nanoseconds() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn nanoseconds_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Random bytes of the system.
pub(super) fn random(buffer: &mut [u8]) {
    let mut filled = 0;
    while filled < buffer.len() {
        match rustix::rand::getrandom(&mut buffer[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                tracing::error!(%error, "The system gave no random bytes; the guest gets zeroes.");
                return;
            }
        }
    }
}
