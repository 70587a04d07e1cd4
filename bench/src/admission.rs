//! Measures Wharf and policy-server side by side: the same policy, the same review, plain HTTP on loopback, in turns.
//!
//! Prints for each policy reviews a second, latencies and the server's CPU time for a review with 1, 8 and 64 clients, each
//! of which keeps its connection; then resident memory with 1, 50 and 500 policies, and the time from the start to the first
//! verdict with 50 policies, with a cold and a warm cache of compiled modules.

mod policies;
mod server;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::Outcome;
use crate::load::{self, Measurement, Question};
use crate::report::median;

use self::policies::{Policy, Review};
use self::server::{Binaries, Kind, Server};

/// How many clients ask at once, in turns.
const CLIENTS: [usize; 3] = [1, 8, 64];
/// With how many policies memory is looked at.
const COUNTS: [usize; 3] = [1, 50, 500];
/// How many policies there are when a start is timed.
const STARTED: usize = 50;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A policy to measure, a module; may be given several times. Without it those in guests/policies that need no cluster,
    /// and a small one that is made for it.
    #[arg(long, value_name = "PATH.wasm")]
    policy: Vec<PathBuf>,
    /// The settings of the policies, a file of JSON. `{n}` in a text is the number of the policy, where there are several.
    #[arg(long, value_name = "FILE", requires = "policy")]
    settings: Option<PathBuf>,
    /// The review that is sent, a file of JSON; without it, that of a pod that is created.
    #[arg(long, value_name = "FILE")]
    review: Option<PathBuf>,
    /// The Wharf to measure, a release build.
    #[arg(long, default_value = "target/release/wharf")]
    wharf: PathBuf,
    /// The policy-server to measure; without it Wharf is measured alone.
    #[arg(long, env = "WHARF_POLICY_SERVER")]
    policy_server: Option<PathBuf>,
    /// How often each row is measured, in turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

/// What was measured of each server, a round each: Wharf's, then policy-server's.
type Rounds<T> = [Vec<T>; 2];

/// Measures and prints.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let binaries = Binaries {
        wharf: arguments.wharf.clone(),
        policy_server: arguments.policy_server.clone(),
        directory: directory.path().to_owned(),
    };
    let review = Review::read(arguments.review.as_deref())?;
    let policies = policies::find(&arguments.policy, arguments.settings.as_deref(), directory.path())?;
    if binaries.policy_server.is_none() {
        println!("Wharf alone: --policy-server PATH measures policy-server beside it\n");
    }
    println!("reviews, with one policy: reviews a second, latencies, CPU time of the server for a review");
    println!(
        "  {:<20} {:>7}  {:<13} {:>10} {:>11} {:>11} {:>10}",
        "policy", "clients", "", "rate", "p50", "p99", "CPU"
    );
    let mut first = None;
    for policy in &policies {
        match reviews(arguments, &binaries, policy, &review) {
            Ok(()) => first = first.or(Some(policy)),
            // With several, one that cannot be measured is no reason to leave out the others.
            Err(error) if policies.len() > 1 => println!("  {:<20} left out: {error}", policy.name),
            Err(error) => return Err(error),
        }
    }
    let policy = first.ok_or("none of the policies could be measured")?;
    memory(&binaries, policy, &review)?;
    starts(arguments, &binaries, policy, &review)
}

/// Asks one policy with each number of clients, in turns.
fn reviews(arguments: &Arguments, binaries: &Binaries, policy: &Policy, review: &Review) -> Outcome<()> {
    let mut servers = Vec::new();
    for kind in binaries.kinds() {
        let server = Server::start(kind, binaries, policy, 1, "reviews", review)?;
        let question = server.question(review, 0)?;
        ask(&server, &question, 1, Duration::from_millis(500))?;
        servers.push((server, question));
    }
    let mut rows: [Rounds<Measurement>; CLIENTS.len()] = Default::default();
    for _ in 0..arguments.rounds {
        for (clients, row) in CLIENTS.into_iter().zip(&mut rows) {
            for ((server, question), measurements) in servers.iter().zip(row) {
                let duration = Duration::from_secs(arguments.seconds);
                measurements.push(ask(server, question, clients, duration)?);
            }
        }
    }
    for (clients, row) in CLIENTS.into_iter().zip(&rows) {
        let name = if clients == CLIENTS[0] { &policy.name } else { "" };
        print_row(name, clients, row);
    }
    Ok(())
}

fn ask(server: &Server, question: &Question, clients: usize, duration: Duration) -> Outcome<Measurement> {
    load::run(server.port, question, clients, duration, || {
        server.process.cpu_time()
    })
}

fn print_row(name: &str, clients: usize, row: &Rounds<Measurement>) {
    let of = |measurements: &[Measurement]| -> Option<[f64; 4]> {
        let median_of = |value: fn(&Measurement) -> f64| median(measurements.iter().map(value));
        Some([
            median_of(|measured| measured.rate)?,
            median_of(|measured| measured.p50.as_secs_f64() * 1e6)?,
            median_of(|measured| measured.p99.as_secs_f64() * 1e6)?,
            median_of(|measured| measured.cpu.as_secs_f64() * 1e6)?,
        ])
    };
    let line = |name: &str, clients: &str, kind: Kind, [rate, p50, p99, cpu]: [f64; 4]| {
        println!(
            "  {name:<20} {clients:>7}  {:<13} {rate:>8.0}/s {p50:>8.0} µs {p99:>8.0} µs {cpu:>7.0} µs",
            kind.name()
        );
    };
    let [wharf, peer] = row.each_ref().map(|measurements| of(measurements));
    if let Some(wharf) = wharf {
        line(name, &clients.to_string(), Kind::Wharf, wharf);
        if let Some(peer) = peer {
            line("", "", Kind::PolicyServer, peer);
            let [rate, p50, p99, cpu] = std::array::from_fn(|index| wharf[index] / peer[index]);
            println!(
                "  {:<20} {:>7}  {:<13} {rate:>10.2} {p50:>11.2} {p99:>11.2} {cpu:>10.2}",
                "", "", "of its"
            );
        }
    }
}

/// Looks at the memory with more and more policies, each of which was asked once.
fn memory(binaries: &Binaries, policy: &Policy, review: &Review) -> Outcome<()> {
    println!(
        "\nresident memory, {} under many ids, each asked once",
        policy.name
    );
    if !policy.differs() {
        println!("  the settings of all are the same: {{n}} in a text of --settings makes them differ");
    }
    for kind in binaries.kinds() {
        // What a compilation needs is not what serving needs.
        drop(Server::start(kind, binaries, policy, 1, "memory", review)?);
    }
    for count in COUNTS {
        let mut values = Vec::new();
        for kind in binaries.kinds() {
            let server = Server::start(kind, binaries, policy, count, "memory", review)?;
            for index in 0..count {
                server.question(review, index)?;
            }
            values.push(server.process.resident_megabytes()?);
        }
        let plural = if count == 1 { "policy" } else { "policies" };
        print_values(&format!("{count} {plural}"), "MB", &values);
    }
    Ok(())
}

/// Times starts until the last policy has given a verdict.
fn starts(arguments: &Arguments, binaries: &Binaries, policy: &Policy, review: &Review) -> Outcome<()> {
    let mut cold: Rounds<f64> = Default::default();
    let mut warm: Rounds<f64> = Default::default();
    for round in 0..arguments.rounds {
        for (place, kind) in binaries.kinds().into_iter().enumerate() {
            let cache = format!("start-{round}");
            for times in [&mut cold[place], &mut warm[place]] {
                let server = Server::start(kind, binaries, policy, STARTED, &cache, review)?;
                times.push(server.first_verdict.as_secs_f64() * 1e3);
            }
        }
    }
    println!("\nstart to the first verdict, with {STARTED} policies");
    for (what, rounds) in [("cold cache", cold), ("warm cache", warm)] {
        let values: Vec<f64> = rounds
            .into_iter()
            .filter_map(|times| median(times.into_iter()))
            .collect();
        print_values(what, "ms", &values);
    }
    if binaries.policy_server.is_some() {
        println!("  policy-server keeps no compiled modules: its two rows are two starts");
    }
    Ok(())
}

/// One number of Wharf's and, where there is one, policy-server's.
fn print_values(what: &str, unit: &str, values: &[f64]) {
    match values {
        [wharf, peer] => println!(
            "  {what:<14} wharf {wharf:>8.0} {unit}   policy-server {peer:>8.0} {unit}   {:.2} of its",
            wharf / peer
        ),
        _ => {
            for wharf in values {
                println!("  {what:<14} wharf {wharf:>8.0} {unit}");
            }
        }
    }
}
