//! What is expected of a policy.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::Complaint;
use crate::table::TEXT;
use crate::yaml::{OtherReader, json_value};

use super::super::Placed;
use super::super::exchange::decode_truth;
use super::super::expect::{LogLine, decode_log_line, decode_or_none, decode_texts, placed, placed_list};
use super::calls::{decode_operation, decode_request};
use super::tables::{CODE, EXPECTED_CALL, POLICY_EXPECT, SETTINGS_EXPECT};

/// The kinds of faults of policies, as they stand in metrics.
pub const POLICY_FAULTS: &[&str] = &[
    "deadline",
    "trap",
    "memory",
    "guest_error",
    "bad_reply",
    "exit",
    "output",
    "patch",
    "protocol",
    "context",
    "bad_request",
    "unsupported",
    "table",
    "stack",
    "missing_export",
    "wrong_signature",
    "instances",
];

/// What is expected of a policy. What is none is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyExpectation {
    /// Texts in the reason for which the policy cannot be used; empty: it can.
    pub load_error_contains: Vec<Placed<String>>,
    /// What it thinks of its settings. None: it takes them.
    pub settings: SettingsExpectation,
    /// Whether the request is let through.
    pub allowed: Option<Placed<bool>>,
    /// The message; inner none: there is none.
    pub message: Option<Placed<Option<String>>>,
    /// Texts in the message.
    pub message_contains: Vec<Placed<String>>,
    /// The HTTP status; inner none: there is none.
    pub code: Option<Placed<Option<i64>>>,
    /// The reason in a word; inner none: there is none.
    pub reason: Option<Placed<Option<String>>>,
    /// All causes, each as `field: reason: message` without what it has not.
    pub causes: Option<Placed<Vec<String>>>,
    /// The operations of the patch; none at all where nothing is changed.
    pub patch: Option<Placed<Vec<Value>>>,
    /// The object as it is in the end.
    pub object: Option<Placed<Value>>,
    /// A part of it.
    pub object_contains: Option<Placed<Value>>,
    /// All warnings.
    pub warnings: Option<Placed<Vec<String>>>,
    /// All audit annotations.
    pub audit_annotations: Option<Placed<BTreeMap<String, String>>>,
    /// The kind of the fault, one of [`POLICY_FAULTS`].
    pub fault: Option<Placed<&'static str>>,
    /// All lines of the log.
    pub log: Option<Placed<Vec<LogLine>>>,
    /// Texts that lines of the log contain, written as `level: message`.
    pub log_contains: Vec<Placed<String>>,
    /// All calls of the host that were granted.
    pub host_calls: Option<Placed<Vec<HostCallExpectation>>>,
    /// All calls of the host that were not granted: the operation, with ` of ` and the kind of objects where that was
    /// what was not granted.
    pub refused_calls: Option<Placed<Vec<String>>>,
}

/// What a policy is to think of its settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettingsExpectation {
    /// Whether it takes them.
    pub valid: Option<Placed<bool>>,
    /// What it says of them; inner none: nothing.
    pub message: Option<Placed<Option<String>>>,
    /// Texts in what it says.
    pub message_contains: Vec<Placed<String>>,
    /// The kind of the fault, one of [`POLICY_FAULTS`].
    pub fault: Option<Placed<&'static str>>,
}

/// A call of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCallExpectation {
    /// The line where it stands.
    pub line: usize,
    /// The namespace and the operation.
    pub call: &'static str,
    /// What is asked, as far as it is looked at.
    pub request: Map<String, Value>,
}

impl SettingsExpectation {
    /// Whether no review follows.
    pub fn ends_the_case(&self) -> bool {
        self.fault.is_some() || self.valid.as_ref().is_some_and(|valid| !valid.value)
    }
}

/// The keys that are about a review.
const OF_REVIEWS: [&str; 11] = [
    "allowed",
    "message",
    "messageContains",
    "code",
    "reason",
    "causes",
    "patch",
    "object",
    "objectContains",
    "warnings",
    "auditAnnotations",
];

/// What is expected of a case; what is wrong with it is reported.
pub(super) fn decode(cx: &mut Context<'_>, case: &Fields<'_>, has_review: bool) -> PolicyExpectation {
    let opened = case
        .item("expect")
        .and_then(|item| Fields::open(cx, item, &POLICY_EXPECT));
    let Some(fields) = opened else {
        return PolicyExpectation::default();
    };
    let expectation = PolicyExpectation {
        load_error_contains: decode_texts(cx, &fields, "loadErrorContains"),
        settings: decode_settings(cx, &fields),
        allowed: decode_truth(cx, &fields, "allowed"),
        message: decode_or_none(cx, &fields, "message", decode_text),
        message_contains: decode_texts(cx, &fields, "messageContains"),
        code: decode_or_none(cx, &fields, "code", |cx, item| item.integer(cx, &CODE, 100, 599)),
        reason: decode_or_none(cx, &fields, "reason", decode_text),
        causes: placed_list(cx, &fields, "causes", decode_text),
        patch: decode_patch(cx, &fields),
        object: placed(cx, &fields, "object", decode_json),
        object_contains: placed(cx, &fields, "objectContains", decode_json),
        warnings: placed_list(cx, &fields, "warnings", decode_text),
        audit_annotations: decode_annotations(cx, &fields),
        fault: placed(cx, &fields, "fault", |cx, item| item.choice(cx, POLICY_FAULTS)),
        log: placed_list(cx, &fields, "log", decode_log_line),
        log_contains: decode_texts(cx, &fields, "logContains"),
        host_calls: placed_list(cx, &fields, "hostCalls", decode_call),
        refused_calls: placed_list(cx, &fields, "refusedCalls", decode_text),
    };
    report_what_cannot_be(cx, &fields, &expectation, has_review);
    expectation
}

/// Reports what is expected of a review that is not made.
fn report_what_cannot_be(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    expectation: &PolicyExpectation,
    has_review: bool,
) {
    let reason = if !expectation.load_error_contains.is_empty() {
        "the policy is expected not to load, and then it is asked nothing"
    } else if expectation.settings.ends_the_case() {
        "the policy is expected to refuse its settings, and then it gets no review"
    } else if !has_review {
        "the case has no review, so that there will be no verdict"
    } else {
        return;
    };
    let mut keys = OF_REVIEWS.iter().chain(&["fault"]);
    if let Some(item) = keys.find_map(|key| fields.item(key)) {
        let complaint = Complaint::new(item.at.clone(), format!("{} cannot be: {reason}", item.name()));
        cx.error(complaint.hint("remove it, or put it into a case of its own"));
    }
}

fn decode_settings(cx: &mut Context<'_>, fields: &Fields<'_>) -> SettingsExpectation {
    let opened = fields
        .item("settings")
        .and_then(|item| Fields::open(cx, item, &SETTINGS_EXPECT));
    let Some(fields) = opened else {
        return SettingsExpectation::default();
    };
    SettingsExpectation {
        valid: decode_truth(cx, &fields, "valid"),
        message: decode_or_none(cx, &fields, "message", decode_text),
        message_contains: decode_texts(cx, &fields, "messageContains"),
        fault: placed(cx, &fields, "fault", |cx, item| item.choice(cx, POLICY_FAULTS)),
    }
}

fn decode_text(cx: &mut Context<'_>, item: &Item<'_>) -> Option<String> {
    item.text(cx, &TEXT).map(str::to_owned)
}

fn decode_json(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Value> {
    json_value(item.node, OtherReader::PolicyServer)
        .map_err(|complaint| cx.error(complaint))
        .ok()
}

/// The operations of a patch; `null` is a list without any.
fn decode_patch(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Placed<Vec<Value>>> {
    let item = fields.item("patch")?;
    let line = cx.line(&item.at);
    if item.node.is_null() {
        return Some(Placed {
            line,
            value: Vec::new(),
        });
    }
    if !item.is_list() {
        item.wrong_kind(cx, fields.kind("patch"));
        return None;
    }
    let mut operations = Vec::new();
    for operation in item.items() {
        let decoded = decode_json(cx, &operation)?;
        if !is_operation(&decoded) {
            let complaint = Complaint::new(
                operation.span(),
                format!("{} is no operation of a JSON Patch", operation.name()),
            );
            cx.error(
                complaint.hint("write for example `{ op: add, path: /metadata/labels/team, value: a }`"),
            );
        }
        operations.push(decoded);
    }
    Some(Placed {
        line,
        value: operations,
    })
}

fn is_operation(value: &Value) -> bool {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let is_known =
        text("op").is_some_and(|op| ["add", "remove", "replace", "move", "copy", "test"].contains(&op));
    is_known && text("path").is_some_and(|path| path.is_empty() || path.starts_with('/'))
}

fn decode_annotations(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Placed<BTreeMap<String, String>>> {
    let item = fields.item("auditAnnotations")?;
    let line = cx.line(&item.at);
    let mut annotations = BTreeMap::new();
    for (entry, item) in fields.map(cx, "auditAnnotations")? {
        let text = decode_text(cx, &item)?;
        annotations.insert(entry.key.clone(), text);
    }
    Some(Placed {
        line,
        value: annotations,
    })
}

fn decode_call(cx: &mut Context<'_>, item: &Item<'_>) -> Option<HostCallExpectation> {
    let line = cx.line(&item.at);
    if !item.is_mapping() {
        let call = decode_operation(cx, item)?;
        return Some(HostCallExpectation {
            line,
            call,
            request: Map::new(),
        });
    }
    let fields = Fields::open(cx, item, &EXPECTED_CALL)?;
    Some(HostCallExpectation {
        line,
        call: decode_operation(cx, fields.item("call")?)?,
        request: decode_request(cx, &fields)?,
    })
}
