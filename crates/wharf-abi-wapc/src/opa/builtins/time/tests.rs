//! What OPA gives for times.

use super::super::Failure;
use super::super::testing::{call, check};

/// 14 November 2023, 22:13:20.123456789 UTC, a Tuesday.
const NS: &str = "1700000000123456789";

fn in_zone(zone: &str) -> String {
    format!("[[{NS}, {zone:?}]]")
}

#[test]
fn a_time_is_seen_in_a_zone() {
    check(&[
        ("time.now_ns", "[]", NS),
        ("time.date", &format!("[{NS}]"), "[2023,11,14]"),
        ("time.clock", &format!("[{NS}]"), "[22,13,20]"),
        ("time.weekday", &format!("[{NS}]"), "\"Tuesday\""),
        ("time.clock", &in_zone("Europe/Berlin"), "[23,13,20]"),
        ("time.date", &in_zone("Asia/Tokyo"), "[2023,11,15]"),
        ("time.weekday", &in_zone("Asia/Tokyo"), "\"Wednesday\""),
        ("time.clock", &in_zone("Local"), "[22,13,20]"),
        ("time.clock", &in_zone(""), "[22,13,20]"),
        ("time.clock", &in_zone("europe/berlin"), "undefined"),
        ("time.clock", &in_zone("Nowhere/Land"), "undefined"),
        ("time.date", "[-1]", "[1969,12,31]"),
        ("time.clock", "[-1]", "[23,59,59]"),
        ("time.date", "[-9223372036854775808]", "[1677,9,21]"),
        ("time.date", "[9223372036854775807]", "[2262,4,11]"),
        ("time.date", "[9223372036854775808]", "undefined"),
        ("time.date", "[1.7e18]", "[2023,11,14]"),
        ("time.date", "[1.5]", "undefined"),
        ("time.date", "[[]]", "undefined"),
        ("time.date", "[\"1\"]", "undefined"),
        ("time.date", "[[1, 2]]", "undefined"),
    ]);
}

#[test]
fn a_time_is_written_in_a_layout() {
    let check_layout = |zone: &str, layout: &str, expected: &str| {
        check(&[(
            "time.format",
            &format!("[[{NS}, {zone:?}, {layout:?}]]"),
            &format!("{expected:?}"),
        )]);
    };
    check(&[
        (
            "time.format",
            &format!("[{NS}]"),
            "\"2023-11-14T22:13:20.123456789Z\"",
        ),
        ("time.format", "[[0, \"UTC\"]]", "\"1970-01-01T00:00:00Z\""),
        ("time.format", "[[0, \"UTC\", 1]]", "undefined"),
    ]);
    check_layout("Europe/Berlin", "RFC3339", "2023-11-14T23:13:20+01:00");
    check_layout("America/New_York", "RFC1123", "Tue, 14 Nov 2023 17:13:20 EST");
    check_layout("America/Sao_Paulo", "RFC1123Z", "Tue, 14 Nov 2023 19:13:20 -0300");
    check_layout("UTC", "RFC850", "Tuesday, 14-Nov-23 22:13:20 UTC");
    check_layout("UTC", "ANSIC", "Tue Nov 14 22:13:20 2023");
    check_layout(
        "UTC",
        "2006-01-02 3:04:05.000 PM pm __2 002 _2 1 2 3 4 5",
        "2023-11-14 10:13:20.123 PM pm 318 318 14 11 14 10 13 20",
    );
    check_layout(
        "Asia/Kolkata",
        "Z07 Z0700 Z070000 Z07:00:00 -07 -07:00 MST",
        "+05 +0530 +053000 +05:30:00 +05 +05:30 IST",
    );
    check_layout("UTC", "Z07:00 -07:00 Z070000", "Z +00:00 Z");
    check_layout(
        "UTC",
        "January Jan Janet Monday Mon Month 06 _2006",
        "November Nov Janet Tuesday Tue Month 23 _2023",
    );
    check_layout("UTC", ".999 ,00 .0009 é .99", ".123 ,12 .0009 é .12");
}

#[test]
fn a_text_is_read_by_its_layout() {
    for (layout, text, expected) in [
        ("RFC3339", "2023-11-14T22:13:20.5Z", "1700000000500000000"),
        ("RFC3339", "2023-11-14T23:13:20+01:00", "1700000000000000000"),
        ("RFC3339", "2023-11-14T23:13:20", "undefined"),
        ("RFC3339", "2023-02-29T00:00:00Z", "undefined"),
        ("RFC3339", "2024-02-29T00:00:00Z", "1709164800000000000"),
        ("RFC3339", "1600-01-01T00:00:00Z", "undefined"),
        ("RFC3339", "2023-11-14T24:00:00Z", "undefined"),
        ("RFC3339", "2023-11-14T22:13:20,25Z", "1700000000250000000"),
        ("2006-01-02", "2023-11-14", "1699920000000000000"),
        ("2006-002", "2023-318", "1699920000000000000"),
        ("2006-002", "2023-366", "undefined"),
        ("2006-002", "2024-060", "1709164800000000000"),
        ("2006-01-002", "2024-03-060", "undefined"),
        ("3:04 PM", "12:30 AM", "undefined"),
        ("2006 3:04 PM", "2023 12:30 AM", "1672533000000000000"),
        ("2006 3:04 pm", "2023 1:30 pm", "1672579800000000000"),
        ("06", "69", "-31536000000000000"),
        ("06", "68", "3092601600000000000"),
        ("Jan _2 2006", "nov  4 2023", "1699056000000000000"),
        ("Monday, 2006", "fRiDaY, 2023", "1672531200000000000"),
        ("2006 MST", "2023 CET", "1672531200000000000"),
        ("2006 MST", "2023 GMT+3", "1672531200000000000"),
        ("2006 MST", "2023 cet", "undefined"),
        ("2006 -0700", "2023 +0130", "1672525800000000000"),
        ("2006 -0700", "2023 +2500", "undefined"),
        ("2006.000", "2023.123", "1672531200123000000"),
        ("2006.000", "2023.12", "undefined"),
        ("2006.999", "2023", "1672531200000000000"),
        ("2006", "2023 ", "undefined"),
        ("2006", "203", "undefined"),
        ("2006", "é023", "undefined"),
    ] {
        check(&[("time.parse_ns", &format!("[{layout:?}, {text:?}]"), expected)]);
    }
    check(&[
        (
            "time.parse_rfc3339_ns",
            "[\"2023-11-14T22:13:20.123456789Z\"]",
            NS,
        ),
        (
            "time.parse_rfc3339_ns",
            "[\"2262-04-11T23:47:16.854775807Z\"]",
            "9223372036854775807",
        ),
        (
            "time.parse_rfc3339_ns",
            "[\"2262-04-11T23:47:16.854775808Z\"]",
            "undefined",
        ),
        ("time.parse_rfc3339_ns", "[1]", "undefined"),
    ]);
}

#[test]
fn a_duration_is_read() {
    for (text, expected) in [
        ("1h15m30.918s", "4530918000000"),
        ("-1.5h", "-5400000000000"),
        ("+5ns", "5"),
        ("1\u{b5}s1\u{3bc}s1us", "3000"),
        (".5s", "500000000"),
        ("1.s", "1000000000"),
        ("0", "0"),
        ("-0", "0"),
        ("9223372036854775807ns", "9223372036854775807"),
        ("-9223372036854775808ns", "-9223372036854775808"),
        ("9223372036854775808ns", "undefined"),
        ("3000000h", "undefined"),
        ("1", "undefined"),
        ("1d", "undefined"),
        (".s", "undefined"),
        ("s", "undefined"),
        ("", "undefined"),
        ("-", "undefined"),
        ("1h ", "undefined"),
    ] {
        check(&[("time.parse_duration_ns", &format!("[{text:?}]"), expected)]);
    }
}

#[test]
fn dates_are_added_and_compared() {
    check(&[
        (
            "time.add_date",
            &format!("[{NS}, 1, 2, 3]"),
            "1737152000123456789",
        ),
        (
            "time.add_date",
            "[1706659200000000000, 0, 1, 0]",
            "1709337600000000000",
        ),
        (
            "time.add_date",
            &format!("[{NS}, 0, -23, -400]"),
            "1604960000123456789",
        ),
        // The clocks go forward in the night of the new date: 2:30 does not exist there.
        (
            "time.add_date",
            "[[1711243800000000000, \"Europe/Berlin\"], 0, 0, 7]",
            "1711848600000000000",
        ),
        ("time.add_date", &format!("[{NS}, 300, 0, 0]"), "undefined"),
        (
            "time.add_date",
            &format!("[{NS}, 9223372036854775807, 9223372036854775807, 1]"),
            "undefined",
        ),
        ("time.add_date", &format!("[{NS}, 0, 0, 1.5]"), "undefined"),
        ("time.diff", &format!("[{NS}, 0]"), "[53,10,13,22,13,20]"),
        ("time.diff", &format!("[0, {NS}]"), "[53,10,13,22,13,20]"),
        (
            "time.diff",
            "[1706659200000000000, 1709251199000000000]",
            "[0,0,29,23,59,59]",
        ),
        (
            "time.diff",
            "[[1700000000000000000, \"Asia/Tokyo\"], [1700086400000000000, \"UTC\"]]",
            "[0,0,1,0,0,0]",
        ),
        ("time.diff", &format!("[{NS}, \"x\"]"), "undefined"),
    ]);
}

#[test]
fn a_long_layout_is_refused() {
    let layout = "January".repeat(3_000);
    for (name, arguments) in [
        ("time.format", format!("[[{NS}, \"UTC\", {layout:?}]]")),
        ("time.parse_ns", format!("[{layout:?}, \"\"]")),
    ] {
        let given = call(name, &arguments);
        assert!(matches!(given, Err(Failure::Limit(_))), "{name}: {given:?}");
    }
}
