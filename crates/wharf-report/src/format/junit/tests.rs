use expect_test::expect_file;

use super::junit;
use crate::Report;

#[test]
fn a_document_is_that_of_trivys_template() {
    let report =
        Report::from_json(include_bytes!("../../../tests/data/formats/findings.json")).unwrap();
    expect_file!["../../../tests/data/formats/findings.junit.xml"].assert_eq(&junit(&report, &[]));
}
