//! What `analyze` may give: every part of an analysis result, and how results of several files are merged.

use serde_json::json;

use crate::case::{Case, case, folder};
use crate::modules::{made, repeater};
use crate::tree::Tree;

/// Why packages of no system differ.
const NOBODY: &str = "An operating system that nobody named is not said to be one called `none`; Trivy also leaves a space behind it.";

pub(super) fn cases() -> Vec<Case> {
    let of = |name, about, tree| case(name, about, folder(tree)).module(repeater());
    let one = |analysis: serde_json::Value| Tree::default().file("one.analysis", analysis.to_string());
    vec![
        of(
            "custom-resources",
            "Data of every kind, several types and paths, a layer of the module's own.",
            one(json!({"CustomResources": [
                {"Type": "b", "FilePath": "/one.analysis", "Data": {"x": [1, 2.5, null, "<&>"], "empty": {}}},
                {"Type": "a", "FilePath": "/one.analysis", "Data": -1},
                {"Type": "a", "FilePath": "/other/place", "Data": null},
                {"Type": "a", "FilePath": "/other/layer", "Layer": {"DiffID": "sha256:11", "Digest": "sha256:22"}, "Data": true},
                {"Type": "", "FilePath": "", "Data": []},
            ]})),
        ),
        of(
            "custom-resources-merge",
            "Of two with the same path and type the later one stays.",
            one(json!({"CustomResources": [
                {"Type": "a", "FilePath": "/x", "Data": "first"},
                {"Type": "b", "FilePath": "/x", "Data": "other type"},
                {"Type": "a", "FilePath": "/x", "Data": "second"},
            ]})),
        ),
        of(
            "applications",
            "Packages of several languages, with and without identifiers, for development, with dependencies.",
            one(json!({"Applications": [
                {"Type": "pip", "FilePath": "requirements.txt", "Packages": [
                    {"Name": "Django_Extra", "Version": "2.0"},
                    {"ID": "tool@1", "Name": "tool", "Version": "1", "Dev": true},
                    {"Name": "y", "Version": "1", "Indirect": true, "DependsOn": ["tool@1"]},
                    {"Name": "a", "Version": "1", "Relationship": "direct"},
                    {"Name": "b", "Version": "1", "Relationship": "root", "DependsOn": ["a@1"]}]},
                {"Type": "gomod", "FilePath": "go.mod", "Packages": [{"Name": "github.com/a/b", "Version": "v1.0.0"}]},
                {"Type": "cargo", "FilePath": "Cargo.lock", "Packages": [{"ID": "c@1.0.0", "Name": "c", "Version": "1.0.0"}]},
                {"Type": "composer", "FilePath": "composer.lock", "Packages": [{"Name": "v/p", "Version": "1"}]},
                {"Type": "npm", "FilePath": "package-lock.json", "Packages": [{"Name": "@scope/n", "Version": "1.0.0"}]},
                {"Type": "made-up", "FilePath": "list", "Packages": [{"Name": "w", "Version": "1"}]},
            ]})),
        ),
        of(
            "applications-located",
            "Places, digests, maintainers and given package URLs stand in the report.",
            one(json!({"Applications": [{"Type": "npm", "FilePath": "lock", "Packages": [
                {"ID": "a@1", "Name": "a", "Version": "1", "Locations": [{"StartLine": 3, "EndLine": 9}, {"StartLine": 1, "EndLine": 1}],
                 "Maintainer": "M", "FilePath": "node_modules/a/package.json"},
                {"ID": "b@1", "Name": "b", "Version": "1", "Identifier": {"PURL": "pkg:npm/other@2"}},
                {"Name": "", "Version": "1"},
            ]}]})),
        ),
        of(
            "applications-aggregated",
            "Packages of kinds that are installed one by one are one result.",
            Tree::default()
                .file("a.analysis", json!({"Applications": [{"Type": "node-pkg", "FilePath": "a/package.json", "Packages": [
                    {"ID": "a@1", "Name": "a", "Version": "1", "FilePath": "a/package.json"}]}]}).to_string())
                .file("b.analysis", json!({"Applications": [
                    {"Type": "node-pkg", "FilePath": "b/package.json", "Packages": [
                        {"ID": "b@1", "Name": "b", "Version": "1", "FilePath": "b/package.json"}]},
                    {"Type": "python-pkg", "FilePath": "p/METADATA", "Packages": [{"Name": "p", "Version": "1"}]},
                    {"Type": "jar", "FilePath": "x.jar", "Packages": [{"Name": "org.x:y", "Version": "1", "FilePath": "x.jar"}]}]}).to_string()),
        ),
        of(
            "os-packages",
            "An operating system and its packages.",
            one(json!({"OS": {"Family": "alpine", "Name": "3.18.0"}, "PackageInfos": [
                {"FilePath": "lib/apk/db/installed", "Packages": [
                    {"ID": "musl@1.2.3-r4", "Name": "musl", "Version": "1.2.3-r4", "SrcName": "musl", "SrcVersion": "1.2.3-r4",
                     "Arch": "x86_64", "Licenses": ["MIT"]},
                    {"Name": "noid", "Version": "1"}]}]})),
        ),
        of(
            "os-debian",
            "Epochs and releases of packages of Debian.",
            one(json!({"OS": {"Family": "debian", "Name": "12.5"}, "PackageInfos": [
                {"FilePath": "var/lib/dpkg/status", "Packages": [
                    {"ID": "bash@5.2-1", "Name": "bash", "Version": "5.2", "Release": "1", "Epoch": 1, "Arch": "amd64",
                     "SrcName": "bash", "SrcVersion": "5.2", "SrcRelease": "1", "SrcEpoch": 1}]}]})),
        ),
        of(
            "os-unknown",
            "Packages of an operating system that nobody named.",
            one(json!({"PackageInfos": [{"FilePath": "db", "Packages": [{"ID": "x@1", "Name": "x", "Version": "1"}]}]})),
        ).allow("order", NOBODY).allow("report.Metadata", NOBODY).allow("report.Results.Target", NOBODY),
        of(
            "secrets-merge",
            "Findings of one file by rule and line.",
            one(json!({"Secrets": [
                {"FilePath": "z.txt", "Findings": [
                    {"RuleID": "b", "Category": "C", "Severity": "LOW", "Title": "t", "StartLine": 1, "EndLine": 1, "Match": "m"},
                    {"RuleID": "a", "Category": "C", "Severity": "CRITICAL", "Title": "t", "StartLine": 9, "EndLine": 9, "Match": "m"},
                    {"RuleID": "a", "Category": "C", "Severity": "CRITICAL", "Title": "t", "StartLine": 2, "EndLine": 3, "Match": "m"}]},
                {"FilePath": "a.txt", "Findings": [
                    {"RuleID": "a", "Category": "C", "Severity": "MEDIUM", "Title": "t", "StartLine": 1, "EndLine": 1, "Match": "m",
                     "Code": {"Lines": [{"Number": 1, "Content": "***", "IsCause": true, "FirstCause": true, "LastCause": true}]}}]},
            ]})),
        ),
        of("null", "A file of which a module says nothing.", Tree::default().file("a.analysis", "null").file("b.analysis", "{}")),
        of(
            "keys-of-any-case",
            "Keys in other cases, unknown ones and twice the same, as Go reads them.",
            Tree::default().file(
                "a.analysis",
                r#"{"customresources": [{"TYPE": "t", "filepath": "/a", "data": 1}], "Unknown": {"x": [1]}, "secrets": null}"#,
            ),
        ),
        case("patterns", "Patterns begin at the first name, without a slash, and may leave case out.", folder(
            Tree::default().file("blog/a", "1").file("x/blog/b", "1").file("C.TXT", "1").file("c.txt.bak", "1"),
        ))
        .module(made("first").says_of("^blog/", &json!({"CustomResources": [{"Type": "first", "FilePath": "/f", "Data": 1}]})))
        .module(
            made("second")
                .says_of(r"(?i)\.txt$", &json!({"CustomResources": [{"Type": "second", "FilePath": "/f", "Data": 1}]}))
                .also_of("^nothing$"),
        )
        .module(made("third").says_of("^/", &json!({"CustomResources": [{"Type": "third", "FilePath": "/f", "Data": 1}]}))),
        case("same-file", "Two modules look at the same file.", folder(Tree::default().file("f", "1")))
            .module(made("b").says_of("f", &json!({"CustomResources": [{"Type": "of-b", "FilePath": "/f", "Data": 1}]})))
            .module(made("a").says_of("f", &json!({"CustomResources": [{"Type": "of-a", "FilePath": "/f", "Data": 2}]}))),
    ]
}
