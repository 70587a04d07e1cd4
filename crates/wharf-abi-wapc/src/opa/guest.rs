//! OPA's ABI: the module's exports, what the host gives it, and how values go over.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::IgnoredAny;
use wharf_engine::{
    Deadline, Fault, FaultKind, GuestFunction, GuestMemory, HostCall, HostFailure, HostResult, Imports,
    Instance,
};

use super::builtins::{Context, Failure, Line, MOST_TEXT};
use super::value::{Value, read_json, read_term};
use super::{EvalError, Part, ProgramError, Table};

/// The most bytes of a list of functions or entrypoints.
const MOST_LIST: usize = 1 << 20;

/// The most bytes of what a policy says when it gives up, or in one line; what is longer is cut.
const MOST_MESSAGE: usize = 4 << 10;

/// What an instance has beside its memory.
pub(super) struct State {
    table: Arc<Table>,
    /// What host functions call in the guest; not there before the instance has started.
    functions: Option<Functions>,
    context: Context,
    /// What ended the guest from the host's side, to be told instead of the fault that it became.
    ended: Option<Ended>,
}

/// Why the host ended the guest.
enum Ended {
    Aborted { message: String },
    Function { name: &'static str, failure: Failure },
}

impl State {
    pub(super) fn new(table: Arc<Table>, deadline: Deadline, now_ns: i64, seed: [u8; 32]) -> Self {
        Self {
            table,
            functions: None,
            context: Context::new(deadline, now_ns, seed),
            ended: None,
        }
    }

    pub(super) fn context(&mut self) -> &mut Context {
        &mut self.context
    }
}

/// The exports that values go through.
#[derive(Clone)]
pub(super) struct Functions {
    malloc: GuestFunction<(u32,), u32>,
    free: Option<GuestFunction<(u32,), ()>>,
    /// `opa_value_dump` and `opa_value_parse`, or those for JSON in modules that are older.
    dump: GuestFunction<(u32,), u32>,
    parse: GuestFunction<(u32, u32), u32>,
}

impl Functions {
    fn find(instance: &mut Instance<State>) -> Result<Self, Fault> {
        let dump = match instance.function("opa_value_dump")? {
            Some(dump) => dump,
            None => required(instance, "opa_json_dump")?,
        };
        let parse = match instance.function("opa_value_parse")? {
            Some(parse) => parse,
            None => required(instance, "opa_json_parse")?,
        };
        Ok(Self {
            malloc: required(instance, "opa_malloc")?,
            free: instance.function("opa_free")?,
            dump,
            parse,
        })
    }
}

fn required<P, R>(instance: &mut Instance<State>, name: &'static str) -> Result<GuestFunction<P, R>, Fault>
where
    P: wharf_engine::WasmParams,
    R: wharf_engine::WasmResults,
{
    let function = instance.function(name)?;
    function.ok_or_else(|| Fault::new(FaultKind::MissingExport { name: name.into() }, name))
}

/// What a policy imports: all in `env`.
pub(super) fn imports() -> Imports<State> {
    let mut imports = Imports::new();
    imports
        .function(
            "env",
            "opa_abort",
            |call: &mut HostCall<'_, State>, (message,): (u32,)| -> HostResult<()> {
                let message = message_at(&call.memory(), message);
                call.state().ended = Some(Ended::Aborted { message });
                Err(ended_by_host())
            },
        )
        .function(
            "env",
            "opa_println",
            |call: &mut HostCall<'_, State>, (text,): (u32,)| {
                let text = message_at(&call.memory(), text);
                call.state().context.lines.push(Line::Print(text));
                Ok(())
            },
        )
        .function(
            "env",
            "opa_builtin0",
            |call: &mut HostCall<'_, State>, (number, _): (i32, u32)| builtin(call, number, &[]),
        )
        .function(
            "env",
            "opa_builtin1",
            |call: &mut HostCall<'_, State>, (number, _, a): (i32, u32, u32)| builtin(call, number, &[a]),
        )
        .function(
            "env",
            "opa_builtin2",
            |call: &mut HostCall<'_, State>, (number, _, a, b): (i32, u32, u32, u32)| {
                builtin(call, number, &[a, b])
            },
        )
        .function(
            "env",
            "opa_builtin3",
            |call: &mut HostCall<'_, State>, (number, _, a, b, c): (i32, u32, u32, u32, u32)| {
                builtin(call, number, &[a, b, c])
            },
        )
        .function(
            "env",
            "opa_builtin4",
            |call: &mut HostCall<'_, State>, (number, _, a, b, c, d): (i32, u32, u32, u32, u32, u32)| {
                builtin(call, number, &[a, b, c, d])
            },
        );
    imports
}

/// What stands for the reason that is in the state.
fn ended_by_host() -> HostFailure {
    FaultKind::Trap {
        reason: "the host ended the policy".to_owned(),
    }
    .into()
}

fn bad_guest(reason: impl Into<String>) -> HostFailure {
    FaultKind::BadReply {
        reason: reason.into(),
    }
    .into()
}

/// Calls the function of this number, and gives the address of its result; 0 is undefined.
fn builtin(call: &mut HostCall<'_, State>, number: i32, addresses: &[u32]) -> HostResult<u32> {
    let state = call.state();
    let builtin = state.table.get(&number).copied();
    let builtin =
        builtin.ok_or_else(|| bad_guest(format!("it called a function {number}, which it did not name")))?;
    if builtin.arity != addresses.len() {
        let (name, wanted, given) = (builtin.name, builtin.arity, addresses.len());
        return Err(bad_guest(format!(
            "it called {name} with {given} arguments, and it has {wanted}"
        )));
    }
    let functions = state.functions.clone();
    let functions = functions.ok_or_else(|| bad_guest("it called a function before it had started"))?;
    let end = |call: &mut HostCall<'_, State>, failure| {
        let name = builtin.name;
        call.state().ended = Some(Ended::Function { name, failure });
        ended_by_host()
    };
    let mut room = MOST_TEXT;
    let mut arguments = Vec::with_capacity(addresses.len());
    for address in addresses {
        match argument(call, &functions, *address, &mut room)? {
            Some(argument) => arguments.push(argument),
            None => {
                return Err(end(
                    call,
                    Failure::Limit("its arguments have more than 2MiB together"),
                ));
            }
        }
    }
    let result = match (builtin.run)(&mut call.state().context, &arguments) {
        Ok(result) => result,
        Err(Failure::Undefined) => return Ok(0),
        Err(failure) => return Err(end(call, failure)),
    };
    let text = result.to_term();
    if text.len() > MOST_TEXT {
        return Err(end(call, Failure::Limit("its result has more than 2MiB")));
    }
    hand_over(call, &functions, text.as_bytes())
}

/// The value at an address; `None` where its text has more bytes than there is room for.
fn argument(
    call: &mut HostCall<'_, State>,
    functions: &Functions,
    address: u32,
    room: &mut usize,
) -> HostResult<Option<Value>> {
    let text_at = call.call_guest(&functions.dump, (address,))?;
    let memory = call.memory();
    let text = text(&memory, text_at).map_err(bad_guest)?;
    let Some(rest) = room.checked_sub(text.len()) else {
        return Ok(None);
    };
    *room = rest;
    let value = read_term(text).map_err(|error| {
        let (at, reason) = (error.at, error.reason);
        bad_guest(format!(
            "the argument of a function is no value: byte {at} {reason}"
        ))
    })?;
    if let Some(free) = &functions.free {
        call.call_guest(free, (text_at,))?;
    }
    Ok(Some(value))
}

/// Makes a text a value of the guest.
fn hand_over(call: &mut HostCall<'_, State>, functions: &Functions, text: &[u8]) -> HostResult<u32> {
    let length = u32::try_from(text.len()).map_err(|_| bad_guest("a result is too long for it"))?;
    let address = call.call_guest(&functions.malloc, (length,))?;
    let written = call.memory().write(address, text);
    written.map_err(|error| bad_guest(format!("opa_malloc: {error}")))?;
    let value = call.call_guest(&functions.parse, (address, length))?;
    if let Some(free) = &functions.free {
        call.call_guest(free, (address,))?;
    }
    match value {
        0 => Err(bad_guest("it cannot read the result of a function")),
        value => Ok(value),
    }
}

/// The bytes at an address up to the next zero.
fn text<'m>(memory: &'m GuestMemory<'_>, address: u32) -> Result<&'m [u8], String> {
    let size = u32::try_from(memory.size()).unwrap_or(u32::MAX);
    let rest = size.checked_sub(address).filter(|rest| *rest > 0);
    let rest =
        rest.ok_or_else(|| format!("a text at {address:#x} is outside of its memory of {size} bytes"))?;
    let bytes = memory.read(address, rest).map_err(|error| error.to_string())?;
    let end = bytes.iter().position(|byte| *byte == 0);
    let end = end.ok_or_else(|| format!("a text at {address:#x} has no end"))?;
    Ok(&bytes[..end])
}

/// Something that the policy says, for people.
fn message_at(memory: &GuestMemory<'_>, address: u32) -> String {
    match text(memory, address) {
        Ok(text) => String::from_utf8_lossy(&text[..text.len().min(MOST_MESSAGE)]).into_owned(),
        Err(problem) => format!("({problem})"),
    }
}

/// Calls of one instance within one deadline.
pub(super) struct Calls<'i> {
    instance: &'i mut Instance<State>,
    functions: Functions,
    deadline: Deadline,
}

impl<'i> Calls<'i> {
    pub(super) fn new(instance: &'i mut Instance<State>, deadline: Deadline) -> Result<Self, Fault> {
        let functions = Functions::find(instance)?;
        instance.state_mut().functions = Some(functions.clone());
        Ok(Self {
            instance,
            functions,
            deadline,
        })
    }

    fn call<P, R>(&mut self, function: &GuestFunction<P, R>, parameters: P) -> Result<R, Fault>
    where
        P: wharf_engine::WasmParams,
        R: wharf_engine::WasmResults,
    {
        self.instance.call(function, parameters, self.deadline.left())
    }

    fn call_named<P, R>(&mut self, name: &'static str, parameters: P) -> Result<R, Fault>
    where
        P: wharf_engine::WasmParams,
        R: wharf_engine::WasmResults,
    {
        let function = required(self.instance, name)?;
        self.call(&function, parameters)
    }

    /// Puts some bytes into the guest's memory, and gives their address and length.
    fn put(&mut self, bytes: &[u8]) -> Result<(u32, u32), Fault> {
        let bad = |reason: String| Fault::bad_reply("opa_malloc", reason);
        let length =
            u32::try_from(bytes.len()).map_err(|_| bad("it cannot be given more than 4GiB".to_owned()))?;
        let address = self.call(&self.functions.malloc.clone(), (length,))?;
        let written = self.instance.memory().write(address, bytes);
        written.map_err(|error| bad(error.to_string()))?;
        Ok((address, length))
    }

    /// A value of the guest's, of a JSON text.
    fn put_json(&mut self, json: &[u8]) -> Result<u32, Fault> {
        let (address, length) = self.put(json)?;
        let value = self.call(&self.functions.parse.clone(), (address, length))?;
        if let Some(free) = self.functions.free.clone() {
            self.call(&free, (address,))?;
        }
        match value {
            0 => Err(Fault::bad_reply(
                self.functions.parse.name(),
                "it cannot read a JSON text",
            )),
            value => Ok(value),
        }
    }

    /// A copy of the text at an address that `function` gave.
    fn text(&mut self, function: &'static str, address: u32) -> Result<Vec<u8>, Fault> {
        let memory = self.instance.memory();
        let bytes = text(&memory, address).map_err(|reason| Fault::bad_reply(function, reason))?;
        Ok(bytes.to_vec())
    }
}

/// Evaluates an entrypoint and gives the results as JSON.
pub(super) fn evaluate(
    calls: &mut Calls<'_>,
    entrypoint: i32,
    input: &[u8],
    data: &[u8],
) -> Result<Vec<u8>, Fault> {
    let data = calls.put_json(data)?;
    let results = match calls.instance.function("opa_eval")? {
        Some(eval) => {
            let (input, length) = calls.put(input)?;
            let heap: u32 = calls.call_named("opa_heap_ptr_get", ())?;
            // The first parameter is reserved; the last asks for JSON.
            let parameters = (0_u32, entrypoint, data, input, length, heap, 0_u32);
            let address = calls.call::<(u32, i32, u32, u32, u32, u32, u32), u32>(&eval, parameters)?;
            calls.text("opa_eval", address)?
        }
        None => evaluate_in_context(calls, entrypoint, input, data)?,
    };
    match serde_json::from_slice::<IgnoredAny>(&results) {
        Ok(_) => Ok(results),
        Err(error) => Err(Fault::bad_reply(
            "eval",
            format!("its results are no JSON: {error}"),
        )),
    }
}

/// The way of modules before version 1.2.
fn evaluate_in_context(
    calls: &mut Calls<'_>,
    entrypoint: i32,
    input: &[u8],
    data: u32,
) -> Result<Vec<u8>, Fault> {
    let input = calls.put_json(input)?;
    let context: u32 = calls.call_named("opa_eval_ctx_new", ())?;
    calls.call_named::<_, ()>("opa_eval_ctx_set_input", (context, input))?;
    calls.call_named::<_, ()>("opa_eval_ctx_set_data", (context, data))?;
    calls.call_named::<_, ()>("opa_eval_ctx_set_entrypoint", (context, entrypoint))?;
    calls.call_named::<_, i32>("eval", (context,))?;
    let results: u32 = calls.call_named("opa_eval_ctx_get_result", (context,))?;
    let address: u32 = calls.call_named("opa_json_dump", (results,))?;
    calls.text("opa_json_dump", address)
}

/// The functions that the module wants, by their names.
pub(super) fn functions(calls: &mut Calls<'_>) -> Result<BTreeMap<String, i32>, ProgramError> {
    list(calls, "builtins", "built-in functions")
}

/// The entrypoints that the module has, by their names.
pub(super) fn entrypoints(calls: &mut Calls<'_>) -> Result<BTreeMap<String, i32>, ProgramError> {
    list(calls, "entrypoints", "entrypoints")
}

fn list(
    calls: &mut Calls<'_>,
    function: &'static str,
    list: &'static str,
) -> Result<BTreeMap<String, i32>, ProgramError> {
    let text = list_text(calls, function);
    if let Some(Ended::Aborted { message }) = calls.instance.state_mut().ended.take() {
        return Err(ProgramError::Aborted { message });
    }
    let text = text?;
    let bad = |reason: String| ProgramError::BadList { list, reason };
    if text.len() > MOST_LIST {
        return Err(bad(format!(
            "it has {} bytes, and {MOST_LIST} are the most",
            text.len()
        )));
    }
    let text = str::from_utf8(&text).map_err(|error| bad(error.to_string()))?;
    let Ok(Value::Object(object)) = read_json(text) else {
        return Err(bad("it is no JSON object".to_owned()));
    };
    let mut entries = BTreeMap::new();
    for (name, number) in object {
        let (Value::String(name), Value::Number(number)) = (name, number) else {
            return Err(bad("it has something else than numbers in it".to_owned()));
        };
        let small = number.as_i64().and_then(|number| i32::try_from(number).ok());
        let small = small.ok_or_else(|| bad(format!("the number of {name} is {}", number.text())))?;
        entries.insert(name, small);
    }
    Ok(entries)
}

fn list_text(calls: &mut Calls<'_>, function: &'static str) -> Result<Vec<u8>, Fault> {
    let value: u32 = calls.call_named(function, ())?;
    let address: u32 = calls.call_named("opa_json_dump", (value,))?;
    calls.text(function, address)
}

/// Says that a text is JSON, before the guest is asked to read it.
pub(super) fn check_json(text: &[u8], part: Part) -> Result<(), EvalError> {
    match serde_json::from_slice::<IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(EvalError::NotJson {
            part,
            reason: error.to_string(),
        }),
    }
}

/// What a fault was, with what the host knows of it.
pub(super) fn explain(instance: &mut Instance<State>, fault: Fault, deadline: Deadline) -> EvalError {
    match instance.state_mut().ended.take() {
        Some(Ended::Aborted { message }) => match instance.take_refused_growth() {
            // OPA's allocator gives up by itself where it gets no memory.
            Some(FaultKind::MemoryLimit { limit, requested }) => EvalError::Memory { limit, requested },
            _ => EvalError::Aborted { message },
        },
        Some(Ended::Function { name, failure }) => match failure {
            Failure::Limit(limit) => EvalError::Function { name, limit },
            Failure::Deadline | Failure::Undefined => EvalError::Deadline {
                deadline: deadline.given(),
            },
        },
        None => EvalError::of(fault, deadline),
    }
}
