//! A proxy-wasm VM: one instance of a filter, its plugins as root contexts, and many streams.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wharf_engine::{
    Fault, GuestFunction, Imports, Instance, LinkError, Linked, Module, WasmParams, WasmResults,
};
use wharf_plugin::{Digest, Limits, ProxyWasmVersion};

use crate::context::{CallAnswer, Contexts, Ending, Kind, RootContext};
use crate::exports::{self, Exports};
use crate::host::{ContextId, Host, PluginContext};
use crate::hostcalls;
use crate::shared::{Namespace, Shared};
use crate::state::{State, VM_CONTEXT};

#[cfg(test)]
mod tests;

/// The most contexts of a VM that may wait for `proxy_done` at once. What is over ends at once, so that a guest that never
/// calls it cannot fill the host's memory.
const MOST_WAITING: usize = 10_000;

/// A filter that is compiled and linked: VMs of it are cheap to make, on any thread.
pub struct Program {
    linked: Linked<State>,
    version: ProxyWasmVersion,
}

impl Program {
    /// Links a module that speaks this version of the ABI.
    ///
    /// # Errors
    /// [`LinkError`] with every import that the ABI does not give.
    pub fn new(module: &Module, version: ProxyWasmVersion, limits: &Limits) -> Result<Self, LinkError> {
        let mut imports = Imports::new();
        hostcalls::add(&mut imports, version);
        let linked = module.link(&imports, limits)?;
        Ok(Self { linked, version })
    }

    /// The version of the ABI that the filter speaks.
    pub fn version(&self) -> ProxyWasmVersion {
        self.version
    }

    /// The digest of the filter's bytes.
    pub fn digest(&self) -> Digest {
        self.linked.digest()
    }
}

/// How a VM is set up.
#[derive(Debug, Clone)]
pub struct VmSettings {
    /// Whose shared data and queues it uses.
    pub namespace: Namespace,
    /// What `plugin_vm_id` says; may be empty.
    pub vm_id: String,
    /// What `proxy_on_vm_start` announces.
    pub configuration: Bytes,
    /// The environment variables that the guest sees.
    pub environment: Vec<(String, String)>,
}

/// Why a VM or a plugin in it did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The guest faulted.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// `proxy_on_vm_start` said no; the guest's log says why.
    #[error("the plugin refused to start: proxy_on_vm_start returned false")]
    VmStartRefused,
    /// `proxy_on_configure` or `proxy_validate_configuration` said no; the guest's log says why.
    #[error("the plugin refused its configuration")]
    ConfigurationRefused,
}

/// A running filter. It belongs to one thread.
///
/// After a fault nothing can be called in it any more: [`Vm::is_faulted`]. Its streams' drivers have been woken.
pub struct Vm {
    pub(crate) instance: Instance<State>,
    pub(crate) exports: Exports,
    pub(crate) deadline: Duration,
    startup_deadline: Duration,
    vm_started: bool,
    fault: Option<Fault>,
}

impl Vm {
    /// Makes an instance of `program` and runs its start functions: `_initialize` and then `main` where there is one,
    /// or else `_start`. Only logging and WASI work in them.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn new(
        program: &Program,
        settings: VmSettings,
        host: Box<dyn Host>,
        shared: Arc<Shared>,
    ) -> Result<Self, StartError> {
        let limits = program.linked.limits();
        let state = State {
            version: program.version,
            host,
            shared,
            namespace: settings.namespace,
            vm_id: settings.vm_id,
            vm_configuration: settings.configuration,
            environment: settings.environment,
            contexts: Contexts::default(),
            current: VM_CONTEXT,
            effective: VM_CONTEXT,
            started: false,
            allocator: None,
            metrics: Vec::new(),
            queue_listeners: Default::default(),
            last_http_call: 0,
            last_grpc_call: 0,
            foreign_arguments: None,
            done: Vec::new(),
            waiting: 0,
            scratch: Vec::new(),
        };
        let mut instance = program.linked.instantiate(state)?;
        let exports = Exports::find(&mut instance, program.version)?;
        let allocator = exports::allocator(&mut instance)?;
        instance.state_mut().allocator = Some(allocator);
        let mut vm = Self {
            instance,
            exports,
            deadline: limits.deadline,
            startup_deadline: limits.startup_deadline,
            vm_started: false,
            fault: None,
        };
        vm.run_start_functions()?;
        vm.state_mut().started = true;
        Ok(vm)
    }

    fn run_start_functions(&mut self) -> Result<(), Fault> {
        let deadline = self.startup_deadline;
        let Some(initialize) = self.instance.function::<(), ()>("_initialize")? else {
            if let Some(start) = self.instance.function::<(), ()>("_start")? {
                self.instance
                    .call_start(&start, deadline)
                    .map_err(|fault| self.fail(VM_CONTEXT, fault))?;
            }
            return Ok(());
        };
        self.invoke(&initialize, VM_CONTEXT, (), deadline)?;
        // `main` comes as (argc, argv) or, from newer C compilers, as `__main_void`; its result means nothing.
        if let Ok(Some(main)) = self.instance.function::<(u32, u32), u32>("main") {
            self.invoke(&main, VM_CONTEXT, (0, 0), deadline)?;
        } else if let Ok(Some(main)) = self.instance.function::<(), u32>("__main_void") {
            self.invoke(&main, VM_CONTEXT, (), deadline)?;
        }
        Ok(())
    }

    /// Adds a plugin: `proxy_on_context_create`, for the first one `proxy_on_vm_start`, then `proxy_on_configure`.
    ///
    /// # Errors
    /// [`StartError`]; the VM is then of no more use.
    pub fn add_plugin(&mut self, plugin: PluginContext) -> Result<ContextId, StartError> {
        let configuration_size = size(plugin.configuration.len());
        let root = self.state_mut().contexts.insert(Kind::Root(RootContext {
            plugin: Arc::new(plugin),
            configuring: true,
            calls: Default::default(),
            grpc: Default::default(),
            answer: CallAnswer::default(),
        }));
        let outcome = self.start_plugin(root, configuration_size);
        self.set_configuring(root, false);
        outcome.map(|()| root)
    }

    fn set_configuring(&mut self, root: ContextId, configuring: bool) {
        if let Some(context) = self.state_mut().contexts.root(root) {
            context.configuring = configuring;
        }
    }

    fn start_plugin(&mut self, root: ContextId, configuration_size: u32) -> Result<(), StartError> {
        let deadline = self.startup_deadline;
        call(
            &mut self.instance,
            &self.exports.on_context_create,
            root,
            (root, VM_CONTEXT),
            deadline,
        )
        .map_err(|fault| self.fail(root, fault))?;
        if !self.vm_started {
            self.vm_started = true;
            let vm_size = size(self.state().vm_configuration.len());
            // The VM is not any plugin's, though one has to start it: its configuration alone is there.
            self.set_configuring(root, false);
            let started = call(
                &mut self.instance,
                &self.exports.on_vm_start,
                root,
                (root, vm_size),
                deadline,
            )
            .map_err(|fault| self.fail(root, fault))?;
            self.set_configuring(root, true);
            if started == Some(0) {
                return Err(StartError::VmStartRefused);
            }
        }
        let parameters = (root, configuration_size);
        for configures in [false, true] {
            let callback = if configures {
                &self.exports.on_configure
            } else {
                &self.exports.validate_configuration
            };
            let accepted = call(&mut self.instance, callback, root, parameters, deadline)
                .map_err(|fault| self.fail(root, fault))?;
            if accepted == Some(0) {
                return Err(StartError::ConfigurationRefused);
            }
        }
        self.finish_done().map_err(StartError::Fault)
    }

    /// Calls `proxy_on_tick` of a plugin.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_tick(&mut self, root: ContextId) -> Result<(), Fault> {
        if self.state_mut().contexts.root(root).is_none() {
            return Ok(());
        }
        call(
            &mut self.instance,
            &self.exports.on_tick,
            root,
            root,
            self.deadline,
        )
        .map_err(|fault| self.fail(root, fault))?;
        self.finish_done()
    }

    /// Calls `proxy_on_queue_ready` of a plugin: something was put on a queue that it registered.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_queue_ready(&mut self, root: ContextId, queue: u32) -> Result<(), Fault> {
        if self.state_mut().contexts.root(root).is_none() {
            return Ok(());
        }
        call(
            &mut self.instance,
            &self.exports.on_queue_ready,
            root,
            (root, queue),
            self.deadline,
        )
        .map_err(|fault| self.fail(root, fault))?;
        self.finish_done()
    }

    /// Calls `proxy_on_foreign_function` of a plugin (0.2 only): the host calls a function that it and the plugin
    /// know by its id.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_foreign_function(
        &mut self,
        root: ContextId,
        function: u32,
        arguments: Bytes,
    ) -> Result<(), Fault> {
        if self.state_mut().contexts.root(root).is_none() {
            return Ok(());
        }
        let length = size(arguments.len());
        self.state_mut().foreign_arguments = Some(arguments);
        let outcome = call(
            &mut self.instance,
            &self.exports.on_foreign_function,
            root,
            (root, function, length),
            self.deadline,
        );
        self.state_mut().foreign_arguments = None;
        outcome.map_err(|fault| self.fail(root, fault))?;
        self.finish_done()
    }

    /// Ends all plugins, as at the end of the process: first the streams that are left, with done, log and delete,
    /// then the plugins, with done and delete. A plugin that wants to finish something first stays until it calls
    /// `proxy_done` or the VM is dropped; this says whether one does.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn shut_down(&mut self) -> Result<bool, Fault> {
        for stream in self.state().contexts.stream_ids() {
            self.end(stream)?;
        }
        let mut waiting = false;
        for root in self.state().contexts.roots() {
            waiting |= !self.end(root)?;
        }
        Ok(waiting)
    }

    /// Runs `proxy_on_done` of a context, then `proxy_on_log` of a stream, then `proxy_on_delete`. Says whether the
    /// context is gone; where not, it goes when the guest calls `proxy_done`.
    pub(crate) fn end(&mut self, id: ContextId) -> Result<bool, Fault> {
        let ending = match self.state().contexts.get(id) {
            None => return Ok(true),
            Some(context) => context.ending,
        };
        if ending == Ending::No {
            let done = call(&mut self.instance, &self.exports.on_done, id, id, self.deadline)
                .map_err(|fault| self.fail(id, fault))?;
            let state = self.state_mut();
            if done == Some(0)
                && state.waiting < MOST_WAITING
                && let Some(context) = state.contexts.get_mut(id)
            {
                context.ending = Ending::Waits;
                state.waiting += 1;
                return Ok(false);
            }
        } else if ending == Ending::Waits {
            return Ok(false);
        }
        self.finish(id).map(|()| true)
    }

    /// Runs `proxy_on_log` of a stream and `proxy_on_delete`, and forgets the context.
    fn finish(&mut self, id: ContextId) -> Result<(), Fault> {
        if self.state().contexts.get(id).is_none() {
            return Ok(());
        }
        let is_stream = self.state_mut().contexts.root(id).is_none();
        if is_stream {
            if let Some(http) = self.state_mut().contexts.http(id) {
                http.logging = true;
            }
            call(&mut self.instance, &self.exports.on_log, id, id, self.deadline)
                .map_err(|fault| self.fail(id, fault))?;
        }
        call(&mut self.instance, &self.exports.on_delete, id, id, self.deadline)
            .map_err(|fault| self.fail(id, fault))?;
        self.state_mut().contexts.remove(id);
        Ok(())
    }

    /// Ends the contexts for which the guest has called `proxy_done` in the callback that has just returned.
    pub(crate) fn finish_done(&mut self) -> Result<(), Fault> {
        let done = std::mem::take(&mut self.state_mut().done);
        done.into_iter().try_for_each(|id| self.finish(id))
    }

    /// The fault that ended the VM.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Whether the VM has faulted.
    pub fn is_faulted(&self) -> bool {
        self.fault.is_some()
    }

    /// How many streams it has.
    pub fn streams(&self) -> usize {
        self.state().contexts.streams()
    }

    /// How many bytes of memory the guest has.
    pub fn memory_size(&self) -> usize {
        self.instance.memory_size()
    }

    /// Attaches an observer that sees each host call from now on, or takes it away.
    pub fn observe(&mut self, observer: Option<Box<dyn wharf_engine::HostCallObserver>>) {
        self.instance.observe(observer);
    }

    pub(crate) fn state(&self) -> &State {
        self.instance.state()
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        self.instance.state_mut()
    }

    fn invoke<P: WasmParams, R: WasmResults>(
        &mut self,
        function: &GuestFunction<P, R>,
        context: ContextId,
        parameters: P,
        deadline: Duration,
    ) -> Result<R, Fault> {
        invoke(&mut self.instance, function, context, parameters, deadline)
            .map_err(|fault| self.fail(context, fault))
    }

    /// Notes a fault: tells the host, and wakes the driver of each stream, since none of them can go on here.
    pub(crate) fn fail(&mut self, context: ContextId, fault: Fault) -> Fault {
        if self.fault.is_none() {
            self.fault = Some(fault.clone());
            let state = self.instance.state_mut();
            let plugin = state.contexts.plugin_of(context).cloned();
            state.host.faulted(plugin.as_deref(), &fault);
            state
                .contexts
                .iter_mut()
                .for_each(|(_, context)| context.kind.wake());
        }
        fault
    }
}

/// Calls a callback of a context, where the guest has it.
pub(crate) fn call<P: WasmParams, R: WasmResults>(
    instance: &mut Instance<State>,
    function: &Option<GuestFunction<P, R>>,
    context: ContextId,
    parameters: P,
    deadline: Duration,
) -> Result<Option<R>, Fault> {
    match function {
        Some(function) => invoke(instance, function, context, parameters, deadline).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn invoke<P: WasmParams, R: WasmResults>(
    instance: &mut Instance<State>,
    function: &GuestFunction<P, R>,
    context: ContextId,
    parameters: P,
    deadline: Duration,
) -> Result<R, Fault> {
    let state = instance.state_mut();
    state.current = context;
    state.effective = context;
    let outcome = instance.call(function, parameters, deadline);
    let elapsed = instance.take_guest_time();
    let state = instance.state_mut();
    state.current = VM_CONTEXT;
    state.effective = VM_CONTEXT;
    let plugin = state.contexts.plugin_of(context);
    state
        .host
        .called(plugin.map(|plugin| &**plugin), function.name(), elapsed);
    outcome
}

/// A length as the ABI gives it; what the host holds is bounded far below 4 GiB.
pub(crate) fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
