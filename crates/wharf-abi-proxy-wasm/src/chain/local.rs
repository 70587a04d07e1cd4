//! Answers that do not come from the upstream: a filter's own, and those to failures.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};

use super::gate::Gate;
use super::{Chain, Output, ResetReason};
use crate::body::Body;
use crate::context::{Direction, LocalResponse};
use crate::headers::{HeaderList, Name};

/// What the access log says where a filter's fault refused an exchange.
const FAULT_DETAILS: &str = "filter_fault";
/// The same where the filter's VM is not there, because it is being rebuilt.
const UNAVAILABLE_DETAILS: &str = "filter_unavailable";

impl Chain {
    /// Answers the exchange. Where no response has come yet, the answer goes back through the filters that have seen
    /// the request; where one has come and waits, the answer goes past them; where one has left, nothing but breaking
    /// off is possible.
    pub fn answer(&mut self, response: LocalResponse) {
        if self.reset || self.finished {
            return;
        }
        if self.response_sent {
            self.reset(ResetReason::AnsweredTooLate);
            return;
        }
        let past_filters = self.response_started;
        self.failed = false;
        self.send_answer(response, past_filters);
    }

    fn send_answer(&mut self, response: LocalResponse, past_filters: bool) {
        let (headers, body) = self.local_headers(&response);
        self.answers += 1;
        let answers = self.answers;
        self.direct |= past_filters;
        self.response_started = true;
        {
            let mut exchange = self.exchange.borrow_mut();
            exchange.response_headers = Some(headers);
            exchange.response_trailers = None;
        }
        self.response_trailers_came = false;
        if past_filters {
            // What the filters hold of another response will never go on.
            for link in &mut self.links {
                link.response = Gate::default();
            }
        }
        // What has come through of another response has not left, and is replaced.
        self.outputs.retain(|output| !output.is_response());
        self.response_ended = false;
        self.put_out(Output::Answered {
            details: response.details,
        });
        let is_empty = body.is_empty();
        self.pass_headers(Direction::Response, 0, is_empty);
        if !is_empty && !self.is_overtaken(Direction::Response, answers) {
            self.pass_data(Direction::Response, 0, Body::from(body), true);
        }
    }

    /// The headers and body of an answer. A gRPC request gets its status in headers alone, as gRPC clients expect.
    fn local_headers(&self, response: &LocalResponse) -> (HeaderList, Bytes) {
        let mut headers = HeaderList::with_capacity(response.headers.len() + 4);
        if self.is_grpc() {
            let status = response
                .grpc_status
                .unwrap_or_else(|| grpc_status_of(response.status));
            put(&mut headers, Name::Status, HeaderValue::from(200));
            put(
                &mut headers,
                Name::Field(CONTENT_TYPE),
                HeaderValue::from_static("application/grpc"),
            );
            put(
                &mut headers,
                Name::Field(HeaderName::from_static("grpc-status")),
                HeaderValue::from(status),
            );
            if let Some(message) = grpc_message(&response.body) {
                put(
                    &mut headers,
                    Name::Field(HeaderName::from_static("grpc-message")),
                    message,
                );
            }
            extend(&mut headers, &response.headers);
            return (headers, Bytes::new());
        }
        put(&mut headers, Name::Status, HeaderValue::from(response.status));
        extend(&mut headers, &response.headers);
        if !response.body.is_empty() {
            put(
                &mut headers,
                Name::Field(CONTENT_LENGTH),
                HeaderValue::from(response.body.len()),
            );
            if headers.get(b"content-type").is_none() {
                put(
                    &mut headers,
                    Name::Field(CONTENT_TYPE),
                    HeaderValue::from_static("text/plain"),
                );
            }
        }
        (headers, response.body.clone())
    }

    fn is_grpc(&self) -> bool {
        let exchange = self.exchange.borrow();
        let content_type = exchange
            .request_headers
            .as_ref()
            .and_then(|headers| headers.get_str("content-type"));
        content_type.is_some_and(|value| {
            value
                .strip_prefix("application/grpc")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
        })
    }

    /// A filter that must not be missing has faulted, or is not there: 503, or breaking off.
    pub(super) fn refuse_for_fault(&mut self, is_there: bool) {
        if self.response_sent {
            self.reset(ResetReason::FilterFault);
        } else if !self.reset && !self.finished {
            self.send_failure(if is_there {
                failure(503, FAULT_DETAILS, "a filter of this route failed\n")
            } else {
                failure(
                    503,
                    UNAVAILABLE_DETAILS,
                    "a filter of this route is not available\n",
                )
            });
        }
    }

    /// A filter collects more of a body than it may: 413 for a request, 500 for a response.
    pub(super) fn refuse_large(&mut self, direction: Direction) {
        if self.response_sent {
            self.reset(match direction {
                Direction::Request => ResetReason::RequestTooLarge,
                Direction::Response => ResetReason::ResponseTooLarge,
            });
            return;
        }
        let response = match direction {
            Direction::Request => failure(
                413,
                "request_payload_too_large",
                "the request's body is too large\n",
            ),
            Direction::Response => failure(
                500,
                "response_payload_too_large",
                "the response's body is too large\n",
            ),
        };
        self.send_failure(response);
    }

    fn send_failure(&mut self, response: LocalResponse) {
        self.failed = true;
        self.send_answer(response, self.response_started);
    }

    /// Breaks off whatever of the exchange still goes on.
    pub(super) fn reset(&mut self, reason: ResetReason) {
        if std::mem::replace(&mut self.reset, true) {
            return;
        }
        let request_over = self.request_ended || self.answers > 0;
        if !request_over || !self.response_ended {
            self.put_out(Output::Reset(reason));
        }
    }
}

fn failure(status: u16, details: &str, text: &'static str) -> LocalResponse {
    LocalResponse {
        status,
        details: details.into(),
        headers: HeaderList::new(),
        body: Bytes::from_static(text.as_bytes()),
        grpc_status: None,
    }
}

/// Puts a header of our own in place; the list is far from its bounds.
fn put(headers: &mut HeaderList, name: Name, value: HeaderValue) {
    let _ = headers.set(name, value);
}

fn extend(headers: &mut HeaderList, further: &HeaderList) {
    for (name, value) in further.iter() {
        if *name != Name::Status {
            let _ = headers.push(name.clone(), value.clone());
        }
    }
}

/// The gRPC status for an HTTP status, as gRPC's own mapping has it ("HTTP to gRPC Status Code Mapping").
fn grpc_status_of(http: u16) -> u32 {
    match http {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// The body as a `grpc-message`: percent-encoded where it is not plain ASCII.
fn grpc_message(body: &[u8]) -> Option<HeaderValue> {
    if body.is_empty() {
        return None;
    }
    let mut text = String::with_capacity(body.len());
    for byte in &body[..body.len().min(4096)] {
        match byte {
            b'%' => text.push_str("%25"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    HeaderValue::from_str(&text).ok()
}
