use std::collections::HashSet;

use expect_test::expect_file;
use serde_json::Value;

use super::{SarifOptions, Tool, sarif, uri};
use crate::format::hostile;
use crate::{Report, ScanWarning, WarningKind};

fn trivy() -> SarifOptions {
    SarifOptions {
        root: None,
        tool: Tool {
            name: "Trivy".to_owned(),
            full_name: "Trivy Vulnerability Scanner".to_owned(),
            version: "0.76.0".to_owned(),
            information_uri: "https://github.com/aquasecurity/trivy".to_owned(),
        },
    }
}

#[test]
fn a_document_is_that_of_trivy() {
    let report = Report::from_json(include_bytes!("../../../tests/data/formats/findings.json")).unwrap();
    let text = String::from_utf8(sarif(&report, &[], &trivy())).unwrap();
    expect_file!["../../../tests/data/formats/findings.sarif"].assert_eq(&text);
}

/// `trivy convert --format sarif` of the same findings.
#[test]
fn a_document_differs_from_that_of_trivy_in_links_of_secrets_only() {
    let report = Report::from_json(include_bytes!("../../../tests/data/formats/findings.json")).unwrap();
    let ours: Value = serde_json::from_slice(&sarif(&report, &[], &trivy())).unwrap();
    let mut theirs: Value =
        serde_json::from_slice(include_bytes!("../../../tests/data/formats/trivy/findings.sarif")).unwrap();
    for rule in theirs["runs"][0]["tool"]["driver"]["rules"]
        .as_array_mut()
        .unwrap()
    {
        if rule["name"] == "Secret" {
            rule.as_object_mut().unwrap().remove("helpUri").unwrap();
        }
    }
    assert_eq!(ours, theirs);
}

/// What the schema of SARIF and its text ask of the parts that are written here.
fn assert_is_sarif(text: &[u8]) -> Value {
    let document: Value = serde_json::from_slice(text).unwrap();
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    let driver = &run["tool"]["driver"];
    for field in ["name", "version", "fullName", "informationUri"] {
        assert!(driver[field].is_string(), "{field}");
    }
    let rules = driver["rules"].as_array().unwrap();
    let mut ids = HashSet::new();
    for rule in rules {
        let id = rule["id"].as_str().unwrap();
        assert!(ids.insert(id), "a rule is there once: {id:?}");
        assert!(rule["shortDescription"]["text"].is_string());
        assert!(rule["fullDescription"]["text"].is_string());
        assert!(rule["help"]["text"].is_string() && rule["help"]["markdown"].is_string());
        assert_is_level(&rule["defaultConfiguration"]["level"]);
        let score: f64 = rule["properties"]["security-severity"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((0.0..=10.0).contains(&score));
        if let Some(link) = rule.get("helpUri") {
            assert_is_uri(link);
            assert!(link.as_str().unwrap().contains("://"));
        }
    }
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_is_level(&result["level"]);
        assert!(result["message"]["text"].is_string());
        let locations = result["locations"].as_array().unwrap();
        assert!(!locations.is_empty());
        for location in locations {
            let place = &location["physicalLocation"];
            assert_is_uri(&place["artifactLocation"]["uri"]);
            let region = &place["region"];
            assert!(region["startLine"].as_i64().unwrap() >= 1);
            assert!(region["endLine"].as_i64() >= region["startLine"].as_i64());
        }
    }
    if let Some(root) = run.get("originalUriBaseIds") {
        let uri = root["ROOTPATH"]["uri"].as_str().unwrap();
        assert!(uri.starts_with("file:///") && uri.ends_with('/'), "{uri}");
        assert_is_uri(&root["ROOTPATH"]["uri"]);
    }
    document
}

fn assert_is_level(level: &Value) {
    assert!(["none", "note", "warning", "error"].contains(&level.as_str().unwrap()));
}

fn assert_is_uri(uri: &Value) {
    let uri = uri.as_str().unwrap();
    let bytes = uri.as_bytes();
    assert!(uri.matches('#').count() <= 1, "{uri}");
    for (at, byte) in uri.bytes().enumerate() {
        let is_escape = || {
            bytes
                .get(at + 1..at + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        match byte {
            b'%' => assert!(is_escape(), "{uri}"),
            byte => assert!(
                byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=".contains(&byte),
                "{uri}"
            ),
        }
    }
}

#[test]
fn every_document_is_sarif() {
    let findings = Report::from_json(include_bytes!("../../../tests/data/formats/findings.json")).unwrap();
    for report in [findings, hostile::report(), Report::default()] {
        assert_is_sarif(&sarif(&report, &[], &SarifOptions::default()));
        let options = SarifOptions {
            root: Some(format!("/srv/a b/{}", hostile::TEXT)),
            ..SarifOptions::default()
        };
        let document = assert_is_sarif(&sarif(&report, &hostile::warnings(), &options));
        let invocation = &document["runs"][0]["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false);
        let notifications = invocation["toolExecutionNotifications"].as_array().unwrap();
        assert_eq!(notifications.len(), 2);
        assert_eq!(notifications[0]["level"], "error");
        assert_eq!(notifications[0]["descriptor"]["id"], "module-fault");
        assert_is_uri(&notifications[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]);
        assert_eq!(notifications[1]["level"], "warning");
    }
}

#[test]
fn a_scan_without_warnings_has_no_invocation_and_one_with_unread_files_has_not_failed() {
    let read = |warnings: &[ScanWarning]| {
        assert_is_sarif(&sarif(&Report::default(), warnings, &SarifOptions::default()))
    };
    assert_eq!(read(&[])["runs"][0].get("invocations"), None);
    let warning = ScanWarning::new(WarningKind::Unreadable, "permission denied");
    assert_eq!(
        read(&[warning])["runs"][0]["invocations"][0]["executionSuccessful"],
        true
    );
}

#[test]
fn the_tool_is_wharf_and_the_root_is_a_folder() {
    let options = SarifOptions {
        root: Some("/srv/a b".to_owned()),
        ..SarifOptions::default()
    };
    let document = assert_is_sarif(&sarif(&Report::default(), &[], &options));
    let run = &document["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "Wharf");
    assert_eq!(run["originalUriBaseIds"]["ROOTPATH"]["uri"], "file:///srv/a%20b/");
}

#[test]
fn lines_count_from_one() {
    let report = Report::from_json(
        br#"{"Results":[{"Target":"x","Class":"secret","Secrets":[{"RuleID":"a","StartLine":-3,"EndLine":-9},{"RuleID":"b","EndLine":4}]}]}"#,
    )
    .unwrap();
    let document = assert_is_sarif(&sarif(&report, &[], &SarifOptions::default()));
    let region =
        |at: usize| &document["runs"][0]["results"][at]["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        (&region(0)["startLine"], &region(0)["endLine"]),
        (&1.into(), &1.into())
    );
    assert_eq!(
        (&region(1)["startLine"], &region(1)["endLine"]),
        (&1.into(), &4.into())
    );
}

#[test]
fn paths_are_addresses() {
    for (path, address) in [
        ("a/b-c_d.txt", "a/b-c_d.txt"),
        ("OS Packages", "OS%20Packages"),
        ("a(b)'c", "a(b)'c"),
        ("a (b)", "a%20%28b%29"),
        ("100%", "100%25"),
        ("a?b#c", "a%3Fb%23c"),
        ("a:b/c", "./a:b/c"),
        ("[id].js", "%5Bid%5D.js"),
        ("a/b:c", "a/b:c"),
        (
            "https://example.com/vpc/main.tf?ref=1",
            "https://example.com/vpc/main.tf?ref=1",
        ),
        ("漢\n", "%E6%BC%A2%0A"),
        ("", ""),
    ] {
        assert_eq!(uri::of_path(path), address);
    }
    assert_eq!(uri::of_link("javascript:alert(1)"), None);
    assert_eq!(uri::of_link("advisories/1"), None);
    assert_eq!(
        uri::of_link("https://a.example/b c?d=<e>&f=%41%4#g#h%"),
        Some("https://a.example/b%20c?d=%3Ce%3E&f=%41%254#g%23h%25".to_owned())
    );
}

/// What Trivy 0.76.0 gives for each.
#[test]
fn targets_are_paths() {
    for (target, of_class, path) in [
        (
            "registry.example/team/app:1.2 (alpine 3.18.0)",
            "os-pkgs",
            "team/app",
        ),
        ("alpine:3.10 (alpine 3.10.2)", "os-pkgs", "library/alpine"),
        ("localhost:5000/app:1 (debian 12)", "os-pkgs", "app"),
        ("rootfs", "os-pkgs", "library/rootfs"),
        ("/srv/Root Fs (debian 12)", "os-pkgs", "/srv/Root Fs"),
        (
            "registry.example/team/app:1.2 (alpine 3.18.0)",
            "lang-pkgs",
            "registry.example/team/app:1.2 (alpine 3.18.0)",
        ),
    ] {
        assert_eq!(uri::path_of_target(target, of_class), path);
    }
    for (source, path) in [
        (
            "git@github.com:a/b.git?ref=v4.2.0/main.tf",
            "github.com/a/b/tree/v4.2.0/main.tf",
        ),
        ("git::https:/example.com/b.git", "example.com/b"),
        ("git::https://example.com/vpc.git", "https://example.com/vpc"),
        ("git::ssh://user@example.com/storage.git", "example.com/storage"),
        ("hg::http://example.com/vpc.hg", "http://example.com/vpc"),
        ("s3::https://s3.example/vpc.zip", "https://s3.example/vpc.zip"),
        ("gcs::https://gcs.example/foo.zip", "https://gcs.example/foo.zip"),
        ("a\\b.tf", "a/b.tf"),
    ] {
        assert_eq!(uri::plain_source(source), path);
    }
}
