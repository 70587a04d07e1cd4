//! Requests and their answers, as policy-server has them.
//!
//! | request | answer |
//! |---|---|
//! | `POST /validate/{id}` | an AdmissionReview with the policy's verdict, with the policy's mode applied |
//! | `POST /audit/{id}` | the same, with the verdict as it is |
//! | `POST /validate_raw/{id}` | `{"response": …}` for `{"request": …}`, which may be any JSON |
//! | `GET /readiness` | 200 while the server serves |
//!
//! Whatever is wrong with a request is answered with `{"message": …, "status": …}`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::json;
use wharf_engine::Deadline;
use wharf_telemetry::AdmissionMetrics;

use crate::bodies::{Bodies, BodyError, Held};
use crate::host::HostContext;
use crate::policies::{Policies, Served};
use crate::queue::{NotRun, Queue};
use crate::review::{Answer, Endpoint, Review};

/// When a client that was turned away may come again. The API server does so by itself, within its own timeout.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers requests.
pub(crate) struct Service {
    pub(crate) policies: Arc<Policies>,
    pub(crate) queue: Queue,
    pub(crate) context: Arc<HostContext>,
    pub(crate) bodies: Arc<Bodies>,
    /// The namespace whose reviews are accepted without asking.
    pub(crate) always_accept: Option<Arc<str>>,
}

/// A request that is answered without asking a policy.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
    /// For the metric.
    reason: &'static str,
}

impl Refusal {
    fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            reason,
        }
    }
}

impl Service {
    pub(crate) fn metrics(&self) -> &AdmissionMetrics {
        self.context.metrics.admission()
    }

    /// Lets reviews that run end, for so long.
    pub(crate) fn stop(&self, patience: Duration) {
        if !self.queue.stop(patience) {
            tracing::warn!("Not all policies ended in time; their reviews are broken off.");
        }
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let arrived = Instant::now();
        let answered = match self.find(request.method(), request.uri().path()) {
            Ok(Found::Readiness) => return respond(StatusCode::OK, Bytes::new()),
            Ok(Found::Review(endpoint, served)) => {
                self.review(endpoint, served, arrived, request.into_body()).await
            }
            Err(refusal) => Err(refusal),
        };
        match answered {
            Ok(answer) => respond(answer.status, answer.body),
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn refuse(&self, refusal: &Refusal) -> Response<Full<Bytes>> {
        self.metrics().refused(refusal.reason);
        tracing::info!(
            status = refusal.status.as_u16(),
            reason = refusal.reason,
            "A request was refused: {}",
            refusal.message
        );
        let body = json!({ "message": refusal.message, "status": refusal.status.as_u16() });
        let mut response = respond(refusal.status, body.to_string());
        match refusal.status {
            StatusCode::TOO_MANY_REQUESTS => {
                response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                response
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        response
    }

    fn find(&self, method: &Method, path: &str) -> Result<Found, Refusal> {
        if path == "/readiness" && matches!(*method, Method::GET | Method::HEAD) {
            return Ok(Found::Readiness);
        }
        let endpoints = [
            ("/validate/", Endpoint::Validate),
            ("/validate_raw/", Endpoint::ValidateRaw),
            ("/audit/", Endpoint::Audit),
        ];
        let found = endpoints
            .iter()
            .find_map(|(prefix, endpoint)| path.strip_prefix(prefix).map(|id| (*endpoint, id)));
        let Some((endpoint, id)) = found else {
            let message = "there is /validate/ID, /validate_raw/ID and /audit/ID, with the id of a policy";
            return Err(Refusal::new(StatusCode::NOT_FOUND, "unknown_path", message));
        };
        if *method != Method::POST {
            let message = "a review is sent with POST";
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", message));
        }
        let id = percent_decode_str(id).decode_utf8_lossy();
        match self.policies.get(&id) {
            Some(served) => Ok(Found::Review(endpoint, served)),
            None => {
                let shown: String = id.chars().take(256).collect();
                let message = format!("unknown policy: {shown}");
                Err(Refusal::new(StatusCode::NOT_FOUND, "unknown_policy", message))
            }
        }
    }

    async fn review(
        &self,
        endpoint: Endpoint,
        served: Arc<Served>,
        arrived: Instant,
        body: Incoming,
    ) -> Result<Answer, Refusal> {
        let deadline = Deadline::after(served.terms.timeout);
        let (body, held) = self.read(body, deadline).await?;
        let review = Arc::new(Review {
            served,
            endpoint,
            arrived,
            deadline,
            context: Arc::clone(&self.context),
            always_accept: self.always_accept.clone(),
            _memory: held,
        });
        let (running, text) = (Arc::clone(&review), body.clone());
        let work = move || running.answer(&text);
        let answered = self.queue.run(&review.served.id, deadline, work).await;
        let answer = match answered {
            Ok(answer) => answer,
            Err(NotRun::TooLate) => review.too_late(&body),
            Err(NotRun::Full) => {
                let message =
                    "too many reviews wait already: try again in a second, or raise `admission.queue`";
                return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", message));
            }
            Err(NotRun::Lost) => {
                let message = "the review was lost by a mistake of the server, which is in its log";
                return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "lost", message));
            }
        };
        answer.map_err(|error| {
            let message = crate::policies::in_full(&error);
            Refusal::new(StatusCode::BAD_REQUEST, "bad_review", message)
        })
    }

    /// The body, which must come within the review's time.
    async fn read(&self, body: Incoming, deadline: Deadline) -> Result<(Bytes, Held), Refusal> {
        let error = match tokio::time::timeout(deadline.left(), self.bodies.read(body)).await {
            Ok(Ok(body)) => return Ok(body),
            Ok(Err(error)) => error,
            Err(_) => {
                let message = format!("the review's body did not come within {:?}", deadline.given());
                return Err(Refusal::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "body_too_slow",
                    message,
                ));
            }
        };
        let (status, reason) = match &error {
            BodyError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            BodyError::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "bodies_full"),
            BodyError::Broken(_) => (StatusCode::BAD_REQUEST, "body_broken"),
        };
        Err(Refusal::new(status, reason, error.to_string()))
    }
}

enum Found {
    Readiness,
    Review(Endpoint, Arc<Served>),
}

fn respond(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
