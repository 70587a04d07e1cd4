use expect_test::expect_file;

use super::{Template, TemplateOptions};
use crate::Report;

#[test]
fn templates_come_with_wharf() {
    let report =
        Report::from_json(include_bytes!("../../../tests/data/formats/findings.json")).unwrap();
    let render = |name| {
        Template::built_in(name)
            .unwrap()
            .render(&report, &[], &TemplateOptions::default())
            .unwrap()
    };
    expect_file!["../../../tests/data/formats/findings.gitlab.json"].assert_eq(&render("@gitlab"));
    expect_file!["../../../tests/data/formats/findings.gitlab-codequality.json"]
        .assert_eq(&render("@gitlab-codequality"));
    expect_file!["../../../tests/data/formats/findings.html"].assert_eq(&render("@html"));
    assert_eq!(render("@junit"), super::super::junit(&report, &[]));
}
