//! `wharf run`: a filter by hand, with no server. The exchange goes through the same chain as in `serve`.

pub(crate) mod arguments;
pub(super) mod exchange;
pub(super) mod plan;
pub(super) mod report;
pub(super) mod world;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use wharf_abi_proxy_wasm::{
    ContextId, Namespace, PluginContext, Program, Shared, SharedVm, StartError, Vm, VmSettings,
};
use wharf_distribution::Fetcher;
use wharf_loader::{LoadedPlugin, Loader};
use wharf_plugin::{Abi, Limits, PluginName, PluginSpec, Reference};

use self::arguments::RunArguments;
use self::exchange::Outcome;
use self::plan::{Plan, Setup};
use self::report::Telling;
use self::world::{Notes, RunHost, SharedWorld, Timing, World};
use super::module;
use super::policy::{self, Output, Subject};
use super::single;
use crate::exit::Code;
use crate::plugins;
use crate::supply::Supply;
use crate::words::{complain, print};

/// A filter that is loaded and linked. VMs of it are cheap to make, on any thread.
pub(super) struct Ready {
    program: Program,
    loaded: LoadedPlugin,
    limits: Limits,
}

/// Why a filter is not [`Ready`].
pub(super) struct NotReady {
    pub(super) error: Box<dyn std::error::Error + Send + Sync>,
    pub(super) hint: String,
}

/// A module that is no filter.
#[derive(Debug)]
struct NoFilter {
    module: Reference,
    abis: Vec<Abi>,
}

impl fmt::Display for NoFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spoken: Vec<_> = self.abis.iter().map(ToString::to_string).collect();
        let Self { module, .. } = self;
        write!(
            f,
            "{module} is no proxy-wasm filter: its module speaks {}",
            spoken.join(", ")
        )
    }
}

impl std::error::Error for NoFilter {}

/// A filter that runs.
struct Running {
    vm: SharedVm,
    root: ContextId,
    world: SharedWorld,
    shared: Arc<Shared>,
    /// Where its shared data and queues are.
    namespace: Namespace,
}

impl Running {
    fn remark(&self, text: String) {
        self.world.borrow_mut().notes.remarks.push(text);
    }
}

/// One part of the run: the start, an exchange, the end.
pub(super) struct Stage {
    pub(super) title: String,
    pub(super) outcome: Option<Outcome>,
    pub(super) notes: Notes,
}

/// All that a run brought to light.
pub(super) struct Run {
    name: PluginName,
    /// The start; the exchanges that were made; the end, unless the filter did not start or has faulted.
    pub(super) stages: Vec<Stage>,
    /// Why the filter did not start.
    pub(super) refused: Option<StartError>,
    /// How many exchanges were not made, because the filter did not start or had faulted.
    pub(super) left_out: usize,
    timings: Vec<(&'static str, Timing)>,
    /// The bytes of the guest's memory at the end.
    memory: Option<usize>,
    limits: Limits,
    pub(super) shared: Arc<Shared>,
    /// Where the filter's shared data and queues are.
    pub(super) namespace: Namespace,
}

impl Run {
    fn is_well(&self) -> bool {
        self.refused.is_none() && self.stages.iter().all(|stage| stage.notes.faults.is_empty())
    }
}

/// Runs what the flags ask for: a filter, a policy, an operation of a waPC guest, or a module of Trivy.
pub(super) fn run(arguments: &RunArguments) -> Code {
    let supply = match Supply::by_flags(&arguments.supply, std::iter::once(&arguments.plugin)) {
        Ok(supply) => supply,
        Err(code) => return code,
    };
    let subject = Subject {
        module: &arguments.plugin,
        fetcher: supply.fetcher(),
        deadline: arguments.deadline,
        memory: arguments.memory,
    };
    let output = Output {
        json: arguments.json,
        times: arguments.times,
    };
    policy::run(&subject, &arguments.policy, output)
        .or_else(|| module::run(&subject, &arguments.module, output))
        .unwrap_or_else(|| run_filter(arguments, supply.fetcher()))
}

fn run_filter(arguments: &RunArguments, fetcher: &Fetcher) -> Code {
    let engine = match single::engine() {
        Ok(engine) => engine,
        Err(error) => {
            complain(&error, None);
            return Code::Failure;
        }
    };
    let loader = plugins::loader(engine, fetcher);
    let ready = match load(&loader, &arguments.plugin, &arguments.plan.setup.limits) {
        Ok(ready) => ready,
        Err(NotReady { error, hint }) => {
            let hint = match error.downcast_ref::<NoFilter>() {
                Some(_) => {
                    format!(
                        "--review FILE asks a policy, --operation NAME calls a waPC guest, --file FILE lets a module of Trivy look; {hint}"
                    )
                }
                None => hint,
            };
            complain(error.as_ref(), Some(&hint));
            return Code::Plugin;
        }
    };
    let run = drive(&ready, &arguments.plan);
    let printed = if arguments.json {
        print(format_args!("{:#}", report::json(&run, arguments.times)))
    } else {
        print(report::text(&run, Telling::OF_RUN).trim_end())
    };
    match printed {
        Err(_) => Code::Failure,
        Ok(()) if run.is_well() => Code::Success,
        Ok(()) => Code::Plugin,
    }
}

/// Loads and links a filter.
pub(super) fn load(loader: &Loader, plugin: &Reference, limits: &Limits) -> Result<Ready, NotReady> {
    let hint = format!("`wharf inspect {plugin}` says what the module is");
    let mut spec = PluginSpec::new(single::name_of(plugin), plugin.clone());
    spec.limits = limits.clone();
    let loaded = loader.load(&spec).map_err(|error| {
        let own = error.hint();
        NotReady {
            hint: if own.is_empty() { hint.clone() } else { own },
            error: error.into(),
        }
    })?;
    let Some(version) = loaded.proxy_wasm() else {
        return Err(NotReady {
            error: NoFilter {
                module: plugin.clone(),
                abis: loaded.abis().to_vec(),
            }
            .into(),
            hint,
        });
    };
    match Program::new(&loaded.module, version, limits) {
        Ok(program) => Ok(Ready {
            program,
            loaded,
            limits: limits.clone(),
        }),
        Err(error) => Err(NotReady {
            error: error.into(),
            hint,
        }),
    }
}

/// Starts the filter, makes the exchanges, and ends it.
pub(super) fn drive(ready: &Ready, plan: &Plan) -> Run {
    let world = Rc::new(RefCell::new(World::new(&plan.setup)));
    let shared = Arc::<Shared>::default();
    let mut run = Run {
        name: ready.loaded.name.clone(),
        stages: Vec::new(),
        refused: None,
        left_out: 0,
        timings: Vec::new(),
        memory: None,
        limits: ready.limits.clone(),
        shared: Arc::clone(&shared),
        namespace: match plan.setup.vm_id.as_str() {
            "" => Namespace::Private(ready.loaded.digest.to_string()),
            vm_id => Namespace::Named(vm_id.to_owned()),
        },
    };
    share(&plan.setup, &run, &world);
    match start(ready, &plan.setup, &run, &world) {
        Ok(running) => go_on(&mut run, plan, &running),
        Err(error) => {
            run.left_out = plan.exchanges.len();
            let notes = std::mem::take(&mut world.borrow_mut().notes);
            let mut stage = Stage {
                title: "start".to_owned(),
                outcome: None,
                notes,
            };
            // A fault before there was a VM nobody has told the host.
            if let (StartError::Fault(fault), true) = (&error, stage.notes.faults.is_empty()) {
                stage.notes.faults.push(fault.clone());
            }
            run.refused = Some(error);
            run.stages.push(stage);
        }
    }
    run.timings = std::mem::take(&mut world.borrow_mut().timings)
        .into_iter()
        .collect();
    run
}

/// Fills the shared data.
fn share(setup: &Setup, run: &Run, world: &SharedWorld) {
    for (key, value) in &setup.shared_data {
        let data = &run.shared.data;
        if let Err(error) = data.set(&run.namespace, key.as_bytes(), value.clone(), 0) {
            let remark = format!("the shared data has no {key}: {error}");
            world.borrow_mut().notes.remarks.push(remark);
        }
    }
}

fn go_on(run: &mut Run, plan: &Plan, running: &Running) {
    exchange::begin(running, &plan.start, &plan::Properties::new());
    exchange::tick(running, &plan.start.callouts, plan.start.ticks, None);
    run.stages
        .push(exchange::end_stage(running, "start".to_owned(), None));
    for (index, planned) in plan.exchanges.iter().enumerate() {
        if running.vm.borrow().is_faulted() {
            run.left_out = plan.exchanges.len() - index;
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

fn start(ready: &Ready, setup: &Setup, run: &Run, world: &SharedWorld) -> Result<Running, StartError> {
    let settings = VmSettings {
        namespace: run.namespace.clone(),
        vm_id: setup.vm_id.clone(),
        configuration: setup.vm_config.clone(),
        environment: setup.env.clone(),
    };
    let host = RunHost {
        world: Rc::clone(world),
    };
    let shared = Arc::clone(&run.shared);
    let mut vm = Vm::new(&ready.program, settings, Box::new(host), shared)?;
    let root = vm.add_plugin(PluginContext {
        name: ready.loaded.name.clone(),
        root_id: setup.root_id.clone(),
        configuration: Bytes::clone(&setup.config),
        allow_on_headers_stop_iteration: setup.allow_on_headers_stop_iteration,
    })?;
    Ok(Running {
        vm: SharedVm::new(RefCell::new(vm)),
        root,
        world: Rc::clone(world),
        shared: Arc::clone(&run.shared),
        namespace: run.namespace.clone(),
    })
}
