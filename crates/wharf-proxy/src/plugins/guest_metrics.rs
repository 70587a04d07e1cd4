//! The metrics that guests define, for the admin port.

use std::fmt;
use std::sync::Arc;

use wharf_abi_proxy_wasm::{MetricType, Shared};
use wharf_telemetry::{GuestMetric, GuestMetricSource, GuestMetricValue};

/// Shows what the ABI keeps.
pub(super) struct Source(pub(super) Arc<Shared>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the metrics of proxy-wasm filters")
    }
}

impl GuestMetricSource for Source {
    fn for_each(&self, show: &mut dyn FnMut(GuestMetric<'_>)) {
        self.0.metrics.for_each(|plugin, name, metric| {
            // Only a histogram has no one value.
            let now = metric.get().unwrap_or_default();
            let value = match metric.kind() {
                MetricType::Counter => GuestMetricValue::Counter(now),
                MetricType::Gauge => GuestMetricValue::Gauge(now.cast_signed()),
                MetricType::Histogram => GuestMetricValue::Histogram {
                    sum: metric.histogram_sum(),
                    buckets: metric.histogram_buckets(),
                },
            };
            show(GuestMetric {
                plugin: plugin.as_str(),
                name,
                value,
            });
        });
    }
}
