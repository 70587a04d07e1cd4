//! A body on its way from one task of a worker to another: bounded, and in both directions aware of the other end.
//!
//! The writer asks for room with [`Writer::ready`] and then writes; the reader is an [`http_body::Body`] that
//! hyper polls. Nothing is copied and nothing is locked: both ends live on one thread. The bound is in bytes, not in
//! frames, so a slow client holds back a fast upstream whatever the sizes of its chunks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::body::BodyError;

/// How many bytes a pipe holds before its writer waits, when nobody says otherwise: 64 KiB.
pub const DEFAULT_CAPACITY: usize = 64 * 1024;

/// A new pipe that lets its writer wait once `capacity` bytes are in it.
pub fn pipe(capacity: usize) -> (Writer, Reader) {
    let shared = Rc::new(RefCell::new(Shared {
        frames: VecDeque::new(),
        buffered: 0,
        capacity: capacity.max(1),
        end: End::Open,
        reader_is_gone: false,
        reader: None,
        writer_for_room: None,
        writer_for_close: None,
        passed: 0,
        exact: None,
    }));
    (
        Writer {
            shared: Rc::clone(&shared),
        },
        Reader { shared },
    )
}

struct Shared {
    frames: VecDeque<Frame<Bytes>>,
    /// Data bytes in `frames`.
    buffered: usize,
    capacity: usize,
    end: End,
    reader_is_gone: bool,
    reader: Option<Waker>,
    writer_for_room: Option<Waker>,
    writer_for_close: Option<Waker>,
    /// Data bytes that the reader took.
    passed: u64,
    /// Data bytes that will pass in all, when the writer promised a number.
    exact: Option<u64>,
}

enum End {
    /// More may come.
    Open,
    /// The last frame was written.
    Finished,
    /// The reader gets this error after the frames that are in the pipe.
    Failed(Option<BodyError>),
}

/// The reader of this pipe went away: nobody will see what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader of this body is gone")]
pub struct ReaderGone;

/// The end that is written to. Dropping it before [`Writer::finish`] gives the reader [`BodyError::Incomplete`].
pub struct Writer {
    shared: Rc<RefCell<Shared>>,
}

impl Writer {
    /// Promises how many data bytes will pass in all, so that the message can be sent with a Content-Length.
    /// Call it before the reader is given to hyper. hyper cuts off what is written beyond the promise, and breaks
    /// the connection when less comes.
    pub fn promise_length(&self, bytes: u64) {
        self.shared.borrow_mut().exact = Some(bytes);
    }

    /// Waits until there is room. Returns at once while fewer bytes than the capacity are in the pipe.
    pub async fn ready(&self) -> Result<(), ReaderGone> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// As [`Writer::ready`], for callers with a context of their own.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), ReaderGone>> {
        let mut shared = self.shared.borrow_mut();
        if shared.reader_is_gone {
            return Poll::Ready(Err(ReaderGone));
        }
        if shared.buffered < shared.capacity {
            return Poll::Ready(Ok(()));
        }
        remember(&mut shared.writer_for_room, cx);
        Poll::Pending
    }

    /// Writes data, whether or not there is room: a writer that asks [`Writer::ready`] before each call overshoots
    /// the capacity by at most one frame. Empty data is dropped.
    pub fn write(&self, data: Bytes) -> Result<(), ReaderGone> {
        let mut shared = self.shared.borrow_mut();
        if shared.reader_is_gone {
            return Err(ReaderGone);
        }
        if data.is_empty() {
            return Ok(());
        }
        debug_assert!(
            matches!(shared.end, End::Open),
            "nothing is written after the end"
        );
        shared.buffered += data.len();
        shared.frames.push_back(Frame::data(data));
        wake(&mut shared.reader);
        Ok(())
    }

    /// Writes trailers; only [`Writer::finish`] may follow.
    pub fn write_trailers(&self, trailers: HeaderMap) -> Result<(), ReaderGone> {
        let mut shared = self.shared.borrow_mut();
        if shared.reader_is_gone {
            return Err(ReaderGone);
        }
        shared.frames.push_back(Frame::trailers(trailers));
        wake(&mut shared.reader);
        Ok(())
    }

    /// Says that the body is complete.
    pub fn finish(&self) {
        self.end(End::Finished);
    }

    /// Breaks the body off: the reader gets what is in the pipe and then this error, so the peer sees a message
    /// that was cut short and not one that ended.
    pub fn abort(&self, error: BodyError) {
        self.end(End::Failed(Some(error)));
    }

    fn end(&self, end: End) {
        let mut shared = self.shared.borrow_mut();
        if matches!(shared.end, End::Open) {
            shared.end = end;
            wake(&mut shared.reader);
        }
    }

    /// Waits until the reader is gone; never returns while it is there.
    pub async fn closed(&self) {
        poll_fn(|cx| self.poll_closed(cx)).await;
    }

    /// As [`Writer::closed`], for callers with a context of their own.
    pub fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut shared = self.shared.borrow_mut();
        if shared.reader_is_gone {
            return Poll::Ready(());
        }
        remember(&mut shared.writer_for_close, cx);
        Poll::Pending
    }

    /// Whether the reader is gone.
    pub fn is_closed(&self) -> bool {
        self.shared.borrow().reader_is_gone
    }

    /// Data bytes that are in the pipe now.
    pub fn buffered(&self) -> usize {
        self.shared.borrow().buffered
    }

    /// Data bytes that the reader took so far.
    pub fn passed(&self) -> u64 {
        self.shared.borrow().passed
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end(End::Failed(Some(BodyError::Incomplete)));
    }
}

/// The end that hyper reads.
pub struct Reader {
    shared: Rc<RefCell<Shared>>,
}

impl Body for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut shared = self.shared.borrow_mut();
        if let Some(frame) = shared.frames.pop_front() {
            shared.took(&frame);
            return Poll::Ready(Some(Ok(frame)));
        }
        match &mut shared.end {
            End::Finished => Poll::Ready(None),
            End::Failed(error) => Poll::Ready(error.take().map(Err)),
            End::Open => {
                remember(&mut shared.reader, cx);
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.shared.borrow();
        shared.frames.is_empty() && matches!(shared.end, End::Finished)
    }

    fn size_hint(&self) -> SizeHint {
        let shared = self.shared.borrow();
        if let Some(exact) = shared.exact {
            return SizeHint::with_exact(exact.saturating_sub(shared.passed));
        }
        let buffered = shared.buffered as u64;
        let only_data = shared.frames.iter().all(Frame::is_data);
        if matches!(shared.end, End::Finished) && only_data {
            return SizeHint::with_exact(buffered);
        }
        let mut hint = SizeHint::new();
        hint.set_lower(buffered);
        hint
    }
}

impl Shared {
    fn took(&mut self, frame: &Frame<Bytes>) {
        let Some(data) = frame.data_ref() else { return };
        self.buffered -= data.len();
        self.passed += data.len() as u64;
        if self.buffered < self.capacity {
            wake(&mut self.writer_for_room);
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut shared = self.shared.borrow_mut();
        shared.reader_is_gone = true;
        shared.frames.clear();
        shared.buffered = 0;
        wake(&mut shared.writer_for_room);
        wake(&mut shared.writer_for_close);
    }
}

fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

fn wake(slot: &mut Option<Waker>) {
    if let Some(waker) = slot.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
