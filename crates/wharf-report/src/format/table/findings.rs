//! Findings that are shown in grids.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Page;
use super::grid::{Cell, Grid};
use super::style::Style;
use super::summary::outermost_archive;
use crate::format::severity;
use crate::visible::visible;
use crate::{DetectedLicense, DetectedVulnerability, Finding, ModifiedFinding, ScanResult, class};

pub(super) fn write_vulnerabilities(page: &mut Page<'_>, result: &ScanResult) {
    page.heading(&with_kind(result));
    let totals = page.totals(
        result
            .vulnerabilities
            .iter()
            .map(|found| found.details.severity.as_str()),
    );
    page.line(Style::Plain, &format!("Total: {totals}"));
    page.out.push('\n');
    let mut grid = Grid::merging(&[
        "Library",
        "Vulnerability",
        "Severity",
        "Status",
        "Installed Version",
        "Fixed Version",
        "Title",
    ]);
    for found in &result.vulnerabilities {
        grid.push(vec![
            Cell::new(&library(found)),
            Cell::new(&found.vulnerability_id),
            of_severity(&found.details.severity),
            Cell::new(found.status.as_str()),
            Cell::new(&found.installed_version),
            Cell::new(&found.fixed_version),
            title(found),
        ]);
    }
    page.grid(grid);
}

/// The target, and its type where the class does not tell it.
fn with_kind(result: &ScanResult) -> String {
    match result.class.as_str() {
        class::OS_PACKAGES => result.target.clone(),
        class::LANGUAGE_PACKAGES => format!("{} ({})", result.target, result.kind),
        _ if result.kind.is_empty() => result.target.clone(),
        _ => format!("{} ({})", result.target, result.kind),
    }
}

fn library(found: &DetectedVulnerability) -> String {
    if found.package_path.is_empty() {
        return found.package_name.clone();
    }
    let file = outermost_archive(&found.package_path);
    let name = file.rsplit('/').next().unwrap_or(file);
    format!("{} ({name})", found.package_name)
}

fn title(found: &DetectedVulnerability) -> Cell {
    let title = match found.details.title.as_str() {
        "" => &found.details.description,
        title => title,
    };
    let title = visible(title);
    let words: Vec<&str> = title.split(' ').take(12).collect();
    let text = match words.len() {
        12 => format!("{}...", words.join(" ")),
        _ => words.join(" "),
    };
    let text = text.trim();
    let cell = match text {
        "" if !found.primary_url.is_empty() => Cell::default(),
        text => Cell::new(text),
    };
    match found.primary_url.as_str() {
        "" => cell,
        url => cell.with_line(url, Style::Blue),
    }
}

fn of_severity(severity: &str) -> Cell {
    Cell::styled(severity, Style::of_severity(severity))
}

pub(super) fn write_licenses(page: &mut Page<'_>, result: &ScanResult) {
    page.heading(&format!("{} (license)", result.target));
    let totals = page.totals(result.licenses.iter().map(|found| found.severity.as_str()));
    page.line(Style::Plain, &format!("Total: {totals}"));
    page.out.push('\n');
    let grid = match result.class.as_str() {
        class::LICENSE_FILE => of_files(&result.licenses),
        _ => of_packages(&result.licenses),
    };
    page.grid(grid);
}

fn of_packages(licenses: &[DetectedLicense]) -> Grid {
    let mut grid = Grid::merging(&["Package", "License", "Classification", "Severity"]);
    for license in licenses {
        grid.push(vec![
            Cell::new(&license.package_name),
            Cell::new(&license.name),
            Cell::new(&license.category),
            of_severity(&license.severity),
        ]);
    }
    grid
}

fn of_files(licenses: &[DetectedLicense]) -> Grid {
    let mut grid = Grid::merging(&["Classification", "Severity", "License", "File Location"]);
    let mut licenses: Vec<&DetectedLicense> = licenses.iter().collect();
    licenses.sort_by_key(|license| {
        (
            Reverse(severity::rank(&license.severity)),
            Reverse(&license.category),
            &license.name,
            &license.file_path,
        )
    });
    for license in licenses {
        grid.push(vec![
            Cell::new(&license.category),
            of_severity(&license.severity),
            Cell::new(&license.name),
            Cell::new(&license.file_path),
        ]);
    }
    grid
}

/// The most types of custom resources that are told by name.
const MOST_TYPES: usize = 20;

/// What modules keep for themselves has no form that could be shown; that there is something is said.
pub(super) fn write_custom_resources(page: &mut Page<'_>, result: &ScanResult) {
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    for resource in &result.custom_resources {
        *types.entry(&resource.kind).or_default() += 1;
    }
    page.heading(&match result.target.as_str() {
        "" => "Custom resources".to_owned(),
        target => format!("{target} (custom resources)"),
    });
    let mut told: Vec<String> = types
        .iter()
        .take(MOST_TYPES)
        .map(|(kind, count)| format!("{kind}: {count}"))
        .collect();
    if let Some(more @ 1..) = types.len().checked_sub(MOST_TYPES) {
        told.push(format!("and {more} more types"));
    }
    let total = result.custom_resources.len();
    page.line(Style::Plain, &format!("Total: {total} ({})", told.join(", ")));
}

/// Vulnerabilities that are suppressed, and behind them the findings of other kinds.
pub(super) fn write_suppressed(page: &mut Page<'_>, result: &ScanResult) {
    let (vulnerabilities, others): (Vec<_>, Vec<_>) = result
        .modified_findings
        .iter()
        .partition(|modified| matches!(modified.finding, Finding::Vulnerability(_)));
    let mut grid = Grid::merging(&[
        "Library",
        "Vulnerability",
        "Severity",
        "Status",
        "Statement",
        "Source",
    ]);
    for modified in &vulnerabilities {
        let shown = Suppressed::of(&modified.finding);
        grid.push(with_reason(
            vec![Cell::new(shown.place), Cell::new(shown.id)],
            &shown,
            modified,
        ));
    }
    write_grid(page, "Suppressed Vulnerabilities", vulnerabilities.len(), grid);

    let mut grid = Grid::merging(&[
        "Kind",
        "Finding",
        "Place",
        "Severity",
        "Status",
        "Statement",
        "Source",
    ]);
    for modified in &others {
        let shown = Suppressed::of(&modified.finding);
        let first = vec![
            Cell::new(modified.finding.kind()),
            Cell::new(shown.id),
            Cell::new(shown.place),
        ];
        grid.push(with_reason(first, &shown, modified));
    }
    write_grid(page, "Suppressed Findings", others.len(), grid);
}

fn write_grid(page: &mut Page<'_>, title: &str, total: usize, grid: Grid) {
    if total == 0 {
        return;
    }
    let title = format!("{title} (Total: {total})");
    page.out.push('\n');
    page.line(Style::Heading, &title);
    if !page.options.color {
        page.line(Style::Plain, &"=".repeat(title.len()));
    }
    page.grid(grid);
}

fn with_reason(mut cells: Vec<Cell>, shown: &Suppressed<'_>, modified: &ModifiedFinding) -> Vec<Cell> {
    cells.push(of_severity(shown.severity));
    cells.push(Cell::new(&modified.status));
    cells.push(Cell::new(match modified.statement.as_str() {
        "" => "N/A",
        statement => statement,
    }));
    cells.push(Cell::new(&modified.source));
    cells
}

struct Suppressed<'a> {
    place: &'a str,
    id: &'a str,
    severity: &'a str,
}

impl<'a> Suppressed<'a> {
    fn of(finding: &'a Finding) -> Self {
        let (place, id, severity) = match finding {
            Finding::Vulnerability(found) => (
                &found.package_name,
                &found.vulnerability_id,
                &found.details.severity,
            ),
            Finding::Misconfiguration(found) => (&found.cause.resource, &found.id, &found.severity),
            Finding::Secret(found) => (&found.title, &found.rule_id, &found.severity),
            Finding::License(found) => match found.package_name.is_empty() {
                true => (&found.file_path, &found.name, &found.severity),
                false => (&found.package_name, &found.name, &found.severity),
            },
        };
        Self { place, id, severity }
    }
}
