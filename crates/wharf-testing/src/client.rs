//! A client that sends exactly what it is told to.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::PATIENCE;
use crate::message::{Response, read_response_body, read_response_head};

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// Connects.
pub fn connect(address: SocketAddr) -> Client {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server accepts connections");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("PATIENCE is not zero");
    stream
        .set_write_timeout(Some(PATIENCE))
        .expect("PATIENCE is not zero");
    stream.set_nodelay(true).expect("the stream is connected");
    Client {
        stream: BufReader::new(stream),
    }
}

impl Client {
    /// Sends bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Client {
        self.stream
            .get_mut()
            .write_all(bytes.as_ref())
            .expect("the server takes the bytes");
        self
    }

    /// Sends bytes to a server that may have closed the connection already.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Sends the pieces one by one, each in a packet of its own as far as the kernel plays along.
    pub fn send_in_pieces<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) -> &mut Client {
        for piece in pieces {
            self.send(piece);
            std::thread::yield_now();
        }
        self
    }

    /// Sends a request without a body.
    pub fn request(&mut self, method: &str, target: &str) -> &mut Client {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n\r\n"))
    }

    /// Sends a GET and reads the answer.
    pub fn get(&mut self, target: &str) -> Response {
        self.request("GET", target).response()
    }

    /// Reads the next response.
    pub fn response(&mut self) -> Response {
        self.try_response().expect("a whole response")
    }

    /// Reads the response to a HEAD.
    pub fn response_to_head(&mut self) -> Response {
        let mut response = read_response_head(&mut self.stream).expect("a response's head");
        read_response_body(&mut self.stream, &mut response, true).expect("no body");
        response
    }

    /// Reads only the head of the next response.
    pub fn response_head(&mut self) -> Response {
        read_response_head(&mut self.stream).expect("a response's head")
    }

    /// Reads the body of a response whose head [`Client::response_head`] gave; it may be cut short.
    pub fn try_body(&mut self, response: &mut Response) -> io::Result<()> {
        read_response_body(&mut self.stream, response, false)
    }

    /// Reads the next response, which may be cut short.
    pub fn try_response(&mut self) -> io::Result<Response> {
        let mut response = read_response_head(&mut self.stream)?;
        read_response_body(&mut self.stream, &mut response, false)?;
        Ok(response)
    }

    /// Reads this many bytes.
    pub fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("so many bytes");
        bytes
    }

    /// Reads until the server closes; panics when it resets the connection or does not close.
    pub fn read_to_close(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream
            .read_to_end(&mut bytes)
            .expect("the server closes the connection");
        bytes
    }

    /// Waits until the server has closed the connection, in whatever way, without sending more.
    pub fn expect_close(&mut self) {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => {}
            Ok(_) => panic!(
                "the server sent `{}` where it should close",
                byte[0].escape_ascii()
            ),
            Err(error) if is_timeout(&error) => panic!("the server does not close the connection"),
            Err(_) => {}
        }
    }

    /// Says that nothing more will be sent, and goes on reading.
    pub fn finish_sending(&mut self) {
        self.stream
            .get_ref()
            .shutdown(Shutdown::Write)
            .expect("the connection is open");
    }

    /// This end's address.
    pub fn address(&self) -> SocketAddr {
        self.stream
            .get_ref()
            .local_addr()
            .expect("the stream is connected")
    }
}

pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
