//! What a policy is, whichever form it was written in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use wharf_plugin::Reference;

use crate::diagnostic::ConfigErrors;

use super::{CustomResource, PolicyLimits, ResourceKind};

/// The policies of a configuration or of some files, no two with the same id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicySet {
    /// Those that can be used, in the order in which they were written.
    pub entries: Vec<PolicyEntry>,
    /// Those that were written in a way that nothing can be made of, in the same order. None of them is in `entries`.
    pub bad: Vec<BadPolicy>,
}

/// A policy or a group of policies, under the id by which reviews name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyEntry {
    /// The last part of the path to which the API server sends its reviews. It is not empty and has no `/`.
    pub id: String,
    /// Where it was written.
    pub source: PolicySource,
    /// What is to be evaluated.
    pub kind: PolicyKind,
    /// What else the custom resource says, if it was written as one.
    pub resource: Option<Box<CustomResource>>,
}

/// A place in a file, for logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicySource {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The line at which the policy begins, from 1.
    pub line: usize,
}

/// `policies.yml:12`.
impl fmt::Display for PolicySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// One policy, or several that decide together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyKind {
    /// One policy.
    Policy(PolicyConfig),
    /// Several policies whose verdicts an expression joins.
    Group(GroupConfig),
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyConfig {
    /// What is run, and with what.
    pub module: PolicyModule,
    /// Whether its verdict counts. Default: it does.
    pub mode: PolicyMode,
    /// Whether it may change what it reviews. Default: no.
    pub allowed_to_mutate: bool,
    /// What is said to whoever is rejected, in place of the policy's own message.
    pub message: Option<String>,
}

/// Several policies that decide together. They cannot change what they review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// Whether the verdict counts. Default: it does.
    pub mode: PolicyMode,
    /// The members by the names that the expression calls them by; at least one.
    pub members: BTreeMap<String, PolicyModule>,
    /// When the group accepts: `signed() && !latest()`. It is not empty, and nothing else of it was checked.
    pub expression: String,
    /// What is said to whoever is rejected.
    pub message: String,
    /// How long all members together may take. None for no limit but those of the members.
    pub timeout: Option<Duration>,
}

/// A module and what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyModule {
    /// Where the module is. Files begin with the directory of the file that names them.
    pub reference: Reference,
    /// How the module is talked to. None for what the module's own metadata say.
    pub execution_mode: Option<ExecutionMode>,
    /// The settings; empty where none are given.
    pub settings: Map<String, Value>,
    /// The kinds of objects that it may read from the cluster. Default: none.
    pub context_aware_resources: BTreeSet<ContextAwareResource>,
    /// What it may ask of the host: `*`, `oci/*`, `oci/v1/*` or an operation such as `kubernetes/can_i`. Default: nothing
    /// in `policies.yml`, everything in custom resources, as the Kubewarden controller does it.
    pub host_capabilities: Vec<String>,
    /// How long it may take, waiting included. None for the server's default.
    pub timeout: Option<Duration>,
    /// Its own limits, where they differ from the server's.
    pub limits: PolicyLimits,
}

/// Whether a verdict counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PolicyMode {
    /// What is rejected is rejected. The default.
    #[default]
    Protect,
    /// Everything is accepted and left as it is; the verdict is logged and counted.
    Monitor,
}

/// `protect` or `monitor`.
impl fmt::Display for PolicyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protect => "protect",
            Self::Monitor => "monitor",
        })
    }
}

/// How a policy's module is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExecutionMode {
    /// The Kubewarden protocol over waPC.
    KubewardenWapc,
    /// The Kubewarden protocol over the standard streams of WASI.
    Wasi,
    /// Rego in the shape of Open Policy Agent.
    Opa,
    /// Rego in the shape of Gatekeeper.
    Gatekeeper,
}

impl ExecutionMode {
    /// All of them by the words that name them in metadata and configuration.
    pub const NAMES: [(&str, Self); 4] = [
        ("kubewarden-wapc", Self::KubewardenWapc),
        ("wasi", Self::Wasi),
        ("opa", Self::Opa),
        ("gatekeeper", Self::Gatekeeper),
    ];
}

/// A kind of objects in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContextAwareResource {
    /// Its group and version: `v1`, `apps/v1`.
    pub api_version: String,
    /// Its kind: `Pod`.
    pub kind: String,
}

/// A policy that was written in a way that nothing can be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPolicy {
    /// Its id, which may itself be what is wrong. Control characters in it are escaped.
    pub id: String,
    /// Where it was written.
    pub source: PolicySource,
    /// What is wrong with it.
    pub errors: ConfigErrors,
}

impl PolicySet {
    /// Gives policies that are custom resources of a namespace no other host capabilities than these.
    ///
    /// In a cluster the PolicyServer resource says which they are (`namespacedPoliciesCapabilities`). Without a call of
    /// this they have all, as policies of the whole cluster always do.
    pub fn limit_namespaced(&mut self, host_capabilities: &[String]) {
        for entry in &mut self.entries {
            let kind = entry.resource.as_ref().map(|resource| resource.kind);
            if !kind.is_some_and(ResourceKind::is_namespaced) {
                continue;
            }
            for module in entry.modules_mut() {
                module.host_capabilities = host_capabilities.to_vec();
            }
        }
    }

    /// For those who do not go on without the bad ones.
    ///
    /// # Errors
    /// What is wrong with all of them together.
    pub fn all_good(&self) -> Result<(), ConfigErrors> {
        let mut all = ConfigErrors {
            errors: Vec::new(),
            warnings: Vec::new(),
            omitted: 0,
        };
        for bad in &self.bad {
            all.errors.extend(bad.errors.errors.iter().cloned());
            all.omitted += bad.errors.omitted;
        }
        if all.errors.is_empty() { Ok(()) } else { Err(all) }
    }
}

impl PolicyEntry {
    /// The modules that it runs: one for a policy, those of all members for a group.
    pub fn modules(&self) -> Vec<&PolicyModule> {
        match &self.kind {
            PolicyKind::Policy(policy) => vec![&policy.module],
            PolicyKind::Group(group) => group.members.values().collect(),
        }
    }

    fn modules_mut(&mut self) -> Vec<&mut PolicyModule> {
        match &mut self.kind {
            PolicyKind::Policy(policy) => vec![&mut policy.module],
            PolicyKind::Group(group) => group.members.values_mut().collect(),
        }
    }
}
