//! A closed loop: so many connections, each of which asks again when it has its answer.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Outcome;

/// What is asked again and again, and what must come back.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// The whole request.
    pub(crate) request: Vec<u8>,
    /// The body of each answer, where it is looked at.
    pub(crate) body: Option<Vec<u8>>,
}

impl Question {
    /// A GET whose answer may be any 200.
    pub(crate) fn get() -> Self {
        let request: &[u8] = b"GET /path?query=1 HTTP/1.1\r\nhost: bench.example\r\nuser-agent: wharf-bench\r\naccept: */*\r\n\r\n";
        Self {
            request: request.to_owned(),
            body: None,
        }
    }

    /// A POST of JSON whose answer may be any 200.
    pub(crate) fn post(path: &str, json: &str) -> Self {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: bench.example\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{json}",
            json.len()
        );
        Self {
            request: request.into_bytes(),
            body: None,
        }
    }
}

/// What one measurement gave.
#[derive(Debug, Clone)]
pub(crate) struct Measurement {
    /// The CPU time of the server for a request.
    pub(crate) cpu: Duration,
    /// Requests a second.
    pub(crate) rate: f64,
    /// The median latency.
    pub(crate) p50: Duration,
    /// The latency that 99 of 100 requests keep.
    pub(crate) p99: Duration,
}

/// Asks for `duration` and reads the server's CPU time before and after.
pub(crate) fn run(
    port: u16,
    question: &Question,
    connections: usize,
    duration: Duration,
    cpu_time: impl Fn() -> std::io::Result<Duration>,
) -> Outcome<Measurement> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let before = cpu_time()?;
    let began = Instant::now();
    let latencies = runtime.block_on(async {
        let until = began + duration;
        let question = Arc::new(question.clone());
        let tasks: Vec<_> = (0..connections)
            .map(|_| tokio::spawn(ask(port, Arc::clone(&question), until)))
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await??);
        }
        Ok::<_, Box<dyn std::error::Error>>(latencies)
    })?;
    summary(latencies, began.elapsed(), cpu_time()?.saturating_sub(before))
}

fn summary(mut latencies: Vec<Duration>, elapsed: Duration, cpu: Duration) -> Outcome<Measurement> {
    latencies.sort_unstable();
    let requests = latencies.len();
    if requests == 0 {
        return Err("no request was answered".into());
    }
    let at = |percent: usize| latencies[(requests * percent / 100).min(requests - 1)];
    Ok(Measurement {
        cpu: cpu.div_f64(requests as f64),
        rate: requests as f64 / elapsed.as_secs_f64(),
        p50: at(50),
        p99: at(99),
    })
}

/// One connection's requests. Anything but a whole 200 is an error, since it would not be the same work.
async fn ask(port: u16, question: Arc<Question>, until: Instant) -> std::io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 16 << 10];
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let sent = Instant::now();
        stream.write_all(&question.request).await?;
        answer(&mut stream, &mut buffer, question.body.as_deref()).await?;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}

async fn answer(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    expected: Option<&[u8]>,
) -> std::io::Result<()> {
    let mut held = 0;
    loop {
        if held == buffer.len() {
            buffer.resize(2 * held, 0);
        }
        let read = stream.read(&mut buffer[held..]).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        held += read;
        if let Some(body) = body_of(&buffer[..held])? {
            return match expected {
                Some(expected) if body != expected => Err(std::io::Error::other(format!(
                    "not the answer that came first: {}",
                    String::from_utf8_lossy(body)
                ))),
                _ => Ok(()),
            };
        }
    }
}

/// The body of an answer, once all of it is there. The answer must be a 200 that says how long it is.
pub(crate) fn body_of(answer: &[u8]) -> std::io::Result<Option<&[u8]>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    match length {
        Some(length) if head.starts_with("http/1.1 200") => Ok(answer.get(end + 4..end + 4 + length)),
        _ => Err(std::io::Error::other(format!(
            "not the answer that was asked for: {head}"
        ))),
    }
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
