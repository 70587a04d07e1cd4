//! The reports for CI systems and scripts.

use expect_test::expect;

use super::{check, json, read, table};
use crate::harness::Folder;

fn three() -> Folder {
    table(
        r#"plugin: guests/rust-headers/rust-headers.wasm
cases:
  - name: passes
    requests: [{ request: { path: /a } }]
  - name: fails
    requests: [{ expect: { client: { status: 404 } } }]
  - { name: is missing, plugin: missing.wasm }
"#,
    )
}

#[test]
fn junit_has_all_cases_and_is_written_whole() {
    let folder = three();
    std::fs::write(
        folder.path().join("junit.xml"),
        "old and longer than what comes".repeat(1000),
    )
    .unwrap();
    let output = folder.run(&["test", "--junit", "junit.xml"]);
    assert_eq!(output.status.code(), Some(4));
    let text = read(&folder, "junit.xml");
    let document = roxmltree::Document::parse(&text).unwrap();
    let root = document.root_element();
    assert!(root.has_tag_name("testsuites"));
    let counts = ["tests", "failures", "errors", "skipped"].map(|name| root.attribute(name).unwrap());
    assert_eq!(counts, ["3", "1", "1", "0"]);
    let cases: Vec<_> = document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"))
        .collect();
    let attributes = |name: &str| {
        cases
            .iter()
            .map(|case| case.attribute(name).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(attributes("name"), ["passes", "fails", "is missing"]);
    assert_eq!(attributes("file"), ["a.test.yaml"; 3]);
    assert_eq!(attributes("classname"), ["a.test.yaml"; 3]);
    assert_eq!(attributes("line"), ["3", "5", "7"]);
    assert!(attributes("time").iter().all(|time| time.parse::<f64>().is_ok()));
    let child = |index: usize, name: &str| {
        let case = &cases[index];
        case.children().find(|node| node.has_tag_name(name))
    };
    assert!(child(0, "failure").is_none() && child(0, "error").is_none());
    let logged = child(0, "system-out").unwrap().text().unwrap();
    assert!(
        logged.contains("info     rust-headers: request GET /a"),
        "{logged}"
    );
    let failure = child(1, "failure").unwrap();
    expect!["`client.status` is expected to be 404, and is 200"]
        .assert_eq(failure.attribute("message").unwrap());
    expect![[r#"
        request 1: GET /
          a.test.yaml:6: `client.status` is expected to be 404, and is 200
          log
            info     rust-headers: request GET /
    "#]]
    .assert_eq(failure.text().unwrap());
    assert!(
        child(2, "error")
            .unwrap()
            .text()
            .unwrap()
            .contains("missing.wasm")
    );
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "nothing else is left behind: {left:?}");
}

#[test]
fn a_junit_file_that_cannot_be_written_fails_the_run() {
    let folder = table("plugin: guests/rust-headers/rust-headers.wasm\ncases: [{ name: starts }]\n");
    check(
        &folder,
        &["--junit", "missing/junit.xml"],
        &expect![[r#"
            exit code 1
            --- stdout ---
            ok    a.test.yaml: starts

            1 passed, 0 failed
            --- stderr ---
            error: the report missing/junit.xml cannot be written
              caused by: No such file or directory (os error 2)

            hint: name a file in a folder that is there and can be written
        "#]],
    );
    check(
        &folder,
        &["--junit", "."],
        &expect![[r#"
        exit code 1
        --- stdout ---
        ok    a.test.yaml: starts

        1 passed, 0 failed
        --- stderr ---
        error: the report . cannot be written
          caused by: Is a directory (os error 21)

        hint: name a file in a folder that is there and can be written
    "#]],
    );
}

#[test]
fn json_has_what_scripts_want() {
    let (code, mut results) = json(&three(), &[]);
    assert_eq!(code, Some(4));
    results["cases"][0]["report"] = "…".into();
    results["cases"][1]["report"] = "…".into();
    expect![[r#"
        {
          "ok": false,
          "passed": 1,
          "failed": 1,
          "errors": 1,
          "cases": [
            {
              "file": "a.test.yaml",
              "line": 3,
              "name": "passes",
              "outcome": "passed",
              "report": "…"
            },
            {
              "file": "a.test.yaml",
              "line": 5,
              "name": "fails",
              "outcome": "failed",
              "failures": [
                {
                  "part": "request 1: GET /",
                  "differences": [
                    {
                      "line": 6,
                      "message": "`client.status` is expected to be 404, and is 200",
                      "diff": []
                    }
                  ]
                }
              ],
              "report": "…"
            },
            {
              "file": "a.test.yaml",
              "line": 7,
              "name": "is missing",
              "outcome": "error",
              "error": {
                "message": "plugin `missing` (file:missing.wasm) cannot be loaded: there is no file missing.wasm",
                "hint": "a relative path in a configuration is relative to its file; was the plugin built?"
              },
              "report": ""
            }
          ],
          "updated": [],
          "problems": []
        }"#]].assert_eq(&format!("{results:#}"));
}

#[test]
fn a_list_as_json() {
    let folder = three();
    let (code, list) = json(&folder, &["--list", "--filter", "pass"]);
    assert_eq!(code, Some(0));
    expect![[r#"
        {
          "cases": [
            {
              "file": "a.test.yaml",
              "line": 3,
              "name": "passes"
            }
          ],
          "problems": []
        }"#]]
    .assert_eq(&format!("{list:#}"));
}

#[test]
fn the_result_is_in_colour_nowhere_but_on_a_terminal() {
    let output = three().run(&["test"]);
    assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b));
}
