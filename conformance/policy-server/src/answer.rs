//! Two answers, and in what they differ.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What a server said; nothing where it broke the connection off.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Something in which the answers differ.
pub(crate) struct Difference {
    place: String,
    peer: String,
    wharf: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}", self.place)?;
        writeln!(f, "    policy-server | {}", self.peer)?;
        writeln!(f, "    wharf         | {}", self.wharf)
    }
}

/// What differs, but for what means the same: a field that is null or empty and one that is not there; the order of keys; that of
/// causes; and how a patch is encoded. Each tells a fault of a policy in its own words; that it is one must agree.
pub(crate) fn differences(peer: &Option<Answer>, wharf: &Option<Answer>) -> Vec<Difference> {
    let mut found = Vec::new();
    let (Some(peer), Some(wharf)) = (peer, wharf) else {
        if peer.is_some() != wharf.is_some() {
            let of = |answer: &Option<Answer>| match answer {
                Some(answer) => format!("{} {}", answer.status, answer.body),
                None => "the connection was broken off".to_owned(),
            };
            found.push(Difference {
                place: "the answer".to_owned(),
                peer: of(peer),
                wharf: of(wharf),
            });
        }
        return found;
    };
    if peer.status != wharf.status {
        found.push(Difference {
            place: "the status".to_owned(),
            peer: peer.status.to_string(),
            wharf: wharf.status.to_string(),
        });
    }
    let (mut peer, mut wharf) = (peer.body.clone(), wharf.body.clone());
    if is_fault(&peer) && is_fault(&wharf) {
        for told in [&mut peer, &mut wharf] {
            let status = told
                .pointer_mut("/response/status")
                .and_then(Value::as_object_mut);
            if let Some(status) = status {
                status.retain(|key, _| key == "code");
            }
        }
    }
    let (peer, wharf) = (plain(peer), plain(wharf));
    walk("", peer.as_ref(), wharf.as_ref(), &mut found);
    found
}

fn is_fault(body: &Value) -> bool {
    body.pointer("/response/status/code").and_then(Value::as_u64) == Some(500)
}

fn walk(place: &str, peer: Option<&Value>, wharf: Option<&Value>, found: &mut Vec<Difference>) {
    if peer == wharf {
        return;
    }
    if let (Some(Value::Object(a)), Some(Value::Object(b))) = (peer, wharf) {
        let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys {
            walk(&format!("{place}/{key}"), a.get(key), b.get(key), found);
        }
        return;
    }
    let of = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    found.push(Difference {
        place: place.to_owned(),
        peer: of(peer),
        wharf: of(wharf),
    });
}

/// What a value means.
fn plain(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Object(fields) => {
            let fields = fields.into_iter().filter_map(|(key, value)| {
                let value = match (key.as_str(), value) {
                    ("patch", Value::String(text)) => decoded(&text).unwrap_or(Value::String(text)),
                    ("causes", Value::Array(mut causes)) => {
                        causes.sort_by_key(Value::to_string);
                        Value::Array(causes)
                    }
                    (_, value) => value,
                };
                plain(value).map(|value| (key, value))
            });
            let fields: serde_json::Map<_, _> = fields.collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => Some(Value::Array(
            items
                .into_iter()
                .map(|item| plain(item).unwrap_or(Value::Null))
                .collect(),
        )),
        other => Some(other),
    }
}

/// The operations of a patch.
fn decoded(text: &str) -> Option<Value> {
    serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()
}
