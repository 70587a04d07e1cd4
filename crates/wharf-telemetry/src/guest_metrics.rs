//! Metrics that guests define while they run.
//!
//! Whoever runs the guests keeps their metrics; this shows them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Whoever keeps metrics that guests defined.
pub trait GuestMetricSource: fmt::Debug + Send + Sync {
    /// Shows each of them as it is now. Called for each scrape.
    fn for_each(&self, show: &mut dyn FnMut(GuestMetric<'_>));
}

/// One metric of one plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct GuestMetric<'a> {
    /// The plugin that defined it.
    pub plugin: &'a str,
    /// The name that the guest gave.
    pub name: &'a str,
    /// What it is now.
    pub value: GuestMetricValue,
}

/// What a guest's metric counts, and what it is now.
#[derive(Clone, Debug, PartialEq)]
pub enum GuestMetricValue {
    /// Only grows.
    Counter(u64),
    /// Goes up and down.
    Gauge(i64),
    /// Counts values.
    Histogram {
        /// All values together.
        sum: u64,
        /// The largest value of each bucket and how many values fell into it, from small to large; the same buckets
        /// each time.
        buckets: Vec<(u64, u64)>,
    },
}

impl GuestMetricValue {
    fn kind(&self) -> &'static str {
        match self {
            GuestMetricValue::Counter(_) => "counter",
            GuestMetricValue::Gauge(_) => "gauge",
            GuestMetricValue::Histogram { .. } => "histogram",
        }
    }

    fn metric_type(kind: &str) -> MetricType {
        match kind {
            "counter" => MetricType::Counter,
            "gauge" => MetricType::Gauge,
            _ => MetricType::Histogram,
        }
    }
}

/// All sources. Cloning it gives another handle to the same set.
///
/// A guest's `requests.total-count` is exposed as `wharf_guest_requests_total_count{plugin="…",metric="requests.total-count"}`:
/// whatever Prometheus does not allow in a name becomes `_`, and the `metric` label keeps what the guest said.
#[derive(Clone, Debug, Default)]
pub struct GuestMetrics(Arc<RwLock<Vec<Arc<dyn GuestMetricSource>>>>);

/// The metrics of one exposed name and kind: what the plugin and the guest call each, and what it is.
type Families = BTreeMap<(String, &'static str), Vec<(String, String, GuestMetricValue)>>;

impl GuestMetrics {
    /// Shows the metrics of this source from now on.
    pub fn show(&self, source: Arc<dyn GuestMetricSource>) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(source);
    }

    fn families(&self) -> Families {
        let mut families = Families::new();
        for source in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            source.for_each(&mut |metric: GuestMetric<'_>| {
                let key = (exposed_name(metric.name), metric.value.kind());
                let family = families.entry(key).or_default();
                family.push((metric.plugin.to_owned(), metric.name.to_owned(), metric.value));
            });
        }
        families
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
        let families = self.families();
        let mut last = None;
        for ((name, kind), metrics) in &families {
            // Two kinds under one name would be one family with two types, which is not legal.
            let taken = last == Some(name);
            let exposed = if taken {
                format!("{name}_{kind}")
            } else {
                name.clone()
            };
            encode_family(&mut encoder, &exposed, kind, metrics)?;
            last = Some(name);
        }
        Ok(())
    }
}

fn encode_family(
    encoder: &mut DescriptorEncoder,
    name: &str,
    kind: &str,
    metrics: &[(String, String, GuestMetricValue)],
) -> Result<(), fmt::Error> {
    let metric_type = GuestMetricValue::metric_type(kind);
    let mut family = encoder.encode_descriptor(name, "Defined by a plugin", None, metric_type)?;
    for (plugin, guest_name, value) in metrics {
        let labels = [("plugin", plugin.as_str()), ("metric", guest_name.as_str())];
        let mut one = family.encode_family(&labels)?;
        match value {
            GuestMetricValue::Counter(value) => one.encode_counter::<NoLabelSet, _, f64>(value, None)?,
            GuestMetricValue::Gauge(value) => one.encode_gauge(value)?,
            GuestMetricValue::Histogram { sum, buckets } => {
                let count = buckets.iter().map(|(_, count)| count).sum();
                let bounds = buckets.iter().map(|(largest, count)| (*largest as f64, *count));
                let buckets: Vec<_> = bounds.chain([(f64::INFINITY, 0)]).collect();
                one.encode_histogram::<NoLabelSet>(*sum as f64, count, &buckets, None)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metrics;

    #[derive(Debug)]
    struct Kept(Vec<(&'static str, &'static str, GuestMetricValue)>);

    impl GuestMetricSource for Kept {
        fn for_each(&self, show: &mut dyn FnMut(GuestMetric<'_>)) {
            for (plugin, name, value) in &self.0 {
                show(GuestMetric {
                    plugin,
                    name,
                    value: value.clone(),
                });
            }
        }
    }

    fn encoded(kept: Vec<(&'static str, &'static str, GuestMetricValue)>) -> String {
        let metrics = Metrics::new();
        metrics.guest().show(Arc::new(Kept(kept)));
        metrics.encode()
    }

    #[test]
    fn plugins_share_a_family_and_keep_their_own_numbers() {
        let text = encoded(vec![
            ("count", "hits", GuestMetricValue::Counter(5)),
            ("other", "hits", GuestMetricValue::Counter(10)),
        ]);
        assert!(
            text.contains("wharf_guest_hits_total{plugin=\"count\",metric=\"hits\"} 5\n"),
            "{text}"
        );
        assert!(
            text.contains("wharf_guest_hits_total{plugin=\"other\",metric=\"hits\"} 10\n"),
            "{text}"
        );
        assert_eq!(text.matches("# TYPE wharf_guest_hits ").count(), 1);
    }

    #[test]
    fn names_that_prometheus_refuses_are_made_legal_and_kept_in_a_label() {
        let text = encoded(vec![("p", "über.all-total", GuestMetricValue::Gauge(-3))]);
        assert!(
            text.contains("wharf_guest__ber_all{plugin=\"p\",metric=\"über.all-total\"} -3\n"),
            "{text}"
        );
    }

    #[test]
    fn one_name_with_two_kinds_gives_two_families() {
        let histogram = GuestMetricValue::Histogram {
            sum: 9,
            buckets: vec![(1, 2), (7, 1)],
        };
        let text = encoded(vec![
            ("p", "x", GuestMetricValue::Counter(1)),
            ("p", "x", histogram),
        ]);
        assert!(text.contains("# TYPE wharf_guest_x counter\n"), "{text}");
        assert!(
            text.contains("# TYPE wharf_guest_x_histogram histogram\n"),
            "{text}"
        );
        for line in [
            "_sum{plugin=\"p\",metric=\"x\"} 9.0\n",
            "_count{plugin=\"p\",metric=\"x\"} 3\n",
        ] {
            assert!(text.contains(&format!("wharf_guest_x_histogram{line}")), "{text}");
        }
        assert!(text.contains("le=\"1.0\""), "{text}");
        assert!(text.contains("le=\"+Inf\""), "{text}");
    }
}
