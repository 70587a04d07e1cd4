//! The body that hyper sends to a client.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::{Body, Frame, SizeHint};

use crate::body::BodyError;
use crate::pipe;
use crate::record::{CLIENT_DISCONNECTED, Record};
use crate::upstream::UpstreamBody;

/// Where a response's body comes from.
pub enum ResponseSource {
    /// All of it is here.
    Fixed(Bytes),
    /// Straight from the upstream.
    Upstream(UpstreamBody),
    /// From a filter chain.
    Pipe(pipe::Reader),
}

/// A response's body. Counts into the exchange's record, and ends it when hyper lets go.
pub struct ResponseBody {
    source: ResponseSource,
    record: Rc<Record>,
    ended: bool,
}

impl ResponseBody {
    /// The body of the response of the exchange that `record` belongs to.
    pub fn new(source: ResponseSource, record: Rc<Record>) -> ResponseBody {
        ResponseBody {
            source,
            record,
            ended: false,
        }
    }

    /// hyper asks nothing of a body that is not sent.
    fn is_not_sent(&self) -> bool {
        self.record.request().method == Method::HEAD
            || matches!(
                self.record.status(),
                Some(StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            )
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = match &mut self.source {
            ResponseSource::Fixed(bytes) if bytes.is_empty() => Poll::Ready(None),
            ResponseSource::Fixed(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            ResponseSource::Upstream(body) => Pin::new(body).poll_frame(cx),
            ResponseSource::Pipe(reader) => Pin::new(reader).poll_frame(cx),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.record.sent(frame.data_ref().map_or(0, Bytes::len));
            }
            Poll::Ready(Some(Err(error))) => {
                self.ended = true;
                self.record.note_details(match error {
                    BodyError::Broken(_) => "upstream_broke_off",
                    BodyError::Stalled => "upstream_stalled",
                    BodyError::Incomplete | BodyError::Aborted(_) => "response_aborted",
                });
            }
            Poll::Ready(None) => self.ended = true,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            ResponseSource::Fixed(bytes) => bytes.is_empty(),
            ResponseSource::Upstream(body) => body.is_end_stream(),
            ResponseSource::Pipe(reader) => reader.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            ResponseSource::Fixed(bytes) => SizeHint::with_exact(bytes.len() as u64),
            ResponseSource::Upstream(body) => body.size_hint(),
            ResponseSource::Pipe(reader) => reader.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if !self.ended && !self.is_end_stream() && !self.is_not_sent() {
            self.record.note_details(CLIENT_DISCONNECTED);
        }
        self.record.end();
    }
}
