//! `wharf test`: cases, found in folders, run side by side, told in order.
//!
//! What a case is, its kind says: [`filter`] or [`policy`]. Finding files, choosing among cases, running them,
//! the summary and the reports know nothing but [`Case`].

mod case;
mod difference;
mod discovery;
mod file;
mod filter;
mod golden;
mod json;
mod junit;
mod log;
mod policy;
mod suite;
mod terminal;
mod xml;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use wharf_config::ConfigErrors;
use wharf_config::cases::Cases;
use wharf_loader::Loader;

use self::case::{Case, Verdict};
use self::discovery::{CannotLook, CaseFile};
use self::suite::Done;
use super::single;
use crate::exit::Code;
use crate::progress::Progress;
use crate::words::{colours, complain, explain, print, say};

/// The command line of `test`.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Files of cases, and folders to look for them in: files that are called `….test.yaml` or `case.yaml`.
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Run only the cases whose names contain this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// List the cases and run none.
    #[arg(long, conflicts_with_all = ["update", "junit"])]
    list: bool,
    /// Write what came into the `expected.txt` of golden cases, and say which changed.
    #[arg(long)]
    update: bool,
    /// How many cases run side by side; by default as many as there are cores.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Write a report for CI systems, in the XML of JUnit.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print the results as JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// A file of cases that cannot be used, or a place where there may be some.
enum Unusable {
    File(CaseFile, ConfigErrors),
    Place(CannotLook),
}

/// All that a run of cases gave.
struct Results {
    /// In the order in which the cases were found.
    done: Vec<Done>,
    unusable: Vec<Unusable>,
    seconds: f64,
}

/// Nothing is to be run.
#[derive(Debug)]
enum NothingToRun {
    NoCases,
    NoneMatches { filter: String, count: usize },
}

impl NothingToRun {
    fn hint(&self) -> &'static str {
        match self {
            Self::NoCases => {
                "cases stand in files that are called `….test.yaml` or `case.yaml`; docs/testing.md shows one, and \
                 `wharf new filter` writes some"
            }
            Self::NoneMatches { .. } => "`wharf test --list` lists the cases",
        }
    }
}

impl fmt::Display for NothingToRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCases => write!(f, "no cases were found"),
            Self::NoneMatches { filter, count: 1 } => {
                write!(f, "the name of the only case does not contain `{filter}`")
            }
            Self::NoneMatches { filter, count } => {
                write!(f, "none of the {count} cases has `{filter}` in its name")
            }
        }
    }
}

impl std::error::Error for NothingToRun {}

/// Runs the cases.
pub(super) fn run(arguments: &TestArguments) -> Code {
    let found = match discovery::find(&arguments.paths) {
        Ok(found) => found,
        Err(error) => {
            complain(&error, Some("name files of cases, or folders that have some"));
            return Code::CommandLine;
        }
    };
    let engine = match single::engine() {
        Ok(engine) => engine,
        Err(error) => {
            complain(&error, None);
            return Code::Failure;
        }
    };
    let loader = Arc::new(Loader::new(engine, Arc::new(Progress::new())));
    let filters = Arc::new(filter::Filters::new(Arc::clone(&loader), arguments.update));
    let policies = Arc::new(policy::Policies::new(loader, arguments.update));
    let mut cases: Vec<Box<dyn Case>> = Vec::new();
    let mut unusable: Vec<_> = found.problems.into_iter().map(Unusable::Place).collect();
    for file in found.files {
        match wharf_config::cases::load(&file.path, file.form) {
            Ok(Cases::Filters(read)) => cases.extend(filter::cases(&file, read, &filters)),
            Ok(Cases::Policies(read)) => cases.extend(policy::cases(&file, read, &policies)),
            Err(errors) => unusable.push(Unusable::File(file, errors)),
        }
    }
    complain_of(&unusable);
    match choose(cases, arguments.filter.as_deref()) {
        Ok(chosen) => {
            if arguments.list {
                list(&chosen, &unusable, arguments.json)
            } else {
                run_all(arguments, &chosen, unusable)
            }
        }
        // What is meant may stand in the files that cannot be used.
        Err(_) if !unusable.is_empty() => run_all(arguments, &[], unusable),
        Err(nothing) => {
            complain(&nothing, Some(nothing.hint()));
            Code::CommandLine
        }
    }
}

fn complain_of(unusable: &[Unusable]) {
    for problem in unusable {
        match problem {
            Unusable::File(_, errors) => say(errors.render(colours())),
            Unusable::Place(error) => explain(error, &[], Some("let the user who runs the tests read it")),
        }
        say("");
    }
}

/// The cases that are meant.
fn choose(cases: Vec<Box<dyn Case>>, filter: Option<&str>) -> Result<Vec<Box<dyn Case>>, NothingToRun> {
    let count = cases.len();
    if count == 0 {
        return Err(NothingToRun::NoCases);
    }
    let Some(filter) = filter else { return Ok(cases) };
    let chosen: Vec<_> = cases
        .into_iter()
        .filter(|case| case.place().name.contains(filter))
        .collect();
    if chosen.is_empty() {
        let filter = single::shown(filter);
        return Err(NothingToRun::NoneMatches { filter, count });
    }
    Ok(chosen)
}

fn list(cases: &[Box<dyn Case>], unusable: &[Unusable], as_json: bool) -> Code {
    let printed = if as_json {
        print(format_args!("{:#}", json::list(cases, unusable)))
    } else {
        cases
            .iter()
            .try_for_each(|case| print(terminal::line_of(case.place())))
    };
    match printed {
        Err(_) => Code::Failure,
        Ok(()) => worst(&[], unusable),
    }
}

fn run_all(arguments: &TestArguments, cases: &[Box<dyn Case>], unusable: Vec<Unusable>) -> Code {
    let started = Instant::now();
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let jobs = arguments.jobs.map_or_else(cores, usize::from);
    let mut printed = Ok(());
    let done = suite::run(cases, jobs, |done| {
        if printed.is_ok() && !arguments.json {
            printed = print(terminal::verdict(done));
        }
    });
    let results = Results {
        done,
        unusable,
        seconds: started.elapsed().as_secs_f64(),
    };
    if printed.is_ok() {
        printed = if arguments.json {
            print(format_args!("{:#}", json::results(&results)))
        } else {
            print(terminal::summary(&results))
        };
    }
    let written = arguments.junit.as_ref().map(|path| junit::write(path, &results));
    if let Some(Err(error)) = &written {
        let hint = "name a file in a folder that is there and can be written";
        complain(error, Some(hint));
    }
    match worst(&results.done, &results.unusable) {
        Code::Success if printed.is_err() || matches!(written, Some(Err(_))) => Code::Failure,
        code => code,
    }
}

/// What the exit code says: first the files that cannot be used, then the plugins, then the cases.
fn worst(done: &[Done], unusable: &[Unusable]) -> Code {
    let of_files = unusable.iter().map(|problem| match problem {
        Unusable::File(..) => Code::Configuration,
        Unusable::Place(_) => Code::Failure,
    });
    let of_cases = done.iter().map(|done| match &done.outcome.verdict {
        Verdict::Passed => Code::Success,
        Verdict::Failed(_) => Code::Failure,
        Verdict::Broken(broken) => broken.code,
    });
    let grave = [Code::Configuration, Code::Plugin, Code::Failure];
    let all: Vec<Code> = of_files.chain(of_cases).collect();
    grave
        .into_iter()
        .find(|code| all.contains(code))
        .unwrap_or(Code::Success)
}
