//! A call of any waPC guest.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use wharf_abi_wapc::wapc::{CallError, Guest, Host, HostCall, LoadError, Stdio};
use wharf_config::cases::{Clock, Randomness};
use wharf_engine::{Deadline, FaultKind};

use super::{Output, Stop, Subject, failed, host, inspect_hint, load};
use crate::commands::run::report::{backtrace, hex};
use crate::commands::senses::{Random, Time};
use crate::commands::single::shown;
use crate::exit::Code;
use crate::words::{print, print_bytes, say};

/// The most lines, and the most bytes of them, that are kept of a guest that says things without end.
const MOST_LINES: usize = 10_000;
const MOST_BYTES: usize = 64 << 20;

/// What a guest said beside its answer.
#[derive(Default)]
struct Said {
    log: Vec<String>,
    host_calls: Vec<String>,
    kept: usize,
    /// How many lines were left out.
    left_out: usize,
}

impl Said {
    /// Whether so many bytes more are kept, as one more line.
    fn keeps(&mut self, bytes: usize) -> bool {
        let kept = self.kept.saturating_add(bytes);
        if kept > MOST_BYTES || self.log.len() + self.host_calls.len() >= MOST_LINES {
            self.left_out += 1;
            return false;
        }
        self.kept = kept;
        true
    }

    fn log(&mut self, text: String) {
        if self.keeps(text.len()) {
            self.log.push(text);
        }
    }
}

/// Nobody answers host calls; they are told.
struct CallHost {
    said: Rc<RefCell<Said>>,
    time: Time,
    random: Random,
}

impl Host for CallHost {
    fn host_call(&mut self, call: &HostCall<'_>) -> Result<Vec<u8>, String> {
        let HostCall {
            binding,
            namespace,
            operation,
            payload,
            ..
        } = call;
        let line = format!("{binding}/{namespace}/{operation}, {} bytes", payload.len());
        let mut said = self.said.borrow_mut();
        if said.keeps(line.len()) {
            said.host_calls.push(line);
        }
        Err(format!("nobody answers {binding}/{namespace}/{operation} here"))
    }

    fn console_log(&mut self, text: &str) {
        self.said.borrow_mut().log(text.to_owned());
    }

    fn output(&mut self, stream: Stdio, text: &str) {
        let stream = match stream {
            Stdio::Stdout => "stdout",
            Stdio::Stderr => "stderr",
        };
        self.said.borrow_mut().log(format!("{stream}: {text}"));
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        self.time.realtime()
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        self.time.monotonic()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        host::fill(&mut self.random, buffer);
    }
}

/// Calls an operation and prints the answer as it is.
pub(super) fn call(
    subject: &Subject<'_>,
    operation: &str,
    payload: Option<Bytes>,
    output: Output,
) -> Result<Code, Stop> {
    let (loaded, limits) = load(subject)?;
    let guest = Guest::new(&loaded.module, &limits).map_err(|error| {
        let hint = match error {
            LoadError::MissingExport(_) => {
                "--operation calls waPC guests; without it `wharf run` takes filters".to_owned()
            }
            _ => inspect_hint(subject.module),
        };
        Stop::Module(error.into(), hint)
    })?;
    let said = Rc::<RefCell<Said>>::default();
    let started = Instant::now();
    let host = CallHost {
        said: Rc::clone(&said),
        time: Time::new(Clock::Real),
        random: Random::new(Randomness::Real),
    };
    let payload = payload.unwrap_or_default().to_vec();
    let answer = guest.call(
        operation,
        payload,
        Box::new(host),
        Deadline::after(limits.deadline),
    );
    let took = started.elapsed();
    let said = said.take();
    if output.json {
        let mut report = json!({
            "plugin": loaded.name.as_str(),
            "operation": operation,
            "ok": answer.is_ok(),
            "error": answer.as_ref().err().map(|error| told(error, limits.deadline)),
            "backtrace": answer.as_ref().err().map(frames),
            "log": said.log,
            "hostCalls": said.host_calls,
        });
        match answer.as_deref().map(std::str::from_utf8) {
            Ok(Ok(text)) => report["answer"] = json!(text),
            Ok(Err(_)) => report["answerHex"] = json!(answer.as_deref().map(hex).unwrap_or_default()),
            Err(_) => {}
        }
        if said.left_out > 0 {
            report["leftOut"] = json!(said.left_out);
        }
        if output.times {
            report["seconds"] = json!(took.as_secs_f64());
        }
        return Ok(match print(format_args!("{report:#}")) {
            Err(_) => Code::Failure,
            Ok(()) if answer.is_ok() => Code::Success,
            Ok(()) => Code::Plugin,
        });
    }
    let mut lines = String::new();
    for line in &said.log {
        let _ = writeln!(lines, "log: {}", shown(line.trim_end()));
    }
    for line in &said.host_calls {
        let _ = writeln!(lines, "host call that nobody answered: {}", shown(line));
    }
    if said.left_out > 0 {
        let _ = writeln!(lines, "{} more lines of the guest are left out", said.left_out);
    }
    if !lines.is_empty() {
        say(lines.trim_end());
    }
    Ok(match answer {
        Ok(answer) => match print_bytes(&answer) {
            Ok(()) => Code::Success,
            Err(_) => Code::Failure,
        },
        Err(error) => failed(&Shown(told(&error, limits.deadline)), &frames(&error), None),
    })
}

/// What a guest says of its failure, with nothing in it that commands a terminal.
#[derive(Debug)]
struct Shown(String);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<_> = self.0.trim_end().lines().map(shown).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Shown {}

/// Why there is no answer. Of a deadline, what was given counts, and not what was left of it when the guest began.
fn told(error: &CallError, given: Duration) -> String {
    match error {
        CallError::Fault { fault, .. } if matches!(fault.kind(), FaultKind::DeadlineExceeded { .. }) => {
            format!(
                "in {}: the guest ran past its deadline of {given:?}",
                fault.callback()
            )
        }
        other => other.to_string(),
    }
}

fn frames(error: &CallError) -> Vec<String> {
    match error {
        CallError::Fault { fault, .. } => backtrace(fault),
        _ => Vec::new(),
    }
}
