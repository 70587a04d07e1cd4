//! Requests to the cluster's API server. Each answer has a bound in bytes and in time.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use wharf_plugin::ByteSize;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
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
        self.whole(Request::get(path).header(ACCEPT, JSON), Body::empty(), most)
            .await
    }

    /// Posts JSON to a path.
    pub(super) async fn post(&self, path: &str, body: Vec<u8>, most: ByteSize) -> Result<Bytes, ApiError> {
        let head = Request::post(path)
            .header(ACCEPT, JSON)
            .header(CONTENT_TYPE, JSON);
        self.whole(head, Body::from(body), most).await
    }

    /// Opens what does not end by itself; its head must come in time.
    pub(super) async fn open(&self, path: &str) -> Result<Body, ApiError> {
        let head = Request::get(path).header(ACCEPT, JSON);
        let sent = self.send(head, Body::empty());
        match tokio::time::timeout(PATIENCE, sent).await {
            Ok(response) => response.map(Response::into_body),
            Err(_) => Err(ApiError::Slow(PATIENCE)),
        }
    }

    async fn whole(
        &self,
        head: http::request::Builder,
        body: Body,
        most: ByteSize,
    ) -> Result<Bytes, ApiError> {
        let exchange = async {
            let response = self.send(head, body).await?;
            collect(response.into_body(), most).await
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or(Err(ApiError::Slow(PATIENCE)))
    }

    async fn send(&self, head: http::request::Builder, body: Body) -> Result<Response<Body>, ApiError> {
        let request = head.body(body).map_err(ApiError::unreadable)?;
        let response = self.client.send(request).await;
        let response = response.map_err(|error| ApiError::Unreachable(words(&in_full(&error))))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }
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
