//! The report for programs. Equal runs give equal reports, unless times are asked for.

use serde_json::{Map, Value, json};
use wharf_abi_proxy_wasm::shared::GuestMetric;
use wharf_abi_proxy_wasm::{HeaderList, MetricType};
use wharf_engine::Fault;

use super::super::exchange::{Message, Outcome};
use super::super::world::{Answered, AnsweredCall, Notes};
use super::super::{Run, Stage};
use super::{as_text, backtrace, direction_name, hex, histogram_count, level_name, metric_kind};

/// The whole report.
pub(crate) fn json(run: &Run, with_times: bool) -> Value {
    let mut metrics = Vec::new();
    run.shared.metrics.for_each(|_, name, metric| {
        metrics.push(json!({ "name": name, "kind": metric_kind(metric), "value": value(metric) }));
    });
    let mut callbacks = Map::new();
    for (callback, timing) in &run.timings {
        let mut entry = json!({ "calls": timing.calls });
        if with_times {
            entry["totalSeconds"] = json!(timing.total.as_secs_f64());
            entry["longestSeconds"] = json!(timing.longest.as_secs_f64());
        }
        callbacks.insert((*callback).to_owned(), entry);
    }
    json!({
        "plugin": run.name.as_str(),
        "ok": run.is_well(),
        "started": run.refused.is_none(),
        "refused": run.refused.as_ref().map(ToString::to_string),
        "requestsLeftOut": run.left_out,
        "stages": run.stages.iter().map(stage).collect::<Vec<_>>(),
        "metrics": metrics,
        "callbacks": callbacks,
        "memoryBytes": run.memory,
        "memoryLimitBytes": run.limits.memory.bytes(),
    })
}

fn value(metric: &GuestMetric) -> Value {
    match metric.get() {
        Ok(value) if metric.kind() == MetricType::Gauge => json!(value.cast_signed()),
        Ok(value) => json!(value),
        Err(_) => json!({ "count": histogram_count(metric), "sum": metric.histogram_sum() }),
    }
}

fn stage(stage: &Stage) -> Value {
    let Notes {
        log,
        refused,
        unknown_properties,
        callouts,
        faults,
        remarks,
    } = &stage.notes;
    let mut value = json!({ "title": stage.title });
    if let Some(outcome) = &stage.outcome {
        value["exchange"] = exchange(outcome);
    }
    value["log"] = log
        .iter()
        .map(|(level, text)| json!({ "level": level_name(*level), "message": text }))
        .collect();
    value["callouts"] = callouts.iter().map(callout).collect();
    value["refusedHostCalls"] = json!(refused);
    value["unknownProperties"] = json!(unknown_properties);
    value["faults"] = faults.iter().map(fault).collect();
    value["remarks"] = json!(remarks);
    value
}

fn exchange(outcome: &Outcome) -> Value {
    json!({
        "sent": headers(&outcome.sent),
        "upstream": outcome.upstream.as_ref().map(message),
        "answer": outcome.answer.as_ref().map(headers),
        "client": outcome.client.as_ref().map(message),
        "answered": outcome.answered.as_ref().map(|details| json!({
            "by": if outcome.failed { "wharf" } else { "filter" },
            "details": details,
        })),
        "reset": outcome.reset.as_ref().map(|reason| format!("{reason:?}")),
        "paused": outcome.paused.map(direction_name),
    })
}

fn message(message: &Message) -> Value {
    let mut value = json!({ "headers": headers(&message.headers) });
    match std::str::from_utf8(&message.body) {
        Ok(text) => value["body"] = json!(text),
        Err(_) => value["bodyHex"] = json!(hex(&message.body)),
    }
    value["trailers"] = json!(message.trailers.as_ref().map(headers));
    value["ended"] = json!(message.ended);
    value
}

fn headers(list: &HeaderList) -> Value {
    list.iter()
        .map(|(name, value)| json!([name.as_str(), as_text(value)]))
        .collect()
}

fn callout(answered: &AnsweredCall) -> Value {
    let call = &answered.call;
    json!({
        "upstream": call.upstream,
        "headers": headers(&call.headers),
        "body": String::from_utf8_lossy(&call.body),
        "trailers": headers(&call.trailers),
        "timeoutMilliseconds": call.timeout.map(|timeout| timeout.as_millis() as u64),
        "answer": match &answered.answered {
            Answered::With(status) => Some(status),
            Answered::Failed | Answered::ByNobody => None,
        },
    })
}

fn fault(fault: &Fault) -> Value {
    json!({
        "kind": fault.kind().label(),
        "callback": fault.callback(),
        "message": fault.to_string(),
        "backtrace": backtrace(fault),
    })
}
