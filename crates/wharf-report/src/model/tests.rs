use super::{Report, ScanResult, Status, Timestamp};
use crate::{ScanWarning, WarningKind};

/// Every field that a report of Trivy 0.76.0 has, as `trivy convert --format json --show-suppressed` writes it.
const REPORT: &str = include_str!("../../tests/data/report.json");

#[test]
fn a_report_of_trivy_is_written_back_byte_for_byte() {
    let report = Report::from_json(REPORT.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(report.to_json()).unwrap(), REPORT);
}

#[test]
fn a_report_that_was_written_in_another_order_and_case_is_the_same() {
    fn reversed(value: &serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Object(fields) => fields
                .iter()
                .rev()
                .map(|(key, value)| (key.clone(), reversed(value)))
                .collect(),
            serde_json::Value::Array(values) => values.iter().map(reversed).collect(),
            other => other.clone(),
        }
    }
    let value: serde_json::Value = serde_json::from_str(REPORT).unwrap();
    // The configuration of an image and a module's own data are kept as they come and sorted, each in its way.
    let mut report = Report::from_json(reversed(&value).to_string().as_bytes()).unwrap();
    let original = Report::from_json(REPORT.as_bytes()).unwrap();
    report.metadata.image_config = original.metadata.image_config.clone();
    assert_eq!(String::from_utf8(report.to_json()).unwrap(), REPORT);

    let lower = REPORT.replace("\"VulnerabilityID\"", "\"vulnerabilityid\"");
    assert_eq!(Report::from_json(lower.as_bytes()).unwrap(), original);
}

#[test]
fn an_empty_result_has_a_target() {
    assert_eq!(
        super::to_json_pretty(&ScanResult::default()),
        b"{\n  \"Target\": \"\"\n}"
    );
    assert!(ScanResult::default().has_nothing());
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    for (text, error) in [
        (
            r#"{"Results":[{"Vulnerabilities":[{"PublishedDate":"yesterday"}]}]}"#,
            "Results[0].Vulnerabilities[0].PublishedDate: \"yesterday\" is no moment such as 2022-04-01T23:15:00Z",
        ),
        (
            r#"{"Results":[{"Packages":[{"Relationship":"cousin"}]}]}"#,
            "Results[0].Packages[0].Relationship: \"cousin\" is not known",
        ),
        (
            r#"{"Results":[{"ExperimentalModifiedFindings":[{"Type":"dream"}]}]}"#,
            "Results[0].ExperimentalModifiedFindings[0]: \"dream\" is no kind of finding",
        ),
    ] {
        let told = Report::from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(told.starts_with(error), "{told}");
    }
}

#[test]
fn a_status_that_is_not_known_is_none() {
    let text = r#"{"Results":[{"Vulnerabilities":[{"Status":"maybe"}]}]}"#;
    let report = Report::from_json(text.as_bytes()).unwrap();
    assert_eq!(report.results[0].vulnerabilities[0].status, Status::Unknown);
    assert_eq!(Status::with_text("will_not_fix"), Some(Status::WillNotFix));
}

#[test]
fn moments_are_written_as_go_writes_them() {
    for (given, written) in [
        ("2022-04-01T23:15:00Z", "2022-04-01T23:15:00Z"),
        ("2022-04-01T23:15:00.120Z", "2022-04-01T23:15:00.12Z"),
        ("2022-04-01T23:15:00.000Z", "2022-04-01T23:15:00Z"),
        (
            "2022-04-01T23:15:00.1234567891Z",
            "2022-04-01T23:15:00.123456789Z",
        ),
        ("2024-02-29T00:00:00+00:00", "2024-02-29T00:00:00Z"),
        ("2022-04-01T23:15:00.5+02:30", "2022-04-01T23:15:00.5+02:30"),
    ] {
        assert_eq!(Timestamp::parse(given).unwrap().as_str(), written);
    }
    for bad in [
        "",
        "2022-04-01",
        "2022-04-01 23:15:00Z",
        "2022-04-01T23:15:00",
        "2022-04-01T23:15:00.Z",
        "2022-04-01T23:15:00+2:30",
        "2022-04-01T23:15:00+25:00",
        "2022-13-01T23:15:00Z",
        "2022-00-01T23:15:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2022-04-31T23:15:00Z",
        "2022-04-01T24:15:00Z",
        "2022-04-01T23:15:61Z",
        "2022-04-01T23:15:00Zx",
        "2022-04-01T23:15:0é0Z",
    ] {
        assert!(Timestamp::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn warnings_stand_behind_the_results() {
    let report = Report::from_json(br#"{"SchemaVersion":2,"Results":[{"Target":"a"}]}"#).unwrap();
    assert_eq!(report.to_json_with(&[]), report.to_json());
    let warning = ScanWarning {
        path: Some("a/<b>".to_owned()),
        ..ScanWarning::new(WarningKind::Unreadable, "permission denied")
    };
    let text = String::from_utf8(report.to_json_with(std::slice::from_ref(&warning))).unwrap();
    let (results, warnings) = text.split_once("\n  ],\n").unwrap();
    assert!(results.contains("\"Results\": ["));
    assert_eq!(
        warnings,
        "  \"Warnings\": [\n    {\n      \"Kind\": \"unreadable\",\n      \"Path\": \"a/\\u003cb\\u003e\",\n      \"Message\": \"permission denied\"\n    }\n  ]\n}\n"
    );
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        serde_json::from_value::<ScanWarning>(read["Warnings"][0].clone()).unwrap(),
        warning
    );
    assert_eq!(Report::from_json(text.as_bytes()).unwrap(), report);
}

#[test]
fn moments_are_made_from_seconds() {
    for (seconds, nanoseconds, text) in [
        (0, 0, Some("1970-01-01T00:00:00Z")),
        (1_640_995_200, 0, Some("2022-01-01T00:00:00Z")),
        (951_868_799, 500_000_000, Some("2000-02-29T23:59:59.5Z")),
        (951_868_800, 1, Some("2000-03-01T00:00:00.000000001Z")),
        (4_107_542_400, 0, Some("2100-03-01T00:00:00Z")),
        (4_107_542_399, 0, Some("2100-02-28T23:59:59Z")),
        (-1, 0, Some("1969-12-31T23:59:59Z")),
        (
            253_402_300_799,
            999_999_999,
            Some("9999-12-31T23:59:59.999999999Z"),
        ),
        (253_402_300_800, 0, None),
        (-62_167_219_200, 0, Some("0000-01-01T00:00:00Z")),
        (-62_167_219_201, 0, None),
        (i64::MAX, 0, None),
        (i64::MIN, 0, None),
        (0, 1_000_000_000, None),
    ] {
        let made = Timestamp::from_unix(seconds, nanoseconds);
        assert_eq!(made.as_ref().map(Timestamp::as_str), text, "{seconds}");
    }
}
