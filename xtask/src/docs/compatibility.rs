//! The README's tables of compatibility.

use std::fmt::Write;

use super::ledger::{self, Section, Support};
use super::{DocsError, policies};
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
    let proxy_wasm = table(&ledger::read(repository, ledger::PROXY_WASM)?);
    let mut policies = "\n| for policies | supported | partial | no |\n|---|---|---|---|\n".to_owned();
    for (title, path) in policies::LEDGERS {
        let sections = ledger::read(repository, path)?;
        let count = |support| {
            sections
                .iter()
                .map(|section| section.count(support))
                .sum::<usize>()
        };
        let (supported, partial, no) = (
            count(Support::Supported),
            count(Support::Partial),
            count(Support::No),
        );
        line(
            &mut policies,
            format_args!(
                "| [{title}]({}#{}) | {supported} | {partial} | {no} |",
                policies::PATH,
                policies::anchor(title)
            ),
        );
    }
    Ok(format!("{before}{BEGIN}\n{proxy_wasm}{policies}{END}{after}"))
}

fn table(sections: &[Section]) -> String {
    let mut text = counts("proxy-wasm 0.1.0, 0.2.0, 0.2.1", sections);
    text.push_str(&gaps_of(sections));
    text
}

/// How many are there of each section.
pub(super) fn counts(head: &str, sections: &[Section]) -> String {
    let mut text = format!("| {head} | supported | partial | no |\n|---|---|---|---|\n");
    for section in sections {
        let (supported, partial, no) = (
            section.count(Support::Supported),
            section.count(Support::Partial),
            section.count(Support::No),
        );
        line(
            &mut text,
            format_args!("| {} | {supported} | {partial} | {no} |", title(&section.key)),
        );
    }
    text
}

/// What is not wholly there, and why; nothing where all is.
pub(super) fn gaps_of(sections: &[Section]) -> String {
    let gaps: Vec<Gap<'_>> = sections.iter().flat_map(gaps).collect();
    if gaps.is_empty() {
        return String::new();
    }
    let mut text = "\n| not wholly | | why |\n|---|---|---|\n".to_owned();
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
            format_args!("| {} | {support} | {} |", names.join(", "), escaped(reason)),
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

/// A text for a cell of a table.
pub(super) fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

pub(super) fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all text");
}

/// What readers call a section.
pub(super) fn title(key: &str) -> &str {
    match key {
        "start" => "start and allocators",
        "functions" => "host functions",
        "wasi" => "WASI preview 1 functions",
        "foreign" => "foreign functions",
        "exports" => "exports of the guest",
        "assemblyscript" => "imports of AssemblyScript",
        "operations" => "operations of policies",
        "payload" => "what policies are given",
        "answers" => "answers of policies",
        "metadata" => "metadata of policies",
        "modes" => "execution modes",
        "capabilities" => "host capabilities",
        "grants" => "grants of capabilities",
        "groups" => "groups of policies",
        "policies" => "policies.yml and custom resources",
        "flags" => "flags of policy-server",
        "metrics" => "metrics of policy-server",
        "report" => "types of the report",
        "analysis" => "what analyzers give",
        "post_scan" => "what is done after a scan",
        "life" => "how modules live",
        "builtins" => "built-in functions of Rego",
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
        let repository = Repository::of(&[
            ("README.md", &readme),
            (ledger::PROXY_WASM, ledger),
            (
                ledger::WAPC,
                "exports: [{ name: f, status: supported }, { name: g, status: supported }]",
            ),
            (
                ledger::KUBEWARDEN,
                "modes: [{ name: f, status: no, reason: r }]\nflags: [{ name: g, status: no, reason: r }]",
            ),
        ]);
        let expected = format!(
            "a\n{BEGIN}\n| proxy-wasm 0.1.0, 0.2.0, 0.2.1 | supported | partial | no |\n|---|---|---|---|\n\
             | host functions | 1 | 1 | 2 |\n\n| not wholly | | why |\n|---|---|---|\n\
             | `g`, `i` | no | a \\| b |\n| `h` | partial | c |\n\
             \n| for policies | supported | partial | no |\n|---|---|---|---|\n\
             | [waPC](docs/compatibility-policies.md#wapc) | 2 | 0 | 0 |\n\
             | [Kubewarden](docs/compatibility-policies.md#kubewarden) | 0 | 0 | 2 |\n{END}\nb\n"
        );
        assert_eq!(generate(&repository).unwrap(), expected);
    }

    #[test]
    fn a_readme_without_markers_is_an_error() {
        let repository = Repository::of(&[("README.md", "text"), (ledger::PROXY_WASM, "a: []")]);
        assert!(matches!(
            generate(&repository),
            Err(DocsError::Marker { marker: BEGIN, .. })
        ));
    }
}
