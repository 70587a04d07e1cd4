//! Kubewarden's policies, in the two forms in which people have them: the `policies.yml` of policy-server, and custom
//! resources; and the files beside them.

mod capabilities;
mod collection;
mod entries;
mod files;
mod inputs;
mod limits;
mod module;
mod policy;
mod resources;
mod sources;
mod verification;
mod webhook;

pub use files::{LoadedPolicies, load_policies, parse_policies};
pub use inputs::{RecordedAnswer, RecordedCall, read_recording, read_review, read_settings};
pub use limits::PolicyLimits;
pub use policy::{
    BadPolicy, ContextAwareResource, ExecutionMode, GroupConfig, PolicyConfig, PolicyEntry, PolicyKind,
    PolicyMode, PolicyModule, PolicySet, PolicySource,
};
pub use resources::{CustomResource, ResourceKind};
pub use sources::{Sources, load_sources};
pub use verification::load_verification;
pub use webhook::{
    FailurePolicy, LabelSelector, LabelSelectorRequirement, MatchCondition, MatchPolicy, Operation,
    RuleScope, SelectorOperator, SideEffects, WebhookConfig, WebhookRule,
};

pub(crate) use capabilities::{HOST_CAPABILITY, decode_host_capabilities};
pub(crate) use collection::{Collection, is_identifier};
pub(crate) use entries::{
    CONTEXT_AWARE_RESOURCE, ENTRIES, MODE, decode_context_aware_resources, decode_entries,
    decode_execution_mode, decode_filled, decode_mode,
};
pub(crate) use files::read_policies;
pub(crate) use limits::{DEFAULT_LIMITS, decode_default_limits};
