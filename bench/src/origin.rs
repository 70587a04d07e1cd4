//! An origin that answers each request with the same few bytes.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 22\r\n\r\nhello from the origin\n";

/// Starts it on a thread of its own; it ends with the process. Gives its port.
pub(crate) fn start() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new().name("origin".into()).spawn(move || {
        runtime.block_on(async {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                return;
            };
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
    })?;
    Ok(port)
}

/// Answers each request head; the benchmark sends no bodies.
async fn answer(mut stream: TcpStream) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut buffer = [0; 16 << 10];
    let mut held = 0;
    loop {
        match stream.read(&mut buffer[held..]).await {
            Ok(read) if read > 0 => held += read,
            _ => return,
        }
        let mut rest = &buffer[..held];
        while let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") {
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
            rest = &rest[end + 4..];
        }
        let left = rest.len();
        buffer.copy_within(held - left..held, 0);
        held = left;
        if held == buffer.len() {
            return;
        }
    }
}
