//! What a run brought to light, for people and for programs.

mod json;

use std::fmt::Write;

use wharf_abi_proxy_wasm::shared::GuestMetric;
use wharf_abi_proxy_wasm::{Direction, HeaderList, HttpCall, LogLevel, MetricType};
use wharf_engine::Fault;
use wharf_plugin::ByteSize;

pub(super) use self::json::json;
use super::exchange::{Message, Outcome};
use super::world::{Answered, AnsweredCall, Notes};
use super::{Run, Stage};
use crate::commands::single::shown;

/// How much of a body is shown.
const MOST_SHOWN: usize = 4096;

/// How a run is told.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Telling {
    /// Whether what it asks for is given by flags, or else by keys of a case.
    by_flags: bool,
    /// Whether times, memory and backtraces are told. They are not the same in each run, or with each compiler.
    with_costs: bool,
    /// Whether bodies are shown to the last byte.
    with_whole_bodies: bool,
}

impl Telling {
    /// To whoever runs a filter by hand.
    pub(super) const OF_RUN: Self = Self {
        by_flags: true,
        with_costs: true,
        with_whole_bodies: false,
    };
    /// To whoever looks at a case that failed.
    pub(in crate::commands) const OF_CASE: Self = Self {
        by_flags: false,
        with_costs: true,
        with_whole_bodies: false,
    };
    /// To whoever looks at a case later.
    pub(in crate::commands) const OF_PASSED_CASE: Self = Self {
        by_flags: false,
        with_costs: false,
        with_whole_bodies: false,
    };
    /// To be compared with another run.
    pub(in crate::commands) const GOLDEN: Self = Self {
        by_flags: false,
        with_costs: false,
        with_whole_bodies: true,
    };
}

/// The report as text. Writing to a text cannot fail, so the results of `writeln!` are not looked at.
pub(in crate::commands) fn text(run: &Run, telling: Telling) -> String {
    let mut out = String::new();
    for stage in &run.stages {
        if stage.outcome.is_some() || !stage.notes.is_empty() {
            show_stage(&mut out, stage, telling);
        }
    }
    if let Some(reason) = &run.refused {
        let _ = writeln!(
            out,
            "{} did not start: {}\n",
            run.name,
            shown(&reason.to_string())
        );
    }
    if run.left_out > 0 {
        let plural = if run.left_out == 1 {
            "request was"
        } else {
            "requests were"
        };
        let why = if run.refused.is_some() {
            "did not start"
        } else {
            "had faulted"
        };
        let _ = writeln!(
            out,
            "{} {plural} not made, because the filter {why}\n",
            run.left_out
        );
    }
    show_metrics(&mut out, run);
    if telling.with_costs {
        show_costs(&mut out, run);
    }
    out
}

fn show_costs(out: &mut String, run: &Run) {
    if !run.timings.is_empty() {
        let _ = writeln!(out, "time inside the guest");
    }
    for (callback, timing) in &run.timings {
        let _ = writeln!(
            out,
            "  {callback}: {}, {:?} together, {:?} at most",
            if timing.calls == 1 {
                "1 call".to_owned()
            } else {
                format!("{} calls", timing.calls)
            },
            timing.total,
            timing.longest
        );
    }
    if let Some(bytes) = run.memory {
        let size = ByteSize::from_bytes(bytes as u64);
        let _ = writeln!(out, "memory of the guest: {size} of {}", run.limits.memory);
    }
}

impl Notes {
    pub(in crate::commands) fn is_empty(&self) -> bool {
        self.log.is_empty()
            && self.refused.is_empty()
            && self.unknown_properties.is_empty()
            && self.callouts.is_empty()
            && self.faults.is_empty()
            && self.remarks.is_empty()
    }
}

fn show_stage(out: &mut String, stage: &Stage, telling: Telling) {
    let _ = writeln!(out, "{}", shown(&stage.title));
    if let Some(outcome) = &stage.outcome {
        show_outcome(out, outcome, telling);
    }
    show_notes(out, &stage.notes, telling);
    out.push('\n');
}

/// What the filter did in a stage, beside its messages.
pub(in crate::commands) fn show_notes(out: &mut String, notes: &Notes, telling: Telling) {
    section(
        out,
        "log",
        notes.log.iter().map(|(level, text)| log_line(*level, text)),
    );
    let callouts = notes.callouts.iter();
    section(out, "call-outs", callouts.map(|call| callout(call, telling)));
    section(
        out,
        "refused host calls",
        notes.refused.iter().map(|text| shown(text)),
    );
    let unknown = notes.unknown_properties.iter().map(|name| shown(name));
    let title = format!(
        "properties that are not known here; {} gives them",
        if telling.by_flags {
            "--property PATH=TEXT"
        } else {
            "`properties`"
        }
    );
    section(out, &title, unknown);
    section(out, "remarks", notes.remarks.iter().map(|text| shown(text)));
    for fault in &notes.faults {
        let frames = if telling.with_costs {
            backtrace(fault)
        } else {
            Vec::new()
        };
        section(
            out,
            &format!("fault {}", shown(&fault.to_string())),
            frames.into_iter(),
        );
    }
}

fn log_line(level: LogLevel, text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().map(shown).collect();
    format!("{:<8} {}", level_name(level), lines.join("\n             "))
}

pub(in crate::commands) fn backtrace(fault: &Fault) -> Vec<String> {
    let frames = fault.backtrace().iter();
    frames
        .map(|frame| format!("at {}", shown(&frame.to_string())))
        .collect()
}

fn section(out: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() && !title.starts_with("fault ") {
        return;
    }
    let _ = writeln!(out, "  {title}");
    for line in lines {
        let _ = writeln!(out, "    {line}");
    }
}

fn show_outcome(out: &mut String, outcome: &Outcome, telling: Telling) {
    match &outcome.upstream {
        Some(message) => show_message(out, "to the upstream", message, Some(&outcome.sent), telling),
        None => _ = writeln!(out, "  to the upstream: nothing"),
    }
    let came = outcome.answer.as_ref().filter(|_| outcome.answered.is_none());
    match &outcome.client {
        Some(message) => show_message(out, "to the client", message, came, telling),
        None => _ = writeln!(out, "  to the client: nothing"),
    }
    if let Some(details) = &outcome.answered {
        let details = if details.is_empty() {
            "no reason was given"
        } else {
            details
        };
        let who = if outcome.failed {
            "Wharf answered for the filter"
        } else {
            "the filter answered by itself"
        };
        let _ = writeln!(out, "  {who}: {}", shown(details));
    }
    if let Some(reason) = &outcome.reset {
        let _ = writeln!(out, "  the exchange was broken off: {reason:?}");
    }
    if let Some(direction) = outcome.paused {
        let what = direction_name(direction);
        let _ = writeln!(
            out,
            "  the filter holds the {what}, and nothing comes any more that would let it go on"
        );
    }
}

/// A message; `+` and `-` before headers say what the filter added and took away of what came.
fn show_message(
    out: &mut String,
    title: &str,
    message: &Message,
    came: Option<&HeaderList>,
    telling: Telling,
) {
    let _ = writeln!(out, "  {title}");
    for (mark, name, value) in compare(&message.headers, came) {
        let _ = writeln!(out, "  {mark} {name}: {}", shown(&value));
    }
    if !message.body.is_empty() {
        let plural = if message.body.len() == 1 { "" } else { "s" };
        let _ = writeln!(out, "    ({} byte{plural})", message.body.len());
        show_body(out, &message.body, telling);
    }
    for (name, value) in message.trailers.iter().flat_map(HeaderList::iter) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let _ = writeln!(out, "    trailer {name}: {}", shown(&value));
    }
    let length = message
        .headers
        .get_str("content-length")
        .and_then(|text| text.parse().ok());
    if message.ended
        && length.is_some_and(|length: usize| length != message.body.len() && !message.body.is_empty())
    {
        let _ = writeln!(out, "    content-length is not the length of this body");
    }
    if !message.ended {
        let _ = writeln!(out, "    (its end did not come)");
    }
}

fn show_body(out: &mut String, body: &[u8], telling: Telling) {
    let Ok(text) = std::str::from_utf8(body) else {
        if telling.with_whole_bodies {
            for row in body.chunks(32) {
                let _ = writeln!(out, "    | {}", hex(row));
            }
        } else {
            let _ = writeln!(out, "    | (not text)");
        }
        return;
    };
    let most = if telling.with_whole_bodies {
        text.len()
    } else {
        MOST_SHOWN
    };
    let end = text.floor_char_boundary(most);
    for line in text[..end].lines() {
        let _ = writeln!(out, "    | {}", shown(line));
    }
    if end < text.len() {
        let _ = writeln!(out, "    | … {} bytes more", text.len() - end);
    }
}

/// Bytes as pairs of hexadecimal digits.
pub(in crate::commands) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The headers that left, each marked where it did not come so, and those that came and did not leave.
pub(in crate::commands) fn compare(
    left: &HeaderList,
    came: Option<&HeaderList>,
) -> Vec<(char, String, String)> {
    let pairs = |list: &HeaderList| -> Vec<(String, String)> {
        let pair = |(name, value): (&wharf_abi_proxy_wasm::Name, &_)| (name.to_string(), as_text(value));
        list.iter().map(pair).collect()
    };
    let mut gone = came.map(pairs).unwrap_or_default();
    let mut lines = Vec::new();
    for pair in pairs(left) {
        let kept = gone.iter().position(|other| *other == pair);
        if let Some(index) = kept {
            gone.remove(index);
        }
        let mark = if kept.is_some() || came.is_none() {
            ' '
        } else {
            '+'
        };
        lines.push((mark, pair.0, pair.1));
    }
    lines.extend(gone.into_iter().map(|(name, value)| ('-', name, value)));
    lines
}

/// What a call-out asks for, as it stands in reports and expectations.
pub(in crate::commands) fn call_line(call: &HttpCall) -> String {
    let header = |name| call.headers.get_str(name).unwrap_or_default();
    format!("{}: {} {}", call.upstream, header(":method"), header(":path"))
}

/// A header's value as text; bytes that are none are replaced.
pub(in crate::commands) fn as_text(value: &impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(value.as_ref()).into_owned()
}

fn callout(answered: &AnsweredCall, telling: Telling) -> String {
    let call = &answered.call;
    let answer = match &answered.answered {
        Answered::With(status) => format!("answered with {status}"),
        Answered::Failed => "failed, as it was to".to_owned(),
        Answered::ByNobody if telling.by_flags => format!(
            "failed, since no --callout '{}=STATUS BODY' was given",
            call.upstream
        ),
        Answered::ByNobody => format!("failed, since `callouts` has no answer of {}", call.upstream),
    };
    shown(&format!(
        "{}, {} bytes: {answer}",
        call_line(call),
        call.body.len()
    ))
}

fn show_metrics(out: &mut String, run: &Run) {
    let mut lines = Vec::new();
    run.shared.metrics.for_each(|_, name, metric| {
        lines.push(format!(
            "  {} {} {}",
            metric_kind(metric),
            shown(name),
            metric_value(metric)
        ));
    });
    if !lines.is_empty() {
        let _ = writeln!(out, "metrics\n{}\n", lines.join("\n"));
    }
}

pub(in crate::commands) fn metric_kind(metric: &GuestMetric) -> &'static str {
    match metric.kind() {
        MetricType::Counter => "counter",
        MetricType::Gauge => "gauge",
        MetricType::Histogram => "histogram",
    }
}

pub(in crate::commands) fn metric_value(metric: &GuestMetric) -> String {
    match metric.get() {
        Ok(value) if metric.kind() == MetricType::Gauge => value.cast_signed().to_string(),
        Ok(value) => value.to_string(),
        Err(_) => format!(
            "{} values, {} together",
            histogram_count(metric),
            metric.histogram_sum()
        ),
    }
}

pub(in crate::commands) fn histogram_count(metric: &GuestMetric) -> u64 {
    metric.histogram_buckets().iter().map(|(_, count)| count).sum()
}

pub(in crate::commands) fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
        LogLevel::Critical => "critical",
    }
}

pub(in crate::commands) fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Request => "request",
        Direction::Response => "response",
    }
}
