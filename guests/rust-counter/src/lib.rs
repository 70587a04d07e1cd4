//! Counts requests over all workers, in shared data, and says the count in the response header `x-request-count`.
//!
//! The configuration is JSON, all optional: `{"key": "rust-counter", "tickMs": 100}`. The key is that of the shared
//! data; a tick of 0 is no tick.
//!
//! | metric | kind | what |
//! |---|---|---|
//! | `rust_counter_requests` | counter | requests |
//! | `rust_counter_path_bytes` | histogram | length of each request's path |
//! | `rust_counter_shared_count` | gauge | the shared count, as the last tick saw it |

use std::rc::Rc;
use std::time::Duration;

use log::error;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MetricType, Status};
use serde::Deserialize;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::<CounterRoot>::default());
}}

/// Given for a key that is not there yet. The host takes any value for a new key, but when another worker was
/// faster, the key has a value of its own by then, and this one, which no host reaches by counting, is refused.
const CAS_OF_A_NEW_KEY: u32 = u32::MAX;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Config {
    key: String,
    tick_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { key: "rust-counter".to_owned(), tick_ms: 100 }
    }
}

#[derive(Clone, Copy)]
struct Metrics {
    requests: u32,
    path_bytes: u32,
    shared_count: u32,
}

impl Metrics {
    fn define() -> Result<Self, Status> {
        Ok(Self {
            requests: hostcalls::define_metric(MetricType::Counter, "rust_counter_requests")?,
            path_bytes: hostcalls::define_metric(MetricType::Histogram, "rust_counter_path_bytes")?,
            shared_count: hostcalls::define_metric(MetricType::Gauge, "rust_counter_shared_count")?,
        })
    }
}

/// What the root and its streams share.
struct Counter {
    key: String,
    metrics: Metrics,
}

impl Counter {
    fn shared_count(&self) -> Result<(u64, u32), Status> {
        let (value, cas) = hostcalls::get_shared_data(&self.key)?;
        let count = value.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
        Ok((count, cas.unwrap_or(CAS_OF_A_NEW_KEY)))
    }

    /// Adds one, trying again for as long as others are faster.
    fn count_request(&self) -> Result<u64, Status> {
        loop {
            let (count, cas) = self.shared_count()?;
            match hostcalls::set_shared_data(&self.key, Some(&(count + 1).to_le_bytes()), Some(cas)) {
                Err(Status::CasMismatch) => {}
                other => return other.map(|()| count + 1),
            }
        }
    }
}

#[derive(Default)]
struct CounterRoot {
    counter: Option<Rc<Counter>>,
}

impl CounterRoot {
    fn configure(&mut self) -> Result<(), String> {
        let text = self.get_plugin_configuration().unwrap_or_default();
        let config: Config = if text.is_empty() {
            Config::default()
        } else {
            serde_json::from_slice(&text)
                .map_err(|error| format!("the configuration is not valid: {error}"))?
        };
        let metrics =
            Metrics::define().map_err(|status| format!("the metrics could not be defined: {status:?}"))?;
        self.set_tick_period(Duration::from_millis(config.tick_ms.into()));
        self.counter = Some(Rc::new(Counter { key: config.key, metrics }));
        Ok(())
    }
}

impl Context for CounterRoot {}

impl RootContext for CounterRoot {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.configure().inspect_err(|reason| error!("rust-counter: {reason}")).is_ok()
    }

    fn on_tick(&mut self) {
        let Some(counter) = &self.counter else { return };
        let written = counter
            .shared_count()
            .and_then(|(count, _)| hostcalls::record_metric(counter.metrics.shared_count, count));
        if let Err(status) = written {
            error!("rust-counter: the gauge could not be written: {status:?}");
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let counter = self.counter.clone()?;
        Some(Box::new(CounterStream { counter, number: None }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct CounterStream {
    counter: Rc<Counter>,
    number: Option<u64>,
}

impl CounterStream {
    fn count(&mut self) -> Result<(), Status> {
        self.number = Some(self.counter.count_request()?);
        let metrics = self.counter.metrics;
        let path_bytes = self.get_http_request_header(":path").map_or(0, |path| path.len());
        hostcalls::increment_metric(metrics.requests, 1)?;
        hostcalls::record_metric(metrics.path_bytes, path_bytes as u64)
    }
}

impl Context for CounterStream {}

impl HttpContext for CounterStream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if let Err(status) = self.count() {
            error!("rust-counter: the request could not be counted: {status:?}");
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if let Some(number) = self.number {
            self.set_http_response_header("x-request-count", Some(&number.to_string()));
        }
        Action::Continue
    }
}
