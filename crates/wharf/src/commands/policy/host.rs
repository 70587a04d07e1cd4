//! What a policy reaches while it is run by hand.

use std::cell::RefCell;
use std::rc::Rc;

use wharf_abi_wapc::kubewarden::capability::{Capabilities, CapabilityError, CapabilityRequest};
use wharf_abi_wapc::kubewarden::{PolicyHost, PolicyLog, RefusedCapability};
use wharf_config::cases::{Clock, Randomness};
use wharf_engine::Deadline;

use crate::commands::senses::{Random, Time};

/// The most calls of the host, and the most of those that were refused, that are kept of a policy that makes them without
/// end.
const MOST_CALLS: usize = 10_000;

/// The most bytes that are kept of answers and of the log.
const MOST_KEPT: usize = 64 << 20;

/// What answers a policy, and what was noted.
pub(in crate::commands) struct World {
    capabilities: Box<dyn Capabilities>,
    pub(in crate::commands) notes: Notes,
    time: Time,
    random: Random,
    kept: usize,
}

pub(in crate::commands) type SharedWorld = Rc<RefCell<World>>;

/// What a policy did in one call.
#[derive(Default)]
pub(in crate::commands) struct Notes {
    pub(in crate::commands) log: Vec<PolicyLog>,
    pub(in crate::commands) calls: Vec<Call>,
    /// What it asked for and was not granted, and the flag that grants it.
    pub(in crate::commands) refused: Vec<(String, String)>,
    /// Whether it did more than is kept.
    pub(in crate::commands) is_cut: bool,
}

/// A host call that was granted.
pub(in crate::commands) struct Call {
    pub(in crate::commands) request: CapabilityRequest,
    pub(in crate::commands) answer: Result<Vec<u8>, CapabilityError>,
}

impl World {
    pub(in crate::commands) fn new(
        capabilities: Box<dyn Capabilities>,
        clock: Clock,
        random: Randomness,
    ) -> SharedWorld {
        Rc::new(RefCell::new(Self {
            capabilities,
            notes: Notes::default(),
            time: Time::new(clock),
            random: Random::new(random),
            kept: 0,
        }))
    }

    /// Whether so many bytes more are kept.
    fn keeps(&mut self, bytes: usize) -> bool {
        let kept = self.kept.saturating_add(bytes);
        if kept > MOST_KEPT {
            self.notes.is_cut = true;
            return false;
        }
        self.kept = kept;
        true
    }
}

/// The host of one call of a policy.
pub(in crate::commands) struct RunHost(pub(in crate::commands) SharedWorld);

impl Capabilities for RunHost {
    fn call(&mut self, request: &CapabilityRequest, deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        let mut world = self.0.borrow_mut();
        let answer = world.capabilities.call(request, deadline);
        if world.notes.calls.len() >= MOST_CALLS {
            world.notes.is_cut = true;
        } else if world.keeps(answer.as_ref().map_or(0, Vec::len)) {
            world.notes.calls.push(Call {
                request: request.clone(),
                answer: answer.clone(),
            });
        }
        answer
    }
}

impl PolicyHost for RunHost {
    fn capabilities(&mut self) -> &mut dyn Capabilities {
        self
    }

    fn log(&mut self, event: &PolicyLog) {
        let mut world = self.0.borrow_mut();
        if world.keeps(event.message.len()) {
            world.notes.log.push(event.clone());
        }
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
        let mut world = self.0.borrow_mut();
        if world.notes.refused.len() >= MOST_CALLS {
            world.notes.is_cut = true;
        } else if world.keeps(refused.0.len()) {
            world.notes.refused.push(refused);
        }
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        self.0.borrow_mut().time.realtime()
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        self.0.borrow_mut().time.monotonic()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        fill(&mut self.0.borrow_mut().random, buffer);
    }
}

/// Random bytes, or zeroes where the system has none.
pub(super) fn fill(random: &mut Random, buffer: &mut [u8]) {
    if let Err(error) = random.fill(buffer) {
        tracing::error!(%error, "The system gave no random bytes; the guest gets zeroes.");
    }
}
