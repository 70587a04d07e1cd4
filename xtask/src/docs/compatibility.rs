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
    let gaps = sections.iter().flat_map(|section| &section.entries);
    let gaps: Vec<_> = gaps.filter(|entry| entry.support != Support::Supported).collect();
    if gaps.is_empty() {
        return text;
    }
    text.push_str("\n| not wholly | | why |\n|---|---|---|\n");
    for entry in gaps {
        let support = if entry.support == Support::Partial {
            "partial"
        } else {
            "no"
        };
        line(
            &mut text,
            format_args!(
                "| `{}` | {support} | {} |",
                entry.name,
                entry.reason.replace('|', "\\|")
            ),
        );
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all text");
}

/// `hostFunctions` and `host_functions` are "host functions".
fn title(key: &str) -> String {
    if key.eq_ignore_ascii_case("wasi") {
        return "WASI preview 1 functions".to_owned();
    }
    let mut words = String::new();
    for letter in key.chars() {
        if letter.is_uppercase() {
            words.push(' ');
        }
        words.push(if matches!(letter, '_' | '-') {
            ' '
        } else {
            letter.to_ascii_lowercase()
        });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_between_its_markers() {
        let readme = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let ledger = "hostFunctions:\n  - { name: f, status: supported }\n  - { name: g, status: no, reason: a | b }\n";
        let repository = Repository::of(&[("README.md", &readme), (ledger::PATH, ledger)]);
        let expected = format!(
            "a\n{BEGIN}\n| proxy-wasm 0.1.0, 0.2.0, 0.2.1 | supported | partial | no |\n|---|---|---|---|\n\
             | host functions | 1 | 0 | 1 |\n\n| not wholly | | why |\n|---|---|---|\n| `g` | no | a \\| b |\n{END}\nb\n"
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
