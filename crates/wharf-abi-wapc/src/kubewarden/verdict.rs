//! What a policy answers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::fault::PolicyFault;
use super::json::{self, JsonProblem};
use super::patch;
use super::request::ReviewRequest;
use super::response::{AdmissionResponse, JsonPatch, Status, StatusDetails};

/// What users read when a policy changes an object that is being deleted; Kubewarden's words.
const MUTATION_OF_NOTHING: &str = "Incoming object is null, which happens only with DELETE operations, but the policy is attempting a mutation. This is not allowed";

/// What a policy thinks of a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// Whether it may be done.
    pub accepted: bool,
    /// Why not, for the user.
    pub message: Option<String>,
    /// The HTTP status that the user gets.
    pub code: Option<u16>,
    /// Why not, in one word; Rego policies alone give it.
    pub reason: Option<String>,
    /// More about why not; Rego policies alone give it.
    pub details: Option<StatusDetails>,
    /// How the object is to be, where the policy changes it.
    pub mutated_object: Option<Value>,
    /// The change itself, where a Rego policy made it.
    pub patch: Option<JsonPatch>,
    /// What goes into the cluster's audit log.
    pub audit_annotations: Option<BTreeMap<String, String>>,
    /// What the user reads, whatever the verdict is.
    pub warnings: Option<Vec<String>>,
}

/// What a policy thinks of its settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SettingsVerdict {
    /// Whether it can work with them.
    pub valid: bool,
    /// Why not.
    #[serde(default)]
    pub message: Option<String>,
}

/// The answer to `validate` in the protocol's JSON.
#[derive(Deserialize)]
struct Answer {
    accepted: bool,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    code: Option<u16>,
    #[serde(default)]
    mutated_object: Option<Value>,
    #[serde(default)]
    audit_annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

impl Verdict {
    /// Reads the answer to `validate`.
    ///
    /// # Errors
    /// [`JsonProblem`] where it is no JSON or does not say whether the request is accepted.
    pub fn parse(answer: &[u8]) -> Result<Self, JsonProblem> {
        let answer: Answer = json::decode_object(answer)?;
        Ok(Self {
            accepted: answer.accepted,
            message: answer.message,
            code: answer.code,
            mutated_object: answer.mutated_object,
            audit_annotations: answer.audit_annotations,
            warnings: answer.warnings,
            ..Self::default()
        })
    }

    /// The answer to the request: with a patch where the policy accepts it and changes the object. A change where there
    /// is no object is refused.
    ///
    /// Where the policy rejects the request, what it would have changed does not matter.
    ///
    /// # Errors
    /// [`PolicyFault::UnreadableObject`], [`PolicyFault::Patch`].
    pub fn into_response(self, request: &ReviewRequest) -> Result<AdmissionResponse, PolicyFault> {
        let uid = request.uid();
        let mut patch = None;
        if self.accepted && (self.mutated_object.is_some() || self.patch.is_some()) {
            let Some(original) = request.original().map_err(PolicyFault::UnreadableObject)? else {
                return Ok(AdmissionResponse::rejected(uid, MUTATION_OF_NOTHING, None));
            };
            patch = match &self.mutated_object {
                // A raw request may be any JSON, an object of Kubernetes may not.
                Some(mutated) if !mutated.is_object() && matches!(request, ReviewRequest::Admission(_)) => {
                    return Err(PolicyFault::UnreadableAnswer {
                        operation: "validate",
                        problem: JsonProblem::at("mutated_object", "this is no object"),
                    });
                }
                Some(mutated) => patch::difference(&original, mutated).map_err(PolicyFault::Patch)?,
                None => self.patch.clone(),
            };
        }
        Ok(AdmissionResponse {
            uid: uid.to_owned(),
            allowed: self.accepted,
            patch,
            status: self.status(),
            audit_annotations: self.audit_annotations,
            warnings: self.warnings,
        })
    }

    /// What the policy says about the refusal; nothing where it says nothing.
    fn status(&self) -> Option<Status> {
        let status = Status {
            message: self.message.clone(),
            reason: self.reason.clone(),
            details: self.details.clone(),
            code: self.code,
        };
        (status != Status::default()).then_some(status)
    }
}

impl SettingsVerdict {
    /// Settings that are good.
    pub fn valid() -> Self {
        Self {
            valid: true,
            message: None,
        }
    }

    /// Reads the answer to `validate_settings`.
    ///
    /// # Errors
    /// [`JsonProblem`] where it is no JSON or does not say whether the settings are valid.
    pub fn parse(answer: &[u8]) -> Result<Self, JsonProblem> {
        json::decode_object(answer)
    }
}

#[cfg(test)]
mod tests;
