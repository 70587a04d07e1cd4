//! The body of an upstream's answer, which gives its connection back when it ends.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use wharf_telemetry::Counter;

use super::pool::Lease;
use crate::body::BodyError;

/// The body of an answer. Read to its end, it gives its connection back to the pool; dropped before, it closes it.
pub struct UpstreamBody {
    source: Source,
}

enum Source {
    Fixed(Bytes),
    Streaming(Streaming),
}

struct Streaming {
    incoming: Incoming,
    /// Gone once the body has ended.
    lease: Option<Lease>,
    idle_timeout: Duration,
    /// Since when the reader waits for the next frame.
    waiting_since: Option<Instant>,
    broken: Counter,
}

impl UpstreamBody {
    pub(super) fn fixed(bytes: Bytes) -> UpstreamBody {
        UpstreamBody {
            source: Source::Fixed(bytes),
        }
    }

    pub(super) fn streaming(
        incoming: Incoming,
        lease: Lease,
        idle_timeout: Duration,
        broken: Counter,
    ) -> UpstreamBody {
        let mut streaming = Streaming {
            incoming,
            lease: Some(lease),
            idle_timeout,
            waiting_since: None,
            broken,
        };
        streaming.give_back_at_end();
        UpstreamBody {
            source: Source::Streaming(streaming),
        }
    }
}

impl Streaming {
    fn give_back_at_end(&mut self) {
        if self.incoming.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting_since = None;
                self.give_back_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.lease = None;
                self.broken.inc();
                Poll::Ready(Some(Err(BodyError::Broken(error))))
            }
            Poll::Ready(None) => {
                if let Some(lease) = self.lease.take() {
                    lease.give_back();
                }
                Poll::Ready(None)
            }
            Poll::Pending => self.poll_stalled(cx),
        }
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(lease) = &mut self.lease else {
            return Poll::Pending;
        };
        if self.idle_timeout.is_zero() {
            return Poll::Pending;
        }
        let deadline = *self.waiting_since.get_or_insert_with(Instant::now) + self.idle_timeout;
        if lease.body_timer().poll_until(deadline, cx).is_pending() {
            return Poll::Pending;
        }
        self.lease = None;
        self.broken.inc();
        Poll::Ready(Some(Err(BodyError::Stalled)))
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.source {
            Source::Fixed(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Fixed(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Streaming(streaming) => streaming.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Fixed(bytes) => bytes.is_empty(),
            Source::Streaming(streaming) => streaming.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Fixed(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Streaming(streaming) => streaming.incoming.size_hint(),
        }
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.source {
            Source::Fixed(_) => "fixed",
            Source::Streaming(_) => "streaming",
        };
        f.debug_tuple("UpstreamBody").field(&kind).finish()
    }
}
