//! Trivy's files.

use std::path::Path;

use expect_test::{Expect, expect};
use wharf_config::trivy::{
    IgnoreEntry, TrivyIgnore, TrivySettings, UnusedKey, parse_trivy_yaml, parse_trivyignore_yaml,
};

fn ignore(text: &str) -> TrivyIgnore {
    parse_trivyignore_yaml(Path::new(".trivyignore.yaml"), text).expect("it is a good file")
}

fn settings(text: &str) -> TrivySettings {
    parse_trivy_yaml(Path::new("trivy.yaml"), text).expect("it is a good file")
}

fn refused(text: &str, expected: &Expect) {
    let errors = parse_trivyignore_yaml(Path::new(".trivyignore.yaml"), text).expect_err("it is a bad file");
    expected.assert_eq(&errors.render(false));
}

#[test]
fn an_ignore_file_is_read() {
    let read = ignore(
        "vulnerabilities:
  - id: CVE-1
  - id: CVE-2
    paths: [\"app/**\", b.txt]
    purls:
      - pkg:npm/a@1
    expired_at: 2030-01-31
    statement: accepted
misconfigurations: []
secrets:
licenses:
  - id: MIT
",
    );
    assert_eq!(
        read.vulnerabilities,
        [
            IgnoreEntry {
                id: "CVE-1".to_owned(),
                line: 2,
                ..IgnoreEntry::default()
            },
            IgnoreEntry {
                id: "CVE-2".to_owned(),
                paths: vec!["app/**".to_owned(), "b.txt".to_owned()],
                purls: vec!["pkg:npm/a@1".to_owned()],
                expired_at: Some("2030-01-31T00:00:00Z".to_owned()),
                statement: "accepted".to_owned(),
                line: 3,
            },
        ]
    );
    assert_eq!(read.licenses.len(), 1);
    assert!(read.misconfigurations.is_empty() && read.secrets.is_empty() && read.warnings.is_empty());
    assert_eq!(ignore("{}"), TrivyIgnore::default());
}

#[test]
fn days_and_moments_are_read_as_yaml_has_them() {
    let moment = |text: &str| {
        ignore(&format!("secrets: [{{ id: a, expired_at: {text} }}]"))
            .secrets
            .remove(0)
            .expired_at
            .expect("there is one")
    };
    for (given, read) in [
        ("2030-01-31", "2030-01-31T00:00:00Z"),
        ("2030-1-3", "2030-01-03T00:00:00Z"),
        ("\"2030-01-31\"", "2030-01-31T00:00:00Z"),
        ("2024-02-29T1:02:03Z", "2024-02-29T01:02:03Z"),
        ("2030-01-31 01:02:03.5", "2030-01-31T01:02:03.5Z"),
        ("2030-01-31T01:02:03+02:00", "2030-01-31T01:02:03+02:00"),
        ("2030-01-31 01:02:03 -5", "2030-01-31T01:02:03-05:00"),
    ] {
        assert_eq!(moment(given), read);
    }
    for bad in [
        "soon",
        "2030-13-01",
        "2030-02-29",
        "2030-00-01",
        "30-01-01",
        "2030-01-01T25:00:00Z",
        "2030-01-01T",
        "2030-01-01T00:00:00+99:00",
        "2030-01-é1",
        "2030-01-01é",
    ] {
        let text = format!("secrets: [{{ id: a, expired_at: \"{bad}\" }}]");
        parse_trivyignore_yaml(Path::new("x"), &text).expect_err(bad);
    }
}

#[test]
fn what_is_wrong_with_an_ignore_file_is_told_with_its_place() {
    refused(
        "vulnerabilities:
  - paths: [a]
  - id: CVE-2
    expired_at: tomorrow
    paths: a
",
        &expect![[r#"
            error: `vulnerabilities[0]` has no `id`
             --> .trivyignore.yaml:2:5
              |
            2 |   - paths: [a]
              |     ^^^^^^^^^^
              |
              = hint: add `id:`. The id of the finding.

            error: `vulnerabilities[1].expired_at` cannot be `tomorrow`
             --> .trivyignore.yaml:4:17
              |
            4 |     expired_at: tomorrow
              |                 ^^^^^^^^
              |
              = hint: write a day such as `2030-01-31`, or `2030-01-31T12:00:00Z`

            error: `vulnerabilities[1].paths` is to be a list, and this is text
             --> .trivyignore.yaml:5:12
              |
            5 |     paths: a
              |            ^
              |
              = hint: write `["a"]`"#]],
    );
}

#[test]
fn unknown_keys_of_an_ignore_file_are_warned_of() {
    let read = ignore("vulnerabilities: [{ id: a, path: [b] }]\nvulnerability: []\n");
    let warnings: Vec<_> = read
        .warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    assert_eq!(
        warnings,
        [
            "unknown key `path` in `vulnerabilities[0]`",
            "unknown key `vulnerability` at the top of the file",
        ]
    );
}

#[test]
fn a_configuration_is_read() {
    let read = settings(
        "format: json
output: report.json
severity:
  - HIGH
  - CRITICAL
exit-code: 3
ignorefile: .ignore
template: \"@t.tpl\"
timeout: 5m0s
quiet: true
list-all-pkgs: false
scan:
  skip-dirs: [a, \"b/**\"]
  skip-files: c.txt, d.txt
  parallel: 2
  show-suppressed: true
  scanners: [vuln]
module:
  dir: modules
  enable-modules: [one]
vulnerability:
  ignore-unfixed: true
  ignore-status: [affected]
  vex: [a.json, repo]
license:
  ignored: [MIT]
pkg:
  include-dev-deps: true
db:
  skip-update: true
cache:
",
    );
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let unused = |key: &str, line| UnusedKey {
        key: key.to_owned(),
        line,
    };
    assert_eq!(
        read,
        TrivySettings {
            module_dir: Some("modules".into()),
            enable_modules: texts(&["one"]),
            skip_dirs: texts(&["a", "b/**"]),
            skip_files: texts(&["c.txt", "d.txt"]),
            parallel: Some(2),
            show_suppressed: Some(true),
            format: Some("json".to_owned()),
            output: Some("report.json".into()),
            template: Some("@t.tpl".to_owned()),
            severity: texts(&["HIGH", "CRITICAL"]),
            exit_code: Some(3),
            ignore_file: Some(".ignore".into()),
            list_all_packages: Some(false),
            ignore_unfixed: Some(true),
            ignore_status: texts(&["affected"]),
            vex: texts(&["a.json", "repo"]),
            ignored_licenses: texts(&["MIT"]),
            include_dev_packages: Some(true),
            timeout: Some("5m0s".to_owned()),
            quiet: Some(true),
            unused: vec![unused("scan.scanners", 17), unused("db.skip-update", 30)],
        }
    );
    assert_eq!(settings("{}"), TrivySettings::default());
}

#[test]
fn what_is_wrong_with_a_configuration_is_told_with_its_place() {
    let errors = parse_trivy_yaml(
        Path::new("trivy.yaml"),
        "exit-code: 999\nseverity: { a: b }\nquiet: maybe\nformat: [json]\n",
    )
    .expect_err("it is a bad file");
    expect![[r#"
        error: `exit-code` cannot be `999`
         --> trivy.yaml:1:12
          |
        1 | exit-code: 999
          |            ^^^
          |
          = hint: it goes from 0 to 255

        error: `severity` is to be a list, and this is a mapping
         --> trivy.yaml:2:11
          |
        2 | severity: { a: b }
          |           ^^^^^^^^
          |
          = hint: begin each item with `- `

        error: `quiet` is to be `true` or `false`, and this is text
         --> trivy.yaml:3:8
          |
        3 | quiet: maybe
          |        ^^^^^
          |
          = hint: write `true` or `false`

        error: `format` is to be text or a number, and this is a list
         --> trivy.yaml:4:9
          |
        4 | format: [json]
          |         ^^^^^^
          |
          = hint: write text or a number"#]]
    .assert_eq(&errors.render(false));
    let lines: Vec<_> = errors
        .errors
        .iter()
        .map(|error| error.location.as_ref().map(|location| location.line))
        .collect();
    assert_eq!(lines, [Some(1), Some(2), Some(3), Some(4)]);
}

/// Whatever stands in the files: an error with what to do, or a value.
#[test]
fn hostile_files_are_answered() {
    let good = [
        "vulnerabilities:\n  - id: CVE-2\n    paths: [\"app/**\"]\n    expired_at: 2030-01-31T00:00:00Z\n",
        "scan:\n  skip-dirs: [a]\nexit-code: 3\nquiet: true\n",
    ];
    for text in good {
        for at in 0..text.len() {
            for piece in [
                "", "\0", "\t", "\n", ":", "-", "{", "]", "\"", "&a", "*a", "é", "9",
            ] {
                let text = format!("{}{piece}{}", &text[..at], &text[at + 1..]);
                let path = Path::new("x");
                let errors = [
                    parse_trivyignore_yaml(path, &text).err(),
                    parse_trivy_yaml(path, &text).err(),
                ];
                for error in errors.iter().flatten().flat_map(|errors| &errors.errors) {
                    assert!(error.hint.is_some(), "{text:?}: {}", error.message);
                }
            }
        }
    }
}
