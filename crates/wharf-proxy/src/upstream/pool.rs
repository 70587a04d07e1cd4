//! Sending a request over pooled connections to one of several endpoints.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::header::{self, HOST};
use http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::Instant;
use wharf_config::EndpointsConfig;
use wharf_telemetry::UpstreamMetrics;

use super::endpoint::{Endpoint, PooledConnection};
use super::error::{ConnectError, ConnectFailure, UpstreamConfigError, UpstreamError};
use super::{UpstreamBody, UpstreamResponse};
use crate::body::{Progress, RequestBody, SentBody};
use crate::timer::Timer;

/// A connection that was idle for less is used without the precaution of a copy of the request: an endpoint that
/// closes idle connections waits longer than this.
const MAY_BE_STALE: Duration = Duration::from_millis(500);

/// The endpoints of one upstream and their connections.
#[derive(Debug)]
pub(super) struct Pool {
    upstream: Rc<str>,
    endpoints: Vec<Rc<Endpoint>>,
    next: Cell<usize>,
    settings: Settings,
    metrics: UpstreamMetrics,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    connect_timeout: Duration,
    request_timeout: Duration,
    idle_timeout: Duration,
    max_idle: usize,
}

/// What became of a request on one connection.
enum Attempt {
    Answered(Box<UpstreamResponse>),
    /// The connection was closed before anything of the request was sent: here it is again.
    Unsent(Box<Request<SentBody>>),
    Failed(UpstreamError),
}

impl Pool {
    pub(super) fn new(
        upstream: &str,
        config: &EndpointsConfig,
        metrics: UpstreamMetrics,
    ) -> Result<Pool, UpstreamConfigError> {
        let parse = |text: &String| {
            Endpoint::parse(text)
                .map(Rc::new)
                .ok_or_else(|| UpstreamConfigError::Endpoint {
                    upstream: upstream.to_owned(),
                    endpoint: text.clone(),
                })
        };
        let endpoints: Vec<Rc<Endpoint>> = config.endpoints.iter().map(parse).collect::<Result<_, _>>()?;
        if endpoints.is_empty() {
            return Err(UpstreamConfigError::NoEndpoints {
                upstream: upstream.to_owned(),
            });
        }
        Ok(Pool {
            upstream: Rc::from(upstream),
            endpoints,
            next: Cell::new(0),
            settings: Settings {
                connect_timeout: config.connect_timeout,
                request_timeout: config.request_timeout,
                idle_timeout: config.idle_timeout,
                max_idle: config.max_idle,
            },
            metrics,
        })
    }

    /// Tries endpoints until one takes the request; see [`super::Upstream::send`].
    pub(super) async fn send(
        &self,
        request: Request<RequestBody>,
        body_idle_timeout: Duration,
    ) -> Result<UpstreamResponse, UpstreamError> {
        self.metrics.requests.inc();
        let first = self.next.get();
        self.next.set(first.wrapping_add(1));
        let mut request = Box::new(request.map(SentBody::new));
        let mut failures = Vec::new();
        let names_host = request.headers().contains_key(HOST);
        for endpoint in self.in_turn(first) {
            if !names_host {
                // HTTP/1.1 demands a Host, and a client of HTTP/1.0 may have sent none.
                request.headers_mut().insert(HOST, endpoint.host.clone());
            }
            if !failures.is_empty() {
                self.metrics.retries.inc();
            }
            match self.try_endpoint(endpoint, request, body_idle_timeout).await {
                Ok(response) => return Ok(response),
                Err(Tried::Unreachable(error, unsent)) => {
                    self.metrics.connect_failures.inc();
                    failures.push(ConnectFailure {
                        endpoint: Rc::clone(&endpoint.name),
                        error,
                    });
                    request = unsent;
                }
                Err(Tried::Failed(error)) => return Err(error),
            }
        }
        Err(UpstreamError::Unreachable {
            upstream: Rc::clone(&self.upstream),
            failures,
        })
    }

    /// Each endpoint once: around from the first one at or after `first` that did not fail a moment ago.
    fn in_turn(&self, first: usize) -> impl Iterator<Item = &Rc<Endpoint>> {
        let count = self.endpoints.len();
        let at = move |step: usize| &self.endpoints[first.wrapping_add(step) % count];
        let skipped = (0..count).position(|step| !at(step).is_resting()).unwrap_or(0);
        (0..count).map(move |step| at(skipped + step))
    }

    async fn try_endpoint(
        &self,
        endpoint: &Rc<Endpoint>,
        mut request: Box<Request<SentBody>>,
        body_idle_timeout: Duration,
    ) -> Result<UpstreamResponse, Tried> {
        while let Some((connection, age)) = endpoint.take_idle(self.settings.idle_timeout) {
            let copy = if age < MAY_BE_STALE {
                None
            } else {
                copy_to_repeat(&request)
            };
            let attempt = self
                .attempt(endpoint, connection, *request, body_idle_timeout)
                .await;
            // An endpoint may close a connection that is idle, also while the request is on its way to it.
            request = match (attempt, copy) {
                (Attempt::Answered(response), _) => return Ok(*response),
                (Attempt::Unsent(unsent), _) => unsent,
                (Attempt::Failed(error), Some(copy)) if is_cut_off(&error) => copy,
                (Attempt::Failed(error), _) => return Err(Tried::Failed(error)),
            };
            self.metrics.retries.inc();
        }
        let connection = match endpoint.connect(self.settings.connect_timeout).await {
            Ok(connection) => connection,
            Err(error) => return Err(Tried::Unreachable(error, request)),
        };
        self.metrics.connects.inc();
        match self
            .attempt(endpoint, connection, *request, body_idle_timeout)
            .await
        {
            Attempt::Answered(response) => Ok(*response),
            Attempt::Failed(error) => Err(Tried::Failed(error)),
            Attempt::Unsent(unsent) => Err(Tried::Unreachable(ConnectError::Closed, unsent)),
        }
    }

    async fn attempt(
        &self,
        endpoint: &Rc<Endpoint>,
        mut connection: PooledConnection,
        request: Request<SentBody>,
        body_idle_timeout: Duration,
    ) -> Attempt {
        let progress = request.body().progress();
        let answer = connection.sender.try_send_request(request);
        let limit = self.settings.request_timeout;
        let answer = in_time(answer, &mut connection.head_timer, limit, progress.as_deref()).await;
        let Some(answer) = answer else {
            self.metrics.timeouts.inc();
            return Attempt::Failed(UpstreamError::TimedOut {
                upstream: Rc::clone(&self.upstream),
                endpoint: Rc::clone(&endpoint.name),
                timeout: limit,
            });
        };
        match answer {
            Ok(response) => self.answered(endpoint, connection, response, body_idle_timeout),
            Err(mut error) => match error.take_message() {
                Some(unsent) => Attempt::Unsent(Box::new(unsent)),
                None => Attempt::Failed(self.failed(endpoint, error.into_error(), progress.as_deref())),
            },
        }
    }

    fn answered(
        &self,
        endpoint: &Rc<Endpoint>,
        connection: PooledConnection,
        response: Response<Incoming>,
        body_idle_timeout: Duration,
    ) -> Attempt {
        let (head, body) = response.into_parts();
        if let Some(reason) = reason_to_refuse(&head) {
            self.metrics.broken.inc();
            return Attempt::Failed(UpstreamError::BadAnswer {
                upstream: Rc::clone(&self.upstream),
                endpoint: Rc::clone(&endpoint.name),
                reason,
            });
        }
        let lease = Lease {
            connection,
            endpoint: Rc::clone(endpoint),
            max_idle: self.settings.max_idle,
        };
        let broken = self.metrics.broken.clone();
        let body = UpstreamBody::streaming(body, lease, body_idle_timeout, broken);
        Attempt::Answered(Box::new(UpstreamResponse {
            head,
            body,
            endpoint: Some(Rc::clone(&endpoint.name)),
        }))
    }

    fn failed(
        &self,
        endpoint: &Rc<Endpoint>,
        source: hyper::Error,
        progress: Option<&Progress>,
    ) -> UpstreamError {
        let endpoint = Rc::clone(&endpoint.name);
        if progress.is_some_and(Progress::failed) {
            return UpstreamError::RequestBody { endpoint };
        }
        self.metrics.broken.inc();
        UpstreamError::Broken {
            upstream: Rc::clone(&self.upstream),
            endpoint,
            source,
        }
    }

    pub(super) fn close_idle(&self) {
        for endpoint in &self.endpoints {
            endpoint.close_idle(self.settings.idle_timeout);
        }
    }

    pub(super) fn idle_connections(&self) -> usize {
        self.endpoints
            .iter()
            .map(|endpoint| endpoint.idle_connections())
            .sum()
    }
}

/// A copy of a request that may be sent twice (RFC 9110 section 9.2.2): its method is idempotent and it has no body.
fn copy_to_repeat(request: &Request<SentBody>) -> Option<Box<Request<SentBody>>> {
    if !request.method().is_idempotent() || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(SentBody::new(RequestBody::Empty));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(Box::new(copy))
}

/// Whether the connection ended before anything of an answer came.
fn is_cut_off(error: &UpstreamError) -> bool {
    matches!(error, UpstreamError::Broken { source, .. } if !source.is_parse())
}

/// Why one endpoint did not answer.
enum Tried {
    /// Nothing was sent: another endpoint may have the request.
    Unreachable(ConnectError, Box<Request<SentBody>>),
    Failed(UpstreamError),
}

/// The right to give a connection back to its endpoint once its exchange is over.
#[derive(Debug)]
pub(super) struct Lease {
    connection: PooledConnection,
    endpoint: Rc<Endpoint>,
    max_idle: usize,
}

impl Lease {
    /// Gives the connection back. Dropping the lease instead closes it.
    pub(super) fn give_back(self) {
        self.endpoint.keep(self.connection, self.max_idle);
    }

    pub(super) fn body_timer(&mut self) -> &mut Timer {
        &mut self.connection.body_timer
    }
}

/// `None` when nothing came within `limit` since the upstream last took a piece of the request; zero waits for
/// ever.
async fn in_time<F: Future>(
    answer: F,
    timer: &mut Timer,
    limit: Duration,
    progress: Option<&Progress>,
) -> Option<F::Output> {
    let started = Instant::now();
    let mut answer = pin!(answer);
    poll_fn(|cx| {
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            return Poll::Ready(Some(answer));
        }
        if limit.is_zero() {
            return Poll::Pending;
        }
        loop {
            let deadline = progress.map_or(started, Progress::last) + limit;
            match timer.poll_until(deadline, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) if Instant::now() >= deadline => return Poll::Ready(None),
                Poll::Ready(()) => {}
            }
        }
    })
    .await
}

/// Answers that must not be passed on, because the next proxy or the client could read them differently.
fn reason_to_refuse(head: &http::response::Parts) -> Option<&'static str> {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Some("it switches protocols, which was not asked for");
    }
    if head.headers.contains_key(header::TRANSFER_ENCODING) {
        if head.headers.contains_key(header::CONTENT_LENGTH) {
            return Some("it has both Content-Length and Transfer-Encoding");
        }
        let mut codings = head.headers.get_all(header::TRANSFER_ENCODING).iter();
        let only_chunked = codings
            .next()
            .is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
        if !only_chunked || codings.next().is_some() {
            return Some("its Transfer-Encoding is not exactly `chunked`");
        }
    }
    None
}
