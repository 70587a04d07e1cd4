//! What modules do after the scan: INSERT, UPDATE and DELETE, with Trivy's matching rules.

use serde_json::{Value, json};

use super::content::{full_vulnerability, lang, mixed, vulnerability};
use crate::case::{Case, case, folder};
use crate::modules::{Made, made};
use crate::tree::Tree;

/// Why two modules of one name differ.
const SAME_NAME: &str = "Of two modules of one name the first runs, and the other is told of; in Trivy the later one replaces it.";

/// What is there to be changed: two vulnerabilities of one package, and a misconfiguration.
fn inserter() -> Made {
    let cause = |line: u32| json!({"StartLine": line, "EndLine": line});
    made("a-inserter").inserts(&json!([
        lang("t", &[full_vulnerability(), vulnerability("CVE-2026-2", "b", "LOW")]),
        {"Target": "Dockerfile", "Class": "config", "Type": "dockerfile", "Misconfigurations": [
            {"ID": "DS-0002", "Title": "root", "Severity": "HIGH", "Status": "FAIL", "CauseMetadata": cause(1)},
            {"ID": "DS-0002", "Title": "root", "Severity": "HIGH", "Status": "FAIL", "CauseMetadata": cause(2)},
            {"ID": "DS-0003", "Title": "other", "Severity": "LOW", "Status": "PASS", "CauseMetadata": cause(3)}]},
    ]))
}

fn changed(name: &'static str, about: &'static str, changer: Made) -> Case {
    case(name, about, folder(Tree::default().file("f", "1")))
        .module(inserter())
        .module(changer)
}

/// A result as the inserter's, with other vulnerabilities.
fn of_lock(vulnerabilities: &[Value]) -> Value {
    json!([lang("t", vulnerabilities)])
}

fn config(misconfigurations: &Value) -> Value {
    json!([{"Target": "Dockerfile", "Class": "config", "Type": "dockerfile", "Misconfigurations": misconfigurations}])
}

pub(super) fn cases() -> Vec<Case> {
    let mut lowered = full_vulnerability();
    lowered["Severity"] = json!("LOW");
    lowered["SeveritySource"] = json!("the team");
    lowered["FixedVersion"] = json!("99");
    lowered["Title"] = json!("Another title");
    let bare = json!({"VulnerabilityID": "CVE-2026-1", "PkgName": "b", "PkgPath": "p/b", "InstalledVersion": "1", "Severity": "LOW"});
    let mut elsewhere = bare.clone();
    elsewhere["PkgPath"] = json!("");
    let first = || made("b-changer");
    vec![
        case("insert", "Results of every class are inserted.", folder(Tree::default().file("f", "1")))
            .module(made("inserter").inserts(&mixed())),
        case("insert-odd", "What has no class, or that of custom resources, is left out; an unknown class is kept.", folder(
            Tree::default().file("f", "1"),
        ))
        .module(made("inserter").inserts(&json!([
            {"Target": "none", "Type": "x", "Vulnerabilities": [vulnerability("CVE-2026-1", "a", "LOW")]},
            {"Target": "custom", "Class": "custom", "CustomResources": [{"Type": "t", "FilePath": "/f", "Data": 1}]},
            {"Target": "strange", "Class": "strange", "Type": "x", "Vulnerabilities": [vulnerability("CVE-2026-1", "a", "LOW")]},
            {"Target": "empty", "Class": "lang-pkgs", "Type": "pip"},
        ]))),
        case("insert-twice", "The same vulnerability twice in a result is there once, with the greater fix.", folder(
            Tree::default().file("f", "1"),
        ))
        .module(made("inserter").inserts(&of_lock(&[
            json!({"VulnerabilityID": "CVE-2026-1", "PkgName": "b", "InstalledVersion": "1", "Severity": "LOW", "FixedVersion": "9"}),
            json!({"VulnerabilityID": "CVE-2026-1", "PkgName": "b", "InstalledVersion": "1", "Severity": "LOW", "FixedVersion": "10"}),
            json!({"VulnerabilityID": "CVE-2026-1", "PkgName": "b", "InstalledVersion": "2", "Severity": "LOW"}),
        ]))),
        case("insert-sorted", "Vulnerabilities stand in one order.", folder(Tree::default().file("f", "1"))).module(
            made("inserter").inserts(&of_lock(&[
                vulnerability("CVE-2026-9", "b", "LOW"),
                vulnerability("CVE-2026-3", "b", "CRITICAL"),
                vulnerability("CVE-2026-10", "a", "MEDIUM"),
                vulnerability("CVE-2026-2", "b", "LOW"),
                vulnerability("CVE-2026-1", "b", "UNKNOWN"),
                vulnerability("CVE-2026-4", "b", "odd"),
            ])),
        ),
        changed("update", "An update overwrites what is known of a vulnerability, and no more.",
            first().updates(&["CVE-2026-1"], &of_lock(&[lowered]))),
        changed("update-bare", "What an update leaves out is empty afterwards.",
            first().updates(&["CVE-2026-1"], &of_lock(std::slice::from_ref(&bare)))),
        changed("update-elsewhere", "An update of another place of the package changes nothing.",
            first().updates(&["CVE-2026-1"], &of_lock(&[elsewhere]))),
        changed("update-unasked", "An update may change what it did not ask for.",
            first().updates(&["CVE-2026-1"], &of_lock(&[vulnerability("CVE-2026-2", "b", "CRITICAL")]))),
        changed("update-other-result", "An update of another target, class or type changes nothing.",
            first().updates(&["CVE-2026-2"], &json!([
                {"Target": "u", "Class": "lang-pkgs", "Type": "npm", "Vulnerabilities": [vulnerability("CVE-2026-2", "b", "HIGH")]},
                {"Target": "t", "Class": "os-pkgs", "Type": "npm", "Vulnerabilities": [vulnerability("CVE-2026-2", "b", "HIGH")]},
                {"Target": "t", "Class": "lang-pkgs", "Type": "pip", "Vulnerabilities": [vulnerability("CVE-2026-2", "b", "HIGH")]}]))),
        changed("update-misconfiguration", "An update of a misconfiguration finds it by its lines.",
            first().updates(&["DS-0002"], &config(&json!([
                {"ID": "DS-0002", "Title": "new", "Severity": "LOW", "Status": "PASS", "CauseMetadata": {"StartLine": 2, "EndLine": 2, "Service": "s"}}])))),
        changed("update-same", "What is given back as it was changes nothing.", first().gives_back("UPDATE", &["CVE-2026-1", "DS-0002"])),
        changed("update-null", "No results are no update.", first().updates(&["CVE-2026-1"], &Value::Null)),
        changed("delete", "What is given back is removed.", first().gives_back("DELETE", &["CVE-2026-1", "DS-0002"])),
        changed("delete-part", "Of what was given only a part is removed.",
            first().deletes(&["CVE-2026-1", "CVE-2026-2"], &of_lock(&[vulnerability("CVE-2026-2", "b", "LOW"), vulnerability("CVE-2026-7", "b", "LOW")]))),
        changed("delete-all", "The results stay when they are empty, and the exit code says that nothing is left.",
            first().gives_back("DELETE", &["CVE-2026-1", "CVE-2026-2", "DS-0002", "DS-0003"])).flags(["--exit-code", "4"]),
        changed("delete-misconfiguration", "A misconfiguration is removed whose status and lines are the same.",
            first().deletes(&["DS-0002"], &config(&json!([
                {"ID": "DS-0002", "Status": "FAIL", "CauseMetadata": {"StartLine": 1, "EndLine": 1}},
                {"ID": "DS-0002", "Status": "PASS", "CauseMetadata": {"StartLine": 2, "EndLine": 2}}])))),
        changed("order-of-names", "Modules run in the order of their names.", made("0-before").gives_back("DELETE", &["CVE-2026-1"])),
        changed("unknown-action", "A word that is no action does nothing.", first().acts("delete", &["CVE-2026-1"], &of_lock(&[bare]))),
        case("same-name", "Of two modules of one name one's runs after the scan.", folder(Tree::default().file("f", "1")))
            .module(made("same").inserts(&json!([lang("first", &[vulnerability("CVE-2026-1", "a", "LOW")])])))
            .module(made("same").inserts(&json!([lang("second", &[vulnerability("CVE-2026-1", "a", "LOW")])]))).allow_as("exit", ["0", "2"], SAME_NAME).allow("order", SAME_NAME).allow("report.Results*", SAME_NAME).allow("report.Warnings", SAME_NAME),
    ]
}
