//! The admin port: whether the process is well, what it counts, and what runs in it.
//!
//! | path | answer |
//! |---|---|
//! | `/healthz` | 200 while the process runs |
//! | `/readyz` | 200 when it serves and each required plugin has a VM that runs; otherwise 503 and the reasons |
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

use crate::plugins::{Prepared, PreparedPlugin};
use crate::provenance;

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
    plugins: Vec<PluginView>,
    policies: Option<Arc<PreparedPolicies>>,
    phase: AtomicU8,
}

struct PluginView {
    name: PluginName,
    source: String,
    digest: String,
    bytes: u64,
    abis: Vec<String>,
    /// Where it is from and who signed it.
    provenance: Option<Value>,
    required: bool,
    /// None where no route uses the plugin.
    status: Vec<Arc<PluginStatus>>,
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
        proxy: Option<&Prepared>,
        policies: Option<Arc<PreparedPolicies>>,
    ) -> Self {
        let mut by_plugin: BTreeMap<PluginName, Vec<Arc<PluginStatus>>> = BTreeMap::new();
        for (name, status) in proxy.iter().flat_map(|prepared| prepared.set.status()) {
            by_plugin.entry(name).or_default().push(status);
        }
        let view = |plugin: &PreparedPlugin| PluginView {
            name: plugin.loaded.name.clone(),
            source: plugin.loaded.reference.to_string(),
            digest: plugin.loaded.digest.to_string(),
            bytes: plugin.loaded.size.bytes(),
            abis: plugin.loaded.abis().iter().map(ToString::to_string).collect(),
            provenance: plugin.loaded.provenance.as_ref().map(provenance::json),
            required: plugin.required,
            status: by_plugin.get(&plugin.loaded.name).cloned().unwrap_or_default(),
        };
        Self {
            plugins: proxy
                .iter()
                .flat_map(|prepared| &prepared.plugins)
                .map(view)
                .collect(),
            policies,
            metrics,
            phase: AtomicU8::new(STARTING),
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
        for plugin in self
            .plugins
            .iter()
            .filter(|plugin| plugin.required && !plugin.is_healthy())
        {
            let last = plugin.status.iter().find_map(|status| status.last_fault());
            let last = last.unwrap_or_else(|| "it has not started".to_owned());
            reasons.push_str(&format!("plugin {} has no healthy VM: {last}\n", plugin.name));
        }
        if reasons.is_empty() {
            text(StatusCode::OK, "ready\n")
        } else {
            respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, reasons)
        }
    }

    fn plugins(&self) -> Value {
        self.plugins.iter().map(PluginView::describe).collect()
    }
}

impl PluginView {
    fn is_healthy(&self) -> bool {
        self.status.iter().all(|status| status.is_healthy())
    }

    fn describe(&self) -> Value {
        let sum =
            |count: fn(&PluginStatus) -> u64| self.status.iter().map(|status| count(status)).sum::<u64>();
        json!({
            "name": self.name.as_str(),
            "source": self.source,
            "digest": self.digest,
            "bytes": self.bytes,
            "abis": self.abis,
            "provenance": self.provenance,
            "required": self.required,
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
