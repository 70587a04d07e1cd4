//! The client: one connection for each request.

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::case::Request;
use crate::http::{self, Kind, Message, pieces};
use crate::origin;

/// How long an answer may stand still before the client leaves.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends a request and gives what came back, with the client's port.
///
/// # Errors
/// When nobody listens there.
pub(crate) fn exchange(address: SocketAddr, request: &Request) -> io::Result<(Message, u16)> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let port = stream.local_addr()?.port();
    let mut headers = vec!["host: app.example".to_owned(), "connection: close".to_owned()];
    headers.extend_from_slice(&request.headers);
    let start = format!("{} {} HTTP/1.1", request.method, request.path);
    let pieces = pieces(&start, &headers, &request.payload(), false);
    let message = thread::scope(|scope| {
        // Beside the reading, because an answer may come before the request is whole, and then nobody reads the rest.
        scope.spawn(|| drop(origin::send(&stream, &pieces)));
        read(&stream, request)
    });
    Ok((message, port))
}

fn read(stream: &TcpStream, request: &Request) -> Message {
    let kind = if request.method == "HEAD" {
        Kind::ResponseToHead
    } else {
        Kind::Response
    };
    let mut reader = BufReader::new(stream);
    loop {
        let message = http::read(&mut reader, kind);
        // An interim response: the answer follows.
        if !message.word(1).starts_with('1') {
            return message;
        }
    }
}
