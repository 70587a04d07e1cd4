//! Sends what the filters let through.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRAILER};
use http::{HeaderMap, HeaderName, Method, Request, Response};
use tokio::time::Instant;
use wharf_abi_proxy_wasm::{Body, Direction, Output};

use super::Driver;
use crate::body::{BodyError, Length, RequestBody};
use crate::exchange::convert::{self, BadMessage};
use crate::headers::{self, WHARF_REQUEST_ID};
use crate::pipe::{self, DEFAULT_CAPACITY, Reader, Writer};
use crate::response_body::{ResponseBody, ResponseSource};

/// A message on its way: its pipe, and how long it was said to be.
pub(super) struct Outgoing {
    pub(super) writer: Writer,
    promised: Option<u64>,
    written: u64,
}

impl Outgoing {
    fn open(length: Length) -> (Self, Reader) {
        let (writer, reader) = pipe::pipe(DEFAULT_CAPACITY);
        let promised = match length {
            Length::Exact(bytes) => Some(bytes),
            Length::Empty | Length::Unknown => None,
        };
        if let Some(bytes) = promised {
            writer.promise_length(bytes);
        }
        (
            Self {
                writer,
                promised,
                written: 0,
            },
            reader,
        )
    }

    /// Whether `bytes` more keep to what was said; the last must bring exactly as much.
    fn keeps_promise(&self, bytes: usize, end_of_stream: bool) -> bool {
        let written = self.written + bytes as u64;
        self.promised.is_none_or(|promised| {
            if end_of_stream {
                written == promised
            } else {
                written <= promised
            }
        })
    }

    /// Where nobody reads (an upstream that has answered, a HEAD, a client that is gone) the rest is dropped.
    fn write(&mut self, mut body: Body) {
        self.written += body.len() as u64;
        while let Some(part) = body.pop() {
            if self.writer.write(part).is_err() {
                return;
            }
        }
    }
}

impl Driver {
    /// Sends all that the filters have let through. Says whether there was anything.
    pub(super) fn send_outputs(&mut self) -> bool {
        let mut sent = false;
        while let Some(output) = self.chain.next_output() {
            sent = true;
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
                break;
            }
        }
        sent
    }

    fn send_request(&mut self, end_of_stream: bool) {
        let came = self.came_request.take();
        let head = {
            let exchange = self.chain.exchange().borrow();
            let list = exchange.request_headers.as_ref();
            list.ok_or(BadMessage::Missing("request"))
                .and_then(|list| convert::request_head(list, came))
        };
        let mut head = match head {
            Ok(head) => head,
            Err(error) => return self.bad_from_filters(Direction::Request, &error),
        };
        if !end_of_stream {
            self.announce_trailers(Direction::Request, &mut head.headers);
        }
        let length = self.length(Direction::Request, end_of_stream, &head.headers);
        headers::finish_request(&mut head, length);
        let body = if length == Length::Empty {
            RequestBody::Empty
        } else if let Some(whole) = self.chain.take_whole_body(Direction::Request) {
            RequestBody::from(whole)
        } else {
            let (outgoing, reader) = Outgoing::open(length);
            self.to_upstream = Some(outgoing);
            RequestBody::Pipe(reader)
        };
        let upstream = Rc::clone(&self.route.upstream);
        let idle_timeout = self.record.connection().listener.limits.body_idle_timeout;
        self.called = Instant::now();
        let request = Request::from_parts(head, body);
        self.call = Some(Box::pin(
            async move { upstream.send(request, idle_timeout).await },
        ));
    }

    fn send_response(&mut self, end_of_stream: bool) {
        let came = self.came_response.take();
        let head = {
            let exchange = self.chain.exchange().borrow();
            let list = exchange.response_headers.as_ref();
            list.ok_or(BadMessage::Missing("response"))
                .and_then(|list| convert::response_head(list, came))
        };
        let mut head = match head {
            Ok(head) => head,
            Err(error) => return self.bad_from_filters(Direction::Response, &error),
        };
        if !end_of_stream {
            self.announce_trailers(Direction::Response, &mut head.headers);
        }
        let length = self.length(Direction::Response, end_of_stream, &head.headers);
        headers::finish_response(&mut head, length, &self.record.request().method);
        if self.chain.has_failed() {
            head.headers
                .insert(WHARF_REQUEST_ID, self.record.request_id().clone());
        }
        self.record.respond(head.status);
        let source = if length == Length::Empty {
            ResponseSource::Fixed(Bytes::new())
        } else if let Some(whole) = self.chain.take_whole_body(Direction::Response) {
            self.ended = true;
            ResponseSource::Fixed(whole)
        } else {
            let (outgoing, reader) = Outgoing::open(length);
            self.to_client = Some(outgoing);
            ResponseSource::Pipe(reader)
        };
        self.head_left = true;
        let body = ResponseBody::new(source, Rc::clone(&self.record));
        self.response = Some(Response::from_parts(head, body));
        self.ended |= length == Length::Empty && end_of_stream;
    }

    /// How long the body is that follows these headers: what it is where all of it has passed the filters, or else what
    /// its `content-length` says where the filters left one. A filter that changes a body takes that header away, since
    /// nobody else knows; [`Outgoing`] checks.
    fn length(&self, direction: Direction, end_of_stream: bool, headers: &HeaderMap) -> Length {
        if end_of_stream {
            return Length::Empty;
        }
        match self.chain.whole_body_waits(direction) {
            Some(0) => return Length::Empty,
            Some(whole) => return Length::Exact(whole),
            None => {}
        }
        let is_head = direction == Direction::Response && self.record.request().method == Method::HEAD;
        // A head that speaks of trailers needs a framing that can carry them.
        if headers.contains_key(TRAILER) || is_head {
            return Length::Unknown;
        }
        let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
        let only = lengths.next().filter(|_| lengths.next().is_none());
        let bytes = only.and_then(|length| length.to_str().ok()?.parse().ok());
        bytes.map_or(Length::Unknown, Length::Exact)
    }

    /// HTTP/1.1 sends no trailers but those that the head announces: those that the sender announced, whatever filters
    /// made of that header, and those that are known already.
    fn announce_trailers(&self, direction: Direction, headers: &mut HeaderMap) {
        let exchange = self.chain.exchange().borrow();
        let (announced, known) = match direction {
            Direction::Request => (&self.announced_by_client, &exchange.request_trailers),
            Direction::Response => (&self.announced_by_upstream, &exchange.response_trailers),
        };
        if announced.is_empty() && known.is_none() {
            return;
        }
        let known = known.as_ref().map(convert::map).unwrap_or_default();
        let present = headers::announced_trailers(headers);
        let mut missing: Vec<HeaderName> = Vec::new();
        for name in announced.iter().chain(known.keys()) {
            if !present.contains(name) && !missing.contains(name) {
                missing.push(name.clone());
            }
        }
        headers::announce_trailers(headers, &missing);
    }

    fn send_data(&mut self, direction: Direction, body: Body, end_of_stream: bool) {
        let outgoing = match direction {
            Direction::Request => &mut self.to_upstream,
            Direction::Response => &mut self.to_client,
        };
        if let Some(outgoing) = outgoing {
            if !outgoing.keeps_promise(body.len(), end_of_stream) {
                return self.length_changed(direction);
            }
            outgoing.write(body);
            if end_of_stream {
                outgoing.writer.finish();
            }
        }
        self.ended |= end_of_stream && direction == Direction::Response;
    }

    /// Filters have made a body longer or shorter than the `content-length` that they let go before it.
    fn length_changed(&mut self, direction: Direction) {
        let side = crate::exchange::name(direction);
        let request_id = self.record.request_id().to_str().unwrap_or_default();
        tracing::error!(
            request_id,
            route = %self.route.config.name,
            "A filter changed the length of a {side}'s body and left its content-length: a filter that does so must \
             remove that header, or hold the headers until it has seen the body. The exchange is broken off."
        );
        self.record.note_details("filter_changed_length");
        self.abort(BodyError::Aborted(
            "a filter changed the body's length and left its content-length",
        ));
    }

    fn send_trailers(&mut self, direction: Direction) {
        let exchange = Rc::clone(self.chain.exchange());
        let exchange = exchange.borrow();
        let (outgoing, trailers) = match direction {
            Direction::Request => (&self.to_upstream, &exchange.request_trailers),
            Direction::Response => (&self.to_client, &exchange.response_trailers),
        };
        if let Some(outgoing) = outgoing {
            let trailers = trailers.as_ref().map(convert::map).unwrap_or_default();
            // Nobody reads: the same as for data.
            let _ = outgoing.writer.write_trailers(trailers);
            outgoing.writer.finish();
        }
        self.ended |= direction == Direction::Response;
    }
}
