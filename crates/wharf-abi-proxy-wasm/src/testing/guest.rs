//! A guest that forwards to every host function, from whatever callback its script says.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use wharf_engine::{Engine, EngineSettings, Module};
use wharf_plugin::{Limits, PluginName, ProxyWasmVersion, Reference, VerifiedArtifact};

use super::host::{FakeHost, FakeProperties, SharedWorld, Trace};
use super::script::{Argument, Callback, Script, Turn, args, call, turn};
use super::wat::scripted_guest;
use super::{END, FREE, OUT};
use crate::body::Body;
use crate::context::{Direction, Exchange, SharedExchange};
use crate::headers::HeaderList;
use crate::host::{ContextId, PluginContext};
use crate::pairs;
use crate::shared::{Namespace, Shared};
use crate::vm::{Program, Vm, VmSettings};

/// How the guest's allocator behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Allocator {
    Bump,
    GivesNothing,
    Gives(u32),
    Traps,
    AsksTheTime,
    Logs,
}

/// How a guest is started.
pub(crate) struct GuestOptions {
    pub(crate) version: ProxyWasmVersion,
    pub(crate) name: &'static str,
    pub(crate) deadline: Duration,
    pub(crate) shared: Arc<Shared>,
    pub(crate) vm_id: &'static str,
    pub(crate) configuration: &'static str,
    pub(crate) vm_configuration: &'static str,
    pub(crate) allow_on_headers_stop_iteration: bool,
}

impl Default for GuestOptions {
    fn default() -> Self {
        Self {
            version: ProxyWasmVersion::V0_2_1,
            name: "p",
            // Machines that run tests may be slow; the tests of deadlines set their own.
            deadline: Duration::from_secs(30),
            shared: Arc::default(),
            vm_id: "vm",
            configuration: "",
            vm_configuration: "",
            allow_on_headers_stop_iteration: false,
        }
    }
}

/// A VM of the scripted guest, and what happens around it.
pub(crate) struct Guest {
    pub(crate) vm: Vm,
    pub(crate) world: SharedWorld,
    /// The first plugin.
    pub(crate) root: ContextId,
    version: ProxyWasmVersion,
    script: Script,
    last_stream: ContextId,
}

impl Guest {
    pub(crate) fn new(version: ProxyWasmVersion) -> Self {
        Self::with(GuestOptions {
            version,
            ..GuestOptions::default()
        })
    }

    /// A guest with one plugin and question marks in its memory. What has happened up to here is forgotten.
    pub(crate) fn with(options: GuestOptions) -> Self {
        let version = options.version;
        let world = SharedWorld::new(version);
        let plugin = plugin(&options);
        let mut vm = start(options, &world);
        let root = vm.add_plugin(plugin).unwrap();
        vm.instance.observe(Some(Box::new(Trace(world.clone()))));
        world.take();
        Self {
            vm,
            world,
            root,
            version,
            script: Script::default(),
            last_stream: 0,
        }
    }

    /// Puts bytes into the guest's memory.
    pub(crate) fn put(&mut self, at: u32, bytes: &[u8]) {
        self.vm.instance.memory().write(at, bytes).unwrap();
    }

    /// Opens an HTTP stream.
    pub(crate) fn open(&mut self) -> (ContextId, SharedExchange) {
        let exchange: SharedExchange =
            std::rc::Rc::new(RefCell::new(Exchange::new(Box::new(FakeProperties))));
        let stream = self.vm.open_http_stream(self.root, exchange.clone()).unwrap();
        self.last_stream = stream;
        (stream, exchange)
    }

    /// The stream that was opened last.
    pub(crate) fn last_stream(&self) -> ContextId {
        self.last_stream
    }

    /// Lets the guest do this whenever a callback comes.
    pub(crate) fn set_turn(&mut self, callback: Callback, turn: Turn) {
        self.script.set(callback, vec![turn]);
        write_script(&mut self.vm, self.root, &self.script, self.version);
    }

    /// Lets the second plugin of the VM do this, which may not be there yet.
    pub(crate) fn set_second(&mut self, callback: Callback, turn: Turn) {
        let mut script = Script::default();
        script.set(callback, vec![turn]);
        write_script(&mut self.vm, 2, &script, self.version);
    }

    /// Makes one host call from a tick, with a stream as the effective context.
    pub(crate) fn call_on(
        &mut self,
        stream: ContextId,
        function: &'static str,
        arguments: Vec<Argument>,
    ) -> String {
        let steps = [
            call("proxy_set_effective_context", args![stream]),
            call(function, arguments),
        ];
        self.set_turn(Callback::Tick, turn(0, steps));
        let before = self.memory();
        let _ = self.vm.on_tick(self.root);
        let seen = self.world.take() + &changes(&before, &self.memory());
        self.disarm(Callback::Tick);
        seen
    }

    /// Lets the guest make one host call when this callback comes next, and from then on.
    pub(crate) fn arm(&mut self, callback: Callback, function: &'static str, arguments: Vec<Argument>) {
        self.script.set(
            callback,
            vec![turn(self.result_of(callback), [call(function, arguments)])],
        );
        write_script(&mut self.vm, self.root, &self.script, self.version);
    }

    /// Lets the guest do nothing in this callback.
    pub(crate) fn disarm(&mut self, callback: Callback) {
        self.script
            .set(callback, vec![turn(self.result_of(callback), [])]);
        write_script(&mut self.vm, self.root, &self.script, self.version);
    }

    fn result_of(&self, callback: Callback) -> u32 {
        callback.export().2.unwrap_or(0)
    }

    /// Makes one host call from a tick, and says what was seen of it: the call, the log, and what it changed in memory.
    pub(crate) fn call(&mut self, function: &'static str, arguments: Vec<Argument>) -> String {
        self.call_in(Callback::Tick, function, arguments, |guest| {
            let root = guest.root;
            let _ = guest.vm.on_tick(root);
        })
    }

    /// The same from another callback, which `drive` brings about.
    pub(crate) fn call_in(
        &mut self,
        callback: Callback,
        function: &'static str,
        arguments: Vec<Argument>,
        drive: impl FnOnce(&mut Self),
    ) -> String {
        self.arm(callback, function, arguments);
        let before = self.memory();
        drive(self);
        let mut seen = self.world.take();
        seen.push_str(&changes(&before, &self.memory()));
        if !self.vm.is_faulted() {
            self.disarm(callback);
        }
        seen
    }

    /// A call from request headers of a stream that is opened for it, with `headers`.
    pub(crate) fn call_in_request_headers(
        &mut self,
        headers: &[(&'static str, &'static str)],
        function: &'static str,
        arguments: Vec<Argument>,
    ) -> (String, SharedExchange) {
        let (stream, exchange) = self.open();
        exchange.borrow_mut().request_headers = Some(list(headers));
        let seen = self.call_in(Callback::RequestHeaders, function, arguments, |guest| {
            let _ = guest.vm.on_headers(stream, Direction::Request, false);
        });
        (seen, exchange)
    }

    /// A call from the request body callback of a stream that is opened for it. The body as it is then comes back.
    pub(crate) fn call_in_request_body(
        &mut self,
        body: &'static str,
        end_of_stream: bool,
        function: &'static str,
        arguments: Vec<Argument>,
    ) -> (String, Body) {
        let body = Body::from(Bytes::from_static(body.as_bytes()));
        self.call_in_body(body, end_of_stream, function, arguments)
    }

    /// The same with a body of any size.
    pub(crate) fn call_in_body(
        &mut self,
        body: Body,
        end_of_stream: bool,
        function: &'static str,
        arguments: Vec<Argument>,
    ) -> (String, Body) {
        let (stream, exchange) = self.open();
        exchange.borrow_mut().request_headers = Some(list(&[("a", "1")]));
        let request = Direction::Request;
        self.vm.with_view(stream, request, |view| view.body = body);
        let seen = self.call_in(Callback::RequestBody, function, arguments, |guest| {
            let _ = guest.vm.on_body(stream, request, end_of_stream);
        });
        let body = self
            .vm
            .with_view(stream, request, |view| std::mem::take(&mut view.body));
        (seen, body)
    }

    /// A call while a second plugin is added to the VM.
    pub(crate) fn call_in_second_plugin(
        &mut self,
        callback: Callback,
        configuration: &'static str,
        function: &'static str,
        arguments: Vec<Argument>,
    ) -> String {
        self.set_second(callback, turn(1, [call(function, arguments)]));
        let before = self.memory();
        let plugin = plugin(&GuestOptions {
            name: "second",
            configuration,
            ..GuestOptions::default()
        });
        let added = self.vm.add_plugin(plugin);
        let seen = self.world.take() + &changes(&before, &self.memory());
        assert_eq!(added.ok(), Some(2), "{seen}");
        seen
    }

    /// Starts an HTTP call-out and gives its id.
    pub(crate) fn call_out(&mut self) -> u32 {
        let mut headers = Vec::new();
        let wanted = [
            (&b":method"[..], &b"GET"[..]),
            (b":path", b"/"),
            (b":authority", b"up"),
        ];
        pairs::encode(wanted.into_iter(), &mut headers);
        self.call("proxy_http_call", args!["up", headers, "", "", 1000, OUT]);
        let call = self.world.lock().http_call.take();
        call.expect("the host has taken it").id
    }

    pub(crate) fn set_allocator(&mut self, allocator: Allocator) {
        let (mode, address) = match allocator {
            Allocator::Bump => (0, 0),
            Allocator::GivesNothing => (1, 0),
            Allocator::Gives(address) => (2, address),
            Allocator::Traps => (3, 0),
            Allocator::AsksTheTime => (4, 0),
            Allocator::Logs => (5, 0),
        };
        let set = self.vm.instance.function::<(u32, u32), ()>("test_allocator");
        let set = set.unwrap().unwrap();
        self.vm
            .instance
            .call(&set, (mode, address), Duration::from_secs(30))
            .unwrap();
    }

    /// Lets the guest announce each callback from now on, instead of having its host calls traced.
    pub(crate) fn announce(&mut self) {
        self.vm.instance.observe(None);
        announce(&mut self.vm);
    }

    fn memory(&mut self) -> Vec<u8> {
        let memory = self.vm.instance.memory();
        memory.read(0, memory.size() as u32).unwrap().to_vec()
    }
}

pub(crate) fn list(headers: &[(&'static str, &'static str)]) -> HeaderList {
    headers.iter().copied().collect()
}

/// Makes a VM of the scripted guest with question marks in its memory, and no plugin in it yet.
pub(crate) fn start(options: GuestOptions, world: &SharedWorld) -> Vm {
    let limits = Limits {
        deadline: options.deadline,
        startup_deadline: options.deadline,
        ..Limits::default()
    };
    let settings = VmSettings {
        namespace: Namespace::Named(options.vm_id.into()),
        vm_id: options.vm_id.into(),
        configuration: Bytes::from_static(options.vm_configuration.as_bytes()),
        environment: Vec::new(),
    };
    let host = Box::new(FakeHost(world.clone()));
    let program = Program::new(&module(options.version), options.version, &limits).unwrap();
    let mut vm = Vm::new(&program, settings, host, options.shared).unwrap();
    for page in [0, FREE] {
        vm.instance.memory().write(page, &[b'?'; 0x10000]).unwrap();
    }
    vm
}

pub(crate) fn plugin(options: &GuestOptions) -> PluginContext {
    PluginContext {
        name: PluginName::new(options.name).unwrap(),
        root_id: "root id".into(),
        configuration: Bytes::from_static(options.configuration.as_bytes()),
        allow_on_headers_stop_iteration: options.allow_on_headers_stop_iteration,
    }
}

pub(crate) fn announce(vm: &mut Vm) {
    let announce = vm.instance.function::<(), ()>("test_announce").unwrap().unwrap();
    vm.instance.call(&announce, (), Duration::from_secs(30)).unwrap();
}

/// Puts the script of the first or second root where the guest looks for it.
pub(crate) fn write_script(vm: &mut Vm, root: ContextId, script: &Script, version: ProxyWasmVersion) {
    assert!(root == 1 || root == 2, "only two plugins of a guest have scripts");
    let base = root << 16;
    let bytes = script.encode(base, version);
    vm.instance.memory().write(base, &bytes).unwrap();
}

/// What differs between two images of the memory, but for the counters of callbacks, which are the guest's own.
fn changes(before: &[u8], after: &[u8]) -> String {
    let mut out = String::new();
    let differs = |at: usize| before[at] != after[at] && !(0x30000..0x40000).contains(&at);
    let mut at = 0;
    while at < before.len() {
        // Most of the memory is the same, and is passed over by the page.
        let page = at..(at + 4096).min(before.len());
        if before[page.clone()] == after[page.clone()] {
            at = page.end;
            continue;
        }
        if !differs(at) {
            at += 1;
            continue;
        }
        // Bytes that happen to be the same stand between others that were written.
        let mut end = at + 1;
        while let Some(more) = (end..(end + 8).min(before.len())).rfind(|next| differs(*next)) {
            end = more + 1;
        }
        let (old, new) = (before[at..end].escape_ascii(), after[at..end].escape_ascii());
        writeln!(out, "memory at {at:#x}: {old} → {new}").unwrap();
        at = end;
    }
    if after.len() != before.len() {
        writeln!(out, "memory has grown to {:#x}", after.len()).unwrap();
    }
    out
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineSettings::default()).unwrap())
}

fn module(version: ProxyWasmVersion) -> Module {
    static MODULES: Mutex<Option<HashMap<String, Module>>> = Mutex::new(None);
    let mut modules = MODULES.lock().unwrap();
    let modules = modules.get_or_insert_default();
    let compiled = modules.entry(format!("{version:?}"));
    compiled
        .or_insert_with(|| compile(&scripted_guest(version)))
        .clone()
}

fn compile(wat: &str) -> Module {
    let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
    let artifact = VerifiedArtifact::dangerously_unverified(Reference::File("guest.wat".into()), bytes);
    engine().compile(&artifact, &Limits::default()).unwrap().0
}

/// Another guest, in text form.
pub(crate) fn program(wat: &str, limits: &Limits) -> Program {
    Program::new(&compile(wat), ProxyWasmVersion::V0_2_1, limits).unwrap()
}

/// Another guest that may not link.
pub(crate) fn link(wat: &str, version: ProxyWasmVersion) -> Result<Program, wharf_engine::LinkError> {
    Program::new(&compile(wat), version, &Limits::default())
}

const _: () = assert!(END == FREE + 0x10000);
