//! A node as JSON text, for what is handed on to guests.

use crate::diagnostic::{Complaint, quoted};

use super::{Node, Scalar, ScalarKind, Value};

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
