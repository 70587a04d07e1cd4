//! What a request's handling can reach: its connection, listener and worker.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;
use wharf_config::{HttpLimits, ListenerConfig, ProxyConfig};
use wharf_telemetry::{AccessLogBuffer, ListenerMetrics, Metrics, RouteMetrics};

use crate::headers::Forwarded;
use crate::plugins::{Generation, WorkerVms};
use crate::request_id::RequestIds;
use crate::routes::{Route, RouteError, Routes};
use crate::strict::Wire;
use crate::upstream::{UpstreamConfigError, Upstreams};

/// What all requests of one worker share. Never leaves its thread.
pub struct Worker {
    /// Counts from 0.
    pub index: usize,
    /// The process's metrics, for what is counted rarely.
    pub metrics: Arc<Metrics>,
    /// This worker's upstreams with their pooled connections.
    pub upstreams: Upstreams,
    /// This worker's source of request ids.
    pub request_ids: RefCell<RequestIds>,
    /// This worker's lines of the access log.
    pub access_log: RefCell<AccessLogBuffer>,
    /// This worker's VMs.
    pub(crate) vms: WorkerVms,
    connections: Cell<u64>,
}

/// Why a worker cannot be prepared. `wharf-config` refuses such configurations, each with its line and column.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// An upstream cannot be used.
    #[error(transparent)]
    Upstream(#[from] UpstreamConfigError),
    /// A route leads nowhere.
    #[error(transparent)]
    Route(#[from] RouteError),
}

impl Worker {
    /// Prepares a worker's share of the configuration.
    pub fn new(
        index: usize,
        config: &ProxyConfig,
        metrics: Arc<Metrics>,
        access_log: AccessLogBuffer,
    ) -> Result<Worker, ContextError> {
        Ok(Worker {
            index,
            upstreams: Upstreams::new(&config.upstreams, &metrics)?,
            metrics,
            request_ids: RefCell::new(RequestIds::new()),
            access_log: RefCell::new(access_log),
            vms: WorkerVms::new(),
            connections: Cell::new(0),
        })
    }

    fn next_connection_id(&self) -> u64 {
        self.connections.set(self.connections.get() + 1);
        ((self.index as u64) << 48) | self.connections.get()
    }
}

/// A listener as one worker sees it.
pub struct Listener {
    /// The name in the configuration.
    pub name: String,
    /// Its limits.
    pub limits: HttpLimits,
    /// Its routes, with the plugins that new exchanges use.
    routes: RefCell<Routes>,
    /// Its counters.
    pub metrics: ListenerMetrics,
    /// The counters of requests that no route matched, or that were refused before routing.
    pub unrouted: RouteMetrics,
    /// The worker.
    pub worker: Rc<Worker>,
}

impl Listener {
    /// Prepares a listener for this worker, with the plugins that it has; opens nothing.
    pub fn new(config: &ListenerConfig, worker: &Rc<Worker>) -> Result<Listener, ContextError> {
        let routes = Routes::new(
            config,
            &worker.upstreams,
            &worker.vms.generation(),
            &worker.metrics,
        )?;
        Ok(Listener {
            name: config.name.clone(),
            limits: config.limits.clone(),
            routes: RefCell::new(routes),
            metrics: worker.metrics.listener(&config.name),
            unrouted: worker.metrics.route(&config.name, ""),
            worker: Rc::clone(worker),
        })
    }

    /// The first route that matches. The host may have a port; the path has no query.
    pub fn route(&self, host: &str, path: &str) -> Option<Rc<Route>> {
        self.routes.borrow().find(host, path).cloned()
    }

    /// Its routes with other plugins.
    pub(crate) fn routes_with(&self, plugins: &Generation) -> Result<Routes, RouteError> {
        self.routes.borrow().with_plugins(plugins)
    }

    /// New exchanges use these routes from now on.
    pub(crate) fn set_routes(&self, routes: Routes) {
        drop(self.routes.replace(routes));
    }
}

/// One client's connection.
pub struct Connection {
    /// Its number in this process: the worker's in the upper bits, and its own among the worker's from 1 on.
    pub id: u64,
    /// Where it was accepted.
    pub listener: Rc<Listener>,
    /// The client's address.
    pub client: SocketAddr,
    /// The client's address as text.
    pub client_text: String,
    /// The address that the client connected to.
    pub local: SocketAddr,
    /// What its requests say about where they come from.
    pub forwarded: Forwarded,
    /// What the reader of this connection found out.
    pub(crate) wire: Rc<Wire>,
}

impl Connection {
    pub(crate) fn new(
        listener: Rc<Listener>,
        client: SocketAddr,
        local: SocketAddr,
        wire: Rc<Wire>,
    ) -> Connection {
        let address = HeaderValue::from_str(&client.ip().to_canonical().to_string())
            .expect("an IP address is visible ASCII");
        let forwarded = Forwarded {
            address,
            scheme: HeaderValue::from_static("http"),
        };
        Connection {
            id: listener.worker.next_connection_id(),
            listener,
            client,
            client_text: client.to_string(),
            local,
            forwarded,
            wire,
        }
    }

    /// Whether the client has closed its side, as far as this has been noticed.
    pub fn client_is_gone(&self) -> bool {
        self.wire.client_is_gone()
    }
}
