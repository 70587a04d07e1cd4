//! The summary: how many findings of each kind each target has.

use std::collections::BTreeMap;

use super::grid::{Cell, Grid};
use super::style::Style;
use super::{FindingKind, Page};
use crate::{Report, ScanResult, class};

/// The types of packages that have files of their own, whose results are one for the whole target.
const OF_SEVERAL_FILES: [&str; 5] = ["python-pkg", "conda-pkg", "gemspec", "node-pkg", "jar"];

/// The targets of the licenses of such packages.
const LICENSES_OF_SEVERAL_FILES: [&str; 6] = ["Python", "Conda", "Ruby", "Node.js", "Java", "Kubernetes"];

pub(super) fn write(page: &mut Page<'_>, report: &Report) {
    page.out.push('\n');
    page.line(Style::Heading, "Report Summary");
    page.out.push('\n');
    let mut grid = Grid::plain(&[
        "Target",
        "Type",
        "Vulnerabilities",
        "Misconfigurations",
        "Secrets",
        "Licenses",
    ]);
    let scanned = page.options.scanned.clone().unwrap_or_else(|| {
        vec![
            FindingKind::Vulnerability,
            FindingKind::Misconfiguration,
            FindingKind::Secret,
            FindingKind::License,
        ]
    });
    let mut is_empty = true;
    for row in report.results.iter().flat_map(|result| rows(result, &scanned)) {
        is_empty = false;
        grid.push(row.cells());
    }
    if is_empty {
        grid.centre_all();
        grid.push((0..6).map(|_| Cell::new("-")).collect());
    }
    page.grid(grid);
    page.out
        .push_str("Legend:\n- '-': Not scanned\n- '0': Clean (no security findings detected)\n\n");
}

struct Row<'a> {
    target: &'a str,
    kind: &'a str,
    /// Vulnerabilities, misconfigurations, secrets, licenses.
    counts: [Option<usize>; 4],
}

impl Row<'_> {
    fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![Cell::new(self.target), Cell::new(self.kind)];
        cells.extend(self.counts.iter().map(|count| match count {
            None => Cell::new("-"),
            Some(0) => Cell::new("0"),
            Some(count) => Cell::styled(&count.to_string(), Style::BrightRed),
        }));
        cells
    }
}

fn rows<'r>(result: &'r ScanResult, scanned: &[FindingKind]) -> Vec<Row<'r>> {
    let counts = counts(result, scanned);
    if OF_SEVERAL_FILES.contains(&result.kind.as_str()) && !result.packages.is_empty() {
        return of_files(result, counts);
    }
    if result.class == class::LICENSE && LICENSES_OF_SEVERAL_FILES.contains(&result.target.as_str()) {
        return of_license_files(result);
    }
    if result.class == class::CUSTOM && counts.iter().all(Option::is_none) {
        return Vec::new();
    }
    vec![Row {
        target: &result.target,
        kind: kind(result),
        counts,
    }]
}

fn kind(result: &ScanResult) -> &str {
    match result.class.as_str() {
        class::SECRET => "text",
        class::LICENSE | class::LICENSE_FILE => "-",
        _ => &result.kind,
    }
}

/// How many findings of each kind there are. One that is not of the result's class, or that nobody looked for, counts only
/// where there are some.
fn counts(result: &ScanResult, scanned: &[FindingKind]) -> [Option<usize>; 4] {
    let count = |kind, classes: &[&str], count: usize| {
        let is_scanned = scanned.contains(&kind) && classes.contains(&result.class.as_str());
        (is_scanned || count > 0).then_some(count)
    };
    [
        count(
            FindingKind::Vulnerability,
            &[class::OS_PACKAGES, class::LANGUAGE_PACKAGES],
            result.vulnerabilities.len(),
        ),
        count(
            FindingKind::Misconfiguration,
            &[class::CONFIG],
            result.misconfigurations.len(),
        ),
        count(FindingKind::Secret, &[class::SECRET], result.secrets.len()),
        count(
            FindingKind::License,
            &[class::LICENSE, class::LICENSE_FILE],
            result.licenses.len(),
        ),
    ]
}

/// A row for each file with packages.
fn of_files(result: &ScanResult, counts: [Option<usize>; 4]) -> Vec<Row<'_>> {
    let mut files: BTreeMap<&str, usize> = BTreeMap::new();
    for package in &result.packages {
        files.entry(outermost_archive(&package.file_path)).or_default();
    }
    for vulnerability in &result.vulnerabilities {
        *files
            .entry(outermost_archive(&vulnerability.package_path))
            .or_default() += 1;
    }
    let [vulnerabilities, misconfigurations, secrets, licenses] = counts;
    files
        .into_iter()
        .map(|(file, count)| Row {
            target: if file.is_empty() { &result.target } else { file },
            kind: &result.kind,
            counts: [
                vulnerabilities.map(|_| count),
                misconfigurations,
                secrets,
                licenses,
            ],
        })
        .collect()
}

fn of_license_files(result: &ScanResult) -> Vec<Row<'_>> {
    let mut files: BTreeMap<&str, usize> = BTreeMap::new();
    for license in &result.licenses {
        *files.entry(&license.file_path).or_default() += 1;
    }
    files
        .into_iter()
        .map(|(file, count)| Row {
            target: if file.is_empty() { &result.target } else { file },
            kind: "-",
            counts: [None, None, None, Some(count)],
        })
        .collect()
}

/// The path as far as the first archive in it: `a/app.war` of `a/app.war/WEB-INF/lib/x.jar`.
pub(super) fn outermost_archive(path: &str) -> &str {
    let mut end = 0;
    for part in path.split_inclusive('/') {
        end += part.len();
        let name = part.trim_end_matches('/');
        if [".jar", ".war", ".par", ".ear"]
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            return path[..end].trim_end_matches('/');
        }
    }
    path
}
