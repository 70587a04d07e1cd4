//! The admin port: whether the process is well, what it counts, and what runs in it.
//!
//! | path | answer |
//! |---|---|
//! | `/healthz` | 200 while the process runs |
//! | `/readyz` | 200 when it serves and each required plugin has a VM that runs; otherwise 503 and the reasons. What cannot be asked for anew is named in both |
//! | `/metrics` | all metrics, as OpenMetrics text |
//! | `/plugins` | the proxy's plugins, as JSON |
//! | `/policies` | the admission server's policies, as JSON |

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};
use wharf_admission::PreparedPolicies;
use wharf_plugin::PluginName;
use wharf_proxy::status::PluginStatus;
use wharf_telemetry::{Metrics, metrics};

use crate::plugins::PreparedPlugin;
use crate::provenance;
use crate::refresh::{CurrentPlugins, Outdated};

/// How many admin connections there may be at once.
const MOST_CONNECTIONS: usize = 64;
/// How long a client of the admin port may take to send a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

/// What the admin port shows.
pub(crate) struct View {
    metrics: Arc<Metrics>,
    plugins: Option<Arc<CurrentPlugins>>,
    policies: Option<Arc<PreparedPolicies>>,
    phase: AtomicU8,
}

/// A plugin as it is now.
struct PluginView<'a> {
    plugin: &'a PreparedPlugin,
    /// Empty where no route uses the plugin.
    status: Vec<Arc<PluginStatus>>,
    /// Why it may not be what its registry has now.
    outdated: Option<&'a Outdated>,
}

/// The admin port, until it is dropped.
pub(crate) struct Admin {
    address: SocketAddr,
    view: Arc<View>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl View {
    pub(crate) fn new(
        metrics: Arc<Metrics>,
        plugins: Option<Arc<CurrentPlugins>>,
        policies: Option<Arc<PreparedPolicies>>,
    ) -> Self {
        Self {
            plugins,
            policies,
            metrics,
            phase: AtomicU8::new(STARTING),
        }
    }

    /// Looks at each plugin as it is now.
    fn each_plugin(&self, mut look: impl FnMut(&PluginView<'_>)) {
        let Some(current) = &self.plugins else { return };
        let (prepared, outdated) = (current.prepared(), current.outdated());
        let mut by_plugin: BTreeMap<PluginName, Vec<Arc<PluginStatus>>> = BTreeMap::new();
        for (name, status) in prepared.set.status() {
            by_plugin.entry(name).or_default().push(status);
        }
        for plugin in &prepared.plugins {
            look(&PluginView {
                plugin,
                status: by_plugin.remove(&plugin.spec.name).unwrap_or_default(),
                outdated: outdated.get(&plugin.spec.name),
            });
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            // The second name is policy-server's.
            "/readyz" | "/readiness" => self.ready(),
            "/metrics" => respond(
                StatusCode::OK,
                HeaderValue::from_static(metrics::CONTENT_TYPE),
                self.metrics.encode(),
            ),
            "/plugins" => json_response(&self.plugins()),
            "/policies" => json_response(&match &self.policies {
                Some(policies) => policies.describe(),
                None => Value::Array(Vec::new()),
            }),
            _ => text(
                StatusCode::NOT_FOUND,
                "there is /healthz, /readyz, /metrics, /plugins and /policies\n",
            ),
        }
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        let mut reasons = String::new();
        match self.phase.load(Ordering::Relaxed) {
            STARTING => reasons.push_str("starting\n"),
            DRAINING => reasons.push_str("draining\n"),
            _ => {}
        }
        let mut notes = String::new();
        self.each_plugin(|view| {
            let name = &view.plugin.spec.name;
            if view.plugin.spec.required && !view.is_healthy() {
                let last = view.status.iter().find_map(|status| status.last_fault());
                let last = last.unwrap_or_else(|| "it has not started".to_owned());
                reasons.push_str(&format!("plugin {name} has no healthy VM: {last}\n"));
            }
            if let Some(outdated) = view.outdated {
                notes.push_str(&format!(
                    "plugin {name} runs as it was, and cannot be asked for anew: {}\n",
                    outdated.reason
                ));
            }
        });
        for (id, error) in self.policies.iter().flat_map(|policies| policies.not_refreshed()) {
            notes.push_str(&format!(
                "policy {id} runs as it was, and cannot be asked for anew: {error}\n"
            ));
        }
        if reasons.is_empty() {
            // A registry that is away ends nothing.
            respond(StatusCode::OK, TEXT, format!("ready\n{notes}"))
        } else {
            respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, reasons + &notes)
        }
    }

    fn plugins(&self) -> Value {
        let mut all = Vec::new();
        self.each_plugin(|view| all.push(view.describe()));
        Value::from(all)
    }
}

impl PluginView<'_> {
    fn is_healthy(&self) -> bool {
        self.status.iter().all(|status| status.is_healthy())
    }

    fn describe(&self) -> Value {
        let sum =
            |count: fn(&PluginStatus) -> u64| self.status.iter().map(|status| count(status)).sum::<u64>();
        let loaded = &self.plugin.loaded;
        let abis: Vec<_> = loaded.abis().iter().map(ToString::to_string).collect();
        let refresh = self
            .outdated
            .map(|outdated| json!({ "error": outdated.reason, "since": outdated.since.to_string() }));
        json!({
            "name": loaded.name.as_str(),
            "source": loaded.reference.to_string(),
            "digest": loaded.digest.to_string(),
            "bytes": loaded.size.bytes(),
            "abis": abis,
            "provenance": loaded.provenance.as_ref().map(provenance::json),
            "refresh": refresh,
            "required": self.plugin.spec.required,
            "used": !self.status.is_empty(),
            "healthy": (!self.status.is_empty()).then(|| self.is_healthy()),
            "vms": { "expected": sum(|s| s.expected().into()), "running": sum(|s| s.running().into()) },
            "faults": sum(PluginStatus::faults),
            "rebuilds": sum(PluginStatus::rebuilds),
            "lastFault": self.status.iter().find_map(|status| status.last_fault()),
        })
    }
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    respond(status, TEXT, text)
}

fn json_response(value: &Value) -> Response<Full<Bytes>> {
    respond(
        StatusCode::OK,
        HeaderValue::from_static("application/json"),
        format!("{value:#}\n"),
    )
}

fn respond(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

impl Admin {
    /// Binds the port and serves it from a thread of its own.
    ///
    /// # Errors
    /// Where the address cannot be bound or the thread cannot be started.
    pub(crate) fn start(address: SocketAddr, view: View) -> io::Result<Self> {
        let listener = TcpListener::bind(address).map_err(|error| not_bound(address, &error))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (view, (stop, stopped)) = (Arc::new(view), oneshot::channel());
        let shown = Arc::clone(&view);
        let thread = std::thread::Builder::new()
            .name("wharf-admin".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(listener, shown) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            view,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The proxy serves.
    pub(crate) fn ready(&self) {
        self.view.phase.store(SERVING, Ordering::Relaxed);
    }

    /// The proxy finishes what is in flight: nothing new should come.
    pub(crate) fn draining(&self) {
        self.view.phase.store(DRAINING, Ordering::Relaxed);
    }
}

fn not_bound(address: SocketAddr, error: &io::Error) -> io::Error {
    let what = match error.kind() {
        ErrorKind::AddrInUse => format!("the admin port {address} is in use by another process"),
        ErrorKind::PermissionDenied => format!("this user may not listen on the admin port {address}"),
        _ => format!("the admin port {address} cannot be bound: {error}"),
    };
    io::Error::new(error.kind(), what)
}

impl Drop for Admin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("The admin port's thread panicked.");
        }
    }
}

async fn serve(listener: TcpListener, view: Arc<View>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "The admin port cannot be served.");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "The admin port could not accept a connection.");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let view = Arc::clone(&view);
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<Incoming>| {
                let response = view.answer(request.method(), request.uri().path());
                async { Ok::<_, Infallible>(response) }
            });
            let mut server = http1::Builder::new();
            server
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .keep_alive(true);
            // A client that breaks off is nobody's trouble here.
            let _ = server.serve_connection(TokioIo::new(stream), answer).await;
            drop(place);
        });
    }
}
