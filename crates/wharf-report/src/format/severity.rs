//! Severities, as texts of a report.

/// The severities that Trivy knows, the mildest first.
pub(super) const SEVERITIES: [&str; 5] = ["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"];

/// How severe it is, for an order; what is none of [`SEVERITIES`] is the mildest.
pub(super) fn rank(severity: &str) -> usize {
    SEVERITIES
        .iter()
        .position(|known| *known == severity)
        .unwrap_or_default()
}

/// The level of SARIF.
pub(super) fn sarif_level(severity: &str) -> &'static str {
    match severity {
        "CRITICAL" | "HIGH" => "error",
        "MEDIUM" => "warning",
        "LOW" | "UNKNOWN" => "note",
        _ => "none",
    }
}

/// The score that stands for a severity where there is no other.
pub(super) fn score(severity: &str) -> &'static str {
    match severity {
        "CRITICAL" => "9.5",
        "HIGH" => "8.0",
        "MEDIUM" => "5.5",
        "LOW" => "2.0",
        _ => "0.0",
    }
}
