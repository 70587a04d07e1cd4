//! A guest and a call of it.

use wharf_engine::{Deadline, Fault, FaultKind, Imports, Instance, Linked, Module};
use wharf_plugin::{ByteSize, Digest, Limits};

use super::error::{CallError, LoadError};
use super::host::Host;
use super::hostcalls;
use super::payload::PayloadLimits;
use super::state::State;

const GUEST_CALL: &str = "__guest_call";

/// A waPC guest that is compiled and linked. Any number of threads may call it at once.
pub struct Guest {
    linked: Linked<State>,
    payload_limits: PayloadLimits,
}

impl Guest {
    /// Links a module as a waPC guest. Its instances live within `limits`; of those, the deadlines are not used, since
    /// each call has its own.
    ///
    /// # Errors
    /// [`LoadError`] with every import that is not given, or the export that is missing.
    pub fn new(module: &Module, limits: &Limits) -> Result<Self, LoadError> {
        for export in [GUEST_CALL, "memory"] {
            if !module.exports(export) {
                return Err(LoadError::MissingExport(export));
            }
        }
        let mut imports = Imports::new();
        hostcalls::add(&mut imports);
        Ok(Self {
            linked: module.link(&imports, limits)?,
            payload_limits: PayloadLimits::default(),
        })
    }

    /// The same guest with other bounds for what goes in and out.
    #[must_use]
    pub fn with_payload_limits(self, payload_limits: PayloadLimits) -> Self {
        Self {
            payload_limits,
            ..self
        }
    }

    /// The digest of the guest's bytes.
    pub fn digest(&self) -> Digest {
        self.linked.digest()
    }

    /// Calls `operation` with `payload` in a fresh instance, which starts, is called, and goes away. All of that happens
    /// before `deadline`, and so does what the host does for the guest.
    ///
    /// It blocks the thread. From a pool ([`Allocation::Pooled`](wharf_engine::Allocation::Pooled)), the instance costs
    /// some microseconds and what the guest's own start takes.
    ///
    /// # Errors
    /// [`CallError`]: the guest failed, said nothing, or did not get to its end.
    pub fn call(
        &self,
        operation: &str,
        payload: Vec<u8>,
        host: Box<dyn Host>,
        deadline: Deadline,
    ) -> Result<Vec<u8>, CallError> {
        let size = ByteSize::from_bytes(payload.len() as u64);
        let most = self.payload_limits.request;
        // Lengths are given to the guest as `i32`.
        if size > most || payload.len() > i32::MAX as usize {
            return Err(CallError::RequestTooLarge { size, most });
        }
        let state = State::new(host, self.payload_limits, deadline);
        check_time(deadline, "(start)")?;
        let mut instance = self.linked.instantiate_within(state, deadline.left())?;
        let outcome = run(&mut instance, operation, payload, deadline);
        let state = instance.into_state();
        match outcome {
            Err(fault) => Err(CallError::Fault {
                fault,
                message: state.error,
            }),
            Ok(0) => Err(state.error.map_or(CallError::NoMessage, CallError::Guest)),
            Ok(_) => state
                .response
                .ok_or_else(|| state.error.map_or(CallError::NoResponse, CallError::Guest)),
        }
    }
}

/// Starts the guest and makes the call.
fn run(
    instance: &mut Instance<State>,
    operation: &str,
    payload: Vec<u8>,
    deadline: Deadline,
) -> Result<u32, Fault> {
    let start = match instance.function::<(), ()>("_start")? {
        Some(start) => Some(start),
        None => instance.function::<(), ()>("_initialize")?,
    };
    let init = instance.function::<(), ()>("wapc_init")?;
    for function in [start, init].into_iter().flatten() {
        check_time(deadline, function.name())?;
        // TinyGo ends `main` with an exit, and its functions can be called all the same.
        instance.call_start(&function, deadline.left())?;
    }
    let missing = || {
        let name = GUEST_CALL.into();
        Fault::new(FaultKind::MissingExport { name }, GUEST_CALL)
    };
    let guest_call = instance
        .function::<(u32, u32), u32>(GUEST_CALL)?
        .ok_or_else(missing)?;
    check_time(deadline, GUEST_CALL)?;
    // Operations are names of this program, and the payload was checked.
    let lengths = (operation.len() as u32, payload.len() as u32);
    instance.state_mut().begin(operation.to_owned(), payload);
    instance.call(&guest_call, lengths, deadline.left())
}

/// A guest is not entered once its time is over, since a short one would get through all the same.
pub(crate) fn check_time(deadline: Deadline, callback: &'static str) -> Result<(), Fault> {
    if deadline.has_passed() {
        let deadline = deadline.given();
        return Err(Fault::new(FaultKind::DeadlineExceeded { deadline }, callback));
    }
    Ok(())
}
