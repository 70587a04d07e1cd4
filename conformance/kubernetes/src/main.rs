//! The admission server before a real cluster: the API server has its objects reviewed by the real binary with the real
//! policies, and what it refuses, stores and lets through is held against what it must. `README.md` beside says more.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

mod certificates;
mod checks;
mod cleanup;
mod cluster;
mod objects;
mod outcome;
mod policies;
mod server;
mod world;

use checks::{CHECKS, Check};
use cluster::Cluster;
use outcome::{Failure, Outcome};
use world::{Inputs, World};

/// Where a check failed.
const FAILED: u8 = 1;
/// Where the run itself failed.
const BROKEN: u8 = 2;
/// Where there is no cluster, as test programs say that they were skipped.
const NO_CLUSTER: u8 = 77;
/// For one check. Its own waits are shorter, and say what they wait for.
const PATIENCE: Duration = Duration::from_secs(600);

/// Have the API server of a cluster ask the admission server, and hold what it then does against what it must
#[derive(Parser)]
#[command(
    after_help = "Exit codes: 0 all is as it must be, 1 a check failed, 2 the run failed, 77 there is no cluster"
)]
struct Arguments {
    /// Wharf's binary; by default the one that was built beside this program, or else in release mode
    #[arg(long)]
    wharf: Option<PathBuf>,
    /// How to reach the cluster, as somebody who may do everything; by default what KUBECONFIG names
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// The name or address under which the API server reaches this machine, where that is not 127.0.0.1
    #[arg(long, value_name = "HOST")]
    advertise: Option<String>,
    /// A command for `sh` that restarts the API server and ends when it is ready; without it the check that needs one is left out
    #[arg(long, value_name = "COMMAND")]
    restart_command: Option<String>,
    /// Run only the checks that have this in their names
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Leave everything in the cluster and the files where they are
    #[arg(long)]
    keep: bool,
}

#[expect(clippy::print_stderr, reason = "this is a command; it reports to its caller")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(&arguments)),
        Err(error) => Err((BROKEN, format!("there is no runtime: {error}"))),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err((code, reason)) => {
            eprintln!("error: {reason}");
            ExitCode::from(code)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool, (u8, String)> {
    let broken = |reason: String| (BROKEN, reason);
    let only = arguments.only.as_deref().unwrap_or_default();
    let checks: Vec<&Check> = CHECKS.iter().filter(|check| check.name.contains(only)).collect();
    if checks.is_empty() {
        return Err(broken(format!("no check has `{only}` in its name")));
    }
    let cluster = Cluster::find(arguments.kubeconfig.as_deref())
        .await
        .map_err(|reason| (NO_CLUSTER, reason))?;
    let no_wharf = "there is no Wharf: build it with `cargo build -p wharf`, or name one with --wharf";
    let wharf = arguments.wharf.clone().or_else(find_wharf);
    let wharf = wharf.ok_or_else(|| broken(no_wharf.to_owned()))?;
    let mut folder = tempfile::Builder::new()
        .prefix("wharf-kubernetes-")
        .disable_cleanup(arguments.keep)
        .tempdir()
        .map_err(|error| broken(format!("no temporary folder: {error}")))?;
    let mut world = World::new(Inputs {
        cluster,
        wharf,
        advertise: arguments.advertise.clone(),
        guests: guests(),
        restart_command: arguments.restart_command.clone(),
        folder: folder.path().to_owned(),
    })
    .map_err(broken)?;
    let outcome = tokio::select! {
        outcome = all(&mut world, &checks) => outcome.map_err(broken),
        () = told_to_end() => Err(broken("it was told to end".to_owned())),
    };
    if arguments.keep {
        kept(&world);
        return outcome;
    }
    let cleaned = tokio::select! {
        cleaned = cleanup::clean(&world) => cleaned,
        () = told_to_end() => Err(Failure::new("a clean cluster", "it was told to end once more")),
    };
    if let Err(failure) = cleaned {
        folder.disable_cleanup(true);
        kept(&world);
        return Err(broken(failure.to_string()));
    }
    outcome
}

/// The checks one after another; whether all is well.
#[expect(clippy::print_stdout, reason = "this is a command; it reports to its caller")]
async fn all(world: &mut World, checks: &[&Check]) -> Result<bool, String> {
    let version = world
        .cluster
        .api
        .get("/version")
        .await
        .map_err(|failure| failure.to_string())?;
    let version = version.body["gitVersion"]
        .as_str()
        .unwrap_or("of no version")
        .to_owned();
    println!(
        "the API server {version} at {}, as {}",
        world.cluster.url(),
        world.name
    );
    world
        .set_up()
        .await
        .map_err(|failure| format!("nothing can be checked: {failure}"))?;
    let (mut passed, mut failed) = (0, 0);
    for check in checks {
        if check.restarts_the_api_server() && world.restart_command.is_none() {
            println!("left out {}: there is no --restart-command", check.name);
            continue;
        }
        match within((check.run)(world)).await {
            Ok(()) => {
                passed += 1;
                println!("ok {}", check.name);
            }
            Err(Failure { expected, came }) => {
                failed += 1;
                println!("FAILED {}: expected {expected}; came {came}", check.name);
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

async fn within(check: impl Future<Output = Outcome>) -> Outcome {
    let late = || Failure::new(format!("an end within {PATIENCE:?}"), "none");
    tokio::time::timeout(PATIENCE, check)
        .await
        .unwrap_or_else(|_| Err(late()))
}

#[expect(clippy::print_stdout, reason = "this is a command; it reports to its caller")]
fn kept(world: &World) {
    println!(
        "left: files in {}; in the cluster all with the label {}={}",
        world.folder().display(),
        world::OWNED,
        world.name
    );
}

/// Ctrl-C, or what ends a job.
async fn told_to_end() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn guests() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).join("guests")
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
