//! Requests of routes without filters: straight through, streaming in both directions.

use std::rc::Rc;
use std::time::Instant;

use http::{Request, Response};

use crate::answer;
use crate::body::{ClientBody, Length, RequestBody};
use crate::headers;
use crate::record::Record;
use crate::response_body::{ResponseBody, ResponseSource};
use crate::routes::Route;
use crate::upstream::UpstreamResponse;

/// Sends the request to the route's upstream and its answer back.
pub(crate) async fn handle(
    record: &Rc<Record>,
    route: &Rc<Route>,
    request: Request<ClientBody>,
) -> Response<ResponseBody> {
    let (mut head, body) = request.into_parts();
    let body = match Length::of(&body) {
        Length::Empty => RequestBody::Empty,
        Length::Exact(_) | Length::Unknown => RequestBody::Client(body),
    };
    headers::finish_request(&mut head, Length::of(&body));
    let idle_timeout = record.connection().listener.limits.body_idle_timeout;
    let sent = Instant::now();
    let answered = route
        .upstream
        .send(Request::from_parts(head, body), idle_timeout)
        .await;
    match answered {
        Ok(answer) => {
            record.note_upstream(answer.endpoint.as_ref(), sent.elapsed());
            pass_on(record, answer)
        }
        Err(error) => {
            record.note_upstream(error.endpoint(), sent.elapsed());
            answer::upstream_failure(record, &error)
        }
    }
}

fn pass_on(record: &Rc<Record>, answer: UpstreamResponse) -> Response<ResponseBody> {
    let UpstreamResponse { mut head, body, .. } = answer;
    headers::receive_response(&mut head);
    headers::finish_response(&mut head, Length::of(&body), &record.request().method);
    record.respond(head.status);
    let body = ResponseBody::new(ResponseSource::Upstream(body), Rc::clone(record));
    Response::from_parts(head, body)
}
