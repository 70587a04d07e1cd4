//! The README's table of compatibility.

use std::fmt::Write;

use super::DocsError;
use super::ledger::{self, Section, Support};
use crate::repository::Repository;

const PATH: &str = "README.md";
const BEGIN: &str = "<!-- compatibility: written by `cargo xtask docs` -->";
const END: &str = "<!-- /compatibility -->";

/// The README with a table that is current.
pub(super) fn generate(repository: &Repository) -> Result<String, DocsError> {
    let readme = repository.text(PATH).ok_or(DocsError::Missing { path: PATH })?;
    let missing = |marker| DocsError::Marker { path: PATH, marker };
    let (before, rest) = readme.split_once(BEGIN).ok_or_else(|| missing(BEGIN))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| missing(END))?;
    Ok(format!(
        "{before}{BEGIN}\n{}{END}{after}",
        table(&ledger::read(repository)?)
    ))
}

fn table(sections: &[Section]) -> String {
    let mut text =
        "| proxy-wasm 0.1.0, 0.2.0, 0.2.1 | supported | partial | no |\n|---|---|---|---|\n".to_owned();
    for section in sections {
        let count = |support| {
            section
                .entries
                .iter()
                .filter(|entry| entry.support == support)
                .count()
        };
        let (supported, partial, no) = (
            count(Support::Supported),
            count(Support::Partial),
            count(Support::No),
        );
        line(
            &mut text,
            format_args!("| {} | {supported} | {partial} | {no} |", title(&section.key)),
        );
    }
    let gaps: Vec<Gap<'_>> = sections.iter().flat_map(gaps).collect();
    if gaps.is_empty() {
        return text;
    }
    text.push_str("\n| not wholly | | why |\n|---|---|---|\n");
    for Gap {
        names,
        support,
        reason,
    } in gaps
    {
        let support = if support == Support::Partial {
            "partial"
        } else {
            "no"
        };
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        line(
            &mut text,
            format_args!(
                "| {} | {support} | {} |",
                names.join(", "),
                reason.replace('|', "\\|")
            ),
        );
    }
    text
}

/// What is missing in one way.
struct Gap<'a> {
    names: Vec<&'a str>,
    support: Support,
    reason: &'a str,
}

/// The gaps of a section, those with the same reason together.
fn gaps(section: &Section) -> Vec<Gap<'_>> {
    let mut gaps: Vec<Gap<'_>> = Vec::new();
    for entry in section
        .entries
        .iter()
        .filter(|entry| entry.support != Support::Supported)
    {
        let (support, reason) = (entry.support, entry.reason.as_str());
        match gaps
            .iter_mut()
            .find(|gap| gap.support == support && gap.reason == reason)
        {
            Some(gap) => gap.names.push(&entry.name),
            None => gaps.push(Gap {
                names: vec![&entry.name],
                support,
                reason,
            }),
        }
    }
    gaps
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all text");
}

/// What readers call a section.
fn title(key: &str) -> &str {
    match key {
        "start" => "start and allocators",
        "functions" => "host functions",
        "wasi" => "WASI preview 1 functions",
        "foreign" => "foreign functions",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_between_its_markers() {
        let readme = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let ledger = "\
functions:
  - { name: f, status: supported }
  - { name: g, status: no, reason: a | b }
  - { name: h, status: partial, reason: c }
  - { name: i, status: no, reason: a | b }
";
        let repository = Repository::of(&[("README.md", &readme), (ledger::PATH, ledger)]);
        let expected = format!(
            "a\n{BEGIN}\n| proxy-wasm 0.1.0, 0.2.0, 0.2.1 | supported | partial | no |\n|---|---|---|---|\n\
             | host functions | 1 | 1 | 2 |\n\n| not wholly | | why |\n|---|---|---|\n\
             | `g`, `i` | no | a \\| b |\n| `h` | partial | c |\n{END}\nb\n"
        );
        assert_eq!(generate(&repository).unwrap(), expected);
    }

    #[test]
    fn a_readme_without_markers_is_an_error() {
        let repository = Repository::of(&[("README.md", "text"), (ledger::PATH, "a: []")]);
        assert!(matches!(
            generate(&repository),
            Err(DocsError::Marker { marker: BEGIN, .. })
        ));
    }
}
