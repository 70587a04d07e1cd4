//! The answers that are Kubewarden's own. Those that come from the Kubernetes API or a registry pass as they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whether an image is signed as wanted. Serialized it is what the policy gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationAnswer {
    /// Whether it is.
    pub is_trusted: bool,
    /// The digest of the image that was verified.
    pub digest: String,
}

/// The digest of an image's manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestAnswer {
    /// `sha256:` and hexadecimal digits.
    pub digest: String,
}

/// An image's manifest and configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestAndConfigAnswer {
    /// The manifest, as the registry has it.
    pub manifest: Value,
    /// The manifest's digest.
    pub digest: String,
    /// The configuration, as the registry has it.
    pub config: Value,
}

/// The addresses of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupAnswer {
    /// Each as text.
    pub ips: Vec<String>,
}

/// Whether a certificate is to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateAnswer {
    /// Whether it is.
    pub trusted: bool,
    /// Why not; empty where it is.
    pub reason: String,
}

/// Whether somebody may do something: the status of the API server's SubjectAccessReview.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessAnswer {
    /// Whether they may.
    pub allowed: bool,
    /// Whether they may surely not, whatever other authorizers say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<bool>,
    /// What went wrong while it was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_error: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What newer API servers say beside.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

macro_rules! encode {
    ($($answer:ty),*) => { $(
        impl $answer {
            /// The JSON that the policy gets.
            pub fn encode(&self) -> Vec<u8> {
                serde_json::to_vec(self).expect("an answer has names as keys, and so it is JSON")
            }
        }
    )* };
}

encode!(
    VerificationAnswer,
    DigestAnswer,
    ManifestAndConfigAnswer,
    LookupAnswer,
    CertificateAnswer,
    AccessAnswer
);
