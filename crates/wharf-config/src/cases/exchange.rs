//! The start of a filter and the requests that it gets.

use std::time::Duration;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::yaml::Value;

use super::content::decode_contents;
use super::message::{Pseudo, decode_message};
use super::setup::decode_properties;
use super::tables::{ANSWER, ANSWERS, EXCHANGE, METHOD, REQUEST, REQUEST_PATH, RESPONSE, START};
use super::{Answer, Answers, Between, ExchangeCase, Message, Placed, Start, expect};

/// What happens before the first request, and where it says that the filter does not start.
pub(super) fn decode_start<'n>(
    cx: &mut Context<'_>,
    case: &Fields<'n>,
    is_real: bool,
) -> (Start, Option<Item<'n>>) {
    let opened = case.item("start").and_then(|item| Fields::open(cx, item, &START));
    let Some(fields) = opened else {
        return (Start::default(), None);
    };
    let start = Start {
        between: decode_between(cx, &fields, is_real),
        refused: decode_truth(cx, &fields, "refused"),
        expect: expect::decode_stage(cx, &fields),
    };
    let refusal = fields.item("refused").or_else(|| fields.item("fault")).cloned();
    (start, refusal)
}

/// A truth value with its line.
pub(super) fn decode_truth(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Option<Placed<bool>> {
    let item = fields.item(key)?;
    let line = cx.line(&item.at);
    let value = fields.bool(cx, key)?;
    Some(Placed { line, value })
}

/// One of the requests; what is wrong with it is reported.
pub(super) fn decode(cx: &mut Context<'_>, item: &Item<'_>, is_real: bool) -> Option<ExchangeCase> {
    let fields = Fields::open(cx, item, &EXCHANGE)?;
    let (first_line, request) = match fields.item("request") {
        Some(item) => decode_request(cx, item),
        None => (Some(("GET".to_owned(), "/".to_owned())), Some(Message::empty())),
    };
    let response = match fields.item("response") {
        Some(item) => {
            Fields::open(cx, item, &RESPONSE).and_then(|fields| decode_message(cx, &fields, Pseudo::None))
        }
        None => Some(Message::empty()),
    };
    let properties = decode_properties(cx, &fields);
    let between = decode_between(cx, &fields, is_real);
    let expect = expect::decode(cx, &fields);
    let (method, path) = first_line?;
    Some(ExchangeCase {
        line: cx.line(&item.at),
        method,
        path,
        request: request?,
        response: response?,
        properties,
        between,
        expect,
    })
}

fn decode_request(cx: &mut Context<'_>, item: &Item<'_>) -> (Option<(String, String)>, Option<Message>) {
    let Some(fields) = Fields::open(cx, item, &REQUEST) else {
        return (None, None);
    };
    let method = match fields.item("method") {
        Some(item) => decode_method(cx, item),
        None => Some("GET".to_owned()),
    };
    let path = match fields.item("path") {
        Some(item) => decode_path(cx, item),
        None => Some("/".to_owned()),
    };
    let message = decode_message(cx, &fields, Pseudo::OfRequest);
    (method.zip(path), message)
}

pub(super) fn decode_method(cx: &mut Context<'_>, item: &Item<'_>) -> Option<String> {
    let text = item.text(cx, &METHOD)?;
    let is_method = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    if !is_method {
        let complaint = Complaint::new(item.span(), format!("{} is no method", quoted(text)));
        cx.error(complaint.hint("write for example `POST`"));
    }
    is_method.then(|| text.to_owned())
}

pub(super) fn decode_path(cx: &mut Context<'_>, item: &Item<'_>) -> Option<String> {
    let text = item.text(cx, &REQUEST_PATH)?;
    let is_visible = text.bytes().all(|byte| byte > b' ' && byte != 0x7f);
    let is_path = is_visible && (text.starts_with('/') || text == "*");
    if !is_path {
        let complaint = Complaint::new(item.span(), format!("{} is no path", quoted(text)));
        cx.error(complaint.hint("begin it with `/`, and write spaces as `%20`"));
    }
    is_path.then(|| text.to_owned())
}

fn decode_between(cx: &mut Context<'_>, fields: &Fields<'_>, is_real: bool) -> Between {
    let ticks = fields.integer(cx, "ticks").unwrap_or_default();
    Between {
        after: decode_after(cx, fields, is_real).unwrap_or_default(),
        queued: decode_queued(cx, fields),
        callouts: decode_answers(cx, fields),
        ticks: u32::try_from(ticks).unwrap_or_default(),
    }
}

fn decode_after(cx: &mut Context<'_>, fields: &Fields<'_>, is_real: bool) -> Option<Duration> {
    let item = fields.item("after")?;
    if is_real {
        let complaint = Complaint::new(item.at.clone(), "time cannot be made to pass on the real clock");
        cx.error(complaint.hint("remove it, or remove `clock: real`"));
    }
    fields.duration(cx, "after")
}

fn decode_queued(cx: &mut Context<'_>, fields: &Fields<'_>) -> Vec<(String, Vec<super::Content>)> {
    let mut queued = Vec::new();
    for (entry, item) in fields.map(cx, "queued").unwrap_or_default() {
        let items = decode_contents(cx, &item);
        queued.extend(items.map(|items| (entry.key.clone(), items)));
    }
    queued
}

/// What upstreams answer.
pub(super) fn decode_answers(cx: &mut Context<'_>, fields: &Fields<'_>) -> Answers {
    let mut answers = Answers::new();
    for (entry, item) in fields.map(cx, "callouts").unwrap_or_default() {
        let items = match &item.node.value {
            Value::List(_) => item.list(cx, &ANSWERS, 1),
            _ => Some(vec![item]),
        };
        let items = items.unwrap_or_default();
        let decoded: Vec<_> = items.iter().map(|item| decode_answer(cx, item)).collect();
        let decoded: Option<Vec<_>> = decoded.into_iter().collect();
        if let Some(decoded) = decoded.filter(|answers| !answers.is_empty()) {
            answers.insert(entry.key.clone(), decoded);
        }
    }
    answers
}

fn decode_answer(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Answer> {
    if item.is_mapping() {
        let fields = Fields::open(cx, item, &ANSWER)?;
        return decode_message(cx, &fields, Pseudo::None).map(Answer::Responds);
    }
    if item.plain_text() == Some("fails") {
        return Some(Answer::Fails);
    }
    let message = format!("{} is no answer to a call-out", item.name());
    cx.error(Complaint::new(item.span(), message).hint("write `{ status: 200 }`, or `fails`"));
    None
}
