//! Metrics that guests define while they run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::histogram::Histogram;

/// What a guest's metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuestMetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values in buckets from 1 to 3 600 000.
    Histogram,
}

impl GuestMetricKind {
    fn as_str(self) -> &'static str {
        match self {
            GuestMetricKind::Counter => "counter",
            GuestMetricKind::Gauge => "gauge",
            GuestMetricKind::Histogram => "histogram",
        }
    }
}

/// One guest metric. Cloning it gives another handle to the same numbers, so all VMs of a plugin add to one.
#[derive(Clone, Debug)]
pub enum GuestMetric {
    /// Only grows.
    Counter(Arc<AtomicU64>),
    /// Goes up and down; kept as two's complement, so that it may be negative.
    Gauge(Arc<AtomicU64>),
    /// Counts values.
    Histogram(Histogram),
}

impl GuestMetric {
    fn new(kind: GuestMetricKind) -> GuestMetric {
        match kind {
            GuestMetricKind::Counter => GuestMetric::Counter(Arc::default()),
            GuestMetricKind::Gauge => GuestMetric::Gauge(Arc::default()),
            GuestMetricKind::Histogram => GuestMetric::Histogram(Histogram::of_guest_values()),
        }
    }

    /// Which kind it is.
    pub fn kind(&self) -> GuestMetricKind {
        match self {
            GuestMetric::Counter(_) => GuestMetricKind::Counter,
            GuestMetric::Gauge(_) => GuestMetricKind::Gauge,
            GuestMetric::Histogram(_) => GuestMetricKind::Histogram,
        }
    }

    /// Adds to a counter (never less than zero) or a gauge. False when this metric cannot be added to: a
    /// histogram, or a negative offset for a counter.
    #[must_use]
    pub fn increment(&self, offset: i64) -> bool {
        match self {
            GuestMetric::Counter(_) if offset < 0 => false,
            GuestMetric::Counter(value) | GuestMetric::Gauge(value) => {
                value.fetch_add(offset as u64, Ordering::Relaxed);
                true
            }
            GuestMetric::Histogram(_) => false,
        }
    }

    /// Sets a gauge, or counts a value in a histogram. False for a counter.
    #[must_use]
    pub fn record(&self, value: u64) -> bool {
        match self {
            GuestMetric::Counter(_) => false,
            GuestMetric::Gauge(gauge) => {
                gauge.store(value, Ordering::Relaxed);
                true
            }
            GuestMetric::Histogram(histogram) => {
                histogram.record(value);
                true
            }
        }
    }

    /// The value of a counter or a gauge; `None` for a histogram, which has no one value.
    pub fn value(&self) -> Option<u64> {
        match self {
            GuestMetric::Counter(value) | GuestMetric::Gauge(value) => Some(value.load(Ordering::Relaxed)),
            GuestMetric::Histogram(_) => None,
        }
    }
}

/// Key: exposed name, kind, then the plugin and the name that the guest gave.
type Defined = BTreeMap<(String, GuestMetricKind), BTreeMap<(String, String), GuestMetric>>;

/// All metrics that guests defined, of all plugins. Cloning it gives another handle to the same set.
///
/// A guest's `requests.total-count` is exposed as `wharf_guest_requests_total_count{plugin="…",metric="requests.total-count"}`:
/// whatever Prometheus does not allow in a name becomes `_`, and the `metric` label keeps what the guest said.
#[derive(Clone, Debug, Default)]
pub struct GuestMetrics(Arc<RwLock<Defined>>);

impl GuestMetrics {
    /// The metric of this plugin, kind and name; made when it is not there yet. Takes a lock: a VM defines its
    /// metrics once and keeps the handles. The caller bounds how many a plugin may define.
    pub fn define(&self, plugin: &str, kind: GuestMetricKind, name: &str) -> GuestMetric {
        let mut defined = self.0.write().unwrap_or_else(PoisonError::into_inner);
        defined
            .entry((exposed_name(name), kind))
            .or_default()
            .entry((plugin.to_owned(), name.to_owned()))
            .or_insert_with(|| GuestMetric::new(kind))
            .clone()
    }
}

fn exposed_name(name: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut exposed: String = "wharf_guest_".chars().chain(name.chars().map(legal)).collect();
    // The encoder adds the suffix that a counter must have.
    if let Some(stem) = exposed.strip_suffix("_total") {
        exposed.truncate(stem.len());
    }
    exposed
}

impl Collector for GuestMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let defined = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut last = None;
        for ((name, kind), metrics) in defined.iter() {
            // Two kinds under one name would be one family with two types, which is not legal.
            let taken = last == Some(name);
            let exposed = if taken { format!("{name}_{}", kind.as_str()) } else { name.clone() };
            encode_family(&mut encoder, &exposed, *kind, metrics)?;
            last = Some(name);
        }
        Ok(())
    }
}

fn encode_family(
    encoder: &mut DescriptorEncoder,
    name: &str,
    kind: GuestMetricKind,
    metrics: &BTreeMap<(String, String), GuestMetric>,
) -> Result<(), fmt::Error> {
    let metric_type = match kind {
        GuestMetricKind::Counter => MetricType::Counter,
        GuestMetricKind::Gauge => MetricType::Gauge,
        GuestMetricKind::Histogram => MetricType::Histogram,
    };
    let mut family = encoder.encode_descriptor(name, "Defined by a plugin", None, metric_type)?;
    for ((plugin, guest_name), metric) in metrics {
        let labels = [("plugin", plugin.as_str()), ("metric", guest_name.as_str())];
        let mut one = family.encode_family(&labels)?;
        match metric {
            GuestMetric::Counter(value) => {
                one.encode_counter::<NoLabelSet, _, f64>(&value.load(Ordering::Relaxed), None)?;
            }
            GuestMetric::Gauge(value) => {
                one.encode_gauge(&value.load(Ordering::Relaxed).cast_signed())?;
            }
            GuestMetric::Histogram(histogram) => histogram.encode(one)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metrics;

    #[test]
    fn guests_see_one_metric_for_one_plugin_kind_and_name() {
        let metrics = Metrics::new();
        let first = metrics.guest().define("count", GuestMetricKind::Counter, "hits");
        let second = metrics.guest().define("count", GuestMetricKind::Counter, "hits");
        let other = metrics.guest().define("other", GuestMetricKind::Counter, "hits");
        assert!(first.increment(2) && second.increment(3) && other.increment(10));
        assert_eq!(first.value(), Some(5));
        let text = metrics.encode();
        assert!(text.contains("wharf_guest_hits_total{plugin=\"count\",metric=\"hits\"} 5\n"), "{text}");
        assert!(text.contains("wharf_guest_hits_total{plugin=\"other\",metric=\"hits\"} 10\n"), "{text}");
        assert_eq!(text.matches("# TYPE wharf_guest_hits ").count(), 1);
    }

    #[test]
    fn names_that_prometheus_refuses_are_made_legal_and_kept_in_a_label() {
        let metrics = Metrics::new();
        let gauge = metrics.guest().define("p", GuestMetricKind::Gauge, "über.all-total");
        assert!(gauge.increment(-3));
        let text = metrics.encode();
        assert!(text.contains("wharf_guest__ber_all{plugin=\"p\",metric=\"über.all-total\"} -3\n"), "{text}");
    }

    #[test]
    fn one_name_with_two_kinds_gives_two_families() {
        let metrics = Metrics::new();
        let counter = metrics.guest().define("p", GuestMetricKind::Counter, "x");
        let histogram = metrics.guest().define("p", GuestMetricKind::Histogram, "x");
        assert!(counter.increment(1) && histogram.record(7));
        let text = metrics.encode();
        assert!(text.contains("# TYPE wharf_guest_x counter\n"), "{text}");
        assert!(text.contains("# TYPE wharf_guest_x_histogram histogram\n"), "{text}");
    }

    #[test]
    fn each_kind_refuses_what_it_cannot_do() {
        let guest = GuestMetrics::default();
        let counter = guest.define("p", GuestMetricKind::Counter, "c");
        let gauge = guest.define("p", GuestMetricKind::Gauge, "g");
        let histogram = guest.define("p", GuestMetricKind::Histogram, "h");
        assert!(!counter.increment(-1) && !counter.record(1));
        assert!(gauge.record(9) && gauge.increment(-4));
        assert_eq!(gauge.value(), Some(5));
        assert!(!histogram.increment(1) && histogram.record(1));
        assert_eq!(histogram.value(), None);
    }
}
