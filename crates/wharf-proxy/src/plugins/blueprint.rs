//! What a VM is made from, and what it keeps when it is made anew from something else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wharf_abi_proxy_wasm::{Namespace, PluginContext, Program, Shared, VmSettings};
use wharf_plugin::{Digest, Limits, PluginName, PluginSpec};
use wharf_telemetry::PluginMetrics;

use crate::status::PluginStatus;

/// A VM as each worker builds it. Sets of plugins that follow each other share it where nothing of it has changed.
pub(crate) struct Blueprint {
    pub(super) key: VmKey,
    pub(crate) program: Program,
    pub(crate) settings: VmSettings,
    /// The root contexts in it, in order.
    pub(crate) plugins: Vec<PluginContext>,
    /// The plugins' specifications, for what they may call out to.
    pub(crate) specs: BTreeMap<PluginName, Arc<PluginSpec>>,
    pub(crate) metrics: BTreeMap<PluginName, Arc<PluginMetrics>>,
    pub(crate) status: Arc<PluginStatus>,
    pub(super) namespace: Arc<VmNamespace>,
}

impl Blueprint {
    /// The names of its plugins.
    pub(crate) fn plugin_names(&self) -> Vec<String> {
        self.specs.keys().map(ToString::to_string).collect()
    }

    /// What its VMs share with others.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.namespace.shared
    }

    /// Whether a blueprint of the same key that is made from these would be the same.
    pub(super) fn is_made_from(
        &self,
        plugins: &[PluginContext],
        specs: &BTreeMap<PluginName, Arc<PluginSpec>>,
    ) -> bool {
        let alike = |(left, right): (&PluginContext, &PluginContext)| {
            left.name == right.name && left.configuration == right.configuration
        };
        self.specs == *specs
            && self.plugins.len() == plugins.len()
            && self.plugins.iter().zip(plugins).all(alike)
    }
}

/// What makes two plugins share a VM: everything that the VM is made from.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VmKey {
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
    pub(super) fn of(spec: &PluginSpec, digest: Digest) -> Self {
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

/// Where the data and the queues of VMs with one key are. Those of a VM without a `vmId` go with the last VM that can
/// reach them; those of a `vmId` stay.
pub(super) struct VmNamespace {
    pub(super) namespace: Namespace,
    pub(super) shared: Arc<Shared>,
}

impl VmNamespace {
    /// The place of a `vmId`, or a new one for a VM that has none. Its name is never used a second time, so that nobody finds
    /// what a VM before it has left there.
    pub(super) fn new(key: &VmKey, shared: &Arc<Shared>, count: &AtomicU64) -> Self {
        let namespace = match key.vm_id.as_str() {
            "" => {
                let number = count.fetch_add(1, Ordering::Relaxed);
                Namespace::Private(format!("{}#{number}", key.digest))
            }
            vm_id => Namespace::Named(vm_id.into()),
        };
        Self {
            namespace,
            shared: Arc::clone(shared),
        }
    }
}

impl Drop for VmNamespace {
    fn drop(&mut self) {
        if let Namespace::Private(_) = self.namespace {
            self.shared.forget(&self.namespace);
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_plugin::Reference;

    use super::*;

    fn key(vm_id: &str) -> VmKey {
        let source = Reference::File("filter.wasm".into());
        let mut spec = PluginSpec::new(PluginName::new("filter").unwrap(), source);
        spec.vm_id = vm_id.into();
        VmKey::of(&spec, Digest::of(b"filter"))
    }

    #[test]
    fn what_a_vm_without_an_id_shares_goes_with_it() {
        let (shared, count) = (Arc::<Shared>::default(), AtomicU64::new(0));
        let place = |vm_id| {
            let place = VmNamespace::new(&key(vm_id), &shared, &count);
            shared
                .data
                .set(&place.namespace, b"key", "value".into(), 0)
                .unwrap();
            place
        };
        let (first, second, named) = (place(""), place(""), place("team"));
        let names = [&first, &second, &named].map(|place| place.namespace.clone());
        let there = || {
            names
                .each_ref()
                .map(|name| shared.data.get(name, b"key").is_some())
        };
        assert_eq!(there(), [true, true, true]);
        drop(first);
        assert_eq!(there(), [false, true, true]);
        drop((second, named));
        assert_eq!(there(), [false, false, true]);
    }
}
