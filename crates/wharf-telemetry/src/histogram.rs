//! A histogram that is observed without a lock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeCounterValue, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Counts observations in buckets, with one atomic addition for the bucket and one for the sum.
///
/// A scrape that runs while observations arrive may see a sum that is a few observations ahead of the buckets;
/// the count is always the sum of the buckets.
#[derive(Clone, Debug)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    /// Upper bounds, inclusive, ascending, in the unit that is observed.
    bounds: &'static [u64],
    /// One more than `bounds`: the last one takes what is above every bound.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// Observed units in one exposed unit: 1e9 turns nanoseconds into seconds.
    units_per_exposed: f64,
}

const NANOS_PER_SECOND: f64 = 1e9;
const NANOS_PER_MILLISECOND: f64 = 1e6;

/// 100 µs to 60 s: what a client waits for.
const REQUEST_BOUNDS: &[u64] = &[
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];

/// 1 µs to 1 s: what one call into a guest takes.
const GUEST_CALL_BOUNDS: &[u64] = &[
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    1_000_000_000,
];

/// 10 ms to 2 min: what compiling a module takes.
const COMPILE_BOUNDS: &[u64] = &[
    10_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    120_000_000_000,
];

impl Histogram {
    /// For a request's duration: buckets from 100 µs to 60 s.
    pub fn of_requests() -> Histogram {
        Histogram::new(REQUEST_BOUNDS, NANOS_PER_SECOND)
    }

    /// For the time inside one call of a guest: buckets from 1 µs to 1 s.
    pub fn of_guest_calls() -> Histogram {
        Histogram::new(GUEST_CALL_BOUNDS, NANOS_PER_SECOND)
    }

    /// For a request's duration, shown in milliseconds: buckets from 100 µs to 60 s.
    pub fn of_milliseconds() -> Histogram {
        Histogram::new(REQUEST_BOUNDS, NANOS_PER_MILLISECOND)
    }

    /// For compiling a module: buckets from 10 ms to 2 min.
    pub fn of_compilations() -> Histogram {
        Histogram::new(COMPILE_BOUNDS, NANOS_PER_SECOND)
    }

    fn new(bounds: &'static [u64], units_per_exposed: f64) -> Histogram {
        debug_assert!(bounds.is_sorted(), "bucket bounds ascend");
        Histogram(Arc::new(Buckets {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            units_per_exposed,
        }))
    }

    /// Counts one duration; beyond 584 years it counts as 584 years.
    pub fn observe(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts one value in the unit of the bounds.
    pub fn record(&self, value: u64) {
        let bucket = self.0.bounds.partition_point(|bound| *bound < value);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// How many values were counted so far.
    pub fn count(&self) -> u64 {
        self.0
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        let scale = self.0.units_per_exposed;
        let upper = self
            .0
            .bounds
            .iter()
            .map(|bound| *bound as f64 / scale)
            .chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = upper
            .zip(self.0.counts.iter().map(|count| count.load(Ordering::Relaxed)))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.0.sum.load(Ordering::Relaxed) as f64 / scale;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// Time that adds up: counted in nanoseconds, exposed in seconds.
#[derive(Clone, Debug, Default)]
pub struct SecondsCounter(Arc<AtomicU64>);

impl SecondsCounter {
    /// Adds a duration.
    pub fn add(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The time added so far.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

impl TypedMetric for SecondsCounter {
    const TYPE: MetricType = MetricType::Counter;
}

impl EncodeMetric for SecondsCounter {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        encoder.encode_counter::<NoLabelSet, _, f64>(
            &AsSeconds(self.total().as_secs_f64()),
            None::<&Exemplar<NoLabelSet, f64>>,
        )
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

struct AsSeconds(f64);

impl EncodeCounterValue for AsSeconds {
    fn encode(
        &self,
        encoder: &mut prometheus_client::encoding::CounterValueEncoder,
    ) -> Result<(), fmt::Error> {
        EncodeCounterValue::encode(&self.0, encoder)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    fn exposed(metric: impl prometheus_client::registry::Metric) -> String {
        let mut registry = Registry::default();
        registry.register("m", "Help", metric);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn a_value_on_a_bound_belongs_to_that_bucket_and_one_above_to_the_next() {
        let histogram = Histogram::new(&[10, 20], 1.0);
        for value in [10, 11, 20, 21] {
            histogram.record(value);
        }
        let text = exposed(histogram);
        for line in [
            "m_sum 62.0",
            "m_count 4",
            "m_bucket{le=\"10.0\"} 1",
            "m_bucket{le=\"20.0\"} 3",
            "m_bucket{le=\"+Inf\"} 4",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
    }

    #[test]
    fn durations_are_exposed_in_seconds() {
        let histogram = Histogram::of_requests();
        histogram.observe(Duration::from_micros(1_500));
        let text = exposed(histogram);
        assert!(text.contains("m_sum 0.0015\n"), "{text}");
        assert!(text.contains("m_bucket{le=\"0.001\"} 0\n"), "{text}");
        assert!(text.contains("m_bucket{le=\"0.0025\"} 1\n"), "{text}");
    }

    #[test]
    fn seconds_add_up() {
        let seconds = SecondsCounter::default();
        seconds.add(Duration::from_millis(1_250));
        seconds.add(Duration::from_millis(250));
        assert!(exposed(seconds).contains("m_total 1.5\n"));
    }

    #[test]
    fn hammer_observations_from_many_threads_are_all_counted() {
        let histogram = Histogram::of_requests();
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let histogram = &histogram;
                scope.spawn(move || (0..10_000).for_each(|n| histogram.record(n * 1_000 * (thread + 1))));
            }
        });
        assert_eq!(histogram.count(), 40_000);
    }
}
