//! Bytes as cases give them: text, a file, JSON, or hexadecimal digits.

use std::path::PathBuf;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::table::TEXT;
use crate::yaml::{Value, json_text};

use super::Content;
use super::tables::CONTENT;

/// The most bytes that a text may have with all its repetitions.
const MOST_BYTES: u64 = 64 << 20;

impl Content {
    pub(super) const EMPTY: Self = Self::Bytes(Vec::new());

    /// About how many bytes it takes as long as nobody reads it.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Bytes(bytes) | Self::Repeated { bytes, .. } => bytes.len(),
            Self::File(path) => path.as_os_str().len(),
        }
    }
}

/// A configuration: text, `{ file: … }`, or any other value, which becomes JSON.
pub(super) fn decode_payload(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Option<Content> {
    let item = fields.item(key)?;
    if let ([only], Some(file)) = (item.children().as_slice(), item.peek("file"))
        && only.plain_text().is_some()
    {
        return decode_file(cx, &file);
    }
    fields.payload(cx, key).map(Content::Bytes)
}

/// Text, or a mapping that says where the bytes are.
pub(super) fn decode_content(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Content> {
    if !item.is_mapping() {
        return item
            .text(cx, &TEXT)
            .map(|text| Content::Bytes(text.as_bytes().to_vec()));
    }
    let fields = Fields::open(cx, item, &CONTENT)?;
    match only_one(cx, item, &fields)? {
        "file" => decode_file(cx, fields.item("file")?),
        "json" => decode_json(cx, fields.item("json")?).map(|text| Content::Bytes(text.into_bytes())),
        "text" => decode_repeated(cx, &fields),
        _ => decode_hex(cx, fields.item("hex")?).map(Content::Bytes),
    }
}

/// A body: one piece, or a list of them.
pub(super) fn decode_body(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Option<Vec<Content>> {
    let Some(item) = fields.item(key) else {
        return Some(Vec::new());
    };
    if matches!(item.node.value, Value::List(_)) {
        return decode_contents(cx, item);
    }
    decode_content(cx, item).map(|content| vec![content])
}

/// A list of pieces or items.
pub(super) fn decode_contents(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Vec<Content>> {
    let items = item.list(cx, &super::tables::CONTENTS, 0)?;
    let contents: Vec<_> = items.iter().map(|item| decode_content(cx, item)).collect();
    contents.into_iter().collect()
}

/// The only key of a mapping that takes one of several.
pub(super) fn only_one(cx: &mut Context<'_>, item: &Item<'_>, fields: &Fields<'_>) -> Option<&'static str> {
    let mut given = vec!["file", "json", "hex", "text"];
    given.retain(|key| fields.item(key).is_some());
    if let (Some(times), false) = (fields.item("times"), given.contains(&"text")) {
        let complaint = Complaint::new(times.at.clone(), "only a `text` can stand there several times");
        cx.error(complaint.hint("remove `times`"));
    }
    if let [only] = given[..] {
        return Some(only);
    }
    let message = if given.is_empty() {
        format!("{} does not say where the bytes are", item.name())
    } else {
        format!("{} says in several ways what the bytes are", item.name())
    };
    cx.error(Complaint::new(item.at.clone(), message).hint("give one of `file`, `json`, `hex` and `text`"));
    None
}

pub(super) fn decode_json(cx: &mut Context<'_>, item: &Item<'_>) -> Option<String> {
    json_text(item.node).map_err(|complaint| cx.error(complaint)).ok()
}

fn decode_file(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Content> {
    decode_path_of_file(cx, item).map(Content::File)
}

/// The path of a file that is there.
pub(super) fn decode_path_of_file(cx: &mut Context<'_>, item: &Item<'_>) -> Option<PathBuf> {
    let text = item.text(cx, &TEXT)?;
    let path = cx.resolve(text);
    match cx.check_file(&path) {
        Ok(()) => Some(path),
        Err(reason) => {
            let message = format!("the file {} {reason}", quoted(&path.to_string_lossy()));
            let hint = "the path is relative to the directory of the case file";
            cx.error(Complaint::new(item.span(), message).hint(hint));
            None
        }
    }
}

fn decode_repeated(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Content> {
    let item = fields.item("text")?;
    let text = item.text(cx, &TEXT)?;
    let times = u32::try_from(fields.integer(cx, "times")?).ok()?;
    if (text.len() as u64).saturating_mul(times.into()) > MOST_BYTES {
        let message = format!("{} is larger than 64 MiB with its `times`", item.name());
        cx.error(Complaint::new(item.at.clone(), message).hint("write a smaller number of `times`"));
        return None;
    }
    Some(Content::Repeated {
        bytes: text.as_bytes().to_vec(),
        times,
    })
}

fn decode_hex(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Vec<u8>> {
    let text = item.text(cx, &crate::table::Kind::TextOrNumber)?;
    let bytes = bytes_of_hex(text);
    if bytes.is_none() {
        let message = format!(
            "{} is not made of pairs of hexadecimal digits",
            quoted(text.trim())
        );
        cx.error(Complaint::new(item.span(), message).hint("write for example `00ff 7a`"));
    }
    bytes
}

/// Pairs of digits, with white space between them where it helps.
fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for word in text.split_ascii_whitespace() {
        let digits: Option<Vec<u32>> = word.chars().map(|digit| digit.to_digit(16)).collect();
        let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
        bytes.extend(digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::bytes_of_hex;

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(bytes_of_hex(""), Some(vec![]));
        assert_eq!(bytes_of_hex("00fF 7a\n01"), Some(vec![0, 255, 0x7a, 1]));
        for bad in ["0", "0 0", "0g", "0x00", "é0"] {
            assert_eq!(bytes_of_hex(bad), None, "{bad}");
        }
    }
}
