//! Requests to the cluster's API server. Each answer has a bound in bytes and in time.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use wharf_plugin::ByteSize;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a request is sent again where the API server says that it is too busy and when to come again.
const MOST_RETRIES: u32 = 3;
/// The longest that the API server is waited for where it says so; what takes longer is told at once.
const MOST_WAIT: Duration = Duration::from_secs(2);
/// The most bytes of an answer that is an error.
const MOST_REFUSAL: usize = 64 << 10;
/// The most characters of an error that policies get.
const MOST_WORDS: usize = 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The cluster's API server.
pub(super) struct Api {
    client: Client,
}

/// Why the API server gave no answer that is of use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    #[error("the cluster's API server cannot be reached: {0}")]
    Unreachable(Arc<str>),
    #[error("the cluster's API server answered {0}")]
    Refused(Refusal),
    #[error("the answer of the cluster's API server broke off: {0}")]
    Broken(Arc<str>),
    #[error("the answer of the cluster's API server has more than {0}")]
    TooLarge(ByteSize),
    #[error("the answer of the cluster's API server cannot be understood: {0}")]
    Unreadable(Arc<str>),
    #[error("the cluster's API server did not answer within {0:?}")]
    Slow(Duration),
}

/// What the API server says instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// In its own words, which name who may not do what.
    message: Arc<str>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl ApiError {
    /// The status, where the API server answered with one that is no success.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            _ => None,
        }
    }

    pub(super) fn unreadable(reason: impl fmt::Display) -> Self {
        Self::Unreadable(words(&reason.to_string()))
    }

    /// What a Status object says.
    pub(super) fn refused(status: StatusCode, message: &str) -> Self {
        Self::Refused(Refusal {
            status,
            message: words(message),
        })
    }
}

/// The part of a Status object that says something.
#[derive(Debug, Default, Deserialize)]
pub(super) struct StatusObject {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) code: u16,
}

impl Api {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Gets what is at a path, which begins with `/`.
    pub(super) async fn get(&self, path: &str, most: ByteSize) -> Result<Bytes, ApiError> {
        self.whole(&Ask::get(path), most).await
    }

    /// Posts JSON to a path. It may get there several times, so it must change nothing.
    pub(super) async fn post(&self, path: &str, body: Vec<u8>, most: ByteSize) -> Result<Bytes, ApiError> {
        let ask = Ask {
            method: Method::POST,
            path,
            body: body.into(),
        };
        self.whole(&ask, most).await
    }

    /// Opens what does not end by itself; its head must come in time.
    pub(super) async fn open(&self, path: &str) -> Result<Body, ApiError> {
        let ask = Ask::get(path);
        match tokio::time::timeout(PATIENCE, self.send(&ask)).await {
            Ok(response) => response.map(Response::into_body),
            Err(_) => Err(ApiError::Slow(PATIENCE)),
        }
    }

    async fn whole(&self, ask: &Ask<'_>, most: ByteSize) -> Result<Bytes, ApiError> {
        let exchange = async {
            let response = self.send(ask).await?;
            collect(response.into_body(), most).await
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or(Err(ApiError::Slow(PATIENCE)))
    }

    /// Sends a request, and again where the API server is too busy and says when it is not.
    async fn send(&self, ask: &Ask<'_>) -> Result<Response<Body>, ApiError> {
        let mut retries = 0;
        loop {
            let response = self.client.send(ask.request()?).await;
            let response = response.map_err(|error| ApiError::Unreachable(words(&in_full(&error))))?;
            if response.status().is_success() {
                return Ok(response);
            }
            match busy_for(response.status(), response.headers()) {
                Some(wait) if retries < MOST_RETRIES => tokio::time::sleep(wait).await,
                _ => return Err(refusal(response).await),
            }
            retries += 1;
        }
    }
}

/// A request that can be sent several times.
struct Ask<'a> {
    method: Method,
    path: &'a str,
    body: Bytes,
}

impl<'a> Ask<'a> {
    fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            body: Bytes::new(),
        }
    }

    fn request(&self) -> Result<Request<Body>, ApiError> {
        let mut head = Request::builder()
            .method(&self.method)
            .uri(self.path)
            .header(ACCEPT, JSON);
        if self.body.is_empty() {
            return head.body(Body::empty()).map_err(ApiError::unreadable);
        }
        head = head.header(CONTENT_TYPE, JSON);
        head.body(Body::from(self.body.to_vec()))
            .map_err(ApiError::unreadable)
    }
}

/// How long an API server wants to be left alone that is too busy, where that is not too long.
fn busy_for(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let busy = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    let after = headers.get(RETRY_AFTER).filter(|_| busy)?;
    let seconds = after.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds)).filter(|wait| *wait <= MOST_WAIT)
}

async fn collect(body: Body, most: ByteSize) -> Result<Bytes, ApiError> {
    match Limited::new(body, most.as_usize()).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::TooLarge(most)),
        Err(error) => Err(broken(&*error)),
    }
}

/// An answer that ended before its end.
pub(super) fn broken(error: &(dyn Error + 'static)) -> ApiError {
    ApiError::Broken(words(&in_full(error)))
}

async fn refusal(response: Response<Body>) -> ApiError {
    let status = response.status();
    let body = Limited::new(response.into_body(), MOST_REFUSAL).collect().await;
    let text = body.map(|body| body.to_bytes()).unwrap_or_default();
    let message = match serde_json::from_slice::<StatusObject>(&text) {
        Ok(said) => said.message,
        // What a proxy in between says is a page, not a Status.
        Err(_) => String::from_utf8_lossy(&text)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    ApiError::refused(status, message.trim())
}

/// An error with those behind it. What `kube` wraps around the others says nothing.
fn in_full(error: &(dyn Error + 'static)) -> String {
    let mut next = match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Service(inner)) => Some(&**inner as &(dyn Error + 'static)),
        Some(kube::Error::HyperError(inner)) => Some(inner as &(dyn Error + 'static)),
        _ => Some(error),
    };
    let mut texts: Vec<String> = Vec::new();
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

/// A text of others as policies get it: not endless, and on one line.
fn words(text: &str) -> Arc<str> {
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    visible.take(MOST_WORDS).collect::<String>().into()
}
