//! Origins: servers for a proxy to talk to.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::PATIENCE;
use crate::client::is_timeout;
use crate::message::{Received, read_request_body, read_request_head};

/// A running origin. It stops accepting when it is dropped.
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    accepted: AtomicUsize,
    open: AtomicUsize,
    stopped: AtomicBool,
}

/// An origin that is being described.
#[derive(Default)]
pub struct OriginBuilder {
    routes: BTreeMap<String, String>,
}

/// An origin that answers as HTTP demands. A path that was not described gets 404.
pub fn origin() -> OriginBuilder {
    OriginBuilder::default()
}

impl OriginBuilder {
    /// Answers requests for this path (the query does not count) with 200 and this text.
    #[must_use]
    pub fn route(mut self, path: &str, body: &str) -> OriginBuilder {
        self.routes.insert(path.to_owned(), body.to_owned());
        self
    }

    /// Starts it.
    pub fn start(self) -> Origin {
        let routes = self.routes;
        scripted_origin(move |mut conversation| {
            while let Some(request) = conversation.request() {
                let path = request.target.split('?').next().unwrap_or_default();
                let (status, body) = match routes.get(path) {
                    Some(body) => ("200 OK", body.as_str()),
                    None => ("404 Not Found", "not here"),
                };
                let sent = if request.method == "HEAD" { "" } else { body };
                conversation.send(format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{sent}",
                    body.len()
                ));
            }
        })
    }
}

/// An origin that plays this script on each of its connections, each in a thread of its own.
pub fn scripted_origin(script: impl Fn(Conversation) + Send + Sync + 'static) -> Origin {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface has a free port");
    let address = listener.local_addr().expect("the listener is bound");
    let shared = Arc::new(Shared::default());
    let (script, state) = (Arc::new(script), Arc::clone(&shared));
    thread::spawn(move || {
        for stream in listener.incoming() {
            if state.stopped.load(Ordering::SeqCst) {
                break;
            }
            let Ok(stream) = stream else { continue };
            let number = state.accepted.fetch_add(1, Ordering::SeqCst);
            state.open.fetch_add(1, Ordering::SeqCst);
            let conversation = Conversation::new(stream, number, Arc::clone(&state));
            let script = Arc::clone(&script);
            thread::spawn(move || script(conversation));
        }
    });
    Origin { address, shared }
}

impl Origin {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request that was received as a whole.
    pub fn received(&self) -> Vec<Received> {
        self.shared
            .received
            .lock()
            .expect("no script panicked here")
            .clone()
    }

    /// The only request that was received.
    pub fn only_request(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "one request was expected: {received:#?}");
        received.into_iter().next().expect("there is one")
    }

    /// How many connections it accepted.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many of its scripts are still running.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

/// One connection, as its script sees it. It is closed when it is dropped.
pub struct Conversation {
    stream: BufReader<TcpStream>,
    /// Connections count from 0.
    pub number: usize,
    shared: Arc<Shared>,
}

impl Conversation {
    fn new(stream: TcpStream, number: usize, shared: Arc<Shared>) -> Conversation {
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("PATIENCE is not zero");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("PATIENCE is not zero");
        stream.set_nodelay(true).expect("the stream is connected");
        Conversation {
            stream: BufReader::new(stream),
            number,
            shared,
        }
    }

    /// Reads a whole request and notes it; `None` when the proxy closed or broke off.
    pub fn request(&mut self) -> Option<Received> {
        let mut request = self.request_head()?;
        read_request_body(&mut self.stream, &mut request).ok()?;
        self.shared
            .received
            .lock()
            .expect("no script panicked here")
            .push(request.clone());
        Some(request)
    }

    /// Reads a request's head only.
    pub fn request_head(&mut self) -> Option<Received> {
        read_request_head(&mut self.stream).ok().flatten()
    }

    /// Reads so many bytes; `None` when fewer come.
    pub fn read(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Sends bytes; a proxy that has gone is no error.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// Waits until the proxy closes the connection. True when it did in time.
    pub fn wait_for_close(&mut self) -> bool {
        let mut scratch = [0; 4096];
        loop {
            match self.stream.read(&mut scratch) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return !is_timeout(&error),
            }
        }
    }

    /// Whether the other end has closed and everything that it sent was read. Does not wait.
    pub fn is_closed(&mut self) -> bool {
        if !self.stream.buffer().is_empty() {
            return false;
        }
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true).expect("the socket is open");
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false).expect("the socket is open");
        match peeked {
            Ok(bytes) => bytes == 0,
            Err(error) => !is_timeout(&error),
        }
    }

    /// Closes so that the other end gets a reset.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(self.stream.get_ref());
        socket
            .set_linger(Some(std::time::Duration::ZERO))
            .expect("the socket is open");
    }

    /// Closes this end for writing.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.get_ref().shutdown(Shutdown::Write)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An address where nobody listens.
pub fn refused_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface has a free port");
    listener.local_addr().expect("the listener is bound")
}

/// An address where connecting neither succeeds nor fails while the returned sockets exist: the backlog is full.
pub fn saturated_address() -> (SocketAddr, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    listener
        .bind(&any.into())
        .expect("the loopback interface has a free port");
    listener.listen(0).expect("the socket is bound");
    let address = listener
        .local_addr()
        .expect("the socket is bound")
        .as_socket()
        .expect("an IPv4 address");
    let mut sockets = vec![listener];
    for _ in 0..8 {
        let filler = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        filler.set_nonblocking(true).expect("the socket is open");
        // In progress or done: either way it takes a place in the backlog.
        let _ = filler.connect(&address.into());
        sockets.push(filler);
    }
    (address, sockets)
}
