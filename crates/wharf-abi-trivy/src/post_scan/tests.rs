use super::{Action, Changes, PostScanSpec, apply, payload};
use wharf_report::ScanResult;
use wharf_report::json::{from_guest, to_vec};

fn results(text: &str) -> Vec<ScanResult> {
    from_guest(text.as_bytes()).unwrap()
}

fn spec(action: &str) -> PostScanSpec {
    from_guest(format!(r#"{{"action":"{action}","ids":["CVE-1","DS-1"]}}"#).as_bytes()).unwrap()
}

fn text(results: &[ScanResult]) -> String {
    String::from_utf8(to_vec(results)).unwrap()
}

/// What a scan found: two vulnerabilities that a module wants and one that it does not, checks, and custom resources.
const FOUND: &str = r#"[
    {"Target":"a","Class":"lang-pkgs","Type":"npm","Packages":[{"Name":"x"}],"Vulnerabilities":[
        {"VulnerabilityID":"CVE-1","PkgName":"x","InstalledVersion":"1","Severity":"HIGH","SeveritySource":"nvd","Title":"old"},
        {"VulnerabilityID":"CVE-1","PkgName":"y","PkgPath":"p","InstalledVersion":"1","Severity":"HIGH"},
        {"VulnerabilityID":"CVE-2","PkgName":"x","InstalledVersion":"1","Severity":"LOW"}]},
    {"Target":"d","Class":"config","Type":"dockerfile","Misconfigurations":[
        {"ID":"DS-1","Status":"FAIL","Severity":"LOW","Title":"t","CauseMetadata":{"StartLine":1,"EndLine":2}},
        {"ID":"DS-1","Status":"PASS","Severity":"LOW","CauseMetadata":{"StartLine":3,"EndLine":4}}]},
    {"Target":"","Class":"custom","CustomResources":[{"Type":"r","FilePath":"/f","Data":1}]},
    {"Target":"other","Class":"custom","CustomResources":[{"Type":"s"}]}]"#;

#[test]
fn a_module_that_inserts_sees_the_custom_resources_only() {
    let payload = payload(&spec("INSERT"), &results(FOUND));
    assert_eq!(
        text(&payload),
        r#"[{"Target":"","Class":"custom","CustomResources":[{"Type":"r","FilePath":"/f","Layer":{},"Data":1}]}]"#
    );
    assert_eq!(text(&super::payload(&spec("INSERT"), &[])), r#"[{"Target":""}]"#);
}

#[test]
fn a_module_that_updates_or_deletes_sees_the_findings_that_it_names() {
    for action in ["UPDATE", "DELETE"] {
        let payload = payload(&spec(action), &results(FOUND));
        assert_eq!(payload.len(), 3);
        assert_eq!(payload[0].class, "custom");
        assert_eq!((payload[1].target.as_str(), payload[1].packages.len()), ("a", 0));
        let ids: Vec<_> = payload[1]
            .vulnerabilities
            .iter()
            .map(|found| found.package_name.as_str())
            .collect();
        assert_eq!(ids, ["x", "y"]);
        assert_eq!(payload[2].misconfigurations.len(), 2);
    }
    let others = results(r#"[{"Target":"a","Vulnerabilities":[{"VulnerabilityID":"CVE-9"}]}]"#);
    assert_eq!(payload(&spec("UPDATE"), &others).len(), 1);
}

#[test]
fn results_are_inserted_that_have_a_class_of_their_own() {
    let mut found = results(FOUND);
    let given = results(
        r#"[{"Target":"1"},{"Target":"2","Class":"custom"},{"Target":"3","Class":"lang-pkgs"},{"Target":"4","Class":"mine"}]"#,
    );
    let changes = apply(&spec("INSERT"), given, &mut found);
    assert_eq!(
        changes,
        Changes {
            inserted: 2,
            ..Changes::default()
        }
    );
    let targets: Vec<_> = found.iter().map(|result| result.target.as_str()).collect();
    assert_eq!(targets, ["a", "d", "", "other", "3", "4"]);
}

#[test]
fn an_update_overwrites_what_is_known_of_a_vulnerability_and_nothing_else() {
    let mut found = results(FOUND);
    let given = results(
        r#"[{"Target":"a","Class":"lang-pkgs","Type":"npm","Vulnerabilities":[
            {"VulnerabilityID":"CVE-1","PkgName":"x","InstalledVersion":"1","Severity":"CRITICAL"},
            {"VulnerabilityID":"CVE-1","PkgName":"x","InstalledVersion":"1","FixedVersion":"9","Severity":"LOW","SeveritySource":"me"},
            {"VulnerabilityID":"CVE-1","PkgName":"y","InstalledVersion":"1","Severity":"LOW"},
            {"VulnerabilityID":"CVE-2","PkgName":"x","InstalledVersion":"2","Severity":"CRITICAL"}]},
        {"Target":"a","Class":"lang-pkgs","Type":"yarn","Vulnerabilities":[
            {"VulnerabilityID":"CVE-2","PkgName":"x","InstalledVersion":"1","Severity":"CRITICAL"}]}]"#,
    );
    let changes = apply(&spec("UPDATE"), given, &mut found);
    assert_eq!(changes.updated, 1);
    // The title is gone, as a whole record takes the place of the old one.
    assert_eq!(
        text(&found[..1]),
        r#"[{"Target":"a","Class":"lang-pkgs","Type":"npm","Packages":[{"Name":"x"}],"Vulnerabilities":[{"VulnerabilityID":"CVE-1","PkgName":"x","InstalledVersion":"1","SeveritySource":"me","Severity":"LOW"},{"VulnerabilityID":"CVE-1","PkgName":"y","PkgPath":"p","InstalledVersion":"1","Severity":"HIGH"},{"VulnerabilityID":"CVE-2","PkgName":"x","InstalledVersion":"1","Severity":"LOW"}]}]"#
    );
}

#[test]
fn an_update_overwrites_cause_severity_and_status_of_a_misconfiguration() {
    let mut found = results(FOUND);
    let given = results(
        r#"[{"Target":"d","Class":"config","Type":"dockerfile","Misconfigurations":[
            {"ID":"DS-1","Status":"PASS","Severity":"HIGH","Title":"new","CauseMetadata":{"StartLine":1,"EndLine":2,"Resource":"r"}},
            {"ID":"DS-1","Severity":"HIGH","CauseMetadata":{"StartLine":1,"EndLine":3}}]}]"#,
    );
    assert_eq!(apply(&spec("UPDATE"), given, &mut found).updated, 1);
    assert_eq!(
        text(&found[1..2]),
        r#"[{"Target":"d","Class":"config","Type":"dockerfile","Misconfigurations":[{"ID":"DS-1","Title":"t","Severity":"HIGH","Status":"PASS","CauseMetadata":{"Resource":"r","StartLine":1,"EndLine":2}},{"ID":"DS-1","Severity":"LOW","Status":"PASS","CauseMetadata":{"StartLine":3,"EndLine":4}}]}]"#
    );
}

#[test]
fn a_deletion_removes_what_is_given_back() {
    let mut found = results(FOUND);
    let given = results(
        r#"[{"Target":"a","Class":"lang-pkgs","Type":"npm","Vulnerabilities":[
            {"VulnerabilityID":"CVE-1","PkgName":"x","InstalledVersion":"1"}]},
        {"Target":"d","Class":"config","Type":"dockerfile","Misconfigurations":[
            {"ID":"DS-1","Status":"PASS","CauseMetadata":{"StartLine":1,"EndLine":2}},
            {"ID":"DS-1","Status":"PASS","CauseMetadata":{"StartLine":3,"EndLine":4}}]}]"#,
    );
    let changes = apply(&spec("DELETE"), given, &mut found);
    assert_eq!(
        changes,
        Changes {
            removed: 2,
            ..Changes::default()
        }
    );
    let left: Vec<_> = found[0]
        .vulnerabilities
        .iter()
        .map(|found| (found.vulnerability_id.as_str(), found.package_name.as_str()))
        .collect();
    assert_eq!(left, [("CVE-1", "y"), ("CVE-2", "x")]);
    assert_eq!(found[1].misconfigurations.len(), 1);
    assert_eq!(found[1].misconfigurations[0].status, "FAIL");
}

#[test]
fn a_word_that_is_no_action_changes_nothing() {
    for action in ["", "insert", "REPLACE"] {
        let spec = spec(action);
        assert_eq!(spec.action, Action::Other(action.into()));
        let mut found = results(FOUND);
        assert_eq!(payload(&spec, &found).len(), 1);
        let changes = apply(&spec, results(r#"[{"Target":"3","Class":"x"}]"#), &mut found);
        assert_eq!((changes, found), (Changes::default(), results(FOUND)));
    }
}
