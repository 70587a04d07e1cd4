//! A guest that calls every host function with any arguments, from any callback, from its allocator and while it
//! starts; and the life around it: an exchange, a TCP connection, ticks, call-outs, the end.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use wharf_engine::Fault;
use wharf_plugin::{OnFault, PluginName, ProxyWasmVersion};

use super::catalog::{ENVIRONMENT, Entry, Parameter, catalog};
use super::phases::{Group, Phase};
use crate::chain::{Chain, ChainLimits, Filter, Output, SharedVm};
use crate::context::{Direction, Exchange, GrpcState};
use crate::host::{ContextId, HttpCallResponse, PluginContext};
use crate::numbers::{MetricType, PeerType};
use crate::shared::Namespace;
use crate::support::{self, Support};
use crate::testing::{FakeHost, SharedWorld, contents, link, list};
use crate::vm::{Program, StartError, Vm, VmSettings};

/// Where the guest's inputs lie, each function's own.
const INPUTS: u32 = 0x20000;
/// 32 KiB of question marks: the places for answers.
pub(super) const PLACES: u32 = 0x28000;
/// The end of the guest's memory.
pub(super) const END: u32 = 0x30000;
/// What the guest notes of its script, which tests of its memory leave out.
const NOTES: std::ops::Range<usize> = 0x8000..0x10000;

const ENTRIES: u32 = 0x1000;
const ARGUMENTS: usize = 0x2000;
const STEPS: u32 = 0x8000;
const STEP: u32 = 112;
/// The steps of the allocator, apart from those of the callback that is under way.
const INNER_STEPS: u32 = 0xc000;
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

/// What came of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// What each step gave; `None` where it did not return, or was never reached.
    pub(super) answers: Vec<Option<i32>>,
    /// How the guest ended, where it did.
    pub(super) fault: Option<String>,
    /// What the host was told meanwhile.
    pub(super) told: String,
    /// What came out of the exchange on either side, where the phase is in one.
    pub(super) out: String,
}

/// How the guest's allocator behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allocator {
    /// It runs the script of `allocator`, and gives memory.
    Good,
    Gives(u32),
    Traps,
    Loops,
    Recurses,
    /// It gives a page that it has just got.
    Grows,
    /// It takes all the memory that there is, and traps.
    Hogs,
}

/// A VM of the guest.
pub(super) struct Hostile {
    pub(super) kit: &'static Kit,
    pub(super) vm: SharedVm,
    pub(super) world: SharedWorld,
    pub(super) root: ContextId,
    /// What is done, and the callbacks in which it is.
    armed: Option<(Phase, Vec<Step>)>,
    /// The callbacks whose scripts are there now.
    written: BTreeSet<&'static str>,
    allocator: Allocator,
}

/// What the client and the upstream get of an exchange that nothing disturbs.
pub(super) const UNDISTURBED: &str =
    "request [:method: POST; :path: /; a: 1] \"ping\" [t: 1] response [:status: 200] \"pong\" [u: 2]";

impl Hostile {
    pub(super) fn new(version: ProxyWasmVersion) -> Self {
        let kit = Kit::of(version);
        let world = SharedWorld::new(version);
        let vm = Rc::new(RefCell::new(kit.start(&world, 0).unwrap().0));
        let mut hostile = Self {
            kit,
            vm,
            world,
            root: 0,
            armed: None,
            written: BTreeSet::new(),
            allocator: Allocator::Good,
        };
        hostile.add_plugin().unwrap();
        hostile
    }

    /// A VM that nothing has happened to.
    fn renew(&mut self) {
        let (vm, _) = self.kit.start(&self.world, 0).unwrap();
        self.vm = Rc::new(RefCell::new(vm));
        self.written.clear();
    }

    fn add_plugin(&mut self) -> Result<(), StartError> {
        let added = self.vm.borrow_mut().add_plugin(PluginContext {
            name: PluginName::new("p").unwrap(),
            root_id: "root".into(),
            configuration: Bytes::from_static(b"configuration"),
            allow_on_headers_stop_iteration: false,
        });
        self.root = 1;
        let mut vm = self.vm.borrow_mut();
        vm.instance.memory().write(PLACES, &[b'?'; 0x8000]).unwrap();
        drop(vm);
        added.map(|_| ())
    }

    /// Runs these steps wherever the phase's callback comes, and then what shows that nothing is broken: an exchange through
    /// the same VM, or through a new one where this one has ended.
    pub(super) fn run(&mut self, phase: Phase, steps: Vec<Step>) -> Seen {
        let seen = self.run_once(phase, steps);
        self.serve_the_next(phase.group);
        seen
    }

    /// Without the exchange behind it.
    pub(super) fn run_once(&mut self, phase: Phase, steps: Vec<Step>) -> Seen {
        self.world.take();
        if phase.group == Group::Start {
            self.renew();
            self.set_allocator(self.allocator);
        }
        self.prepare();
        let count = steps.len() as u32;
        self.armed = Some((phase, steps));
        let (mut fault, mut out) = (None, String::new());
        match phase.group {
            Group::Start => {
                self.moment(&[phase.label]);
                fault = self.add_plugin().err().and_then(start_fault);
            }
            Group::Root => self.root_callbacks(),
            Group::Http => out = self.exchange(),
            Group::Tcp => self.connection(),
            Group::End => {
                self.moment(&[phase.label]);
                // A fault is in the VM.
                let _ = self.vm.borrow_mut().shut_down();
            }
        }
        self.armed = None;
        self.moment(&[]);
        let ended = |vm: &Vm| vm.fault().map(|fault| fault.kind().label().to_owned());
        Seen {
            answers: self.answers(STEPS, count),
            fault: fault.or_else(|| ended(&self.vm.borrow())),
            told: self.world.take(),
            out,
        }
    }

    fn answers(&self, steps: u32, count: u32) -> Vec<Option<i32>> {
        let mut vm = self.vm.borrow_mut();
        let memory = vm.instance.memory();
        let answer = |step| {
            let at = steps + step * STEP;
            let is_done = memory.read_u32(at + 4).unwrap() == 1;
            is_done.then(|| memory.read_u32(at + 8).unwrap().cast_signed())
        };
        (0..count).map(answer).collect()
    }

    /// Lets the allocator do these steps before it gives memory.
    pub(super) fn script_allocator(&mut self, steps: &[Step]) {
        let script = encode(steps, 0);
        assert!(script.len() <= 0x4000, "a script has at most 16 KiB");
        self.put(INNER_STEPS, &script);
        self.write_entry("allocator", INNER_STEPS, steps.len() as u32);
    }

    /// What the first steps of the allocator gave.
    pub(super) fn allocator_answers(&self, count: u32) -> Vec<Option<i32>> {
        self.answers(INNER_STEPS, count)
    }

    /// What a callback returns from now on.
    pub(super) fn returns(&mut self, callback: &str, result: u32) {
        let at = self.entry(callback).unwrap();
        self.put(at + 8, &[result.to_le_bytes(), 1_u32.to_le_bytes()].concat());
    }

    /// The next request is served, whatever has happened.
    pub(super) fn serve_the_next(&mut self, group: Group) {
        self.set_allocator(Allocator::Good);
        let is_over = matches!(group, Group::Start | Group::End);
        if is_over || self.vm.borrow().is_faulted() {
            self.renew();
            self.add_plugin().unwrap();
        }
        assert_eq!(self.exchange(), UNDISTURBED, "{}", self.world.take());
    }

    /// Sets up what functions look for: a shared value, a queue with a value in it, a metric, an open gRPC stream.
    fn prepare(&mut self) {
        let root = self.root;
        let mut vm = self.vm.borrow_mut();
        let state = vm.state_mut();
        let namespace = &state.namespace;
        let shared = &state.shared;
        shared
            .data
            .set(namespace, b"key", Bytes::from_static(b"value"), 0)
            .unwrap();
        let queue = shared.queues.register(namespace, b"q", Arc::new(|_| {})).unwrap();
        while shared.queues.dequeue(queue).is_ok() {}
        shared
            .queues
            .enqueue(queue, Bytes::from_static(b"value"))
            .unwrap();
        let plugin = PluginName::new("p").unwrap();
        let metric = shared.metrics.define(&plugin, MetricType::Gauge, b"m").unwrap();
        if state.metrics.is_empty() {
            state.metrics.push(metric);
        }
        state.last_grpc_call = 0;
        state.last_http_call = 0;
        if let Some(root) = state.contexts.root(root) {
            root.calls.clear();
            root.grpc.clear();
            root.grpc.insert(2, GrpcState::default());
        }
    }

    /// Writes the script where it belongs to what comes now, and takes it away where it does not.
    fn moment(&mut self, labels: &[&str]) {
        for callback in std::mem::take(&mut self.written) {
            self.write_entry(callback, 0, 0);
        }
        let Some((phase, steps)) = &self.armed else {
            return;
        };
        if !labels.contains(&phase.label) {
            return;
        }
        let (callback, count) = (phase.callback, steps.len() as u32);
        let stream = self.vm.borrow().state().contexts.stream_ids().last().copied();
        let script = encode(steps, stream.unwrap_or_default());
        assert!(script.len() <= 0x4000, "a script has at most 16 KiB");
        self.put(STEPS, &script);
        self.write_entry(callback, STEPS, count);
        self.written.insert(callback);
    }

    fn entry(&self, callback: &str) -> Option<u32> {
        let index = self.kit.callbacks.iter().position(|other| *other == callback)?;
        Some(ENTRIES + index as u32 * 16)
    }

    fn write_entry(&mut self, callback: &str, steps: u32, count: u32) {
        // A version that does not have the callback never calls it.
        if let Some(at) = self.entry(callback) {
            self.put(at, &[steps.to_le_bytes(), count.to_le_bytes()].concat());
        }
    }

    pub(super) fn set_allocator(&mut self, allocator: Allocator) {
        self.allocator = allocator;
        self.write_entry("allocator", 0, 0);
        let mut vm = self.vm.borrow_mut();
        if vm.is_faulted() {
            return;
        }
        let (mode, address) = match allocator {
            Allocator::Good => (0, 0),
            Allocator::Gives(address) => (1, address),
            Allocator::Traps => (2, 0),
            Allocator::Loops => (3, 0),
            Allocator::Recurses => (4, 0),
            Allocator::Grows => (5, 0),
            Allocator::Hogs => (6, 0),
        };
        let set = vm.instance.function::<(u32, u32), ()>("test_allocator");
        let set = set.unwrap().unwrap();
        let done = vm.instance.call(&set, (mode, address), Duration::from_secs(30));
        done.unwrap();
    }

    /// How often the allocator was asked since it was last set.
    pub(super) fn allocations(&mut self) -> u32 {
        let mut vm = self.vm.borrow_mut();
        let count = vm.instance.function::<(), u32>("test_allocations");
        let count = count.unwrap().unwrap();
        vm.instance.call(&count, (), Duration::from_secs(30)).unwrap()
    }

    /// The guest's memory but for what it notes of its script.
    pub(super) fn memory(&mut self) -> Vec<u8> {
        let mut vm = self.vm.borrow_mut();
        let memory = vm.instance.memory();
        let mut bytes = memory.read(0, memory.size() as u32).unwrap().to_vec();
        bytes[NOTES].fill(0);
        bytes[ENTRIES as usize..ARGUMENTS].fill(0);
        bytes
    }

    pub(super) fn put(&mut self, at: u32, bytes: &[u8]) {
        self.vm.borrow_mut().instance.memory().write(at, bytes).unwrap();
    }
}

/// An argument that stands for the context of the stream that was opened last.
pub(super) const STREAM: i64 = i64::MIN + 7;

/// Steps as they lie in the guest's memory.
fn encode(steps: &[Step], stream: ContextId) -> Vec<u8> {
    let mut script = Vec::new();
    for step in steps {
        script.extend((step.function as u64).to_le_bytes());
        script.extend([0; 8]);
        let named = |argument: &i64| match *argument {
            STREAM => i64::from(stream),
            argument => argument,
        };
        let mut arguments: Vec<i64> = step.arguments.iter().map(named).collect();
        arguments.resize(12, 0);
        script.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
    }
    script
}

impl Hostile {
    fn root_callbacks(&mut self) {
        let root = self.root;
        let vm = Rc::clone(&self.vm);
        // A fault ends what comes behind it, and is in the VM.
        let _ = self.each([
            ("tick", &|| vm.borrow_mut().on_tick(root)),
            ("queue ready", &|| vm.borrow_mut().on_queue_ready(root, 1)),
            ("foreign function", &|| {
                vm.borrow_mut()
                    .on_foreign_function(root, 7, Bytes::from_static(b"arguments"))
            }),
            ("answer", &|| answer(&vm, root, true)),
            ("no answer", &|| answer(&vm, root, false)),
            ("grpc metadata", &|| {
                vm.borrow_mut()
                    .on_grpc_initial_metadata(root, 2, list(&[("g", "1")]))
            }),
            ("grpc message", &|| {
                vm.borrow_mut()
                    .on_grpc_message(root, 2, Bytes::from_static(b"grpc"))
            }),
            ("grpc trailers", &|| {
                vm.borrow_mut()
                    .on_grpc_trailing_metadata(root, 2, list(&[("h", "1")]))
            }),
            ("grpc close", &|| {
                vm.borrow_mut().on_grpc_close(root, 2, 13, "broken".into())
            }),
        ]);
    }

    fn each<const N: usize>(
        &mut self,
        moments: [(&str, &dyn Fn() -> Result<(), Fault>); N],
    ) -> Result<(), Fault> {
        for (label, work) in moments {
            self.moment(&[label]);
            work()?;
        }
        Ok(())
    }

    /// A whole exchange through the filter. Says what came out on either side.
    pub(super) fn exchange(&mut self) -> String {
        let filter = Filter {
            vm: Rc::clone(&self.vm),
            root: self.root,
            on_fault: OnFault::Closed,
        };
        let exchange = Exchange::new(Box::new(()));
        let mut chain = Chain::new(
            [Ok(filter)],
            Rc::new(RefCell::new(exchange)),
            ChainLimits::default(),
        );
        let mut out = Vec::new();
        let (request, response) = (Direction::Request, Direction::Response);
        self.moment(&["stream", "request headers"]);
        chain.headers(
            request,
            list(&[(":method", "POST"), (":path", "/"), ("a", "1")]),
            false,
        );
        drain(&mut chain, &mut out);
        self.tick(&mut chain, "tick in the request", &mut out);
        self.moment(&["request body"]);
        chain.data(request, Bytes::from_static(b"ping"), false);
        drain(&mut chain, &mut out);
        self.moment(&["request trailers"]);
        chain.trailers(request, list(&[("t", "1")]));
        drain(&mut chain, &mut out);
        self.moment(&["response headers"]);
        chain.headers(response, list(&[(":status", "200")]), false);
        drain(&mut chain, &mut out);
        self.moment(&["response body"]);
        chain.data(response, Bytes::from_static(b"pong"), false);
        drain(&mut chain, &mut out);
        self.tick(&mut chain, "tick in the response", &mut out);
        self.moment(&["response trailers"]);
        chain.trailers(response, list(&[("u", "2")]));
        drain(&mut chain, &mut out);
        self.tick(&mut chain, "tick behind the response", &mut out);
        self.moment(&["done", "log", "delete"]);
        chain.finish();
        out.join(" ")
    }

    /// A tick in the middle of an exchange, where the script is for it.
    fn tick(&mut self, chain: &mut Chain, label: &str, out: &mut Vec<String>) {
        if self.armed.as_ref().is_some_and(|(phase, _)| phase.label == label) {
            self.moment(&[label]);
            // A fault is in the VM.
            let _ = self.vm.borrow_mut().on_tick(self.root);
            chain.poll();
            drain(chain, out);
        }
    }

    fn connection(&mut self) {
        // A fault is in the VM.
        let _ = self.try_connection();
    }

    fn try_connection(&mut self) -> Result<(), Fault> {
        self.moment(&["connection"]);
        let vm = Rc::clone(&self.vm);
        let stream = vm.borrow_mut().open_tcp_stream(self.root, Box::new(()))?;
        self.moment(&["new connection"]);
        vm.borrow_mut().on_new_connection(stream)?;
        self.moment(&["downstream data"]);
        vm.borrow_mut()
            .on_downstream_data(stream, Bytes::from_static(b"up"), false)?;
        self.moment(&["upstream data"]);
        vm.borrow_mut()
            .on_upstream_data(stream, Bytes::from_static(b"down"), false)?;
        vm.borrow_mut().take_downstream(stream);
        vm.borrow_mut().take_upstream(stream);
        self.moment(&["downstream close"]);
        vm.borrow_mut()
            .on_downstream_connection_close(stream, PeerType::Remote)?;
        self.moment(&["upstream close"]);
        vm.borrow_mut()
            .on_upstream_connection_close(stream, PeerType::Local)?;
        self.moment(&["connection done"]);
        vm.borrow_mut().take_signals(stream);
        vm.borrow_mut().close_stream(stream)
    }
}

/// The answer to a call-out, or that there is none.
fn answer(vm: &SharedVm, root: ContextId, has_answer: bool) -> Result<(), Fault> {
    let mut vm = vm.borrow_mut();
    if let Some(context) = vm.state_mut().contexts.root(root) {
        context.calls.insert(4242);
    }
    let response = has_answer.then(|| HttpCallResponse {
        headers: list(&[(":status", "200")]),
        body: Bytes::from_static(b"answer"),
        trailers: list(&[("v", "3")]),
    });
    vm.on_http_call_response(root, 4242, response)
}

fn start_fault(error: StartError) -> Option<String> {
    match error {
        StartError::Fault(fault) => Some(fault.kind().label().to_owned()),
        other => Some(other.to_string()),
    }
}

fn drain(chain: &mut Chain, out: &mut Vec<String>) {
    while let Some(output) = chain.next_output() {
        let line = match output {
            Output::Headers { direction, .. } => {
                let exchange = chain.exchange().borrow();
                let (name, headers) = match direction {
                    Direction::Request => ("request", &exchange.request_headers),
                    Direction::Response => ("response", &exchange.response_headers),
                };
                let headers = headers.as_ref().map(crate::testing::header_text);
                format!("{name} [{}]", headers.unwrap_or_default())
            }
            Output::Data { body, .. } => format!("\"{}\"", contents(body).escape_ascii()),
            Output::Trailers { direction } => {
                let exchange = chain.exchange().borrow();
                let trailers = match direction {
                    Direction::Request => &exchange.request_trailers,
                    Direction::Response => &exchange.response_trailers,
                };
                let trailers = trailers.as_ref().map(crate::testing::header_text);
                format!("[{}]", trailers.unwrap_or_default())
            }
            Output::Answered { details } => format!("answered ({details})"),
            Output::Reset(reason) => format!("reset ({reason:?})"),
        };
        out.push(line);
    }
}

const _: () = assert!(ENVIRONMENT.len() == 10);
