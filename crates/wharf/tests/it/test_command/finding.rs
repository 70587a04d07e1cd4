//! Where cases are looked for, and which are meant.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use expect_test::expect;

use super::{check, code, json, table, write};
use crate::harness::{Folder, folder};

const STARTS: &str = "plugin: PLUGIN\ncases: [{ name: starts }]\n";

/// A folder in which each of these files is a table, or golden.
fn with_files(names: &[&str]) -> Folder {
    let folder = folder();
    let plugin = fs::canonicalize(folder.path().join("guests/rust-headers/rust-headers.wasm")).unwrap();
    for name in names {
        let text = STARTS.replace("PLUGIN", &plugin.display().to_string());
        let text = if name.ends_with("case.yaml") {
            text.lines().next().unwrap().to_owned()
        } else {
            text
        };
        write(&folder, name, &text);
    }
    // The link to the guests would otherwise be the first thing to be left out.
    folder
}

fn listed(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    let output = folder.run(&[&["test", "--list"], arguments].concat());
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn folders_are_walked_in_order_and_some_are_left_out() {
    let folder = with_files(&[
        "b.test.yaml",
        "a.test.yml",
        "z/golden/case.yaml",
        "d/c.test.yaml",
        "d/e/f.test.yaml",
        "target/x.test.yaml",
        "d/node_modules/x.test.yaml",
        ".hidden/x.test.yaml",
        "d/.hidden.test.yaml",
        "d/other.yaml",
        "d/xcase.yaml",
    ]);
    symlink("d", folder.path().join("linked")).unwrap();
    symlink("b.test.yaml", folder.path().join("linked.test.yaml")).unwrap();
    symlink("..", folder.path().join("d/loop")).unwrap();
    let expected = [
        "a.test.yml:2: starts",
        "b.test.yaml:2: starts",
        "d/c.test.yaml:2: starts",
        "d/e/f.test.yaml:2: starts",
        "z/golden/case.yaml:1: golden",
    ];
    assert_eq!(listed(&folder, &[]), expected);
    assert_eq!(listed(&folder, &["."]), expected);
}

#[test]
fn what_is_named_is_taken_whatever_it_is_called_and_once() {
    let folder = with_files(&["d/c.test.yaml", "d/other.yaml", "target/x.test.yaml"]);
    symlink("d", folder.path().join("linked")).unwrap();
    assert_eq!(listed(&folder, &["d/other.yaml"]), ["d/other.yaml:2: starts"]);
    assert_eq!(listed(&folder, &["target"]), ["target/x.test.yaml:2: starts"]);
    assert_eq!(listed(&folder, &["linked"]), ["linked/c.test.yaml:2: starts"]);
    assert_eq!(
        listed(&folder, &["d/c.test.yaml", ".", "./d"]),
        ["d/c.test.yaml:2: starts"]
    );
}

#[test]
fn a_filter_chooses_by_name() {
    let folder = table(
        "plugin: guests/rust-headers/rust-headers.wasm\ncases: [{ name: one }, { name: two }, { name: \"twenty-one\" }]\n",
    );
    assert_eq!(
        listed(&folder, &["--filter", "one"]),
        ["a.test.yaml:2: one", "a.test.yaml:2: twenty-one"]
    );
    let (code, results) = json(&folder, &["--filter", "tw"]);
    assert_eq!((code, &results["passed"]), (Some(0), &2.into()));
    check(
        &folder,
        &["--filter", "three"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: none of the 3 cases has `three` in its name

        hint: `wharf test --list` lists the cases
    "#]],
    );
}

#[test]
fn a_run_that_tests_nothing_does_not_pass() {
    check(
        &folder(),
        &[],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: no cases were found

        hint: cases stand in files that are called `….test.yaml` or `case.yaml`; docs/testing.md shows one, and `wharf new filter` writes some
    "#]],
    );
    check(
        &folder(),
        &["--list"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: no cases were found

        hint: cases stand in files that are called `….test.yaml` or `case.yaml`; docs/testing.md shows one, and `wharf new filter` writes some
    "#]],
    );
    let empty = table("plugin: a.wasm\ncases: []\n");
    assert_eq!(code(&empty, &[]), Some(3));
}

#[test]
fn what_is_not_there_is_a_wrong_command_line() {
    check(
        &folder(),
        &["nowhere"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: nowhere cannot be read
          caused by: No such file or directory (os error 2)

        hint: name files of cases, or folders that have some
    "#]],
    );
    let folder = folder();
    let made = Command::new("mkfifo")
        .arg(folder.path().join("pipe.test.yaml"))
        .status()
        .unwrap();
    assert!(made.success());
    check(
        &folder,
        &["pipe.test.yaml"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: pipe.test.yaml is neither a file nor a folder

        hint: name files of cases, or folders that have some
    "#]],
    );
    // Where nobody names it, nobody waits for what it says.
    assert_eq!(code(&folder, &[]), Some(2));
}

#[test]
fn flags_that_make_no_sense() {
    check(
        &folder(),
        &["--jobs", "0"],
        &expect![[r#"
            exit code 2
            --- stderr ---
            error: invalid value '0' for '--jobs <COUNT>': 0 is not in 1..=256

            For more information, try '--help'.
        "#]],
    );
    check(
        &folder(),
        &["--list", "--update"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: the argument '--list' cannot be used with '--update'

        Usage: wharf test --list --log-level <LEVEL> [PATH]...

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn a_folder_that_cannot_be_read_fails_the_run() {
    let folder = with_files(&["a.test.yaml"]);
    // The path is longer than the system takes: not even its owner can read it.
    let script = "name=$(printf 'x%.0s' $(seq 200)); for i in $(seq 25); do mkdir $name && cd -P $name || exit 1; done";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(made.success());
    let output = folder.run(&["test", "--junit", "junit.xml"]);
    let said = String::from_utf8_lossy(&output.stderr).replace(&"x".repeat(200), "X");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("/X cannot be read\n  caused by: File name too long"),
        "{said}"
    );
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("1 passed, 0 failed; 1 folder cannot be read"),
        "{text}"
    );
    let xml = super::read(&folder, "junit.xml");
    let document = roxmltree::Document::parse(&xml).unwrap();
    assert_eq!(document.root_element().attribute("errors"), Some("1"));
}
