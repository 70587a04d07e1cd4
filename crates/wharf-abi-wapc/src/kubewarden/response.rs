//! What goes back to whoever asked, in the JSON of the Kubernetes API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::PolicyFault;
use super::request::{REVIEW_KIND, REVIEW_VERSION};

/// The answer to an AdmissionReview.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdmissionReviewResponse {
    api_version: &'static str,
    kind: &'static str,
    /// The answer itself.
    pub response: AdmissionResponse,
}

impl AdmissionReviewResponse {
    /// Wraps an answer.
    pub fn new(response: AdmissionResponse) -> Self {
        Self {
            api_version: REVIEW_VERSION,
            kind: REVIEW_KIND,
            response,
        }
    }
}

/// The answer to a raw review.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RawReviewResponse {
    /// The answer itself.
    pub response: AdmissionResponse,
}

/// Whether a request is let through, changed or refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdmissionResponse {
    /// The request's id.
    pub uid: String,
    /// Whether it is let through.
    pub allowed: bool,
    /// How the object is changed.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub patch: Option<JsonPatch>,
    /// Why it is refused; the API server does not look at it where the request is let through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// What goes into the cluster's audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_annotations: Option<BTreeMap<String, String>>,
    /// What the client reads, whatever the verdict is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
}

/// A change of an object: RFC 6902 in base64, the only kind that the API server takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonPatch {
    patch_type: PatchType,
    #[serde(rename = "patch")]
    base64: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum PatchType {
    #[serde(rename = "JSONPatch")]
    JsonPatch,
}

impl JsonPatch {
    pub(super) fn of_base64(base64: String) -> Self {
        Self {
            patch_type: PatchType::JsonPatch,
            base64,
        }
    }

    /// The operations in base64, as they stand in the answer.
    pub fn base64(&self) -> &str {
        &self.base64
    }
}

/// Why a request is refused, as the API server tells the client.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// In words, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// In one word, for programs, such as `Forbidden`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// More of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<StatusDetails>,
    /// The HTTP status that the client gets; the API server makes 400 of less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
}

/// What else is known of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusDetails {
    /// The name of the resource that is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its API group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// One for each thing that is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<StatusCause>,
    /// When it is worth to ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<i32>,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatusCause {
    /// In one word, for programs, such as `FieldValueInvalid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// In words, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The field that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl AdmissionResponse {
    /// The request is let through as it is.
    pub fn accepted(uid: impl Into<String>) -> Self {
        Self {
            uid: uid.into(),
            allowed: true,
            ..Self::default()
        }
    }

    /// The request is refused.
    pub fn rejected(uid: impl Into<String>, message: impl Into<String>, code: Option<u16>) -> Self {
        Self {
            uid: uid.into(),
            status: Some(Status {
                message: Some(message.into()),
                code,
                ..Status::default()
            }),
            ..Self::default()
        }
    }

    /// The request is refused with code 500, because the policy gave no verdict. The message is that of
    /// [`PolicyFault::public_message`]; which policy it was stands in the causes.
    pub fn of_fault(uid: impl Into<String>, policy: &str, fault: &PolicyFault) -> Self {
        let mut response = Self::rejected(uid, fault.public_message(), Some(500));
        if let Some(status) = &mut response.status {
            status.details = Some(StatusDetails {
                causes: vec![StatusCause {
                    reason: Some("InternalError".into()),
                    message: Some(format!("policy {policy}: {}", fault.label())),
                    field: None,
                }],
                ..StatusDetails::default()
            });
        }
        response
    }

    /// Why the request is refused, in words.
    pub fn message(&self) -> Option<&str> {
        self.status.as_ref()?.message.as_deref()
    }
}

#[cfg(test)]
mod tests;
