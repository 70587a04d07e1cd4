//! Host functions, and the one door through which a guest enters them.
//!
//! An ABI fills an [`Imports`] table once. Each function is a closure over a [`HostCall`] (the guest's memory, the
//! ABI's state, the way back into the guest) and a tuple of parameters. However the guest calls it, the call goes
//! through [`enter`], where a [`HostCallObserver`] sees it when one is attached.

use std::collections::HashMap;

use wasmtime::{Caller, FuncType, Linker, ValType, WasmRet, WasmTy};

use crate::fault::FaultKind;
use crate::instance::{GuestFunction, Slot};
use crate::memory::GuestMemory;

/// A table of host functions over the state `S`, by module and name.
pub struct Imports<S: 'static> {
    functions: HashMap<(&'static str, &'static str), HostFunction<S>>,
}

type Define<S> = Box<dyn Fn(&mut Linker<Slot<S>>) -> wasmtime::Result<()> + Send + Sync>;

struct HostFunction<S: 'static> {
    parameters: Vec<ValType>,
    results: Vec<ValType>,
    define: Define<S>,
}

/// What a host function gives: its result, or the failure that ends the guest's call.
pub type HostResult<R> = Result<R, HostFailure>;

/// Why a host function ends the guest's call instead of returning to it.
#[derive(Debug)]
pub struct HostFailure(pub(crate) wasmtime::Error);

impl From<FaultKind> for HostFailure {
    fn from(kind: FaultKind) -> Self {
        Self(wasmtime::Error::new(RaisedFault(kind)))
    }
}

/// A fault that a host function raised, on its way through the engine.
#[derive(Debug)]
pub(crate) struct RaisedFault(pub(crate) FaultKind);

impl std::fmt::Display for RaisedFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for RaisedFault {}

/// A value that crosses the door.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A 32-bit integer: a pointer, a size, a status.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
}

/// One host call, as an observer sees it.
#[derive(Debug)]
pub struct HostCallEvent<'a> {
    /// The import module, such as `env`.
    pub module: &'static str,
    /// The function, such as `proxy_log`.
    pub name: &'static str,
    /// What the guest gave.
    pub arguments: &'a [Value],
    /// What the host gave back; `None` before the call, and after one that ended the guest's call.
    pub result: Option<&'a [Value]>,
}

/// Sees each host call of an instance: a tracer, a timer, a recorder.
///
/// It may move between threads together with its instance.
pub trait HostCallObserver: Send {
    /// The guest has called; nothing has been done yet.
    fn before(&mut self, event: &HostCallEvent<'_>, memory: &GuestMemory<'_>);
    /// The call is over; `event.result` is `None` where it ended the guest's call.
    fn after(&mut self, event: &HostCallEvent<'_>, memory: &GuestMemory<'_>);
}

/// A host call under way: the guest's memory, the ABI's state, and the way back into the guest.
pub struct HostCall<'a, S: 'static> {
    caller: Caller<'a, Slot<S>>,
}

impl<S: 'static> HostCall<'_, S> {
    /// The ABI's state.
    pub fn state(&mut self) -> &mut S {
        &mut self.caller.data_mut().state
    }

    /// The guest's memory.
    pub fn memory(&mut self) -> GuestMemory<'_> {
        self.memory_and_state().0
    }

    /// The guest's memory and the ABI's state together, so that data goes from one to the other without a copy.
    pub fn memory_and_state(&mut self) -> (GuestMemory<'_>, &mut S) {
        match self.caller.data().memory {
            Some(memory) => {
                let (bytes, slot) = memory.data_and_store_mut(&mut self.caller);
                (GuestMemory::new(bytes), &mut slot.state)
            }
            None => (GuestMemory::new(&mut []), &mut self.caller.data_mut().state),
        }
    }

    /// Calls back into the guest, as for its allocator. The deadline of the outer call goes on running.
    ///
    /// Nested calls share the stack of the outer one, so a guest whose allocator calls a host function that calls
    /// the allocator ends with [`FaultKind::StackExhausted`].
    ///
    /// # Errors
    /// The nested call's fault, which ends the outer call too when it is passed on.
    ///
    /// # Panics
    /// Where `function` belongs to another instance than the one that called.
    pub fn call_guest<P, R>(&mut self, function: &GuestFunction<P, R>, parameters: P) -> HostResult<R>
    where
        P: wasmtime::WasmParams,
        R: wasmtime::WasmResults,
    {
        function
            .typed
            .call(&mut self.caller, parameters)
            .map_err(HostFailure)
    }
}

/// A type that a host function may take: `u32`, `i32`, `u64`, `i64`, `f32`, `f64`.
pub trait HostValue: WasmTy + Copy + Into<Value> {
    #[doc(hidden)]
    const TYPE: ValType;
}

/// What a host function may return: nothing or one value.
pub trait HostReturn: Copy + WasmRet + 'static {
    #[doc(hidden)]
    fn types() -> Vec<ValType>;
    #[doc(hidden)]
    fn value(self) -> Option<Value>;
}

/// A tuple of at most twelve parameters of a host function.
pub trait HostParameters<S: 'static, R>: Copy + Sized {
    #[doc(hidden)]
    fn types() -> Vec<ValType>;
    #[doc(hidden)]
    fn values(self) -> Vec<Value>;
    #[doc(hidden)]
    fn define<F>(module: &'static str, name: &'static str, body: F) -> Define<S>
    where
        F: Fn(&mut HostCall<'_, S>, Self) -> HostResult<R> + Clone + Send + Sync + 'static;
}

macro_rules! host_value {
    ($($rust:ty => $variant:ident as $as:ty),*) => { $(
        impl From<$rust> for Value {
            fn from(value: $rust) -> Self {
                Self::$variant(value as $as)
            }
        }
        impl HostValue for $rust {
            const TYPE: ValType = ValType::$variant;
        }
        impl HostReturn for $rust {
            fn types() -> Vec<ValType> {
                vec![ValType::$variant]
            }
            fn value(self) -> Option<Value> {
                Some(self.into())
            }
        }
    )* };
}

host_value!(i32 => I32 as i32, u32 => I32 as i32, i64 => I64 as i64, u64 => I64 as i64, f32 => F32 as f32, f64 => F64 as f64);

impl HostReturn for () {
    fn types() -> Vec<ValType> {
        Vec::new()
    }
    fn value(self) -> Option<Value> {
        None
    }
}

macro_rules! host_parameters {
    ($($kind:ident $value:ident),*) => {
        impl<S: 'static, R: HostReturn, $($kind: HostValue),*> HostParameters<S, R> for ($($kind,)*) {
            fn types() -> Vec<ValType> {
                vec![$($kind::TYPE),*]
            }
            fn values(self) -> Vec<Value> {
                let ($($value,)*) = self;
                vec![$($value.into()),*]
            }
            fn define<Body>(module: &'static str, name: &'static str, body: Body) -> Define<S>
            where
                Body: Fn(&mut HostCall<'_, S>, Self) -> HostResult<R> + Clone + Send + Sync + 'static,
            {
                Box::new(move |linker| {
                    let body = body.clone();
                    linker.func_wrap(module, name, move |caller: Caller<'_, Slot<S>>, $($value: $kind),*| {
                        enter(caller, module, name, ($($value,)*), &body)
                    })?;
                    Ok(())
                })
            }
        }
    };
}

host_parameters!();
host_parameters!(A a);
host_parameters!(A a, B b);
host_parameters!(A a, B b, C c);
host_parameters!(A a, B b, C c, D d);
host_parameters!(A a, B b, C c, D d, E e);
host_parameters!(A a, B b, C c, D d, E e, F f);
host_parameters!(A a, B b, C c, D d, E e, F f, G g);
host_parameters!(A a, B b, C c, D d, E e, F f, G g, H h);
host_parameters!(A a, B b, C c, D d, E e, F f, G g, H h, I i);
host_parameters!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j);
host_parameters!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k);
host_parameters!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l);

/// The door. While no observer is attached it costs one branch.
#[inline]
fn enter<S, P, R, F>(
    caller: Caller<'_, Slot<S>>,
    module: &'static str,
    name: &'static str,
    parameters: P,
    body: &F,
) -> wasmtime::Result<R>
where
    S: 'static,
    R: HostReturn,
    P: HostParameters<S, R>,
    F: Fn(&mut HostCall<'_, S>, P) -> HostResult<R>,
{
    let mut call = HostCall { caller };
    if call.caller.data().observer.is_some() {
        return enter_observed(&mut call, module, name, parameters, body);
    }
    body(&mut call, parameters).map_err(|failure| failure.0)
}

#[cold]
fn enter_observed<S, P, R, F>(
    call: &mut HostCall<'_, S>,
    module: &'static str,
    name: &'static str,
    parameters: P,
    body: &F,
) -> wasmtime::Result<R>
where
    S: 'static,
    R: HostReturn,
    P: HostParameters<S, R>,
    F: Fn(&mut HostCall<'_, S>, P) -> HostResult<R>,
{
    let arguments = parameters.values();
    observe(call, |observer, memory| {
        observer.before(
            &HostCallEvent {
                module,
                name,
                arguments: &arguments,
                result: None,
            },
            memory,
        );
    });
    let outcome = body(call, parameters);
    let values: Option<Vec<Value>> = outcome
        .as_ref()
        .ok()
        .map(|result| result.value().into_iter().collect());
    observe(call, |observer, memory| {
        observer.after(
            &HostCallEvent {
                module,
                name,
                arguments: &arguments,
                result: values.as_deref(),
            },
            memory,
        );
    });
    outcome.map_err(|failure| failure.0)
}

/// Lends the observer out of the slot while it looks, so that it can be shown the memory of the same store.
fn observe<S>(call: &mut HostCall<'_, S>, look: impl FnOnce(&mut dyn HostCallObserver, &GuestMemory<'_>)) {
    let Some(mut observer) = call.caller.data_mut().observer.take() else {
        return;
    };
    look(observer.as_mut(), &call.memory());
    call.caller.data_mut().observer = Some(observer);
}

impl<S: 'static> Default for Imports<S> {
    fn default() -> Self {
        Self {
            functions: HashMap::new(),
        }
    }
}

impl<S: 'static> Imports<S> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the host function `module`.`name`; a second one of the same name replaces the first.
    pub fn function<P, R, F>(&mut self, module: &'static str, name: &'static str, body: F) -> &mut Self
    where
        R: HostReturn,
        P: HostParameters<S, R>,
        F: Fn(&mut HostCall<'_, S>, P) -> HostResult<R> + Clone + Send + Sync + 'static,
    {
        let function = HostFunction {
            parameters: P::types(),
            results: R::types(),
            define: P::define(module, name, body),
        };
        self.functions.insert((module, name), function);
        self
    }

    /// The names of all functions in the table, by module and name, sorted.
    pub fn names(&self) -> Vec<(&'static str, &'static str)> {
        let mut names: Vec<_> = self.functions.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// The signature of `module`.`name` where the table has it.
    pub(crate) fn signature(&self, engine: &wasmtime::Engine, module: &str, name: &str) -> Option<FuncType> {
        let function = self.find(module, name)?;
        Some(FuncType::new(
            engine,
            function.parameters.iter().cloned(),
            function.results.iter().cloned(),
        ))
    }

    pub(crate) fn define(
        &self,
        linker: &mut Linker<Slot<S>>,
        module: &str,
        name: &str,
    ) -> wasmtime::Result<()> {
        match self.find(module, name) {
            Some(function) => (function.define)(linker),
            None => Ok(()),
        }
    }

    fn find<'a>(&'a self, module: &'a str, name: &'a str) -> Option<&'a HostFunction<S>> {
        // A map with static keys is also one with keys that live as long as these two names, so nothing is copied
        // to look them up.
        let functions: &HashMap<(&str, &str), HostFunction<S>> = &self.functions;
        functions.get(&(module, name))
    }
}
