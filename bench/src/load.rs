//! A closed loop: so many connections, each of which asks again when it has its answer.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Outcome;

const REQUEST: &[u8] =
    b"GET /path?query=1 HTTP/1.1\r\nhost: bench.example\r\nuser-agent: wharf-bench\r\naccept: */*\r\n\r\n";

/// What one measurement gave.
#[derive(Debug, Clone)]
pub(crate) struct Measurement {
    /// The proxy's CPU time for a request.
    pub(crate) cpu: Duration,
    /// Requests a second.
    pub(crate) rate: f64,
    /// The median latency.
    pub(crate) p50: Duration,
    /// The latency that 99 of 100 requests keep.
    pub(crate) p99: Duration,
}

/// Asks for `duration` and reads the proxy's CPU time before and after.
pub(crate) fn run(
    port: u16,
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
        let tasks: Vec<_> = (0..connections).map(|_| tokio::spawn(ask(port, until))).collect();
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
async fn ask(port: u16, until: Instant) -> std::io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 16 << 10];
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let sent = Instant::now();
        stream.write_all(REQUEST).await?;
        answer(&mut stream, &mut buffer).await?;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}

async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<()> {
    let mut held = 0;
    loop {
        let read = stream.read(&mut buffer[held..]).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        held += read;
        if let Some(whole) = whole_length(&buffer[..held])?
            && held >= whole
        {
            return Ok(());
        }
    }
}

/// How long the answer is in all, once its head is there.
fn whole_length(answer: &[u8]) -> std::io::Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    match length {
        Some(length) if head.starts_with("http/1.1 200") => Ok(Some(end + 4 + length)),
        _ => Err(std::io::Error::other(format!(
            "not the answer that was asked for: {head}"
        ))),
    }
}
