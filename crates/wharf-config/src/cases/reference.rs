//! The reference of files of cases for people, from the tables.

use std::fmt::Write as _;

use crate::table::{Field, Kind, Presence, Section, word_list};

use super::policy::tables::{POLICY_GOLDEN, POLICY_TABLE};
use super::tables::{GOLDEN, TABLE};

/// The reference of files of cases as Markdown: each mapping with its keys, their types, defaults and meaning. A mapping
/// that may stand in several places is described once.
pub fn reference() -> String {
    let mut text = String::from(
        "# Reference of test cases\n\n\
         <!-- Generated from the tables in crates/wharf-config. Run the tests with UPDATE_EXPECT=1 to write it anew. -->\n\n\
         All keys of the files that `wharf test` reads; [testing.md](testing.md) shows how they are used. Unknown keys are \
         errors. Where a list has texts with a colon and a space in them, such as headers, the quotes may be left out. What \
         is said of filters begins with [table](#table), of policies with [policyTable](#policytable).\n\n\
         `wharf schema --of test` prints the JSON Schema of these files. An editor that knows YAML language servers uses it \
         when the file begins with\n\n```yaml\n# yaml-language-server: $schema=wharf-test.schema.json\n```\n",
    );
    let mut sections = Vec::new();
    for root in [&TABLE, &GOLDEN, &POLICY_TABLE, &POLICY_GOLDEN] {
        find(root, &mut sections);
    }
    for section in sections {
        let _ = write!(
            text,
            "\n## {}\n\n{}\n\n| key | type | without it | meaning |\n|---|---|---|---|\n",
            section.id, section.doc
        );
        for field in section.fields {
            write_field(&mut text, field);
        }
    }
    text
}

/// Adds a section and those below it, each behind the first that names it.
fn find(section: &'static Section, sections: &mut Vec<&'static Section>) {
    if sections.iter().any(|known| known.id == section.id) {
        return;
    }
    sections.push(section);
    for field in section.fields {
        find_sections(&field.kind, sections);
    }
}

fn find_sections(kind: &'static Kind, sections: &mut Vec<&'static Section>) {
    match kind {
        Kind::Section(section) | Kind::Loose(section) => find(section, sections),
        Kind::List { item, .. } => find_sections(item, sections),
        Kind::Map { value, .. } => find_sections(value, sections),
        Kind::Either(kinds) => kinds.iter().for_each(|kind| find_sections(kind, sections)),
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
    let kind = kind_name(&field.kind);
    let _ = writeln!(text, "| `{}` | {kind} | {default} | {} |", field.key, field.doc);
}

fn kind_name(kind: &Kind) -> String {
    match kind {
        Kind::Integer { min: i64::MIN, .. } => "whole number".to_owned(),
        Kind::Integer { .. } => format!("whole number, {}", kind.bounds().unwrap_or_default()),
        Kind::Size { .. } => format!("size, {}", kind.bounds().unwrap_or_default()),
        Kind::Duration { .. } => "duration such as `50ms`".to_owned(),
        Kind::Choice(words) => word_list(words),
        Kind::Section(section) | Kind::Loose(section) => {
            // Readers of Markdown write the places of headings small.
            format!("[{}](#{})", section.id, section.id.to_ascii_lowercase())
        }
        Kind::List { item, .. } => format!("list, each item {}", kind_name(item)),
        Kind::Map { key, value } => format!("mapping, for each {key} {}", kind_name(value)),
        Kind::Either(kinds) => {
            // The form without quotes is told of once, above.
            let kinds = kinds
                .iter()
                .filter(|kind| !matches!(kind, Kind::Map { key: "name", .. }));
            kinds.map(kind_name).collect::<Vec<_>>().join(" or ")
        }
        other => other.with_article(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_section_has_a_name_of_its_own() {
        let text = reference();
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        let mut unique = headings.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(headings.len(), unique.len());
        for link in text.split("](#").skip(1) {
            let name = link.split(')').next().unwrap();
            let is_meant = |heading: &&&str| heading.to_ascii_lowercase() == format!("## {name}");
            assert_eq!(headings.iter().filter(is_meant).count(), 1, "{name}");
        }
    }
}
