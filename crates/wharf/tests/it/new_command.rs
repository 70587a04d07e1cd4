//! `wharf new`: what it writes, and what it does not touch. That the projects build and pass is for `cargo xtask templates`,
//! which has the toolchains.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::{Expect, expect};

use crate::harness::{Folder, folder};

/// Each language, and where its build leaves a filter with the name `add-header`.
const LANGUAGES: [(&str, &str); 4] = [
    ("rust", "target/wasm32-wasip1/release/add_header.wasm"),
    ("go", "add-header.wasm"),
    ("c", "add-header.wasm"),
    ("assemblyscript", "add-header.wasm"),
];

fn check(arguments: &[&str], expected: &Expect) {
    expected.assert_eq(&folder().transcript(arguments));
}

/// A folder in which `wharf new` wrote `add-header`.
fn project(language: &str) -> Folder {
    let folder = folder();
    let output = folder.run(&["new", "filter", "--lang", language, "add-header"]);
    assert_eq!(output.status.code(), Some(0), "{language}: {output:?}");
    assert_eq!(output.stdout, b"", "words go to stderr");
    folder
}

/// All files below, by their paths.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn help_says_what_can_be_begun() {
    check(
        &["new", "--help"],
        &expect![[r#"
            exit code 0
            --- stdout ---
            Write a project to begin with

            Usage: wharf new [OPTIONS] <COMMAND>

            Commands:
              filter  A proxy-wasm filter, with its build, tests, a configuration to serve it and a README
              help    Print this message or the help of the given subcommand(s)

            Options:
                  --log-level <LEVEL>        What is logged: off, error, warn, info, debug or trace, also by
                                             target, such as "info,wharf::plugin=debug"; info where nobody says
                                             it [env: WHARF_LOG=off]
                  --log-format <LOG_FORMAT>  How log lines look; by default text on a terminal and JSON
                                             otherwise [default: auto] [possible values: auto, text, json]
              -h, --help                     Print help
        "#]],
    );
    check(
        &["new", "filter", "--help"],
        &expect![[r#"
            exit code 0
            --- stdout ---
            A proxy-wasm filter, with its build, tests, a configuration to serve it and a README

            Usage: wharf new filter [OPTIONS] --lang <LANG> <NAME>

            Arguments:
              <NAME>  The name of the filter, such as `add-header`: of its package, its file and its plugin

            Options:
                  --lang <LANG>              What it is written in [possible values: rust, go, c,
                                             assemblyscript]
                  --log-level <LEVEL>        What is logged: off, error, warn, info, debug or trace, also by
                                             target, such as "info,wharf::plugin=debug"; info where nobody says
                                             it [env: WHARF_LOG=off]
                  --dir <PATH>               The folder to write, which must be empty or not there; by default
                                             the name
                  --log-format <LOG_FORMAT>  How log lines look; by default text on a terminal and JSON
                                             otherwise [default: auto] [possible values: auto, text, json]
              -h, --help                     Print help
        "#]],
    );
}

#[test]
fn a_filter_in_rust() {
    check(
        &["new", "filter", "--lang", "rust", "add-header"],
        &expect![[r#"
            exit code 0
            --- stderr ---
            wrote a filter in Rust to add-header:
              .github/workflows/test.yml
              .gitignore
              Cargo.toml
              README.md
              src/lib.rs
              tests/add-header.test.yaml
              wharf.yaml

            It needs Rust 1.85 or later with `rustup target add wasm32-wasip1`. Go on in add-header with

              cargo build --release --target wasm32-wasip1
              wharf test tests
              wharf run target/wasm32-wasip1/release/add_header.wasm --config '{"require": "x-api-key"}' --request 'GET /' --request 'GET /' -H 'x-api-key: 1'
        "#]],
    );
}

#[test]
fn a_filter_in_go() {
    check(
        &["new", "filter", "--lang", "go", "add-header"],
        &expect![[r#"
            exit code 0
            --- stderr ---
            wrote a filter in Go to add-header:
              .github/workflows/test.yml
              .gitignore
              README.md
              go.mod
              go.sum
              main.go
              tests/add-header.test.yaml
              wharf.yaml

            It needs Go 1.24 or later, not TinyGo. Go on in add-header with

              GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o add-header.wasm .
              wharf test tests
              wharf run add-header.wasm --config '{"require": "x-api-key"}' --request 'GET /' --request 'GET /' -H 'x-api-key: 1'
        "#]],
    );
}

#[test]
fn a_filter_in_c() {
    check(
        &["new", "filter", "--lang", "c", "add-header"],
        &expect![[r#"
            exit code 0
            --- stderr ---
            wrote a filter in C to add-header:
              .github/workflows/test.yml
              .gitignore
              Makefile
              README.md
              add-header.c
              proxy_wasm.h
              tests/add-header.test.yaml
              wharf.yaml

            It needs make, and zig or wasi-sdk (the README says how). Go on in add-header with

              make
              wharf test tests
              wharf run add-header.wasm --config 'require x-api-key' --request 'GET /' --request 'GET /' -H 'x-api-key: 1'
        "#]],
    );
}

#[test]
fn a_filter_in_assemblyscript() {
    check(
        &["new", "filter", "--lang", "assemblyscript", "add-header"],
        &expect![[r#"
            exit code 0
            --- stderr ---
            wrote a filter in AssemblyScript to add-header:
              .github/workflows/test.yml
              .gitignore
              README.md
              assembly/index.ts
              package-lock.json
              package.json
              tests/add-header.test.yaml
              wharf.yaml

            It needs Node.js 20 or later. Go on in add-header with

              npm ci && npm run build
              wharf test tests
              wharf run add-header.wasm --config 'require x-api-key' --request 'GET /' --request 'GET /' -H 'x-api-key: 1'
        "#]],
    );
}

#[test]
fn what_it_says_to_have_written_is_there_and_nothing_else() {
    for (language, _) in LANGUAGES {
        let folder = folder();
        let output = folder.run(&["new", "filter", "--lang", language, "add-header", "--dir", "a/b"]);
        let said = String::from_utf8(output.stderr).unwrap();
        let said: Vec<&str> = said
            .lines()
            .skip(1)
            .take_while(|line| !line.is_empty())
            .map(str::trim)
            .collect();
        let there = files(&folder.path().join("a/b"));
        assert_eq!(
            said,
            there.keys().map(String::as_str).collect::<Vec<_>>(),
            "{language}"
        );
        for (path, content) in there {
            let text = String::from_utf8(content).unwrap();
            assert!(
                !text.contains("my-filter") && !text.contains("my_filter"),
                "{language} {path}: {text}"
            );
        }
    }
}

#[test]
fn the_configuration_can_be_served_once_the_filter_is_built() {
    for (language, module) in LANGUAGES {
        let folder = project(language);
        let project = folder.path().join("add-header");
        let module = project.join(module);
        fs::create_dir_all(module.parent().unwrap()).unwrap();
        // It takes every configuration.
        fs::copy(folder.path().join("guests/as-counter/as-counter.wasm"), module).unwrap();
        assert_eq!(
            folder.transcript(&["check", "add-header/wharf.yaml"]),
            "exit code 0\n--- stderr ---\nadd-header/wharf.yaml: good, with 1 plugin that started\n",
            "{language}"
        );
    }
}

#[test]
fn a_configuration_whose_filter_is_not_built_yet() {
    expect![[r#"
        exit code 3
        --- stderr ---
        error: the module `add-header/target/wasm32-wasip1/release/add_header.wasm` does not exist
         --> add-header/wharf.yaml:5:13
          |
        5 |     source: file:target/wasm32-wasip1/release/add_header.wasm
          |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = hint: the path is relative to the directory of the configuration file
    "#]]
    .assert_eq(&project("rust").transcript(&["check", "add-header/wharf.yaml"]));
}

#[test]
fn names_that_are_not_good_everywhere_are_refused() {
    check(
        &["new", "filter", "--lang", "go", "Add Header"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: invalid value 'Add Header' for '<NAME>': a name has the letters a-z, digits, and single `-` between them, and begins with a letter, such as `add-header`

        For more information, try '--help'.
    "#]],
    );
    check(
        &["new", "filter", "--lang", "c", "../up"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: invalid value '../up' for '<NAME>': a name has the letters a-z, digits, and single `-` between them, and begins with a letter, such as `up`

        For more information, try '--help'.
    "#]],
    );
    check(
        &["new", "filter", "--lang", "rust", "match"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: invalid value 'match' for '<NAME>': it is a word of Rust; take a name of your own, such as `match-filter`

        For more information, try '--help'.
    "#]],
    );
    let long = "a".repeat(64);
    check(
        &["new", "filter", "--lang", "rust", &long],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: invalid value 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' for '<NAME>': it has 64 bytes, and a name has at most 63, such as `add-header`

        For more information, try '--help'.
    "#]],
    );
    let folder = folder();
    for name in ["", "-", ".", "a/b", "é", "3d", "serde", "nul"] {
        let output = folder.run(&["new", "filter", "--lang", "rust", "--", name]);
        assert_eq!(output.status.code(), Some(2), "{name:?}: {output:?}");
    }
    let output = folder.run(&["new", "filter", "--lang", "rust", "add-header", "--dir", ""]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "only the guests are there"
    );
}

#[test]
fn a_language_that_there_is_none_of() {
    check(
        &["new", "filter", "--lang", "cobol", "add-header"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: invalid value 'cobol' for '--lang <LANG>'
          [possible values: rust, go, c, assemblyscript]

          tip: a similar value exists: 'c'

        For more information, try '--help'.
    "#]],
    );
    check(
        &["new", "filter", "--lang"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: a value is required for '--lang <LANG>' but none was supplied
          [possible values: rust, go, c, assemblyscript]

        For more information, try '--help'.
    "#]],
    );
    check(
        &["new", "filter", "add-header"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: the following required arguments were not provided:
          --lang <LANG>

        Usage: wharf new filter --lang <LANG> --log-level <LEVEL> <NAME>

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = project("c");
    let before = files(&folder.path().join("add-header"));
    expect![[r#"
        exit code 1
        --- stderr ---
        error: there are files in add-header already, and none are ever overwritten

        hint: `--dir PATH` names another folder
    "#]]
    .assert_eq(&folder.transcript(&["new", "filter", "--lang", "rust", "add-header"]));
    assert_eq!(files(&folder.path().join("add-header")), before);
}

#[test]
fn a_folder_that_is_empty_is_taken() {
    let folder = folder();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let output = folder.run(&["new", "filter", "--lang", "go", "add-header", "--dir", "empty"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(folder.path().join("empty/main.go").is_file());
}

#[test]
fn what_is_no_folder_is_not_made_one() {
    let folder = folder().with("file", "mine");
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    expect![[r#"
        exit code 1
        --- stderr ---
        error: file is not a folder

        hint: `--dir PATH` names another folder
    "#]]
    .assert_eq(&folder.transcript(&["new", "filter", "--lang", "c", "x", "--dir", "file"]));
    expect![[r#"
        exit code 1
        --- stderr ---
        error: file/below is not a folder

        hint: `--dir PATH` names another folder
    "#]]
    .assert_eq(&folder.transcript(&["new", "filter", "--lang", "c", "x", "--dir", "file/below"]));
    expect![[r#"
        exit code 1
        --- stderr ---
        error: the folder link cannot be used
          caused by: File exists (os error 17)

        hint: `--dir PATH` names a folder that can be written
    "#]]
    .assert_eq(&folder.transcript(&["new", "filter", "--lang", "c", "x", "--dir", "link"]));
    assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"mine");
}

/// No file may grow beyond 1 KiB here (2 in some shells), as if the disk were full, and the README is longer.
#[test]
fn a_failure_half_way_says_what_was_written() {
    let folder = folder();
    let limited = "trap '' XFSZ; ulimit -f 2; exec \"$0\" new filter --lang rust add-header";
    let output = Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_wharf")])
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    expect![[r#"
        error: add-header/README.md cannot be written
          caused by: File too large (os error 27)
          written before: add-header/.github/workflows/test.yml
          written before: add-header/.gitignore
          written before: add-header/Cargo.toml
          begun, and not whole: add-header/README.md

        hint: remove what was written before you try again
    "#]]
    .assert_eq(&String::from_utf8(output.stderr).unwrap());
    let there = files(&folder.path().join("add-header"));
    assert_eq!(
        there.keys().collect::<Vec<_>>(),
        [
            ".github/workflows/test.yml",
            ".gitignore",
            "Cargo.toml",
            "README.md"
        ]
    );
}
