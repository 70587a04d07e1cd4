//! The modules of `guests/trivy`, each doing its work. What they find is what Trivy 0.76.0 finds with them.

use std::sync::Arc;

use expect_test::expect;
use wharf_abi_trivy::{Changes, TrivyModule};
use wharf_report as report;
use wharf_report::ScanResult;

use crate::support::{TestHost, ample, analyze, guest};

fn load(name: &str, host: &Arc<TestHost>) -> TrivyModule {
    guest(&format!("trivy-{name}/trivy-{name}.wasm"), host).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text(value: &impl serde::Serialize) -> String {
    String::from_utf8(report::to_json_pretty(value)).unwrap()
}

fn results(text: &str) -> Vec<ScanResult> {
    let report = format!(r#"{{"Results":{text}}}"#);
    report::Report::from_json(report.as_bytes()).unwrap().results
}

#[test]
fn wordpress_is_found_and_an_old_version_becomes_a_finding() {
    let host = Arc::new(TestHost::default());
    let module = load("wordpress", &host);
    assert_eq!((module.name(), module.info().version), ("cms-wordpress", 3));
    assert!(module.wants("app/wp-includes/version.php") && !module.wants("app/version.php"));
    let path = "app/wp-includes/version.php";
    let found = analyze(&module, path, "<?php\n$wp_version = '6.4.1';\n").unwrap();
    expect![[r#"
        {
          "CustomResources": [
            {
              "Type": "wordpress-version",
              "FilePath": "/app/wp-includes/version.php",
              "Layer": {},
              "Data": "6.4.1"
            }
          ]
        }"#]]
    .assert_eq(&text(&found));
    assert_eq!(
        host.take(),
        ["Info /app/wp-includes/version.php: WordPress 6.4.1 in /app/wp-includes/version.php"]
    );
    assert!(analyze(&module, path, "<?php\n").unwrap().has_nothing());

    let mut scan = vec![ScanResult {
        class: report::class::CUSTOM.into(),
        custom_resources: found.custom_resources,
        ..ScanResult::default()
    }];
    let changes = module.post_scan(&mut scan, ample()).unwrap();
    assert_eq!(
        changes,
        Changes {
            inserted: 1,
            ..Changes::default()
        }
    );
    expect![[r#"
        {
          "Target": "/app/wp-includes/version.php",
          "Class": "lang-pkgs",
          "Type": "wordpress",
          "Vulnerabilities": [
            {
              "VulnerabilityID": "EXAMPLE-2026-0001",
              "PkgName": "wordpress",
              "InstalledVersion": "6.4.1",
              "FixedVersion": "6.4.2",
              "Title": "An example of a finding that a module adds",
              "Severity": "HIGH"
            }
          ]
        }"#]]
    .assert_eq(&text(&scan[1]));
}

#[test]
fn secrets_are_found_with_their_lines_and_without_the_secret() {
    let host = Arc::new(TestHost::default());
    let module = load("secrets", &host);
    assert!(module.wants("a/.env") && module.wants("x.yml") && !module.wants("x.ymlx"));
    let contents = "A=1\nkey: acme_ABCDEFGHIJKLMNOPQRSTUVWX # <x>\n";
    let found = analyze(&module, "app/config.yaml", contents).unwrap();
    expect![[r#"
        {
          "Secrets": [
            {
              "FilePath": "app/config.yaml",
              "Findings": [
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
                        "Content": "key: ***************************** # \u003cx\u003e",
                        "IsCause": true,
                        "Annotation": "",
                        "Truncated": false,
                        "FirstCause": true,
                        "LastCause": true
                      }
                    ]
                  },
                  "Match": "key: ***************************** # \u003cx\u003e",
                  "Offset": 9
                }
              ]
            }
          ]
        }"#]]
    .assert_eq(&text(&found));
    assert!(analyze(&module, "a.txt", "acme_short").unwrap().has_nothing());
    assert!(analyze(&module, "a.txt", "").unwrap().has_nothing());
    // A file of some megabytes, on the same instance, again and again: nothing is left behind.
    let large = "x".repeat(2 << 20) + "\nacme_ABCDEFGHIJKLMNOPQRSTUVWX";
    for _ in 0..40 {
        let found = analyze(&module, "a.txt", &large).unwrap();
        assert_eq!(
            found.secrets[0].findings.as_ref().unwrap()[0].offset,
            (2 << 20) + 1
        );
    }
}

const VULNERABLE: &str = r#"[
    {"Target":"a","Class":"lang-pkgs","Type":"jar","Vulnerabilities":[
        {"VulnerabilityID":"CVE-2022-22965","PkgName":"spring","InstalledVersion":"5","Severity":"CRITICAL","Title":"RCE","CVSS":{"nvd":{"V3Score":9.8}}},
        {"VulnerabilityID":"CVE-2000-1","PkgName":"spring","InstalledVersion":"5","Severity":"LOW"}]}]"#;

#[test]
fn a_severity_is_lowered_where_the_service_is_internal() {
    let host = Arc::new(TestHost::default());
    let module = load("severity", &host);
    let found = analyze(&module, "srv/service.conf", "# x\nexposure = internal\n").unwrap();
    assert_eq!(found.custom_resources[0].data.value(), "internal");
    assert!(analyze(&module, "service.conf", "").unwrap().has_nothing());

    let mut scan = results(VULNERABLE);
    let unchanged = scan.clone();
    assert_eq!(module.post_scan(&mut scan, ample()).unwrap().updated, 1);
    assert_eq!(scan, unchanged);

    scan.push(ScanResult {
        class: report::class::CUSTOM.into(),
        custom_resources: found.custom_resources,
        ..ScanResult::default()
    });
    assert_eq!(module.post_scan(&mut scan, ample()).unwrap().updated, 1);
    expect![[r#"
        [
          {
            "VulnerabilityID": "CVE-2022-22965",
            "PkgName": "spring",
            "InstalledVersion": "5",
            "SeveritySource": "exposure",
            "Title": "RCE",
            "Severity": "LOW",
            "CVSS": {
              "nvd": {
                "V3Score": 9.8
              }
            }
          },
          {
            "VulnerabilityID": "CVE-2000-1",
            "PkgName": "spring",
            "InstalledVersion": "5",
            "Severity": "LOW"
          }
        ]"#]]
    .assert_eq(&text(&scan[0].vulnerabilities));
    assert!(
        host.take()
            .contains(&"Info -: lowering CVE-2022-22965".to_owned())
    );
}

#[test]
fn accepted_findings_are_removed() {
    let host = Arc::new(TestHost::default());
    let module = load("accepted", &host);
    assert!(module.info().required.is_none());
    let mut scan = results(VULNERABLE);
    let changes = module.post_scan(&mut scan, ample()).unwrap();
    assert_eq!(
        changes,
        Changes {
            removed: 1,
            ..Changes::default()
        }
    );
    assert_eq!(scan[0].vulnerabilities.len(), 1);
    assert_eq!(scan[0].vulnerabilities[0].vulnerability_id, "CVE-2000-1");
    assert_eq!(module.post_scan(&mut scan, ample()).unwrap(), Changes::default());
}

#[test]
fn modules_see_after_a_scan_what_those_before_them_did() {
    let host = Arc::new(TestHost::default());
    let mut modules = ["accepted", "severity", "wordpress"].map(|name| load(name, &host));
    modules.sort_by(|one, other| one.name().cmp(other.name()));
    let files = [
        ("app/wp-includes/version.php", "$wp_version = '6.4.1';\n"),
        ("app/service.conf", "exposure = internal\n"),
    ];
    let mut custom = ScanResult {
        class: report::class::CUSTOM.into(),
        ..ScanResult::default()
    };
    for module in &modules {
        for (path, contents) in files.iter().filter(|(path, _)| module.wants(path)) {
            custom
                .custom_resources
                .extend(analyze(module, path, contents).unwrap().custom_resources);
        }
    }
    let mut scan = vec![custom];
    let steps: Vec<String> = modules
        .iter()
        .map(|module| {
            let changes = module.post_scan(&mut scan, ample()).unwrap();
            let found = scan[1].vulnerabilities.first();
            let severity = found.map_or("gone", |found| found.details.severity.as_str());
            format!("{}: {changes:?}, {severity}", module.name())
        })
        .collect();
    assert_eq!(
        steps,
        [
            "cms-wordpress: Changes { inserted: 1, updated: 0, removed: 0 }, HIGH",
            "exposure-severity: Changes { inserted: 0, updated: 1, removed: 0 }, LOW",
            "triage: Changes { inserted: 0, updated: 0, removed: 1 }, gone",
        ]
    );
    // The result stays, with nothing in it.
    assert_eq!(scan.len(), 2);
}

#[test]
fn packages_are_reported_from_a_file_that_is_alone_in_its_folder() {
    let host = Arc::new(TestHost::default());
    let module = load("packages", &host);
    let found = analyze(
        &module,
        "app/packages.list",
        "# list\nlodash 4.17.20\nleft-pad 1.3.0\n",
    )
    .unwrap();
    let application = &found.applications[0];
    assert_eq!(
        (application.kind.as_str(), application.file_path.as_str()),
        ("npm", "app/packages.list")
    );
    let packages: Vec<_> = application
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package.locations[0].start_line))
        .collect();
    assert_eq!(packages, [("lodash@4.17.20", 2), ("left-pad@1.3.0", 3)]);
    // At the root, and deep.
    for path in ["packages.list", "a/b/c/d/e/packages.list"] {
        assert_eq!(
            analyze(&module, path, "x 1").unwrap().applications[0].file_path,
            path
        );
    }
    assert_eq!(host.take(), [""; 0]);
}

#[test]
fn several_threads_may_call_one_module() {
    let host = Arc::new(TestHost::default());
    let module = load("packages", &host);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let module = &module;
            scope.spawn(move || {
                for file in 0..10 {
                    let path = format!("{thread}/{file}/packages.list");
                    let found = analyze(module, &path, &format!("p {thread}.{file}")).unwrap();
                    assert_eq!(found.applications[0].file_path, path);
                    assert_eq!(
                        found.applications[0].packages[0].version,
                        format!("{thread}.{file}")
                    );
                }
            });
        }
    });
}
