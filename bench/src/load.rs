//! A closed loop: so many clients, each of which asks again when it has its answer.

mod client;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Outcome;

use self::client::Client;
pub(crate) use self::client::{SERVER_NAME, Transport};

/// How long one answer may take, so that a server that hangs ends the measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked again and again, and what must come back.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// The whole request in HTTP/1.1.
    pub(crate) request: Vec<u8>,
    /// The path and the body, where it is a POST of JSON.
    post: Option<(String, String)>,
    /// The body of each answer, where it is looked at.
    pub(crate) body: Option<Vec<u8>>,
}

impl Question {
    /// A GET whose answer may be any 200.
    pub(crate) fn get() -> Self {
        let request: &[u8] = b"GET /path?query=1 HTTP/1.1\r\nhost: bench.example\r\nuser-agent: wharf-bench\r\naccept: */*\r\n\r\n";
        Self {
            request: request.to_owned(),
            post: None,
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
            post: Some((path.to_owned(), json.to_owned())),
            body: None,
        }
    }
}

/// What one measurement gave.
#[derive(Debug, Clone)]
pub(crate) struct Measurement {
    /// How many answers came.
    pub(crate) requests: usize,
    /// The CPU time of the server for a request.
    pub(crate) cpu: Duration,
    /// Requests a second.
    pub(crate) rate: f64,
    /// The median latency.
    pub(crate) p50: Duration,
    /// The latency that 99 of 100 requests keep.
    pub(crate) p99: Duration,
}

/// Asks for `duration` and reads the server's CPU time before and after. Each client has a connection of its own, but over
/// HTTP/2, where all share one.
pub(crate) fn run(
    port: u16,
    transport: &Transport,
    question: &Question,
    clients: usize,
    duration: Duration,
    cpu_time: impl Fn() -> std::io::Result<Duration>,
) -> Outcome<Measurement> {
    let runtime = runtime()?;
    let before = cpu_time()?;
    let began = Instant::now();
    let latencies = runtime.block_on(async {
        let until = began + duration;
        let question = Arc::new(question.clone());
        let mut tasks = Vec::new();
        for client in Client::connect_all(transport, port, clients).await? {
            tasks.push(tokio::spawn(ask(client, Arc::clone(&question), until)));
        }
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await??);
        }
        Ok::<_, Box<dyn std::error::Error>>(latencies)
    })?;
    summary(latencies, began.elapsed(), cpu_time()?.saturating_sub(before))
}

/// Asks once, on a connection of its own, and gives the body of the 200.
pub(crate) fn once(port: u16, transport: &Transport, question: &Question) -> std::io::Result<Vec<u8>> {
    let asked = async {
        let mut clients = Client::connect_all(transport, port, 1).await?;
        let client = clients.first_mut().ok_or(std::io::ErrorKind::NotConnected)?;
        client.ask(question).await
    };
    runtime()?.block_on(async { within_patience(asked).await })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn within_patience<T>(asked: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    let late = |_| std::io::Error::other(format!("no answer within {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, asked).await.map_err(late)?
}

fn summary(mut latencies: Vec<Duration>, elapsed: Duration, cpu: Duration) -> Outcome<Measurement> {
    latencies.sort_unstable();
    let requests = latencies.len();
    if requests == 0 {
        return Err("no request was answered".into());
    }
    let at = |percent: usize| latencies[(requests * percent / 100).min(requests - 1)];
    Ok(Measurement {
        requests,
        cpu: cpu.div_f64(requests as f64),
        rate: requests as f64 / elapsed.as_secs_f64(),
        p50: at(50),
        p99: at(99),
    })
}

/// One client's requests. Anything but a whole 200 is an error, since it would not be the same work.
async fn ask(mut client: Client, question: Arc<Question>, until: Instant) -> std::io::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let sent = Instant::now();
        let body = within_patience(client.ask(&question)).await?;
        latencies.push(sent.elapsed());
        if question.body.as_ref().is_some_and(|expected| *expected != body) {
            let body = String::from_utf8_lossy(&body);
            return Err(std::io::Error::other(format!(
                "not the answer that came first: {body}"
            )));
        }
    }
    Ok(latencies)
}
