//! One connection: what is spoken on it, and when it ends.
//!
//! Any client in the cluster can open connections, and one that says nothing costs as much as one that asks. So a connection
//! ends where nothing comes of it; sooner where others wait for its place.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use wharf_tls::{HandshakeError, TlsAcceptor};

use crate::http::Service;
use crate::server::{Phase, drain_is_told};

/// How many reviews one connection of HTTP/2 may have under way. The API server sends all of its reviews over one
/// connection, so this is more than the queue has by default; what the queue does not take is turned away there.
const MOST_STREAMS: u32 = 1024;
/// The largest head of a request, and of what is read at once, in bytes. In HTTP/2 too.
const MOST_HEAD: usize = 16 << 10;
/// How long a connection that is closed for idleness may take to say so to its client.
const FAREWELL: Duration = Duration::from_secs(5);
/// The most connections, however many files the process may have.
const MOST_CONNECTIONS: u64 = 16_384;
/// Files that are kept free of connections: logs, modules, the admin port, the cluster.
const RESERVED_FILES: u64 = 128;

/// How many connections there may be, and for how long without a request.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// How many there may be. Further clients wait in the system's backlog. By default 16 384, or as many as the process may
    /// have files, less 128.
    pub most: usize,
    /// How long the first request may take, from the connection (and after the handshake, which has 10 s of its own) to
    /// the end of its head. By default 10 s.
    pub first_request: Duration,
    /// How long there may be no request under way afterwards, which is also the time for the client to take the last answer.
    /// By default 120 s: API servers keep idle connections for 90 s.
    pub idle: Duration,
    /// The same where there are as many connections as may be. By default 1 s.
    pub idle_when_full: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let most = files.unwrap_or(MOST_CONNECTIONS).saturating_sub(RESERVED_FILES);
        Self {
            most: usize::try_from(most.clamp(16, MOST_CONNECTIONS)).unwrap_or(16),
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            idle_when_full: Duration::from_secs(1),
        }
    }
}

/// What a connection needs of its server.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) service: Arc<Service>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) limits: ConnectionLimits,
    /// Told when there are as many connections as may be.
    pub(crate) full: Arc<Notify>,
}

impl Connection {
    /// Serves it until it ends.
    pub(crate) async fn serve(self, stream: TcpStream, client: SocketAddr) {
        // Answers are small and go out at once.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%client, %error, "A connection keeps small packets back.");
        }
        let open = &self.service.metrics().connections;
        open.inc();
        match &self.tls {
            None => self.serve_http(stream, client).await,
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => self.serve_http(stream, client).await,
                Err(error) => self.not_accepted(&error, client),
            },
        }
        open.dec();
    }

    fn not_accepted(&self, error: &HandshakeError, client: SocketAddr) {
        self.service.metrics().refused("tls");
        tracing::info!(%client, %error, hint = error.hint(), "A connection was refused.");
    }

    async fn serve_http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        client: SocketAddr,
    ) {
        let activity = Arc::new(Activity::new());
        let answer = service_fn(|request| {
            let (service, under_way) = (Arc::clone(&self.service), Activity::begin(&activity));
            async move {
                let response = service.answer(request).await;
                drop(under_way);
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let builder = self.builder();
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), answer));
        let mut phase = self.phase.clone();
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = drain_is_told(&mut phase) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = activity.none(&self.limits, &self.full) => {
                tracing::debug!(%client, "A connection is closed, for nothing is asked on it.");
                connection.as_mut().graceful_shutdown();
                // A client that takes nothing is not waited for.
                tokio::time::timeout(FAREWELL, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%client, %error, "A connection broke off.");
        }
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.idle)
            .max_buf_size(MOST_HEAD);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .max_header_list_size(MOST_HEAD as u32);
        builder
    }
}

/// What is asked on a connection.
#[derive(Debug)]
struct Activity {
    began: Instant,
    /// Requests whose heads have come and whose answers have not been made.
    under_way: AtomicUsize,
    /// When the last of them ended, in milliseconds from the beginning; 0 where there was none.
    ended: AtomicU64,
}

/// Counts a request until it is dropped, whether it was answered or its client has gone.
struct UnderWay(Arc<Activity>);

impl Activity {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            under_way: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
        }
    }

    fn begin(activity: &Arc<Self>) -> UnderWay {
        activity.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(activity))
    }

    /// Waits until nothing has been asked for longer than may be.
    async fn none(&self, limits: &ConnectionLimits, full: &Notify) {
        let mut left = limits.first_request;
        loop {
            let is_full = tokio::select! {
                () = tokio::time::sleep(left) => false,
                () = full.notified() => true,
            };
            let (idle, limit) = self.idle(limits);
            let may_be = if is_full {
                limit.min(limits.idle_when_full)
            } else {
                limit
            };
            if idle >= may_be {
                return;
            }
            left = limit - idle;
        }
    }

    /// For how long nothing has been asked, and for how long that may be.
    fn idle(&self, limits: &ConnectionLimits) -> (Duration, Duration) {
        if self.under_way.load(Ordering::Relaxed) > 0 {
            return (Duration::ZERO, limits.idle);
        }
        let ended = self.ended.load(Ordering::Relaxed);
        let limit = if ended == 0 {
            limits.first_request
        } else {
            limits.idle
        };
        let idle = self.began.elapsed().saturating_sub(Duration::from_millis(ended));
        (idle, limit)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let ended = self.0.began.elapsed().as_millis().max(1);
        self.0
            .ended
            .store(u64::try_from(ended).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
