//! JUnit's XML, which pipelines show as failed tests.

use std::fmt::Write;

use super::escape::escape_xml;
use crate::{
    DetectedLicense, DetectedMisconfiguration, DetectedSecret, DetectedVulnerability, Report, ScanResult,
    ScanWarning, class,
};

/// The report as test suites: two for each result, of its vulnerabilities and of its misconfigurations, and one each of its
/// licenses and secrets where it has any. A finding is a failure, a check that passed a passed test. `warnings` are the errors
/// of a suite `wharf` at the end. It is what Trivy's own template gives, in XML that is well formed whatever the findings say.
pub fn junit(report: &Report, warnings: &[ScanWarning]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" ?>\n<testsuites name=\"wharf\">");
    for result in &report.results {
        write_result(&mut out, result).expect("a string takes every text");
    }
    write_warnings(&mut out, warnings).expect("a string takes every text");
    out.push_str("\n</testsuites>\n");
    out
}

type Written = std::fmt::Result;

fn write_result(out: &mut String, result: &ScanResult) -> Written {
    let has_findings = !result.vulnerabilities.is_empty()
        || !result.misconfigurations.is_empty()
        || !result.licenses.is_empty()
        || !result.secrets.is_empty();
    if result.class == class::CUSTOM && !has_findings {
        return Ok(());
    }
    let target = escape_xml(&result.target);

    let count = result.vulnerabilities.len();
    start_suite(out, count, count, &target)?;
    write_type(out, &result.kind)?;
    for found in &result.vulnerabilities {
        write_vulnerability(out, found)?;
    }
    out.push_str("\n    </testsuite>");

    let (tests, failures) = misconfiguration_counts(result);
    start_suite(out, tests, failures, &target)?;
    write_type(out, &result.kind)?;
    for found in &result.misconfigurations {
        write_misconfiguration(out, &target, found)?;
    }
    out.push_str("\n    </testsuite>");

    if !result.licenses.is_empty() {
        let count = result.licenses.len();
        start_suite(out, count, count, &target)?;
        for found in &result.licenses {
            write_license(out, found)?;
        }
        out.push_str("\n    </testsuite>");
    }
    if !result.secrets.is_empty() {
        let count = result.secrets.len();
        start_suite(out, count, count, &target)?;
        for found in &result.secrets {
            write_secret(out, found)?;
        }
        out.push_str("\n    </testsuite>");
    }
    Ok(())
}

fn start_suite(
    out: &mut String,
    tests: impl std::fmt::Display,
    failures: impl std::fmt::Display,
    name: &str,
) -> Written {
    write!(
        out,
        "\n    <testsuite tests=\"{tests}\" failures=\"{failures}\" name=\"{name}\" errors=\"0\" skipped=\"0\" time=\"0\">"
    )
}

fn write_type(out: &mut String, kind: &str) -> Written {
    if kind.is_empty() {
        return Ok(());
    }
    write!(
        out,
        "\n        <properties>\n            <property name=\"type\" value=\"{}\"></property>\n        </properties>",
        escape_xml(kind)
    )
}

fn start_case(out: &mut String, class: &str, severity: &str, name: &str) -> Written {
    write!(
        out,
        "\n        <testcase classname=\"{}\" name=\"[{}] {}\" time=\"0\">",
        escape_xml(class),
        escape_xml(severity),
        escape_xml(name)
    )
}

fn write_failure(out: &mut String, message: &str, text: &str) -> Written {
    write!(
        out,
        "\n            <failure message=\"{}\" type=\"description\">{}</failure>\n        </testcase>",
        escape_xml(message),
        escape_xml(text)
    )
}

fn write_vulnerability(out: &mut String, found: &DetectedVulnerability) -> Written {
    let class = format!("{}-{}", found.package_name, found.installed_version);
    start_case(out, &class, &found.details.severity, &found.vulnerability_id)?;
    write_failure(out, &found.details.title, &found.details.description)
}

/// The summary counts the checks that passed, of which nothing else is left.
fn misconfiguration_counts(result: &ScanResult) -> (i64, i64) {
    match &result.misconfiguration_summary {
        Some(summary) => (
            summary.successes.saturating_add(summary.failures),
            summary.failures,
        ),
        None => {
            let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            let failed = result.misconfigurations.iter().filter(|found| has_failed(found));
            (count(result.misconfigurations.len()), count(failed.count()))
        }
    }
}

/// One that says nothing of itself has failed.
fn has_failed(found: &DetectedMisconfiguration) -> bool {
    matches!(found.status.as_str(), "FAIL" | "")
}

fn write_misconfiguration(out: &mut String, target: &str, found: &DetectedMisconfiguration) -> Written {
    start_case(out, &found.kind, &found.severity, &found.id)?;
    if !has_failed(found) {
        out.push_str("\n        </testcase>");
        return Ok(());
    }
    let cause = &found.cause;
    write!(
        out,
        "\n            <failure message=\"{}\" type=\"description\">&#xA;{target}:{}:&#xA;&#xA;Occurrences:&#xA;",
        escape_xml(&found.title),
        lines(cause.start_line, cause.end_line)
    )?;
    for occurrence in &cause.occurrences {
        let location = &occurrence.location;
        write!(
            out,
            "via {}:{} ({})&#xA;",
            escape_xml(&occurrence.filename),
            lines(location.start_line, location.end_line),
            escape_xml(&occurrence.resource)
        )?;
    }
    out.push_str("&#xA;Code:&#xA;");
    for line in cause.code.lines.iter().flatten().filter(|line| line.is_cause) {
        write!(out, "{}&#xA;", escape_xml(&line.content))?;
    }
    write!(
        out,
        "&#xA;{}\n            </failure>\n        </testcase>",
        escape_xml(&found.description)
    )
}

/// `3:5`, or `3`.
fn lines(start: i64, end: i64) -> String {
    match start < end {
        true => format!("{start}:{end}"),
        false => start.to_string(),
    }
}

fn write_license(out: &mut String, found: &DetectedLicense) -> Written {
    start_case(out, &found.package_name, &found.severity, &found.name)?;
    out.push_str("\n            <failure/>\n        </testcase>");
    Ok(())
}

fn write_secret(out: &mut String, found: &DetectedSecret) -> Written {
    start_case(out, &found.rule_id, &found.severity, &found.title)?;
    write_failure(out, &found.title, &found.matched)
}

fn write_warnings(out: &mut String, warnings: &[ScanWarning]) -> Written {
    if warnings.is_empty() {
        return Ok(());
    }
    let count = warnings.len();
    write!(
        out,
        "\n    <testsuite tests=\"{count}\" failures=\"0\" name=\"wharf\" errors=\"{count}\" skipped=\"0\" time=\"0\">"
    )?;
    for warning in warnings {
        write!(
            out,
            "\n        <testcase classname=\"{}\" name=\"{}\" time=\"0\">\n            <error message=\"{}\" type=\"{}\">{}</error>\n        \
             </testcase>",
            escape_xml(warning.module.as_deref().unwrap_or("scan")),
            escape_xml(warning.path.as_deref().unwrap_or(warning.kind.as_str())),
            escape_xml(&warning.message),
            warning.kind,
            escape_xml(&warning.to_string())
        )?;
    }
    out.push_str("\n    </testsuite>");
    Ok(())
}

#[cfg(test)]
mod tests;
