//! `wharf run`: a filter by hand, with no server. The exchange goes through the same chain as in `serve`.

pub(crate) mod arguments;
mod exchange;
mod report;
mod world;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use wharf_abi_proxy_wasm::{
    ContextId, Namespace, PluginContext, Program, Shared, SharedVm, StartError, Vm, VmSettings,
};
use wharf_loader::{LoadedPlugin, Loader};
use wharf_plugin::{Limits, PluginName, PluginSpec};

use self::arguments::{PluginFlags, RunArguments};
use self::exchange::Outcome;
use self::world::{Notes, RunHost, SharedWorld, Timing};
use super::single;
use crate::exit::Code;
use crate::progress::Progress;
use crate::words::{complain, print, say};

/// A filter that runs.
struct Running {
    vm: SharedVm,
    root: ContextId,
    world: SharedWorld,
}

impl Running {
    fn remark(&self, text: String) {
        self.world.borrow_mut().notes.remarks.push(text);
    }
}

/// One part of the run: the start, an exchange, the end.
struct Stage {
    title: String,
    outcome: Option<Outcome>,
    notes: Notes,
}

/// All that a run brought to light.
struct Run {
    name: PluginName,
    stages: Vec<Stage>,
    /// Why the filter did not start.
    refused: Option<String>,
    /// How many exchanges were not made, because the filter had faulted.
    left_out: usize,
    timings: Vec<(&'static str, Timing)>,
    /// The bytes of the guest's memory at the end.
    memory: Option<usize>,
    limits: Limits,
    shared: Arc<Shared>,
}

impl Run {
    fn is_well(&self) -> bool {
        self.refused.is_none() && self.stages.iter().all(|stage| stage.notes.faults.is_empty())
    }
}

/// Runs a filter.
pub(super) fn run(arguments: &RunArguments) -> Code {
    let (program, loaded) = match load(arguments) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let run = drive(arguments, &program, &loaded);
    let flags = &arguments.flags;
    let printed = if flags.json {
        print(format_args!("{:#}", report::json(&run, flags.times)))
    } else {
        print(report::text(&run).trim_end())
    };
    match printed {
        Err(_) => Code::Failure,
        Ok(()) if run.is_well() => Code::Success,
        Ok(()) => Code::Plugin,
    }
}

/// Loads and links the filter, or says why not.
fn load(arguments: &RunArguments) -> Result<(Program, LoadedPlugin), Code> {
    let engine = single::engine().map_err(|error| {
        complain(&error, None);
        Code::Failure
    })?;
    let spec = spec(arguments);
    let hint = format!("`wharf inspect {}` says what the module is", arguments.plugin);
    let loaded = Loader::new(engine, Arc::new(Progress::new()))
        .load(&spec)
        .map_err(|error| {
            let own = error.hint();
            complain(&error, Some(if own.is_empty() { &hint } else { &own }));
            Code::Plugin
        })?;
    let Some(version) = loaded.proxy_wasm() else {
        say(format_args!(
            "error: {} is no proxy-wasm filter\n\nhint: {hint}",
            arguments.plugin
        ));
        return Err(Code::Plugin);
    };
    let program = Program::new(&loaded.module, version, &spec.limits).map_err(|error| {
        complain(&error, Some(&hint));
        Code::Plugin
    })?;
    Ok((program, loaded))
}

fn spec(arguments: &RunArguments) -> PluginSpec {
    let name = single::name_of(&arguments.plugin);
    let mut spec = PluginSpec::new(name, arguments.plugin.clone());
    spec.limits.deadline = arguments.flags.deadline;
    spec.limits.memory = arguments.flags.memory;
    spec
}

/// Starts the filter, makes the exchanges, and ends it.
fn drive(arguments: &RunArguments, program: &Program, loaded: &LoadedPlugin) -> Run {
    let flags = &arguments.flags;
    let world = SharedWorld::default();
    world.borrow_mut().properties = properties(flags);
    let shared = Arc::<Shared>::default();
    let mut run = Run {
        name: loaded.name.clone(),
        stages: Vec::new(),
        refused: None,
        left_out: 0,
        timings: Vec::new(),
        memory: None,
        limits: spec(arguments).limits,
        shared: Arc::clone(&shared),
    };
    match start(flags, program, loaded, &world, shared) {
        Ok(running) => go_on(&mut run, arguments, &running),
        Err(error) => {
            run.refused = Some(error.to_string());
            run.left_out = arguments.exchanges.len();
            let notes = std::mem::take(&mut world.borrow_mut().notes);
            let mut stage = Stage {
                title: "start".to_owned(),
                outcome: None,
                notes,
            };
            // A fault before there was a VM nobody has told the host.
            if let (StartError::Fault(fault), true) = (error, stage.notes.faults.is_empty()) {
                stage.notes.faults.push(fault);
            }
            run.stages.push(stage);
        }
    }
    run.timings = std::mem::take(&mut world.borrow_mut().timings)
        .into_iter()
        .collect();
    run
}

fn go_on(run: &mut Run, arguments: &RunArguments, running: &Running) {
    let common = &arguments.common;
    exchange::settle(running, &common.callouts, None);
    exchange::tick(running, &common.callouts, common.ticks, None);
    run.stages
        .push(exchange::end_stage(running, "start".to_owned(), None));
    for (index, planned) in arguments.exchanges.iter().enumerate() {
        if running.vm.borrow().is_faulted() {
            run.left_out = arguments.exchanges.len() - index;
            return;
        }
        let outcome = exchange::drive(running, planned);
        let title = format!(
            "request {}: {} {}",
            index + 1,
            planned.request.method,
            planned.request.path
        );
        run.stages
            .push(exchange::end_stage(running, title, Some(outcome)));
        run.memory = Some(running.vm.borrow().memory_size());
    }
    if !running.vm.borrow().is_faulted() {
        let waits = running.vm.borrow_mut().shut_down();
        if matches!(waits, Ok(true)) {
            running.remark(
                "the filter wants to finish something before it ends, and was not waited for".to_owned(),
            );
        }
        run.stages
            .push(exchange::end_stage(running, "end".to_owned(), None));
    }
}

fn properties(flags: &PluginFlags) -> std::collections::BTreeMap<String, String> {
    let mut properties: std::collections::BTreeMap<_, _> = flags.properties.iter().cloned().collect();
    properties
        .entry("request.protocol".to_owned())
        .or_insert_with(|| "HTTP/1.1".to_owned());
    properties
}

fn start(
    flags: &PluginFlags,
    program: &Program,
    loaded: &LoadedPlugin,
    world: &SharedWorld,
    shared: Arc<Shared>,
) -> Result<Running, StartError> {
    let settings = VmSettings {
        namespace: Namespace::Private(loaded.digest.to_string()),
        vm_id: String::new(),
        configuration: flags.vm_config.clone().unwrap_or_default(),
        environment: flags.env.clone(),
    };
    let host = RunHost {
        world: Rc::clone(world),
        started: Instant::now(),
    };
    let mut vm = Vm::new(program, settings, Box::new(host), shared)?;
    let root = vm.add_plugin(PluginContext {
        name: loaded.name.clone(),
        root_id: flags.root_id.clone(),
        configuration: flags.config.clone().unwrap_or_default(),
        allow_on_headers_stop_iteration: flags.allow_on_headers_stop_iteration,
    })?;
    Ok(Running {
        vm: SharedVm::new(RefCell::new(vm)),
        root,
        world: Rc::clone(world),
    })
}
