//! Files that a policy is tried with: its settings, and what its host answered.

use std::path::Path;

use serde_json::Value;

use crate::decode::{Context, Item};
use crate::diagnostic::{Complaint, ConfigErrors, quoted};
use crate::load::{FileKind, decode, read_text};
use crate::table::{Kind, TEXT};
use crate::yaml::{Documents, OtherReader, json_text, json_value, parse_trees};

const SETTINGS: FileKind = FileKind {
    what: "the file of settings",
    name: "settings.yaml",
    start: "for no settings write `{}`",
};

const REVIEW: FileKind = FileKind {
    what: "the review",
    name: "review.yaml",
    start: "begin with `apiVersion:` and `kind:` of an object",
};

const RECORDING: FileKind = FileKind {
    what: "the recording",
    name: "calls.yaml",
    start: "for a recording without calls write `[]`",
};

/// Reads a policy's settings in YAML or JSON and gives them as JSON text, numbers digit for digit. What they must be, the
/// policy says.
///
/// # Errors
/// The file cannot be read, is larger than 1 MiB, is no YAML, or has what JSON does not have.
pub fn read_settings(path: &Path) -> Result<String, ConfigErrors> {
    read_json(path, &SETTINGS)
}

/// Reads a review, a request or an object in YAML and gives it as JSON text, numbers digit for digit.
///
/// # Errors
/// The file cannot be read, is larger than 1 MiB, is no YAML, or has what JSON does not have.
pub fn read_review(path: &Path) -> Result<String, ConfigErrors> {
    read_json(path, &REVIEW)
}

fn read_json(path: &Path, kind: &FileKind) -> Result<String, ConfigErrors> {
    let text = read_text(path, kind)?;
    let root = |cx: &mut Context<'_>, root: &Item<'_>| {
        json_text(root.node).map_err(|complaint| cx.error(complaint)).ok()
    };
    decode(&text, path, kind, None, root).map(|(json, _)| json)
}

/// A call of a policy to its host, as `kwctl` records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCall {
    /// The line where it begins.
    pub line: usize,
    /// What is asked: the tag of the request without its `!`, such as `KubernetesGetResource`.
    pub request: String,
    /// What belongs to it.
    pub fields: Value,
    /// What came back.
    pub answer: RecordedAnswer,
}

/// What came back from a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedAnswer {
    /// JSON.
    Success(String),
    /// An error.
    Error(String),
}

/// Reads a recording of `kwctl run --record-host-capabilities-interactions`: a list of exchanges, the request of each a
/// text that is YAML with a tag.
///
/// # Errors
/// All that is wrong with it, in one go.
pub fn read_recording(path: &Path) -> Result<Vec<RecordedCall>, ConfigErrors> {
    let text = read_text(path, &RECORDING)?;
    decode(&text, path, &RECORDING, None, |cx, root| {
        let items = root.list(cx, &EXCHANGES, 0)?;
        Some(items.iter().filter_map(|item| exchange(cx, item)).collect())
    })
    .map(|(calls, _)| calls)
}

const EXCHANGES: Kind = Kind::List { item: &TEXT, min: 0 };

fn exchange(cx: &mut Context<'_>, item: &Item<'_>) -> Option<RecordedCall> {
    word(cx, item, "type", &["Exchange"])?;
    let request = text(cx, item, "request")?;
    let (tag, fields) = match tagged(request.plain_text().unwrap_or_default()) {
        Ok(parts) => parts,
        Err(reason) => {
            let complaint = Complaint::new(request.span(), format!("{}: {reason}", request.name()));
            cx.error(complaint.hint(
                "a request is a text in YAML: `!` and its name, such as `!KubernetesGetResource`, and its fields",
            ));
            return None;
        }
    };
    let response = member(cx, item, "response")?;
    let answer = match word(cx, &response, "type", &["Success", "Error"])? {
        "Success" => RecordedAnswer::Success(text(cx, &response, "payload")?.plain_text()?.to_owned()),
        _ => RecordedAnswer::Error(text(cx, &response, "message")?.plain_text()?.to_owned()),
    };
    Some(RecordedCall {
        line: cx.line(&item.span()),
        request: tag,
        fields,
        answer,
    })
}

/// The tag of a request without its `!`, and what follows.
fn tagged(text: &str) -> Result<(String, Value), String> {
    let text = text.trim_start();
    let Some(rest) = text.strip_prefix('!') else {
        return Err("it has no tag".to_owned());
    };
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (tag, fields) = rest.split_at(end);
    if tag.is_empty() || !tag.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(format!("its tag is {}, which is no request", quoted(tag)));
    }
    let mut flaw = None;
    let trees = parse_trees(fields, Documents::One, &mut |complaint| {
        flaw.get_or_insert(complaint.message);
    });
    let trees = trees.map_err(|complaint| complaint.message)?;
    if let Some(flaw) = flaw {
        return Err(flaw);
    }
    let fields = match trees.first() {
        Some(node) => json_value(node, OtherReader::PolicyServer).map_err(|complaint| complaint.message)?,
        None => Value::Null,
    };
    Ok((tag.to_owned(), fields))
}

fn member<'n>(cx: &mut Context<'_>, item: &Item<'n>, key: &str) -> Option<Item<'n>> {
    let found = item.peek(key);
    if found.is_none() {
        let message = match item.is_mapping() {
            true => format!("{} has no {}", item.name(), quoted(key)),
            false => format!(
                "{} is to be a mapping, and this is {}",
                item.name(),
                item.node.kind()
            ),
        };
        cx.error(
            Complaint::new(item.span(), message).hint("is this a recording that `kwctl` or `wharf` wrote?"),
        );
    }
    found
}

fn text<'n>(cx: &mut Context<'_>, item: &Item<'n>, key: &str) -> Option<Item<'n>> {
    let found = member(cx, item, key)?;
    found.text(cx, &TEXT)?;
    Some(found)
}

fn word(
    cx: &mut Context<'_>,
    item: &Item<'_>,
    key: &str,
    words: &'static [&'static str],
) -> Option<&'static str> {
    member(cx, item, key)?.choice(cx, words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_a_tag_and_its_fields() {
        let read = |text: &str| tagged(text).unwrap();
        let parts = |tag: &str, fields: Value| (tag.to_owned(), fields);
        assert_eq!(
            read("!OciManifest\nimage: a:1\n"),
            parts("OciManifest", json!({ "image": "a:1" }))
        );
        assert_eq!(
            read(" !OciManifest {\"image\":\"a\"}"),
            parts("OciManifest", json!({ "image": "a" }))
        );
        assert_eq!(read("!Nothing"), parts("Nothing", Value::Null));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let deep = format!("!X {}", "[".repeat(100_000));
        let mut bomb = "!X\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let below = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(", "));
        }
        for bad in [
            "",
            "a: 1",
            "!",
            "! {}",
            "!!map {}",
            "!<x> {}",
            "!X [",
            "!X {a: 1, a: 2}",
            "!X {a: .inf}",
            "!X a\n---\nb",
            "!X {a: !tag b}",
            &deep,
            &bomb,
        ] {
            assert!(tagged(bad).is_err(), "{}", &bad[..bad.len().min(80)]);
        }
    }
}
