//! The host functions, one file for each section of the specification.
//!
//! Each is a function over a [`Call`] that gives a [`Reply`]: done, refused with a status and a reason, or failed so
//! that the guest's call ends. A refusal leaves a debug line in the log, in which the function, the reason and the
//! plugin stand; the guest sees the status alone.

mod buffers;
mod configuration;
mod contexts;
mod emscripten;
mod foreign;
mod grpc;
mod headers;
mod http_call;
mod local_response;
mod logging;
mod metrics;
mod properties;
mod shared_data;
mod shared_queues;
mod streams;
#[cfg(test)]
mod tests;
mod time;

use std::borrow::Cow;

use wharf_engine::{FaultKind, HostCall, HostFailure, HostParameters, HostResult, Imports, OutOfBounds};
use wharf_plugin::ProxyWasmVersion;

use crate::headers::HeaderError;
use crate::host::RefusedCall;
use crate::numbers::{LogLevel, Status};
use crate::pairs::PairsError;
use crate::state::State;
use crate::support::{self, HostFunction};

/// A host call under way.
type Call<'a> = HostCall<'a, State>;

/// How a host function ends when it does not answer OK.
enum Refusal {
    /// The guest gets this status, and the log this reason.
    Status(Status, Cow<'static, str>),
    /// The guest's call ends.
    Fault(HostFailure),
}

type Reply = Result<(), Refusal>;

/// Adds all host functions of this version of the ABI, and WASI.
pub(crate) fn add(imports: &mut Imports<State>, version: ProxyWasmVersion) {
    wharf_abi_wasi::add_filter_wasi(imports);
    emscripten::add(imports);
    logging::add(imports, version);
    time::add(imports);
    buffers::add(imports);
    headers::add(imports);
    streams::add(imports, version);
    local_response::add(imports);
    http_call::add(imports);
    grpc::add(imports);
    shared_data::add(imports);
    shared_queues::add(imports);
    metrics::add(imports);
    properties::add(imports);
    foreign::add(imports);
    contexts::add(imports);
    if version == ProxyWasmVersion::V0_1_0 {
        configuration::add(imports);
    }
}

/// The host functions that a filter of this version may import, WASI among them, sorted by module and name, with how
/// far each is there.
pub fn host_functions(version: ProxyWasmVersion) -> Vec<HostFunction> {
    let mut imports = Imports::new();
    add(&mut imports, version);
    let function = |(module, name)| HostFunction {
        module,
        name,
        support: support::of_function(module, name),
    };
    imports.names().into_iter().map(function).collect()
}

/// Adds one function of module `env`.
fn function<P>(
    imports: &mut Imports<State>,
    name: &'static str,
    body: impl Fn(&mut Call<'_>, P) -> Reply + Clone + Send + Sync + 'static,
) where
    P: HostParameters<State, i32> + 'static,
{
    imports.function(
        "env",
        name,
        move |call: &mut Call<'_>, parameters: P| -> HostResult<i32> {
            check_phase(call, name)?;
            match body(call, parameters) {
                Ok(()) => Ok(Status::Ok as i32),
                Err(Refusal::Status(status, reason)) => Ok(refused(call, name, status, &reason)),
                Err(Refusal::Fault(failure)) => Err(failure),
            }
        },
    );
}

/// While the module's own start functions or its allocator run, only logging and WASI are at hand, as in Envoy: a call
/// that needs the allocator again could not be answered.
fn check_phase(call: &mut Call<'_>, name: &'static str) -> HostResult<()> {
    let state = call.state();
    let when = if !state.started {
        "before the module had started"
    } else if state.allocator.is_none() {
        "from inside the guest's own allocator"
    } else {
        return Ok(());
    };
    if name == "proxy_log" || name == "proxy_get_log_level" {
        return Ok(());
    }
    let reason = format!("{name} was called {when}; only logging and WASI can be");
    Err(FaultKind::BadReply { reason }.into())
}

fn refused(call: &mut Call<'_>, name: &'static str, status: Status, reason: &str) -> i32 {
    let state = call.state();
    if state.host.log_level() <= LogLevel::Debug {
        let plugin = state.contexts.plugin_of(state.effective).cloned();
        let refusal = RefusedCall {
            function: name,
            context: state.effective,
            status,
            reason,
        };
        state.host.refused(plugin.as_deref(), &refusal);
    }
    status as i32
}

fn refuse<T>(status: Status, reason: impl Into<Cow<'static, str>>) -> Result<T, Refusal> {
    Err(Refusal::Status(status, reason.into()))
}

/// A reason that takes work to write down, for calls that are often refused and seldom logged.
fn explain(state: &State, reason: impl FnOnce() -> String) -> Cow<'static, str> {
    if state.host.log_level() <= LogLevel::Debug {
        Cow::Owned(reason())
    } else {
        Cow::Borrowed("")
    }
}

/// What a guest gave, as it stands in the log: text with no control characters, and not too much of it.
fn shown(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes[..bytes.len().min(100)].escape_ascii())
}

fn bad_argument<T>(reason: impl Into<Cow<'static, str>>) -> Result<T, Refusal> {
    refuse(Status::BadArgument, reason)
}

/// Says which argument it is that is refused, so that the log's line helps whoever reads it.
trait Named<T> {
    fn named(self, argument: &'static str) -> Result<T, Refusal>;
}

impl<T> Named<T> for Result<T, OutOfBounds> {
    fn named(self, argument: &'static str) -> Result<T, Refusal> {
        self.or_else(|error| refuse(Status::InvalidMemoryAccess, format!("{argument}: {error}")))
    }
}

impl<T> Named<T> for Result<T, PairsError> {
    fn named(self, argument: &'static str) -> Result<T, Refusal> {
        self.or_else(|error| bad_argument(format!("{argument}: {error}")))
    }
}

impl From<HeaderError> for Refusal {
    fn from(error: HeaderError) -> Self {
        Self::Status(Status::BadArgument, error.to_string().into())
    }
}

impl From<HostFailure> for Refusal {
    fn from(failure: HostFailure) -> Self {
        Self::Fault(failure)
    }
}

/// Reads an argument that is text.
fn text(call: &mut Call<'_>, pointer: u32, length: u32, what: &'static str) -> Result<String, Refusal> {
    let memory = call.memory();
    match std::str::from_utf8(memory.read(pointer, length).named(what)?) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => bad_argument(format!("{what} is not UTF-8 text")),
    }
}

/// Asks the guest's allocator for `length` bytes. A guest whose allocator gives 0 gets
/// [`Status::InvalidMemoryAccess`]; a fault in the allocator ends the call.
fn allocate(call: &mut Call<'_>, length: u32) -> Result<u32, Refusal> {
    let Some(allocator) = call.state().allocator.take() else {
        return refuse(Status::InternalFailure, "the guest's allocator is busy");
    };
    let address = call.call_guest(&allocator, length);
    call.state().allocator = Some(allocator);
    match address? {
        0 => refuse(
            Status::InvalidMemoryAccess,
            format!("the guest's allocator gave nothing for {length} bytes"),
        ),
        address => Ok(address),
    }
}

/// Gives the guest `bytes` in memory of its own, and their address and length at the two places that it named. No
/// bytes are address 0, length 0, and no allocation.
///
/// ```text
/// address_out ─► u32le address ─► bytes …        length_out ─► u32le length
/// ```
fn give(call: &mut Call<'_>, bytes: &[u8], address_out: u32, length_out: u32) -> Reply {
    check_places(call, address_out, length_out)?;
    let length = crate::vm::size(bytes.len());
    let address = if bytes.is_empty() {
        0
    } else {
        allocate(call, length)?
    };
    let mut memory = call.memory();
    memory.write(address, bytes).named(ALLOCATED)?;
    memory.write_u32(address_out, address).named(ADDRESS_OUT)?;
    memory.write_u32(length_out, length).named(LENGTH_OUT)?;
    Ok(())
}

/// What the log calls the memory that the guest's allocator gave.
const ALLOCATED: &str = "the memory that the guest's allocator gave";
/// What the log calls the place for an address.
const ADDRESS_OUT: &str = "the place for the address";
/// What the log calls the place for a length.
const LENGTH_OUT: &str = "the place for the length";

/// Tries the places for an answer's address and length before anything is done or allocated.
fn check_places(call: &mut Call<'_>, address_out: u32, length_out: u32) -> Reply {
    check_place(call, address_out, 4, ADDRESS_OUT)?;
    check_place(call, length_out, 4, LENGTH_OUT)
}

/// Tries a place for an answer of so many bytes before anything is done.
fn check_place(call: &mut Call<'_>, place: u32, bytes: usize, what: &'static str) -> Reply {
    call.memory().writable(place, bytes).named(what).map(|_| ())
}

/// How much of the buffer for answers is kept, so that one large answer does not stay in memory for the life of the VM.
const MOST_SCRATCH: usize = 64 << 10;

/// Gives the guest what `fill` writes, by way of a buffer that is kept from call to call.
fn give_filled(
    call: &mut Call<'_>,
    address_out: u32,
    length_out: u32,
    fill: impl FnOnce(&mut State, &mut Vec<u8>) -> Reply,
) -> Reply {
    let mut scratch = std::mem::take(&mut call.state().scratch);
    scratch.clear();
    let outcome =
        fill(call.state(), &mut scratch).and_then(|()| give(call, &scratch, address_out, length_out));
    scratch.shrink_to(MOST_SCRATCH);
    call.state().scratch = scratch;
    outcome
}
