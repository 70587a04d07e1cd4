//! The access log: one JSON line for each exchange.
//!
//! A worker formats lines into its own [`AccessLogBuffer`]; full buffers go through a bounded channel to one
//! writer thread. A worker never waits for the disk: when the writer is stuck and the channel is full, the
//! buffer's lines are dropped and counted in `wharf_access_log_lost_lines_total`.

mod json;
mod timestamp;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use prometheus_client::metrics::counter::Counter;

use self::json::Object;
use self::timestamp::Timestamps;

/// A buffer that holds this much is sent to the writer.
const FLUSH_BYTES: usize = 32 * 1024;
/// How often a worker should call [`AccessLogBuffer::flush`], so that a quiet proxy's lines appear too.
pub const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// How many full buffers may wait for the writer: 2 MiB.
const QUEUED_BUFFERS: usize = 64;

/// Where access-log lines go.
pub enum AccessLogSink {
    /// Nowhere; formatting is skipped too.
    Off,
    /// The standard output.
    Stdout,
    /// Appended to this file, which is created when it is missing.
    File(PathBuf),
    /// Anything else that takes bytes.
    Writer(Box<dyn Write + Send>),
}

/// Why the access log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AccessLogError {
    /// The file cannot be opened for appending.
    #[error("cannot open the access log `{}` for appending", path.display())]
    Open {
        /// The file as configured.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The writer thread could not be started.
    #[error("cannot start the access log's writer thread")]
    Thread(#[source] io::Error),
}

/// What one exchange looked like. Everything is borrowed: writing an entry allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct AccessEntry<'a> {
    /// When the request's head had been read.
    pub time: SystemTime,
    /// The id that error answers carry as `wharf-request-id`.
    pub request_id: &'a str,
    /// The listener's name.
    pub listener: &'a str,
    /// The route's name; `None` when no route matched or the request was refused before.
    pub route: Option<&'a str>,
    /// The client's address and port.
    pub client: &'a str,
    /// The method as sent.
    pub method: &'a str,
    /// The `Host` or the authority; empty when there was none.
    pub host: &'a [u8],
    /// The path with its query.
    pub path: &'a str,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub protocol: &'a str,
    /// The status that was sent; `None` when the client left before any was.
    pub status: Option<u16>,
    /// Why Wharf answered by itself or the exchange ended early; `None` when all went well.
    pub details: Option<&'a str>,
    /// Bytes of the request's body that were received.
    pub bytes_in: u64,
    /// Bytes of the response's body that were sent.
    pub bytes_out: u64,
    /// From the request's head to the last byte of the response.
    pub duration: Duration,
    /// The endpoint that answered, or the last one tried.
    pub upstream: Option<&'a str>,
    /// From handing the request to the upstream to the head of its response.
    pub upstream_duration: Option<Duration>,
    /// Time inside guests, all filters together.
    pub filter_duration: Duration,
    /// How many faults the exchange's filters had.
    pub faults: u32,
}

/// The access log of one process. Cloning it gives another handle to the same writer.
#[derive(Clone)]
pub struct AccessLog {
    sender: Option<SyncSender<Batch>>,
    lost: Counter,
    finished: Arc<Mutex<Option<Receiver<()>>>>,
}

struct Batch {
    lines: u64,
    text: Vec<u8>,
}

impl AccessLog {
    /// Opens the sink and starts the writer thread. `lost` counts the lines that could not be written.
    pub fn start(sink: AccessLogSink, lost: Counter) -> Result<AccessLog, AccessLogError> {
        let out: Box<dyn Write + Send> = match sink {
            AccessLogSink::Off => {
                return Ok(AccessLog {
                    sender: None,
                    lost,
                    finished: Arc::default(),
                });
            }
            AccessLogSink::Stdout => Box::new(io::stdout()),
            AccessLogSink::File(path) => match OpenOptions::new().append(true).create(true).open(&path) {
                Ok(file) => Box::new(file),
                Err(source) => return Err(AccessLogError::Open { path, source }),
            },
            AccessLogSink::Writer(writer) => writer,
        };
        let (sender, batches) = sync_channel(QUEUED_BUFFERS);
        let (finish, finished) = sync_channel(1);
        let counter = lost.clone();
        thread::Builder::new()
            .name("wharf-access-log".to_owned())
            .spawn(move || {
                write_batches(&batches, out, &counter);
                // Nobody has to be waiting for this.
                let _ = finish.send(());
            })
            .map_err(AccessLogError::Thread)?;
        Ok(AccessLog {
            sender: Some(sender),
            lost,
            finished: Arc::new(Mutex::new(Some(finished))),
        })
    }

    /// A worker's own buffer.
    pub fn buffer(&self) -> AccessLogBuffer {
        AccessLogBuffer {
            sender: self.sender.clone(),
            lost: self.lost.clone(),
            batch: Batch {
                lines: 0,
                text: Vec::new(),
            },
            timestamps: Timestamps::default(),
        }
    }

    /// Waits until everything that buffers sent is written, at most `patience`. Drop all buffers and all other
    /// clones first: the writer ends with the last of them. True when all is written.
    pub fn close(self, patience: Duration) -> bool {
        drop(self.sender);
        let finished = self
            .finished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        finished.is_none_or(|finished| finished.recv_timeout(patience).is_ok())
    }
}

fn write_batches(batches: &Receiver<Batch>, mut out: Box<dyn Write + Send>, lost: &Counter) {
    let mut failing = false;
    while let Ok(batch) = batches.recv() {
        match out.write_all(&batch.text).and_then(|()| out.flush()) {
            Ok(()) => failing = false,
            Err(error) => {
                lost.inc_by(batch.lines);
                if !failing {
                    tracing::error!(%error, "The access log cannot be written; its lines are lost until it can.");
                }
                failing = true;
            }
        }
    }
}

/// One worker's lines on their way to the writer.
pub struct AccessLogBuffer {
    sender: Option<SyncSender<Batch>>,
    lost: Counter,
    batch: Batch,
    timestamps: Timestamps,
}

impl AccessLogBuffer {
    /// Formats one line; hands the buffer on when it is full.
    pub fn write(&mut self, entry: &AccessEntry<'_>) {
        if self.sender.is_none() {
            return;
        }
        if self.batch.text.capacity() == 0 {
            self.batch.text.reserve(FLUSH_BYTES + FLUSH_BYTES / 8);
        }
        format_entry(&mut self.batch.text, &mut self.timestamps, entry);
        self.batch.lines += 1;
        if self.batch.text.len() >= FLUSH_BYTES {
            self.flush();
        }
    }

    /// Hands on what is buffered. Never waits: when the writer is stuck, the lines are dropped and counted.
    pub fn flush(&mut self) {
        let Some(sender) = &self.sender else { return };
        if self.batch.lines == 0 {
            return;
        }
        let batch = std::mem::replace(
            &mut self.batch,
            Batch {
                lines: 0,
                text: Vec::new(),
            },
        );
        match sender.try_send(batch) {
            Ok(()) => {}
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => {
                self.lost.inc_by(batch.lines);
                // The lines are lost, their memory is not.
                self.batch.text = batch.text;
                self.batch.text.clear();
            }
        }
    }
}

impl Drop for AccessLogBuffer {
    fn drop(&mut self) {
        self.flush();
    }
}

fn format_entry(out: &mut Vec<u8>, timestamps: &mut Timestamps, entry: &AccessEntry<'_>) {
    let mut object = Object::open(out);
    object.raw_string("time", timestamps.format(entry.time).as_bytes());
    object.string("requestId", entry.request_id.as_bytes());
    object.string("listener", entry.listener.as_bytes());
    object.optional_string("route", entry.route.map(str::as_bytes));
    object.raw_string("client", entry.client.as_bytes());
    object.string("method", entry.method.as_bytes());
    object.string("host", entry.host);
    object.string("path", entry.path.as_bytes());
    object.raw_string("protocol", entry.protocol.as_bytes());
    object.optional_number("status", entry.status.map(u64::from));
    object.optional_string("details", entry.details.map(str::as_bytes));
    object.number("bytesIn", entry.bytes_in);
    object.number("bytesOut", entry.bytes_out);
    object.number("durationUs", micros(entry.duration));
    object.optional_string("upstream", entry.upstream.map(str::as_bytes));
    object.optional_number("upstreamUs", entry.upstream_duration.map(micros));
    object.number("filterUs", micros(entry.filter_duration));
    object.number("faults", u64::from(entry.faults));
    object.close();
    out.push(b'\n');
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
