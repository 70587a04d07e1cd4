//! `docs/compatibility-policies.md`, from the ledgers of waPC and of Kubewarden, and `docs/compatibility-trivy.md`, from that of
//! Trivy's modules.

use super::compatibility::{counts, escaped, gaps_of, line, title};
use super::ledger::{self, Section, Support};
use super::{DocsError, held};
use crate::repository::Repository;

/// Where it is.
pub(super) const PATH: &str = "docs/compatibility-policies.md";

/// The ledgers with what they are about.
pub(super) const LEDGERS: [(&str, &str); 2] = [("waPC", ledger::WAPC), ("Kubewarden", ledger::KUBEWARDEN)];

/// Where the document about Trivy's modules is.
pub(super) const TRIVY_PATH: &str = "docs/compatibility-trivy.md";

/// Its ledger.
const TRIVY_LEDGERS: [(&str, &str); 1] = [("Trivy modules", ledger::TRIVY)];

const TRIVY_HEAD: &str = "\
# What is compatible, for Trivy's modules

<!-- Generated from conformance/trivy.yaml. `cargo xtask docs` writes it anew. -->

How far Wharf runs modules as Trivy 0.76.0 does. The ledger names the tests of each line: [trivy.yaml](../conformance/trivy.yaml).
";

const HEAD: &str = "\
# What is compatible, for policies

<!-- Generated from conformance/wapc.yaml and conformance/kubewarden.yaml. `cargo xtask docs` writes it anew. -->

How far Wharf does what waPC says and what Kubewarden's policy-server does. The ledgers name the tests of each line:
[wapc.yaml](../conformance/wapc.yaml), [kubewarden.yaml](../conformance/kubewarden.yaml). [admission.md](admission.md) says how the
server is used.
";

pub(super) fn generate(repository: &Repository) -> Result<String, DocsError> {
    document(repository, HEAD, &LEDGERS)
}

/// The document about Trivy's modules.
pub(super) fn generate_trivy(repository: &Repository) -> Result<String, DocsError> {
    document(repository, TRIVY_HEAD, &TRIVY_LEDGERS)
}

fn document(
    repository: &Repository,
    head: &str,
    ledgers: &[(&str, &'static str)],
) -> Result<String, DocsError> {
    let mut text = head.to_owned();
    for (name, path) in ledgers.iter().copied() {
        let sections = ledger::read(repository, path)?;
        held::check(repository, path, &sections).map_err(|reason| DocsError::Ledger { path, reason })?;
        line(&mut text, format_args!("\n## {name}\n"));
        text.push_str(&counts(name, &sections));
        text.push_str(&gaps_of(&sections));
        differences(&mut text, &sections);
        for section in &sections {
            let names = section
                .entries
                .iter()
                .filter(|entry| entry.support == Support::Supported);
            let names: Vec<String> = names.map(|entry| format!("`{}`", entry.name)).collect();
            if !names.is_empty() {
                line(
                    &mut text,
                    format_args!("\n**Supported, {}:** {}.", title(&section.key), names.join(", ")),
                );
            }
        }
    }
    Ok(text)
}

fn differences(text: &mut String, sections: &[Section]) {
    let mut entries = sections
        .iter()
        .flat_map(|section| &section.entries)
        .filter(|entry| !entry.differs.is_empty())
        .peekable();
    if entries.peek().is_some() {
        text.push_str("\n| there, and otherwise | how |\n|---|---|\n");
    }
    for entry in entries {
        line(
            text,
            format_args!("| `{}` | {} |", entry.name, escaped(&entry.differs)),
        );
    }
}

/// What a heading is linked by.
pub(super) fn anchor(heading: &str) -> String {
    heading.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_is_not_the_code_is_an_error() {
        let repository = Repository::of(&[
            (ledger::WAPC, "exports: [{ name: f, status: supported }]"),
            (ledger::KUBEWARDEN, "modes: []"),
        ]);
        let error = generate(&repository).unwrap_err();
        assert_eq!(error.path(), ledger::WAPC);
        assert_eq!(error.to_string(), "exports: f is supported and names no test");
    }

    #[test]
    fn differences_are_listed_with_their_names() {
        let repository = Repository::of(&[(
            ledger::WAPC,
            "a: [{ name: f, status: supported, differs: x | y }, { name: g, status: supported }]",
        )]);
        let mut text = String::new();
        differences(&mut text, &ledger::read(&repository, ledger::WAPC).unwrap());
        assert_eq!(
            text,
            "\n| there, and otherwise | how |\n|---|---|\n| `f` | x \\| y |\n"
        );
    }
}
