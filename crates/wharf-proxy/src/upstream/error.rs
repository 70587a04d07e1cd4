//! What can go wrong between the proxy and an upstream, and what the client is told.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;

/// Why no answer came. [`UpstreamError::status`] says what the client gets:
///
/// | status | meaning |
/// |---|---|
/// | 503 | no endpoint could be reached |
/// | 504 | an endpoint took the request and did not answer in time |
/// | 502 | an endpoint broke off, or what it answered is not acceptable HTTP |
/// | 400 | the client's own request broke off while it was being sent |
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Every endpoint was tried and none could be connected to.
    #[error(
        "no endpoint of upstream `{upstream}` could be reached: {}",
        Failures(failures)
    )]
    Unreachable {
        /// The upstream's name.
        upstream: Rc<str>,
        /// One entry for each attempt, in order.
        failures: Vec<ConnectFailure>,
    },
    /// No response head came in time.
    #[error("{endpoint} of upstream `{upstream}` did not answer within {timeout:?}")]
    TimedOut {
        /// The upstream's name.
        upstream: Rc<str>,
        /// The endpoint that has the request.
        endpoint: Rc<str>,
        /// The configured request timeout.
        timeout: Duration,
    },
    /// The connection broke before the response head was complete, or the head could not be parsed.
    #[error("{endpoint} of upstream `{upstream}` broke off before its answer")]
    Broken {
        /// The upstream's name.
        upstream: Rc<str>,
        /// The endpoint that has the request.
        endpoint: Rc<str>,
        /// What hyper saw.
        source: hyper::Error,
    },
    /// The response head is well-formed and must not be passed on.
    #[error("{endpoint} of upstream `{upstream}` gave an answer that is refused: {reason}")]
    BadAnswer {
        /// The upstream's name.
        upstream: Rc<str>,
        /// The endpoint that answered.
        endpoint: Rc<str>,
        /// What is wrong with the answer.
        reason: &'static str,
    },
    /// The request's body ended with an error while it was being sent.
    #[error("the request's body broke off while it was sent to {endpoint}")]
    RequestBody {
        /// The endpoint that has the first part of the request.
        endpoint: Rc<str>,
    },
}

/// One endpoint that could not be reached.
#[derive(Debug)]
pub struct ConnectFailure {
    /// The endpoint as configured.
    pub endpoint: Rc<str>,
    /// What went wrong.
    pub error: ConnectError,
}

/// Why an endpoint could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name has no address.
    #[error("its name could not be resolved ({0})")]
    Name(#[source] io::Error),
    /// The connection was refused or the network failed.
    #[error("connecting failed ({0})")]
    Connect(#[source] io::Error),
    /// Resolving and connecting took longer than the connect timeout.
    #[error("connecting took longer than {0:?}")]
    TimedOut(Duration),
    /// The connection was opened and closed again before the request was sent.
    #[error("it closed the connection before the request was sent")]
    Closed,
}

impl UpstreamError {
    /// The status for the client.
    pub fn status(&self) -> StatusCode {
        match self {
            UpstreamError::Unreachable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            UpstreamError::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
            UpstreamError::Broken { .. } | UpstreamError::BadAnswer { .. } => StatusCode::BAD_GATEWAY,
            UpstreamError::RequestBody { .. } => StatusCode::BAD_REQUEST,
        }
    }

    /// What the client reads: which kind of failure, without names or addresses of the inside.
    pub fn public_text(&self) -> &'static str {
        match self {
            UpstreamError::Unreachable { .. } => "no endpoint of the upstream could be reached",
            UpstreamError::TimedOut { .. } => "the upstream did not answer in time",
            UpstreamError::Broken { .. } => "the upstream broke off before its answer",
            UpstreamError::BadAnswer { .. } => "the upstream gave an answer that is not acceptable",
            UpstreamError::RequestBody { .. } => "the request's body broke off",
        }
    }

    /// One word for the access log.
    pub fn details(&self) -> &'static str {
        match self {
            UpstreamError::Unreachable { .. } => "upstream_unreachable",
            UpstreamError::TimedOut { .. } => "upstream_timed_out",
            UpstreamError::Broken { .. } => "upstream_broke_off",
            UpstreamError::BadAnswer { .. } => "upstream_bad_answer",
            UpstreamError::RequestBody { .. } => "request_body_broke_off",
        }
    }

    /// The endpoint that was tried last.
    pub fn endpoint(&self) -> Option<&Rc<str>> {
        match self {
            UpstreamError::Unreachable { failures, .. } => failures.last().map(|last| &last.endpoint),
            UpstreamError::TimedOut { endpoint, .. }
            | UpstreamError::Broken { endpoint, .. }
            | UpstreamError::BadAnswer { endpoint, .. }
            | UpstreamError::RequestBody { endpoint } => Some(endpoint),
        }
    }
}

struct Failures<'a>(&'a [ConnectFailure]);

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, failure) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", failure.endpoint, failure.error)?;
        }
        Ok(())
    }
}

/// An upstream whose configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamConfigError {
    /// An endpoint is not `host:port`.
    #[error("upstream `{upstream}`: endpoint `{endpoint}` is not host:port")]
    Endpoint {
        /// The upstream's name.
        upstream: String,
        /// What was configured.
        endpoint: String,
    },
    /// A pool without endpoints.
    #[error("upstream `{upstream}` has no endpoints")]
    NoEndpoints {
        /// The upstream's name.
        upstream: String,
    },
    /// The fixed response's status is not between 200 and 599.
    #[error("upstream `{upstream}`: {status} is not a status that can be responded, use 200 to 599")]
    Status {
        /// The upstream's name.
        upstream: String,
        /// What was configured.
        status: u16,
    },
    /// A header of the fixed response is not legal.
    #[error("upstream `{upstream}`: `{header}` is not a legal response header, or its value is not")]
    Header {
        /// The upstream's name.
        upstream: String,
        /// The header's name as configured.
        header: String,
    },
}
