//! One review, from the body of the request to that of the answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use wharf_abi_wapc::kubewarden::group::GroupVerdict;
use wharf_abi_wapc::kubewarden::{
    AdmissionRequest, AdmissionResponse, AdmissionReviewResponse, DeployerTerms, PolicyFault, RawRequest,
    RawReviewResponse, ReviewError, ReviewRequest,
};
use wharf_config::kubewarden::PolicyMode;
use wharf_engine::Deadline;
use wharf_telemetry::ReviewEvent;

use crate::bodies::Held;
use crate::host::{Asking, HostContext};
use crate::policies::{Judge, Member, Served};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A verdict on a request to the Kubernetes API, by which it acts.
    Validate,
    /// A verdict on any JSON.
    ValidateRaw,
    /// The policy's own verdict, for a report on what is in the cluster.
    Audit,
}

impl Endpoint {
    fn origin(self) -> &'static str {
        match self {
            Self::Validate | Self::ValidateRaw => "validate",
            Self::Audit => "audit",
        }
    }
}

/// A review that is to be answered.
pub(crate) struct Review {
    pub(crate) served: Arc<Served>,
    pub(crate) endpoint: Endpoint,
    pub(crate) arrived: Instant,
    pub(crate) deadline: Deadline,
    pub(crate) context: Arc<HostContext>,
    /// The namespace whose reviews are accepted without asking.
    pub(crate) always_accept: Option<Arc<str>>,
    /// That of the body, for as long as the review waits and runs.
    pub(crate) _memory: Held,
}

/// What goes back to the client.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Review {
    /// Answers a review. Blocks the thread, at most until the deadline and the tick of the engine's clock behind it.
    ///
    /// # Errors
    /// [`ReviewError`] where the body is no review.
    pub(crate) fn answer(&self, body: &[u8]) -> Result<Answer, ReviewError> {
        let queued = self.arrived.elapsed();
        let request = self.read(body)?;
        let verdict = self.judge(&request);
        let accepted = verdict.allowed;
        let code = verdict.status.as_ref().and_then(|status| status.code);
        let response = match self.endpoint {
            Endpoint::Validate | Endpoint::ValidateRaw => self.apply(verdict),
            Endpoint::Audit => verdict,
        };
        self.count(&request, accepted, code, &response, queued);
        Ok(self.encode(response))
    }

    /// The answer where there was no time left to ask anybody.
    pub(crate) fn too_late(&self, body: &[u8]) -> Result<Answer, ReviewError> {
        let request = self.read(body)?;
        let fault = PolicyFault::Timeout {
            allowed: self.served.terms.timeout,
        };
        let verdict = self.fault(request.uid(), &fault);
        let response = match self.endpoint {
            Endpoint::Validate | Endpoint::ValidateRaw => self.apply(verdict),
            Endpoint::Audit => verdict,
        };
        self.count(&request, false, Some(500), &response, self.arrived.elapsed());
        Ok(self.encode(response))
    }

    fn read(&self, body: &[u8]) -> Result<ReviewRequest, ReviewError> {
        Ok(match self.endpoint {
            Endpoint::Validate | Endpoint::Audit => {
                ReviewRequest::Admission(Box::new(AdmissionRequest::of_review(body)?))
            }
            Endpoint::ValidateRaw => ReviewRequest::Raw(RawRequest::of_review(body)?),
        })
    }

    /// The policy's own verdict, or the answer in its place.
    fn judge(&self, request: &ReviewRequest) -> AdmissionResponse {
        let uid = request.uid();
        if self.is_always_accepted(request) {
            return AdmissionResponse::accepted(uid);
        }
        match &*self.served.judge {
            Judge::Bad(reason) => {
                self.context
                    .metrics
                    .admission()
                    .faulted(&self.served.id, "bad_policy");
                let message = format!("policy {} cannot be used: {reason}", self.served.id);
                AdmissionResponse::rejected(uid, message, Some(500))
            }
            Judge::Policy(member) => match self.ask(member, request, &self.served.id) {
                Ok(response) => response,
                Err(fault) => self.fault(uid, &fault),
            },
            Judge::Group { group, members } => {
                let verdict = group.evaluate(|name| {
                    let member = members.get(name).ok_or(PolicyFault::Unsupported(
                        "the expression of the group names what is no member of it",
                    ))?;
                    let name = format!("{}/{name}", self.served.id);
                    self.ask(member, request, &name)
                });
                if let GroupVerdict::Undecided { faults } = &verdict {
                    for (name, fault) in faults {
                        self.note_fault(&format!("{}/{name}", self.served.id), uid, fault);
                    }
                }
                verdict.into_response(uid)
            }
        }
    }

    fn ask(
        &self,
        member: &Member,
        request: &ReviewRequest,
        name: &str,
    ) -> Result<AdmissionResponse, PolicyFault> {
        let host = self.context.asking(Asking {
            policy: name.to_owned(),
            uid: request.uid().to_owned(),
        });
        let deadline = self.deadline.at_most(member.timeout);
        member.policy.review(request, Box::new(host), deadline)
    }

    fn is_always_accepted(&self, request: &ReviewRequest) -> bool {
        match (request, &self.always_accept) {
            (ReviewRequest::Admission(request), Some(namespace)) => {
                request.namespace.as_deref() == Some(&**namespace)
            }
            _ => false,
        }
    }

    fn fault(&self, uid: &str, fault: &PolicyFault) -> AdmissionResponse {
        self.note_fault(&self.served.id, uid, fault);
        AdmissionResponse::of_fault(uid, &self.served.id, fault)
    }

    fn note_fault(&self, policy: &str, uid: &str, fault: &PolicyFault) {
        self.context.metrics.admission().faulted(policy, fault.label());
        tracing::error!(
            policy,
            uid,
            kind = fault.label(),
            "A policy gave no verdict: {fault}"
        );
    }

    /// What the deployer says about the policy's verdict.
    fn apply(&self, verdict: AdmissionResponse) -> AdmissionResponse {
        let id = &self.served.id;
        let terms = &self.served.terms;
        let monitor = terms.mode == PolicyMode::Monitor;
        if monitor {
            tracing::info!(
                policy = &**id,
                uid = verdict.uid,
                accepted = verdict.allowed,
                mutated = verdict.patch.is_some(),
                reason = verdict.message(),
                "The verdict of a policy in monitor mode."
            );
        }
        let terms = DeployerTerms {
            monitor,
            allowed_to_mutate: terms.allowed_to_mutate,
            message: terms.message.as_deref(),
        };
        terms.apply(id, verdict)
    }

    fn count(
        &self,
        request: &ReviewRequest,
        accepted: bool,
        error_code: Option<u16>,
        response: &AdmissionResponse,
        queued: Duration,
    ) {
        let (kind, namespace, operation) = match request {
            ReviewRequest::Admission(request) => (
                request.kind.kind.as_str(),
                request.namespace.as_deref(),
                operation(&request.operation),
            ),
            ReviewRequest::Raw(_) => ("", None, ""),
        };
        self.context.metrics.admission().reviewed(&ReviewEvent {
            policy: &self.served.id,
            mode: match self.served.terms.mode {
                PolicyMode::Protect => "protect",
                PolicyMode::Monitor => "monitor",
            },
            kind,
            namespace,
            operation,
            accepted,
            mutated: response.patch.is_some(),
            origin: self.endpoint.origin(),
            error_code,
            duration: self.arrived.elapsed(),
            queued,
        });
        tracing::debug!(
            policy = &*self.served.id,
            uid = request.uid(),
            kind,
            namespace,
            operation,
            accepted,
            allowed = response.allowed,
            mutated = response.patch.is_some(),
            reason = response.message(),
            "Reviewed."
        );
    }

    fn encode(&self, response: AdmissionResponse) -> Answer {
        let encoded = match self.endpoint {
            Endpoint::Validate | Endpoint::Audit => {
                serde_json::to_vec(&AdmissionReviewResponse::new(response))
            }
            Endpoint::ValidateRaw => serde_json::to_vec(&RawReviewResponse { response }),
        };
        Answer {
            status: StatusCode::OK,
            body: encoded.expect("texts, numbers and maps of texts are JSON"),
        }
    }
}

/// The operations that there are; another text, which no API server sends, does not get into the metrics.
fn operation(text: &str) -> &'static str {
    ["CREATE", "UPDATE", "DELETE", "CONNECT"]
        .into_iter()
        .find(|known| *known == text)
        .unwrap_or("(other)")
}
