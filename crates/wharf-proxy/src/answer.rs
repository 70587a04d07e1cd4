//! Answers that the proxy gives by itself.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use crate::headers::WHARF_REQUEST_ID;
use crate::record::Record;
use crate::response_body::{ResponseBody, ResponseSource};
use crate::strict::Refusal;
use crate::upstream::UpstreamError;

/// A response from complete parts; the record learns its status.
pub fn respond(record: &Rc<Record>, status: StatusCode, source: ResponseSource) -> Response<ResponseBody> {
    record.respond(status);
    let mut response = Response::new(ResponseBody::new(source, Rc::clone(record)));
    *response.status_mut() = status;
    response
}

/// A failure: one line of text that the client may read, and the id under which the log knows more. `details` is
/// one word for the access log.
pub fn failure(
    record: &Rc<Record>,
    status: StatusCode,
    public_text: &str,
    details: &'static str,
) -> Response<ResponseBody> {
    record.note_details(details);
    let text = Bytes::from(format!("{public_text}\n"));
    let mut response = respond(record, status, ResponseSource::Fixed(text));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(WHARF_REQUEST_ID, record.request_id().clone());
    response
}

/// The answer to bytes that are not acceptable HTTP; the connection is closed behind it.
pub fn refusal(record: &Rc<Record>, refusal: Refusal) -> Response<ResponseBody> {
    record.connection().listener.metrics.refused(refusal.details());
    let mut response = failure(record, refusal.status(), refusal.public_text(), refusal.details());
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The answer when no upstream's answer came. What happened inside goes to the log, under the request's id.
pub fn upstream_failure(record: &Rc<Record>, error: &UpstreamError) -> Response<ResponseBody> {
    if let UpstreamError::RequestBody { .. } = error {
        return broken_request(record);
    }
    let request_id = record.request_id().to_str().unwrap_or_default();
    tracing::warn!(request_id, %error, source = std::error::Error::source(error), "A request got no answer from its upstream.");
    failure(record, error.status(), error.public_text(), error.details())
}

/// The answer when the request's own body broke off: the refusal of its bytes, or nothing that anybody will read.
pub fn broken_request(record: &Rc<Record>) -> Response<ResponseBody> {
    let wire = &record.connection().wire;
    if let Some(why) = wire.body_refusal() {
        return refusal(record, why);
    }
    let details = if wire.client_is_gone() {
        crate::record::CLIENT_DISCONNECTED
    } else {
        "bad_request_body"
    };
    let mut response = failure(
        record,
        StatusCode::BAD_REQUEST,
        "the request's body broke off",
        details,
    );
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
