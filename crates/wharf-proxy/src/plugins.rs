//! The plugins of a proxy: which VMs they make, and what runs in each worker.
//!
//! ```text
//! PluginSet     for the process: programs, VM blueprints, shared data; checked once in a canary VM
//!  WorkerVms    for one worker: a slot for each blueprint, with the VM that runs now
//!   Slot        one VM: running, or being rebuilt after a fault, with a growing delay
//!    VmHost     what that VM reaches: log, clocks, timers, call-outs, queues
//! ```

mod callouts;
mod canary;
mod guest_metrics;
mod host;
mod slot;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use wharf_abi_proxy_wasm::{Namespace, PluginContext, Program, Shared, VmSettings};
use wharf_config::ProxyConfig;
use wharf_engine::{LinkError, Module};
use wharf_plugin::{Digest, Limits, OnFault, PluginName, PluginSpec, ProxyWasmVersion};
use wharf_telemetry::{Metrics, PluginMetrics};

pub use self::canary::CanaryError;
pub(crate) use self::host::Notes;
pub(crate) use self::worker::WorkerVms;
use crate::status::PluginStatus;

/// A plugin that has been fetched, verified and compiled.
#[derive(Clone)]
pub struct CompiledPlugin {
    /// As its deployer asks for it.
    pub spec: Arc<PluginSpec>,
    /// Its code.
    pub module: Module,
    /// The version of proxy-wasm that it speaks.
    pub version: ProxyWasmVersion,
}

/// All filters of a configuration, ready to run in any number of workers. The default has none.
#[derive(Default)]
pub struct PluginSet {
    blueprints: Vec<Arc<Blueprint>>,
    filters: Vec<FilterDefinition>,
    shared: Arc<Shared>,
}

/// A VM as each worker builds it.
pub(crate) struct Blueprint {
    pub(crate) program: Program,
    pub(crate) settings: VmSettings,
    /// The root contexts in it, in order.
    pub(crate) plugins: Vec<PluginContext>,
    /// The plugins' specifications, for what they may call out to.
    pub(crate) specs: BTreeMap<PluginName, Arc<PluginSpec>>,
    pub(crate) metrics: BTreeMap<PluginName, Arc<PluginMetrics>>,
    pub(crate) status: Arc<PluginStatus>,
}

impl Blueprint {
    /// The names of its plugins.
    pub(crate) fn plugin_names(&self) -> Vec<String> {
        self.specs.keys().map(ToString::to_string).collect()
    }
}

/// A plugin with one configuration, as routes name it.
pub(crate) struct FilterDefinition {
    plugin: PluginName,
    config: Bytes,
    /// Which blueprint.
    pub(crate) vm: usize,
    /// Which of its root contexts.
    pub(crate) root: usize,
    pub(crate) on_fault: OnFault,
}

/// Why the plugins of a configuration cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginSetError {
    /// The module wants host functions that proxy-wasm does not have.
    #[error("plugin `{plugin}` cannot be linked")]
    Link {
        /// The plugin.
        plugin: PluginName,
        /// Which.
        source: LinkError,
    },
    /// The plugin does not start, or refuses its configuration, in a VM made to try it.
    #[error(transparent)]
    Canary(#[from] CanaryError),
}

impl PluginSetError {
    /// The plugin that cannot run.
    pub fn plugin(&self) -> &PluginName {
        match self {
            Self::Link { plugin, .. } => plugin,
            Self::Canary(error) => &error.plugin,
        }
    }

    /// What else is known, line by line.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Link { .. } => Vec::new(),
            Self::Canary(error) => error.notes(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Link { .. } => {
                "a filter may import what proxy-wasm has, and WASI; was it built for another host?"
            }
            Self::Canary(error) => error.hint(),
        }
    }
}

/// What makes two plugins share a VM: everything that the VM is made from.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct VmKey {
    vm_id: String,
    vm_config: Vec<u8>,
    digest: Digest,
    env: BTreeMap<String, String>,
    memory: u64,
    deadline: u128,
    startup_deadline: u128,
    stack: u64,
    table_elements: u32,
}

impl VmKey {
    fn of(spec: &PluginSpec, digest: Digest) -> Self {
        let Limits {
            memory,
            table_elements,
            deadline,
            startup_deadline,
            stack,
            ..
        } = &spec.limits;
        Self {
            vm_id: spec.vm_id.clone(),
            vm_config: spec.vm_config.clone(),
            digest,
            env: spec.env.clone(),
            memory: memory.bytes(),
            deadline: deadline.as_nanos(),
            startup_deadline: startup_deadline.as_nanos(),
            stack: stack.bytes(),
            table_elements: *table_elements,
        }
    }
}

impl PluginSet {
    /// Groups the filters of all routes into VMs, and tries each in a canary VM. Every error is found, not only the
    /// first.
    ///
    /// # Errors
    /// [`PluginSetError`] for each plugin that cannot run.
    pub fn prepare(
        config: &ProxyConfig,
        plugins: &BTreeMap<PluginName, CompiledPlugin>,
        metrics: &Metrics,
    ) -> Result<Self, Vec<PluginSetError>> {
        let mut drafts: BTreeMap<VmKey, Vec<(PluginName, Bytes)>> = BTreeMap::new();
        for filter in config
            .listeners
            .iter()
            .flat_map(|l| &l.routes)
            .flat_map(|route| &route.filters)
        {
            let Some(plugin) = plugins.get(&filter.plugin) else {
                continue;
            };
            let users = drafts
                .entry(VmKey::of(&plugin.spec, plugin.module.digest()))
                .or_default();
            let user = (filter.plugin.clone(), Bytes::copy_from_slice(&filter.config));
            if !users.contains(&user) {
                users.push(user);
            }
        }
        let mut set = Self {
            blueprints: Vec::new(),
            filters: Vec::new(),
            shared: Arc::default(),
        };
        let mut errors = Vec::new();
        for users in drafts.into_values() {
            if let Err(error) = set.add_vm(&users, plugins, metrics) {
                errors.push(error);
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        metrics
            .guest()
            .show(Arc::new(guest_metrics::Source(Arc::clone(&set.shared))));
        Ok(set)
    }

    fn add_vm(
        &mut self,
        users: &[(PluginName, Bytes)],
        plugins: &BTreeMap<PluginName, CompiledPlugin>,
        metrics: &Metrics,
    ) -> Result<(), PluginSetError> {
        let first = &plugins[&users[0].0];
        let program = Program::new(&first.module, first.version, &first.spec.limits).map_err(|source| {
            PluginSetError::Link {
                plugin: first.spec.name.clone(),
                source,
            }
        })?;
        let namespace = match first.spec.vm_id.as_str() {
            "" => Namespace::Private(format!("{}#{}", first.module.digest(), self.blueprints.len())),
            vm_id => Namespace::Named(vm_id.into()),
        };
        let vm = self.blueprints.len();
        let mut contexts = Vec::with_capacity(users.len());
        for (root, (name, config)) in users.iter().enumerate() {
            let spec = &plugins[name].spec;
            contexts.push(PluginContext {
                name: name.clone(),
                root_id: spec.root_id.clone(),
                configuration: config.clone(),
                allow_on_headers_stop_iteration: spec.allow_on_headers_stop_iteration,
            });
            self.filters.push(FilterDefinition {
                plugin: name.clone(),
                config: config.clone(),
                vm,
                root,
                on_fault: spec.on_fault,
            });
        }
        let specs = users
            .iter()
            .map(|(name, _)| (name.clone(), Arc::clone(&plugins[name].spec)));
        let blueprint = Blueprint {
            program,
            settings: VmSettings {
                namespace,
                vm_id: first.spec.vm_id.clone(),
                configuration: Bytes::copy_from_slice(&first.spec.vm_config),
                environment: first
                    .spec
                    .env
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            },
            plugins: contexts,
            specs: specs.collect(),
            metrics: users
                .iter()
                .map(|(name, _)| (name.clone(), metrics.plugin(name.as_str())))
                .collect(),
            status: Arc::default(),
        };
        canary::check(&blueprint)?;
        self.blueprints.push(Arc::new(blueprint));
        Ok(())
    }

    /// The filters of a route, by their places in the set.
    pub(crate) fn find(&self, plugin: &PluginName, config: &[u8]) -> Option<usize> {
        self.filters
            .iter()
            .position(|filter| filter.plugin == *plugin && filter.config == config)
    }

    pub(crate) fn filters(&self) -> &[FilterDefinition] {
        &self.filters
    }

    pub(crate) fn blueprints(&self) -> &[Arc<Blueprint>] {
        &self.blueprints
    }

    /// The data, queues and metrics that the filters of all workers share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// How the VMs of each plugin are, over all workers.
    pub fn status(&self) -> Vec<(PluginName, Arc<PluginStatus>)> {
        let mut status: Vec<_> = self
            .blueprints
            .iter()
            .flat_map(|blueprint| {
                blueprint
                    .specs
                    .keys()
                    .map(|name| (name.clone(), Arc::clone(&blueprint.status)))
            })
            .collect();
        status.sort_by(|(left, _), (right, _)| left.cmp(right));
        status
    }
}
