//! A proxy as a process, and the log that it writes.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::case::{Exchange, Request};
use crate::client;

/// Envoy compiles each module several times, one after another, before it listens.
const PATIENCE_AT_START: Duration = Duration::from_secs(300);
/// For a proxy that was told to end.
const PATIENCE_AT_END: Duration = Duration::from_secs(10);

/// A running proxy. It is killed when it is dropped.
pub(crate) struct Proxy {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Proxy {
    /// Starts a program whose standard error is its log.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(name: &'static str, command: &mut Command, scratch: &Path) -> Result<Self, String> {
        let log = scratch.join(format!("{name}.log"));
        let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn();
        let program = command.get_program().to_string_lossy();
        let child = child.map_err(|error| format!("{program} cannot be started: {error}"))?;
        Ok(Self { name, child, log })
    }

    /// Waits until it answers at this address, and gives the length of its log by then: all that its filters log when they
    /// start is in there, because one thread starts them and answers.
    ///
    /// # Errors
    /// When it ends, or does not answer in time; with the end of its log.
    pub(crate) fn wait_until_ready(
        &mut self,
        probe: SocketAddr,
        exchange: &Exchange,
    ) -> Result<usize, String> {
        let until = Instant::now() + PATIENCE_AT_START;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failure(&format!("ended: {status}")));
            }
            if answers(probe, &exchange.request) {
                return Ok(self.log_text().len());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Err(self.failure("did not answer in time"))
    }

    /// What went wrong, with the end of the log.
    pub(crate) fn failure(&self, what: &str) -> String {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(30)..].join("\n  ");
        format!("{} {what}. The end of its log:\n  {end}", self.name)
    }

    /// Asks it to end, and waits; gives its whole log.
    ///
    /// # Errors
    /// When it does not end in time, or when it had ended before; with the end of its log.
    pub(crate) fn stop(mut self) -> Result<String, String> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(self.failure(&format!("ended before its time: {status}")));
        }
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            kill_process(pid, Signal::TERM).map_err(|error| format!("{}: {error}", self.name))?;
        }
        match self.wait() {
            Some(_) => Ok(self.log_text()),
            None => Err(self.failure("did not end when it was told to")),
        }
    }

    fn wait(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + PATIENCE_AT_END;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn log_text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn answers(address: SocketAddr, request: &Request) -> bool {
    client::exchange(address, request).is_ok_and(|(message, _)| message.word(1) == "200")
}

/// Addresses that were free just now.
///
/// # Errors
/// When there are not so many.
pub(crate) fn free_addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<Result<_, _>>()?;
    listeners.iter().map(TcpListener::local_addr).collect()
}
