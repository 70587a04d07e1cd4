//! What is counted for the admission server.
//!
//! Two sets of metrics tell of a review: those that Kubewarden's policy-server has, by their names and labels, so that
//! dashboards and alerts go on working, and Wharf's own, which are finer and have few labels.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::histogram::Histogram;
use crate::metrics::{HistogramFamily, Labels, add, add_histogram};

/// How many combinations of labels are kept apart. Namespaces and kinds come from requests; beyond this many, further ones
/// are counted as [`OTHER`].
const MOST_SERIES: usize = 5_000;
/// The namespace and kind of reviews that are not counted apart.
const OTHER: &str = "(other)";

/// What is counted for the admission server.
#[derive(Debug)]
pub struct AdmissionMetrics {
    evaluations: Family<Labels<9>, Counter>,
    latency: HistogramFamily<9>,
    series: RwLock<HashSet<u64>>,
    hasher: RandomState,
    review_duration: HistogramFamily<1>,
    queue_duration: HistogramFamily<1>,
    faults: Family<Labels<2>, Counter>,
    refused: Family<Labels<1>, Counter>,
    host_calls: Family<Labels<3>, Counter>,
    reloads: Family<Labels<1>, Counter>,
    policies: Family<Labels<1>, Gauge>,
    cluster_answers: Family<Labels<2>, Counter>,
    watches: Family<Labels<1>, Gauge>,
    /// The bytes of the objects that watches keep.
    pub watch_bytes: Gauge,
    /// Reviews that run.
    pub running: Gauge,
    /// Reviews that wait for a thread.
    pub waiting: Gauge,
    /// Connections that are open.
    pub connections: Gauge,
    /// Reloads of the server's certificate.
    pub certificate_reloads: Counter,
    /// When the server's certificate ends, in seconds since 1970.
    pub certificate_not_after: Gauge,
}

/// A review that came to an end with an answer of its policy, or for it.
#[derive(Debug, Clone, Copy)]
pub struct ReviewEvent<'a> {
    /// The policy's id.
    pub policy: &'a str,
    /// `protect` or `monitor`.
    pub mode: &'static str,
    /// The kind of the object, such as `Pod`; empty for raw requests.
    pub kind: &'a str,
    /// Its namespace, if it has one.
    pub namespace: Option<&'a str>,
    /// `CREATE` and its like; empty for raw requests.
    pub operation: &'a str,
    /// The verdict, before the mode was looked at.
    pub accepted: bool,
    /// Whether the answer changes the object.
    pub mutated: bool,
    /// `validate` or `audit`.
    pub origin: &'static str,
    /// The code of the refusal, if it has one.
    pub error_code: Option<u16>,
    /// From the arrival of the request to the answer.
    pub duration: Duration,
    /// How much of that it waited for a thread.
    pub queued: Duration,
}

impl AdmissionMetrics {
    pub(crate) fn register(r: &mut Registry) -> Self {
        Self {
            evaluations: add(
                r,
                "kubewarden_policy_evaluations",
                "Reviews, by policy and verdict; as policy-server counts them",
            ),
            latency: add_histogram(
                r,
                "kubewarden_policy_evaluation_latency_milliseconds",
                "From the arrival of a review to its answer; as policy-server counts it, in parts of milliseconds",
                Histogram::of_milliseconds,
            ),
            series: RwLock::default(),
            hasher: RandomState::new(),
            review_duration: add_histogram(
                r,
                "wharf_admission_review_duration_seconds",
                "From the arrival of a review to its answer",
                Histogram::of_requests,
            ),
            queue_duration: add_histogram(
                r,
                "wharf_admission_queue_duration_seconds",
                "The wait of a review for a thread",
                Histogram::of_guest_calls,
            ),
            faults: add(
                r,
                "wharf_admission_faults",
                "Reviews for which a policy gave no verdict, by kind of fault",
            ),
            refused: add(
                r,
                "wharf_admission_refused",
                "Requests that were answered without asking a policy, by reason",
            ),
            host_calls: add(
                r,
                "wharf_admission_host_calls",
                "Calls of policies to the host, by operation and outcome",
            ),
            reloads: add(
                r,
                "wharf_admission_policy_reloads",
                "Changes of the policies while serving, by outcome",
            ),
            policies: add(r, "wharf_admission_policies", "Policies, by state"),
            cluster_answers: add(
                r,
                "wharf_admission_kubernetes_answers",
                "Answers about the cluster that policies got, by operation and where they came from",
            ),
            watches: add(
                r,
                "wharf_admission_kubernetes_watches",
                "Watches of the cluster's objects, by state",
            ),
            watch_bytes: add(
                r,
                "wharf_admission_kubernetes_watch_bytes",
                "Memory of the objects that watches keep",
            ),
            running: add(r, "wharf_admission_reviews_running", "Reviews that run"),
            waiting: add(
                r,
                "wharf_admission_reviews_waiting",
                "Reviews that wait for a thread",
            ),
            connections: add(
                r,
                "wharf_admission_connections_active",
                "Connections that are open",
            ),
            certificate_reloads: add(
                r,
                "wharf_admission_certificate_reloads",
                "Changes of the server's certificate while serving",
            ),
            certificate_not_after: add(
                r,
                "wharf_admission_certificate_not_after_seconds",
                "When the server's certificate ends, in seconds since 1970",
            ),
        }
    }

    /// Counts a review.
    pub fn reviewed(&self, event: &ReviewEvent<'_>) {
        let policy = [("policy", event.policy.to_owned())];
        self.review_duration
            .get_or_create_owned(&policy)
            .observe(event.duration);
        self.queue_duration
            .get_or_create_owned(&policy)
            .observe(event.queued);
        let flag = |value: bool| if value { "true" } else { "false" };
        let labels = |kind: &str, namespace: &str| {
            [
                ("policy_name", event.policy.to_owned()),
                ("policy_mode", event.mode.to_owned()),
                ("resource_kind", kind.to_owned()),
                ("resource_namespace", namespace.to_owned()),
                ("resource_request_operation", event.operation.to_owned()),
                ("accepted", flag(event.accepted).to_owned()),
                ("mutated", flag(event.mutated).to_owned()),
                ("request_origin", event.origin.to_owned()),
                (
                    "error_code",
                    event.error_code.map_or_else(String::new, |code| code.to_string()),
                ),
            ]
        };
        let mut all = labels(event.kind, event.namespace.unwrap_or_default());
        if !self.has_room_for(&all) {
            all = labels(OTHER, OTHER);
        }
        self.evaluations.get_or_create_owned(&all).inc();
        self.latency.get_or_create_owned(&all).observe(event.duration);
    }

    /// Whether these labels are counted apart.
    fn has_room_for(&self, labels: &Labels<9>) -> bool {
        let hash = self.hasher.hash_one(labels);
        {
            let known = self.series.read().unwrap_or_else(PoisonError::into_inner);
            if known.contains(&hash) {
                return true;
            }
            if known.len() >= MOST_SERIES {
                return false;
            }
        }
        self.series
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(hash);
        true
    }

    /// Counts a review without a verdict.
    pub fn faulted(&self, policy: &str, kind: &str) {
        let labels = [("policy", policy.to_owned()), ("kind", kind.to_owned())];
        self.faults.get_or_create_owned(&labels).inc();
    }

    /// Counts a request that no policy was asked about.
    pub fn refused(&self, reason: &'static str) {
        self.refused
            .get_or_create_owned(&[("reason", reason.to_owned())])
            .inc();
    }

    /// Counts a call of a policy to the host. The operation is one that is known, never a guest's own text.
    pub fn host_call(&self, policy: &str, operation: &'static str, outcome: &'static str) {
        let labels = [
            ("policy", policy.to_owned()),
            ("operation", operation.to_owned()),
            ("outcome", outcome.to_owned()),
        ];
        self.host_calls.get_or_create_owned(&labels).inc();
    }

    /// Counts a change of the policies: `taken`, `partly` where some are bad, or `refused`.
    pub fn reloaded(&self, outcome: &'static str) {
        self.reloads
            .get_or_create_owned(&[("outcome", outcome.to_owned())])
            .inc();
    }

    /// Counts an answer about the cluster: `fetched` from the API server, `joined` to another's request, `kept` from one a
    /// moment ago, or from a list that is `watched`.
    pub fn cluster_answer(&self, operation: &'static str, source: &'static str) {
        let labels = [("operation", operation.to_owned()), ("source", source.to_owned())];
        self.cluster_answers.get_or_create_owned(&labels).inc();
    }

    /// How many watches are `listing`, `following`, or `broken`.
    pub fn watches(&self, state: &'static str) -> Gauge {
        self.watches.get_or_create_owned(&[("state", state.to_owned())])
    }

    /// How many policies are `ready`, `bad`, or `outdated`: these run in an older form, because the newer is bad.
    pub fn policies(&self, state: &'static str) -> Gauge {
        self.policies.get_or_create_owned(&[("state", state.to_owned())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metrics;

    fn event(namespace: &str) -> ReviewEvent<'_> {
        ReviewEvent {
            policy: "p",
            mode: "protect",
            kind: "Pod",
            namespace: Some(namespace),
            operation: "CREATE",
            accepted: false,
            mutated: false,
            origin: "validate",
            error_code: Some(403),
            duration: Duration::from_micros(1_500),
            queued: Duration::from_micros(3),
        }
    }

    #[test]
    fn reviews_are_counted_by_policy_servers_names() {
        let metrics = Metrics::new();
        metrics.admission().reviewed(&event("ns"));
        let text = metrics.encode();
        let labels = "policy_name=\"p\",policy_mode=\"protect\",resource_kind=\"Pod\",resource_namespace=\"ns\",\
                      resource_request_operation=\"CREATE\",accepted=\"false\",mutated=\"false\",\
                      request_origin=\"validate\",error_code=\"403\"";
        assert!(
            text.contains(&format!("kubewarden_policy_evaluations_total{{{labels}}} 1\n")),
            "{text}"
        );
        let sum = format!("kubewarden_policy_evaluation_latency_milliseconds_sum{{{labels}}} 1.5\n");
        assert!(text.contains(&sum), "{text}");
    }

    #[test]
    fn requests_cannot_make_series_without_end() {
        let metrics = Metrics::new();
        for namespace in 0..MOST_SERIES + 100 {
            metrics.admission().reviewed(&event(&format!("n{namespace}")));
        }
        let text = metrics.encode();
        let series = text
            .lines()
            .filter(|line| line.starts_with("kubewarden_policy_evaluations_total"));
        assert_eq!(series.count(), MOST_SERIES + 1);
        assert!(text.contains("resource_namespace=\"(other)\""));
    }
}
