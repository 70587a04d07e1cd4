use expect_test::expect_file;

use super::{TableOptions, table};
use crate::Report;

fn report(text: &str) -> Report {
    Report::from_json(text.as_bytes()).unwrap()
}

#[test]
fn every_kind_of_finding_is_shown() {
    let report = report(include_str!("../../../tests/data/formats/findings.json"));
    let options = TableOptions {
        show_suppressed: true,
        ..TableOptions::default()
    };
    expect_file!["../../../tests/data/formats/findings.table.txt"].assert_eq(&table(&report, &[], &options));
}

#[test]
fn long_texts_are_wrapped() {
    let report = report(include_str!("../../../tests/data/formats/long.json"));
    let options = TableOptions {
        show_suppressed: true,
        ..TableOptions::default()
    };
    expect_file!["../../../tests/data/formats/long.table.txt"].assert_eq(&table(&report, &[], &options));
}
