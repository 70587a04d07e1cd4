//! What the guests look for, in trees and layers, and what modules insert.

use serde_json::{Value, json};

use crate::tree::Tree;

/// A key that `trivy-secrets` finds.
pub(super) const KEY: &str = "acme_abcdefghijklmnopqrstuvwx";
/// Where `trivy-wordpress` looks.
pub(super) const VERSION_PHP: &str = "wp-includes/version.php";
/// What `trivy-wordpress` and what follows it call their finding.
pub(super) const FINDING: &str = "EXAMPLE-2026-0001";

/// A `version.php` of this version.
pub(super) fn wordpress(version: &str) -> String {
    format!("<?php\n$wp_version = '{version}';\n")
}

/// Three versions of WordPress, of which one is new, keys, and a list of packages.
pub(super) fn site() -> Tree {
    Tree::default()
        .file("blog/wp-includes/version.php", wordpress("6.4.1"))
        .file("shop/wp-includes/version.php", wordpress("5.0"))
        .file("new/wp-includes/version.php", wordpress("6.5"))
        .file(".env", "KEY=1\nTOKEN=acme_ABCDEFGHIJKLMNOPQRSTUVWX\n")
        .file("keys.txt", format!("{KEY}\n"))
        .file("packages.list", "# names\nleft-pad 1.3.0\nlodash 4.17.21\n")
        .file("sub/packages.list", "express 4.0.0\n")
}

/// A vulnerability with all that Trivy's JSON has.
pub(super) fn full_vulnerability() -> Value {
    json!({
        "VulnerabilityID": "CVE-2026-1", "VendorIDs": ["DSA-1"], "PkgID": "b@1", "PkgName": "b", "PkgPath": "p/b",
        "PkgIdentifier": {"PURL": "pkg:npm/b@1", "UID": "aa"}, "InstalledVersion": "1", "FixedVersion": "2",
        "Status": "fixed", "Layer": {"DiffID": "sha256:00"}, "SeveritySource": "nvd",
        "PrimaryURL": "https://example.com/1",
        "DataSource": {"ID": "ghsa", "Name": "Advisories", "URL": "https://example.com"},
        "Title": "A title with <marks> & more", "Description": "Some lines.\nAnd more of them.", "Severity": "HIGH",
        "CweIDs": ["CWE-79"], "VendorSeverity": {"nvd": 3},
        "CVSS": {"nvd": {"V3Score": 9.8, "V3Vector": "CVSS:3.1/AV:N"}},
        "References": ["https://example.com/1", "https://example.com/2"],
        "PublishedDate": "2026-01-02T03:04:05Z", "LastModifiedDate": "2026-02-03T04:05:06.789Z",
    })
}

/// A vulnerability with little.
pub(super) fn vulnerability(id: &str, package: &str, severity: &str) -> Value {
    json!({"VulnerabilityID": id, "PkgName": package, "InstalledVersion": "1", "Severity": severity})
}

/// The same with a status and, where there is one, a version in which it is fixed.
pub(super) fn with_status(mut vulnerability: Value, status: &str, fixed: &str) -> Value {
    vulnerability["Status"] = json!(status);
    vulnerability["FixedVersion"] = json!(fixed);
    vulnerability
}

/// A result of packages in one language.
pub(super) fn lang(target: &str, vulnerabilities: &[Value]) -> Value {
    json!({"Target": target, "Class": "lang-pkgs", "Type": "npm", "Vulnerabilities": vulnerabilities})
}

/// A result with findings of each kind and of each severity.
pub(super) fn mixed() -> Value {
    json!([
        lang(
            "app/lock",
            &[
                full_vulnerability(),
                with_status(vulnerability("CVE-2026-2", "a", "CRITICAL"), "affected", ""),
                with_status(vulnerability("CVE-2026-3", "a", "LOW"), "will_not_fix", ""),
                vulnerability("CVE-2026-4", "a", ""),
                vulnerability("CVE-2026-5", "a", "MEDIUM"),
                with_status(vulnerability("CVE-2026-6", "z", "UNKNOWN"), "fixed", "3"),
            ],
        ),
        {"Target": "cfg/Dockerfile", "Class": "config", "Type": "dockerfile", "Misconfigurations": [
            {"Type": "Dockerfile", "ID": "DS-0002", "Title": "root", "Description": "why", "Message": "m",
             "Resolution": "r", "Severity": "HIGH", "PrimaryURL": "https://example.com/ds2",
             "References": ["https://example.com/ds2"], "Status": "FAIL",
             "CauseMetadata": {"Provider": "Dockerfile", "Service": "general", "StartLine": 1, "EndLine": 2,
                "Code": {"Lines": [
                    {"Number": 1, "Content": "FROM x", "IsCause": true, "FirstCause": true},
                    {"Number": 2, "Content": "USER root", "IsCause": true, "LastCause": true}]}}},
            {"Type": "Dockerfile", "ID": "DS-0005", "Title": "fine", "Severity": "LOW", "Status": "PASS"}]},
        {"Target": "s.txt", "Class": "secret", "Secrets": [
            {"RuleID": "some-key", "Category": "Some", "Severity": "LOW", "Title": "A key", "StartLine": 3, "EndLine": 3,
             "Match": "key=***"}]},
        {"Target": "lock", "Class": "license", "Licenses": [
            {"Severity": "HIGH", "Category": "restricted", "PkgName": "p", "Name": "GPL-2.0-only", "Confidence": 1}]},
    ])
}
