//! Listening, connections, and stopping.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use wharf_tls::TlsAcceptor;

use crate::connection::{Connection, ConnectionLimits};
use crate::http::Service;

/// Connections that the kernel keeps until they are accepted; the system's own limit may be lower.
const BACKLOG: i32 = 4096;
/// How long accepting pauses when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often idle connections are told that others wait for their places.
const FULL_INTERVAL: Duration = Duration::from_secs(1);
/// How often the log says so.
const FULL_LOG_INTERVAL: Duration = Duration::from_secs(60);
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
    limits: ConnectionLimits,
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
        Ok(Self {
            socket,
            address,
            limits: ConnectionLimits::default(),
        })
    }

    /// The same with other limits for its connections.
    #[must_use]
    pub fn with_limits(self, limits: ConnectionLimits) -> Self {
        let most = limits.most.max(1);
        Self {
            limits: ConnectionLimits { most, ..limits },
            ..self
        }
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

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
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
            permits: Arc::new(Semaphore::new(bound.limits.most)),
            connection: Connection {
                tls,
                service,
                phase: told,
                limits: bound.limits,
                full: Arc::default(),
            },
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
    permits: Arc<Semaphore>,
    /// What each gets.
    connection: Connection,
}

impl Serving {
    async fn until_drained(self, listener: TcpListener, drain_timeout: Duration) {
        let all = self.connection.limits.most;
        let mut told = self.connection.phase.clone();
        tokio::select! {
            () = self.accept(&listener) => {}
            () = drain_is_told(&mut told) => {}
        }
        drop(listener);
        let permits = u32::try_from(all).unwrap_or(u32::MAX);
        let closed = self.permits.acquire_many(permits);
        if tokio::time::timeout(drain_timeout, closed).await.is_err() {
            let open = all - self.permits.available_permits();
            tracing::warn!(
                connections = open,
                "Not all reviews ended within the drain timeout; the rest is broken off."
            );
        }
        self.connection.service.stop(LAST_GUESTS);
    }

    /// Accepts for ever. Above the limit, clients wait in the kernel's backlog.
    async fn accept(&self, listener: &TcpListener) {
        let mut places = Places::new(&self.permits, &self.connection.full);
        loop {
            let Some(permit) = places.take().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, client)) => {
                    let connection = self.connection.clone();
                    tokio::spawn(async move {
                        connection.serve(stream, client).await;
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

/// The places for connections. Where there is none left, those that nobody uses are asked to make room.
struct Places<'a> {
    permits: &'a Arc<Semaphore>,
    full: &'a Notify,
    asked: Option<Instant>,
    logged: Option<Instant>,
}

impl<'a> Places<'a> {
    fn new(permits: &'a Arc<Semaphore>, full: &'a Notify) -> Self {
        Self {
            permits,
            full,
            asked: None,
            logged: None,
        }
    }

    /// None where there will be no more.
    async fn take(&mut self) -> Option<OwnedSemaphorePermit> {
        loop {
            let place = Arc::clone(self.permits).acquire_owned();
            if self.permits.available_permits() > 0 {
                return place.await.ok();
            }
            self.ask_for_room();
            if let Ok(place) = tokio::time::timeout(FULL_INTERVAL, place).await {
                return place.ok();
            }
        }
    }

    fn ask_for_room(&mut self) {
        let is_over =
            |since: Option<Instant>, interval| since.is_none_or(|since| since.elapsed() >= interval);
        if is_over(self.asked, FULL_INTERVAL) {
            self.asked = Some(Instant::now());
            self.full.notify_waiters();
        }
        if is_over(self.logged, FULL_LOG_INTERVAL) {
            self.logged = Some(Instant::now());
            tracing::warn!(
                "There are as many connections as may be: those on which nothing is asked are closed, and further clients wait."
            );
        }
    }
}

/// Waits until the server is drained, or gone.
pub(crate) async fn drain_is_told(phase: &mut watch::Receiver<Phase>) {
    // An error means that nobody can tell any more.
    let _ = phase.wait_for(|phase| *phase == Phase::Drain).await;
}
