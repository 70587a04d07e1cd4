use super::{Filter, IgnoreRule, IgnoreRules, PathPattern, Severity, UNFIXED, VexDocument};
use crate::{Report, Status, Timestamp};

const REPORT: &str = include_str!("../../tests/data/filter/report.json");

fn filtered(filter: &Filter) -> String {
    let mut report = Report::from_json(REPORT.as_bytes()).unwrap();
    filter.apply(&mut report);
    String::from_utf8(report.to_json()).unwrap()
}

/// Shows the first line that is another one.
fn assert_same(written: &str, wanted: &str) {
    let mut lines = written.lines().zip(wanted.lines()).enumerate();
    if let Some((line, (written, wanted))) = lines.find(|(_, (written, wanted))| written != wanted) {
        panic!("line {line}\nwritten {written}\nwanted  {wanted}");
    }
    assert_eq!(written.len(), wanted.len());
}

fn now() -> Option<Timestamp> {
    Some(Timestamp::parse("2026-11-29T11:00:00Z").unwrap())
}

/// The wanted reports are those of `trivy convert` of Trivy 0.76.0 with the same options.
#[test]
fn severities_are_filtered_as_trivy_does() {
    for (severities, show_suppressed, wanted) in [
        (None, false, include_str!("../../tests/data/filter/all.json")),
        (None, true, include_str!("../../tests/data/filter/all-shown.json")),
        (
            Some(vec![Severity::High, Severity::Critical]),
            false,
            include_str!("../../tests/data/filter/severe.json"),
        ),
        (
            Some(vec![Severity::Unknown]),
            false,
            include_str!("../../tests/data/filter/unknown.json"),
        ),
    ] {
        let filter = Filter {
            severities,
            show_suppressed,
            ..Filter::default()
        };
        assert_same(&filtered(&filter), wanted);
    }
}

#[test]
fn a_trivyignore_is_taken_as_trivy_does() {
    let text = include_str!("../../tests/data/filter/plain.ignore");
    let (ignore, skipped) = IgnoreRules::parse_trivyignore("plain.ignore", text);
    let skipped: Vec<_> = skipped
        .iter()
        .map(|line| (line.line, line.date.as_str()))
        .collect();
    assert_eq!(skipped, [(8, "soon")]);
    let filter = Filter {
        ignore,
        show_suppressed: true,
        now: now(),
        ..Filter::default()
    };
    assert_same(
        &filtered(&filter),
        include_str!("../../tests/data/filter/plain.json"),
    );
}

/// The rules of `tests/data/filter/rules.yaml`, which this crate cannot read.
fn rules() -> IgnoreRules {
    let rule = IgnoreRule::new;
    let until = |moment: &str| Some(Timestamp::parse(moment).unwrap());
    IgnoreRules {
        source: "rules.yaml".to_owned(),
        vulnerabilities: vec![
            rule("CVE-1").with_paths(&["app/**"]).unwrap().because("accepted"),
            rule("CVE-2").with_paths(&["other/**", "*.json"]).unwrap(),
            rule("CVE-3")
                .with_purls(&["pkg:npm/a"])
                .unwrap()
                .until(until("2999-01-01T00:00:00Z")),
            rule("CVE-6").with_purls(&["pkg:npm/b@1"]).unwrap(),
            rule("CVE-7")
                .with_paths(&["node_modules/{a,b}/*.json"])
                .unwrap()
                .with_purls(&["pkg:npm/a@1"])
                .unwrap(),
            rule("CVE-8").until(until("2020-01-01T00:00:00Z")),
        ],
        misconfigurations: vec![rule("DS-1").with_paths(&["[D]ocker*"]).unwrap(), rule("KSV-2")],
        secrets: vec![rule("acme-key").with_paths(&["**/.env"]).unwrap()],
        licenses: vec![
            rule("MIT"),
            rule("Apache-2.0").because("fine"),
            rule("GPL-2.0-only WITH Classpath-exception-2.0"),
        ],
    }
}

#[test]
fn rules_with_paths_and_packages_are_taken_as_trivy_does() {
    let mut filter = Filter {
        ignore: rules(),
        show_suppressed: true,
        now: now(),
        ..Filter::default()
    };
    assert_same(
        &filtered(&filter),
        include_str!("../../tests/data/filter/rules.json"),
    );
    filter.show_suppressed = false;
    filter.severities = Some(vec![Severity::High, Severity::Critical]);
    assert_same(
        &filtered(&filter),
        include_str!("../../tests/data/filter/both.json"),
    );
}

fn left(filter: &Filter) -> Vec<String> {
    let mut report = Report::from_json(REPORT.as_bytes()).unwrap();
    filter.apply(&mut report);
    let found = &report.results[0].vulnerabilities;
    found.iter().map(|found| found.vulnerability_id.clone()).collect()
}

#[test]
fn statuses_are_filtered() {
    let mut filter = Filter {
        ignore_statuses: UNFIXED.to_vec(),
        ..Filter::default()
    };
    assert_eq!(left(&filter), ["CVE-1", "CVE-7", "CVE-9"]);
    filter.ignore_statuses = vec![Status::Fixed];
    assert_eq!(left(&filter), ["CVE-2", "CVE-6", "CVE-3", "CVE-8"]);
}

#[test]
fn rules_count_until_their_moment() {
    let (ignore, _) = IgnoreRules::parse_trivyignore("", "CVE-1 exp:2026-11-29");
    let mut filter = Filter {
        ignore,
        ..Filter::default()
    };
    for (now, counts) in [
        (None, true),
        (Some("2026-11-29T00:00:00Z"), true),
        (Some("2026-11-29T00:00:00.000000001Z"), false),
        (Some("2026-11-29T00:30:00+01:00"), true),
    ] {
        filter.now = now.map(|now| Timestamp::parse(now).unwrap());
        assert_eq!(!left(&filter).contains(&"CVE-1".to_owned()), counts, "{now:?}");
    }
}

#[test]
fn bad_rules_are_told() {
    let told = IgnoreRule::new("CVE-1").with_paths(&["a[b"]).unwrap_err();
    assert_eq!(told.to_string(), "a path of CVE-1");
    let told = IgnoreRule::new("CVE-1").with_purls(&["npm/a"]).unwrap_err();
    assert_eq!(told.to_string(), "a package URL of CVE-1");
    assert!(PathPattern::parse(&"a".repeat(5000)).is_err());
}

fn open_vex(statements: &str) -> VexDocument {
    let text = format!(
        r#"{{"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2026-01-01T00:00:00Z", "statements": {statements}}}"#
    );
    VexDocument::parse("vex.json", text.as_bytes()).unwrap()
}

/// A report with one package below its lock file, as a scan has it.
fn with_vex(documents: Vec<VexDocument>) -> Report {
    let mut report = Report::from_json(REPORT.as_bytes()).unwrap();
    let filter = Filter {
        vex: documents,
        show_suppressed: true,
        ..Filter::default()
    };
    filter.apply(&mut report);
    report
}

#[test]
fn openvex_statements_suppress() {
    let statement = |status: &str, product: &str, rest: &str| {
        format!(
            r#"[{{"vulnerability": {{"name": "CVE-2"}}, "products": [{{"@id": "{product}"}}], "status": "{status}",
                 "justification": "vulnerable_code_not_present"{rest}}}]"#
        )
    };
    for (statements, suppressed) in [
        (statement("not_affected", "pkg:npm/a@1", ""), true),
        (statement("fixed", "pkg:npm/a", ""), true),
        (statement("affected", "pkg:npm/a@1", ""), false),
        (statement("under_investigation", "pkg:npm/a@1", ""), false),
        (statement("not_affected", "pkg:npm/a@2", ""), false),
        (statement("not_affected", "pkg:npm/b", ""), false),
        (statement("not_affected", "a", ""), false),
        (
            r#"[{"vulnerability": {"name": "X", "aliases": ["CVE-2"]}, "status": "fixed",
                 "products": [{"@id": "https://example.org/a", "identifiers": {"purl": "pkg:npm/a"}}]}]"#
                .to_owned(),
            true,
        ),
        // The newest counts, whatever the order.
        (
            r#"[{"vulnerability": {"name": "CVE-2"}, "timestamp": "2026-03-01T00:00:00Z", "status": "affected", "products": [{"@id": "pkg:npm/a"}]},
                {"vulnerability": {"name": "CVE-2"}, "timestamp": "2026-02-01T00:00:00Z", "status": "fixed", "products": [{"@id": "pkg:npm/a"}]}]"#
                .to_owned(),
            false,
        ),
        (
            r#"[{"vulnerability": {"name": "CVE-2"}, "status": "affected", "products": [{"@id": "pkg:npm/a"}]},
                {"vulnerability": {"name": "CVE-2"}, "timestamp": "2026-02-01T00:00:00Z", "status": "fixed", "products": [{"@id": "pkg:npm/a"}]}]"#
                .to_owned(),
            true,
        ),
    ] {
        let report = with_vex(vec![open_vex(&statements)]);
        let result = &report.results[0];
        let left = result
            .vulnerabilities
            .iter()
            .any(|found| found.vulnerability_id == "CVE-2");
        assert_eq!(!left, suppressed, "{statements}");
        assert_eq!(result.modified_findings.len(), usize::from(suppressed));
    }
}

#[test]
fn what_suppressed_a_finding_is_told() {
    let first = open_vex(
        r#"[{"vulnerability": {"name": "CVE-2"}, "products": [{"@id": "pkg:npm/a@1"}], "status": "not_affected",
             "justification": "vulnerable_code_not_present"}]"#,
    );
    let report = with_vex(vec![first]);
    let finding = &report.results[0].modified_findings[0];
    assert_eq!(finding.status, "not_affected");
    assert_eq!(finding.statement, "vulnerable_code_not_present");
    assert_eq!(finding.source, "vex.json");
}

#[test]
fn bad_vex_documents_are_told_with_the_place() {
    let error = |text: &str| {
        VexDocument::parse("vex.json", text.as_bytes())
            .unwrap_err()
            .to_string()
    };
    let context = r#""@context": "https://openvex.dev/ns/v0.2.0""#;
    for (text, told) in [
        (
            "{",
            "it is no JSON: EOF while parsing an object at line 1 column 1",
        ),
        ("[]", "it is none of OpenVEX"),
        (r#"{"@context": 1}"#, "@context: it is to be a text"),
        (
            r#"{"@context": "https://example.org"}"#,
            "@context: it is not that of OpenVEX",
        ),
        (
            &format!("{{{context}}}"),
            "statements: it is missing, and is to be a list",
        ),
        (
            &format!(r#"{{{context}, "timestamp": "today", "statements": []}}"#),
            "timestamp: \"today\" is no moment",
        ),
        (
            &format!(r#"{{{context}, "statements": [{{"vulnerability": {{"name": "a"}}}}]}}"#),
            "statements[0].status: it is missing, and is to be a text",
        ),
        (
            &format!(
                r#"{{{context}, "statements": [{{"vulnerability": {{"name": "a"}}, "status": "good"}}]}}"#
            ),
            "statements[0].status: \"good\" is none of",
        ),
        (
            &format!(r#"{{{context}, "statements": [{{"vulnerability": 1, "status": "fixed"}}]}}"#),
            "statements[0].vulnerability: it is to be an object",
        ),
        (
            &format!(
                r#"{{{context}, "statements": [{{"vulnerability": {{"name": "a"}}, "status": "fixed", "products": [{{"subcomponents": [3]}}]}}]}}"#
            ),
            "statements[0].products[0].subcomponents[0]: it is to be an object",
        ),
    ] {
        let error = error(text);
        assert!(error.starts_with(told), "{error}");
    }
}

#[test]
fn csaf_statements_suppress() {
    let document = r#"{"document": {"category": "csaf_vex"},
        "product_tree": {"branches": [{"category": "vendor", "name": "x", "branches": [
            {"category": "product_version", "name": "1", "product":
                {"product_id": "P-A", "name": "a", "product_identification_helper": {"purl": "pkg:npm/a@1"}}}]}]},
        "vulnerabilities": [{"cve": "CVE-2", "product_status": {"known_not_affected": ["P-A"]},
            "threats": [{"category": "impact", "details": "it is never called"}]}]}"#;
    let report = with_vex(vec![
        VexDocument::parse("csaf.json", document.as_bytes()).unwrap(),
    ]);
    let finding = &report.results[0].modified_findings[0];
    assert_eq!(finding.status, "not_affected");
    assert_eq!(finding.statement, "it is never called");
    assert_eq!(finding.source, "csaf.json");
    let other = document.replace("npm/a@1", "npm/a@2");
    let report = with_vex(vec![VexDocument::parse("csaf.json", other.as_bytes()).unwrap()]);
    assert_eq!(report.results[0].modified_findings.len(), 0);
}

/// What Trivy 0.76.0 suppressed for each of the documents, in a report that a module had inserted.
#[test]
fn vex_documents_are_taken_as_trivy_does() {
    // A status that is none is passed over by Trivy.
    let stricter = ["bad-status"];
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/data/filter/vex-cases.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 24);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let document = VexDocument::parse("vex.json", case["document"].to_string().as_bytes());
        if case["error"] == true || stricter.contains(&name) {
            document.unwrap_err();
            continue;
        }
        let mut report =
            Report::from_json(include_bytes!("../../tests/data/filter/vex-report.json")).unwrap();
        let filter = Filter {
            vex: vec![document.unwrap()],
            show_suppressed: true,
            ..Filter::default()
        };
        filter.apply(&mut report);
        let suppressed: Vec<serde_json::Value> = report
            .results
            .iter()
            .flat_map(|result| &result.modified_findings)
            .map(|finding| {
                let crate::Finding::Vulnerability(vulnerability) = &finding.finding else {
                    panic!("{name}: only vulnerabilities are suppressed");
                };
                assert_eq!(finding.source, "vex.json");
                serde_json::json!([vulnerability.vulnerability_id, finding.status, finding.statement])
            })
            .collect();
        assert_eq!(serde_json::Value::from(suppressed), case["suppressed"], "{name}");
    }
}

#[test]
fn cyclonedx_statements_suppress_in_the_document_that_they_speak_of() {
    let link = "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pkg:npm/a@1";
    let document = serde_json::json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "vulnerabilities": [
        {"id": "CVE-2", "analysis": {"state": "not_affected", "justification": "code_not_reachable"},
         "affects": [{"ref": link}]},
        {"id": "CVE-1", "analysis": {"state": "exploitable"}, "affects": [{"ref": link}]},
    ]});
    let document = VexDocument::parse("vex.cdx.json", document.to_string().as_bytes()).unwrap();
    assert!(document.needs_bom());
    for (serial_number, version, suppressed) in [
        ("urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79", 1, true),
        ("urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79", 2, false),
        ("urn:uuid:00000000-395b-41f5-a30f-a58921a69b79", 1, false),
    ] {
        let mut report = Report::from_json(REPORT.as_bytes()).unwrap();
        let filter = Filter {
            vex: vec![document.clone()],
            bom: Some(super::BomLink {
                serial_number: serial_number.to_owned(),
                version,
            }),
            show_suppressed: true,
            ..Filter::default()
        };
        filter.apply(&mut report);
        let findings = &report.results[0].modified_findings;
        let told: Vec<_> = findings
            .iter()
            .map(|finding| (finding.status.as_str(), finding.source.as_str()))
            .collect();
        let wanted: &[_] = if suppressed {
            &[("not_affected", "CycloneDX VEX")]
        } else {
            &[]
        };
        assert_eq!(told, wanted);
    }
}

/// Whatever stands in a document: an error or a document, and no panic.
#[test]
fn hostile_vex_documents_never_panic() {
    let seeds = [
        include_str!("../../tests/data/filter/vex-cases.json"),
        r#"{"bomFormat": "CycloneDX", "vulnerabilities": [{"id": "CVE-1", "affects": [{"ref": "urn:cdx:a/1#b%"}]}]}"#,
    ];
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut documents: Vec<String> = Vec::new();
    for seed in seeds {
        let value: serde_json::Value = serde_json::from_str(seed).unwrap();
        match value.as_array() {
            Some(cases) => documents.extend(cases.iter().map(|case| case["document"].to_string())),
            None => documents.push(seed.to_owned()),
        }
    }
    let pieces = [
        "null", "[]", "{}", "1", "\"\"", "\"pkg:\"", "[[", "}", ",", "\\ud800", "\u{0}",
    ];
    let mut read = 0;
    for _ in 0..4000 {
        let mut bytes = documents[next(documents.len())].clone().into_bytes();
        for _ in 0..=next(3) {
            let (at, piece) = (next(bytes.len()), pieces[next(pieces.len())]);
            let end = (at + next(12)).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        if let Ok(document) = VexDocument::parse("vex.json", &bytes) {
            read += 1;
            with_vex(vec![document]);
        }
    }
    assert!(read > 100, "{read} documents could be read");
}
