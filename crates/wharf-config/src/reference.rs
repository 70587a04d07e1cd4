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
    write_section(&mut text, "", "", &ROOT);
    text
}

fn write_section(text: &mut String, path: &str, heading: &str, section: &'static Section) {
    if path.is_empty() {
        text.push_str("\n## The top of the file\n\n");
    } else {
        let _ = write!(text, "\n## {heading}\n\n{}\n\n", section.doc);
    }
    text.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
    for field in section.fields {
        write_field(text, &below(path, field), field);
    }
    for field in section.fields {
        write_sections_below(text, &below(path, field), &field.kind);
    }
}

fn below(path: &str, field: &Field) -> String {
    if path.is_empty() {
        field.key.to_owned()
    } else {
        format!("{path}.{}", field.key)
    }
}

fn write_sections_below(text: &mut String, path: &str, kind: &'static Kind) {
    match kind {
        Kind::Section(section) | Kind::Loose(section) => {
            write_section(text, path, &format!("`{path}`"), section);
        }
        Kind::List { item, .. } => write_sections_below(text, &item_path(path), item),
        Kind::Map { key, value } => write_sections_below(text, &value_path(path, key), value),
        Kind::Either(kinds) => {
            for kind in *kinds {
                match kind {
                    Kind::Section(section) | Kind::Loose(section) => {
                        write_section(text, path, &one_of_several(path, section), section);
                    }
                    other => write_sections_below(text, path, other),
                }
            }
        }
        _ => {}
    }
}

fn item_path(path: &str) -> String {
    format!("{path}[]")
}

fn value_path(path: &str, key: &str) -> String {
    format!("{path}.<{key}>")
}

/// The heading of a section that is one of several that may stand at the same place: its first key tells it from the
/// others.
fn one_of_several(path: &str, section: &Section) -> String {
    let first = section.fields.first().map(|field| field.key).unwrap_or_default();
    format!("`{path}` with `{first}`")
}

fn write_field(text: &mut String, path: &str, field: &'static Field) {
    let default = match field.presence {
        Presence::Required => "required".to_owned(),
        Presence::Default("") => "empty".to_owned(),
        Presence::Default(default) => format!("`{default}`"),
        Presence::Absent(words) => words.to_owned(),
    };
    let kind = kind_name(path, &field.kind);
    let _ = writeln!(text, "| `{}` | {kind} | {default} | {} |", field.key, field.doc);
}

fn kind_name(path: &str, kind: &Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Integer { min, max } if min == max => format!("`{min}`"),
        Kind::Integer { .. } => with_bounds("whole number", kind),
        Kind::Size { .. } => with_bounds("size", kind),
        Kind::Duration { .. } => with_bounds("duration", kind),
        Kind::Choice(words) => word_list(words),
        Kind::Text(rule) => rule.what.to_owned(),
        Kind::TextOrNumber => "text or a number".to_owned(),
        Kind::Payload => "text or any other value".to_owned(),
        Kind::Null => "`null`".to_owned(),
        Kind::Section(_) | Kind::Loose(_) => link("mapping", &format!("`{path}`")),
        Kind::List { item, .. } => format!("list, each item {}", kind_name(&item_path(path), item)),
        Kind::Map { key, value } => format!(
            "mapping, for each {key} {}",
            kind_name(&value_path(path, key), value)
        ),
        Kind::Either(kinds) => {
            let name = |kind: &Kind| match kind {
                Kind::Section(section) | Kind::Loose(section) => {
                    link("mapping", &one_of_several(path, section))
                }
                kind => kind_name(path, kind),
            };
            kinds.iter().map(name).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn with_bounds(name: &str, kind: &Kind) -> String {
    format!("{name}, {}", kind.bounds().unwrap_or_default())
}

/// A link to a heading of the same file, by the rule by which Markdown renderers name headings.
fn link(text: &str, heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    let anchor: String = kept
        .map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() })
        .collect();
    format!("a [{text}](#{anchor})")
}
