//! A node as JSON, for what is handed on to guests.

use serde_json::{Number, Value as Json};

use crate::diagnostic::{Complaint, quoted};

use super::{Entry, Node, Scalar, ScalarKind, Value};

/// The node as JSON text without white space, keys in the order of the file, numbers digit for digit.
///
/// # Errors
/// When it contains what JSON does not have: infinities and NaN.
pub(crate) fn json_text(node: &Node) -> Result<String, Complaint> {
    let mut text = String::new();
    write_node(&mut text, node)?;
    Ok(text)
}

/// Recursion is bounded: the tree has at most 64 levels.
fn write_node(out: &mut String, node: &Node) -> Result<(), Complaint> {
    match &node.value {
        Value::Scalar(scalar) => write_scalar(out, node, scalar),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                write_comma(out, index);
                write_node(out, item)?;
            }
            out.push(']');
            Ok(())
        }
        Value::Mapping(entries) => {
            out.push('{');
            for (index, entry) in entries.iter().enumerate() {
                write_comma(out, index);
                write_string(out, &entry.key);
                out.push(':');
                write_node(out, &entry.value)?;
            }
            out.push('}');
            Ok(())
        }
    }
}

fn write_scalar(out: &mut String, node: &Node, scalar: &Scalar) -> Result<(), Complaint> {
    match scalar.kind() {
        ScalarKind::Null => out.push_str("null"),
        ScalarKind::Bool => out.push_str(if scalar.as_bool() == Some(true) {
            "true"
        } else {
            "false"
        }),
        ScalarKind::Text => write_string(out, scalar.text()),
        ScalarKind::Integer | ScalarKind::Float => match scalar.as_json_number() {
            Some(number) => out.push_str(&number),
            None => {
                let message = format!(
                    "JSON has no number {}, and the plugin is given JSON",
                    quoted(scalar.text())
                );
                return Err(Complaint::new(node.span.clone(), message)
                    .hint("put it between quotes to give it as text"));
            }
        },
    }
    Ok(())
}

fn write_comma(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Who else reads the same text, and may read some of its words otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtherReader {
    /// Reads YAML 1.2.
    PolicyServer,
    /// Reads YAML 1.1, where `yes` and `off` are truth values.
    Kubectl,
}

/// The words that YAML 1.1 reads as truth values and YAML 1.2 as text, in lower case.
const FORMER_TRUTH_VALUES: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];

const AS_TEXT: &str = "put it between quotes to give it as text";

/// The node as JSON, for policies that others run too.
///
/// # Errors
/// When it contains what JSON does not have, such as infinities; numbers that lose digits in JSON; and words that the
/// other reader takes for something else.
pub(crate) fn json_value(node: &Node, other: OtherReader) -> Result<Json, Complaint> {
    match &node.value {
        Value::Scalar(scalar) => scalar_value(node, scalar, other),
        Value::List(items) => items.iter().map(|item| json_value(item, other)).collect(),
        Value::Mapping(entries) => entries
            .iter()
            .map(|entry| Ok((key(entry)?, json_value(&entry.value, other)?)))
            .collect(),
    }
}

/// A key. Some readers put the keys of another mapping in place of `<<`, some take it for a key.
fn key(entry: &Entry) -> Result<String, Complaint> {
    if entry.key == "<<" {
        let complaint = Complaint::new(entry.key_span.clone(), "merge keys are not understood");
        return Err(complaint.hint("write the keys out; an alias (`*name`) can stand for a whole value"));
    }
    Ok(entry.key.clone())
}

fn scalar_value(node: &Node, scalar: &Scalar, other: OtherReader) -> Result<Json, Complaint> {
    let text = scalar.text();
    let refuse = |message: String, hint: &str| Err(Complaint::new(node.span.clone(), message).hint(hint));
    match scalar.kind() {
        ScalarKind::Null => Ok(Json::Null),
        ScalarKind::Bool => Ok(Json::Bool(scalar.as_bool() == Some(true))),
        ScalarKind::Text if other == OtherReader::Kubectl && is_former_truth_value(scalar) => refuse(
            format!(
                "{} is a truth value for kubectl and text for others",
                quoted(text)
            ),
            "write `true` or `false`, or put it between quotes",
        ),
        ScalarKind::Text => Ok(Json::String(text.to_owned())),
        ScalarKind::Integer if begins_with_zero(text) => refuse(
            format!(
                "{} is an octal number, a decimal number or text, depending on who reads it",
                quoted(text)
            ),
            "put it between quotes, or remove the leading zero",
        ),
        ScalarKind::Integer => match scalar.as_integer().flatten() {
            Some(value) => Ok(value.into()),
            None => match scalar.as_json_number().map(|digits| digits.parse::<u64>()) {
                Some(Ok(value)) => Ok(value.into()),
                _ => refuse(format!("{} has more than 64 bits", quoted(text)), AS_TEXT),
            },
        },
        ScalarKind::Float => {
            let Some(number) = scalar.as_json_number() else {
                return refuse(
                    format!(
                        "JSON has no number {}, and the policy is given JSON",
                        quoted(text)
                    ),
                    AS_TEXT,
                );
            };
            match number.parse().ok().and_then(Number::from_f64) {
                Some(number) => Ok(Json::Number(number)),
                None => refuse(format!("{} is too large for a number", quoted(text)), AS_TEXT),
            }
        }
    }
}

fn is_former_truth_value(scalar: &Scalar) -> bool {
    let same = |word: &&str| scalar.text().eq_ignore_ascii_case(word);
    scalar.is_plain() && FORMER_TRUTH_VALUES.iter().any(same)
}

/// `0644`, but neither `0` nor `0x1F`.
fn begins_with_zero(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}
