//! The differential run: the same modules over the same targets through Trivy and through Wharf, and their reports, exit codes
//! and what they say of faults must agree. `README.md` beside says how to add a case.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

mod allowed;
mod bill;
mod case;
mod cases;
mod compare;
mod difference;
mod modules;
mod report;
mod run;
mod sarif;
mod scanner;
mod table;
mod tree;

use run::{Inputs, Verdict};

/// Where there is a difference.
const DIFFERENT: u8 = 1;
/// Where the run itself failed.
const FAILED: u8 = 2;
/// Where there is no Trivy, as test programs say that they were skipped.
const NO_TRIVY: u8 = 77;

/// Put the same modules over the same targets through Trivy and through Wharf, and compare what is reported
#[derive(Parser)]
#[command(
    after_help = "Exit codes: 0 all agree, 1 there is a difference, 2 the run failed, 77 there is no Trivy"
)]
struct Arguments {
    /// Trivy's binary; by default .peers/trivy, or the one on PATH
    #[arg(long, env = "WHARF_TRIVY")]
    trivy: Option<PathBuf>,
    /// Wharf's binary; by default the one that was built beside this program, or else in release mode
    #[arg(long)]
    wharf: Option<PathBuf>,
    /// Run the cases only whose names have this in them
    #[arg(long)]
    case: Option<String>,
    /// Only ask Trivy, and print what it says of each case
    #[arg(long)]
    trivy_only: bool,
}

#[expect(clippy::print_stderr, reason = "this is a command; it reports to its caller")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).unwrap_or(here);
    let Some(trivy) = arguments.trivy.clone().or_else(|| find_trivy(root)) else {
        eprintln!("error: there is no Trivy to compare with");
        eprintln!("hint: `conformance/trivy/get-trivy.sh` puts it into .peers/; or name one with --trivy or");
        eprintln!("      WHARF_TRIVY");
        return ExitCode::from(NO_TRIVY);
    };
    match compare_all(&trivy, &arguments, root) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DIFFERENT),
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(FAILED)
        }
    }
}

/// Whether all is well.
fn compare_all(trivy: &Path, arguments: &Arguments, root: &Path) -> Result<bool, String> {
    let mut cases = cases::all();
    if let Some(part) = &arguments.case {
        cases.retain(|case| case.name.contains(part.as_str()));
        if cases.is_empty() {
            return Err(format!("there is no case with `{part}` in its name"));
        }
    }
    let compiled = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let inputs = Inputs {
        trivy: absolute(trivy)?,
        guests: root.join("guests"),
        compiled: compiled.path().to_owned(),
    };
    if arguments.trivy_only {
        for case in &cases {
            print_answer(case.name, &run::trivy_alone(&inputs, case)?);
        }
        return Ok(true);
    }
    let no_wharf = "there is no Wharf: build it with `cargo build -p wharf`, or name one with --wharf";
    let wharf = arguments.wharf.clone().or_else(find_wharf).ok_or(no_wharf)?;
    let wharf = absolute(&wharf)?;
    let mut tally = Tally::default();
    run::all(&inputs, &wharf, &cases, |verdict| tally.add(verdict))?;
    Ok(tally.print())
}

/// The cases run in folders of their own.
fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn find_trivy(root: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("trivy"));
    [root.join(".peers/trivy")]
        .into_iter()
        .chain(on_path)
        .find(|path| path.is_file())
}

/// This program lies in `target/debug` or `target/release`, and so does Wharf.
fn find_wharf() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?;
    let release = folder.parent()?.join("release");
    [folder.to_owned(), release]
        .into_iter()
        .map(|folder| folder.join("wharf"))
        .find(|path| path.is_file())
}

#[expect(clippy::print_stdout, reason = "this is a command; it reports to its caller")]
fn print_answer(name: &str, answer: &scanner::Answer) {
    println!("== {name}: exit {}", answer.exit);
    println!("{}", answer.output.trim_end());
    for line in answer.log.lines() {
        println!("   | {line}");
    }
}

/// What came of the cases so far.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    /// Prints what came of a case as soon as that is known.
    #[expect(clippy::print_stdout, reason = "this is a command; it reports to its caller")]
    fn add(&mut self, verdict: &Verdict<'_>) {
        let name = verdict.case.name;
        if !verdict.differences.is_empty() || !verdict.needless.is_empty() {
            self.failed += 1;
            println!("FAILED {name}: {}", verdict.case.about);
            print!("{}", failures(verdict));
            return;
        }
        self.passed += 1;
        if verdict.allowed.is_empty() {
            println!("ok {name}");
        } else {
            println!("allowed {name} ({})", verdict.allowed.join("; "));
        }
    }

    /// Whether none failed.
    #[expect(clippy::print_stdout, reason = "this is a command; it reports to its caller")]
    fn print(&self) -> bool {
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0
    }
}

fn failures(verdict: &Verdict<'_>) -> String {
    let mut text = String::new();
    for difference in &verdict.differences {
        text += &format!("  {}\n", difference.place);
        for (side, value) in [("trivy", &difference.trivy), ("wharf", &difference.wharf)] {
            for line in value.lines() {
                text += &format!("    {side} | {line}\n");
            }
        }
    }
    for what in &verdict.needless {
        text += &format!("  allowed and not there any longer: {what}: remove it from the case\n");
    }
    text
}
