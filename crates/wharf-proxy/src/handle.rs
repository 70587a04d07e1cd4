//! One request, from hyper to its route.

use std::convert::Infallible;
use std::rc::Rc;

use http::header::EXPECT;
use http::{HeaderMap, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use crate::body::ClientBody;
use crate::context::Connection;
use crate::headers;
use crate::record::{Record, RequestLine};
use crate::response_body::ResponseBody;
use crate::strict::Refusal;
use crate::target::{self, BadTarget};
use crate::{answer, exchange, passthrough};

/// Answers one request. Every way out of here is a response, so that hyper never closes without one.
pub(crate) async fn handle(
    connection: Rc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let refusal = connection.wire.request_begins();
    let (mut head, incoming) = request.into_parts();
    let (record, rejected) = admit(connection, &mut head, refusal);
    if let Some(response) = rejected {
        return Ok(response);
    }
    let host = record
        .request()
        .host
        .as_ref()
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    // `OPTIONS *` is about the whole server, which is what the root stands for.
    let path = if head.uri.path() == "*" {
        "/"
    } else {
        head.uri.path()
    };
    let Some(route) = record.connection().listener.route(host, path) else {
        let text = "no route matches this host and path";
        return Ok(answer::failure(&record, StatusCode::NOT_FOUND, text, "no_route"));
    };
    record.choose_route(&route);
    headers::receive_request(
        &mut head.headers,
        &record.connection().forwarded,
        record.request_id(),
    );
    let request = Request::from_parts(head, ClientBody::new(incoming, Rc::clone(&record)));
    Ok(if route.config.filters.is_empty() {
        passthrough::handle(&record, &route, request).await
    } else {
        exchange::handle(&record, &route, request).await
    })
}

/// Begins the record, and settles what must be settled before routing. Gives a response when that is not possible.
fn admit(
    connection: Rc<Connection>,
    head: &mut request::Parts,
    refusal: Option<Refusal>,
) -> (Rc<Record>, Option<Response<ResponseBody>>) {
    let request_id = headers::usable_request_id(&head.headers)
        .cloned()
        .unwrap_or_else(|| connection.listener.worker.request_ids.borrow_mut().next_id());
    let target = head.uri.clone();
    let settled = if refusal.is_some() {
        Ok(None)
    } else {
        target::settle(head)
    };
    let host = settled.as_ref().ok().cloned().flatten();
    let request = RequestLine {
        method: head.method.clone(),
        target,
        host,
        version: head.version,
    };
    let record = Rc::new(Record::new(connection, request, request_id));
    let rejected = match (refusal, settled) {
        (Some(why), _) => Some(answer::refusal(&record, why)),
        (None, Err(bad)) => Some(bad_target(&record, bad)),
        (None, Ok(_)) if has_unknown_expectation(&head.headers) => {
            let text = "the expectation is not supported";
            Some(answer::failure(
                &record,
                StatusCode::EXPECTATION_FAILED,
                text,
                "bad_expectation",
            ))
        }
        (None, Ok(_)) => None,
    };
    (record, rejected)
}

fn bad_target(record: &Rc<Record>, bad: BadTarget) -> Response<ResponseBody> {
    record.connection().listener.metrics.refused("bad_path");
    answer::failure(record, StatusCode::BAD_REQUEST, &bad.to_string(), "bad_path")
}

fn has_unknown_expectation(headers: &HeaderMap) -> bool {
    headers
        .get_all(EXPECT)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
