//! Tables, for people.
//!
//! The layout is Trivy's. What differs: a result of a module's own class is shown by what is in it; custom resources are
//! counted; suppressed findings of each kind are shown; warnings stand at the end; lines end in a line feed alone.

mod excerpts;
mod findings;
mod grid;
mod style;
mod summary;

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr;

use self::style::{Style, paint};
use super::severity::SEVERITIES;
use crate::visible::visible;
use crate::{Report, ScanResult, ScanWarning, class};

/// What a table shows, and how.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// Whether it has colours, as escape sequences of a terminal. Off by default.
    pub color: bool,
    /// The columns of the terminal. Grids are made to fit into them as far as they can; by default a grid's column has at most
    /// 60, and rules have 40.
    pub width: Option<usize>,
    /// Whether findings that were suppressed are shown with their reasons. By default they are counted.
    pub show_suppressed: bool,
    /// What the scan looked for. By default each kind.
    pub scanned: Option<Vec<FindingKind>>,
    /// The severities that totals tell, in this order. By default all five.
    pub severities: Option<Vec<String>>,
}

/// The kinds of findings that a scan may look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// Vulnerabilities of packages.
    Vulnerability,
    /// Misconfigurations.
    Misconfiguration,
    /// Secrets.
    Secret,
    /// Licenses.
    License,
}

/// The most warnings that are shown; of the others there is a count.
const MOST_WARNINGS: usize = 1_000;

/// The most characters of a heading, and of any other line. What is longer ends in an ellipsis.
const LONGEST_HEADING: usize = 240;
const LONGEST_LINE: usize = 4_000;

/// The report as tables: a summary, then the findings of each result, then `warnings`.
pub fn table(report: &Report, warnings: &[ScanWarning], options: &TableOptions) -> String {
    let mut page = Page {
        out: String::new(),
        options,
    };
    summary::write(&mut page, report);
    for result in &report.results {
        write_result(&mut page, result);
    }
    if !options.show_suppressed {
        count_suppressed(&mut page, report);
    }
    write_warnings(&mut page, warnings);
    page.out
}

fn write_result(page: &mut Page<'_>, result: &ScanResult) {
    let suppressed = page.options.show_suppressed && !result.modified_findings.is_empty();
    let has_packages = matches!(
        result.class.as_str(),
        class::OS_PACKAGES | class::LANGUAGE_PACKAGES
    );
    if !result.vulnerabilities.is_empty() || suppressed && has_packages {
        findings::write_vulnerabilities(page, result);
    }
    if !result.misconfigurations.is_empty() {
        excerpts::write_misconfigurations(page, result);
    }
    if !result.secrets.is_empty() {
        excerpts::write_secrets(page, result);
    }
    if !result.licenses.is_empty() {
        findings::write_licenses(page, result);
    }
    if !result.custom_resources.is_empty() {
        findings::write_custom_resources(page, result);
    }
    if suppressed {
        findings::write_suppressed(page, result);
    }
}

fn count_suppressed(page: &mut Page<'_>, report: &Report) {
    let count: usize = report
        .results
        .iter()
        .map(|result| result.modified_findings.len())
        .sum();
    let text = match count {
        0 => return,
        1 => "\n1 finding is suppressed.\n".to_owned(),
        count => format!("\n{count} findings are suppressed.\n"),
    };
    page.out.push_str(&text);
}

fn write_warnings(page: &mut Page<'_>, warnings: &[ScanWarning]) {
    if warnings.is_empty() {
        return;
    }
    page.heading(&format!("Warnings (Total: {})", warnings.len()));
    page.line(
        Style::Yellow,
        "The scan could not do all of its work. There may be more to find.",
    );
    for warning in warnings.iter().take(MOST_WARNINGS) {
        page.line(Style::Plain, &format!("- {warning}"));
    }
    if let Some(more @ 1..) = warnings.len().checked_sub(MOST_WARNINGS) {
        page.line(Style::Plain, &format!("- and {more} more"));
    }
}

/// What has been written so far.
struct Page<'a> {
    out: String,
    options: &'a TableOptions,
}

impl Page<'_> {
    /// An empty line, and a text that is underlined.
    fn heading(&mut self, text: &str) {
        let text = grid::shortened(text, LONGEST_HEADING);
        self.out.push('\n');
        self.line(Style::Heading, &text);
        if !self.options.color {
            self.out.extend(std::iter::repeat_n('=', text.width()));
        }
        self.out.push('\n');
    }

    /// A line; `text` may be anybody's.
    fn line(&mut self, style: Style, text: &str) {
        self.part(style, text);
        self.out.push('\n');
    }

    /// A part of a line; `text` may be anybody's.
    fn part(&mut self, style: Style, text: &str) {
        let text = grid::shortened(text, LONGEST_LINE);
        self.out.push_str(&paint(self.options.color, style, &text));
    }

    /// A text of several lines.
    fn paragraph(&mut self, style: Style, text: &str) {
        for line in text.split('\n') {
            match self.options.width {
                Some(width) => {
                    let parts = grid::wrapped(&visible(line), width.max(1));
                    parts.iter().for_each(|part| self.line(style, part));
                }
                None => self.line(style, line),
            }
        }
    }

    /// A rule as wide as the page.
    fn rule(&mut self, with: &str) {
        let rule = with.repeat(self.options.width.unwrap_or(40));
        self.line(Style::Dim, &rule);
    }

    fn grid(&mut self, grid: grid::Grid) {
        grid.write(&mut self.out, self.options.width, self.options.color);
    }

    /// How many findings there are, and how many of each severity: `2 (LOW: 0, HIGH: 2)`.
    fn totals<'s>(&self, severities: impl Iterator<Item = &'s str>) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for severity in severities {
            *counts.entry(severity).or_default() += 1;
        }
        let total: usize = counts.values().sum();
        let mut told: Vec<String> = Vec::new();
        let known: Vec<&str> = match &self.options.severities {
            Some(severities) => severities.iter().map(String::as_str).collect(),
            None => SEVERITIES.to_vec(),
        };
        for severity in known {
            let count = counts.remove(severity).unwrap_or_default();
            told.push(format!("{severity}: {count}"));
        }
        // What has another severity is not passed over.
        for (severity, count) in counts {
            let severity = if severity.is_empty() { "none" } else { severity };
            told.push(format!("{severity}: {count}"));
        }
        format!("{total} ({})", told.join(", "))
    }
}

#[cfg(test)]
mod tests;
