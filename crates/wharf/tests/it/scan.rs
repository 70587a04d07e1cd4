//! `wharf scan`: targets, modules, faults, reports, filters and exit codes.

mod faults;
mod filters;
mod images;
mod registries;
mod settings;

use std::fs;

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::harness::{Folder, folder};

const WORDPRESS: &str = "guests/trivy/trivy-wordpress/trivy-wordpress.wasm";
const SECRETS: &str = "guests/trivy/trivy-secrets/trivy-secrets.wasm";

/// A folder with an old WordPress and a secret.
pub(crate) fn blog() -> Folder {
    let folder = folder();
    write(
        &folder,
        "tree/blog/wp-includes/version.php",
        "<?php\n$wp_version = '6.4.1';\n",
    );
    write(&folder, "tree/.env", "A=1\nKEY=acme_ABCDEFGHIJKLMNOPQRSTUVWX\n");
    write(&folder, "tree/readme.txt", "nothing\n");
    folder
}

/// Writes a file and the directories that it is in.
pub(crate) fn write(folder: &Folder, path: &str, content: impl AsRef<[u8]>) {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Scans with these arguments and nothing that is kept, and gives the exit code, the report and what is said.
pub(crate) fn scan(folder: &Folder, arguments: &[&str]) -> (i32, Value, String) {
    let arguments = [&["scan", "--no-cache", "--format", "json"], arguments].concat();
    let output = folder.run(&arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), report, said)
}

/// The targets and classes of the results.
pub(crate) fn targets(report: &Value) -> Vec<(String, String)> {
    let results = report["Results"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    results
        .iter()
        .map(|result| (text(&result["Target"]), text(&result["Class"])))
        .collect()
}

fn check(folder: &Folder, arguments: &[&str], expected: &Expect) {
    let arguments = [&["scan", "--no-cache"], arguments].concat();
    expected.assert_eq(&folder.transcript(&arguments));
}

#[test]
fn a_directory_is_scanned_as_trivy_does() {
    let folder = blog();
    check(
        &folder,
        &[
            "--module", WORDPRESS, "--module", SECRETS, "--format", "json", "tree",
        ],
        &expect![[r#"
            exit code 0
            --- stdout ---
            {
              "SchemaVersion": 2,
              "ReportID": "b2adf0de-86c6-8e2c-8722-160f3ca14906",
              "ArtifactName": "tree",
              "ArtifactType": "filesystem",
              "Results": [
                {
                  "Target": ".env",
                  "Class": "secret",
                  "Secrets": [
                    {
                      "RuleID": "acme-key",
                      "Category": "Acme",
                      "Severity": "HIGH",
                      "Title": "Key of the Acme service",
                      "StartLine": 2,
                      "EndLine": 2,
                      "Code": {
                        "Lines": [
                          {
                            "Number": 2,
                            "Content": "KEY=*****************************",
                            "IsCause": true,
                            "Annotation": "",
                            "Truncated": false,
                            "FirstCause": true,
                            "LastCause": true
                          }
                        ]
                      },
                      "Match": "KEY=*****************************",
                      "Offset": 8
                    }
                  ]
                },
                {
                  "Target": "",
                  "Class": "custom",
                  "CustomResources": [
                    {
                      "Type": "wordpress-version",
                      "FilePath": "/blog/wp-includes/version.php",
                      "Layer": {},
                      "Data": "6.4.1"
                    }
                  ]
                },
                {
                  "Target": "/blog/wp-includes/version.php",
                  "Class": "lang-pkgs",
                  "Type": "wordpress",
                  "Vulnerabilities": [
                    {
                      "VulnerabilityID": "EXAMPLE-2026-0001",
                      "PkgName": "wordpress",
                      "InstalledVersion": "6.4.1",
                      "FixedVersion": "6.4.2",
                      "Fingerprint": "sha256:49e51ca2f9e521fac7d39b4c1918645c2fc92888748b3cfa9f197ad518dc721c",
                      "Title": "An example of a finding that a module adds",
                      "Severity": "HIGH"
                    }
                  ]
                }
              ]
            }
        "#]],
    );
}

#[test]
fn a_table_is_for_people() {
    let folder = blog();
    check(
        &folder,
        &["--module", WORDPRESS, "--module", SECRETS, "tree"],
        &expect![[r#"
            exit code 0
            --- stdout ---

            Report Summary

            ┌───────────────────────────────┬───────────┬─────────────────┬───────────────────┬─────────┬──────────┐
            │            Target             │   Type    │ Vulnerabilities │ Misconfigurations │ Secrets │ Licenses │
            ├───────────────────────────────┼───────────┼─────────────────┼───────────────────┼─────────┼──────────┤
            │ .env                          │   text    │        -        │         -         │    1    │    -     │
            ├───────────────────────────────┼───────────┼─────────────────┼───────────────────┼─────────┼──────────┤
            │ /blog/wp-includes/version.php │ wordpress │        1        │         -         │    -    │    -     │
            └───────────────────────────────┴───────────┴─────────────────┴───────────────────┴─────────┴──────────┘
            Legend:
            - '-': Not scanned
            - '0': Clean (no security findings detected)


            .env (secrets)
            ==============
            Total: 1 (UNKNOWN: 0, LOW: 0, MEDIUM: 0, HIGH: 1, CRITICAL: 0)

            HIGH: Acme (acme-key)
            ════════════════════════════════════════
            Key of the Acme service
            ────────────────────────────────────────
             .env:2 (offset: 8 bytes)
            ────────────────────────────────────────
               2 [ KEY=*****************************
            ────────────────────────────────────────



            Custom resources
            ================
            Total: 1 (wordpress-version: 1)

            /blog/wp-includes/version.php (wordpress)
            =========================================
            Total: 1 (UNKNOWN: 0, LOW: 0, MEDIUM: 0, HIGH: 1, CRITICAL: 0)

            ┌───────────┬───────────────────┬──────────┬─────────┬───────────────────┬───────────────┬────────────────────────────────────────────┐
            │  Library  │   Vulnerability   │ Severity │ Status  │ Installed Version │ Fixed Version │                   Title                    │
            ├───────────┼───────────────────┼──────────┼─────────┼───────────────────┼───────────────┼────────────────────────────────────────────┤
            │ wordpress │ EXAMPLE-2026-0001 │ HIGH     │ unknown │ 6.4.1             │ 6.4.2         │ An example of a finding that a module adds │
            └───────────┴───────────────────┴──────────┴─────────┴───────────────────┴───────────────┴────────────────────────────────────────────┘
        "#]],
    );
}

#[test]
fn each_format_is_the_same_from_run_to_run() {
    let folder = blog();
    for format in ["table", "json", "sarif", "cyclonedx", "spdx-json", "junit"] {
        let arguments = [
            "scan",
            "--no-cache",
            "--module",
            WORDPRESS,
            "--module",
            SECRETS,
            "--format",
            format,
            "tree",
        ];
        let first = folder.run(&arguments);
        assert_eq!(
            first.status.code(),
            Some(0),
            "{format}: {}",
            String::from_utf8_lossy(&first.stderr)
        );
        assert!(first.stdout.len() > 50, "{format}");
        assert_eq!(first.stdout, folder.run(&arguments).stdout, "{format}");
    }
}

#[test]
fn the_time_is_in_the_report_where_it_is_said() {
    let folder = blog();
    let mut command = folder.command(&["scan", "--no-cache", "--format", "json", "tree"]);
    let output = command
        .env("WHARF_LOG", "off")
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["CreatedAt"], "2023-11-14T22:13:20Z");
    let (_, report, _) = scan(&folder, &["tree"]);
    assert_eq!(report["CreatedAt"], Value::Null);
}

#[test]
fn a_file_is_a_target_too() {
    let folder = blog();
    let (code, report, _) = scan(&folder, &["--module", SECRETS, "tree/.env"]);
    assert_eq!(code, 0);
    assert_eq!(report["ArtifactName"], "tree/.env");
    assert_eq!(targets(&report), [(".env".to_owned(), "secret".to_owned())]);
}

#[test]
fn the_modules_of_a_directory_are_found_and_chosen_by_name() {
    let folder = blog();
    fs::create_dir_all(folder.path().join("modules/deep")).unwrap();
    fs::copy(
        folder.path().join(WORDPRESS),
        folder.path().join("modules/deep/w.wasm"),
    )
    .unwrap();
    fs::copy(folder.path().join(SECRETS), folder.path().join("modules/s.wasm")).unwrap();
    fs::write(folder.path().join("modules/README"), "no module").unwrap();
    let (code, report, _) = scan(&folder, &["--module-dir", "modules", "tree"]);
    assert_eq!((code, targets(&report).len()), (0, 3), "{report}");
    let (code, report, said) = scan(
        &folder,
        &[
            "--module-dir",
            "modules",
            "--enable-modules",
            "acme-secrets,other",
            "tree",
        ],
    );
    assert_eq!(code, 2, "{said}");
    assert_eq!(targets(&report), [(".env".to_owned(), "secret".to_owned())]);
    assert!(said.contains("module other: no module has this name"), "{said}");
}

#[test]
fn a_scan_for_nothing_says_so() {
    let (code, report, said) = scan(&blog(), &["tree"]);
    assert_eq!((code, targets(&report).len()), (0, 0));
    assert!(said.starts_with("warning: there is no module"), "{said}");
}

#[test]
fn a_target_that_is_missing_is_told() {
    let folder = folder();
    check(
        &folder,
        &["nowhere"],
        &expect![[r#"
            exit code 1
            --- stderr ---
            warning: there is no module, so nothing is looked for: --module and --module-dir name some
            error: there is no file or directory nowhere

            hint: check the path; a relative one is taken from the directory that the command runs in
        "#]],
    );
    std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
    check(
        &folder,
        &["loop"],
        &expect![[r#"
            exit code 1
            --- stderr ---
            warning: there is no module, so nothing is looked for: --module and --module-dir name some
            error: loop is a loop of links

            hint: name the directory itself, not a link
        "#]],
    );
}

#[test]
fn a_loop_of_links_in_a_target_is_passed_over() {
    let folder = blog();
    std::os::unix::fs::symlink("..", folder.path().join("tree/blog/up")).unwrap();
    std::os::unix::fs::symlink("self", folder.path().join("tree/self")).unwrap();
    let (code, report, said) = scan(&folder, &["--module", WORDPRESS, "tree"]);
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!(targets(&report).len(), 2, "{report}");
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_scan() {
    let folder = blog();
    check(
        &folder,
        &["--output", "missing/report.json", "tree"],
        &expect![[r#"
            exit code 1
            --- stderr ---
            error: the report cannot be written to missing/report.json: its directory does not exist

            hint: name a file in a directory that can be written
        "#]],
    );
    check(
        &folder,
        &["--output", "tree", "tree"],
        &expect![[r#"
        exit code 1
        --- stderr ---
        error: the report cannot be written to tree: it is a directory

        hint: name a file in a directory that can be written
    "#]],
    );
}

#[test]
fn a_report_replaces_its_file_as_a_whole() {
    let folder = blog().with("report.json", "old");
    let (code, _, said) = scan(&folder, &["--module", SECRETS, "--output", "report.json", "tree"]);
    assert_eq!((code, said.as_str()), (0, ""));
    let report: Value =
        serde_json::from_slice(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report["SchemaVersion"], 2);
    let others: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(others.len(), 3, "{others:?}");
}

#[test]
fn what_was_found_is_kept_until_a_file_changes() {
    let folder = blog();
    let cache = tempfile::tempdir().unwrap();
    let run = || {
        let mut command = folder.command(&["scan", "--format", "json", "--module", SECRETS, "tree"]);
        let output = command
            .env("WHARF_LOG", "off")
            .env("XDG_CACHE_HOME", cache.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        output.stdout
    };
    let age = |path: &str| {
        // Files that were changed just now are looked at again.
        let file = fs::File::options()
            .append(true)
            .open(folder.path().join(path))
            .unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60))
            .unwrap();
    };
    age("tree/.env");
    let first = run();
    assert_eq!(run(), first);
    write(&folder, "tree/.env", "NOTHING=1\n");
    let changed = run();
    assert_ne!(changed, first);
    let entries = fs::read_dir(cache.path().join("wharf/scan")).unwrap().count();
    assert_eq!(entries, 1);
}

#[test]
fn the_findings_of_others_are_looked_at() {
    let folder = blog();
    write(
        &folder,
        "trivy.json",
        r#"{"SchemaVersion":2,"ArtifactName":"shop","ArtifactType":"container_image","Results":[
          {"Target":"app","Class":"lang-pkgs","Type":"npm","Vulnerabilities":[
            {"VulnerabilityID":"CVE-1","PkgName":"p","InstalledVersion":"1","Severity":"LOW"}]}]}"#,
    );
    let (code, report, said) = scan(&folder, &["--report", "trivy.json"]);
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!(report["ArtifactName"], "shop");
    assert_eq!(targets(&report).len(), 1);
    let (_, report, _) = scan(&folder, &["--report", "trivy.json", "--module", SECRETS, "tree"]);
    assert_eq!(report["ArtifactName"], "shop");
    assert_eq!(targets(&report).len(), 2);
    write(&folder, "bad.json", r#"{"Results":[{"Target":1}]}"#);
    check(
        &folder,
        &["--report", "bad.json"],
        &expect![[r#"
        exit code 1
        --- stderr ---
        error: the report bad.json cannot be read
          caused by: Results[0].Target: invalid type: integer `1`, expected a string at line 1 column 23

        hint: --report takes what `trivy --format json` writes
    "#]],
    );
}

#[test]
fn an_sbom_is_a_target() {
    let folder = folder().with(
        "bom.json",
        r#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[
          {"type":"library","name":"left-pad","version":"1.3.0","purl":"pkg:npm/left-pad@1.3.0","bom-ref":"a"}]}"#,
    );
    let (code, report, said) = scan(&folder, &["bom.json"]);
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!(report["ArtifactType"], "cyclonedx");
    assert_eq!(
        report["Results"][0]["Packages"][0]["Name"], "left-pad",
        "{report}"
    );
}
