//! Moves one exchange on, whichever side can.

mod sending;

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request};
use http_body::{Body as _, Frame};
use tokio::time::Instant;
use wharf_abi_proxy_wasm::{Body, Chain, Direction, HeaderList, LocalResponse, ResetReason};

use self::sending::Outgoing;
use super::convert::{self, BadMessage};
use crate::answer;
use crate::body::{BodyError, ClientBody};
use crate::headers::{self, WHARF_REQUEST_ID};
use crate::pipe::DEFAULT_CAPACITY;
use crate::plugins::Notes;
use crate::record::Record;
use crate::response_body::ResponseBody;
use crate::routes::Route;
use crate::timer::Timer;
use crate::upstream::{UpstreamBody, UpstreamError, UpstreamResponse};

type UpstreamCall = Pin<Box<dyn Future<Output = Result<UpstreamResponse, UpstreamError>>>>;

/// One exchange on its way.
pub(super) struct Driver {
    chain: Chain,
    record: Rc<Record>,
    route: Rc<Route>,
    /// The heads as they came, until their headers leave: what no filter changes is not made anew.
    came_request: Option<request::Parts>,
    came_response: Option<HeaderMap>,
    /// What the client still sends.
    client_body: Option<ClientBody>,
    /// The way to the upstream, once the request's headers have left.
    to_upstream: Option<Outgoing>,
    /// The wait for the upstream's answer.
    call: Option<UpstreamCall>,
    called: Instant,
    /// What the upstream still sends.
    upstream_body: Option<UpstreamBody>,
    /// The way to the client, once the response's headers have left.
    to_client: Option<Outgoing>,
    /// The response's head, until hyper takes it.
    response: Option<Response<ResponseBody>>,
    head_left: bool,
    /// The trailers that the heads announced before filters saw them.
    announced_by_client: Vec<HeaderName>,
    announced_by_upstream: Vec<HeaderName>,
    ended: bool,
    /// Since when nothing has moved.
    idle_since: Instant,
    timer: Timer,
}

impl Driver {
    pub(super) fn new(
        chain: Chain,
        record: Rc<Record>,
        route: Rc<Route>,
        head: request::Parts,
        client_body: Option<ClientBody>,
        announced_by_client: Vec<HeaderName>,
    ) -> Self {
        let now = Instant::now();
        Self {
            chain,
            record,
            route,
            came_request: Some(head),
            came_response: None,
            client_body,
            to_upstream: None,
            call: None,
            called: now,
            upstream_body: None,
            to_client: None,
            response: None,
            head_left: false,
            announced_by_client,
            announced_by_upstream: Vec::new(),
            ended: false,
            idle_since: now,
            timer: Timer::default(),
        }
    }

    /// Gives the request's headers to the filters.
    pub(super) fn begin(&mut self, headers: HeaderList, end_of_stream: bool) {
        self.begin_notes();
        self.chain.headers(Direction::Request, headers, end_of_stream);
        self.note();
    }

    /// Drives the exchange until there is a response head.
    pub(super) async fn response(&mut self) -> Response<ResponseBody> {
        poll_fn(|cx| {
            let ended = self.poll(cx).is_ready();
            match self.response.take() {
                Some(response) => Poll::Ready(response),
                None if ended => Poll::Ready(self.no_response()),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Drives what is left in a task of its own; returns at once.
    pub(super) fn go_on_alone(mut self) {
        if self.ended {
            self.finish();
        } else {
            tokio::task::spawn_local(async move {
                poll_fn(|cx| self.poll(cx)).await;
                self.finish();
            });
        }
    }

    /// Moves everything that can move. Ready when the exchange is over.
    ///
    /// What the filters let through is sent when nothing else moves, or when much of it waits. So a body that comes
    /// together with its head is known as a whole when the head is sent, and a filter that answers in a body callback
    /// still can.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.begin_notes();
        self.chain.set_waker(cx.waker());
        self.chain.poll();
        loop {
            let moved = self.poll_call(cx) | self.poll_client(cx) | self.poll_upstream(cx);
            if moved {
                self.idle_since = Instant::now();
                if self.chain.queued_bytes() < DEFAULT_CAPACITY && !self.chain.response_ended() && !self.ended
                {
                    continue;
                }
            }
            let sent = self.send_outputs();
            if self.ended {
                self.note();
                return Poll::Ready(());
            }
            if !moved && !sent {
                break;
            }
        }
        let over = self.client_is_gone(cx) || self.poll_pause(cx);
        self.note();
        if over { Poll::Ready(()) } else { Poll::Pending }
    }

    fn notes(&self) -> &Notes {
        self.record.connection().listener.worker.vms.notes()
    }

    /// What guests note from here on is this exchange's.
    fn begin_notes(&self) {
        self.notes().begin(&self.record);
    }

    /// Notes in the record what the filters took.
    fn note(&self) {
        let (guest_time, faults) = self.notes().end();
        self.record.add_filter_duration(guest_time);
        (0..faults).for_each(|_| self.record.add_fault());
    }

    fn poll_call(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(call) = &mut self.call else { return false };
        let Poll::Ready(answered) = call.as_mut().poll(cx) else {
            return false;
        };
        self.call = None;
        match answered {
            Ok(answer) => self.receive_response(answer),
            Err(error) => self.upstream_failed(&error),
        }
        true
    }

    fn receive_response(&mut self, answer: UpstreamResponse) {
        let UpstreamResponse {
            mut head,
            body,
            endpoint,
        } = answer;
        self.record
            .note_upstream(endpoint.as_ref(), self.called.elapsed());
        headers::receive_response(&mut head);
        self.announced_by_upstream = headers::announced_trailers(&head.headers);
        let end_of_stream = body.is_end_stream();
        match convert::response_list(&head) {
            Ok(list) => {
                // Filters do not see a `host` here, so it does not pass them either.
                self.came_response = (list.len() == head.headers.len() + 1).then_some(head.headers);
                self.upstream_body = (!end_of_stream).then_some(body);
                self.chain.headers(Direction::Response, list, end_of_stream);
            }
            Err(error) => {
                tracing::warn!(request_id = ?self.record.request_id(), %error, "An upstream's answer cannot be used.");
                self.answer(
                    StatusCode::BAD_GATEWAY,
                    "the upstream's answer cannot be used",
                    "bad_upstream_headers",
                );
            }
        }
    }

    fn upstream_failed(&mut self, error: &UpstreamError) {
        self.record.note_upstream(error.endpoint(), self.called.elapsed());
        if let UpstreamError::RequestBody { .. } = error {
            self.client_failed();
            return;
        }
        let request_id = self.record.request_id().to_str().unwrap_or_default();
        tracing::warn!(request_id, %error, "A request got no answer from its upstream.");
        self.answer(error.status(), error.public_text(), error.details());
    }

    /// The client's body broke off. What filters would still do with it is nobody's business any more.
    fn client_failed(&mut self) {
        let response = answer::broken_request(&self.record);
        self.end_with(response);
    }

    /// An answer of the proxy's own, which goes through the filters as an upstream's would.
    fn answer(&mut self, status: StatusCode, text: &str, details: &'static str) {
        self.record.note_details(details);
        let mut headers = HeaderList::new();
        let id = self.record.request_id();
        let added = headers
            .add(b"content-type", b"text/plain; charset=utf-8")
            .and_then(|()| headers.add(WHARF_REQUEST_ID.as_str().as_bytes(), id.as_bytes()));
        added.expect("two short headers are good ones");
        self.chain.answer(LocalResponse {
            status: status.as_u16(),
            details: details.into(),
            headers,
            body: Bytes::from(format!("{text}\n")),
            grpc_status: None,
        });
    }

    fn poll_client(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.may_read(Direction::Request, cx) {
            return false;
        }
        match poll_body(&mut self.client_body, cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok((frame, ended))) => self.pass_frame(Direction::Request, frame, ended),
            Poll::Ready(Err(_)) => self.client_failed(),
        }
        true
    }

    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.may_read(Direction::Response, cx) {
            return false;
        }
        match poll_body(&mut self.upstream_body, cx) {
            Poll::Pending => return false,
            Poll::Ready(Ok((frame, ended))) => self.pass_frame(Direction::Response, frame, ended),
            Poll::Ready(Err(error)) => self.upstream_broke_off(error),
        }
        true
    }

    /// Whether the filters, and whoever they let things through to, can take more in this direction.
    fn may_read(&self, direction: Direction, cx: &mut Context<'_>) -> bool {
        let outgoing = match direction {
            Direction::Request => &self.to_upstream,
            Direction::Response => &self.to_client,
        };
        let has_room = |outgoing: &Outgoing| outgoing.writer.poll_ready(cx).is_ready();
        self.chain.wants_data(direction) && outgoing.as_ref().is_none_or(has_room)
    }

    fn upstream_broke_off(&mut self, error: BodyError) {
        if self.head_left {
            self.record.note_details(match error {
                BodyError::Stalled => "upstream_stalled",
                _ => "upstream_broke_off",
            });
            self.abort(error);
            return;
        }
        self.answer(
            StatusCode::BAD_GATEWAY,
            "the upstream broke off its answer",
            "upstream_broke_off",
        );
    }

    fn pass_frame(&mut self, direction: Direction, frame: Option<Frame<Bytes>>, ended: bool) {
        let Some(frame) = frame else {
            self.chain.data(direction, Body::new(), true);
            return;
        };
        match frame.into_data() {
            Ok(data) => self.chain.data(direction, data, ended),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                match convert::list(&trailers) {
                    Ok(list) => self.chain.trailers(direction, list),
                    Err(error) => {
                        let side = super::name(direction);
                        tracing::warn!(%error, side, "Trailers were dropped.");
                        self.chain.data(direction, Body::new(), true);
                    }
                }
            }
        }
    }

    /// A filter answers: the upstream and the rest of the request are of no more use.
    fn answered(&mut self, details: String) {
        if details.is_empty() {
            self.record.note_details("filter_answered");
        } else {
            self.record.note_details(details);
        }
        self.call = None;
        self.upstream_body = None;
        self.to_upstream = None;
        self.client_body = None;
    }

    /// What filters left cannot be sent: that is a fault of theirs.
    fn bad_from_filters(&mut self, direction: Direction, error: &BadMessage) {
        let side = super::name(direction);
        let request_id = self.record.request_id().to_str().unwrap_or_default();
        tracing::error!(request_id, route = %self.route.config.name, %error, "The filters left a {side} that cannot be sent.");
        if direction == Direction::Response {
            self.end_with_failure("a filter of this route left a response that cannot be sent");
        } else {
            let text = "a filter of this route left a request that cannot be sent";
            self.answer(StatusCode::SERVICE_UNAVAILABLE, text, "filter_bad_message");
        }
    }

    fn reset(&mut self, reason: &ResetReason) {
        self.record.note_details(match reason {
            ResetReason::ClosedByFilter => "closed_by_filter",
            ResetReason::FilterFault => "filter_fault",
            ResetReason::ResponseTooLarge => "response_payload_too_large",
            ResetReason::AnsweredTooLate => "filter_answered_too_late",
            _ => "reset",
        });
        self.abort(BodyError::Aborted("a filter ended the exchange"));
    }

    /// Breaks off both sides.
    fn abort(&mut self, error: BodyError) {
        self.call = None;
        self.upstream_body = None;
        self.client_body = None;
        self.to_upstream = None;
        if let Some(outgoing) = self.to_client.take() {
            outgoing.writer.abort(error);
        }
        self.ended = true;
    }

    /// The exchange ended before it had a response.
    fn no_response(&mut self) -> Response<ResponseBody> {
        let text = "the exchange was ended before it had a response";
        let mut response = answer::failure(
            &self.record,
            StatusCode::SERVICE_UNAVAILABLE,
            text,
            "closed_by_filter",
        );
        response
            .headers_mut()
            .insert(http::header::CONNECTION, HeaderValue::from_static("close"));
        response
    }

    fn end_with_failure(&mut self, text: &str) {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let response = answer::failure(&self.record, status, text, "filter_bad_message");
        self.end_with(response);
    }

    /// Ends the exchange with this response, or breaks it off where one has left.
    fn end_with(&mut self, response: Response<ResponseBody>) {
        if self.head_left {
            drop(response);
            self.abort(BodyError::Aborted("the request broke off"));
            return;
        }
        self.abort(BodyError::Incomplete);
        self.head_left = true;
        self.response = Some(response);
    }

    fn client_is_gone(&mut self, cx: &mut Context<'_>) -> bool {
        let gone = self
            .to_client
            .as_ref()
            .is_some_and(|outgoing| outgoing.writer.poll_closed(cx).is_ready());
        if gone {
            self.abort(BodyError::Incomplete);
        }
        gone
    }

    /// A filter that pauses an exchange and never lets it go on must not hold it for ever.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> bool {
        let limit = self.record.connection().listener.limits.body_idle_timeout;
        let paused = self.chain.is_paused(Direction::Request) || self.chain.is_paused(Direction::Response);
        if limit.is_zero() || !paused || self.timer.poll_until(self.idle_since + limit, cx).is_pending() {
            return false;
        }
        let text = "a filter of this route did not let the exchange go on";
        self.answer(StatusCode::GATEWAY_TIMEOUT, text, "filter_timeout");
        self.send_outputs();
        if !self.ended {
            // The filters pause the answer as well.
            let response = answer::failure(&self.record, StatusCode::GATEWAY_TIMEOUT, text, "filter_timeout");
            self.end_with(response);
        }
        true
    }

    /// The end: the filters' streams end, and the record is written when hyper lets go of the response too.
    fn finish(&mut self) {
        self.begin_notes();
        self.chain.finish();
        self.note();
    }
}

/// The next frame of a body, and whether it is the last; no frame where the body ends after all. A body that has ended or
/// broken off is taken away.
#[expect(
    clippy::type_complexity,
    reason = "a frame, or the end, or an error, or later"
)]
fn poll_body<B>(
    source: &mut Option<B>,
    cx: &mut Context<'_>,
) -> Poll<Result<(Option<Frame<Bytes>>, bool), BodyError>>
where
    B: http_body::Body<Data = Bytes, Error = BodyError> + Unpin,
{
    let Some(body) = source else { return Poll::Pending };
    let frame = ready!(Pin::new(&mut *body).poll_frame(cx)).transpose();
    let ended = match &frame {
        Ok(Some(frame)) => frame.is_trailers() || body.is_end_stream(),
        Ok(None) | Err(_) => true,
    };
    if ended {
        *source = None;
    }
    Poll::Ready(frame.map(|frame| (frame, ended)))
}
