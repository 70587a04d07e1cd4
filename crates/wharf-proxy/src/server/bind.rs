//! Opening the listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};
use wharf_config::ListenerConfig;

use super::BoundListener;

/// Connections that the kernel keeps for a worker until it accepts them.
const BACKLOG: i32 = 1024;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process, or another listener, has the port.
    #[error("listener `{listener}`: {address} is in use by another process")]
    InUse {
        /// The listener's name.
        listener: String,
        /// What was asked for.
        address: SocketAddr,
    },
    /// The port is below 1024 and this user may not listen there.
    #[error(
        "listener `{listener}`: this user may not listen on {address}; ports below 1024 need a privilege"
    )]
    Forbidden {
        /// The listener's name.
        listener: String,
        /// What was asked for.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("listener `{listener}`: cannot listen on {address}")]
    Other {
        /// The listener's name.
        listener: String,
        /// What was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Listeners with their addresses, and for each worker its sockets in the same order.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listeners: Vec<BoundListener>,
    pub(super) sockets: Vec<Vec<TcpListener>>,
}

/// Opens one socket for each listener and worker.
pub(super) fn bind_all(listeners: &[ListenerConfig], workers: usize) -> Result<Bound, BindError> {
    let mut bound = Bound {
        listeners: Vec::new(),
        sockets: (0..workers).map(|_| Vec::new()).collect(),
    };
    for listener in listeners {
        let refused = |error| explain(listener, error);
        let mut address = listener.bind;
        if address.port() != 0 {
            refuse_if_taken(address).map_err(refused)?;
        }
        for sockets in &mut bound.sockets {
            let socket = listen(address, true).map_err(refused)?;
            // Port 0 is whatever the first socket got.
            address = socket.local_addr().map_err(refused)?;
            sockets.push(socket);
        }
        bound.listeners.push(BoundListener {
            name: listener.name.clone(),
            address,
        });
    }
    Ok(bound)
}

/// With `SO_REUSEPORT` two processes of one user could listen on one port and each get a part of the connections:
/// somebody who starts a second proxy by mistake would not be told. Without it, the kernel refuses.
fn refuse_if_taken(address: SocketAddr) -> io::Result<()> {
    listen(address, false).map(drop)
}

fn listen(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a process that has just ended do not stand in the way; its listening socket would.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn explain(config: &ListenerConfig, source: io::Error) -> BindError {
    let (listener, address) = (config.name.clone(), config.bind);
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { listener, address },
        io::ErrorKind::PermissionDenied => BindError::Forbidden { listener, address },
        _ => BindError::Other {
            listener,
            address,
            source,
        },
    }
}
