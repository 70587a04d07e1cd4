//! What is expected of an exchange, and of any other part of a case.

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::nearest::nearest;
use crate::table::{Kind, word_list};

use super::content::{decode_content, decode_json, only_one};
use super::exchange::{decode_method, decode_path, decode_truth};
use super::message::{Pseudo, checked_header, checked_name, decode_pair, decode_status};
use super::tables::{
    CALL, CALL_LINE, CLIENT, CONTENT, EXPECT, HEADER_OR_NAME, LOG_LINE, NAME_OF_HEADER, REPLY, UPSTREAM,
};
use super::{Content, Placed};

/// The kinds of faults, as they stand in metrics and access logs.
pub const FAULTS: &[&str] = &[
    "trap",
    "deadline",
    "memory",
    "table",
    "stack",
    "exit",
    "bad_reply",
    "missing_export",
    "wrong_signature",
    "instances",
];

/// The levels of log lines.
pub const LOG_LEVELS: &[&str] = &["trace", "debug", "info", "warn", "error", "critical"];

/// What is expected of an exchange. What is none is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExchangeExpectation {
    /// What the upstream gets; inner none: nothing.
    pub upstream: Option<Placed<Option<MessageExpectation>>>,
    /// What the client gets; inner none: nothing.
    pub client: Option<Placed<Option<MessageExpectation>>>,
    /// How the filter answers by itself; inner none: it does not.
    pub reply: Option<Placed<Option<ReplyExpectation>>>,
    /// Which message it holds for ever, `request` or `response`; inner none: neither.
    pub paused: Option<Placed<Option<&'static str>>>,
    /// Whether the exchange is broken off.
    pub reset: Option<Placed<bool>>,
    /// What any part of a case has.
    pub stage: StageExpectation,
}

/// What is expected of any part of a case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StageExpectation {
    /// The kind of its fault, one of [`FAULTS`].
    pub fault: Option<Placed<&'static str>>,
    /// All lines of the log.
    pub log: Option<Placed<Vec<LogLine>>>,
    /// Texts that lines of the log contain, written as `level: message`.
    pub log_contains: Vec<Placed<String>>,
    /// All call-outs.
    pub callouts_made: Option<Placed<Vec<CallExpectation>>>,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// One of [`LOG_LEVELS`].
    pub level: &'static str,
    /// The message.
    pub message: String,
}

/// What is expected of a message as one side gets it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageExpectation {
    /// The status of a response.
    pub status: Option<Placed<u16>>,
    /// The method of a request.
    pub method: Option<Placed<String>>,
    /// The path of a request.
    pub path: Option<Placed<String>>,
    /// All headers that it has and the filter was not given.
    pub added: Option<Placed<Vec<HeaderPattern>>>,
    /// All headers that the filter was given and it has not.
    pub removed: Option<Placed<Vec<HeaderPattern>>>,
    /// Headers that it has.
    pub headers: Vec<Placed<HeaderPattern>>,
    /// Names of headers that it has not.
    pub absent: Vec<Placed<String>>,
    /// The body.
    pub body: Option<Placed<BodyExpectation>>,
    /// Texts in the body.
    pub body_contains: Vec<Placed<String>>,
    /// All trailers.
    pub trailers: Option<Placed<Vec<HeaderPattern>>>,
}

/// A header that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderPattern {
    /// The name, in lower case.
    pub name: String,
    /// The value; none: any.
    pub value: Option<String>,
}

/// What a body is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyExpectation {
    /// These bytes.
    Bytes(Content),
    /// JSON that says the same as this text, whatever the order of its keys and its white space.
    Json(String),
}

/// How a filter answers by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplyExpectation {
    /// The status.
    pub status: Option<Placed<u16>>,
    /// The details that it gives for the access log.
    pub details: Option<Placed<String>>,
    /// Whether Wharf answers for the filter, because that holds too much or has failed.
    pub by_wharf: bool,
}

/// A call-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallExpectation {
    /// The line where it stands.
    pub line: usize,
    /// The upstream.
    pub upstream: String,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// Headers, body and trailers, as far as they are looked at.
    pub message: MessageExpectation,
}

/// What is expected of an exchange; what is wrong with it is reported.
pub(super) fn decode(cx: &mut Context<'_>, exchange: &Fields<'_>) -> ExchangeExpectation {
    let opened = exchange
        .item("expect")
        .and_then(|item| Fields::open(cx, item, &EXPECT));
    let Some(fields) = opened else {
        return ExchangeExpectation::default();
    };
    ExchangeExpectation {
        upstream: decode_or_none(cx, &fields, "upstream", |cx, item| {
            let fields = Fields::open(cx, item, &UPSTREAM)?;
            decode_message(cx, &fields)
        }),
        client: decode_or_none(cx, &fields, "client", |cx, item| {
            let fields = Fields::open(cx, item, &CLIENT)?;
            decode_message(cx, &fields)
        }),
        reply: decode_or_none(cx, &fields, "reply", decode_reply),
        paused: decode_or_none(cx, &fields, "paused", |cx, item| {
            item.choice(cx, &["request", "response"])
        }),
        reset: decode_truth(cx, &fields, "reset"),
        stage: decode_stage(cx, &fields),
    }
}

/// Something, or `null` where it is expected not to be there.
pub(super) fn decode_or_none<T>(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    key: &str,
    decode: impl FnOnce(&mut Context<'_>, &Item<'_>) -> Option<T>,
) -> Option<Placed<Option<T>>> {
    let item = fields.item(key)?;
    let line = cx.line(&item.at);
    if item.node.is_null() {
        return Some(Placed { line, value: None });
    }
    let value = decode(cx, item)?;
    Some(Placed {
        line,
        value: Some(value),
    })
}

/// The keys that any part of a case has.
pub(super) fn decode_stage(cx: &mut Context<'_>, fields: &Fields<'_>) -> StageExpectation {
    StageExpectation {
        fault: placed(cx, fields, "fault", |cx, item| item.choice(cx, FAULTS)),
        log: placed_list(cx, fields, "log", decode_log_line),
        log_contains: decode_texts(cx, fields, "logContains"),
        callouts_made: placed_list(cx, fields, "calloutsMade", decode_call),
    }
}

fn decode_reply(cx: &mut Context<'_>, item: &Item<'_>) -> Option<ReplyExpectation> {
    let fields = Fields::open(cx, item, &REPLY)?;
    Some(ReplyExpectation {
        status: placed(cx, &fields, "status", decode_status),
        details: placed(cx, &fields, "details", |cx, item| {
            item.text(cx, &crate::table::TEXT).map(str::to_owned)
        }),
        by_wharf: fields.choice(cx, "by") == Some("wharf"),
    })
}

/// The keys of a message; those that its table has not are not there.
fn decode_message(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<MessageExpectation> {
    Some(MessageExpectation {
        status: placed(cx, fields, "status", decode_status),
        method: placed(cx, fields, "method", decode_method),
        path: placed(cx, fields, "path", decode_path),
        added: placed_patterns(cx, fields, "added"),
        removed: placed_patterns(cx, fields, "removed"),
        headers: decode_each(cx, fields, "headers", decode_pattern),
        absent: decode_each(cx, fields, "absent", |cx, item| {
            let text = item.text(cx, &NAME_OF_HEADER)?;
            checked_name(cx, item, text, Pseudo::All)
        }),
        body: placed(cx, fields, "body", decode_body),
        body_contains: decode_texts(cx, fields, "bodyContains"),
        trailers: placed_patterns(cx, fields, "trailers"),
    })
}

fn placed_patterns(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    key: &str,
) -> Option<Placed<Vec<HeaderPattern>>> {
    placed_list(cx, fields, key, decode_pattern)
}

fn decode_pattern(cx: &mut Context<'_>, item: &Item<'_>) -> Option<HeaderPattern> {
    let (name, value) = decode_pair(cx, item, &HEADER_OR_NAME)?;
    match value {
        Some(value) => {
            let (name, value) = checked_header(cx, item, &name, &value, Pseudo::All)?;
            Some(HeaderPattern {
                name,
                value: Some(value),
            })
        }
        None => checked_name(cx, item, &name, Pseudo::All).map(|name| HeaderPattern { name, value: None }),
    }
}

fn decode_body(cx: &mut Context<'_>, item: &Item<'_>) -> Option<BodyExpectation> {
    if item.is_mapping() {
        let fields = Fields::open(cx, item, &CONTENT)?;
        if fields.item("json").is_some() {
            only_one(cx, item, &fields)?;
            return decode_json(cx, fields.item("json")?).map(BodyExpectation::Json);
        }
    }
    decode_content(cx, item).map(BodyExpectation::Bytes)
}

pub(super) fn decode_log_line(cx: &mut Context<'_>, item: &Item<'_>) -> Option<LogLine> {
    let (level, message) = decode_pair(cx, item, &LOG_LINE)?;
    let known = LOG_LEVELS.iter().find(|known| **known == level);
    if let (Some(level), Some(message)) = (known, message) {
        return Some(LogLine { level, message });
    }
    let hint = match nearest(&level, LOG_LEVELS.iter().copied()) {
        Some(close) if known.is_none() => format!("did you mean `{close}`?"),
        _ => format!(
            "begin it with {} and a colon, such as `info: greeted`",
            word_list(LOG_LEVELS)
        ),
    };
    let message = format!("{} is no level of a log line", quoted(&level));
    cx.error(Complaint::new(item.span(), message).hint(hint));
    None
}

fn decode_call(cx: &mut Context<'_>, item: &Item<'_>) -> Option<CallExpectation> {
    let line = cx.line(&item.at);
    if item.peek("call").is_none() {
        return decode_call_line(cx, item, line, MessageExpectation::default());
    }
    let fields = Fields::open(cx, item, &CALL)?;
    let message = MessageExpectation {
        headers: decode_each(cx, &fields, "headers", decode_pattern),
        absent: decode_each(cx, &fields, "absent", |cx, item| {
            let text = item.text(cx, &NAME_OF_HEADER)?;
            checked_name(cx, item, text, Pseudo::All)
        }),
        body: placed(cx, &fields, "body", decode_body),
        body_contains: decode_texts(cx, &fields, "bodyContains"),
        trailers: placed_patterns(cx, &fields, "trailers"),
        ..MessageExpectation::default()
    };
    decode_call_line(cx, fields.item("call")?, line, message)
}

/// `auth: GET /check`
fn decode_call_line(
    cx: &mut Context<'_>,
    item: &Item<'_>,
    line: usize,
    message: MessageExpectation,
) -> Option<CallExpectation> {
    let words = match item.children().as_slice() {
        [value] => {
            let upstream = item.keys().into_iter().next()?;
            value
                .text(cx, &CALL_LINE)
                .map(|text| (upstream, text.to_owned()))?
        }
        _ => {
            let text = item.text(cx, &CALL_LINE)?;
            let (upstream, rest) = text.split_once(": ").unwrap_or(("", text));
            (upstream.to_owned(), rest.to_owned())
        }
    };
    let (upstream, (method, path)) = (words.0, words.1.split_once(' ').unwrap_or_default());
    if upstream.is_empty() || method.is_empty() || path.is_empty() {
        let complaint = Complaint::new(item.span(), format!("{} names no call-out", item.name()));
        cx.error(complaint.hint("write the upstream, the method and the path, such as `auth: GET /check`"));
        return None;
    }
    Some(CallExpectation {
        line,
        upstream,
        method: method.to_owned(),
        path: path.trim().to_owned(),
        message,
    })
}

/// Texts to be found in something; each must say something, since the empty text is found everywhere.
pub(super) fn decode_texts(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Vec<Placed<String>> {
    decode_each(cx, fields, key, |cx, item| {
        // `- info: greeted` is a mapping without its quotes.
        if let [value] = item.children().as_slice() {
            let name = item.keys().into_iter().next()?;
            let value = value.text(cx, &Kind::TextOrNumber)?;
            return Some(format!("{name}: {value}"));
        }
        let text = item.text(cx, &crate::table::TEXT)?;
        if text.is_empty() {
            let complaint = Complaint::new(item.span(), format!("{} is empty", item.name()));
            cx.error(complaint.hint("remove it: the empty text is found everywhere"));
            return None;
        }
        Some(text.to_owned())
    })
}

pub(super) fn placed<T>(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    key: &str,
    decode: impl FnOnce(&mut Context<'_>, &Item<'_>) -> Option<T>,
) -> Option<Placed<T>> {
    let item = fields.item(key)?;
    let line = cx.line(&item.at);
    decode(cx, item).map(|value| Placed { line, value })
}

pub(super) fn placed_list<T>(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    key: &str,
    mut decode: impl FnMut(&mut Context<'_>, &Item<'_>) -> Option<T>,
) -> Option<Placed<Vec<T>>> {
    let item = fields.item(key)?;
    let line = cx.line(&item.at);
    let items = fields.list(cx, key)?;
    let value = items.iter().filter_map(|item| decode(cx, item)).collect();
    Some(Placed { line, value })
}

fn decode_each<T>(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    key: &str,
    mut decode: impl FnMut(&mut Context<'_>, &Item<'_>) -> Option<T>,
) -> Vec<Placed<T>> {
    if fields.item(key).is_none() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for item in fields.list(cx, key).unwrap_or_default() {
        let line = cx.line(&item.at);
        found.extend(decode(cx, &item).map(|value| Placed { line, value }));
    }
    found
}
