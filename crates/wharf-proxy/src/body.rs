//! The bodies that travel through the proxy.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::pipe;
use crate::record::Record;

/// Why a body ended before it was complete.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection that the body came from broke, or what came was not HTTP.
    #[error("the connection that the body came from broke")]
    Broken(#[source] hyper::Error),
    /// The part of the proxy that produced the body went away before its end.
    #[error("the body was not completed")]
    Incomplete,
    /// The body was broken off on purpose; the text says why.
    #[error("the body was broken off: {0}")]
    Aborted(&'static str),
    /// Nothing came for longer than the body's idle timeout.
    #[error("nothing of the body came within the idle timeout")]
    Stalled,
}

/// How long a message's body is, as far as it is known when the head is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// There is no body.
    Empty,
    /// There are exactly so many bytes, at least one.
    Exact(u64),
    /// It ends when it ends.
    Unknown,
}

impl Length {
    /// The length of a body that was not read from yet.
    pub fn of(body: &impl Body) -> Length {
        if body.is_end_stream() {
            return Length::Empty;
        }
        match body.size_hint().exact() {
            Some(0) => Length::Empty,
            Some(bytes) => Length::Exact(bytes),
            None => Length::Unknown,
        }
    }
}

/// A request's body as its client sends it. Counts into the exchange's record.
pub struct ClientBody {
    incoming: Incoming,
    record: Rc<Record>,
}

impl ClientBody {
    /// The body of the exchange that `record` belongs to.
    pub fn new(incoming: Incoming, record: Rc<Record>) -> ClientBody {
        ClientBody { incoming, record }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.record.received(data.len());
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(BodyError::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// A request's body on its way to an upstream.
#[derive(Default)]
pub enum RequestBody {
    /// No body.
    #[default]
    Empty,
    /// All of it, in memory.
    Full(Bytes),
    /// As the client sends it.
    Client(ClientBody),
    /// As a filter chain lets it through.
    Pipe(pipe::Reader),
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> RequestBody {
        if bytes.is_empty() {
            RequestBody::Empty
        } else {
            RequestBody::Full(bytes)
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            RequestBody::Empty => Poll::Ready(None),
            RequestBody::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = RequestBody::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            RequestBody::Client(body) => Pin::new(body).poll_frame(cx),
            RequestBody::Pipe(reader) => Pin::new(reader).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RequestBody::Empty => true,
            RequestBody::Full(_) => false,
            RequestBody::Client(body) => body.is_end_stream(),
            RequestBody::Pipe(reader) => reader.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RequestBody::Empty => SizeHint::with_exact(0),
            RequestBody::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            RequestBody::Client(body) => body.size_hint(),
            RequestBody::Pipe(reader) => reader.size_hint(),
        }
    }
}

/// How far the sending of one request's body has come; shared between the body and whoever waits for the answer.
#[derive(Debug)]
pub(crate) struct Progress {
    /// When the upstream last took something.
    last: Cell<Instant>,
    failed: Cell<bool>,
}

impl Progress {
    pub(crate) fn last(&self) -> Instant {
        self.last.get()
    }

    /// Whether the body ended with an error: then the exchange failed on the client's side.
    pub(crate) fn failed(&self) -> bool {
        self.failed.get()
    }
}

/// What the connection to an upstream reads: a request's body that notes its progress.
pub(crate) struct SentBody {
    body: RequestBody,
    progress: Option<Rc<Progress>>,
}

impl SentBody {
    pub(crate) fn new(body: RequestBody) -> SentBody {
        let progress = (!body.is_end_stream()).then(|| {
            Rc::new(Progress {
                last: Cell::new(Instant::now()),
                failed: Cell::new(false),
            })
        });
        SentBody { body, progress }
    }

    pub(crate) fn progress(&self) -> Option<Rc<Progress>> {
        self.progress.clone()
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Poll::Ready(frame), Some(progress)) = (&polled, &self.progress) {
            progress.last.set(Instant::now());
            progress.failed.set(matches!(frame, Some(Err(_))));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
