//! A VM of the guest that calls whatever it is told, from any callback and from its allocator.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wharf_plugin::{PluginName, ProxyWasmVersion};

use super::kit::{ARGUMENTS, Kit, PLACES, Step};
use super::life::UNDISTURBED;
use super::phases::{Group, Phase};
use crate::chain::SharedVm;
use crate::context::GrpcState;
use crate::host::{ContextId, PluginContext};
use crate::numbers::MetricType;
use crate::shared::QueueListener;
use crate::testing::SharedWorld;
use crate::vm::{StartError, Vm};

/// What the guest notes of its script, which tests of its memory leave out.
const NOTES: std::ops::Range<usize> = 0x8000..0x10000;

const ENTRIES: u32 = 0x1000;
const STEPS: u32 = 0x8000;
const STEP: u32 = 112;
/// The steps of the allocator, apart from those of the callback that is under way.
const INNER_STEPS: u32 = 0xc000;

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
    /// What is done, and where.
    pub(super) armed: Option<(Phase, Vec<Step>)>,
    /// The callbacks whose scripts are there now.
    written: BTreeSet<&'static str>,
    allocator: Allocator,
}

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
        let nobody: QueueListener = Arc::new(|_| {});
        let queue = shared.queues.register(namespace, b"q", &nobody).unwrap();
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
    pub(super) fn moment(&mut self, labels: &[&str]) {
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
        let index = self.kit.callbacks().position(|other| other == callback)?;
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

fn start_fault(error: StartError) -> Option<String> {
    match error {
        StartError::Fault(fault) => Some(fault.kind().label().to_owned()),
        other => Some(other.to_string()),
    }
}
