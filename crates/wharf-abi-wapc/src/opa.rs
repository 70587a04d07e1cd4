//! Policies that OPA compiled from Rego to WebAssembly.
//!
//! A [`Program`] is such a module, linked and looked through once; [`Program::eval`] asks it one question, in an instance of
//! its own that is gone afterwards. The module brings most of Rego with it. What it leaves to its host are some functions
//! ([`names`]) that it calls by numbers, and the host gives them here: in this crate, without a network and without files.
//!
//! The ABI is OPA's, major version 1, as its documentation on WebAssembly has it (“Low-level APIs”). `eval` takes the way of
//! version 1.2, one call of `opa_eval`, where the module has it, and the older one over an evaluation context where not.
//!
//! ```text
//! new    opa_wasm_abi_version, builtins() → {"sprintf": 0, …}, entrypoints() → {"policy/violation": 0, …}
//! eval   opa_malloc, opa_value_parse     the data, as JSON
//!        opa_malloc                      the input, as JSON
//!        opa_eval(…)                     → the results, as JSON: [{"result": …}]
//!          env.opa_builtin2(number, context, argument, argument) → a value, or 0 for undefined
//!            opa_value_dump(argument)    → the argument as text
//!            opa_value_parse(text)       → the result as a value of the guest
//! ```
//!
//! **What is bounded.** A guest may give any pointer, text without an end and lists that are no JSON; each is a typed error
//! ([`ProgramError`], [`EvalError`]). Instances have the plugin's [`Limits`]; one deadline holds for an evaluation with all
//! its calls. Arguments and results of a function have at most 2 MiB as text, the lists of functions and entrypoints 1 MiB.
//!
//! **Where it differs from OPA.** A function that OPA would let run longer or take more ends the evaluation with
//! [`EvalError::Function`] instead of being undefined, since a rule that looks for violations finds none in what is undefined.
//! Strings that are no UTF-8 cannot be given to a function of the host. Time zones are those that are compiled in.

mod builtins;
mod error;
mod guest;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use wharf_engine::{Deadline, Instance, Linked, Module};
use wharf_plugin::Limits;

pub use error::{EvalError, Part, ProgramError, Side};

use builtins::{Builtin, Context, Line};
use guest::State;

/// What a policy is given beside its input and data.
pub trait Host {
    /// The time in nanoseconds since 1970. It is asked for once for an evaluation, so that `time.now_ns` is the same
    /// throughout.
    fn now_ns(&mut self) -> i64;

    /// 32 random bytes, from which `rand.intn` and `uuid.rfc4122` draw for one evaluation.
    fn seed(&mut self) -> [u8; 32];

    /// A line of `print`, or of the module's runtime. The lines of an evaluation come when it is over, at most 64 KiB of
    /// them.
    fn print(&mut self, line: &str);

    /// A line of `trace`, as for [`Host::print`].
    fn trace(&mut self, line: &str);

    /// So many lines of the evaluation were not kept, because there were too many.
    fn lines_dropped(&mut self, count: u64);
}

/// The names of the functions that policies may call, sorted.
pub fn names() -> Vec<&'static str> {
    builtins::names()
}

/// All functions that a policy may import, by module and name, sorted. A memory is imported beside them.
pub fn host_functions() -> Vec<(&'static str, &'static str)> {
    guest::imports().names()
}

/// What a module needs and has, for whoever explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The built-in functions of Rego that it calls, sorted, and whether they are given here.
    pub functions: Vec<(String, bool)>,
    /// Its entrypoints, sorted.
    pub entrypoints: Vec<String>,
}

impl Survey {
    /// Asks a module, as [`Program::new`] does.
    ///
    /// # Errors
    /// Those of [`Program::new`], but for functions that are not given here.
    pub fn of(module: &Module, limits: &Limits) -> Result<Self, ProgramError> {
        let (_, survey) = ask(module, limits, |calls| {
            let functions = guest::functions(calls)?.into_keys();
            Ok(Self {
                functions: functions
                    .map(|name| (builtins::find(&name).is_some(), name))
                    .map(|(given, name)| (name, given))
                    .collect(),
                entrypoints: guest::entrypoints(calls)?.into_keys().collect(),
            })
        })?;
        Ok(survey)
    }
}

/// Links a module and asks it something in an instance of its own.
fn ask<T>(
    module: &Module,
    limits: &Limits,
    question: impl FnOnce(&mut guest::Calls<'_>) -> Result<T, ProgramError>,
) -> Result<(Linked<State>, T), ProgramError> {
    let linked = module.link(&guest::imports(), limits)?;
    let deadline = Deadline::after(limits.startup_deadline);
    let state = State::new(Arc::default(), deadline, 0, [0; 32]);
    let mut instance = linked.instantiate_within(state, deadline.left())?;
    check_version(&mut instance)?;
    let answer = question(&mut guest::Calls::new(&mut instance, deadline)?)?;
    Ok((linked, answer))
}

/// The functions of a policy by the numbers that it calls them by.
type Table = HashMap<i32, &'static Builtin>;

/// A policy that is ready to be asked. It is shared by threads, each of whose evaluations has an instance of its own.
pub struct Program {
    linked: Linked<State>,
    functions: Arc<Table>,
    entrypoints: BTreeMap<String, i32>,
}

impl Program {
    /// Links `module` to be run under `limits`, and asks it for the functions it needs and the entrypoints it has. That runs
    /// the module's start function and some exports in an instance of its own, within the startup deadline.
    ///
    /// # Errors
    /// [`ProgramError`]: the module does not speak this ABI, faults, or needs functions that are not given here, all of which
    /// are named.
    pub fn new(module: &Module, limits: &Limits) -> Result<Self, ProgramError> {
        let (linked, (functions, entrypoints)) = ask(module, limits, |calls| {
            let mut functions = Table::new();
            let mut missing = Vec::new();
            for (name, number) in guest::functions(calls)? {
                match builtins::find(&name) {
                    Some(builtin) => {
                        functions.insert(number, builtin);
                    }
                    None => missing.push(name),
                }
            }
            if !missing.is_empty() {
                return Err(ProgramError::MissingFunctions { names: missing });
            }
            Ok((functions, guest::entrypoints(calls)?))
        })?;
        Ok(Self {
            linked,
            functions: Arc::new(functions),
            entrypoints,
        })
    }

    /// The names of the module's entrypoints, such as `policy/violation`, and their numbers.
    pub fn entrypoints(&self) -> &BTreeMap<String, i32> {
        &self.entrypoints
    }

    /// Evaluates the entrypoint of this name with `input` and `data`, which are JSON texts, and gives the results as a JSON
    /// text: `[{"result": …}]`, or `[]` where the entrypoint is undefined.
    ///
    /// It blocks until the policy has answered or `deadline` has passed, whichever comes first; a function of the host that
    /// is at work then ends soon after. What the policy prints goes to the host when it is over, however it ended.
    ///
    /// # Errors
    /// [`EvalError`], of which each kind says whose fault it is.
    pub fn eval(
        &self,
        entrypoint: &str,
        input: &[u8],
        data: &[u8],
        host: &mut dyn Host,
        deadline: Deadline,
    ) -> Result<Vec<u8>, EvalError> {
        let number = self.entrypoints.get(entrypoint).copied();
        let number = number.ok_or_else(|| EvalError::NoEntrypoint {
            name: entrypoint.to_owned(),
        })?;
        guest::check_json(input, Part::Input)?;
        guest::check_json(data, Part::Data)?;
        let state = State::new(Arc::clone(&self.functions), deadline, host.now_ns(), host.seed());
        let mut instance = self
            .linked
            .instantiate_within(state, deadline.left())
            .map_err(|fault| EvalError::of(fault, deadline))?;
        let answer = guest::Calls::new(&mut instance, deadline)
            .and_then(|mut calls| guest::evaluate(&mut calls, number, input, data));
        let answer = answer.map_err(|problem| guest::explain(&mut instance, problem, deadline));
        tell(host, instance.state_mut().context());
        answer
    }
}

/// Hands over what the policy had to say.
fn tell(host: &mut dyn Host, context: &mut Context) {
    for line in context.lines.take() {
        match line {
            Line::Print(text) => host.print(&text),
            Line::Trace(text) => host.trace(&text),
        }
    }
    if context.lines.dropped > 0 {
        host.lines_dropped(context.lines.dropped);
    }
}

/// A module of another major version has other functions or other arguments. Minor versions only add to them.
fn check_version(instance: &mut Instance<State>) -> Result<(), ProgramError> {
    match instance.global("opa_wasm_abi_version") {
        Some(wharf_engine::Value::I32(1)) => Ok(()),
        found => Err(ProgramError::Version {
            found: match found {
                Some(wharf_engine::Value::I32(version)) => Some(version),
                _ => None,
            },
        }),
    }
}

#[cfg(test)]
mod tests;
