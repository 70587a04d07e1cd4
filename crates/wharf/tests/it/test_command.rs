//! `wharf test`: cases of filters and of policies in files.

mod failing;
mod finding;
mod golden;
mod policies;
mod reports;
mod what_filters_see;

use std::fs;
use std::path::Path;

use expect_test::Expect;
use serde_json::Value;

use crate::harness::{Folder, folder, root};

/// What a command gives, without the time that it took.
fn transcript(folder: &Folder, arguments: &[&str]) -> String {
    let text = folder.transcript(&[&["test"], arguments].concat());
    let without_time = |line: &str| match line.rsplit_once(" in ") {
        Some((counts, time)) if time.ends_with('s') && counts.contains(" passed, ") => counts.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(|line| without_time(line) + "\n").collect()
}

fn check(folder: &Folder, arguments: &[&str], expected: &Expect) {
    expected.assert_eq(&transcript(folder, arguments));
}

/// A folder with one table.
fn table(text: &str) -> Folder {
    folder().with("a.test.yaml", text)
}

/// The exit code, and the results as JSON.
fn json(folder: &Folder, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = folder.run(&[&["test", "--json"], arguments].concat());
    let results = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        results.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr))),
    )
}

/// The exit code alone.
fn code(folder: &Folder, arguments: &[&str]) -> Option<i32> {
    let output = folder.run(&[&["test"], arguments].concat());
    output.status.code()
}

fn read(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn the_guests_of_the_repository_do_what_their_cases_say() {
    let folder = folder();
    let text = transcript(&folder, &["guests"]);
    assert!(text.starts_with("exit code 0\n"), "{text}");
    for guest in [
        "as-counter",
        "c-headers",
        "c-legacy",
        "go-headers",
        "rust-auth",
        "rust-body",
        "rust-counter",
        "rust-headers",
        "rust-queue",
    ] {
        let file = format!("ok    guests/{guest}/tests/{guest}.test.yaml: ");
        assert!(text.contains(&file), "{guest} has no table of cases: {text}");
    }
    for file in [
        "policies/policy-defaults/tests/policy-defaults",
        "policies/policy-labels/tests/policy-labels",
        "policies/policy-quota/tests/policy-quota",
        "policies/policy-raw/tests/policy-raw",
        "policies/policy-replicas/tests/policy-replicas",
        "policies/policy-unique-host/tests/policy-unique-host",
        "policies/wat/tests/faults",
        "policies/wat/tests/groups",
        "rego-admission/tests/rego-admission",
        "rego-functions/tests/rego-functions",
        "rego-gatekeeper/tests/rego-gatekeeper",
        "rego-gatekeeper-hosts/tests/rego-gatekeeper-hosts",
        "rego-hosts/tests/rego-hosts",
        "rego-unknown/tests/rego-unknown",
    ] {
        let file = format!("ok    guests/{file}.test.yaml: ");
        assert!(text.contains(&file), "there are no cases in {file}: {text}");
    }
    assert!(text.contains("ok    guests/rust-headers/tests/greets-twice/case.yaml: greets-twice\n"));
}

#[test]
fn equal_runs_give_equal_results_however_many_run_side_by_side() {
    let folder = folder();
    let run = |jobs: &str| folder.run(&["test", "guests", "--json", "--jobs", jobs]).stdout;
    let one = run("1");
    assert_eq!(one, run("4"));
    let results: Value = serde_json::from_slice(&one).unwrap();
    assert_eq!(results["ok"], true, "{results:#}");
    let reports = results["cases"].as_array().unwrap().iter();
    assert!(
        reports
            .map(|case| case["report"].as_str().unwrap())
            .all(|report| !report.is_empty() && !report.contains("memory of the guest"))
    );
}

/// Each of them begins with its path and then its plugin, which is one of the repository's under another name.
#[test]
fn the_examples_of_the_documentation_pass() {
    let text = fs::read_to_string(root().join("docs/testing.md")).unwrap();
    let folder = folder();
    for (name, guest) in [
        ("greet", "rust-headers/rust-headers"),
        ("auth", "rust-auth/rust-auth"),
        ("counter", "rust-counter/rust-counter"),
        ("labels", "policies/policy-labels/policy-labels"),
        ("replicas", "policies/policy-replicas/policy-replicas"),
    ] {
        let guest = root().join("guests").join(format!("{guest}.wasm"));
        fs::copy(guest, folder.path().join(format!("{name}.wasm"))).unwrap();
    }
    let blocks = text
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let mut names = Vec::new();
    for block in blocks {
        let first = block.lines().next().unwrap();
        if let Some(name) = first.strip_prefix("# tests/") {
            write(&folder, &format!("tests/{name}"), block);
            names.push(name);
        }
    }
    let expected = [
        "greet.test.yaml",
        "auth.test.yaml",
        "counter.test.yaml",
        "labels.test.yaml",
        "replicas.test.yaml",
        "greets/case.yaml",
    ];
    assert_eq!(names, expected);
    let text = transcript(&folder, &["tests", "--update"]);
    assert!(
        text.starts_with("exit code 0\n") && text.contains("\n11 passed, 0 failed\n"),
        "{text}"
    );
}

#[test]
fn the_schema_of_cases_is_printed() {
    let output = folder().run(&["schema", "--of", "test"]);
    assert_eq!(output.status.code(), Some(0));
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["$id"], "urn:wharf:test:1");
    let output = folder().run(&["schema", "--of", "configuration"]);
    assert_eq!(output.stdout, folder().run(&["schema"]).stdout);
}

/// Writes a file below a folder, and the folders above it.
fn write(folder: &Folder, name: &str, text: &str) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
    fs::write(path, text).unwrap();
}
