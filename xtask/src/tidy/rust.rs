//! Rules for Rust files that no lint has.

use super::{Problem, has_word, is_checked};
use crate::repository::{Repository, SourceFile};

/// The most lines of a file. A file that is longer does more than one thing.
const MOST_LINES: usize = 600;

/// Files that are one table, which it would not help to split.
const ONE_TABLE: [(&str, &str); 1] = [(
    "crates/wharf-config/tests/it/refused.rs",
    "a case for each way in which a configuration is refused",
)];

/// What must not stand in a line, and what to do instead. Each part is joined here so that no list of its own is needed.
const FORBIDDEN: [(&str, &str); 5] = [
    (
        "#[ignore",
        "a test that is not run says nothing: assert today's behaviour and say what is wrong with it",
    ),
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    (
        "#[allow(",
        "use #[expect(…, reason = \"…\")]: it goes away with its cause",
    ),
    (
        "#![allow(",
        "use #![expect(…, reason = \"…\")]: it goes away with its cause",
    ),
];

/// What the crates below `crates/` may name in one place only: the word, where it may stand, and why.
const PLACES: [(&str, &[&str], &str); 10] = [
    (
        "unsafe",
        &["crates/wharf-engine/"],
        "unsafe code belongs to wharf-engine",
    ),
    (
        "wasmtime",
        &["crates/wharf-engine/"],
        "only wharf-engine names wasmtime; use what it re-exports",
    ),
    (
        "granit_parser",
        &[
            "crates/wharf-config/",
            "crates/wharf-abi-wapc/src/opa/builtins/yaml/",
        ],
        "only wharf-config reads YAML, and Rego's own functions for it",
    ),
    (
        "dangerously_unverified",
        &[
            "crates/wharf-distribution/",
            "crates/wharf-plugin/src/artifact.rs",
        ],
        "only wharf-distribution says that bytes may run",
    ),
    (
        "dangerously_trusted",
        &[
            "crates/wharf-distribution/",
            "crates/wharf-plugin/src/artifact.rs",
        ],
        "only wharf-distribution says that bytes may run",
    ),
    (
        "println",
        &[],
        "only words.rs of the command line prints; log with tracing",
    ),
    (
        "eprintln",
        &[],
        "only words.rs of the command line prints; log with tracing",
    ),
    (
        "process::exit",
        &["crates/wharf/src/"],
        "only the command line ends the process",
    ),
    (
        "SystemTime::now",
        &NOT_ABI,
        "an ABI has no clock of its own; ask its host trait",
    ),
    (
        "tokio",
        &NOT_ABI,
        "an ABI waits for nothing and opens nothing; ask its host trait",
    ),
];

/// The crates that may reach the world outside. The ABIs and what lies below them may not.
const NOT_ABI: [&str; 10] = [
    "crates/wharf/",
    "crates/wharf-admission/",
    "crates/wharf-distribution/",
    "crates/wharf-proxy/",
    "crates/wharf-scan/",
    "crates/wharf-telemetry/",
    "crates/wharf-testing/",
    "crates/wharf-tls/",
    "crates/wharf-loader/",
    "crates/wharf-trust/",
];

pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let files = || repository.ending_with(".rs").filter(|file| is_checked(file));
    let mut problems: Vec<Problem> = files().filter_map(too_long).collect();
    problems.extend(files().flat_map(forbidden));
    problems.extend(files().filter(|file| is_product(&file.path)).flat_map(misplaced));
    problems.extend(
        ONE_TABLE
            .iter()
            .filter(|(path, _)| !needs_exception(repository, path))
            .map(|(path, _)| {
                Problem::of_file(
                    *path,
                    format!(
                        "is listed as longer than {MOST_LINES} lines and is not: remove it from the list"
                    ),
                )
            }),
    );
    problems
}

fn too_long(file: &SourceFile) -> Option<Problem> {
    let lines = file.text.lines().count();
    if lines <= MOST_LINES || ONE_TABLE.iter().any(|(path, _)| *path == file.path) {
        return None;
    }
    Some(Problem::of_file(
        &file.path,
        format!("has {lines} lines, and {MOST_LINES} are the most: split it"),
    ))
}

fn needs_exception(repository: &Repository, path: &str) -> bool {
    // A repository without crates is a test's.
    repository.text("Cargo.toml").is_none()
        || repository
            .text(path)
            .is_some_and(|text| text.lines().count() > MOST_LINES)
}

fn forbidden(file: &SourceFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in file.lines().filter(|(_, line)| !is_comment(line)) {
        for (what, instead) in FORBIDDEN.iter().filter(|(what, _)| line.contains(what)) {
            let what = what.trim_end_matches('(');
            problems.push(Problem::at(&file.path, number, format!("`{what}`: {instead}")));
        }
    }
    problems
}

fn misplaced(file: &SourceFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in product_lines(file).filter(|(_, line)| !is_comment(line)) {
        for (word, places, reason) in PLACES {
            if has_word(line, word) && !places.iter().any(|place| file.path.starts_with(place)) {
                problems.push(Problem::at(&file.path, number, format!("`{word}`: {reason}")));
            }
        }
    }
    problems
}

/// Whether a file is part of what is shipped: not a test, a benchmark or an example.
fn is_product(path: &str) -> bool {
    let for_tests = ["/tests/", "/benches/", "/testing/"];
    path.starts_with("crates/")
        && !path.starts_with("crates/wharf-testing/")
        && !for_tests.iter().any(|part| path.contains(part))
        && !path.ends_with("/tests.rs")
        && !path.ends_with("/testing.rs")
}

/// The lines above a file's tests.
fn product_lines(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    let lines: Vec<_> = file.lines().collect();
    let tests = lines
        .windows(2)
        .position(|pair| pair[0].1.trim() == "#[cfg(test)]" && pair[1].1.trim_end().ends_with("mod tests {"));
    let end = tests.unwrap_or(lines.len());
    lines.into_iter().take(end)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Repository::of(&[(path, text)]))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn long_files_are_found() {
        assert_eq!(found("crates/a/src/b.rs", &"\n".repeat(600)), [""; 0]);
        assert!(found("crates/a/src/b.rs", &"\n".repeat(601))[0].contains("601 lines"));
    }

    #[test]
    fn what_is_forbidden_everywhere_is_found_in_tests_too() {
        let problems = found(
            "crates/a/tests/it/b.rs",
            "#[test]\n#[ignore]\nfn x() {}\n#[allow(dead_code)]\n",
        );
        assert!(
            problems[0].starts_with("crates/a/tests/it/b.rs:2: `#[ignore`"),
            "{problems:?}"
        );
        assert!(
            problems[1].starts_with("crates/a/tests/it/b.rs:4: `#[allow`"),
            "{problems:?}"
        );
    }

    #[test]
    fn what_belongs_elsewhere_is_found_outside_of_tests() {
        let text =
            "fn a() { unsafe { b() } }\n// unsafe in words\n#[cfg(test)]\nmod tests {\n  unsafe {}\n}\n";
        assert_eq!(
            found("crates/wharf-plugin/src/b.rs", text),
            ["crates/wharf-plugin/src/b.rs:1: `unsafe`: unsafe code belongs to wharf-engine"]
        );
        assert_eq!(found("crates/wharf-engine/src/b.rs", text), [""; 0]);
        assert_eq!(found("crates/wharf-proxy/src/b/tests.rs", text), [""; 0]);
        assert_eq!(
            found("crates/wharf-abi-x/src/lib.rs", "use tokio::spawn;\n").len(),
            1
        );
        assert_eq!(
            found("crates/wharf-proxy/src/lib.rs", "use tokio::spawn;\n"),
            [""; 0]
        );
    }
}
