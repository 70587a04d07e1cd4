//! The summary: how many findings of each kind each target has.

use std::collections::BTreeMap;

use super::Page;
use super::grid::{Cell, Grid};
use super::style::Style;
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
    let mut is_empty = true;
    for row in report.results.iter().flat_map(rows) {
        is_empty = false;
        grid.push(row.cells());
    }
    if is_empty {
        grid.centre_all();
        grid.push((0..6).map(|_| Cell::new("-")).collect());
    }
    page.grid(grid);
    page.out.push_str(
        "Legend:\n- '-': Not scanned\n- '0': Clean (no security findings detected)\n\n",
    );
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

fn rows(result: &ScanResult) -> Vec<Row<'_>> {
    if OF_SEVERAL_FILES.contains(&result.kind.as_str()) && !result.packages.is_empty() {
        return of_files(result);
    }
    if result.class == class::LICENSE && LICENSES_OF_SEVERAL_FILES.contains(&result.target.as_str()) {
        return of_license_files(result);
    }
    if result.class == class::CUSTOM && counts(result).iter().all(Option::is_none) {
        return Vec::new();
    }
    vec![Row {
        target: &result.target,
        kind: kind(result),
        counts: counts(result),
    }]
}

fn kind(result: &ScanResult) -> &str {
    match result.class.as_str() {
        class::SECRET => "text",
        class::LICENSE | class::LICENSE_FILE => "-",
        _ => &result.kind,
    }
}

/// A kind that does not belong to the class of a result counts where there are findings of it.
fn counts(result: &ScanResult) -> [Option<usize>; 4] {
    let class = result.class.as_str();
    let count = |classes: &[&str], count: usize| (classes.contains(&class) || count > 0).then_some(count);
    [
        count(
            &[class::OS_PACKAGES, class::LANGUAGE_PACKAGES],
            result.vulnerabilities.len(),
        ),
        count(&[class::CONFIG], result.misconfigurations.len()),
        count(&[class::SECRET], result.secrets.len()),
        count(&[class::LICENSE, class::LICENSE_FILE], result.licenses.len()),
    ]
}

/// A row for each file with packages.
fn of_files(result: &ScanResult) -> Vec<Row<'_>> {
    let mut files: BTreeMap<&str, usize> = BTreeMap::new();
    for package in &result.packages {
        files.entry(outermost_archive(&package.file_path)).or_default();
    }
    for vulnerability in &result.vulnerabilities {
        *files
            .entry(outermost_archive(&vulnerability.package_path))
            .or_default() += 1;
    }
    let [_, misconfigurations, secrets, licenses] = counts(result);
    files
        .into_iter()
        .map(|(file, count)| Row {
            target: if file.is_empty() { &result.target } else { file },
            kind: &result.kind,
            counts: [Some(count), misconfigurations, secrets, licenses],
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
        if [".jar", ".war", ".par", ".ear"].iter().any(|ending| name.ends_with(ending)) {
            return path[..end].trim_end_matches('/');
        }
    }
    path
}
