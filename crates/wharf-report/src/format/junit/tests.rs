use expect_test::{expect, expect_file};
use roxmltree::{Document, Node};

use super::junit;
use crate::format::hostile;
use crate::{Report, ScanWarning, WarningKind};

fn findings() -> Report {
    Report::from_json(include_bytes!("../../../tests/data/formats/findings.json")).unwrap()
}

fn number(node: Node<'_, '_>, attribute: &str) -> usize {
    node.attribute(attribute).unwrap().parse().unwrap()
}

#[test]
fn every_finding_is_a_failure() {
    expect_file!["../../../tests/data/formats/findings.junit.xml"].assert_eq(&junit(&findings(), &[]));
}

/// A suite: its name and numbers, and its cases with their failures.
type Suite = (String, [usize; 2], Vec<String>);

fn suites(text: &str) -> Vec<Suite> {
    let document = Document::parse(text).unwrap();
    let suite = |suite: Node<'_, '_>| {
        let parts = suite
            .descendants()
            .filter(|node| node.is_element() && *node != suite);
        let told = parts.map(|part| {
            let attributes: Vec<String> = part
                .attributes()
                .filter(|attribute| attribute.name() != "time")
                .map(|attribute| format!("{}={}", attribute.name(), attribute.value()))
                .collect();
            let text: String = part
                .children()
                .filter(Node::is_text)
                .filter_map(|text| text.text())
                .collect();
            format!("{} {attributes:?} {}", part.tag_name().name(), text.trim())
        });
        let numbers = ["tests", "failures"].map(|attribute| number(suite, attribute));
        (
            suite.attribute("name").unwrap().to_owned(),
            numbers,
            told.collect(),
        )
    };
    document
        .root_element()
        .children()
        .filter(Node::is_element)
        .map(suite)
        .collect()
}

/// `trivy convert --format template --template @contrib/junit.tpl` of the same findings.
#[test]
fn a_document_differs_from_that_of_trivy_in_suites_of_custom_resources_only() {
    let mut theirs = suites(include_str!(
        "../../../tests/data/formats/trivy/findings.junit.xml"
    ));
    let all = theirs.len();
    theirs.retain(|(name, ..)| !name.is_empty());
    assert_eq!(theirs.len() + 2, all);
    assert_eq!(suites(&junit(&findings(), &[])), theirs);
}

#[test]
fn a_report_of_nothing_is_a_document() {
    expect![[r#"
        <?xml version="1.0" ?>
        <testsuites name="wharf">
        </testsuites>
    "#]]
    .assert_eq(&junit(&Report::default(), &[]));
}

#[test]
fn warnings_are_errors_of_a_suite() {
    let warning = ScanWarning {
        module: Some("wordpress".to_owned()),
        path: Some("a.php".to_owned()),
        ..ScanWarning::new(WarningKind::ModuleFault, "it trapped")
    };
    expect![[r#"
        <?xml version="1.0" ?>
        <testsuites name="wharf">
            <testsuite tests="1" failures="0" name="wharf" errors="1" skipped="0" time="0">
                <testcase classname="wordpress" name="a.php" time="0">
                    <error message="it trapped" type="module-fault">module wordpress, a.php: it trapped</error>
                </testcase>
            </testsuite>
        </testsuites>
    "#]]
    .assert_eq(&junit(&Report::default(), &[warning]));
}

#[test]
fn the_document_is_well_formed_and_counts_what_it_has_whatever_the_findings_say() {
    for (report, warnings) in [(findings(), Vec::new()), (hostile::report(), hostile::warnings())] {
        let text = junit(&report, &warnings);
        let document = Document::parse(&text).unwrap();
        let root = document.root_element();
        assert_eq!(root.tag_name().name(), "testsuites");
        let suites: Vec<_> = root.children().filter(Node::is_element).collect();
        assert!(suites.len() > 10);
        for suite in suites {
            let of = |name: &'static str| {
                suite
                    .descendants()
                    .filter(move |node| node.has_tag_name(name))
                    .count()
            };
            assert_eq!(of("failure"), number(suite, "failures"), "{suite:?}");
            assert_eq!(of("error"), number(suite, "errors"), "{suite:?}");
            // Of checks that passed there is only a count.
            assert!(of("testcase") <= number(suite, "tests"), "{suite:?}");
            for case in suite.children().filter(|node| node.has_tag_name("testcase")) {
                assert!(case.attribute("name").is_some() && case.attribute("classname").is_some());
            }
        }
    }
}
