//! From an accepted connection to one with TLS.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use crate::first_bytes;
use crate::handshake_error::HandshakeError;
use crate::server::Shared;
use crate::stream::TlsStream;

/// How long a handshake may take, from the accepted connection on: 10 s.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A longer limit is none.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// Does the handshakes of one server. Cloning it is cheap, and so is sharing it: a handshake takes no lock.
#[derive(Clone)]
pub struct TlsAcceptor {
    shared: Arc<Shared>,
    timeout: Duration,
}

impl TlsAcceptor {
    pub(crate) fn new(shared: Arc<Shared>) -> TlsAcceptor {
        TlsAcceptor {
            shared,
            timeout: HANDSHAKE_TIMEOUT,
        }
    }

    /// The same, with another limit than [`HANDSHAKE_TIMEOUT`]; an hour at most.
    #[must_use]
    pub fn with_handshake_timeout(self, timeout: Duration) -> TlsAcceptor {
        TlsAcceptor {
            timeout: timeout.min(LONGEST_TIMEOUT),
            ..self
        }
    }

    /// Does the handshake of one connection, with the files that are in use when its first bytes arrive. The signature of
    /// the handshake is made on this thread: some 50 µs with ECDSA, up to some milliseconds with RSA.
    ///
    /// A client that speaks plain HTTP is told so in an answer of HTTP before this returns
    /// [`HandshakeError::PlainHttp`]. Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`HandshakeError`]; the connection is closed.
    pub async fn accept<IO>(&self, io: IO) -> Result<TlsStream<IO>, HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = Instant::now() + self.timeout;
        let late = |_| HandshakeError::TimedOut { limit: self.timeout };
        let io = match timeout_at(deadline, first_bytes::read(io)).await.map_err(late)? {
            Ok(io) => io,
            Err((io, HandshakeError::PlainHttp)) => {
                // A client that does not listen to it changes nothing.
                let _ = timeout_at(deadline, first_bytes::answer_http(io)).await;
                return Err(HandshakeError::PlainHttp);
            }
            Err((_, error)) => return Err(error),
        };
        let config = Arc::clone(&self.shared.current.load().config);
        let handshake = tokio_rustls::TlsAcceptor::from(config).accept(io);
        match timeout_at(deadline, handshake).await.map_err(late)? {
            Ok(stream) => Ok(TlsStream::new(stream)),
            Err(error) => Err(HandshakeError::of(error)),
        }
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
