//! Cases of filters.

mod compare;
mod headers;
mod message;
mod outcome;
mod plan;

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wharf_config::ConfigErrors;
use wharf_config::cases::{self, FilterCase, Form};
use wharf_loader::Loader;
use wharf_plugin::{Limits, Reference};

use super::case::{Broken, Case, Failure, Outcome, Place, Verdict};
use super::difference::Difference;
use super::discovery::CaseFile;
use super::file;
use crate::commands::run::report::{self, Telling};
use crate::commands::run::{self, NotReady, Ready, Run};
use crate::commands::single::{shown, with_causes};
use crate::exit::Code;

/// The file with the report of a golden case.
const EXPECTED: &str = "expected.txt";

/// The most bytes of a report that are kept until all cases have run.
const MOST_REPORT: usize = 256 << 10;

/// What the cases of all files share: each filter is loaded once for each set of limits, when its first case wants it.
pub(super) struct Filters {
    loader: Loader,
    ready: Mutex<HashMap<(Reference, Limits), Arc<Slot>>>,
    /// Whether golden reports are written.
    update: bool,
}

/// Where a filter is put that is loaded, or why it cannot be. Whoever loads it makes the others wait.
type Slot = OnceLock<Result<Ready, Broken>>;

impl Filters {
    pub(super) fn new(loader: Loader, update: bool) -> Self {
        Self {
            loader,
            ready: Mutex::default(),
            update,
        }
    }

    fn slot(&self, plugin: &Reference, limits: &Limits) -> Arc<Slot> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(ready.entry((plugin.clone(), limits.clone())).or_default())
    }

    fn load(&self, plugin: &Reference, limits: &Limits) -> Result<Ready, Broken> {
        run::load(&self.loader, plugin, limits).map_err(|NotReady { error, hint }| Broken {
            message: lines_shown(&with_causes(error.as_ref())),
            hint: shown(&hint),
            code: Code::Plugin,
        })
    }
}

/// Reads the cases of a file.
///
/// # Errors
/// All that is wrong with the file.
pub(super) fn read(file: &CaseFile, filters: &Arc<Filters>) -> Result<Vec<Box<dyn Case>>, ConfigErrors> {
    let cases = cases::load(&file.path, file.form)?;
    let case = |case: FilterCase| -> Box<dyn Case> {
        Box::new(OneCase {
            place: Place {
                file: file.path.clone(),
                line: case.line,
                name: case.name.clone(),
            },
            case,
            form: file.form,
            filters: Arc::clone(filters),
        })
    };
    Ok(cases.into_iter().map(case).collect())
}

/// A case of a filter.
struct OneCase {
    place: Place,
    case: FilterCase,
    form: Form,
    filters: Arc<Filters>,
}

impl Case for OneCase {
    fn place(&self) -> &Place {
        &self.place
    }

    fn run(&self) -> Outcome {
        let plan = match plan::of(&self.case) {
            Ok(plan) => plan,
            Err(broken) => return Outcome::broken(broken),
        };
        let (plugin, limits) = (&self.case.setup.plugin, &self.case.setup.limits);
        let slot = self.filters.slot(plugin, limits);
        match slot.get_or_init(|| self.filters.load(plugin, limits)) {
            Ok(ready) => self.judge(&run::drive(ready, &plan)),
            Err(broken) => Outcome::broken(broken.clone()),
        }
    }
}

impl OneCase {
    fn judge(&self, run: &Run) -> Outcome {
        let mut failures = match compare::compare(&self.case, run) {
            Ok(failures) => failures,
            Err(broken) => return Outcome::broken(broken),
        };
        let mut updated = None;
        if self.form == Form::Golden {
            let report = tell(run, Telling::GOLDEN);
            match self.compare_golden(&report, failures.is_empty()) {
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
            report: bounded(tell(run, Telling::OF_PASSED_CASE)),
            updated,
        }
    }

    /// Compares the report with the one beside the case, or writes that where it is to be written and nothing else is
    /// wrong.
    fn compare_golden(&self, report: &str, is_well: bool) -> Result<Golden, Broken> {
        let path = self.place.file.with_file_name(EXPECTED);
        let expected = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(cannot(&path, "read", &error)),
        };
        if expected.as_deref() == Some(report.as_bytes()) {
            return Ok(Golden::Same);
        }
        if self.filters.update && is_well {
            file::write(&path, report.as_bytes()).map_err(|error| cannot(&path, "written", &error))?;
            return Ok(Golden::Updated(path));
        }
        let kept = expected.as_deref().unwrap_or_default();
        let difference = Difference::of_bytes(self.place.line, EXPECTED, kept, report.as_bytes());
        Ok(difference.map_or(Golden::Same, |mut difference| {
            if expected.is_none() {
                difference.message = format!("{} is not there", shown(&path.to_string_lossy()));
            }
            difference.message += if self.filters.update {
                "; it is not written while anything else is wrong"
            } else {
                "; if it is right so, write it with --update"
            };
            Golden::Different(difference)
        }))
    }
}

fn tell(run: &Run, telling: Telling) -> String {
    format!("{}\n", report::text(run, telling).trim_end())
}

fn bounded(mut report: String) -> String {
    let end = report.floor_char_boundary(MOST_REPORT);
    if end < report.len() {
        report.truncate(end);
        report.push_str("\n…\n");
    }
    report
}

/// How a report compares with the one that is kept.
enum Golden {
    Same,
    Different(Difference),
    Updated(PathBuf),
}

/// A text of several lines for a terminal.
fn lines_shown(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(shown).collect();
    lines.join("\n")
}

fn cannot(path: &Path, what: &str, error: &io::Error) -> Broken {
    Broken {
        message: shown(&format!("{} cannot be {what}: {error}", path.display())),
        hint: "let the user who runs the tests read and write it".to_owned(),
        code: Code::Failure,
    }
}
