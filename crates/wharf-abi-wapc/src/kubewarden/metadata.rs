//! What a policy says about itself, in its custom section `io.kubewarden.metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

use super::capability::Grants;
use super::json::{self, JsonProblem};

/// The name of the section.
pub const METADATA_SECTION: &str = "io.kubewarden.metadata";

/// The most bytes of the section that are read. Those of real policies have some kilobytes.
const MOST_BYTES: usize = 1 << 20;

/// What a policy says about itself. Nobody checks that it is true: what the policy may do is the deployer's to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The protocol that the policy speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<ProtocolVersion>,
    /// Which requests the policy is made for.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Author, title, version and the like, under names such as `io.kubewarden.policy.title`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Whether the policy changes objects.
    #[serde(default)]
    pub mutating: bool,
    /// Whether the policy can judge objects that exist already. True where it is not said.
    #[serde(default = "yes")]
    pub background_audit: bool,
    /// How the policy is run.
    #[serde(default)]
    pub execution_mode: ExecutionMode,
    /// What the policy judges.
    #[serde(default)]
    pub policy_type: PolicyType,
    /// The Kubernetes resources that the policy wants to read.
    #[serde(default)]
    pub context_aware_resources: BTreeSet<ContextAwareResource>,
    /// The patterns of the host capabilities that the policy wants to use; none where the policy is older than these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_capabilities: Option<BTreeSet<String>>,
    /// The release of Kubewarden without which the policy does not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_kubewarden_version: Option<semver::Version>,
}

fn yes() -> bool {
    true
}

/// The protocol between a policy and its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProtocolVersion {
    /// The one that there is.
    #[serde(rename = "v1")]
    V1,
    /// What Rego policies say, which have no protocol of Kubewarden's.
    Unknown,
}

/// How a policy is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum ExecutionMode {
    /// By waPC, which is the default.
    #[default]
    #[serde(rename = "kubewarden-wapc")]
    KubewardenWapc,
    /// As a command that reads the request from stdin and writes the verdict to stdout.
    #[serde(rename = "wasi")]
    Wasi,
    /// Rego that answers with an AdmissionReview, as for OPA.
    #[serde(rename = "opa")]
    Opa,
    /// Rego that answers with violations, as for Gatekeeper.
    #[serde(rename = "gatekeeper")]
    Gatekeeper,
}

impl ExecutionMode {
    /// The word in the metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KubewardenWapc => "kubewarden-wapc",
            Self::Wasi => "wasi",
            Self::Opa => "opa",
            Self::Gatekeeper => "gatekeeper",
        }
    }
}

impl fmt::Display for ExecutionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a policy judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyType {
    /// Requests to the Kubernetes API.
    #[default]
    Kubernetes,
    /// Any JSON.
    Raw,
}

/// Requests that a policy is made for, as in a webhook's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The groups, `""` for the core; or `*`.
    pub api_groups: Vec<String>,
    /// The versions; or `*`.
    pub api_versions: Vec<String>,
    /// The resources in plural, with `/` and a subresource where one is meant.
    pub resources: Vec<String>,
    /// The operations.
    pub operations: Vec<Operation>,
}

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// It is made.
    #[serde(rename = "CREATE")]
    Create,
    /// It is changed.
    #[serde(rename = "UPDATE")]
    Update,
    /// It is deleted.
    #[serde(rename = "DELETE")]
    Delete,
    /// It is connected to, as by `kubectl exec`.
    #[serde(rename = "CONNECT")]
    Connect,
    /// Any of these.
    #[serde(rename = "*")]
    All,
}

/// A kind of Kubernetes objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContextAwareResource {
    /// The version, with its group before it where it has one: `v1`, `apps/v1`.
    pub api_version: String,
    /// The kind: `Namespace`.
    pub kind: String,
}

impl fmt::Display for ContextAwareResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api_version, self.kind)
    }
}

/// Why the metadata of a module cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The module is damaged.
    #[error("the module's sections cannot be read, at byte {offset:#x}: {reason}")]
    Module {
        /// Where, counted from the beginning of the module.
        offset: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The section is larger than any that makes sense.
    #[error("the section `{METADATA_SECTION}` has {size} bytes, and at most {MOST_BYTES} are read")]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// The section's content is not what it should be.
    #[error("the section `{METADATA_SECTION}` is not a policy's metadata: {0}")]
    Content(#[source] JsonProblem),
}

impl Metadata {
    /// Reads the metadata of a module; `None` where it has none. Of several sections the first counts, as it does for
    /// Kubewarden.
    ///
    /// # Errors
    /// [`MetadataError`] where the module's sections or the metadata cannot be read.
    pub fn of_module(module: &[u8]) -> Result<Option<Self>, MetadataError> {
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload.map_err(|error| MetadataError::Module {
                offset: error.offset(),
                reason: error.message().to_owned(),
            })?;
            if let Payload::CustomSection(section) = payload
                && section.name() == METADATA_SECTION
            {
                return Self::parse(section.data()).map(Some);
            }
        }
        Ok(None)
    }

    /// Reads the content of the section. Keys that are not known are passed over: older policies have some.
    ///
    /// # Errors
    /// [`MetadataError`] with the place of what is wrong.
    pub fn parse(section: &[u8]) -> Result<Self, MetadataError> {
        if section.len() > MOST_BYTES {
            return Err(MetadataError::TooLarge { size: section.len() });
        }
        json::decode_object(section).map_err(MetadataError::Content)
    }

    /// What the policy wants and is not granted: its calls for these will be refused. For a warning when it is loaded.
    pub fn ungranted(&self, grants: &Grants) -> Vec<String> {
        let resources = self
            .context_aware_resources
            .iter()
            .filter(|resource| !grants.allow_resource(&resource.api_version, &resource.kind))
            .map(|resource| format!("contextAwareResources: {resource}"));
        let capabilities = self
            .host_capabilities
            .iter()
            .flatten()
            .filter(|pattern| !grants.allow_pattern(pattern))
            .map(|pattern| format!("hostCapabilities: {pattern}"));
        resources.chain(capabilities).collect()
    }
}

#[cfg(test)]
mod tests;
