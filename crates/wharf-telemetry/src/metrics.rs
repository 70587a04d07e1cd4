//! Every metric that Wharf itself counts.
//!
//! [`Metrics`] owns the registry. The other types are bundles of handles with their labels filled in: they are
//! made when a configuration is loaded and cost one atomic addition for each event.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

use crate::admission::AdmissionMetrics;
use crate::guest_metrics::GuestMetrics;
use crate::histogram::{Histogram, SecondsCounter};

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) type Labels<const N: usize> = [(&'static str, String); N];
pub(crate) type HistogramFamily<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// All metrics of one process. Share it in an `Arc`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels<3>, Counter>,
    request_duration: HistogramFamily<2>,
    requests_active: Family<Labels<1>, Gauge>,
    connections_active: Family<Labels<1>, Gauge>,
    connections: Family<Labels<1>, Counter>,
    requests_refused: Family<Labels<2>, Counter>,
    accept_failures: Family<Labels<1>, Counter>,
    upstream_requests: Family<Labels<1>, Counter>,
    upstream_connects: Family<Labels<1>, Counter>,
    upstream_connect_failures: Family<Labels<1>, Counter>,
    upstream_retries: Family<Labels<1>, Counter>,
    upstream_timeouts: Family<Labels<1>, Counter>,
    upstream_broken: Family<Labels<1>, Counter>,
    plugin_calls: Family<Labels<2>, Counter>,
    plugin_seconds: Family<Labels<1>, SecondsCounter>,
    plugin_call_duration: HistogramFamily<1>,
    plugin_faults: Family<Labels<2>, Counter>,
    plugin_vm_rebuilds: Family<Labels<1>, Counter>,
    plugin_memory: Family<Labels<1>, Gauge>,
    plugin_log_lines: Family<Labels<2>, Counter>,
    plugin_refreshes: Family<Labels<2>, Counter>,
    compile_cache: CompileCacheMetrics,
    access_log_lost: Counter,
    guest: GuestMetrics,
    admission: AdmissionMetrics,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// A registry with every metric of this crate in it, all at zero.
    pub fn new() -> Metrics {
        let mut r = Registry::default();
        let compile_cache = CompileCacheMetrics::register(&mut r);
        let guest = GuestMetrics::default();
        r.register_collector(Box::new(guest.clone()));
        let admission = AdmissionMetrics::register(&mut r);
        Metrics {
            requests: add(
                &mut r,
                "wharf_requests",
                "Requests answered, by route and class of status (none: the client left first)",
            ),
            request_duration: add_histogram(
                &mut r,
                "wharf_request_duration_seconds",
                "From a request's head to the last byte of its response",
                Histogram::of_requests,
            ),
            requests_active: add(&mut r, "wharf_requests_active", "Requests in flight"),
            connections_active: add(&mut r, "wharf_connections_active", "Client connections open"),
            connections: add(&mut r, "wharf_connections", "Client connections accepted"),
            requests_refused: add(
                &mut r,
                "wharf_requests_refused",
                "Requests refused before routing because they were malformed, too large or too slow",
            ),
            accept_failures: add(
                &mut r,
                "wharf_accept_failures",
                "Failures to accept a client connection",
            ),
            upstream_requests: add(
                &mut r,
                "wharf_upstream_requests",
                "Requests handed to an upstream",
            ),
            upstream_connects: add(
                &mut r,
                "wharf_upstream_connects",
                "Connections opened to endpoints",
            ),
            upstream_connect_failures: add(
                &mut r,
                "wharf_upstream_connect_failures",
                "Endpoints that could not be reached",
            ),
            upstream_retries: add(
                &mut r,
                "wharf_upstream_retries",
                "Requests tried again on another connection or endpoint",
            ),
            upstream_timeouts: add(
                &mut r,
                "wharf_upstream_timeouts",
                "Upstreams that did not answer within the request timeout",
            ),
            upstream_broken: add(
                &mut r,
                "wharf_upstream_broken",
                "Exchanges that an upstream broke off or answered badly",
            ),
            plugin_calls: add(&mut r, "wharf_plugin_calls", "Calls into a plugin, by callback"),
            plugin_seconds: add(&mut r, "wharf_plugin_seconds", "Time spent inside a plugin"),
            plugin_call_duration: add_histogram(
                &mut r,
                "wharf_plugin_call_duration_seconds",
                "Time inside a plugin for one call",
                Histogram::of_guest_calls,
            ),
            plugin_faults: add(&mut r, "wharf_plugin_faults", "Faults of a plugin, by kind"),
            plugin_vm_rebuilds: add(&mut r, "wharf_plugin_vm_rebuilds", "VMs rebuilt after a fault"),
            plugin_memory: add(
                &mut r,
                "wharf_plugin_memory_bytes",
                "Linear memory of a plugin's VMs, all workers together",
            ),
            plugin_log_lines: add(
                &mut r,
                "wharf_plugin_log_lines",
                "Lines that a plugin logged, by level",
            ),
            plugin_refreshes: add(
                &mut r,
                "wharf_plugin_refreshes",
                "How often a plugin or policy whose tag may move was asked for anew, by what came of it: unchanged, changed or failed",
            ),
            access_log_lost: add(
                &mut r,
                "wharf_access_log_lost_lines",
                "Access-log lines lost because the log could not be written",
            ),
            compile_cache,
            guest,
            admission,
            registry: r,
        }
    }

    /// Everything in the OpenMetrics text format; serve it as [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        text::encode(&mut out, &self.registry).expect("writing to a String cannot fail");
        out
    }

    /// The handles of one listener.
    pub fn listener(&self, listener: &str) -> ListenerMetrics {
        let labels = [("listener", listener.to_owned())];
        ListenerMetrics {
            requests_active: self.requests_active.get_or_create_owned(&labels),
            connections_active: self.connections_active.get_or_create_owned(&labels),
            connections: self.connections.get_or_create_owned(&labels),
            accept_failures: self.accept_failures.get_or_create_owned(&labels),
            refused: self.requests_refused.clone(),
            listener: listener.to_owned(),
        }
    }

    /// The handles of one route. Requests that no route matched are counted with an empty `route`.
    pub fn route(&self, listener: &str, route: &str) -> RouteMetrics {
        let class = |class: StatusClass| {
            self.requests.get_or_create_owned(&[
                ("listener", listener.to_owned()),
                ("route", route.to_owned()),
                ("status", class.as_str().to_owned()),
            ])
        };
        RouteMetrics {
            requests: StatusClass::ALL.map(class),
            duration: self
                .request_duration
                .get_or_create_owned(&[("listener", listener.to_owned()), ("route", route.to_owned())]),
        }
    }

    /// The handles of one upstream.
    pub fn upstream(&self, upstream: &str) -> UpstreamMetrics {
        let labels = [("upstream", upstream.to_owned())];
        UpstreamMetrics {
            requests: self.upstream_requests.get_or_create_owned(&labels),
            connects: self.upstream_connects.get_or_create_owned(&labels),
            connect_failures: self.upstream_connect_failures.get_or_create_owned(&labels),
            retries: self.upstream_retries.get_or_create_owned(&labels),
            timeouts: self.upstream_timeouts.get_or_create_owned(&labels),
            broken: self.upstream_broken.get_or_create_owned(&labels),
        }
    }

    /// The handles of one plugin.
    pub fn plugin(&self, plugin: &str) -> Arc<PluginMetrics> {
        let labels = [("plugin", plugin.to_owned())];
        Arc::new(PluginMetrics {
            plugin: plugin.to_owned(),
            calls: self.plugin_calls.clone(),
            seconds: self.plugin_seconds.get_or_create_owned(&labels),
            call_duration: self.plugin_call_duration.get_or_create_owned(&labels),
            faults: self.plugin_faults.clone(),
            vm_rebuilds: self.plugin_vm_rebuilds.get_or_create_owned(&labels),
            memory_bytes: self.plugin_memory.get_or_create_owned(&labels),
            log_lines: LOG_LEVELS.map(|level| {
                let labels = [("plugin", plugin.to_owned()), ("level", level.to_owned())];
                self.plugin_log_lines.get_or_create_owned(&labels)
            }),
        })
    }

    /// Counts that a plugin or policy was asked for anew.
    pub fn plugin_refreshed(&self, plugin: &str, outcome: RefreshOutcome) {
        let labels = [
            ("plugin", plugin.to_owned()),
            ("outcome", outcome.as_str().to_owned()),
        ];
        self.plugin_refreshes.get_or_create_owned(&labels).inc();
    }

    /// The handles of the cache of compiled modules.
    pub fn compile_cache(&self) -> &CompileCacheMetrics {
        &self.compile_cache
    }

    /// Access-log lines that were lost.
    pub fn access_log_lost(&self) -> &Counter {
        &self.access_log_lost
    }

    /// What is counted for the admission server.
    pub fn admission(&self) -> &AdmissionMetrics {
        &self.admission
    }

    /// The metrics that guests define.
    pub fn guest(&self) -> &GuestMetrics {
        &self.guest
    }
}

pub(crate) fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

pub(crate) fn add_histogram<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    make: fn() -> Histogram,
) -> HistogramFamily<N> {
    let family = HistogramFamily::new_with_constructor(make);
    registry.register(name, help, family.clone());
    family
}

/// What is counted for one listener.
#[derive(Clone, Debug)]
pub struct ListenerMetrics {
    /// Requests in flight.
    pub requests_active: Gauge,
    /// Client connections open.
    pub connections_active: Gauge,
    /// Client connections accepted.
    pub connections: Counter,
    /// Failures to accept a connection.
    pub accept_failures: Counter,
    refused: Family<Labels<2>, Counter>,
    listener: String,
}

impl ListenerMetrics {
    /// Counts a request that was refused before routing. Takes a short lock: refusals close their connection.
    pub fn refused(&self, reason: &'static str) {
        let labels = [("listener", self.listener.clone()), ("reason", reason.to_owned())];
        self.refused.get_or_create(&labels).inc();
    }
}

/// The classes of status that requests are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusClass {
    /// 100 to 199.
    Informational,
    /// 200 to 299.
    Success,
    /// 300 to 399.
    Redirection,
    /// 400 to 499.
    ClientError,
    /// 500 and above.
    ServerError,
    /// The client left before a response could be sent.
    None,
}

impl StatusClass {
    const ALL: [StatusClass; 6] = [
        StatusClass::Informational,
        StatusClass::Success,
        StatusClass::Redirection,
        StatusClass::ClientError,
        StatusClass::ServerError,
        StatusClass::None,
    ];

    fn of(status: Option<u16>) -> StatusClass {
        match status {
            Some(..200) => StatusClass::Informational,
            Some(200..300) => StatusClass::Success,
            Some(300..400) => StatusClass::Redirection,
            Some(400..500) => StatusClass::ClientError,
            Some(500..) => StatusClass::ServerError,
            None => StatusClass::None,
        }
    }

    /// The label's value: `2xx`, or `none`.
    pub fn as_str(self) -> &'static str {
        match self {
            StatusClass::Informational => "1xx",
            StatusClass::Success => "2xx",
            StatusClass::Redirection => "3xx",
            StatusClass::ClientError => "4xx",
            StatusClass::ServerError => "5xx",
            StatusClass::None => "none",
        }
    }
}

/// What is counted for one route.
#[derive(Clone, Debug)]
pub struct RouteMetrics {
    requests: [Counter; 6],
    duration: Histogram,
}

impl RouteMetrics {
    /// Counts one exchange: the status that was sent (`None`: the client left first) and the time it took.
    pub fn finished(&self, status: Option<u16>, duration: Duration) {
        self.requests[StatusClass::of(status) as usize].inc();
        self.duration.observe(duration);
    }
}

/// What is counted for one upstream.
#[derive(Clone, Debug)]
pub struct UpstreamMetrics {
    /// Requests handed to this upstream; a retry does not count again.
    pub requests: Counter,
    /// Connections opened.
    pub connects: Counter,
    /// Endpoints that could not be reached: refused, timed out, name not found.
    pub connect_failures: Counter,
    /// Requests tried again on another connection or endpoint.
    pub retries: Counter,
    /// Requests that got no response head in time.
    pub timeouts: Counter,
    /// Exchanges that the upstream broke off or answered with bytes that are not HTTP.
    pub broken: Counter,
}

const LOG_LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "critical"];

/// What is counted for one plugin.
#[derive(Debug)]
pub struct PluginMetrics {
    plugin: String,
    calls: Family<Labels<2>, Counter>,
    /// Time inside the guest, all calls together.
    pub seconds: SecondsCounter,
    /// Time inside the guest for one call.
    pub call_duration: Histogram,
    faults: Family<Labels<2>, Counter>,
    /// VMs rebuilt after a fault.
    pub vm_rebuilds: Counter,
    /// Linear memory of this plugin's VMs. Each VM adds what it grows by and takes it away when it goes.
    pub memory_bytes: Gauge,
    log_lines: [Counter; 6],
}

impl PluginMetrics {
    /// The counter of one callback's calls. Takes a short lock: look it up once and keep it.
    pub fn calls(&self, callback: &str) -> Counter {
        let labels = [("plugin", self.plugin.clone()), ("callback", callback.to_owned())];
        self.calls.get_or_create_owned(&labels)
    }

    /// Counts the time of one call into the guest.
    pub fn called(&self, duration: Duration) {
        self.seconds.add(duration);
        self.call_duration.observe(duration);
    }

    /// Counts a fault of this kind, for example `deadline`. Takes a short lock: faults are rare.
    pub fn faulted(&self, kind: &str) {
        let labels = [("plugin", self.plugin.clone()), ("kind", kind.to_owned())];
        self.faults.get_or_create(&labels).inc();
    }

    /// Counts a line that the guest logged: 0 is trace, 5 and above critical.
    pub fn logged(&self, level: usize) {
        self.log_lines[level.min(LOG_LEVELS.len() - 1)].inc();
    }
}

/// What came of a question whether there is another version of a plugin that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// There is none.
    Unchanged,
    /// There is, and it runs now.
    Changed,
    /// It could not be found out, or the other version cannot run. The one that runs goes on.
    Failed,
}

impl RefreshOutcome {
    /// The label's value: `unchanged`, `changed` or `failed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }
}

/// What is counted for the cache of compiled modules.
#[derive(Clone, Debug)]
pub struct CompileCacheMetrics {
    /// Modules that were found compiled.
    pub hits: Counter,
    /// Modules that had to be compiled.
    pub misses: Counter,
    /// Entries removed because the cache was full, damaged or of another version.
    pub removals: Counter,
    /// How long compilations took.
    pub duration: Histogram,
}

impl CompileCacheMetrics {
    fn register(registry: &mut Registry) -> CompileCacheMetrics {
        let duration = Histogram::of_compilations();
        registry.register(
            "wharf_compile_duration_seconds",
            "Time to compile one module to machine code",
            duration.clone(),
        );
        CompileCacheMetrics {
            hits: add(
                registry,
                "wharf_compile_cache_hits",
                "Modules found compiled in the cache",
            ),
            misses: add(
                registry,
                "wharf_compile_cache_misses",
                "Modules that had to be compiled",
            ),
            removals: add(
                registry,
                "wharf_compile_cache_removals",
                "Entries removed from the compile cache: too old, damaged, or of another version",
            ),
            duration,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_counts_by_class_of_status() {
        let metrics = Metrics::new();
        let route = metrics.route("web", "api");
        route.finished(Some(204), Duration::from_millis(2));
        route.finished(Some(503), Duration::from_millis(2));
        route.finished(None, Duration::from_millis(2));
        let text = metrics.encode();
        for (class, count) in [("1xx", 0), ("2xx", 1), ("4xx", 0), ("5xx", 1), ("none", 1)] {
            let line = format!(
                "wharf_requests_total{{listener=\"web\",route=\"api\",status=\"{class}\"}} {count}\n"
            );
            assert!(text.contains(&line), "{line} is missing from\n{text}");
        }
        assert!(text.contains("wharf_request_duration_seconds_count{listener=\"web\",route=\"api\"} 3\n"));
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_handle_looked_up_twice_is_the_same_number() {
        let metrics = Metrics::new();
        metrics.upstream("app").retries.inc();
        metrics.upstream("app").retries.inc();
        assert_eq!(metrics.upstream("app").retries.get(), 2);
        assert_eq!(metrics.upstream("other").retries.get(), 0);
    }

    #[test]
    fn a_plugin_shows_calls_time_faults_memory_and_log_lines() {
        let metrics = Metrics::new();
        let plugin = metrics.plugin("greet");
        plugin.calls("proxy_on_request_headers").inc();
        plugin.called(Duration::from_micros(30));
        plugin.faulted("deadline");
        plugin.memory_bytes.inc_by(131_072);
        plugin.memory_bytes.dec_by(65_536);
        plugin.logged(3);
        plugin.logged(99);
        let text = metrics.encode();
        for line in [
            "wharf_plugin_calls_total{plugin=\"greet\",callback=\"proxy_on_request_headers\"} 1\n",
            "wharf_plugin_seconds_total{plugin=\"greet\"} 0.00003\n",
            "wharf_plugin_faults_total{plugin=\"greet\",kind=\"deadline\"} 1\n",
            "wharf_plugin_memory_bytes{plugin=\"greet\"} 65536\n",
            "wharf_plugin_log_lines_total{plugin=\"greet\",level=\"warn\"} 1\n",
            "wharf_plugin_log_lines_total{plugin=\"greet\",level=\"critical\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
    }

    #[test]
    fn refreshes_are_counted_by_outcome() {
        let metrics = Metrics::new();
        metrics.plugin_refreshed("greet", RefreshOutcome::Changed);
        for _ in 0..2 {
            metrics.plugin_refreshed("greet", RefreshOutcome::Failed);
        }
        let text = metrics.encode();
        for (outcome, count) in [("changed", 1), ("failed", 2)] {
            let line =
                format!("wharf_plugin_refreshes_total{{plugin=\"greet\",outcome=\"{outcome}\"}} {count}\n");
            assert!(text.contains(&line), "{line} is missing from\n{text}");
        }
    }

    #[test]
    fn label_values_are_escaped() {
        let metrics = Metrics::new();
        metrics.listener("a\"b\\c\nd").refused("bad_host");
        let text = metrics.encode();
        assert!(text.contains(r#"listener="a\"b\\c\nd""#), "{text}");
    }
}
