//! Statements in OpenVEX.

use serde_json::{Value, json};

use super::content::vulnerability;
use crate::case::{Case, case, folder};
use crate::modules::{Made, made};
use crate::tree::Tree;

/// Two packages, of which `c` depends on `b`, with a vulnerability each.
fn inserter() -> Made {
    let package = |name: &str, uid: &str| {
        json!({"ID": format!("{name}@1"), "Name": name, "Version": "1",
               "Identifier": {"PURL": format!("pkg:npm/{name}@1"), "UID": uid}})
    };
    let found = |id: &str, name: &str, uid: &str| {
        let mut found = vulnerability(id, name, "HIGH");
        found["PkgID"] = json!(format!("{name}@1"));
        found["PkgIdentifier"] = json!({"PURL": format!("pkg:npm/{name}@1"), "UID": uid});
        found
    };
    let mut dependent = package("c", "cc");
    dependent["DependsOn"] = json!(["b@1"]);
    made("inserter").inserts(&json!([{
        "Target": "app/lock", "Class": "lang-pkgs", "Type": "npm", "Packages": [package("b", "bb"), dependent],
        "Vulnerabilities": [found("CVE-2026-1", "b", "bb"), found("CVE-2026-2", "c", "cc")],
    }]))
}

fn of(name: &'static str, about: &'static str, statements: &Value) -> Case {
    let document = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex", "author": "A",
        "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": statements,
    });
    case(name, about, folder(Tree::default().file("f", "1")))
        .module(inserter())
        .file("vex.json", &document.to_string())
        .flags(["--vex", "vex.json", "--exit-code", "5"])
}

/// A statement on the first vulnerability in `b`.
fn statement(status: &str) -> Value {
    json!({"vulnerability": {"name": "CVE-2026-1"}, "products": [{"@id": "pkg:npm/b@1"}], "status": status,
           "justification": "component_not_present"})
}

fn of_product(product: &Value) -> Value {
    let mut statement = statement("not_affected");
    statement["products"] = json!([product]);
    statement
}

pub(super) fn cases() -> Vec<Case> {
    let mut by_alias = statement("not_affected");
    by_alias["vulnerability"] = json!({"name": "GHSA-1", "aliases": ["CVE-2026-1"]});
    let mut later = statement("affected");
    later["timestamp"] = json!("2026-02-01T00:00:00Z");
    let subcomponents = json!({"@id": "pkg:npm/c@1", "subcomponents": [{"@id": "pkg:npm/b@1"}]});
    let wrong_subcomponents = json!({"@id": "pkg:npm/c@1", "subcomponents": [{"@id": "pkg:npm/z@1"}]});
    vec![
        of("vex-not-affected", "What does not affect a product goes away.", &json!([statement("not_affected")])),
        of("vex-fixed", "What is fixed goes away, in any version where none is named.", &json!([{
            "vulnerability": {"name": "CVE-2026-1"}, "products": [{"@id": "pkg:npm/b"}], "status": "fixed"}])),
        of("vex-affected", "What affects it stays, and what is looked into.", &json!([
            statement("affected"),
            {"vulnerability": {"name": "CVE-2026-2"}, "products": [{"@id": "pkg:npm/c@1"}], "status": "under_investigation"}])),
        of("vex-other", "Statements on other products, versions and vulnerabilities do not count.", &json!([
            of_product(&json!({"@id": "pkg:npm/z@1"})), of_product(&json!({"@id": "pkg:npm/b@2"})),
            {"vulnerability": {"name": "CVE-2026-9"}, "products": [{"@id": "pkg:npm/b@1"}], "status": "fixed"}])),
        of("vex-alias", "A vulnerability may be named by an alias.", &json!([by_alias])),
        of("vex-latest", "The latest statement counts.", &json!([later, statement("not_affected")])),
        of("vex-subcomponent", "A package within a product.", &json!([of_product(&subcomponents)])),
        of("vex-no-subcomponent", "Another package within a product.", &json!([of_product(&wrong_subcomponents)])),
        of("vex-identifiers", "A product by its identifiers.", &json!([of_product(
            &json!({"@id": "https://example.com/b", "identifiers": {"purl": "pkg:npm/b@1"}}))])),
        of("vex-no-products", "A statement without products.", &json!([{"vulnerability": {"name": "CVE-2026-1"}, "status": "fixed"}])),
        case("vex-without-packages", "A vulnerability whose package is not listed stays.", folder(Tree::default().file("f", "1")))
            .module(made("inserter").inserts(&json!([{"Target": "t", "Class": "lang-pkgs", "Type": "npm", "Vulnerabilities": [
                {"VulnerabilityID": "CVE-2026-1", "PkgName": "b", "InstalledVersion": "1", "Severity": "LOW", "PkgIdentifier": {"PURL": "pkg:npm/b@1"}}]}])))
            .file("vex.json", &json!({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex", "author": "A",
                "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": [statement("not_affected")]}).to_string())
            .flags(["--vex", "vex.json"]),
        case("vex-broken", "A file that is none is refused.", folder(Tree::default().file("f", "1")))
            .module(inserter())
            .file("vex.json", "nonsense")
            .flags(["--vex", "vex.json"]).allow_as("exit", ["1", "3"], "A document that cannot be used has an exit code of its own."),
        case("vex-missing", "A file that is not there is refused.", folder(Tree::default().file("f", "1")))
            .module(inserter())
            .flags(["--vex", "nowhere.json"])
            .both_say("nowhere.json").allow_as("exit", ["1", "3"], "A document that cannot be used has an exit code of its own."),
    ]
}
