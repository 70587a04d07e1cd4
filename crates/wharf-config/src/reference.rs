//! The reference of the file for people, from the tables.

use std::fmt::Write as _;

use crate::root::ROOT;
use crate::table::{Field, Kind, Presence, Section, word_list};

/// The reference of the configuration file as Markdown: each section with its keys, their types, bounds, defaults and
/// meaning.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration reference\n\n\
         <!-- Generated from the tables in crates/wharf-config. Run the tests with UPDATE_EXPECT=1 to write it anew. -->\n\n",
    );
    let _ = writeln!(text, "{} Unknown keys are errors.", ROOT.doc);
    text.push_str(
        "\n`wharf schema` prints the JSON Schema of the file. An editor that knows YAML language servers uses it when the \
         file begins with\n\n```yaml\n# yaml-language-server: $schema=wharf.schema.json\n```\n",
    );
    write_section(&mut text, "", &ROOT);
    text
}

fn write_section(text: &mut String, path: &str, section: &'static Section) {
    if path.is_empty() {
        text.push_str("\n## The top of the file\n\n");
    } else {
        let _ = write!(text, "\n## `{path}`\n\n{}\n\n", section.doc);
    }
    text.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
    for field in section.fields {
        write_field(text, field);
    }
    for field in section.fields {
        let path = if path.is_empty() {
            field.key.to_owned()
        } else {
            format!("{path}.{}", field.key)
        };
        write_sections_below(text, &path, &field.kind);
    }
}

fn write_sections_below(text: &mut String, path: &str, kind: &'static Kind) {
    match kind {
        Kind::Section(section) => write_section(text, path, section),
        Kind::List { item, .. } => write_sections_below(text, &format!("{path}[]"), item),
        Kind::Map { key, value } => write_sections_below(text, &format!("{path}.<{key}>"), value),
        Kind::Either(kinds) => kinds
            .iter()
            .for_each(|kind| write_sections_below(text, path, kind)),
        _ => {}
    }
}

fn write_field(text: &mut String, field: &'static Field) {
    let default = match field.presence {
        Presence::Required => "required".to_owned(),
        Presence::Default("") => "empty".to_owned(),
        Presence::Default(default) => format!("`{default}`"),
        Presence::Absent(words) => words.to_owned(),
    };
    let bounds = field
        .kind
        .bounds()
        .map(|bounds| format!(", {bounds}"))
        .unwrap_or_default();
    let kind = kind_name(&field.kind);
    let _ = writeln!(
        text,
        "| `{}` | {kind}{bounds} | {default} | {} |",
        field.key, field.doc
    );
}

fn kind_name(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Integer { .. } => "whole number".to_owned(),
        Kind::Size { .. } => "size".to_owned(),
        Kind::Duration { .. } => "duration".to_owned(),
        Kind::Choice(words) => word_list(words),
        Kind::Text(rule) => rule.what.to_owned(),
        Kind::TextOrNumber => "text or number".to_owned(),
        Kind::Payload => "text or any other value".to_owned(),
        Kind::Section(section) => format!("mapping ({})", section.id),
        Kind::List { item, .. } => format!("list of {}", kind_name(item)),
        Kind::Map { key, value } => format!("mapping of {key} to {}", kind_name(value)),
        Kind::Either(kinds) => kinds.iter().map(kind_name).collect::<Vec<_>>().join(" or "),
    }
}
