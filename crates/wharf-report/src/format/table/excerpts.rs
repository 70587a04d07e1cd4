//! Findings that are shown with the lines they are in.

use super::Page;
use super::style::Style;
use crate::visible::visible;
use crate::{DetectedMisconfiguration, DetectedSecret, Layer, Line, ScanResult};

pub(super) fn write_misconfigurations(page: &mut Page<'_>, result: &ScanResult) {
    page.heading(&match result.kind.as_str() {
        "" => result.target.clone(),
        kind => format!("{} ({kind})", result.target),
    });
    let failed = || result.misconfigurations.iter().filter(|found| is_failure(found));
    let (successes, failures) = match &result.misconfiguration_summary {
        Some(summary) => (summary.successes, summary.failures),
        None => {
            let failures = failed().count();
            let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            (count(result.misconfigurations.len() - failures), count(failures))
        }
    };
    page.line(
        Style::Plain,
        &format!(
            "Tests: {} (SUCCESSES: {successes}, FAILURES: {failures})",
            successes.saturating_add(failures)
        ),
    );
    let totals = page.totals(failed().map(|found| found.severity.as_str()));
    page.line(Style::Plain, &format!("Failures: {totals}"));
    page.out.push('\n');
    for found in &result.misconfigurations {
        write_misconfiguration(page, &result.target, found);
    }
}

/// One that says nothing of itself is no success.
fn is_failure(found: &DetectedMisconfiguration) -> bool {
    matches!(found.status.as_str(), "FAIL" | "")
}

fn write_misconfiguration(page: &mut Page<'_>, target: &str, found: &DetectedMisconfiguration) {
    if !is_failure(found) {
        page.part(Style::Bold, &format!("{}: ", found.status));
    }
    page.part(Style::Plain, &found.id);
    page.part(
        Style::of_severity(&found.severity),
        &format!(" ({}): ", found.severity),
    );
    page.line(Style::Plain, &found.message);
    page.rule("═");
    page.paragraph(Style::Dim, &found.description);
    if !found.primary_url.is_empty() {
        page.out.push('\n');
        page.line(Style::Dim, &format!("See {}", found.primary_url));
    }
    page.rule("─");
    let cause = &found.cause;
    if let Some(lines) = cause.code.lines.as_deref().filter(|lines| !lines.is_empty()) {
        page.line(
            Style::Blue,
            &format!(" {target}{}", lines_of(cause.start_line, cause.end_line)),
        );
        for (depth, occurrence) in cause.occurrences.iter().enumerate() {
            let location = &occurrence.location;
            let lines = match location.end_line > location.start_line {
                true => format!("{}-{}", location.start_line, location.end_line),
                false => location.start_line.to_string(),
            };
            // Deep chains of modules do not leave the page.
            let indent = " ".repeat(depth.min(16) + 3);
            page.line(
                Style::Dim,
                &format!(
                    "{indent}via {}:{lines} ({})",
                    occurrence.filename, occurrence.resource
                ),
            );
        }
        write_lines(page, lines);
    }
    page.out.push_str("\n\n");
}

pub(super) fn write_secrets(page: &mut Page<'_>, result: &ScanResult) {
    page.heading(&format!("{} (secrets)", result.target));
    let totals = page.totals(result.secrets.iter().map(|found| found.severity.as_str()));
    page.line(Style::Plain, &format!("Total: {totals}"));
    page.out.push('\n');
    for found in &result.secrets {
        write_secret(page, &result.target, found);
    }
}

fn write_secret(page: &mut Page<'_>, target: &str, found: &DetectedSecret) {
    page.part(
        Style::of_severity(&found.severity),
        &format!("{}: ", found.severity),
    );
    page.line(Style::Plain, &format!("{} ({})", found.category, found.rule_id));
    page.rule("═");
    page.paragraph(Style::Dim, &found.title);
    page.rule("─");
    if let Some(lines) = found.code.lines.as_deref().filter(|lines| !lines.is_empty()) {
        let offset = match found.offset {
            1.. => format!(" (offset: {} bytes)", found.offset),
            _ => String::new(),
        };
        page.line(
            Style::Blue,
            &format!(
                " {target}{}{offset}{}",
                lines_of(found.start_line, found.end_line),
                added_in(&found.layer)
            ),
        );
        write_lines(page, lines);
    }
    page.out.push_str("\n\n");
}

/// `:3-5`, or nothing where the line is not known.
fn lines_of(start: i64, end: i64) -> String {
    match start {
        ..=0 => String::new(),
        start if end > start => format!(":{start}-{end}"),
        start => format!(":{start}"),
    }
}

fn added_in(layer: &Layer) -> String {
    let start = |text: &str, characters: usize| text.chars().take(characters).collect::<String>();
    if !layer.created_by.is_empty() {
        return format!(" (added by '{}')", start(&layer.created_by, 40));
    }
    match layer.diff_id.trim_start_matches("sha256:") {
        "" => String::new(),
        digest => format!(" (added in layer '{}')", start(digest, 12)),
    }
}

/// The most characters of a line of code, where the width of the page is not known.
const MOST_CHARACTERS: usize = 200;

fn write_lines(page: &mut Page<'_>, lines: &[Line]) {
    page.rule("─");
    let most = page
        .options
        .width
        .map_or(MOST_CHARACTERS, |width| width.saturating_sub(7).max(1));
    for (at, line) in lines.iter().enumerate() {
        let number = line.number.to_string();
        if line.truncated {
            page.part(Style::Dim, &format!("{:>4}   ", ".".repeat(number.len())));
        } else if line.is_cause {
            let mark = match () {
                () if line.first_cause && line.last_cause || lines.len() == 1 => '[',
                () if line.first_cause || at == 0 => '┌',
                () if line.last_cause || at + 1 == lines.len() => '└',
                () => '│',
            };
            page.part(Style::Red, &format!("{number:>4} {mark} "));
        } else {
            page.part(Style::Dim, &format!("{number:>4}   "));
        }
        let content = line.content.replace('\t', "    ");
        page.line(Style::Plain, &cut(&visible(&content), most));
    }
    page.rule("─");
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}
