//! Kubewarden's policies: what they are asked, what they answer, and what they may ask of their host.
//!
//! A policy is a module that judges requests to the Kubernetes API, or any JSON. It is run in one of four ways
//! ([`ExecutionMode`]): by waPC, as a command, or as Rego for OPA or Gatekeeper. [`Policy`] hides which.
//!
//! ```text
//! body ─► AdmissionRequest::of_review ─► Policy::validate ─► Verdict ─► AdmissionResponse
//!                                            │  ▲
//!                                            ▼  │ CapabilityRequest, checked against Grants
//!                                        PolicyHost, Capabilities
//! ```
//!
//! Nothing here reads the network, a file or the wall clock: what a policy wants of them goes to a [`PolicyHost`]. A policy
//! that gives no verdict is a typed [`PolicyFault`].
//!
//! Texts that users of policies see, and that their runbooks and tests know, are Kubewarden's own.

mod bridge;
pub mod capability;
mod command;
mod fault;
pub mod group;
mod host;
mod inventory;
mod json;
mod metadata;
pub mod patch;
mod policy;
mod rego;
pub mod replay;
mod request;
mod response;
mod settings;
mod terms;
mod verdict;

pub use fault::{PolicyFault, TIMEOUT_MESSAGE};
pub use host::{PolicyHost, PolicyLog, PolicyLogLevel, RefusedCapability};
pub use json::JsonProblem;
pub use metadata::{
    ContextAwareResource, ExecutionMode, METADATA_SECTION, Metadata, MetadataError, Operation, PolicyType,
    ProtocolVersion, Rule,
};
pub use policy::{KUBEWARDEN_RELEASE, Policy, PolicyError, PolicyOptions};
pub use rego::RegoError;
pub use request::{
    AdmissionRequest, GroupVersionKind, GroupVersionResource, REVIEW_KIND, REVIEW_VERSION, RawRequest,
    ReviewError, ReviewRequest, UserInfo,
};
pub use response::{
    AdmissionResponse, AdmissionReviewResponse, JsonPatch, RawReviewResponse, Status, StatusCause,
    StatusDetails,
};
pub use settings::{Settings, SettingsError};
pub use terms::DeployerTerms;
pub use verdict::{SettingsVerdict, Verdict};
