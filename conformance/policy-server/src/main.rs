//! The differential run: the same reviews through Kubewarden's policy-server and through Wharf, with the same policies, and their
//! answers must agree. `README.md` beside says how to get policy-server and how to add a case.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

mod answer;
mod cases;
mod server;

use answer::Difference;
use cases::Case;
use server::Server;

/// Where there is a difference.
const DIFFERENT: u8 = 1;
/// Where the run itself failed.
const FAILED: u8 = 2;
/// Where there is no policy-server, as test programs say that they were skipped.
const NO_PEER: u8 = 77;

/// Ask policy-server and Wharf for the same reviews by the same policies, and compare the answers
#[derive(Parser)]
#[command(
    after_help = "Exit codes: 0 all agree, 1 there is a difference, 2 the run failed, 77 there is no policy-server"
)]
struct Arguments {
    /// policy-server's binary; by default .peers/policy-server
    #[arg(long, env = "WHARF_POLICY_SERVER")]
    policy_server: Option<PathBuf>,
    /// Wharf's binary; by default the one that was built beside this program, or else in release mode
    #[arg(long)]
    wharf: Option<PathBuf>,
    /// Run the cases only whose names have this in them
    #[arg(long)]
    case: Option<String>,
}

#[expect(clippy::print_stderr, reason = "this is a command; it reports to its caller")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).unwrap_or(here);
    let in_peers = Some(root.join(".peers/policy-server")).filter(|path| path.is_file());
    let Some(peer) = arguments.policy_server.clone().or(in_peers) else {
        eprintln!("error: there is no policy-server to compare with");
        eprintln!(
            "hint: build it as conformance/policy-server/README.md says, and name it with --policy-server or"
        );
        eprintln!("      WHARF_POLICY_SERVER");
        return ExitCode::from(NO_PEER);
    };
    match compare_all(&peer, &arguments, root) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DIFFERENT),
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(FAILED)
        }
    }
}

/// Whether all is well.
#[expect(clippy::print_stdout, reason = "this is a command; it reports to its caller")]
fn compare_all(peer: &Path, arguments: &Arguments, root: &Path) -> Result<bool, String> {
    let scratch = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let guests = root.join("guests");
    let mut cases = cases::all(&guests)?;
    if let Some(part) = &arguments.case {
        cases.retain(|case| case.name.contains(part.as_str()));
        if cases.is_empty() {
            return Err(format!("there is no case with `{part}` in its name"));
        }
    }
    let policies = cases::policies(&guests, scratch.path())?;
    let no_wharf = "there is no Wharf: build it with `cargo build -p wharf`, or name one with --wharf";
    let wharf = arguments.wharf.clone().or_else(find_wharf).ok_or(no_wharf)?;
    let wharf = Server::wharf(&wharf, &policies, scratch.path())?;
    let peer = Server::policy_server(peer, &policies, scratch.path())?;
    let (mut passed, mut failed) = (0, 0);
    for case in &cases {
        let differences = compare(case, &peer, &wharf)?;
        let is_expected = differences.is_empty() == case.allowed.is_none();
        match (is_expected, case.allowed) {
            (true, None) => println!("ok {}", case.name),
            (true, Some(reason)) => println!("allowed {} ({reason})", case.name),
            (false, Some(_)) => println!("FAILED {}: its difference is there no longer", case.name),
            (false, None) => {
                println!("FAILED {}", case.name);
                for difference in &differences {
                    print!("{difference}");
                }
            }
        }
        passed += usize::from(is_expected);
        failed += usize::from(!is_expected);
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn compare(case: &Case, peer: &Server, wharf: &Server) -> Result<Vec<Difference>, String> {
    let peers = peer.ask(&case.target, &case.body)?;
    let own = wharf.ask(&case.target, &case.body)?;
    Ok(answer::differences(&peers, &own))
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
