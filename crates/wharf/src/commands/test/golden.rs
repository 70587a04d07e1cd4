//! Reports that are kept beside their cases.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::case::{Broken, Failure, Outcome, Place, Verdict};
use super::difference::Difference;
use super::file;
use crate::commands::single::shown;
use crate::exit::Code;

/// The file with the report of a golden case.
const EXPECTED: &str = "expected.txt";

/// The most bytes of a report that are kept until all cases have run.
const MOST_REPORT: usize = 256 << 10;

/// How a report compares with the one that is kept.
enum Golden {
    Same,
    Different(Difference),
    Updated(PathBuf),
}

/// What became of a case with these failures. `golden` is the report that is compared with the one beside the case, or is
/// written there where it is to be and nothing else is wrong; none for a case of a table.
pub(super) fn outcome(
    place: &Place,
    mut failures: Vec<Failure>,
    report: String,
    golden: Option<&str>,
    update: bool,
) -> Outcome {
    let mut updated = None;
    if let Some(golden) = golden {
        match compare(place, golden, failures.is_empty(), update) {
            Ok(Golden::Same) => {}
            Ok(Golden::Updated(path)) => updated = Some(path),
            Ok(Golden::Different(difference)) => failures.push(Failure {
                part: EXPECTED.to_owned(),
                differences: vec![difference],
                notes: String::new(),
            }),
            Err(broken) => return Outcome::broken(broken),
        }
    }
    Outcome {
        verdict: if failures.is_empty() {
            Verdict::Passed
        } else {
            Verdict::Failed(failures)
        },
        report: bounded(report),
        updated,
    }
}

fn compare(place: &Place, report: &str, is_well: bool, update: bool) -> Result<Golden, Broken> {
    let path = place.file.with_file_name(EXPECTED);
    let expected = match fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(cannot(&path, "read", &error)),
    };
    if expected.as_deref() == Some(report.as_bytes()) {
        return Ok(Golden::Same);
    }
    if update && is_well {
        file::write(&path, report.as_bytes()).map_err(|error| cannot(&path, "written", &error))?;
        return Ok(Golden::Updated(path));
    }
    let kept = expected.as_deref().unwrap_or_default();
    let difference = Difference::of_bytes(place.line, EXPECTED, kept, report.as_bytes());
    Ok(difference.map_or(Golden::Same, |mut difference| {
        if expected.is_none() {
            difference.message = format!("{} is not there", shown(&path.to_string_lossy()));
        }
        difference.message += if update {
            "; it is not written while anything else is wrong"
        } else {
            "; if it is right so, write it with --update"
        };
        Golden::Different(difference)
    }))
}

fn bounded(mut report: String) -> String {
    let end = report.floor_char_boundary(MOST_REPORT);
    if end < report.len() {
        report.truncate(end);
        report.push_str("\n…\n");
    }
    report
}

fn cannot(path: &Path, what: &str, error: &io::Error) -> Broken {
    Broken {
        message: shown(&format!("{} cannot be {what}: {error}", path.display())),
        hint: "let the user who runs the tests read and write it".to_owned(),
        code: Code::Failure,
    }
}
