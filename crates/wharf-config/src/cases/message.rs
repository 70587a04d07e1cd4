//! Requests, responses and headers as cases give them.

use http::{HeaderName, HeaderValue};

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::table::Kind;

use super::content::decode_body;
use super::tables::{HEADER, STATUS};
use super::{Answer, Header, Message};

/// Which pseudo-headers may stand among headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pseudo {
    /// Those of a request that have no key of their own.
    OfRequest,
    /// All: what is expected may be anything.
    All,
    None,
}

/// A message: the status, where it has one, headers, body and trailers.
pub(super) fn decode_message(cx: &mut Context<'_>, fields: &Fields<'_>, pseudo: Pseudo) -> Option<Message> {
    let status = match fields.item("status") {
        Some(item) => decode_status(cx, item),
        None => Some(200),
    };
    let headers = decode_headers(cx, fields, "headers", pseudo);
    let body = decode_body(cx, fields, "body");
    let trailers = decode_headers(cx, fields, "trailers", Pseudo::None);
    Some(Message {
        status: status?,
        headers: headers?,
        body: body?,
        trailers: trailers?,
    })
}

impl Answer {
    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        const ENTRY: usize = 64;
        let Self::Responds(message) = self else {
            return ENTRY;
        };
        let headers = message.headers.iter().chain(&message.trailers);
        let body = message.body.iter().map(|piece| ENTRY + piece.weight());
        headers
            .map(|(name, value)| ENTRY + name.len() + value.len())
            .chain(body)
            .sum::<usize>()
            + ENTRY
    }
}

impl Message {
    /// A message with nothing in it.
    pub(super) fn empty() -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
            trailers: Vec::new(),
        }
    }
}

pub(super) fn decode_status(cx: &mut Context<'_>, item: &Item<'_>) -> Option<u16> {
    let Kind::Integer { min, max } = STATUS else {
        return None;
    };
    let status = item.integer(cx, &STATUS, min, max)?;
    u16::try_from(status).ok()
}

fn decode_headers(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    key: &str,
    pseudo: Pseudo,
) -> Option<Vec<Header>> {
    let items = fields.list(cx, key)?;
    let headers: Vec<_> = items
        .iter()
        .map(|item| {
            let (name, value) = decode_pair(cx, item, &HEADER)?;
            match value {
                Some(value) => checked_header(cx, item, &name, &value, pseudo),
                None => {
                    not_a_header(cx, item, &name);
                    None
                }
            }
        })
        .collect();
    headers.into_iter().collect()
}

/// `name: value` as text, or as the mapping that it is without quotes. Without a colon there is no value.
pub(super) fn decode_pair(
    cx: &mut Context<'_>,
    item: &Item<'_>,
    kind: &Kind,
) -> Option<(String, Option<String>)> {
    let children = item.children();
    if let [value] = children.as_slice() {
        let name = item.keys().into_iter().next()?;
        let value = value.text(cx, &Kind::TextOrNumber)?;
        return Some((name, Some(value.trim().to_owned())));
    }
    if item.is_mapping() {
        let complaint = Complaint::new(
            item.span(),
            format!("{} has {} entries", item.name(), children.len()),
        );
        cx.error(complaint.hint("begin each with `- `"));
        return None;
    }
    let text = item.text(cx, kind)?;
    // The names of `:path` and its like begin with a colon.
    let colon = text
        .char_indices()
        .skip(1)
        .find(|(_, character)| *character == ':');
    Some(match colon {
        Some((at, _)) => (
            text[..at].trim().to_owned(),
            Some(text[at + 1..].trim().to_owned()),
        ),
        None => (text.trim().to_owned(), None),
    })
}

fn not_a_header(cx: &mut Context<'_>, item: &Item<'_>, text: &str) {
    let complaint = Complaint::new(item.span(), format!("{} has no colon in it", quoted(text)));
    cx.error(complaint.hint("write a name, a colon and a value, such as `accept: text/plain`"));
}

/// The header, with its name in lower case and `host` as `:authority`, if there can be such a one.
pub(super) fn checked_header(
    cx: &mut Context<'_>,
    item: &Item<'_>,
    name: &str,
    value: &str,
    pseudo: Pseudo,
) -> Option<Header> {
    let name = checked_name(cx, item, name, pseudo)?;
    if HeaderValue::from_str(value).is_err() && HeaderValue::from_bytes(value.as_bytes()).is_err() {
        let message = format!("the value of {} has a control character in it", quoted(&name));
        cx.error(Complaint::new(item.span(), message).hint("no header can have that; remove it"));
        return None;
    }
    Some((name, value.to_owned()))
}

pub(super) fn checked_name(
    cx: &mut Context<'_>,
    item: &Item<'_>,
    name: &str,
    pseudo: Pseudo,
) -> Option<String> {
    let allowed: &[&str] = match pseudo {
        Pseudo::OfRequest => &[":authority", ":scheme"],
        Pseudo::All => &[":method", ":scheme", ":authority", ":path", ":status"],
        Pseudo::None => &[],
    };
    let lower = name.to_ascii_lowercase();
    if lower == "host" && pseudo != Pseudo::None {
        return Some(":authority".to_owned());
    }
    if allowed.contains(&lower.as_str()) {
        return Some(lower);
    }
    let complaint = match lower.as_str() {
        ":method" | ":path" | ":status" => {
            let key = &lower[1..];
            Complaint::new(item.span(), format!("{} has a key of its own", quoted(&lower)))
                .hint(format!("write `{key}:` beside the headers"))
        }
        _ if HeaderName::from_bytes(lower.as_bytes()).is_ok() => return Some(lower),
        _ => Complaint::new(item.span(), format!("{} is not a header name", quoted(name)))
            .hint("a name is made of letters, digits and marks such as `-`"),
    };
    cx.error(complaint);
    None
}
