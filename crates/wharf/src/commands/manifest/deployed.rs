//! Policies that are to be served, and what the API server is to be told of them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};
use wharf_abi_wapc::kubewarden::capability::CapabilityPatterns;
use wharf_abi_wapc::kubewarden::{ExecutionMode, Metadata, MetadataError, PolicyType};
use wharf_config::kubewarden::WebhookConfig;
use wharf_distribution::{FetchError, Fetcher};
use wharf_plugin::{IdentifyError, Reference, identify};

use crate::commands::single;

/// The operations that read objects.
const READING: [&str; 3] = [
    "kubernetes/get_resource",
    "kubernetes/list_resources_all",
    "kubernetes/list_resources_by_namespace",
];

/// What a policy may take where nobody says it: the default of `admission.timeout`.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// What the API server waits at most.
const MOST_SECONDS: u64 = 30;

/// A policy, or a group of them, that is to be served.
pub(super) struct Deployed {
    /// The last part of the path to which its reviews are sent.
    pub(super) id: String,
    /// What it is called in messages.
    pub(super) shown: String,
    /// Which requests it is asked about, as in a webhook's configuration.
    pub(super) rules: Vec<Value>,
    /// Whether it changes objects.
    pub(super) mutates: bool,
    /// The kinds that it reads, by version and kind.
    pub(super) resources: BTreeSet<(String, String)>,
    /// Whether it asks who may do what.
    pub(super) asks_who_may: bool,
    /// What a review may take.
    pub(super) timeout: Duration,
    /// What a custom resource says of its webhook.
    pub(super) webhook: Option<WebhookConfig>,
    /// Whether it reviews objects in the server's own namespace too.
    pub(super) reviews_own_namespace: bool,
    /// Its entry in a `policies.yml` that is made for it.
    pub(super) entry: Value,
}

impl Deployed {
    /// What the API server waits for an answer: what the policy may take, and a second for the way.
    pub(super) fn timeout_seconds(&self) -> u64 {
        let whole = self.timeout.as_secs() + u64::from(self.timeout.subsec_nanos() > 0);
        (whole + 1).min(MOST_SECONDS)
    }

    /// Whether a review may take so long that nobody waits for it.
    pub(super) fn outlasts_api_server(&self) -> bool {
        self.timeout >= Duration::from_secs(MOST_SECONDS)
    }
}

/// Why a module cannot be deployed as a policy.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPolicy {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{0} has no Kubewarden metadata")]
    NoMetadata(Reference),
    #[error("{0} judges any JSON (its policyType is raw), and the API server has no webhooks for that")]
    Raw(Reference),
    #[error("{0} is a proxy-wasm filter")]
    Filter(Reference),
    #[error("the metadata of {0} cannot be read")]
    Metadata(Reference, #[source] MetadataError),
    #[error("{0} cannot be a policy")]
    Identify(Reference, #[source] IdentifyError),
    #[error("{0} and {1} would both have the id `{2}`")]
    SameName(String, String, String),
    #[error("{place}: the API server takes no webhook for the id `{id}`")]
    Id { place: String, id: String },
    #[error(
        "{place}: the policy `{id}` has a module whose path is relative, and in the pod nothing is there"
    )]
    Relative { place: String, id: String },
}

impl NoPolicy {
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Fetch(error) => return error.hint(),
            Self::NoMetadata(_) | Self::Metadata(..) => {
                "`kwctl annotate` adds them, with the rules of the webhook"
            }
            Self::Raw(_) => "send raw reviews to `/validate_raw/ID` of a server that you deploy yourself",
            Self::Filter(_) | Self::Identify(..) => "`wharf inspect` says what the module is",
            Self::SameName(..) => "rename one of the files: the ids are made of their names",
            Self::Id { .. } => "use a-z, 0-9, and `-` and `.` inside",
            Self::Relative { .. } => {
                "write the path in the image, such as `file:///policies/NAME.wasm`; --modules DIR says where the modules are here"
            }
        }
        .to_owned()
    }
}

/// The metadata of a module, which must be a policy for the Kubernetes API.
pub(super) fn metadata(fetcher: &Fetcher, reference: &Reference) -> Result<Metadata, NoPolicy> {
    let artifact = fetcher.fetch(reference)?.artifact;
    let identified =
        identify(artifact.bytes()).map_err(|error| NoPolicy::Identify(reference.clone(), error))?;
    if identified.proxy_wasm().is_some() {
        return Err(NoPolicy::Filter(reference.clone()));
    }
    let section = identified.surface.kubewarden_metadata;
    let section = section.ok_or_else(|| NoPolicy::NoMetadata(reference.clone()))?;
    let metadata = Metadata::parse(&section).map_err(|error| NoPolicy::Metadata(reference.clone(), error))?;
    if metadata.policy_type == PolicyType::Raw {
        return Err(NoPolicy::Raw(reference.clone()));
    }
    Ok(metadata)
}

/// The rules of a policy's metadata.
pub(super) fn rules(metadata: &Metadata) -> Vec<Value> {
    // They were made of JSON.
    let rule = |rule| serde_json::to_value(rule).unwrap_or_default();
    metadata.rules.iter().map(rule).collect()
}

/// Whether a policy asks its host for this. Older policies do not say what they ask for.
pub(super) fn asks(metadata: &Metadata, path: &str) -> Option<bool> {
    let patterns = metadata.host_capabilities.as_ref()?;
    Some(CapabilityPatterns::parse(patterns).is_ok_and(|patterns| patterns.allow(path)))
}

/// Policies by their modules alone: they get what their metadata ask for, and no settings.
pub(super) fn of_references(fetcher: &Fetcher, references: &[Reference]) -> Result<Vec<Deployed>, NoPolicy> {
    let mut all: Vec<Deployed> = Vec::new();
    for reference in references {
        let metadata = metadata(fetcher, reference)?;
        // Ids stand in names of webhooks, in which fewer characters may stand than in names of plugins.
        let id = single::name_of(reference).to_string().replace(['_', '.'], "-");
        let id = id.trim_matches('-').to_owned();
        if let Some(other) = all.iter().find(|other| other.id == id) {
            return Err(NoPolicy::SameName(other.shown.clone(), reference.to_string(), id));
        }
        let resources = metadata.context_aware_resources.iter();
        all.push(Deployed {
            shown: reference.to_string(),
            rules: rules(&metadata),
            mutates: metadata.mutating,
            resources: resources
                .map(|resource| (resource.api_version.clone(), resource.kind.clone()))
                .collect(),
            asks_who_may: asks(&metadata, "kubernetes/can_i").unwrap_or(false),
            timeout: DEFAULT_TIMEOUT,
            webhook: None,
            reviews_own_namespace: false,
            entry: entry(&id, &metadata),
            id,
        });
    }
    Ok(all)
}

/// The `policies.yml` of policies by their modules alone.
pub(super) fn policies_yml(policies: &[Deployed]) -> String {
    let policies = policies.iter();
    let entries: Map<_, _> = policies
        .map(|policy| (policy.id.clone(), policy.entry.clone()))
        .collect();
    wharf_config::to_yaml(&Value::Object(entries))
}

/// A policy's entry in `policies.yml`, with what its metadata ask for.
fn entry(id: &str, metadata: &Metadata) -> Value {
    let mut entry = json!({ "module": format!("file:///policies/{id}.wasm") });
    if metadata.mutating {
        entry["allowedToMutate"] = json!(true);
    }
    if metadata.execution_mode != ExecutionMode::KubewardenWapc {
        entry["executionMode"] = json!(metadata.execution_mode.as_str());
    }
    if !metadata.context_aware_resources.is_empty() {
        let resources = serde_json::to_value(&metadata.context_aware_resources);
        entry["contextAwareResources"] = resources.unwrap_or_default();
    }
    match &metadata.host_capabilities {
        Some(capabilities) if capabilities.is_empty() => {}
        Some(capabilities) => entry["hostCapabilities"] = json!(capabilities),
        // Older policies name the kinds that they read, and not how.
        None if metadata.context_aware_resources.is_empty() => {}
        None => entry["hostCapabilities"] = json!(READING),
    }
    entry["settings"] = json!({});
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_server_waits_a_second_longer_and_thirty_at_most() {
        let policy = |timeout| Deployed {
            id: String::new(),
            shown: String::new(),
            rules: Vec::new(),
            mutates: false,
            resources: BTreeSet::new(),
            asks_who_may: false,
            timeout,
            webhook: None,
            reviews_own_namespace: false,
            entry: Value::Null,
        };
        for (milliseconds, seconds, outlasts) in [
            (1, 2, false),
            (2_000, 3, false),
            (2_001, 4, false),
            (29_000, 30, false),
            (29_500, 30, false),
            (30_000, 30, true),
            (3_600_000, 30, true),
        ] {
            let policy = policy(Duration::from_millis(milliseconds));
            assert_eq!(
                (policy.timeout_seconds(), policy.outlasts_api_server()),
                (seconds, outlasts)
            );
        }
    }
}
