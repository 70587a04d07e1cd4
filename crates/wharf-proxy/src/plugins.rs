//! The plugins of a proxy: which VMs they make, and what runs in each worker.
//!
//! ```text
//! PluginSet      for the process: programs, VM blueprints, shared data; checked once in a canary VM
//!  WorkerVms     for one worker: all its slots, and the tasks that look after them
//!   Generation   a set as one worker runs it; another one takes its place when the plugins are replaced
//!    Slot        one VM: running, or being rebuilt after a fault, with a growing delay
//!     VmHost     what that VM reaches: log, clocks, timers, call-outs, queues
//! ```
//!
//! An exchange keeps the slots of the filters that it began with. A slot that neither a generation nor an exchange uses
//! any more ends: queue news that came for it, done and delete of its plugins, and then its timers and call-outs go with it.

mod blueprint;
mod callouts;
mod canary;
mod generation;
mod guest_metrics;
mod host;
mod slot;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use wharf_abi_proxy_wasm::{PluginContext, Program, Shared, VmSettings};
use wharf_config::ProxyConfig;
use wharf_engine::{LinkError, Module};
use wharf_plugin::{OnFault, PluginName, PluginSpec, ProxyWasmVersion};
use wharf_telemetry::Metrics;

pub(crate) use self::blueprint::Blueprint;
use self::blueprint::{VmKey, VmNamespace};
pub use self::canary::CanaryError;
pub(crate) use self::generation::{Generation, RouteFilter, filters};
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
    /// How many private namespaces there have been in `shared`.
    namespaces: Arc<AtomicU64>,
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

impl PluginSet {
    /// Groups the filters of all routes into VMs, and tries each in a canary VM. Every error is found, not only the
    /// first. Shows the metrics that its guests define from now on, so call it once for the `metrics` of a process;
    /// what comes after it is made by [`PluginSet::prepare_next`].
    ///
    /// # Errors
    /// [`PluginSetError`] for each plugin that cannot run.
    pub fn prepare(
        config: &ProxyConfig,
        plugins: &BTreeMap<PluginName, CompiledPlugin>,
        metrics: &Metrics,
    ) -> Result<Self, Vec<PluginSetError>> {
        let set = Self::default().prepare_next(config, plugins, metrics)?;
        metrics
            .guest()
            .show(Arc::new(guest_metrics::Source(Arc::clone(&set.shared))));
        Ok(set)
    }

    /// Prepares the set that comes after this one in a running proxy, as [`PluginSet::prepare`] does. This one stays as it
    /// is, whatever comes of it.
    ///
    /// - A VM of which nothing has changed, neither its bytes nor its configuration nor the plugins in it, is the same in
    ///   both sets: it is not tried again, and the workers go on with the one that runs.
    /// - Shared data and queues of a `vmId` are the same in both sets, whatever the bytes. Those of a plugin without a `vmId`
    ///   belong to a VM of its bytes and its `vmConfig`, `env` and `limits`: where these are the same, they stay; otherwise
    ///   the new VM begins with none, and the old ones are dropped with the last old VM.
    /// - Metrics go on: both those of the plugins, by their names, and those that guests define.
    ///
    /// # Errors
    /// [`PluginSetError`] for each plugin that cannot run.
    pub fn prepare_next(
        &self,
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
            shared: Arc::clone(&self.shared),
            namespaces: Arc::clone(&self.namespaces),
        };
        let mut errors = Vec::new();
        for (key, users) in drafts {
            if let Err(error) = set.add_vm(key, &users, self, plugins, metrics) {
                errors.push(error);
            }
        }
        if errors.is_empty() { Ok(set) } else { Err(errors) }
    }

    fn add_vm(
        &mut self,
        key: VmKey,
        users: &[(PluginName, Bytes)],
        previous: &Self,
        plugins: &BTreeMap<PluginName, CompiledPlugin>,
        metrics: &Metrics,
    ) -> Result<(), PluginSetError> {
        let vm = self.blueprints.len();
        let mut contexts = Vec::with_capacity(users.len());
        let mut specs = BTreeMap::new();
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
            specs.insert(name.clone(), Arc::clone(spec));
        }
        let before = previous.blueprints.iter().find(|known| known.key == key);
        let blueprint = match before {
            Some(same) if same.is_made_from(&contexts, &specs) => Arc::clone(same),
            _ => {
                let first = &plugins[&users[0].0];
                let program =
                    Program::new(&first.module, first.version, &first.spec.limits).map_err(|source| {
                        PluginSetError::Link {
                            plugin: first.spec.name.clone(),
                            source,
                        }
                    })?;
                let namespace = before.map_or_else(
                    || Arc::new(VmNamespace::new(&key, &self.shared, &self.namespaces)),
                    |before| Arc::clone(&before.namespace),
                );
                let blueprint = Blueprint {
                    program,
                    settings: settings(&first.spec, &namespace),
                    plugins: contexts,
                    specs,
                    metrics: users
                        .iter()
                        .map(|(name, _)| (name.clone(), metrics.plugin(name.as_str())))
                        .collect(),
                    status: Arc::default(),
                    namespace,
                    key,
                };
                canary::check(&blueprint)?;
                Arc::new(blueprint)
            }
        };
        self.blueprints.push(blueprint);
        Ok(())
    }

    /// A plugin with one configuration.
    pub(crate) fn find(&self, plugin: &PluginName, config: &[u8]) -> Option<&FilterDefinition> {
        self.filters
            .iter()
            .find(|filter| filter.plugin == *plugin && filter.config == config)
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

fn settings(spec: &PluginSpec, namespace: &VmNamespace) -> VmSettings {
    let variable = |(name, value): (&String, &String)| (name.clone(), value.clone());
    VmSettings {
        namespace: namespace.namespace.clone(),
        vm_id: spec.vm_id.clone(),
        configuration: Bytes::copy_from_slice(&spec.vm_config),
        environment: spec.env.iter().map(variable).collect(),
    }
}
