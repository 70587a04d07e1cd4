//! A running module, and what goes in and out of it.

use wharf_engine::{Deadline, Fault, FaultKind, GuestFunction, Instance, Linked};
use wharf_plugin::ByteSize;

use crate::error::{CallError, LoadError};
use crate::exports::{Exports, Free, Range};
use crate::state::State;

/// An instance that has started.
pub(crate) struct Guest {
    pub(crate) instance: Instance<State>,
    exports: Exports,
    /// What was read or written for it cannot be: it is not used again.
    broken: bool,
}

impl Guest {
    /// Makes an instance and starts it, each step within the startup deadline.
    pub(crate) fn start(linked: &Linked<State>, state: State) -> Result<Self, LoadError> {
        let mut instance = linked
            .instantiate(state)
            .map_err(|fault| LoadError::Fault { fault, message: None })?;
        match start(&mut instance, linked) {
            Ok(exports) => Ok(Self {
                instance,
                exports,
                broken: false,
            }),
            Err(LoadError::Fault { fault, .. }) => Err(LoadError::Fault {
                fault,
                message: instance.state_mut().take_last_words(),
            }),
            Err(error) => Err(error),
        }
    }

    /// Whether it may be called again.
    pub(crate) fn is_usable(&self) -> bool {
        !self.broken && !self.instance.is_faulted()
    }

    /// Whether it has taken so much of its memory that a fresh one is better: what was given to a `free` with one parameter
    /// is gone, as in Trivy.
    pub(crate) fn is_worn(&self, limit: ByteSize) -> bool {
        self.instance.memory_size() as u64 > limit.bytes() / 4 * 3
    }

    pub(crate) fn analyze(&mut self, path: &str, deadline: Deadline) -> Result<Vec<u8>, CallError> {
        let function = self.exports.analyze.clone();
        self.call(&function, path.as_bytes(), deadline)
    }

    pub(crate) fn post_scan(&mut self, results: &[u8], deadline: Deadline) -> Result<Vec<u8>, CallError> {
        let function = self.exports.post_scan.clone();
        self.call(&function, results, deadline)
    }

    /// Gives `input` to a function, and gives back what it gives.
    fn call(
        &mut self,
        function: &GuestFunction<(u32, u32), u64>,
        input: &[u8],
        deadline: Deadline,
    ) -> Result<Vec<u8>, CallError> {
        self.instance.state_mut().begin();
        match self.exchange(function, input, deadline) {
            Ok(bytes) if bytes.is_empty() => Err(CallError::NoResult {
                message: self.instance.state_mut().take_last_words(),
            }),
            Err(CallError::Fault { fault, .. }) => {
                self.broken = true;
                let message = self.instance.state_mut().take_last_words();
                Err(CallError::Fault { fault, message })
            }
            outcome => outcome,
        }
    }

    fn exchange(
        &mut self,
        function: &GuestFunction<(u32, u32), u64>,
        input: &[u8],
        deadline: Deadline,
    ) -> Result<Vec<u8>, CallError> {
        let size = ByteSize::from_bytes(input.len() as u64);
        let most = self.instance.state().payload().request;
        let length = u32::try_from(input.len()).ok().filter(|_| size <= most);
        let length = length.ok_or(CallError::RequestTooLarge { size, most })?;
        let pointer = self.place(input, length, deadline)?;
        let result = call(&mut self.instance, function, (pointer, length), deadline)?;
        let most = self.instance.state().payload().response;
        let range = Range::of(result);
        let bytes = read(&mut self.instance, function.name(), range, most)?;
        give_back(&mut self.instance, &self.exports.free, range, deadline)?;
        self.free_input(pointer, length, deadline)?;
        let size = range.byte_size();
        bytes.ok_or(CallError::ResponseTooLarge { size, most })
    }

    /// Writes `input` to memory of the module's allocator.
    fn place(&mut self, input: &[u8], length: u32, deadline: Deadline) -> Result<u32, Fault> {
        let malloc = self.exports.malloc.clone();
        let pointer = call(&mut self.instance, &malloc, length, deadline)?;
        let bad = |reason: String| Fault::bad_reply("malloc", reason);
        if pointer == 0 {
            let refused = self.instance.take_refused_growth();
            return Err(match refused {
                Some(kind) => Fault::new(kind, "malloc"),
                None => bad(format!("it gives no memory for {length} bytes")),
            });
        }
        self.instance
            .memory()
            .write(pointer, input)
            .map_err(|error| bad(error.to_string()))?;
        Ok(pointer)
    }

    fn free_input(&mut self, pointer: u32, length: u32, deadline: Deadline) -> Result<(), Fault> {
        match &self.exports.free {
            Free::Pointer(free) => call(&mut self.instance, free, pointer, deadline),
            Free::PointerAndSize(free) => call(&mut self.instance, free, (pointer, length), deadline),
        }
    }
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        Self::Fault { fault, message: None }
    }
}

fn start(instance: &mut Instance<State>, linked: &Linked<State>) -> Result<Exports, LoadError> {
    let fault = |fault: Fault| LoadError::Fault { fault, message: None };
    let start = match instance.function::<(), ()>("_initialize").map_err(fault)? {
        Some(start) => Some(start),
        None => instance.function::<(), ()>("_start").map_err(fault)?,
    };
    if let Some(start) = start {
        instance
            .call_start(&start, linked.limits().startup_deadline)
            .map_err(fault)?;
    }
    Exports::of(instance)
}

/// Calls a function of the module, unless the time is over: a short one would get through all the same.
fn call<P, R>(
    instance: &mut Instance<State>,
    function: &GuestFunction<P, R>,
    parameters: P,
    deadline: Deadline,
) -> Result<R, Fault>
where
    P: wharf_engine::WasmParams,
    R: wharf_engine::WasmResults,
{
    if deadline.has_passed() {
        let deadline = deadline.given();
        return Err(Fault::new(
            FaultKind::DeadlineExceeded { deadline },
            function.name(),
        ));
    }
    instance.call(function, parameters, deadline.left())
}

/// Reads what a function points at; none where it is more than `most`.
fn read(
    instance: &mut Instance<State>,
    function: &'static str,
    range: Range,
    most: ByteSize,
) -> Result<Option<Vec<u8>>, Fault> {
    let memory = instance.memory();
    let bytes = memory
        .read(range.pointer, range.size)
        .map_err(|error| Fault::bad_reply(function, error.to_string()))?;
    Ok((range.byte_size() <= most).then(|| bytes.to_vec()))
}

/// Gives back what a function pointed at, in the way that Trivy does: to a `free` with two parameters.
fn give_back(
    instance: &mut Instance<State>,
    free: &Free,
    range: Range,
    deadline: Deadline,
) -> Result<(), Fault> {
    match free {
        Free::PointerAndSize(free) if range.pointer != 0 => {
            call(instance, free, (range.pointer, range.size), deadline)
        }
        _ => Ok(()),
    }
}

impl Guest {
    /// The bytes that a function without parameters gives to describe the module.
    pub(crate) fn description(
        &mut self,
        name: &'static str,
        deadline: Deadline,
    ) -> Result<Vec<u8>, LoadError> {
        let function: GuestFunction<(), u64> = crate::exports::needed(&mut self.instance, name)?;
        let outcome = call(&mut self.instance, &function, (), deadline);
        let range = Range::of(self.or_last_words(outcome)?);
        let most = self.instance.state().payload().description;
        let outcome = read(&mut self.instance, name, range, most);
        let bytes = self.or_last_words(outcome)?.ok_or(LoadError::TooLarge {
            function: name,
            size: range.byte_size(),
            most,
        })?;
        let outcome = give_back(&mut self.instance, &self.exports.free, range, deadline);
        self.or_last_words(outcome)?;
        Ok(bytes)
    }

    /// The number that a function without parameters gives.
    pub(crate) fn number(&mut self, name: &'static str, deadline: Deadline) -> Result<u64, LoadError> {
        let function = crate::exports::Number::of(&mut self.instance, name)?;
        let outcome = function.call(&mut self.instance, deadline.left());
        self.or_last_words(outcome)
    }

    fn or_last_words<T>(&mut self, outcome: Result<T, Fault>) -> Result<T, LoadError> {
        outcome.map_err(|fault| LoadError::Fault {
            fault,
            message: self.instance.state_mut().take_last_words(),
        })
    }
}
