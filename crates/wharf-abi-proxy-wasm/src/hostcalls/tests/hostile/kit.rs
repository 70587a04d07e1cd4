//! The guest's module: it imports every host function that the linker has, exports every callback, and holds good
//! arguments for each function.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use wharf_plugin::ProxyWasmVersion;

use super::catalog::{ENVIRONMENT, Entry, Parameter, catalog};
use crate::shared::Namespace;
use crate::support::{self, Support};
use crate::testing::{FakeHost, SharedWorld, link};
use crate::vm::{Program, StartError, Vm, VmSettings};

/// Where the guest's inputs lie, each function's own.
const INPUTS: u32 = 0x20000;
/// 32 KiB of question marks: the places for answers.
pub(super) const PLACES: u32 = 0x28000;
/// The end of the guest's memory.
pub(super) const END: u32 = 0x30000;
/// Where the good arguments of all functions lie.
pub(super) const ARGUMENTS: usize = 0x2000;
/// Where the answer to the call while the guest starts lies.
const START_ANSWER: u32 = 0x1f00;

/// How the guest comes to make a call while it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Starts {
    /// It makes none.
    Never,
    /// In `_initialize`.
    Initialize,
    /// In `main`, behind `_initialize`.
    Main,
    /// In `_start`.
    Start,
}

/// The guest of one version: its functions, good arguments for each, and its module.
pub(super) struct Kit {
    pub(super) entries: Vec<Entry>,
    /// Good arguments, as they cross the ABI.
    pub(super) good: Vec<Vec<i64>>,
    callbacks: Vec<&'static str>,
    program: Program,
}

impl Kit {
    /// The guest of this version that starts with no call.
    pub(super) fn of(version: ProxyWasmVersion) -> &'static Self {
        static KITS: [OnceLock<Kit>; 3] = [const { OnceLock::new() }; 3];
        let place = ProxyWasmVersion::ALL.iter().position(|other| *other == version);
        KITS[place.unwrap()].get_or_init(|| Self::new(version, Starts::Never))
    }

    pub(super) fn new(version: ProxyWasmVersion, starts: Starts) -> Self {
        let entries = catalog(version);
        let mut inputs = Vec::new();
        let good = entries.iter().map(|entry| good_arguments(entry, &mut inputs));
        let good: Vec<_> = good.collect();
        assert!(inputs.len() <= (PLACES - INPUTS) as usize);
        let callbacks: Vec<_> = support::callbacks(version)
            .into_iter()
            .filter(|callback| !matches!(callback.support, Support::No(_)))
            .collect();
        let names = std::iter::once("allocator").chain(callbacks.iter().map(|callback| callback.name));
        let wat = text(version, &entries, &good, &inputs, &callbacks, starts);
        Self {
            callbacks: names.collect(),
            program: link(&wat, version).unwrap_or_else(|error| panic!("{error}\n{wat}")),
            entries,
            good,
        }
    }

    pub(super) fn index(&self, name: &str) -> usize {
        let found = self.entries.iter().position(|entry| entry.name == name);
        found.unwrap_or_else(|| panic!("this version has no {name}"))
    }

    /// A call with good arguments.
    pub(super) fn good_step(&self, name: &str) -> Step {
        self.good_step_of(self.index(name))
    }

    /// A call with these arguments.
    pub(super) fn step(&self, name: &str, arguments: &[i64]) -> Step {
        Step {
            function: self.index(name),
            arguments: arguments.to_vec(),
        }
    }

    /// The names of the callbacks, behind that of the allocator.
    pub(super) fn callbacks(&self) -> impl Iterator<Item = &'static str> {
        self.callbacks.iter().copied()
    }

    /// A call of the function at this place with good arguments.
    pub(super) fn good_step_of(&self, function: usize) -> Step {
        Step {
            function,
            arguments: self.good[function].clone(),
        }
    }

    /// Starts a VM, in which the function at this place is called while it starts. What that answered comes with it.
    pub(super) fn start(
        &self,
        world: &SharedWorld,
        function: usize,
    ) -> Result<(Vm, Option<i32>), StartError> {
        let mut vm = start(&self.program, world, function)?;
        let memory = vm.instance.memory();
        let has_answer = memory.read_u32(START_ANSWER + 4).unwrap() == 1;
        let answer = has_answer.then(|| memory.read_u32(START_ANSWER).unwrap().cast_signed());
        Ok((vm, answer))
    }
}

/// Starts a VM of any program; its environment names a function.
pub(super) fn start(program: &Program, world: &SharedWorld, function: usize) -> Result<Vm, StartError> {
    let settings = VmSettings {
        namespace: Namespace::Named("vm".into()),
        vm_id: "vm".into(),
        configuration: Bytes::from_static(b"vm configuration"),
        environment: vec![("STEP".into(), format!("{function:04}"))],
    };
    let host = Box::new(FakeHost(world.clone()));
    let mut vm = Vm::new(program, settings, host, Arc::default())?;
    // Machines that run tests may be slow; the tests of deadlines set their own.
    vm.deadline = Duration::from_secs(30);
    Ok(vm)
}

/// Good arguments of a function; what they point to goes to `inputs`.
fn good_arguments(entry: &Entry, inputs: &mut Vec<u8>) -> Vec<i64> {
    let mut place = PLACES;
    let mut input = |bytes: &[u8]| {
        let address = i64::from(INPUTS) + inputs.len() as i64;
        inputs.extend_from_slice(bytes);
        inputs.resize(inputs.len().next_multiple_of(8), b'?');
        address
    };
    let mut next_place = || {
        place += 0x1000;
        i64::from(place)
    };
    let mut arguments = Vec::new();
    for parameter in &entry.parameters {
        match parameter {
            Parameter::In(bytes) => {
                arguments.extend([input(&bytes.good), bytes.good.len() as i64]);
            }
            Parameter::Fill => arguments.extend([next_place(), 16]),
            Parameter::Vectors => {
                let text = input(b"printed\n") as u32;
                let vector = [text.to_le_bytes(), 8_u32.to_le_bytes()].concat();
                arguments.extend([input(&vector), 1]);
            }
            Parameter::Out { .. } => arguments.push(next_place()),
            Parameter::Known { good, .. } | Parameter::Free { good, .. } => arguments.push(*good),
        }
    }
    arguments
}

/// The guest in text form.
fn text(
    version: ProxyWasmVersion,
    entries: &[Entry],
    good: &[Vec<i64>],
    inputs: &[u8],
    callbacks: &[support::Callback],
    starts: Starts,
) -> String {
    let mut out = String::from("(module (type $forward (func (result i32)))\n");
    for entry in entries {
        let (module, name) = (entry.module, entry.name);
        let parameters: String = entry.types().chars().map(wasm_type).collect();
        let result = if entry.good.is_some() { "(result i32)" } else { "" };
        writeln!(
            out,
            r#"(import "{module}" "{name}" (func ${module}.{name} (param{parameters}) {result}))"#
        )
        .unwrap();
    }
    out.push_str(include_str!("machine.wat"));
    for entry in entries {
        out.push_str(&forwarder(entry));
    }
    for (index, callback) in (1..).zip(callbacks) {
        out.push_str(&exported(index, callback));
    }
    out.push_str(match starts {
        Starts::Never => "",
        Starts::Initialize => r#"(func (export "_initialize") (call $start))"#,
        Starts::Main => {
            r#"(func (export "_initialize"))
            (func (export "main") (param i32 i32) (result i32) (call $start) (i32.const 0))"#
        }
        Starts::Start => r#"(func (export "_start") (call $start))"#,
    });
    let elements: String = entries
        .iter()
        .map(|entry| format!(" $do.{}.{}", entry.module, entry.name))
        .collect();
    let marker = format!("proxy_abi_version_{}", version.to_string().replace('.', "_"));
    writeln!(
        out,
        r#"(table funcref (elem{elements})) (func (export "{marker}"))"#
    )
    .unwrap();
    for (index, arguments) in good.iter().enumerate() {
        let bytes: Vec<u8> = arguments
            .iter()
            .flat_map(|argument| argument.to_le_bytes())
            .collect();
        out.push_str(&data(ARGUMENTS + index * 96, &bytes));
    }
    out.push_str(&data(INPUTS as usize, inputs));
    out.push(')');
    out
}

fn wasm_type(letter: char) -> &'static str {
    if letter == 'I' { " i64" } else { " i32" }
}

fn data(at: usize, bytes: &[u8]) -> String {
    let bytes: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const {at}) \"{bytes}\")\n")
}

/// A function that takes its arguments from the step under way.
fn forwarder(entry: &Entry) -> String {
    let name = format!("{}.{}", entry.module, entry.name);
    let arguments: String = (0..)
        .zip(entry.types().chars())
        .map(|(place, letter)| {
            let load = format!("(i64.load offset={} (global.get $arguments))", 8 * place);
            if letter == 'I' {
                load
            } else {
                format!("(i32.wrap_i64 {load})")
            }
        })
        .collect();
    let nothing = if entry.good.is_some() { "" } else { "(i32.const 0)" };
    format!("(func $do.{name} (result i32) (call ${name} {arguments}) {nothing})\n")
}

/// A callback, which runs its script.
fn exported(index: u32, callback: &support::Callback) -> String {
    let (parameters, result) = callback
        .signature
        .split_once(" -> ")
        .unwrap_or((callback.signature, ""));
    let parameters = parameters.trim_matches(['(', ')']).replace(',', "");
    let says_yes = [
        "proxy_on_vm_start",
        "proxy_on_configure",
        "proxy_validate_configuration",
        "proxy_on_done",
    ];
    let default = u32::from(says_yes.contains(&callback.name));
    let run = format!("(call $run (i32.const {index}) (i32.const {default}))");
    let (result, run) = match result {
        "" => (String::new(), format!("(drop {run})")),
        result => (format!("(result {result})"), run),
    };
    let name = callback.name;
    format!("(func (export \"{name}\") (param {parameters}) {result} {run})\n")
}

/// One host call.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) function: usize,
    pub(super) arguments: Vec<i64>,
}

const _: () = assert!(ENVIRONMENT.len() == 10);
