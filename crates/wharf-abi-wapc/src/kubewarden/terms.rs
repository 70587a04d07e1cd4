//! What the deployer of a policy makes of its verdicts.

use super::response::{AdmissionResponse, Status, StatusCause};

/// What the deployer of a policy says about its verdicts. They are applied where the API server acts by the verdict, and not
/// where it is only reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeployerTerms<'a> {
    /// Every request is let through, unchanged, whatever the verdict is.
    pub monitor: bool,
    /// Whether the policy may change what it reviews.
    pub allowed_to_mutate: bool,
    /// What is said to whoever is rejected, in place of the policy's words, which are then among the causes.
    pub message: Option<&'a str>,
}

impl DeployerTerms<'_> {
    /// The answer to the request of the policy with this id, in Kubewarden's order: the mode, the leave to mutate, the
    /// message.
    pub fn apply(&self, policy: &str, verdict: AdmissionResponse) -> AdmissionResponse {
        if self.monitor {
            return AdmissionResponse {
                allowed: true,
                patch: None,
                status: None,
                ..verdict
            };
        }
        let mut response = verdict;
        if response.patch.is_some() && !self.allowed_to_mutate {
            // The API server takes no patch of a webhook that only validates.
            response.patch = None;
            response.allowed = false;
            response.status = Some(Status {
                message: Some(format!(
                    "Request rejected by policy {policy}. The policy attempted to mutate the request, but it is \
                     currently configured to not allow mutations."
                )),
                ..Status::default()
            });
        }
        if let (false, Some(message)) = (response.allowed, self.message) {
            let status = response.status.get_or_insert_default();
            let own = status.message.replace(message.to_owned());
            if own.is_some() {
                let details = status.details.get_or_insert_default();
                details.causes.push(StatusCause {
                    message: own,
                    ..StatusCause::default()
                });
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::patch;
    use super::*;

    fn applied(terms: DeployerTerms<'_>, verdict: AdmissionResponse) -> Value {
        serde_json::to_value(terms.apply("labels", verdict)).unwrap()
    }

    fn changing() -> AdmissionResponse {
        AdmissionResponse {
            patch: patch::difference(&json!({}), &json!({ "a": 1 })).unwrap(),
            ..AdmissionResponse::accepted("1")
        }
    }

    #[test]
    fn a_monitoring_policy_lets_everything_through_unchanged() {
        let terms = DeployerTerms {
            monitor: true,
            allowed_to_mutate: true,
            message: Some("no"),
        };
        let through = json!({ "uid": "1", "allowed": true });
        assert_eq!(
            applied(terms, AdmissionResponse::rejected("1", "bad", Some(422))),
            through
        );
        assert_eq!(applied(terms, changing()), through);
    }

    #[test]
    fn a_change_without_leave_is_a_refusal_with_the_deployers_words() {
        let terms = DeployerTerms {
            message: Some("ask the platform team"),
            ..DeployerTerms::default()
        };
        let refused = applied(terms, changing());
        assert_eq!(refused["allowed"], false);
        assert_eq!(refused["patch"], Value::Null);
        assert_eq!(refused["status"]["message"], "ask the platform team");
        let own = refused["status"]["details"]["causes"][0]["message"]
            .as_str()
            .unwrap();
        assert!(own.starts_with("Request rejected by policy labels."), "{own}");
    }

    #[test]
    fn what_is_let_through_keeps_its_words() {
        let terms = DeployerTerms {
            allowed_to_mutate: true,
            message: Some("no"),
            ..DeployerTerms::default()
        };
        assert!(applied(terms, changing())["patch"].is_string());
        assert_eq!(
            applied(terms, AdmissionResponse::accepted("1")),
            json!({ "uid": "1", "allowed": true })
        );
    }
}
