//! Findings of Trivy's own scanners. Trivy runs the modules over them in its scan, Wharf over the report of a scan without.

use serde_json::json;

use crate::case::{Case, Target, case};
use crate::modules::made;
use crate::tree::Tree;

fn dockerfile() -> Tree {
    Tree::default()
        .file("Dockerfile", "FROM alpine\nUSER root\nRUN apt-get update\n")
        .file(
            "sub/Dockerfile",
            "FROM alpine:3\nUSER nobody\nHEALTHCHECK CMD true\n",
        )
}

pub(super) fn cases() -> Vec<Case> {
    let misconfigurations = |name, about| case(name, about, Target::Findings("misconfig", dockerfile()));
    // In two parts, so that no scanner takes this file's own text for a key.
    let key = format!("ghp_{}", "0123456789abcdefghijABCDEFGHIJ012345");
    let keys = Tree::default()
        .file("notes.md", format!("# Notes\n\ntoken: {key}\n"))
        .file("run.sh", format!("export GITHUB_TOKEN={key}\n"));
    vec![
        misconfigurations("findings-removed", "A misconfiguration that Trivy found is removed.").module("trivy-accepted"),
        misconfigurations("findings-updated", "Another is made less severe.").module(made("lowers").updates(
            &["DS-0001"],
            &json!([{"Target": "Dockerfile", "Class": "config", "Type": "dockerfile", "Misconfigurations": [
                {"ID": "DS-0001", "Severity": "LOW", "Status": "FAIL", "CauseMetadata": {"StartLine": 1, "EndLine": 1, "Service": "changed"}}]}]),
        ))
        .flags(["--severity", "LOW,HIGH"]),
        misconfigurations("findings-filtered", "Filters over what Trivy found.")
            .module(made("nothing").gives_back("UPDATE", &["DS-0002"]))
            .file(".trivyignore", "DS-0026\n")
            .flags(["--severity", "HIGH,LOW", "--exit-code", "6"]),
        case("findings-secrets", "Secrets that Trivy found, and a module's own findings.", Target::Findings("secret", keys))
            .module(made("inserter").inserts(&json!([{"Target": "notes.md", "Class": "secret", "Secrets": [
                {"RuleID": "own", "Category": "Own", "Severity": "LOW", "Title": "t", "StartLine": 1, "EndLine": 1, "Match": "m"}]}])))
            .file(".trivyignore", "own\n"),
    ]
}
