//! Modules of Trivy in the commands for authors: `wharf run --file` and `--post-scan`, `wharf inspect`.

use std::process::{Command, Stdio};
use std::time::Duration;

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::harness::{Folder, folder};

const WORDPRESS: &str = "guests/trivy/trivy-wordpress/trivy-wordpress.wasm";
const SEVERITY: &str = "guests/trivy/trivy-severity/trivy-severity.wasm";

/// What a command gives, without its times.
fn check(folder: &Folder, arguments: &[&str], expected: &Expect) {
    let transcript = folder.transcript(arguments);
    let lines = transcript
        .lines()
        .map(|line| match line.trim_start().starts_with("time: ") {
            true => "  time: …\n".to_owned(),
            false => format!("{line}\n"),
        });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn a_module_looks_at_a_file() {
    let folder = folder().with("version.php", "<?php\n$wp_version = '6.4.1';\n");
    check(
        &folder,
        &[
            "run",
            WORDPRESS,
            "--file",
            "version.php",
            "--path",
            "blog/wp-includes/version.php",
        ],
        &expect![[r#"
            exit code 0
            --- stdout ---
            cms-wordpress version 3

            analyze blog/wp-includes/version.php
              info: WordPress 6.4.1 in /blog/wp-includes/version.php
              {
                "CustomResources": [
                  {
                    "Type": "wordpress-version",
                    "FilePath": "/blog/wp-includes/version.php",
                    "Layer": {},
                    "Data": "6.4.1"
                  }
                ]
              }
              time: …
        "#]],
    );
    check(
        &folder,
        &["run", WORDPRESS, "--file", "./version.php", "--json"],
        &expect![[r#"
            exit code 0
            --- stdout ---
            {
              "name": "cms-wordpress",
              "version": 3,
              "log": [],
              "analyze": {
                "path": "version.php",
                "required": false,
                "result": {
                  "CustomResources": [
                    {
                      "Type": "wordpress-version",
                      "FilePath": "/version.php",
                      "Layer": {},
                      "Data": "6.4.1"
                    }
                  ]
                },
                "fault": null,
                "log": [
                  {
                    "source": "info",
                    "text": "WordPress 6.4.1 in /version.php"
                  }
                ]
              }
            }
        "#]],
    );
}

#[test]
fn a_module_looks_at_findings() {
    let folder = folder()
        .with(
            "results.json",
            r#"[{"Target":"","Class":"custom","CustomResources":[]},{"Target":"t","Class":"lang-pkgs"}]"#,
        )
        .with(
            "report.json",
            r#"{"SchemaVersion":2,"Results":[{"Target":"t","Class":"lang-pkgs"}]}"#,
        );
    check(
        &folder,
        &["run", SEVERITY, "--post-scan", "results.json", "--json"],
        &expect![[r#"
            exit code 0
            --- stdout ---
            {
              "name": "exposure-severity",
              "version": 1,
              "log": [],
              "postScan": {
                "inserted": 0,
                "updated": 0,
                "removed": 0,
                "results": [
                  {
                    "Target": "",
                    "Class": "custom"
                  },
                  {
                    "Target": "t",
                    "Class": "lang-pkgs"
                  }
                ],
                "fault": null,
                "log": []
              }
            }
        "#]],
    );
    check(
        &folder,
        &[
            "run",
            "guests/trivy/trivy-secrets/trivy-secrets.wasm",
            "--post-scan",
            "report.json",
        ],
        &expect![[r#"
            exit code 0
            --- stdout ---
            acme-secrets version 1

            post-scan
              it is no post-scanner, and was not called
              time: …
        "#]],
    );
}

#[test]
fn a_module_that_fails_is_told_with_its_frames() {
    let folder = folder().with("a.txt", "x");
    check(
        &folder,
        &["run", "guests/trivy/wat/trap.wat", "--file", "a.txt"],
        &expect![[r#"
            exit code 4
            --- stdout ---
            trap version 1

            analyze a.txt
              fault: in analyze: the guest trapped: wasm trap: wasm `unreachable` instruction executed
                at function 0 at 0xb5
              hint: ask the module's author, with the file and the frames of the fault
              time: …
        "#]],
    );
    let output = folder.run(&[
        "run",
        "guests/trivy/wat/loop.wat",
        "--file",
        "a.txt",
        "--deadline",
        "50ms",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(4));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["analyze"]["fault"]["kind"], "deadline", "{told}");
    check(
        &folder,
        &["run", "guests/trivy/wat/wrong-version.wat", "--file", "a.txt"],
        &expect![[r#"
            exit code 4
            --- stderr ---
            error: file:guests/trivy/wat/wrong-version.wat cannot be used: the module "wrong-version" speaks version 2 of the module API, and this host version 1

            hint: get the module in a build for this version of the API
        "#]],
    );
}

#[test]
fn what_cannot_be_read_is_told() {
    let folder = folder().with("bad.json", r#"[{"Target":1}]"#);
    check(
        &folder,
        &["run", WORDPRESS, "--file", "nowhere"],
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: nowhere cannot be read: No such file or directory (os error 2)

        hint: check the path
    "#]],
    );
    check(
        &folder,
        &["run", WORDPRESS, "--post-scan", "bad.json"],
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: bad.json has no results: [0].Target: invalid type: integer `1`, expected a string at line 1 column 12

        hint: --post-scan takes a report as `trivy --format json` writes it, or the list of its results
    "#]],
    );
    check(
        &folder,
        &["run", WORDPRESS, "--file", "a", "--request", "GET /"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: the argument '--file <FILE>' cannot be used with '--request <METHOD PATH>'

        Usage: wharf run --file <FILE> --log-level <LEVEL> <PLUGIN>

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn a_module_says_what_it_is() {
    let text = folder().transcript(&["inspect", WORDPRESS]);
    for line in [
        "  loads      yes, as a module of Trivy",
        "module cms-wordpress, version 3",
        "  wp-includes\\/version\\.php$",
        "after a scan: INSERT",
        "supported  env.info",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let output = folder().run(&["inspect", SEVERITY, "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["loads"], true);
    assert_eq!(told["loadsAs"], "a module of Trivy");
    assert_eq!(told["trivy"]["postScan"]["action"], "UPDATE");
    assert!(!told["trivy"]["postScan"]["ids"].as_array().unwrap().is_empty());
    let output = folder().run(&["inspect", "guests/trivy/wat/no-free.wat"]);
    assert_eq!(output.status.code(), Some(4));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("exports no \"free\""), "{text}");
}

/// A scan whose module does not come back is ended by a signal, though the module's deadline is an hour.
#[test]
fn a_scan_ends_with_a_signal_and_writes_nothing() {
    let folder = folder()
        .with(
            "wharf.yaml",
            "version: 1\nplugins:\n  loop: { source: file:guests/trivy/wat/loop.wat, limits: { deadline: 3600s } }\n\
             scan: { modules: [loop] }\n",
        )
        .with("a.txt", "x");
    let mut command: Command = folder.command(&[
        "scan",
        "-c",
        "wharf.yaml",
        "--no-cache",
        "--output",
        "report",
        "a.txt",
    ]);
    let mut scan = command
        .env("WHARF_LOG", "off")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process = rustix::process::Pid::from_child(&scan);
    // A signal that comes before the program waits for signals ends it too, and with no report either.
    std::thread::sleep(Duration::from_secs(1));
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(60);
    let status = loop {
        if let Some(status) = scan.try_wait().unwrap() {
            break Some(status);
        }
        if std::time::Instant::now() > until {
            scan.kill().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let status = status.expect("the scan ends by itself");
    assert!(!status.success(), "{status}");
    assert!(!folder.path().join("report").exists());
}
