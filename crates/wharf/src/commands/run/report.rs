//! What a run brought to light, for people and for programs.

mod json;

use std::fmt::Write;

use wharf_abi_proxy_wasm::shared::GuestMetric;
use wharf_abi_proxy_wasm::{Direction, HeaderList, LogLevel, MetricType};
use wharf_engine::Fault;
use wharf_plugin::ByteSize;

pub(super) use self::json::json;
use super::exchange::{Message, Outcome};
use super::world::{AnsweredCall, Notes};
use super::{Run, Stage};
use crate::commands::single::shown;

/// How much of a body is shown.
const MOST_SHOWN: usize = 4096;

/// The report as text. Writing to a text cannot fail, so the results of `writeln!` are not looked at.
pub(super) fn text(run: &Run) -> String {
    let mut out = String::new();
    for stage in &run.stages {
        if stage.outcome.is_some() || !stage.notes.is_empty() {
            show_stage(&mut out, stage);
        }
    }
    if let Some(reason) = &run.refused {
        let _ = writeln!(out, "{} did not start: {}\n", run.name, shown(reason));
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
    out
}

impl Notes {
    fn is_empty(&self) -> bool {
        self.log.is_empty()
            && self.refused.is_empty()
            && self.unknown_properties.is_empty()
            && self.callouts.is_empty()
            && self.faults.is_empty()
            && self.remarks.is_empty()
    }
}

fn show_stage(out: &mut String, stage: &Stage) {
    let _ = writeln!(out, "{}", shown(&stage.title));
    if let Some(outcome) = &stage.outcome {
        show_outcome(out, outcome);
    }
    let notes = &stage.notes;
    section(
        out,
        "log",
        notes.log.iter().map(|(level, text)| {
            let lines: Vec<_> = text.trim_end().lines().map(shown).collect();
            format!("{:<8} {}", level_name(*level), lines.join("\n             "))
        }),
    );
    section(out, "call-outs", notes.callouts.iter().map(callout));
    section(
        out,
        "refused host calls",
        notes.refused.iter().map(|text| shown(text)),
    );
    let unknown = notes.unknown_properties.iter().map(|name| shown(name));
    section(
        out,
        "properties that are not known here; --property PATH=TEXT gives them",
        unknown,
    );
    section(out, "remarks", notes.remarks.iter().map(|text| shown(text)));
    for fault in &notes.faults {
        section(
            out,
            &format!("fault {}", shown(&fault.to_string())),
            backtrace(fault).into_iter(),
        );
    }
    out.push('\n');
}

fn backtrace(fault: &Fault) -> Vec<String> {
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

fn show_outcome(out: &mut String, outcome: &Outcome) {
    match &outcome.upstream {
        Some(message) => show_message(out, "to the upstream", message, Some(&outcome.sent)),
        None => _ = writeln!(out, "  to the upstream: nothing"),
    }
    let came = outcome.answer.as_ref().filter(|_| outcome.answered.is_none());
    match &outcome.client {
        Some(message) => show_message(out, "to the client", message, came),
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
fn show_message(out: &mut String, title: &str, message: &Message, came: Option<&HeaderList>) {
    let _ = writeln!(out, "  {title}");
    for (mark, name, value) in compare(&message.headers, came) {
        let _ = writeln!(out, "  {mark} {name}: {}", shown(&value));
    }
    if !message.body.is_empty() {
        let plural = if message.body.len() == 1 { "" } else { "s" };
        let _ = writeln!(out, "    ({} byte{plural})", message.body.len());
        show_body(out, &message.body);
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

fn show_body(out: &mut String, body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else {
        let _ = writeln!(out, "    | (not text)");
        return;
    };
    let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= MOST_SHOWN);
    let rest = end.map_or(0, |end| text.len() - end);
    for line in text[..end.unwrap_or(text.len())].lines() {
        let _ = writeln!(out, "    | {}", shown(line));
    }
    if rest > 0 {
        let _ = writeln!(out, "    | … {rest} bytes more");
    }
}

/// The headers that left, each marked where it did not come so, and those that came and did not leave.
fn compare(left: &HeaderList, came: Option<&HeaderList>) -> Vec<(char, String, String)> {
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

/// A header's value as text; bytes that are none are replaced.
fn as_text(value: &impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(value.as_ref()).into_owned()
}

fn callout(answered: &AnsweredCall) -> String {
    let call = &answered.call;
    let header = |name| call.headers.get_str(name).unwrap_or_default();
    let asked = format!("{}: {} {}", call.upstream, header(":method"), header(":path"));
    let answer = match &answered.status {
        Some(status) => format!("answered with {status}"),
        None => format!(
            "failed, since no --callout '{}=STATUS BODY' was given",
            call.upstream
        ),
    };
    shown(&format!("{asked}, {} bytes: {answer}", call.body.len()))
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

fn metric_kind(metric: &GuestMetric) -> &'static str {
    match metric.kind() {
        MetricType::Counter => "counter",
        MetricType::Gauge => "gauge",
        MetricType::Histogram => "histogram",
    }
}

fn metric_value(metric: &GuestMetric) -> String {
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

fn histogram_count(metric: &GuestMetric) -> u64 {
    metric.histogram_buckets().iter().map(|(_, count)| count).sum()
}

fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
        LogLevel::Critical => "critical",
    }
}

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Request => "request",
        Direction::Response => "response",
    }
}
