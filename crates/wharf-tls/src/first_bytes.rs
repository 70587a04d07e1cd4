//! What a client says first, before TLS takes over.
//!
//! The bytes are read here so that a client that speaks plain HTTP gets an answer that it understands.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::handshake_error::HandshakeError;

/// Enough for the longest method of HTTP and the space behind it.
const MOST: usize = 16;

/// The type of the TLS record that each handshake begins with.
const HANDSHAKE_RECORD: u8 = 0x16;

/// What a client that spoke plain HTTP is told.
const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
content-type: text/plain; charset=utf-8\r\n\
content-length: 66\r\n\
connection: close\r\n\
\r\n\
This port speaks HTTPS, and this is an HTTP request: use https://\n";

/// The most bytes of a plain request that are read, so that closing the connection does not take the answer away.
const MOST_OF_REQUEST: u64 = 64 * 1024;

/// Reads what TLS begins with, and a few bytes more.
pub(crate) async fn read<IO: AsyncRead + Unpin>(mut io: IO) -> Result<Replayed<IO>, (IO, HandshakeError)> {
    let mut bytes = [0; MOST];
    let mut length = 0;
    loop {
        match io.read(&mut bytes[length..]).await {
            Ok(0) => return Err((io, HandshakeError::HungUp)),
            Ok(read) => length += read,
            Err(error) => return Err((io, HandshakeError::of(error))),
        }
        match Opening::of(&bytes[..length]) {
            Opening::Tls => {
                return Ok(Replayed {
                    bytes,
                    replayed: 0,
                    length,
                    io,
                });
            }
            Opening::Http => return Err((io, HandshakeError::PlainHttp)),
            Opening::Undecided if length < MOST => {}
            Opening::Undecided | Opening::Other => return Err((io, HandshakeError::NotTls)),
        }
    }
}

/// Tells a client that spoke plain HTTP about it, if it listens.
pub(crate) async fn answer_http<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO) -> io::Result<()> {
    io.write_all(ANSWER).await?;
    io.shutdown().await?;
    tokio::io::copy(&mut io.take(MOST_OF_REQUEST), &mut tokio::io::sink()).await?;
    Ok(())
}

#[derive(Debug, PartialEq)]
enum Opening {
    Tls,
    Http,
    Undecided,
    Other,
}

impl Opening {
    fn of(bytes: &[u8]) -> Opening {
        if bytes.first() == Some(&HANDSHAKE_RECORD) {
            return Opening::Tls;
        }
        let is_method = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'-';
        match bytes.iter().position(|byte| !is_method(byte)) {
            None => Opening::Undecided,
            Some(end) if end > 0 && bytes[end] == b' ' => Opening::Http,
            Some(_) => Opening::Other,
        }
    }
}

/// A connection whose first bytes are read once more.
#[derive(Debug)]
pub(crate) struct Replayed<IO> {
    bytes: [u8; MOST],
    replayed: usize,
    length: usize,
    io: IO,
}

impl<IO> Replayed<IO> {
    pub(crate) fn get_ref(&self) -> &IO {
        &self.io
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Replayed<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.length - self.replayed;
        if left == 0 {
            return Pin::new(&mut self.io).poll_read(context, buffer);
        }
        let now = left.min(buffer.remaining());
        buffer.put_slice(&self.bytes[self.replayed..self.replayed + now]);
        self.replayed += now;
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Replayed<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_are_told_apart_by_their_first_bytes() {
        for (bytes, expected) in [
            (&b"\x16\x03\x01"[..], Opening::Tls),
            (b"\x16", Opening::Tls),
            (b"GET / HTTP/1.1\r\n", Opening::Http),
            (b"VERSION-CONTROL ", Opening::Http),
            (b"PRI * HTTP/2.0\r\n", Opening::Http),
            (b"G", Opening::Undecided),
            (b"GET", Opening::Undecided),
            (b" ", Opening::Other),
            (b"get / HTTP/1.1", Opening::Other),
            (b"\x15\x03\x01", Opening::Other),
            (b"\x80\x2e\x01", Opening::Other),
            (b"GET\0/", Opening::Other),
        ] {
            assert_eq!(Opening::of(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let text = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{}",
            body.len()
        );
    }
}
