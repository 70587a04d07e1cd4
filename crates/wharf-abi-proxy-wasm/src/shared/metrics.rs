//! The metrics that guests define: `proxy_define_metric` and its like.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_plugin::PluginName;

use crate::numbers::MetricType;

/// The most metrics that one plugin may define.
const MAXIMUM_METRICS: usize = 1000;
/// The longest name of a metric, in bytes.
const MAXIMUM_NAME: usize = 1024;

/// How many buckets a histogram has: enough for all values of 64 bits.
const BUCKETS: usize = 33;

/// All metrics that guests have defined, by plugin and name. Recording is an atomic operation and takes no lock.
#[derive(Default)]
pub struct GuestMetrics {
    by_plugin: Mutex<ByPlugin>,
}

/// A name may be a counter, a gauge and a histogram at once, as in Envoy.
type ByPlugin = BTreeMap<PluginName, BTreeMap<(String, MetricType), Arc<GuestMetric>>>;

/// One metric of one plugin, shared by its VMs in all workers.
#[derive(Debug)]
pub struct GuestMetric {
    kind: MetricType,
    value: AtomicU64,
    /// Only of a histogram: how many values were at most 4^index − 1 and over the bound before; the sum of all values is in
    /// `value`.
    buckets: [AtomicU64; BUCKETS],
}

/// Why a metric cannot do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// The name is empty, too long or no text.
    #[error("a metric's name is text of 1 to {MAXIMUM_NAME} bytes")]
    Name,
    /// The plugin has defined too many.
    #[error("a plugin may define {MAXIMUM_METRICS} metrics")]
    TooMany,
    /// A counter cannot be changed by this.
    #[error("a counter cannot be incremented by {0}: it only grows")]
    NotAnIncrement(i64),
    /// A histogram has no one value.
    #[error("a histogram can only be recorded to")]
    Histogram,
}

impl GuestMetrics {
    /// The plugin's metric of this name, which is made where there is none.
    ///
    /// # Errors
    /// [`MetricError::Name`] or [`MetricError::TooMany`].
    pub fn define(
        &self,
        plugin: &PluginName,
        kind: MetricType,
        name: &[u8],
    ) -> Result<Arc<GuestMetric>, MetricError> {
        let name = std::str::from_utf8(name).map_err(|_| MetricError::Name)?;
        if name.is_empty() || name.len() > MAXIMUM_NAME {
            return Err(MetricError::Name);
        }
        let mut by_plugin = self.lock();
        let metrics = by_plugin.entry(plugin.clone()).or_default();
        let key = (name.to_owned(), kind);
        if let Some(metric) = metrics.get(&key) {
            return Ok(Arc::clone(metric));
        }
        if metrics.len() == MAXIMUM_METRICS {
            return Err(MetricError::TooMany);
        }
        let metric = Arc::new(GuestMetric::new(kind));
        metrics.insert(key, Arc::clone(&metric));
        Ok(metric)
    }

    /// Shows each metric with its plugin and name, in order.
    pub fn for_each(&self, mut show: impl FnMut(&PluginName, &str, &GuestMetric)) {
        for (plugin, metrics) in &*self.lock() {
            metrics
                .iter()
                .for_each(|((name, _), metric)| show(plugin, name, metric));
        }
    }

    fn lock(&self) -> MutexGuard<'_, ByPlugin> {
        self.by_plugin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GuestMetric {
    fn new(kind: MetricType) -> Self {
        Self {
            kind,
            value: AtomicU64::new(0),
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
        }
    }

    /// What it measures.
    pub fn kind(&self) -> MetricType {
        self.kind
    }

    /// Changes a counter or a gauge by `offset`.
    ///
    /// # Errors
    /// [`MetricError::NotAnIncrement`] for a counter and an offset below 1; [`MetricError::Histogram`].
    pub fn increment(&self, offset: i64) -> Result<(), MetricError> {
        match self.kind {
            MetricType::Counter if offset <= 0 => Err(MetricError::NotAnIncrement(offset)),
            MetricType::Histogram => Err(MetricError::Histogram),
            MetricType::Counter | MetricType::Gauge => {
                // In two's complement, adding a negative number is a wrapping addition of its bits.
                self.value.fetch_add(offset.cast_unsigned(), Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Adds to a counter, sets a gauge, or notes a value in a histogram.
    pub fn record(&self, value: u64) {
        match self.kind {
            MetricType::Gauge => self.value.store(value, Ordering::Relaxed),
            MetricType::Counter => _ = self.value.fetch_add(value, Ordering::Relaxed),
            MetricType::Histogram => {
                let bucket = (u64::BITS - value.leading_zeros()).div_ceil(2) as usize;
                self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
                self.value.fetch_add(value, Ordering::Relaxed);
            }
        }
    }

    /// The value of a counter or a gauge.
    ///
    /// # Errors
    /// [`MetricError::Histogram`].
    pub fn get(&self) -> Result<u64, MetricError> {
        if self.kind == MetricType::Histogram {
            return Err(MetricError::Histogram);
        }
        Ok(self.value.load(Ordering::Relaxed))
    }

    /// The sum of all values of a histogram.
    pub fn histogram_sum(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// The buckets of a histogram: the largest value of each (0, 3, 15, 63 …) and how many values fell into it.
    pub fn histogram_buckets(&self) -> Vec<(u64, u64)> {
        let largest = |index: usize| {
            4_u64
                .checked_pow(index as u32)
                .map_or(u64::MAX, |bound| bound - 1)
        };
        let count = |bucket: &AtomicU64| bucket.load(Ordering::Relaxed);
        self.buckets
            .iter()
            .enumerate()
            .map(|(index, bucket)| (largest(index), count(bucket)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(kind: MetricType) -> Arc<GuestMetric> {
        GuestMetrics::default()
            .define(&PluginName::new("p").unwrap(), kind, b"m")
            .unwrap()
    }

    #[test]
    fn a_counter_only_grows() {
        let counter = metric(MetricType::Counter);
        counter.increment(2).unwrap();
        counter.record(3);
        assert_eq!(counter.get(), Ok(5));
        assert_eq!(counter.increment(0), Err(MetricError::NotAnIncrement(0)));
        assert_eq!(counter.increment(-1), Err(MetricError::NotAnIncrement(-1)));
        assert_eq!(counter.get(), Ok(5));
    }

    #[test]
    fn a_gauge_goes_up_and_down() {
        let gauge = metric(MetricType::Gauge);
        gauge.record(10);
        gauge.increment(-3).unwrap();
        assert_eq!(gauge.get(), Ok(7));
    }

    #[test]
    fn a_histogram_has_buckets() {
        let histogram = metric(MetricType::Histogram);
        [0, 1, 2, 3, 4, u64::MAX]
            .into_iter()
            .for_each(|value| histogram.record(value));
        let buckets = histogram.histogram_buckets();
        assert_eq!(buckets[..4], [(0, 1), (3, 3), (15, 1), (63, 0)]);
        assert_eq!((buckets.len(), buckets[32]), (33, (u64::MAX, 1)));
        assert_eq!(histogram.get(), Err(MetricError::Histogram));
        assert_eq!(histogram.increment(1), Err(MetricError::Histogram));
    }

    #[test]
    fn a_name_is_one_metric_for_each_plugin() {
        let metrics = GuestMetrics::default();
        let (a, b) = (PluginName::new("a").unwrap(), PluginName::new("b").unwrap());
        let first = metrics.define(&a, MetricType::Counter, b"m").unwrap();
        let same = metrics.define(&a, MetricType::Counter, b"m").unwrap();
        let other = metrics.define(&b, MetricType::Gauge, b"m").unwrap();
        assert!(Arc::ptr_eq(&first, &same) && !Arc::ptr_eq(&first, &other));
        let gauge = metrics.define(&a, MetricType::Gauge, b"m").unwrap();
        assert!(!Arc::ptr_eq(&first, &gauge));
        for name in [&b""[..], &[0xff], &[b'x'; MAXIMUM_NAME + 1]] {
            assert_eq!(
                metrics.define(&a, MetricType::Gauge, name).unwrap_err(),
                MetricError::Name
            );
        }
    }

    #[test]
    fn a_plugin_may_define_so_many() {
        let metrics = GuestMetrics::default();
        let plugin = PluginName::new("a").unwrap();
        for index in 0..MAXIMUM_METRICS {
            metrics
                .define(&plugin, MetricType::Counter, index.to_string().as_bytes())
                .unwrap();
        }
        assert_eq!(
            metrics.define(&plugin, MetricType::Counter, b"x").unwrap_err(),
            MetricError::TooMany
        );
    }
}
