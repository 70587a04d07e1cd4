//! A running module.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::{
    Extern, Memory, PoolConcurrencyLimitError, Store, Trap, TypedFunc, UpdateDeadline, Val, WasmBacktrace,
    WasmParams, WasmResults,
};

use crate::deadline::deadline_from;
use crate::engine::Shared;
use crate::fault::{Fault, FaultKind, Frame};
use crate::imports::{HostCallObserver, RaisedFault, Value};
use crate::limiter::Limiter;
use crate::memory::GuestMemory;
use crate::module::{Linked, Seat, signature};
use crate::slots;

/// A module with memory of its own, and the ABI's state `S` for its host functions.
///
/// It is used from one thread at a time; it moves between threads where `S` does. After a [`Fault`] every further call
/// gives [`FaultKind::AlreadyFaulted`]. Host functions run on the caller's stack below the guest's: the thread needs
/// the plugin's [`stack`](wharf_plugin::Limits::stack) and about 256 KiB beside it.
pub struct Instance<S: 'static> {
    store: Store<Slot<S>>,
    instance: wasmtime::Instance,
    shared: Arc<Shared>,
    faulted: bool,
    guest_time: Duration,
    /// Held for its drop, which counts the instance out.
    _seat: Seat,
}

/// What a store holds beside the ABI's state.
pub struct Slot<S> {
    pub(crate) state: S,
    pub(crate) memory: Option<Memory>,
    pub(crate) observer: Option<Box<dyn HostCallObserver>>,
    pub(crate) limiter: Limiter,
    /// When the call under way must have ended.
    deadline: Instant,
}

/// A function that the module exports, with the signature that the ABI gives it.
pub struct GuestFunction<P, R> {
    name: &'static str,
    pub(crate) typed: TypedFunc<P, R>,
}

impl<P, R> Clone for GuestFunction<P, R> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            typed: self.typed.clone(),
        }
    }
}

impl<P, R> GuestFunction<P, R> {
    /// The export's name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl<S: 'static> Instance<S> {
    /// Makes an instance and runs the module's start function, if it has one, within `deadline`.
    pub(crate) fn start(linked: &Linked<S>, state: S, deadline: Duration) -> Result<Self, Fault> {
        let limits = linked.limits();
        let seat = linked.take_seat()?;
        let pages = linked.memory()?;
        let shared = Arc::clone(linked.shared());
        let slot = Slot {
            state,
            memory: None,
            observer: None,
            limiter: Limiter::new(limits),
            deadline: deadline_from(Instant::now(), deadline),
        };
        let mut store = Store::new(linked.pre().module().engine(), slot);
        store.limiter(|slot| &mut slot.limiter);
        hold_deadlines(&mut store, &shared);
        let made = match pages {
            Some(pages) => slots::with_memory(pages, || linked.pre().instantiate(&mut store)),
            None => linked.pre().instantiate(&mut store),
        };
        match made {
            Ok(instance) => {
                store.data_mut().memory = instance.get_memory(&mut store, "memory");
                Ok(Self {
                    store,
                    instance,
                    shared,
                    faulted: false,
                    guest_time: Duration::ZERO,
                    _seat: seat,
                })
            }
            Err(error) => Err(start_fault(store.data_mut(), &error, deadline, &shared)),
        }
    }

    /// Finds the exported function `name`.
    ///
    /// # Errors
    /// [`FaultKind::WrongSignature`] where the export is something else than a function of this signature.
    pub fn function<P: WasmParams, R: WasmResults>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<GuestFunction<P, R>>, Fault> {
        let Some(export) = self.instance.get_export(&mut self.store, name) else {
            return Ok(None);
        };
        let wrong = |reason: String| {
            Fault::new(
                FaultKind::WrongSignature {
                    name: name.into(),
                    reason,
                },
                name,
            )
        };
        let Extern::Func(function) = export else {
            return Err(wrong("is not a function".into()));
        };
        match function.typed::<P, R>(&self.store) {
            Ok(typed) => Ok(Some(GuestFunction { name, typed })),
            Err(_) => Err(wrong(format!(
                "has the signature {}, which is not the ABI's",
                signature(&function.ty(&self.store))
            ))),
        }
    }

    /// The value of the exported global `name`; `None` where the module exports no global of this name that holds a number.
    pub fn global(&mut self, name: &str) -> Option<Value> {
        let global = self.instance.get_global(&mut self.store, name)?;
        match global.get(&mut self.store) {
            Val::I32(value) => Some(Value::I32(value)),
            Val::I64(value) => Some(Value::I64(value)),
            Val::F32(bits) => Some(Value::F32(f32::from_bits(bits))),
            Val::F64(bits) => Some(Value::F64(f64::from_bits(bits))),
            _ => None,
        }
    }

    /// The growth of memory or tables that was refused last in the latest call, where the call's fault does not say it: a
    /// guest that tells its host that it has run out of memory ends by the host's doing.
    pub fn take_refused_growth(&mut self) -> Option<FaultKind> {
        self.store.data_mut().limiter.take_refusal()
    }

    /// Calls `function` with `parameters`, and ends it at `deadline`.
    ///
    /// The deadline is held by a clock that ticks every few milliseconds
    /// ([`EngineSettings::tick`](crate::EngineSettings::tick)): a call is never ended before it and at most one tick
    /// after it. Host functions count; none of them waits.
    ///
    /// # Errors
    /// The [`Fault`]; the instance can then not be called again.
    ///
    /// # Panics
    /// Where `function` belongs to another instance.
    pub fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        function: &GuestFunction<P, R>,
        parameters: P,
        deadline: Duration,
    ) -> Result<R, Fault> {
        if self.faulted {
            return Err(Fault::new(FaultKind::AlreadyFaulted, function.name));
        }
        let started = Instant::now();
        let slot = self.store.data_mut();
        slot.deadline = deadline_from(started, deadline);
        slot.limiter.forget_refusals();
        self.store.set_epoch_deadline(1);
        self.shared.clock().touch();
        let outcome = function.typed.call(&mut self.store, parameters);
        self.guest_time += started.elapsed();
        outcome.map_err(|error| {
            self.faulted = true;
            fault(self.store.data_mut(), &error, function.name, deadline)
        })
    }

    /// Calls a command's entry point, such as `_start`. Some compilers let it end with `proc_exit(0)`, which is no fault
    /// here: the instance can be called further.
    ///
    /// # Errors
    /// The [`Fault`], as for [`Instance::call`].
    pub fn call_start(&mut self, function: &GuestFunction<(), ()>, deadline: Duration) -> Result<(), Fault> {
        let outcome = self.call(function, (), deadline);
        if let Err(fault) = &outcome
            && *fault.kind() == (FaultKind::Exit { code: 0 })
        {
            self.faulted = false;
            return Ok(());
        }
        outcome
    }

    /// The ABI's state.
    pub fn state(&self) -> &S {
        &self.store.data().state
    }

    /// The ABI's state, to be changed.
    pub fn state_mut(&mut self) -> &mut S {
        &mut self.store.data_mut().state
    }

    /// Ends the instance and gives the ABI's state back.
    pub fn into_state(self) -> S {
        self.store.into_data().state
    }

    /// The guest's memory, between calls.
    pub fn memory(&mut self) -> GuestMemory<'_> {
        match self.store.data().memory {
            Some(memory) => GuestMemory::new(memory.data_mut(&mut self.store)),
            None => GuestMemory::new(&mut []),
        }
    }

    /// How many bytes of memory the guest has.
    pub fn memory_size(&self) -> usize {
        self.store
            .data()
            .memory
            .map_or(0, |memory| memory.data_size(&self.store))
    }

    /// Whether a call has faulted.
    pub fn is_faulted(&self) -> bool {
        self.faulted
    }

    /// The wall-clock time of all calls since this was last asked, host functions included.
    pub fn take_guest_time(&mut self) -> Duration {
        std::mem::take(&mut self.guest_time)
    }

    /// Attaches an observer that sees each host call from now on, or takes it away.
    pub fn observe(&mut self, observer: Option<Box<dyn HostCallObserver>>) {
        self.store.data_mut().observer = observer;
    }
}

/// At each tick of the clock the guest is asked to look at the time. So no call ends before its deadline, however late
/// in a tick it began, and the clock knows that it is still needed.
fn hold_deadlines<S: 'static>(store: &mut Store<Slot<S>>, shared: &Arc<Shared>) {
    let clock = Arc::clone(shared);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |context| {
        clock.clock().touch();
        let over = Instant::now() >= context.data().deadline;
        Ok(if over {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::Continue(1)
        })
    });
    shared.clock().touch();
}

/// The fault of an instantiation. The pool may have been full, which is no fault of the guest.
fn start_fault<S>(slot: &mut Slot<S>, error: &wasmtime::Error, deadline: Duration, shared: &Shared) -> Fault {
    match error.downcast_ref::<PoolConcurrencyLimitError>() {
        Some(_) => Fault::new(
            FaultKind::InstanceLimit {
                limit: shared.pooled_instances(),
            },
            START,
        ),
        None => fault(slot, error, START, deadline),
    }
}

/// What stands for the callback in faults of the module's start function and of instantiation.
pub(crate) const START: &str = "(start)";

fn fault<S>(
    slot: &mut Slot<S>,
    error: &wasmtime::Error,
    callback: &'static str,
    deadline: Duration,
) -> Fault {
    let raised = error.downcast_ref::<RaisedFault>().map(|raised| raised.0.clone());
    let kind = raised.unwrap_or_else(|| match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => FaultKind::DeadlineExceeded { deadline },
        Some(Trap::StackOverflow) => FaultKind::StackExhausted,
        trap => slot.limiter.take_refusal().unwrap_or_else(|| FaultKind::Trap {
            reason: trap.map_or_else(|| error.root_cause().to_string(), ToString::to_string),
        }),
    });
    let backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .map_or_else(Vec::new, frames);
    Fault::new(kind, callback).with_backtrace(backtrace)
}

fn frames(backtrace: &WasmBacktrace) -> Vec<Frame> {
    backtrace
        .frames()
        .iter()
        .map(|frame| Frame {
            function: frame.func_name().map(demangled),
            index: frame.func_index(),
            offset: frame.module_offset(),
            source: frame.symbols().first().and_then(|symbol| {
                Some(match symbol.line() {
                    Some(line) => format!("{}:{line}", symbol.file()?),
                    None => symbol.file()?.to_owned(),
                })
            }),
        })
        .collect()
}

/// Rust and C++ names as their authors wrote them.
fn demangled(name: &str) -> String {
    let rust = rustc_demangle::demangle(name);
    format!("{rust:#}")
}
