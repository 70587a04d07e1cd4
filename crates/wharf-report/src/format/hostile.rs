//! A report in which every text is one of an attacker, for the tests of all formats.

use serde_json::Value;

use crate::{Report, ScanWarning, WarningKind};

/// Moves cursors, changes colours, hides and turns text, ends markup and quotes, breaks lines, is wide.
pub(super) const TEXT: &str = "\u{1b}[31m\u{1b}]8;;x\u{7}\u{9b}2J\u{0}\u{8}\u{202e}\u{200b}\u{feff}<script>alert(1)</script>]]>--&#0;\"' `%s{{ 1 }}{% x %}|\r\n\t\\u001b漢字\u{ffff}\u{301}";

/// The report of [`super`]'s other tests, with [`TEXT`] behind each of its texts.
pub(super) fn report() -> Report {
    let mut value: Value =
        serde_json::from_slice(include_bytes!("../../tests/data/formats/findings.json")).unwrap();
    spoil(&mut value, "");
    let report = Report::from_json(value.to_string().as_bytes()).unwrap();
    assert!(
        report.results[0].target.contains('\u{1b}'),
        "the texts are spoilt"
    );
    report
}

/// What must stay so that it is a report with findings of every kind.
const KEPT: [&str; 9] = [
    "Class",
    "Status",
    "CreatedAt",
    "PublishedDate",
    "LastModifiedDate",
    "Relationship",
    "SchemaVersion",
    "ArtifactType",
    "SeveritySource",
];

fn spoil(value: &mut Value, key: &str) {
    match value {
        Value::String(text) if !KEPT.contains(&key) && !matches!(text.as_str(), "vulnerability") => {
            text.push_str(TEXT);
        }
        Value::Array(values) => values.iter_mut().for_each(|value| spoil(value, key)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| spoil(value, key)),
        _ => {}
    }
}

pub(super) fn warnings() -> Vec<ScanWarning> {
    vec![
        ScanWarning {
            module: Some(format!("wordpress{TEXT}")),
            path: Some(format!("a/b{TEXT}")),
            layer: Some(format!("sha256:12{TEXT}")),
            ..ScanWarning::new(WarningKind::ModuleFault, format!("trap{TEXT}"))
        },
        ScanWarning::new(WarningKind::Unreadable, ""),
    ]
}
