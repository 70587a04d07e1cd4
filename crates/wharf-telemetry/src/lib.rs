//! Everything about Wharf that an operator can see: metrics in the Prometheus text format, the access log as
//! JSON lines, and the log.
//!
//! The rules of this crate:
//! - A handle is looked up once, when a configuration is loaded; afterwards counting is one atomic addition.
//! - Nothing on a request's path takes a lock, formats a label or waits for a disk.
//! - Losing a line is counted, never silent.

pub mod access_log;
pub mod admission;
pub mod guest_metrics;
pub mod histogram;
pub mod logging;
pub mod metrics;

pub use access_log::{AccessEntry, AccessLog, AccessLogBuffer, AccessLogSink};
pub use admission::{AdmissionMetrics, ReviewEvent};
pub use guest_metrics::{GuestMetric, GuestMetricSource, GuestMetricValue, GuestMetrics};
pub use histogram::Histogram;
pub use metrics::{ListenerMetrics, Metrics, PluginMetrics, RefreshOutcome, RouteMetrics, UpstreamMetrics};
/// A number that only grows. Cloning it gives another handle to the same number.
pub use prometheus_client::metrics::counter::Counter;
/// A number that goes up and down. Cloning it gives another handle to the same number.
pub use prometheus_client::metrics::gauge::Gauge;
