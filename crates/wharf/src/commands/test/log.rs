//! A log beside the one that is expected.

use wharf_config::cases::{LogLine, Placed};

use super::difference::Difference;

/// Compares the lines of a log, each as `level: message`, or a part of them. `path` stands before the keys in messages.
pub(super) fn compare(
    found: &mut Vec<Difference>,
    path: &str,
    expected: Option<&Placed<Vec<LogLine>>>,
    contains: &[Placed<String>],
    lines: &[String],
) {
    if let Some(Placed { line, value }) = expected {
        let wanted: Vec<String> = value
            .iter()
            .map(|LogLine { level, message }| format!("{level}: {message}"))
            .collect();
        found.extend(Difference::of_lists(*line, &format!("{path}log"), &wanted, lines));
    }
    for Placed { line, value } in contains {
        if !lines.iter().any(|line| line.contains(value)) {
            let text = format!("`{path}logContains`: no line of the log has `{value}`");
            found.push(Difference::new(*line, text));
        }
    }
}
