//! What came of asking a policy, for people and for programs.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use wharf_abi_wapc::kubewarden::{
    AdmissionResponse, JsonPatch, PolicyFault, PolicyLog, PolicyLogLevel, ReviewRequest, SettingsVerdict,
};

use super::host::{Call, Notes};
use super::{Asked, Stage, backtrace, replay};
use crate::commands::single::shown;

/// To whom a report is told.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Telling {
    /// Whether what would have granted a call is told as a flag.
    by_flags: bool,
    /// Whether the frames of faults are told, which another build of the policy has otherwise.
    with_frames: bool,
}

impl Telling {
    /// To whoever runs a policy by hand.
    pub(in crate::commands) const OF_RUN: Self = Self {
        by_flags: true,
        with_frames: true,
    };
    /// To whoever looks why a case fails.
    pub(in crate::commands) const OF_CASE: Self = Self {
        by_flags: false,
        with_frames: true,
    };
    /// To be compared with another run.
    pub(in crate::commands) const GOLDEN: Self = Self {
        by_flags: false,
        with_frames: false,
    };
}

/// The report as text. Writing to a text cannot fail, so the results of `writeln!` are not looked at.
pub(super) fn text(asked: &Asked, unwritten: &[String]) -> String {
    let mut out = format!("{} ({})\n", asked.name, asked.policy.mode());
    let remarks = asked.remarks.iter().map(|remark| shown(remark));
    let unwritten = unwritten
        .iter()
        .map(|path| format!("an answer to {path} is no text, and so it was not recorded"));
    section(&mut out, "remarks", remarks.chain(unwritten));
    let settings = &asked.settings;
    let is_worth_telling = !matches!(&settings.outcome, Ok(SettingsVerdict { valid: true, .. }));
    if is_worth_telling || !settings.notes.is_empty() {
        out.push_str("\nsettings\n");
        show_settings(&mut out, settings, Telling::OF_RUN);
    }
    let _ = writeln!(out, "\nreview {}", shown(&title(&asked.request)));
    let Some(review) = &asked.review else {
        out.push_str("  not made, because the policy has no settings that it takes\n");
        return out;
    };
    match &review.outcome {
        Ok(response) => show_response(&mut out, response),
        Err(fault) => show_fault(&mut out, fault, Telling::OF_RUN),
    }
    show_notes(&mut out, &review.notes, Telling::OF_RUN);
    let _ = writeln!(
        out,
        "\ntime: settings {:?}, review {:?} of {:?}",
        settings.took, review.took, asked.deadline
    );
    out
}

/// What the policy thinks of its settings, and what it did to find out.
pub(in crate::commands) fn show_settings(
    out: &mut String,
    settings: &Stage<SettingsVerdict>,
    telling: Telling,
) {
    match &settings.outcome {
        Ok(SettingsVerdict { valid: true, .. }) => out.push_str("  valid\n"),
        Ok(verdict) => {
            let message = verdict.message.as_deref();
            field(out, "refused", message.unwrap_or("no reason was given"));
        }
        Err(fault) => show_fault(out, fault, telling),
    }
    show_notes(out, &settings.notes, telling);
}

/// A review in a few words.
pub(in crate::commands) fn title(request: &ReviewRequest) -> String {
    match request {
        ReviewRequest::Raw(_) if request.uid().is_empty() => "(raw)".to_owned(),
        ReviewRequest::Raw(_) => format!("{} (raw)", request.uid()),
        ReviewRequest::Admission(request) => {
            let group = match request.kind.group.as_str() {
                "" => String::new(),
                group => format!("{group}/"),
            };
            let name = request.name.as_deref().unwrap_or("(no name)");
            let place = match &request.namespace {
                Some(namespace) => format!("{namespace}/{name}"),
                None => name.to_owned(),
            };
            format!(
                "{}: {} {group}{}/{} {place}",
                request.uid, request.operation, request.kind.version, request.kind.kind
            )
        }
    }
}

pub(in crate::commands) fn show_response(out: &mut String, response: &AdmissionResponse) {
    out.push_str(if response.allowed {
        "  allowed\n"
    } else {
        "  refused\n"
    });
    if let Some(status) = &response.status {
        if let Some(message) = &status.message {
            field(out, "message", message);
        }
        if let Some(reason) = &status.reason {
            field(out, "reason", reason);
        }
        if let Some(code) = status.code {
            field(out, "code", &code.to_string());
        }
        section(out, "causes", causes(response).map(|cause| shown(&cause)));
    }
    let warnings = response.warnings.iter().flatten();
    section(out, "warnings", warnings.map(|warning| shown(warning)));
    let annotations = response.audit_annotations.iter().flatten();
    section(
        out,
        "audit annotations",
        annotations.map(|(name, value)| shown(&format!("{name}: {value}"))),
    );
    if let Some(patch) = &response.patch {
        section(out, "patch", operations(patch).iter().map(operation));
    }
}

/// The causes of a refusal, a line each.
pub(in crate::commands) fn causes(response: &AdmissionResponse) -> impl Iterator<Item = String> {
    let details = response.status.iter().flat_map(|status| &status.details);
    details.flat_map(|details| &details.causes).map(|cause| {
        let parts = [&cause.field, &cause.reason, &cause.message];
        let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
        parts.join(": ")
    })
}

/// The operations of a patch. It was made or checked on the way here, so that it can be read.
pub(in crate::commands) fn operations(patch: &JsonPatch) -> Vec<Value> {
    let bytes = STANDARD.decode(patch.base64()).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn operation(operation: &Value) -> String {
    let text = |key: &str| operation.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut line = format!("{:<7} {}", text("op"), text("path"));
    if operation.get("from").is_some() {
        line.push_str(&format!(" from {}", text("from")));
    }
    if let Some(value) = operation.get("value") {
        line.push_str(&format!(" {value}"));
    }
    shown(&line)
}

/// Why there is no verdict.
pub(in crate::commands) fn show_fault(out: &mut String, fault: &PolicyFault, telling: Telling) {
    field(out, &format!("fault ({})", fault.label()), &fault.to_string());
    if !telling.with_frames {
        return;
    }
    for frame in backtrace(fault) {
        let _ = writeln!(out, "    {frame}");
    }
}

/// What else the policy did.
pub(in crate::commands) fn show_notes(out: &mut String, notes: &Notes, telling: Telling) {
    section(out, "log", notes.log.iter().map(log_line));
    section(out, "host calls", notes.calls.iter().map(call_line));
    let refused = notes.refused.iter();
    section(
        out,
        "refused host calls",
        refused.map(|(what, flag)| {
            shown(&match telling.by_flags {
                true => format!("{what}: `{flag}` grants it"),
                false => what.clone(),
            })
        }),
    );
    if notes.is_cut {
        out.push_str("  the policy did more than is kept, and the rest is left out here\n");
    }
}

/// A line of the log.
fn log_line(event: &PolicyLog) -> String {
    let lines: Vec<_> = event.message.trim_end().lines().map(shown).collect();
    let mut text = format!("{:<7} {}", level(event.level), lines.join("\n            "));
    if !event.data.is_empty() {
        let data: Map<_, _> = event.data.clone().into_iter().collect();
        text.push_str(&format!(" {}", shown(&Value::Object(data).to_string())));
    }
    text
}

fn call_line(call: &Call) -> String {
    let answer = match &call.answer {
        Ok(bytes) => format!("answered with {} bytes", bytes.len()),
        Err(error) => format!("failed: {error}"),
    };
    shown(&format!("{}: {answer}", replay::describe(&call.request)))
}

pub(in crate::commands) fn level(level: PolicyLogLevel) -> &'static str {
    match level {
        PolicyLogLevel::Trace => "trace",
        PolicyLogLevel::Debug => "debug",
        PolicyLogLevel::Info => "info",
        PolicyLogLevel::Warning => "warning",
        PolicyLogLevel::Error => "error",
    }
}

/// A text that may have several lines.
fn field(out: &mut String, name: &str, text: &str) {
    let lines: Vec<_> = text.trim_end().lines().map(shown).collect();
    let _ = writeln!(out, "  {name}: {}", lines.join("\n    "));
}

fn section(out: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "  {title}");
    for line in lines {
        let _ = writeln!(out, "    {line}");
    }
}

impl Notes {
    pub(in crate::commands) fn is_empty(&self) -> bool {
        self.log.is_empty() && self.calls.is_empty() && self.refused.is_empty()
    }
}

/// The report for programs. Equal runs give equal reports, unless times are asked for.
pub(super) fn json(asked: &Asked, unwritten: &[String], with_times: bool) -> Value {
    let mut settings = json!({
        "valid": asked.settings.outcome.as_ref().ok().map(|verdict| verdict.valid),
        "message": asked.settings.outcome.as_ref().ok().and_then(|verdict| verdict.message.as_deref()),
    });
    add_stage(&mut settings, &asked.settings, with_times);
    let review = asked.review.as_ref().map(|stage| {
        let mut review = json!({ "verdict": stage.outcome.as_ref().ok().map(verdict) });
        add_stage(&mut review, stage, with_times);
        review
    });
    json!({
        "policy": asked.name,
        "executionMode": asked.policy.mode().as_str(),
        "ok": asked.is_well(),
        "uid": asked.request.uid(),
        "remarks": asked.remarks,
        "settings": settings,
        "review": review,
        "unrecordedAnswers": unwritten,
    })
}

fn verdict(response: &AdmissionResponse) -> Value {
    let status = response.status.as_ref();
    json!({
        "allowed": response.allowed,
        "message": status.and_then(|status| status.message.as_deref()),
        "reason": status.and_then(|status| status.reason.as_deref()),
        "code": status.and_then(|status| status.code),
        "details": status.and_then(|status| status.details.as_ref()),
        "warnings": response.warnings.as_deref().unwrap_or_default(),
        "auditAnnotations": response.audit_annotations.clone().unwrap_or_default(),
        "patch": response.patch.as_ref().map(operations),
    })
}

fn add_stage<T>(report: &mut Value, stage: &Stage<T>, with_times: bool) {
    let Notes {
        log, calls, refused, ..
    } = &stage.notes;
    report["fault"] = match &stage.outcome {
        Ok(_) => Value::Null,
        Err(fault) => json!({
            "kind": fault.label(),
            "message": fault.to_string(),
            "backtrace": backtrace(fault),
        }),
    };
    report["log"] = log
        .iter()
        .map(|event| json!({ "level": level(event.level), "message": event.message, "data": event.data }))
        .collect();
    report["hostCalls"] = calls
        .iter()
        .map(|call| {
            let answer = call.answer.as_ref();
            json!({
                "operation": call.request.path(),
                "request": replay::fields(&call.request),
                "answer": answer.ok().map(|bytes| String::from_utf8_lossy(bytes)),
                "error": answer.err().map(ToString::to_string),
            })
        })
        .collect();
    report["refusedHostCalls"] = refused
        .iter()
        .map(|(what, flag)| json!({ "call": what, "grantedBy": flag }))
        .collect();
    if with_times {
        report["seconds"] = json!(stage.took.as_secs_f64());
    }
}
