//! A connection with TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::first_bytes::Replayed;
use crate::peer::PeerInfo;

/// A connection with TLS whose handshake is done. What is read and written is the clear text. A client that closes the
/// connection without saying so in TLS makes reading fail with [`io::ErrorKind::UnexpectedEof`].
#[derive(Debug)]
pub struct TlsStream<IO> {
    inner: tokio_rustls::server::TlsStream<Replayed<IO>>,
    peer: PeerInfo,
}

impl<IO> TlsStream<IO> {
    pub(crate) fn new(inner: tokio_rustls::server::TlsStream<Replayed<IO>>) -> TlsStream<IO> {
        let peer = PeerInfo::of(inner.get_ref().1);
        TlsStream { inner, peer }
    }

    /// What is known of the client.
    pub fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    /// The connection below, for its addresses and options.
    pub fn get_ref(&self) -> &IO {
        self.inner.get_ref().0.get_ref()
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
