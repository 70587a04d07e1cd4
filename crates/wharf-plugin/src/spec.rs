//! A plugin as its deployer asks for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Limits, OnFault, PluginName, PullPolicy, Reference};

/// A plugin as its deployer asks for it: all that is known before its bytes are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSpec {
    /// The plugin's name.
    pub name: PluginName,
    /// Where its bytes are.
    pub source: Reference,
    /// When a registry is asked what its source means. None for what the deployer says for all plugins.
    pub pull_policy: Option<PullPolicy>,
    /// Which of the root contexts in the module is meant; most modules have one and ignore this. Default: empty.
    pub root_id: String,
    /// Plugins with the same `vm_id`, `vm_config`, bytes and `env` share a VM in each worker, and plugins with the
    /// same `vm_id` share their shared data. Default: empty.
    pub vm_id: String,
    /// What the VM is given when it starts, as bytes. Default: empty.
    pub vm_config: Vec<u8>,
    /// The environment variables that the guest sees; it sees no others. Default: none.
    pub env: BTreeMap<String, String>,
    /// What it may cost.
    pub limits: Limits,
    /// What happens to a request when the plugin fails.
    pub on_fault: OnFault,
    /// The upstreams that it may call out to. Default: none.
    pub allowed_upstreams: BTreeSet<String>,
    /// Whether a pause on headers lets body callbacks come, so that a filter can hold headers until it has seen the
    /// body. Otherwise a pause on headers stops everything in that direction, as in Envoy. Default: false.
    pub allow_on_headers_stop_iteration: bool,
    /// Whether the process is ready only while this plugin is healthy. Default: true.
    pub required: bool,
}

impl PluginSpec {
    /// A plugin with the defaults for all but its name and its source.
    pub fn new(name: PluginName, source: Reference) -> Self {
        Self {
            name,
            source,
            pull_policy: None,
            root_id: String::new(),
            vm_id: String::new(),
            vm_config: Vec::new(),
            env: BTreeMap::new(),
            limits: Limits::default(),
            on_fault: OnFault::default(),
            allowed_upstreams: BTreeSet::new(),
            allow_on_headers_stop_iteration: false,
            required: true,
        }
    }
}
