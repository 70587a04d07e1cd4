//! Moves one exchange on, whichever side can.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use tokio::time::Instant;
use wharf_abi_proxy_wasm::{Body, Chain, Direction, HeaderList, LocalResponse, Output, ResetReason};

use super::convert::{self, BadMessage};
use crate::answer;
use crate::body::{BodyError, ClientBody, Length, RequestBody};
use crate::headers::{self, WHARF_REQUEST_ID};
use crate::pipe::{self, DEFAULT_CAPACITY, Writer};
use crate::record::Record;
use crate::response_body::{ResponseBody, ResponseSource};
use crate::routes::Route;
use crate::timer::Timer;
use crate::upstream::{UpstreamBody, UpstreamError, UpstreamResponse};

type UpstreamCall = Pin<Box<dyn Future<Output = Result<UpstreamResponse, UpstreamError>>>>;

/// One exchange on its way.
pub(super) struct Driver {
    chain: Chain,
    record: Rc<Record>,
    route: Rc<Route>,
    /// What the client still sends.
    client_body: Option<ClientBody>,
    /// The way to the upstream, once the request's headers have left.
    to_upstream: Option<Writer>,
    /// The wait for the upstream's answer.
    call: Option<UpstreamCall>,
    called: Instant,
    /// What the upstream still sends.
    upstream_body: Option<UpstreamBody>,
    /// The way to the client, once the response's headers have left.
    to_client: Option<Writer>,
    /// The response's head, until hyper takes it.
    response: Option<Response<ResponseBody>>,
    head_left: bool,
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
        client_body: Option<ClientBody>,
    ) -> Self {
        let now = Instant::now();
        Self {
            chain,
            record,
            route,
            client_body,
            to_upstream: None,
            call: None,
            called: now,
            upstream_body: None,
            to_client: None,
            response: None,
            head_left: false,
            ended: false,
            idle_since: now,
            timer: Timer::default(),
        }
    }

    /// Gives the request's headers to the filters.
    pub(super) fn begin(&mut self, headers: HeaderList, end_of_stream: bool) {
        // What earlier exchanges and timers left in the notes is not this exchange's.
        self.take_notes();
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
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.take_notes();
        self.chain.set_waker(cx.waker());
        self.chain.poll();
        loop {
            self.send_outputs();
            if self.ended {
                self.note();
                return Poll::Ready(());
            }
            let moved = self.poll_call(cx) | self.poll_client(cx) | self.poll_upstream(cx);
            if !moved {
                break;
            }
            self.idle_since = Instant::now();
        }
        self.note();
        if self.client_is_gone(cx) || self.poll_pause(cx) {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    fn take_notes(&self) -> (std::time::Duration, u32) {
        self.record.connection().listener.worker.vms.notes().take()
    }

    /// Notes in the record what the filters took.
    fn note(&self) {
        let (guest_time, faults) = self.take_notes();
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
        let end_of_stream = body.is_end_stream();
        match convert::response_list(head) {
            Ok(list) => {
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
        self.client_body = None;
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
        if self.client_body.is_none() || !self.chain.wants_data(Direction::Request) {
            return false;
        }
        if let Some(writer) = &self.to_upstream
            && writer.poll_ready(cx).is_pending()
        {
            return false;
        }
        let Some(body) = &mut self.client_body else {
            return false;
        };
        let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) else {
            return false;
        };
        match frame {
            Some(Ok(frame)) => {
                let ended = frame.is_data() && body.is_end_stream();
                if ended || frame.is_trailers() {
                    self.client_body = None;
                }
                self.pass_frame(Direction::Request, frame, ended);
            }
            Some(Err(_)) => self.client_failed(),
            None => {
                self.client_body = None;
                self.chain.data(Direction::Request, Body::new(), true);
            }
        }
        true
    }

    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> bool {
        if self.upstream_body.is_none() || !self.chain.wants_data(Direction::Response) {
            return false;
        }
        if let Some(writer) = &self.to_client
            && writer.poll_ready(cx).is_pending()
        {
            return false;
        }
        let Some(body) = &mut self.upstream_body else {
            return false;
        };
        let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) else {
            return false;
        };
        match frame {
            Some(Ok(frame)) => {
                let ended = frame.is_data() && body.is_end_stream();
                if ended || frame.is_trailers() {
                    self.upstream_body = None;
                }
                self.pass_frame(Direction::Response, frame, ended);
            }
            Some(Err(error)) => {
                self.upstream_body = None;
                self.upstream_broke_off(error);
            }
            None => {
                self.upstream_body = None;
                self.chain.data(Direction::Response, Body::new(), true);
            }
        }
        true
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

    fn pass_frame(&mut self, direction: Direction, frame: Frame<Bytes>, ended: bool) {
        match frame.into_data() {
            Ok(data) => self.chain.data(direction, data, ended),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                match convert::list(trailers) {
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

    /// Sends what the filters let through.
    fn send_outputs(&mut self) {
        while let Some(output) = self.chain.next_output() {
            match output {
                Output::Headers {
                    direction: Direction::Request,
                    end_of_stream,
                } => self.send_request(end_of_stream),
                Output::Headers {
                    direction: Direction::Response,
                    end_of_stream,
                } => {
                    self.send_response(end_of_stream);
                }
                Output::Data {
                    direction,
                    body,
                    end_of_stream,
                } => self.send_data(direction, body, end_of_stream),
                Output::Trailers { direction } => self.send_trailers(direction),
                Output::Answered { details } => self.answered(details),
                Output::Reset(reason) => self.reset(&reason),
            }
            if self.ended {
                return;
            }
        }
    }

    fn send_request(&mut self, end_of_stream: bool) {
        let exchange = Rc::clone(self.chain.exchange());
        let borrowed = exchange.borrow();
        let list = borrowed.request_headers.as_ref();
        let head = list
            .ok_or(BadMessage::Missing("request"))
            .and_then(convert::request_head);
        drop(borrowed);
        let mut head = match head {
            Ok(head) => head,
            Err(error) => return self.bad_from_filters(Direction::Request, &error),
        };
        let length = self.length(Direction::Request, end_of_stream, &head.headers);
        self.announce_made_trailers(Direction::Request, &mut head.headers);
        headers::finish_request(&mut head, length);
        let body = if length == Length::Empty {
            RequestBody::Empty
        } else {
            let (writer, reader) = pipe::pipe(DEFAULT_CAPACITY);
            if let Length::Exact(bytes) = length {
                writer.promise_length(bytes);
            }
            self.to_upstream = Some(writer);
            RequestBody::Pipe(reader)
        };
        let (upstream, idle) = (
            Rc::clone(&self.route.upstream),
            self.record.connection().listener.limits.body_idle_timeout,
        );
        self.called = Instant::now();
        let request = Request::from_parts(head, body);
        self.call = Some(Box::pin(async move { upstream.send(request, idle).await }));
    }

    fn send_response(&mut self, end_of_stream: bool) {
        let exchange = Rc::clone(self.chain.exchange());
        let borrowed = exchange.borrow();
        let list = borrowed.response_headers.as_ref();
        let head = list
            .ok_or(BadMessage::Missing("response"))
            .and_then(convert::response_head);
        drop(borrowed);
        let mut head = match head {
            Ok(head) => head,
            Err(error) => return self.bad_from_filters(Direction::Response, &error),
        };
        let length = self.length(Direction::Response, end_of_stream, &head.headers);
        self.announce_made_trailers(Direction::Response, &mut head.headers);
        headers::finish_response(&mut head, length, &self.record.request().method);
        self.record.respond(head.status);
        let source = if length == Length::Empty {
            ResponseSource::Fixed(Bytes::new())
        } else {
            let (writer, reader) = pipe::pipe(DEFAULT_CAPACITY);
            if let Length::Exact(bytes) = length {
                writer.promise_length(bytes);
            }
            self.to_client = Some(writer);
            ResponseSource::Pipe(reader)
        };
        self.head_left = true;
        self.response = Some(Response::from_parts(
            head,
            ResponseBody::new(source, Rc::clone(&self.record)),
        ));
        self.ended |= length == Length::Empty && end_of_stream;
    }

    /// How long the body is that follows these headers: known where all of it has passed the filters already, or where
    /// no filter can change it.
    fn length(&self, direction: Direction, end_of_stream: bool, headers: &HeaderMap) -> Length {
        if end_of_stream {
            return Length::Empty;
        }
        if let Some(whole) = self.chain.whole_body_waits(direction) {
            return if whole == 0 {
                Length::Empty
            } else {
                Length::Exact(whole)
            };
        }
        // A head that speaks of trailers needs a framing that can carry them.
        if headers.contains_key(TRAILER) || self.chain.may_change_body(direction) {
            return Length::Unknown;
        }
        let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
        let only = lengths.next().filter(|_| lengths.next().is_none());
        let bytes = only.and_then(|length| length.to_str().ok()?.parse().ok());
        match (bytes, direction, &self.record.request().method) {
            (_, Direction::Response, &Method::HEAD) | (None, ..) => Length::Unknown,
            (Some(bytes), ..) => Length::Exact(bytes),
        }
    }

    /// Trailers that filters made before the head left are announced in it, since HTTP/1.1 sends no others.
    fn announce_made_trailers(&self, direction: Direction, headers: &mut HeaderMap) {
        let exchange = self.chain.exchange().borrow();
        let trailers = match direction {
            Direction::Request => &exchange.request_trailers,
            Direction::Response => &exchange.response_trailers,
        };
        let Some(trailers) = trailers else { return };
        if headers.contains_key(TRAILER) {
            return;
        }
        let names: Vec<HeaderName> = convert::map(trailers).keys().cloned().collect();
        headers::announce_trailers(headers, &names);
    }

    fn send_data(&mut self, direction: Direction, mut body: Body, end_of_stream: bool) {
        let writer = match direction {
            Direction::Request => &self.to_upstream,
            Direction::Response => &self.to_client,
        };
        if let Some(writer) = writer {
            while let Some(part) = body.pop() {
                if writer.write(part).is_err() {
                    // Nobody reads: an upstream that has answered, a HEAD, or a client that is gone.
                    break;
                }
            }
            if end_of_stream {
                writer.finish();
            }
        }
        self.ended |= end_of_stream && direction == Direction::Response;
    }

    fn send_trailers(&mut self, direction: Direction) {
        let exchange = Rc::clone(self.chain.exchange());
        let borrowed = exchange.borrow();
        let (writer, trailers) = match direction {
            Direction::Request => (&self.to_upstream, &borrowed.request_trailers),
            Direction::Response => (&self.to_client, &borrowed.response_trailers),
        };
        if let Some(writer) = writer {
            let trailers = trailers.as_ref().map(convert::map).unwrap_or_default();
            // Nobody reads: the same as for data.
            let _ = writer.write_trailers(trailers);
            writer.finish();
        }
        self.ended |= direction == Direction::Response;
    }

    /// A filter answers: the upstream and the rest of the request are of no more use.
    fn answered(&mut self, details: String) {
        self.record.note_details(details);
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
        if let Some(writer) = self.to_client.take() {
            writer.abort(error);
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
            .is_some_and(|writer| writer.poll_closed(cx).is_ready());
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
        self.take_notes();
        self.chain.finish();
        self.note();
    }
}
