//! Where requests go: pools of connections to endpoints, and the embedded responder.
//!
//! Each worker has its own [`Upstreams`]: a connection never changes threads and no lock is taken. A pool hands out
//! its most recently used connection first, so that those a quiet hour does not need grow old and are closed.

mod endpoint;
mod error;
mod fixed;
mod pool;
mod response_body;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, response};
use wharf_config::UpstreamConfig;
use wharf_telemetry::Metrics;

pub use self::error::{ConnectError, ConnectFailure, UpstreamConfigError, UpstreamError};
use self::fixed::Fixed;
use self::pool::Pool;
pub use self::response_body::UpstreamBody;
use crate::body::RequestBody;

/// All upstreams of one worker, by name.
#[derive(Debug)]
pub struct Upstreams {
    by_name: BTreeMap<String, Rc<Upstream>>,
}

impl Upstreams {
    /// Prepares every upstream; opens no connection.
    pub fn new(
        config: &BTreeMap<String, Arc<UpstreamConfig>>,
        metrics: &Metrics,
    ) -> Result<Upstreams, UpstreamConfigError> {
        let prepare = |(name, config): (&String, &Arc<UpstreamConfig>)| {
            Ok((name.clone(), Rc::new(Upstream::new(name, config, metrics)?)))
        };
        Ok(Upstreams {
            by_name: config.iter().map(prepare).collect::<Result<_, _>>()?,
        })
    }

    /// The upstream of this name.
    pub fn get(&self, name: &str) -> Option<&Rc<Upstream>> {
        self.by_name.get(name)
    }

    /// Closes pooled connections that were idle for too long. A worker calls this about once a second.
    pub fn close_idle(&self) {
        for upstream in self.by_name.values() {
            if let Kind::Pool(pool) = &upstream.kind {
                pool.close_idle();
            }
        }
    }
}

/// One upstream as one worker sees it.
#[derive(Debug)]
pub struct Upstream {
    name: Rc<str>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Fixed(Fixed),
    Pool(Pool),
}

/// The head of an upstream's answer and what follows it.
#[derive(Debug)]
pub struct UpstreamResponse {
    /// Status and headers as the upstream sent them.
    pub head: response::Parts,
    /// The body, streaming. Dropping it before its end closes the connection that it comes from.
    pub body: UpstreamBody,
    /// The endpoint that answered, as configured; `None` for the embedded responder.
    pub endpoint: Option<Rc<str>>,
}

impl Upstream {
    fn new(name: &str, config: &UpstreamConfig, metrics: &Metrics) -> Result<Upstream, UpstreamConfigError> {
        let kind = match config {
            UpstreamConfig::Respond {
                status,
                headers,
                body,
            } => Kind::Fixed(Fixed::new(name, *status, headers, body)?),
            UpstreamConfig::Endpoints(endpoints) => {
                Kind::Pool(Pool::new(name, endpoints, metrics.upstream(name))?)
            }
        };
        Ok(Upstream {
            name: Rc::from(name),
            kind,
        })
    }

    /// The name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// The request's target must be in origin form (or `*`) and it must carry `Host`; see
    /// [`crate::headers::finish_request`] for the rest. Endpoints are taken in turn. One that cannot be reached is
    /// passed over for the next, and a pooled connection that turns out to be closed is replaced, as long as
    /// nothing of the request was sent. The configured request timeout counts from when the upstream last took a
    /// piece of the request. `body_idle_timeout` bounds each wait for a piece of the answer's body; zero is for
    /// ever.
    ///
    /// Dropping the future closes the connection that the request was sent on.
    pub async fn send(
        &self,
        request: Request<RequestBody>,
        body_idle_timeout: Duration,
    ) -> Result<UpstreamResponse, UpstreamError> {
        match &self.kind {
            Kind::Fixed(fixed) => Ok(fixed.answer()),
            Kind::Pool(pool) => pool.send(request, body_idle_timeout).await,
        }
    }

    /// How many connections are waiting in the pool for their next request.
    pub fn idle_connections(&self) -> usize {
        match &self.kind {
            Kind::Fixed(_) => 0,
            Kind::Pool(pool) => pool.idle_connections(),
        }
    }
}
