//! One endpoint: its addresses, its idle connections, and whether it is resting after a failure.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::HeaderValue;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::error::ConnectError;
use crate::body::SentBody;
use crate::timer::Timer;

/// How long the addresses of a name are used before it is looked up again.
const NAME_LIFETIME: Duration = Duration::from_secs(5);

/// For how long no request starts at an endpoint that could not be reached, while another one can be tried.
const REST: Duration = Duration::from_secs(1);

/// One `host:port`.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) name: Rc<str>,
    /// The name as a `Host`.
    pub(super) host: HeaderValue,
    target: Target,
    idle: RefCell<Vec<Idle>>,
    resting_until: Cell<Option<Instant>>,
}

#[derive(Debug)]
enum Target {
    Address(SocketAddr),
    Name {
        host: String,
        port: u16,
        resolved: RefCell<Option<Resolved>>,
    },
}

#[derive(Debug, Clone)]
struct Resolved {
    addresses: Rc<[SocketAddr]>,
    until: Instant,
}

/// A connection that waits for its next request.
#[derive(Debug)]
struct Idle {
    connection: PooledConnection,
    since: Instant,
}

/// The sending side of a connection, with the timers that it keeps from request to request.
#[derive(Debug)]
pub(super) struct PooledConnection {
    pub(super) sender: SendRequest<SentBody>,
    pub(super) head_timer: Timer,
    pub(super) body_timer: Timer,
}

impl Endpoint {
    /// `None` when the text is not `host:port`.
    pub(super) fn parse(text: &str) -> Option<Endpoint> {
        let target = match text.parse() {
            Ok(address) => Target::Address(address),
            Err(_) => {
                let (host, port) = text.rsplit_once(':')?;
                let port = port.parse().ok().filter(|port| *port != 0)?;
                if host.is_empty() || host.contains([':', '/', '@', '[', ']']) {
                    return None;
                }
                Target::Name {
                    host: host.to_owned(),
                    port,
                    resolved: RefCell::default(),
                }
            }
        };
        Some(Endpoint {
            name: Rc::from(text),
            host: HeaderValue::from_str(text).ok()?,
            target,
            idle: RefCell::default(),
            resting_until: Cell::default(),
        })
    }

    /// Whether it failed a moment ago.
    pub(super) fn is_resting(&self) -> bool {
        self.resting_until
            .get()
            .is_some_and(|until| Instant::now() < until)
    }

    /// The idle connection that was used last and is ready for a request, and for how long it was idle.
    pub(super) fn take_idle(&self, idle_timeout: Duration) -> Option<(PooledConnection, Duration)> {
        let mut idle = self.idle.borrow_mut();
        let mut at = idle.len();
        while at > 0 {
            at -= 1;
            let candidate = &idle[at];
            let age = candidate.since.elapsed();
            if candidate.connection.sender.is_ready() && age < idle_timeout {
                return Some((idle.remove(at).connection, age));
            }
            if candidate.connection.sender.is_closed() {
                idle.remove(at);
            }
            // Otherwise the connection still ends its last exchange, or is too old and goes with the next sweep.
        }
        None
    }

    /// Takes a connection back after an exchange that ended well. Above `max_idle` the oldest is closed.
    pub(super) fn keep(&self, connection: PooledConnection, max_idle: usize) {
        if max_idle == 0 || connection.sender.is_closed() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= max_idle {
            idle.remove(0);
        }
        idle.push(Idle {
            connection,
            since: Instant::now(),
        });
    }

    pub(super) fn close_idle(&self, idle_timeout: Duration) {
        let usable = |idle: &Idle| !idle.connection.sender.is_closed() && idle.since.elapsed() < idle_timeout;
        self.idle.borrow_mut().retain(usable);
    }

    pub(super) fn idle_connections(&self) -> usize {
        self.idle.borrow().len()
    }

    /// Opens a connection. Resolving the name counts against the timeout; zero waits for ever.
    pub(super) async fn connect(&self, limit: Duration) -> Result<PooledConnection, ConnectError> {
        let connected = if limit.is_zero() {
            self.open().await
        } else {
            timeout(limit, self.open())
                .await
                .unwrap_or(Err(ConnectError::TimedOut(limit)))
        };
        let rest = connected.is_err().then(|| Instant::now() + REST);
        self.resting_until.set(rest);
        connected
    }

    async fn open(&self) -> Result<PooledConnection, ConnectError> {
        let stream = self.open_stream().await?;
        // Without this a small request could wait for the acknowledgement of the one before.
        stream.set_nodelay(true).map_err(ConnectError::Connect)?;
        let (sender, connection) = Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| ConnectError::Closed)?;
        // The connection's errors reach whoever has a request on it; without a request nobody needs them.
        tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "An upstream connection ended with an error.");
            }
        });
        Ok(PooledConnection {
            sender,
            head_timer: Timer::default(),
            body_timer: Timer::default(),
        })
    }

    async fn open_stream(&self) -> Result<TcpStream, ConnectError> {
        match &self.target {
            Target::Address(address) => TcpStream::connect(address).await.map_err(ConnectError::Connect),
            Target::Name { host, port, resolved } => {
                let addresses = resolve(host, *port, resolved).await.map_err(ConnectError::Name)?;
                connect_to_first(&addresses).await.map_err(ConnectError::Connect)
            }
        }
    }
}

/// The first address that can be connected to; the error of the last one when none can.
async fn connect_to_first(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The name's addresses, looked up at most every [`NAME_LIFETIME`]. When a lookup fails, the addresses that are
/// already known are used on: a name server that is away must not take down what works.
async fn resolve(host: &str, port: u16, known: &RefCell<Option<Resolved>>) -> io::Result<Rc<[SocketAddr]>> {
    let before = known.borrow().clone();
    if let Some(resolved) = &before
        && Instant::now() < resolved.until
    {
        return Ok(Rc::clone(&resolved.addresses));
    }
    let addresses: io::Result<Rc<[SocketAddr]>> =
        tokio::net::lookup_host((host, port)).await.map(Iterator::collect);
    let addresses = match (addresses, before) {
        (Ok(addresses), _) if !addresses.is_empty() => addresses,
        (_, Some(resolved)) => resolved.addresses,
        (addresses, None) => return addresses,
    };
    let until = Instant::now() + NAME_LIFETIME;
    *known.borrow_mut() = Some(Resolved {
        addresses: Rc::clone(&addresses),
        until,
    });
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_host_and_port() {
        for text in [
            "127.0.0.1:80",
            "[::1]:8080",
            "localhost:9000",
            "app.example.svc.cluster.local:443",
        ] {
            assert!(Endpoint::parse(text).is_some(), "{text}");
        }
        for text in [
            "localhost",
            ":80",
            "localhost:",
            "localhost:0",
            "::1:80:x",
            "http://a:80",
            "a:99999",
        ] {
            assert!(Endpoint::parse(text).is_none(), "{text}");
        }
    }
}
