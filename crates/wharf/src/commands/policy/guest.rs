//! A call of any waPC guest.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::json;
use wharf_abi_wapc::wapc::{CallError, Guest, Host, HostCall, LoadError, Stdio};
use wharf_engine::Deadline;

use super::{Output, Stop, Subject, failed, host, inspect_hint, load};
use crate::commands::run::report::{backtrace, hex};
use crate::commands::single::shown;
use crate::exit::Code;
use crate::words::{print, print_bytes, say};

/// What a guest said beside its answer.
#[derive(Default)]
struct Said {
    log: Vec<String>,
    host_calls: Vec<String>,
}

/// Nobody answers host calls; they are told.
struct CallHost {
    said: Rc<RefCell<Said>>,
    started: Instant,
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
        self.said.borrow_mut().host_calls.push(line);
        Err(format!("nobody answers {binding}/{namespace}/{operation} here"))
    }

    fn console_log(&mut self, text: &str) {
        self.said.borrow_mut().log.push(text.to_owned());
    }

    fn output(&mut self, stream: Stdio, text: &str) {
        let stream = match stream {
            Stdio::Stdout => "stdout",
            Stdio::Stderr => "stderr",
        };
        self.said.borrow_mut().log.push(format!("{stream}: {text}"));
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        host::realtime_nanoseconds()
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        host::nanoseconds_since(self.started)
    }

    fn random(&mut self, buffer: &mut [u8]) {
        host::random(buffer);
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
        started,
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
            "error": answer.as_ref().err().map(ToString::to_string),
            "backtrace": answer.as_ref().err().map(frames),
            "log": said.log,
            "hostCalls": said.host_calls,
        });
        match answer.as_deref().map(std::str::from_utf8) {
            Ok(Ok(text)) => report["answer"] = json!(text),
            Ok(Err(_)) => report["answerHex"] = json!(answer.as_deref().map(hex).unwrap_or_default()),
            Err(_) => {}
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
    if !lines.is_empty() {
        say(lines.trim_end());
    }
    Ok(match answer {
        Ok(answer) => match print_bytes(&answer) {
            Ok(()) => Code::Success,
            Err(_) => Code::Failure,
        },
        Err(error) => failed(&Shown(error.to_string()), &frames(&error), None),
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

fn frames(error: &CallError) -> Vec<String> {
    match error {
        CallError::Fault { fault, .. } => backtrace(fault),
        _ => Vec::new(),
    }
}
