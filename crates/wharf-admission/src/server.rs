//! Listening, connections, and stopping.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use wharf_tls::{HandshakeError, TlsAcceptor};

use crate::http::Service;

/// How long a client may take for the head of a request, and how long a connection of HTTP/1.1 may be idle. The API server
/// keeps idle connections for 90 s.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
/// How many reviews one connection of HTTP/2 may have under way. The API server sends all of its reviews over one
/// connection, so this is more than the queue has by default; what the queue does not take is turned away there.
const MOST_STREAMS: u32 = 1024;
/// Files that are kept free of connections: logs, modules, the admin port, the cluster.
const RESERVED_FILES: u64 = 128;
/// The most connections, however many files the process may have.
const MOST_CONNECTIONS: u64 = 65_536;
/// Connections that the kernel keeps until they are accepted; the system's own limit may be lower.
const BACKLOG: i32 = 4096;
/// How long accepting pauses when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long guests have to end once nobody waits for them any more. They end by themselves at their deadlines.
const LAST_GUESTS: Duration = Duration::from_secs(1);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process has the port.
    #[error("{0} is in use by another process")]
    InUse(SocketAddr),
    /// This user may not listen there.
    #[error("this user may not listen on {0}; ports below 1024 need a privilege")]
    Forbidden(SocketAddr),
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The system gave no thread.
    #[error("the server's threads cannot be started")]
    Threads(#[source] io::Error),
}

/// A socket that listens, before anything is answered on it.
#[derive(Debug)]
pub struct Bound {
    socket: StdListener,
    address: SocketAddr,
}

impl Bound {
    /// Listens on an address; port 0 is one that is free.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(address: SocketAddr) -> Result<Self, StartError> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::InUse(address),
            io::ErrorKind::PermissionDenied => StartError::Forbidden(address),
            _ => StartError::Bind { address, source },
        };
        let socket = listen(address).map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn listen(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A server that starts again need not wait for the connections of the last one.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serve,
    Drain,
}

/// A server that answers reviews. Dropping it breaks off what is under way; [`Server::drain`] and [`Server::join`] do not.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    phase: watch::Sender<Phase>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves on a socket, with threads of its own.
    ///
    /// # Errors
    /// [`StartError::Threads`].
    pub(crate) fn start(
        bound: Bound,
        tls: Option<TlsAcceptor>,
        service: Arc<Service>,
        runtime: Arc<Runtime>,
        drain_timeout: Duration,
    ) -> Result<Self, StartError> {
        let (phase, told) = watch::channel(Phase::Serve);
        let listener = {
            let _guard = runtime.enter();
            TcpListener::from_std(bound.socket).map_err(StartError::Threads)?
        };
        let serving = Serving {
            tls,
            service,
            connections: Arc::new(Semaphore::new(connection_limit())),
            phase: told,
        };
        let thread = std::thread::Builder::new()
            .name("wharf-admission".into())
            .spawn(move || runtime.block_on(serving.until_drained(listener, drain_timeout)))
            .map_err(StartError::Threads)?;
        Ok(Self {
            address: bound.address,
            phase,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, and lets those that are there finish what is under way.
    pub(crate) fn drain(&self) {
        self.phase.send_replace(Phase::Drain);
    }

    /// Waits until a drained server has finished, or its drain timeout has passed.
    pub(crate) fn join(mut self) {
        self.wait();
    }

    fn wait(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(
                "The admission server's thread panicked, which is a mistake in Wharf; please report it."
            );
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.drain();
        self.wait();
    }
}

struct Serving {
    tls: Option<TlsAcceptor>,
    service: Arc<Service>,
    connections: Arc<Semaphore>,
    phase: watch::Receiver<Phase>,
}

impl Serving {
    async fn until_drained(self, listener: TcpListener, drain_timeout: Duration) {
        let all = self.connections.available_permits();
        let mut told = self.phase.clone();
        tokio::select! {
            () = self.accept(&listener) => {}
            () = drain_is_told(&mut told) => {}
        }
        drop(listener);
        let permits = u32::try_from(all).unwrap_or(u32::MAX);
        let closed = self.connections.acquire_many(permits);
        if tokio::time::timeout(drain_timeout, closed).await.is_err() {
            let open = all - self.connections.available_permits();
            tracing::warn!(
                connections = open,
                "Not all reviews ended within the drain timeout; the rest is broken off."
            );
        }
        self.service.stop(LAST_GUESTS);
    }

    /// Accepts for ever. Above the limit, clients wait in the kernel's backlog.
    async fn accept(&self, listener: &TcpListener) {
        loop {
            let Ok(permit) = Arc::clone(&self.connections).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, client)) => {
                    let connection = Connection {
                        tls: self.tls.clone(),
                        service: Arc::clone(&self.service),
                        phase: self.phase.clone(),
                        client,
                    };
                    tokio::spawn(async move {
                        connection.serve(stream).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // A connection that its client gave up before it was accepted is nobody's trouble.
                    if !matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                    ) {
                        tracing::warn!(%error, "A connection could not be accepted.");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }
}

struct Connection {
    tls: Option<TlsAcceptor>,
    service: Arc<Service>,
    phase: watch::Receiver<Phase>,
    client: SocketAddr,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Answers are small and go out at once.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(client = %self.client, %error, "A connection keeps small packets back.");
        }
        let open = &self.service.metrics().connections;
        open.inc();
        match &self.tls {
            None => self.serve_http(stream).await,
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => self.serve_http(stream).await,
                Err(error) => self.not_accepted(&error),
            },
        }
        open.dec();
    }

    fn not_accepted(&self, error: &HandshakeError) {
        self.service.metrics().refused("tls");
        tracing::info!(client = %self.client, %error, hint = error.hint(), "A connection was refused.");
    }

    async fn serve_http(&self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS);
        let answer = service_fn(|request| {
            let service = Arc::clone(&self.service);
            async move { Ok::<_, std::convert::Infallible>(service.answer(request).await) }
        });
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), answer));
        let mut phase = self.phase.clone();
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = drain_is_told(&mut phase) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(client = %self.client, %error, "A connection broke off.");
        }
    }
}

/// Waits until the server is drained, or gone.
async fn drain_is_told(phase: &mut watch::Receiver<Phase>) {
    // An error means that nobody can tell any more.
    let _ = phase.wait_for(|phase| *phase == Phase::Drain).await;
}

/// As many as the process may have files, less some.
fn connection_limit() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = files.unwrap_or(MOST_CONNECTIONS).saturating_sub(RESERVED_FILES);
    usize::try_from(limit.clamp(16, MOST_CONNECTIONS)).unwrap_or(16)
}
