//! The host functions of module `wapc`.

use wharf_engine::{FaultKind, GuestMemory, HostCall, HostFailure, HostResult, Imports};

use super::assemblyscript;
use super::host;
use super::state::State;

/// The most bytes of a binding's, a namespace's or an operation's name.
const MOST_NAME: u32 = 1024;

type Call<'a> = HostCall<'a, State>;

/// Adds all that a waPC guest may import.
pub(super) fn add(imports: &mut Imports<State>) {
    wharf_abi_wasi::add_filter_wasi(imports);
    assemblyscript::add(imports);
    imports
        .function("wapc", "__guest_request", guest_request)
        .function("wapc", "__guest_response", guest_response)
        .function("wapc", "__guest_error", guest_error)
        .function("wapc", "__host_call", host_call)
        .function("wapc", "__host_response_len", host_response_len)
        .function("wapc", "__host_response", host_response)
        .function("wapc", "__host_error_len", host_error_len)
        .function("wapc", "__host_error", host_error)
        .function("wapc", "__console_log", console_log);
}

/// All functions that a waPC guest may import, WASI among them, by module and name, sorted.
pub fn host_functions() -> Vec<(&'static str, &'static str)> {
    let mut imports = Imports::new();
    add(&mut imports);
    imports.names()
}

/// `__guest_request(op_ptr, ptr)`: the operation's name and the payload, whose lengths `__guest_call` was given.
///
/// While the guest starts there is no request, and nothing is written. Either place out of the memory is a fault, and
/// nothing is written then.
fn guest_request(call: &mut Call<'_>, (op_ptr, ptr): (u32, u32)) -> HostResult<()> {
    const NAME: &str = "__guest_request";
    let (mut memory, state) = call.memory_and_state();
    let Some((operation, payload)) = &state.request else {
        return Ok(());
    };
    check(
        &mut memory,
        NAME,
        "the place for the operation",
        op_ptr,
        operation.len(),
    )?;
    check(&mut memory, NAME, "the place for the payload", ptr, payload.len())?;
    put(&mut memory, NAME, op_ptr, operation.as_bytes())?;
    put(&mut memory, NAME, ptr, payload)
}

/// `__guest_response(ptr, len)`: the guest's answer; a later one replaces it.
///
/// An answer that is not inside the memory or larger than the guest may give is a fault.
fn guest_response(call: &mut Call<'_>, (ptr, len): (u32, u32)) -> HostResult<()> {
    const NAME: &str = "__guest_response";
    let (memory, state) = call.memory_and_state();
    let most = state.limits.response;
    if u64::from(len) > most.bytes() {
        return Err(bad(format!(
            "{NAME}: an answer of {len} bytes, where at most {most} are taken"
        )));
    }
    state.response = Some(read(&memory, NAME, "the answer", ptr, len)?.to_vec());
    Ok(())
}

/// `__guest_error(ptr, len)`: the guest's error text; a later one replaces it. What is too long is cut.
///
/// A text that is not inside the memory is a fault.
fn guest_error(call: &mut Call<'_>, (ptr, len): (u32, u32)) -> HostResult<()> {
    let (memory, state) = call.memory_and_state();
    let bytes = read(&memory, "__guest_error", "the text", ptr, len)?;
    state.error = Some(state.limits.text_of(bytes));
    Ok(())
}

/// `__host_call(bd_ptr, bd_len, ns_ptr, ns_len, op_ptr, op_len, ptr, len) -> i32`: calls the host.
///
/// * `bd`, `ns`, `op`: the names of the binding, the namespace and the operation, as UTF-8.
/// * `ptr`, `len`: the payload.
///
/// Gives 1 and keeps the answer for `__host_response`, or 0 and keeps the text for `__host_error`. What an earlier host
/// call left is forgotten first. A name that is not text or too long and a payload that is too large are errors that the
/// guest is told of; a range that is not inside the memory is a fault.
fn host_call(
    call: &mut Call<'_>,
    (bd_ptr, bd_len, ns_ptr, ns_len, op_ptr, op_len, ptr, len): (u32, u32, u32, u32, u32, u32, u32, u32),
) -> HostResult<u32> {
    const NAME: &str = "__host_call";
    let (memory, state) = call.memory_and_state();
    state.host_response = None;
    state.host_error = None;
    let binding = read(&memory, NAME, "the binding", bd_ptr, bd_len)?;
    let namespace = read(&memory, NAME, "the namespace", ns_ptr, ns_len)?;
    let operation = read(&memory, NAME, "the operation", op_ptr, op_len)?;
    let payload = read(&memory, NAME, "the payload", ptr, len)?;
    match ask(state, binding, namespace, operation, payload) {
        Ok(answer) => {
            state.host_response = Some(answer);
            Ok(1)
        }
        Err(text) => {
            state.host_error = Some(state.limits.cut(text));
            Ok(0)
        }
    }
}

/// Puts a host call to the host, once it is known to be within bounds, and so its answer.
fn ask(
    state: &mut State,
    binding: &[u8],
    namespace: &[u8],
    operation: &[u8],
    payload: &[u8],
) -> Result<Vec<u8>, String> {
    let most = state.limits.host_request;
    if payload.len() as u64 > most.bytes() {
        return Err(format!(
            "the payload of the host call has {} bytes, and at most {most} are taken",
            payload.len()
        ));
    }
    let call = host::HostCall {
        binding: name("binding", binding)?,
        namespace: name("namespace", namespace)?,
        operation: name("operation", operation)?,
        payload,
        deadline: state.deadline,
    };
    let answer = state.host.host_call(&call)?;
    let most = state.limits.host_response;
    if answer.len() as u64 > most.bytes() {
        return Err(format!(
            "the host's answer has {} bytes, and a guest is given at most {most}",
            answer.len()
        ));
    }
    Ok(answer)
}

fn name<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str, String> {
    if bytes.len() > MOST_NAME as usize {
        return Err(format!(
            "the {what}'s name has {} bytes, and at most {MOST_NAME} are taken",
            bytes.len()
        ));
    }
    std::str::from_utf8(bytes).map_err(|_| format!("the {what}'s name is not UTF-8 text"))
}

/// `__host_response_len() -> i32`: the size of the host's answer; 0 where there is none.
fn host_response_len(call: &mut Call<'_>, (): ()) -> HostResult<u32> {
    Ok(length(call.state().host_response.as_deref()))
}

/// `__host_response(ptr)`: writes the host's answer; nothing where there is none. A place that is not inside the memory is
/// a fault.
fn host_response(call: &mut Call<'_>, (ptr,): (u32,)) -> HostResult<()> {
    let (mut memory, state) = call.memory_and_state();
    match &state.host_response {
        Some(answer) => put(&mut memory, "__host_response", ptr, answer),
        None => Ok(()),
    }
}

/// `__host_error_len() -> i32`: the size of the host's error text; 0 where there is none.
fn host_error_len(call: &mut Call<'_>, (): ()) -> HostResult<u32> {
    Ok(length(call.state().host_error.as_deref().map(str::as_bytes)))
}

/// `__host_error(ptr)`: writes the host's error text; nothing where there is none. A place that is not inside the memory
/// is a fault.
fn host_error(call: &mut Call<'_>, (ptr,): (u32,)) -> HostResult<()> {
    let (mut memory, state) = call.memory_and_state();
    match &state.host_error {
        Some(text) => put(&mut memory, "__host_error", ptr, text.as_bytes()),
        None => Ok(()),
    }
}

/// `__console_log(ptr, len)`: a line for the log. What is too long is cut; a text that is not inside the memory is a fault.
fn console_log(call: &mut Call<'_>, (ptr, len): (u32, u32)) -> HostResult<()> {
    let (memory, state) = call.memory_and_state();
    let bytes = read(&memory, "__console_log", "the text", ptr, len)?;
    let text = state.limits.text_of(bytes);
    state.host.console_log(&text);
    Ok(())
}

/// The size of what the host keeps, which is bounded far below what fits.
fn length(bytes: Option<&[u8]>) -> u32 {
    bytes.map_or(0, |bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX))
}

fn bad(reason: String) -> HostFailure {
    FaultKind::BadReply { reason }.into()
}

fn read<'a>(
    memory: &'a GuestMemory<'_>,
    function: &str,
    argument: &str,
    ptr: u32,
    len: u32,
) -> HostResult<&'a [u8]> {
    memory
        .read(ptr, len)
        .map_err(|error| bad(format!("{function}: {argument}: {error}")))
}

fn check(
    memory: &mut GuestMemory<'_>,
    function: &str,
    argument: &str,
    ptr: u32,
    length: usize,
) -> HostResult<()> {
    memory
        .writable(ptr, length)
        .map(|_| ())
        .map_err(|error| bad(format!("{function}: {argument}: {error}")))
}

fn put(memory: &mut GuestMemory<'_>, function: &str, ptr: u32, bytes: &[u8]) -> HostResult<()> {
    memory
        .write(ptr, bytes)
        .map_err(|error| bad(format!("{function}: the place for it: {error}")))
}
