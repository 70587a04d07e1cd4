//! The ledgers of policies and of modules held against the code: what they list is what there is, and the tests that they name exist.

use std::collections::BTreeSet;

use super::ledger::{self, Entry, Section, Support};
use crate::repository::Repository;

const WAPC: &str = "crates/wharf-abi-wapc/src/";
const WASI: &str = "crates/wharf-abi-wasi/src/";
/// The checks before a real cluster.
const CHECKS: &str = "conformance/kubernetes/src/checks.rs";
const TRIVY: &str = "crates/wharf-abi-trivy/src/";

/// Checks a ledger.
///
/// # Errors
/// What is wrong with it, and what to do.
pub(super) fn check(repository: &Repository, path: &str, sections: &[Section]) -> Result<(), String> {
    for section in sections {
        lines(repository, section).map_err(|reason| format!("{}: {reason}", section.key))?;
    }
    for Source {
        section: key,
        name,
        given,
    } in sources(repository, path)
    {
        let Some(section) = sections.iter().find(|section| section.key == key) else {
            return Err(format!("there is no section {key}"));
        };
        if given.is_empty() {
            return Err(format!(
                "nothing of {key} is found in the code any more: see to xtask/src/docs/held.rs"
            ));
        }
        let listed: BTreeSet<&str> = section.entries.iter().filter_map(name).collect();
        if let Some(name) = given.iter().find(|name| !listed.contains(name.as_str())) {
            return Err(format!("{key}: the code has {name}, which is not listed"));
        }
        if let Some(name) = listed.iter().find(|name| !given.contains(**name)) {
            return Err(format!("{key}: {name} is listed, and the code does not have it"));
        }
    }
    Ok(())
}

/// What each line of a section must be.
fn lines(repository: &Repository, section: &Section) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for entry in &section.entries {
        let name = entry.name.as_str();
        if !names.insert(name) {
            return Err(format!("{name} is listed twice"));
        }
        if entry.support == Support::Supported {
            if !entry.reason.is_empty() {
                return Err(format!("{name} is supported and gives a reason"));
            }
            if entry.tests.is_empty() {
                return Err(format!("{name} is supported and names no test"));
            }
        }
        if let Some(test) = entry.tests.iter().find(|test| !exists(repository, test)) {
            return Err(format!("{name} names the test {test}, which does not exist"));
        }
        if let Some(check) = entry.e2e.iter().find(|check| !is_check(repository, check)) {
            return Err(format!(
                "{name} names the check {check}, which {CHECKS} does not list"
            ));
        }
    }
    Ok(())
}

/// Whether there is this test function. Its module is a file, or the `tests` in one; `it` is the folder `tests/it`.
fn exists(repository: &Repository, test: &str) -> bool {
    let (crate_name, path) = match test.split_once("::") {
        Some((first, rest)) if first == "wharf" || first.starts_with("wharf_") => (first, rest),
        _ => ("wharf_abi_wapc", test),
    };
    let Some((modules, function)) = path.rsplit_once("::") else {
        return false;
    };
    let folder = format!("crates/{}", crate_name.replace('_', "-"));
    let base = if modules == "it" || modules.starts_with("it::") {
        format!("{folder}/tests/")
    } else {
        format!("{folder}/src/")
    };
    let file = format!("{base}{}.rs", modules.replace("::", "/"));
    let above = modules
        .strip_suffix("::tests")
        .map(|modules| format!("{base}{}.rs", modules.replace("::", "/")));
    let declaration = format!("fn {function}(");
    [Some(file), above].into_iter().flatten().any(|file| {
        let text = repository.text(&file).unwrap_or_default();
        text.match_indices(&declaration)
            .any(|(at, _)| is_test(&text[..at]))
    })
}

/// Whether the run before a real cluster has this check.
fn is_check(repository: &Repository, check: &str) -> bool {
    let listed = block(repository.text(CHECKS).unwrap_or_default(), "= checks![");
    listed
        .lines()
        .any(|line| line.trim().strip_suffix(',') == Some(check))
}

/// Whether the function whose declaration comes next is one that the test runner calls.
fn is_test(before: &str) -> bool {
    let mut lines = before.lines().rev();
    // The rest of its own line, such as `async`.
    if !before.ends_with('\n') {
        lines.next();
    }
    lines
        .map(str::trim)
        .take_while(|line| line.starts_with("#["))
        .any(|line| line == "#[test]" || line.starts_with("#[tokio::test"))
}

/// What of the code a section is held against.
struct Source {
    section: &'static str,
    /// What the code would call a line; `None` where there is nothing in the code to hold it against.
    name: fn(&Entry) -> Option<&str>,
    given: BTreeSet<String>,
}

impl Source {
    fn new<'a>(
        section: &'static str,
        name: fn(&Entry) -> Option<&str>,
        given: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let given = given.into_iter().map(str::to_owned).collect();
        Self { section, name, given }
    }
}

fn every(entry: &Entry) -> Option<&str> {
    Some(&entry.name)
}

fn sources(repository: &Repository, path: &str) -> Vec<Source> {
    match path {
        ledger::WAPC => of_wapc(repository),
        ledger::KUBEWARDEN => of_kubewarden(repository),
        ledger::TRIVY => of_trivy(repository),
        _ => Vec::new(),
    }
}

fn of_wapc(repository: &Repository) -> Vec<Source> {
    let source = |file: &str| text(repository, &format!("{WAPC}wapc/{file}.rs"));
    let guest = source("guest");
    let called = quoted_after(guest, "()>(")
        .chain(quoted_after(guest, "GUEST_CALL: &str = "))
        .chain(quoted_after(guest, "[GUEST_CALL, "));
    vec![
        Source::new("exports", every, called),
        Source::new(
            "functions",
            every,
            quoted_after(source("hostcalls"), ".function(\"wapc\", "),
        ),
        Source::new(
            "assemblyscript",
            every,
            quoted_after(source("assemblyscript"), ".function(\"env\", "),
        ),
        Source::new("wasi", every, wasi(repository)),
    ]
}

fn of_trivy(repository: &Repository) -> Vec<Source> {
    let hostcalls = text(repository, &format!("{TRIVY}hostcalls.rs"));
    vec![
        Source::new("functions", every, quoted_after(hostcalls, ".function(\"env\", ")),
        Source::new("wasi", every, wasi(repository)),
    ]
}

fn wasi(repository: &Repository) -> impl Iterator<Item = &str> {
    below(repository, WASI).flat_map(|source| {
        quoted_after(source, ".add(").chain(quoted_after(source, "imports.function(module, "))
    })
}

fn of_kubewarden(repository: &Repository) -> Vec<Source> {
    let source = |file: &str| text(repository, &format!("{WAPC}kubewarden/{file}.rs"));
    let operations = block(source("capability"), "pub const OPERATIONS");
    let operations: Vec<String> = operations
        .lines()
        .filter_map(|line| line.trim().strip_prefix("(\"")?.strip_suffix("\"),"))
        .map(|line| line.replace("\", \"", "/"))
        .collect();
    let metadata = source("metadata");
    let keys: Vec<String> = fields(block(metadata, "pub struct Metadata {"))
        .map(|field| words_joined(field, "", str::to_ascii_uppercase))
        .collect();
    let command = text(repository, "crates/wharf/src/commands/admission.rs");
    let flags: Vec<String> = ["struct AdmissionArguments {", "struct Unused {"]
        .into_iter()
        .flat_map(|head| fields(block(command, head)))
        .filter(|field| !["unused", "refuse_bad_policies"].contains(field))
        .map(|field| format!("--{}", words_joined(field, "-", str::to_owned)))
        .collect();
    let http = text(repository, "crates/wharf-admission/src/http.rs");
    let endpoints: Vec<String> = quoted_after(http, "(")
        .filter(|path| path.starts_with('/') && path.ends_with('/'))
        .map(|path| format!("POST {path}{{id}}"))
        .collect();
    let metrics = text(repository, "crates/wharf-telemetry/src/admission.rs");
    let builtins = format!("{WAPC}opa/builtins/");
    let builtins = below(repository, &builtins).flat_map(|source| quoted_after(source, " name: "));
    vec![
        Source::new("metadata", every, keys.iter().map(String::as_str)),
        Source::new("modes", every, quoted_after(metadata, "=> ")),
        Source::new(
            "capabilities",
            // It is never refused, and so no capability in the code.
            |entry| (entry.name != "tracing/log").then_some(&entry.name),
            operations.iter().map(String::as_str),
        ),
        Source::new(
            "endpoints",
            |entry| entry.name.starts_with("POST").then_some(&entry.name),
            endpoints.iter().map(String::as_str),
        ),
        Source::new(
            "flags",
            // All commands of Wharf have it.
            |entry| (entry.name != "--log-level").then_some(&entry.name),
            flags.iter().map(String::as_str),
        ),
        Source::new(
            "metrics",
            |entry| Some(entry.name.trim_end_matches("_total")),
            quoted_after(metrics, "r,").filter(|name| name.starts_with("kubewarden_")),
        ),
        Source::new(
            "builtins",
            // What is refused is in no table.
            |entry| (entry.support != Support::No).then_some(&entry.name),
            builtins,
        ),
    ]
}

/// What stands behind `head`, up to the line that closes it.
fn block<'a>(source: &'a str, head: &str) -> &'a str {
    let rest = source.split_once(head).map_or("", |(_, rest)| rest);
    let end = ["\n}", "\n];"].iter().filter_map(|end| rest.find(end)).min();
    &rest[..end.unwrap_or(0)]
}

/// The names of a structure's fields.
fn fields(block: &str) -> impl Iterator<Item = &str> {
    block.lines().filter_map(|line| {
        let line = line.strip_prefix("    ")?;
        let (name, _) = line.strip_prefix("pub ").unwrap_or(line).split_once(": ")?;
        let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        is_name.then_some(name)
    })
}

/// `a_name` with other things between its words, whose first letters are changed from the second word on.
fn words_joined(name: &str, between: &str, first: fn(&str) -> String) -> String {
    let mut words = name.split('_');
    let mut joined = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (letter, rest) = word.split_at(word.len().min(1));
        joined.push_str(between);
        joined.push_str(&first(letter));
        joined.push_str(rest);
    }
    joined
}

/// The source of a file, without its tests.
fn text<'a>(repository: &'a Repository, path: &str) -> &'a str {
    without_tests(repository.text(path).unwrap_or_default())
}

fn below<'a>(repository: &'a Repository, folder: &str) -> impl Iterator<Item = &'a str> {
    let files = repository.ending_with(".rs");
    files
        .filter(move |file| file.path.starts_with(folder))
        .map(|file| without_tests(&file.text))
}

fn without_tests(source: &str) -> &str {
    source.split("#[cfg(test)]").next().unwrap_or_default()
}

/// The texts in quotes that stand right behind `before`.
fn quoted_after<'a>(source: &'a str, before: &str) -> impl Iterator<Item = &'a str> {
    source.split(before).skip(1).filter_map(|rest| {
        rest.trim_start()
            .strip_prefix('"')?
            .split_once('"')
            .map(|(text, _)| text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(key: &str, entries: Vec<Entry>) -> Section {
        Section {
            key: key.to_owned(),
            entries,
        }
    }

    fn entry(name: &str, support: Support, tests: &[&str]) -> Entry {
        Entry {
            name: name.to_owned(),
            support,
            reason: String::new(),
            differs: String::new(),
            tests: tests.iter().map(|test| (*test).to_owned()).collect(),
            e2e: Vec::new(),
        }
    }

    #[test]
    fn tests_are_found_wherever_they_stand() {
        let repository = Repository::of(&[
            (
                "crates/wharf-abi-wapc/src/a/b.rs",
                "mod tests {\n    #[test]\n    fn inside() {}\n    fn helper() {}\n}\n",
            ),
            (
                "crates/wharf-abi-wapc/src/a/c/tests.rs",
                "#[test]\n#[cfg(unix)]\nfn beside() {}\n",
            ),
            (
                "crates/wharf-tls/tests/it/x.rs",
                "#[tokio::test(start_paused = true)]\nasync fn outside() {}\n",
            ),
            ("crates/wharf/tests/it/y.rs", "#[test]\nfn of_the_program() {}\n"),
        ]);
        for test in [
            "a::b::tests::inside",
            "wharf_abi_wapc::a::b::tests::inside",
            "a::c::tests::beside",
            "wharf_tls::it::x::outside",
            "wharf::it::y::of_the_program",
        ] {
            assert!(exists(&repository, test), "{test}");
        }
        for test in [
            "a::b::tests::helper",
            "a::b::tests::nothing",
            "a::b::tests::insid",
            "wharf_tls::a::b::tests::inside",
            "it::x::outside",
            "inside",
        ] {
            assert!(!exists(&repository, test), "{test}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told() {
        let repository = Repository::of(&[
            (
                "crates/wharf-abi-wapc/src/a.rs",
                "mod tests {\n    #[test]\n    fn t() {}\n}\n",
            ),
            (
                CHECKS,
                "const CHECKS: &[Check] = checks![\n    labels::one,\n];\nlabels::two,\n",
            ),
        ]);
        let told = |entries| lines(&repository, &section("modes", entries)).unwrap_err();
        let good = || entry("x", Support::Supported, &["a::tests::t"]);
        lines(&repository, &section("modes", vec![good()])).unwrap();
        assert_eq!(told(vec![good(), good()]), "x is listed twice");
        assert_eq!(
            told(vec![entry("x", Support::Supported, &[])]),
            "x is supported and names no test"
        );
        assert_eq!(
            told(vec![entry("x", Support::No, &["a::tests::u"])]),
            "x names the test a::tests::u, which does not exist"
        );
        let reason = "r".to_owned();
        assert_eq!(
            told(vec![Entry { reason, ..good() }]),
            "x is supported and gives a reason"
        );
        let checked = |check: &str| Entry {
            e2e: vec![check.to_owned()],
            ..good()
        };
        lines(&repository, &section("modes", vec![checked("labels::one")])).unwrap();
        for check in ["labels::two", "labels::on", "one"] {
            assert_eq!(
                told(vec![checked(check)]),
                format!("x names the check {check}, which {CHECKS} does not list")
            );
        }
    }

    #[test]
    fn a_ledger_lists_what_the_code_has() {
        let files = [
            (
                "crates/wharf-abi-wapc/src/wapc/guest.rs",
                "const GUEST_CALL: &str = \"call\";\nfunction::<(), ()>(\"start\")",
            ),
            (
                "crates/wharf-abi-wapc/src/wapc/hostcalls.rs",
                ".function(\"wapc\", \"f\", f)\n#[cfg(test)] .function(\"wapc\", \"not\", f)",
            ),
            (
                "crates/wharf-abi-wapc/src/wapc/assemblyscript.rs",
                ".function(\"env\", \"abort\", f)",
            ),
            ("crates/wharf-abi-wasi/src/x.rs", ".add(\"fd_write\", f)"),
        ];
        let repository = Repository::of(&files);
        let of = |function: &str| {
            [
                ("exports", vec!["call", "start"]),
                ("functions", vec!["f", function]),
                ("assemblyscript", vec!["abort"]),
                ("wasi", vec!["fd_write"]),
            ]
            .map(|(key, names)| {
                let names: BTreeSet<&str> = names.into_iter().collect();
                let entries = names.into_iter().map(|name| entry(name, Support::Partial, &[]));
                section(key, entries.collect())
            })
        };
        check(&repository, ledger::WAPC, &of("f")).unwrap();
        assert_eq!(
            check(&repository, ledger::WAPC, &of("g")).unwrap_err(),
            "functions: g is listed, and the code does not have it"
        );
        assert_eq!(
            check(&repository, ledger::WAPC, &of("f")[1..]).unwrap_err(),
            "there is no section exports"
        );
        let fewer = [section("exports", vec![entry("call", Support::Partial, &[])])];
        assert_eq!(
            check(&repository, ledger::WAPC, &fewer).unwrap_err(),
            "exports: the code has start, which is not listed"
        );
        let error = check(&Repository::of(&[]), ledger::WAPC, &of("f")).unwrap_err();
        assert!(error.starts_with("nothing of exports is found in the code any more"));
    }

    #[test]
    fn fields_become_keys_and_flags() {
        let source = "x\nstruct S {\n    /// Text: more.\n    #[arg(\n        long: 1\n    )]\n    pub a_b: u8,\n    c: u8,\n}\nstruct T {\n    d: u8,\n}\n";
        let names: Vec<&str> = fields(block(source, "struct S {")).collect();
        assert_eq!(names, ["a_b", "c"]);
        assert_eq!(words_joined("a_bc_d", "", str::to_ascii_uppercase), "aBcD");
        assert_eq!(words_joined("a_bc", "-", str::to_owned), "a-bc");
    }
}
