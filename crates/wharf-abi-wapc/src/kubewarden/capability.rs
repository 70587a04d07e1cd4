//! What a policy may ask of its host beyond the request: host capabilities.
//!
//! A policy names a namespace and an operation and gives JSON; [`CapabilityRequest::decode`] makes a typed request of it.
//! Whoever can answer such requests is a [`Capabilities`]: a server with a Kubernetes client and a registry client, a
//! recording that is played again, a test. What a policy may ask at all is said by [`Grants`], and checked before.
//!
//! | namespace/operation | request | answer |
//! |---|---|---|
//! | `oci/v1/verify`, `oci/v2/verify` | [`CapabilityRequest::SigstorePubKeyVerify`] and the others of Sigstore | [`VerificationAnswer`] |
//! | `oci/v1/manifest_digest` | [`CapabilityRequest::OciManifestDigest`] | [`DigestAnswer`] |
//! | `oci/v1/oci_manifest` | [`CapabilityRequest::OciManifest`] | the manifest or index, as the registry has it |
//! | `oci/v1/oci_manifest_config` | [`CapabilityRequest::OciManifestAndConfig`] | [`ManifestAndConfigAnswer`] |
//! | `net/v1/dns_lookup_host` | [`CapabilityRequest::DnsLookupHost`] | [`LookupAnswer`] |
//! | `crypto/v1/is_certificate_trusted` | [`CapabilityRequest::CryptoIsCertificateTrusted`] | [`CertificateAnswer`] |
//! | `kubernetes/list_resources_by_namespace` | [`CapabilityRequest::KubernetesListResourceNamespace`] | the list |
//! | `kubernetes/list_resources_all` | [`CapabilityRequest::KubernetesListResourceAll`] | the list |
//! | `kubernetes/get_resource` | [`CapabilityRequest::KubernetesGetResource`] | the object |
//! | `kubernetes/can_i` | [`CapabilityRequest::KubernetesCanI`] | [`AccessAnswer`] |
//!
//! All of it is in snake_case but what comes from the Kubernetes API or a registry.

mod answer;
mod field_mask;
mod grants;
mod request;

use wharf_engine::Deadline;

pub use answer::{
    AccessAnswer, CertificateAnswer, DigestAnswer, LookupAnswer, ManifestAndConfigAnswer, VerificationAnswer,
};
pub use field_mask::{FieldMask, FieldMaskError};
pub use grants::{CapabilityPatterns, Grants, PatternError};
pub use request::{
    CapabilityRequest, Certificate, CertificateEncoding, CertificateVerification, GetResource,
    GithubActionsVerification, KeylessInfo, KeylessPrefixInfo, KeylessPrefixVerification,
    KeylessVerification, ListAll, ListByNamespace, PubKeyVerification, ResourceAttributes,
    SignerCertificateVerification, SubjectAccessReview, UnreadableCapability,
};

/// All operations that policies can ask for, by namespace and operation, sorted. `tracing/log` is not among them: it is
/// never refused.
pub const OPERATIONS: [(&str, &str); 11] = [
    ("crypto", "v1/is_certificate_trusted"),
    ("kubernetes", "can_i"),
    ("kubernetes", "get_resource"),
    ("kubernetes", "list_resources_all"),
    ("kubernetes", "list_resources_by_namespace"),
    ("net", "v1/dns_lookup_host"),
    ("oci", "v1/manifest_digest"),
    ("oci", "v1/oci_manifest"),
    ("oci", "v1/oci_manifest_config"),
    ("oci", "v1/verify"),
    ("oci", "v2/verify"),
];

/// Whoever answers what policies ask. What gets here has been granted.
pub trait Capabilities {
    /// Answers a request with the JSON of the table above. It may take until `deadline`, which is that of the review: the
    /// guest waits on its thread.
    ///
    /// Field masks need not be looked at: what is left of an object is cut down to them afterwards.
    ///
    /// # Errors
    /// [`CapabilityError`], whose words the policy gets.
    fn call(&mut self, request: &CapabilityRequest, deadline: Deadline) -> Result<Vec<u8>, CapabilityError>;
}

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapabilityError {
    /// This host cannot do that at all, as where it has no Kubernetes client.
    #[error("this host does not offer {0}")]
    NotOffered(&'static str),
    /// The review's time was over before the answer came.
    #[error("the answer did not come within the time of the review")]
    Timeout,
    /// It was tried, and went wrong.
    #[error("{0}")]
    Failed(String),
}

/// No capabilities at all.
impl Capabilities for () {
    fn call(&mut self, request: &CapabilityRequest, _deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        Err(CapabilityError::NotOffered(request.path()))
    }
}

#[cfg(test)]
mod tests;
