//! The checked stream that hyper reads.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::wire::Part;
use super::{HeadLimits, Parser, Refusal, Wire};
use crate::timer::Timer;

/// Stands for a refused head. hyper closes the connection after its answer.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// After an early end of the conversation, the client's remaining bytes are read and thrown away for so long:
/// closing with unread bytes would reset the connection and could destroy the answer on its way.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// How long a client may take. Zero is for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// From a head's first byte (of the connection's first head: from accepting) to its end.
    pub(crate) head: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
    /// Without progress of a body, in either direction.
    pub(crate) body_idle: Duration,
}

/// A client's connection, of which hyper sees only what was found good.
#[derive(Debug)]
pub(crate) struct StrictStream<T> {
    stream: T,
    parser: Parser,
    wire: Rc<Wire>,
    timeouts: Timeouts,
    accepted_at: Instant,
    phase: Phase,
    held: Held,
    head_since: Option<Instant>,
    body_since: Option<Instant>,
    write_since: Option<Instant>,
    read_timer: Timer,
    write_timer: Timer,
    linger: Option<(Instant, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// A head was refused: after the stand-in nothing more is read.
    HeadRefused,
    /// A body was refused: reading fails.
    BodyRefused,
    /// The client was idle for too long: reading ends.
    Idle,
}

/// Bytes that hyper has not got: first those that were found good, then the beginning of a head.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    delivered: usize,
    accepted: usize,
}

impl Held {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The beginning of a head.
    fn unchecked(&self) -> &[u8] {
        &self.bytes[self.accepted..]
    }

    /// Moves good bytes to hyper. True when there were any.
    fn deliver(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let ready = &self.bytes[self.delivered..self.accepted];
        if ready.is_empty() {
            return false;
        }
        let length = ready.len().min(buf.remaining());
        buf.put_slice(&ready[..length]);
        self.delivered += length;
        if self.delivered == self.accepted {
            self.bytes.drain(..self.accepted);
            (self.delivered, self.accepted) = (0, 0);
        }
        true
    }

    /// Throws the unchecked bytes away and puts the stand-in after the good ones.
    fn stand_in(&mut self) {
        self.bytes.truncate(self.accepted);
        self.bytes.extend_from_slice(STAND_IN);
        self.accepted = self.bytes.len();
    }
}

impl<T> StrictStream<T> {
    pub(crate) fn new(stream: T, limits: HeadLimits, timeouts: Timeouts, wire: Rc<Wire>) -> StrictStream<T> {
        StrictStream {
            stream,
            parser: Parser::new(limits),
            wire,
            timeouts,
            accepted_at: Instant::now(),
            phase: Phase::Open,
            held: Held::default(),
            head_since: None,
            body_since: None,
            write_since: None,
            read_timer: Timer::default(),
            write_timer: Timer::default(),
            linger: None,
        }
    }

    /// Checks what was read into `buf` behind `before`; leaves in `buf` what is good.
    fn check(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let fresh = &buf.filled()[before..];
        let refusal = if self.held.is_empty() {
            let scan = self.parser.scan(fresh);
            let good = before + scan.accepted;
            if good < buf.filled().len() {
                self.held.bytes.extend_from_slice(&buf.filled()[good..]);
                buf.set_filled(good);
            }
            scan.refusal
        } else {
            self.held.bytes.extend_from_slice(fresh);
            buf.set_filled(before);
            let scan = self.parser.scan(self.held.unchecked());
            self.held.accepted += scan.accepted;
            scan.refusal
        };
        self.body_since = None;
        self.note_head();
        if let Some(refusal) = refusal {
            self.refuse(refusal);
        }
    }

    /// Remembers since when a head is incomplete.
    fn note_head(&mut self) {
        if self.held.unchecked().is_empty() {
            self.head_since = None;
        } else if self.head_since.is_none() || self.held.accepted > 0 {
            self.head_since = Some(Instant::now());
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        if self.parser.is_in_body() {
            self.phase = Phase::BodyRefused;
            self.held.bytes.truncate(self.held.accepted);
            self.wire.refuse(self.parser.heads(), Part::Body, refusal);
        } else {
            self.phase = Phase::HeadRefused;
            self.held.stand_in();
            self.wire.refuse(self.parser.heads() + 1, Part::Head, refusal);
        }
    }

    /// Nothing can be read now: is the client late? True when the phase has changed.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (since, patience) = if let Some(since) = self.head_since {
            (since, self.timeouts.head)
        } else if self.parser.is_in_body() {
            (
                *self.body_since.get_or_insert_with(Instant::now),
                self.timeouts.body_idle,
            )
        } else if self.wire.is_in_flight() {
            // The client waits for us. hyper may not read again when the exchange ends, so the timer has to.
            (Instant::now(), self.timeouts.idle)
        } else if self.parser.heads() == 0 {
            (self.accepted_at, self.timeouts.head)
        } else {
            (self.wire.idle_since(), self.timeouts.idle)
        };
        if patience.is_zero() {
            return Poll::Pending;
        }
        ready!(self.read_timer.poll_until(since + patience, cx));
        if self.head_since.is_some() {
            self.refuse(Refusal::HeadTimeout);
        } else if self.parser.is_in_body() {
            self.refuse(Refusal::BodyTimeout);
        } else {
            self.phase = Phase::Idle;
        }
        Poll::Ready(())
    }

    /// Whether the client may have sent bytes that nobody has read.
    fn ended_early(&self) -> bool {
        matches!(self.phase, Phase::HeadRefused | Phase::BodyRefused) || self.parser.is_in_body()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for StrictStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.held.deliver(buf) {
                return Poll::Ready(Ok(()));
            }
            match this.phase {
                Phase::Open => {}
                Phase::HeadRefused => return Poll::Pending,
                Phase::BodyRefused => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Phase::Idle => return Poll::Ready(Ok(())),
            }
            let before = buf.filled().len();
            match Pin::new(&mut this.stream).poll_read(cx, buf) {
                Poll::Pending => ready!(this.poll_late(cx)),
                Poll::Ready(Err(error)) => {
                    this.wire.client_left();
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(Ok(())) if buf.filled().len() == before => {
                    this.wire.client_left();
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(())) => {
                    this.check(buf, before);
                    if buf.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> StrictStream<T> {
    /// Writing waits: has the client stopped reading?
    fn poll_stalled<R>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let patience = self.timeouts.body_idle;
        if patience.is_zero() {
            return Poll::Pending;
        }
        let since = *self.write_since.get_or_insert_with(Instant::now);
        ready!(self.write_timer.poll_until(since + patience, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn wrote<R>(&mut self, written: Poll<io::Result<R>>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        if written.is_pending() {
            return self.poll_stalled(cx);
        }
        self.write_since = None;
        written
    }

    /// Reads and throws away what the client still sends, for a while.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (until, left) = self
            .linger
            .get_or_insert_with(|| (Instant::now() + LINGER, LINGER_BYTES));
        let mut scratch = [0; 4 * 1024];
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    *left = left.saturating_sub(buf.filled().len());
                    if *left == 0 {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.read_timer.poll_until(*until, cx),
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for StrictStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if self.ended_early() && !self.wire.client_is_gone() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
