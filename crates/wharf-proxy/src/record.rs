//! What is known about one exchange, written to the access log and the metrics when it is over.
//!
//! An exchange can end in many places: its response is complete, the client goes away while the upstream is thinking,
//! the worker is stopped. All of them drop the last handle to the [`Record`], and that writes the line.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderValue, Method, StatusCode, Uri, Version};
use wharf_telemetry::AccessEntry;

use crate::context::Connection;
use crate::routes::Route;

/// In the access log: the client left before it had the whole response.
pub const CLIENT_DISCONNECTED: &str = "client_disconnected";

/// The request as it was sent.
#[derive(Debug)]
pub struct RequestLine {
    /// The method.
    pub method: Method,
    /// The target before it was settled.
    pub target: Uri,
    /// The host that the request is for.
    pub host: Option<HeaderValue>,
    /// The version that the client speaks.
    pub version: Version,
}

/// One exchange. Share it in an `Rc`; the last one to let go writes the access log.
pub struct Record {
    connection: Rc<Connection>,
    request: RequestLine,
    request_id: HeaderValue,
    time: SystemTime,
    started: Instant,
    route: OnceCell<Rc<Route>>,
    status: Cell<Option<StatusCode>>,
    details: RefCell<Option<Cow<'static, str>>>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    endpoint: RefCell<Option<Rc<str>>>,
    upstream_duration: Cell<Option<Duration>>,
    filter_duration: Cell<Duration>,
    faults: Cell<u32>,
    ended: Cell<Option<Instant>>,
}

impl Record {
    /// An exchange begins.
    pub fn new(connection: Rc<Connection>, request: RequestLine, request_id: HeaderValue) -> Record {
        connection.listener.metrics.requests_active.inc();
        Record {
            connection,
            request,
            request_id,
            time: SystemTime::now(),
            started: Instant::now(),
            route: OnceCell::new(),
            status: Cell::new(None),
            details: RefCell::default(),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            endpoint: RefCell::default(),
            upstream_duration: Cell::new(None),
            filter_duration: Cell::new(Duration::ZERO),
            faults: Cell::new(0),
            ended: Cell::new(None),
        }
    }

    /// The connection that the request came on.
    pub fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// The request as it was sent.
    pub fn request(&self) -> &RequestLine {
        &self.request
    }

    /// The request's id.
    pub fn request_id(&self) -> &HeaderValue {
        &self.request_id
    }

    /// When the request's head had been read.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The wall clock at that time.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// The route was chosen.
    pub fn choose_route(&self, route: &Rc<Route>) {
        // Only the first choice counts.
        let _ = self.route.set(Rc::clone(route));
    }

    /// The route, once it was chosen.
    pub fn route(&self) -> Option<&Rc<Route>> {
        self.route.get()
    }

    /// Why the exchange did not go as it should, in one word. The first one counts: what follows is its consequence.
    pub fn note_details(&self, details: impl Into<Cow<'static, str>>) {
        self.details.borrow_mut().get_or_insert_with(|| details.into());
    }

    /// What [`Record::note_details`] noted.
    pub fn details(&self) -> Option<Cow<'static, str>> {
        self.details.borrow().clone()
    }

    /// An upstream answered, or failed, at this endpoint.
    pub fn note_upstream(&self, endpoint: Option<&Rc<str>>, duration: Duration) {
        *self.endpoint.borrow_mut() = endpoint.cloned();
        self.upstream_duration.set(Some(duration));
    }

    /// The endpoint that answered, or was tried last.
    pub fn endpoint(&self) -> Option<Rc<str>> {
        self.endpoint.borrow().clone()
    }

    /// How long the upstream took to answer.
    pub fn upstream_duration(&self) -> Option<Duration> {
        self.upstream_duration.get()
    }

    /// A filter ran for so long.
    pub fn add_filter_duration(&self, duration: Duration) {
        self.filter_duration.set(self.filter_duration.get() + duration);
    }

    /// A filter had a fault.
    pub fn add_fault(&self) {
        self.faults.set(self.faults.get().saturating_add(1));
    }

    /// The head of the response is on its way.
    pub fn respond(&self, status: StatusCode) {
        self.status.set(Some(status));
    }

    /// The status of the response, once its head is on its way.
    pub fn status(&self) -> Option<StatusCode> {
        self.status.get()
    }

    /// Bytes of the request's body were received.
    pub fn received(&self, bytes: usize) {
        self.bytes_in.set(self.bytes_in.get() + bytes as u64);
    }

    /// Bytes of the request's body that were received so far.
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in.get()
    }

    /// Bytes of the response's body were handed to the client's connection.
    pub fn sent(&self, bytes: usize) {
        self.bytes_out.set(self.bytes_out.get() + bytes as u64);
    }

    /// Bytes of the response's body that were handed to the client's connection so far.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out.get()
    }

    /// The response is over; the request's body may still be coming.
    pub fn end(&self) {
        if self.ended.get().is_none() {
            self.ended.set(Some(Instant::now()));
            self.connection.wire.request_ends();
        }
    }

    fn write(&self) {
        let listener = &self.connection.listener;
        let duration = self
            .ended
            .get()
            .unwrap_or_else(Instant::now)
            .duration_since(self.started);
        let status = self.status.get().map(|status| status.as_u16());
        let route = self.route.get();
        route
            .map_or(&listener.unrouted, |route| &route.metrics)
            .finished(status, duration);
        let endpoint = self.endpoint.borrow();
        let details = self.details.borrow();
        listener.worker.access_log.borrow_mut().write(&AccessEntry {
            time: self.time,
            request_id: self.request_id.to_str().unwrap_or_default(),
            listener: &listener.name,
            route: route.map(|route| route.config.name.as_str()),
            client: &self.connection.client_text,
            method: self.request.method.as_str(),
            host: self.request.host.as_ref().map_or(b"", HeaderValue::as_bytes),
            path: self
                .request
                .target
                .path_and_query()
                .map_or("", |path| path.as_str()),
            protocol: if self.request.version == Version::HTTP_10 {
                "HTTP/1.0"
            } else {
                "HTTP/1.1"
            },
            status,
            details: details.as_deref(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            duration,
            upstream: endpoint.as_deref(),
            upstream_duration: self.upstream_duration.get(),
            filter_duration: self.filter_duration.get(),
            faults: self.faults.get(),
        });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.status.get().is_none() {
            self.note_details(CLIENT_DISCONNECTED);
        }
        self.end();
        self.connection.listener.metrics.requests_active.dec();
        self.write();
    }
}
