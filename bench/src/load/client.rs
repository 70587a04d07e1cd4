//! A client, over whichever transport.

use std::io;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Question;

/// The name in the certificates of servers that are measured.
pub(crate) const SERVER_NAME: &str = "localhost";

/// How clients reach a server.
#[derive(Clone)]
pub(crate) enum Transport {
    /// HTTP/1.1 over TCP.
    Plain,
    /// HTTP/1.1 over TLS.
    Tls(TlsConnector),
    /// HTTP/2 over TLS: one connection, with a stream for each request, as an API server asks.
    Http2(TlsConnector),
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// One client that asks.
pub(crate) enum Client {
    /// A connection of its own, and what was read of it.
    Http1(Box<dyn Stream>, Vec<u8>),
    /// Its share of a connection.
    Http2(SendRequest<Full<Bytes>>),
}

impl Client {
    /// So many clients.
    pub(crate) async fn connect_all(transport: &Transport, port: u16, count: usize) -> io::Result<Vec<Self>> {
        let mut clients = Vec::with_capacity(count);
        if let Transport::Http2(tls) = transport {
            let stream = TokioIo::new(connect_tls(tls, port).await?);
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream)
                .await
                .map_err(io::Error::other)?;
            // What ends it ends the requests too, which say so.
            tokio::spawn(connection);
            clients.extend((0..count).map(|_| Self::Http2(sender.clone())));
            return Ok(clients);
        }
        for _ in 0..count {
            let stream: Box<dyn Stream> = match transport {
                Transport::Plain => Box::new(connect(port).await?),
                Transport::Tls(tls) | Transport::Http2(tls) => Box::new(connect_tls(tls, port).await?),
            };
            clients.push(Self::Http1(stream, vec![0; 16 << 10]));
        }
        Ok(clients)
    }

    /// Asks, and gives the body of the 200.
    pub(crate) async fn ask(&mut self, question: &Question) -> io::Result<Vec<u8>> {
        match self {
            Self::Http1(stream, buffer) => {
                stream.write_all(&question.request).await?;
                answer(stream, buffer).await
            }
            Self::Http2(sender) => ask_http2(sender, question).await,
        }
    }
}

async fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connect_tls(tls: &TlsConnector, port: u16) -> io::Result<impl Stream + 'static> {
    let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
    tls.connect(name, connect(port).await?).await
}

async fn ask_http2(sender: &mut SendRequest<Full<Bytes>>, question: &Question) -> io::Result<Vec<u8>> {
    let (path, json) = question.post.as_ref().ok_or(io::ErrorKind::Unsupported)?;
    let request = Request::post(format!("https://{SERVER_NAME}{path}"))
        .header("content-type", "application/json")
        .body(Full::from(json.clone()))
        .map_err(io::Error::other)?;
    sender.ready().await.map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(io::Error::other)?
        .to_bytes();
    match status {
        StatusCode::OK => Ok(body.into()),
        _ => Err(not_asked_for(&format!(
            "{status} {}",
            String::from_utf8_lossy(&body)
        ))),
    }
}

async fn answer(stream: &mut (impl Stream + ?Sized), buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut held = 0;
    loop {
        if held == buffer.len() {
            buffer.resize(2 * held, 0);
        }
        let read = stream.read(&mut buffer[held..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        held += read;
        if let Some(body) = body_of(&buffer[..held])? {
            return Ok(body.to_owned());
        }
    }
}

/// The body of an answer, once all of it is there. The answer must be a 200 that says how long it is.
fn body_of(answer: &[u8]) -> io::Result<Option<&[u8]>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    match length {
        Some(length) if head.starts_with("http/1.1 200") => Ok(answer.get(end + 4..end + 4 + length)),
        _ => Err(not_asked_for(&head)),
    }
}

fn not_asked_for(answer: &str) -> io::Error {
    io::Error::other(format!("not the answer that was asked for: {answer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_given_once_it_is_whole() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        for end in 0..answer.len() {
            assert_eq!(body_of(&answer[..end]).unwrap(), None, "{end}");
        }
        assert_eq!(body_of(answer).unwrap(), Some(&b"hello"[..]));
    }

    #[test]
    fn another_status_or_length_is_an_error() {
        for answer in [
            &b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        ] {
            body_of(answer).unwrap_err();
        }
    }
}
