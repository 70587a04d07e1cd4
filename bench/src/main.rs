//! Measures Wharf and Envoy side by side: the same filters, the same origin, one worker each, in turns. `admission` measures
//! Wharf and policy-server in the same way, see [`admission`], `scan` Wharf and Trivy, see [`scan`], and `registry` what plugins from
//! registries cost, with pulls beside those of oras, see [`registry`].
//!
//! Prints for each number of filters the CPU time of the proxy for a request, requests a second, and latencies; then
//! memory, and the time from the start to the first answer with a cold and a warm cache of compiled modules. The medians
//! of the rounds are shown, and what Wharf needs of what Envoy needs. Machines differ and are noisy: the ratios tell more
//! than the numbers.

#![expect(clippy::print_stdout, reason = "what this program measures is what it prints")]

mod admission;
mod load;
mod once;
mod origin;
mod process;
mod proxies;
mod registry;
mod report;
mod scan;
mod sections;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::load::{Measurement, Question, Transport};
use crate::proxies::{Proxy, Scene};
use crate::report::Row;

/// Measures Wharf and, where it is at hand, Envoy side by side.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The Wharf to measure, a release build.
    #[arg(long, default_value = "target/release/wharf")]
    wharf: PathBuf,
    /// The Envoy to measure; without it Wharf is measured alone.
    #[arg(long, env = "WHARF_ENVOY")]
    envoy: Option<PathBuf>,
    /// How often each row is measured, in turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// How many connections ask at once.
    #[arg(long, default_value_t = 16)]
    connections: usize,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures Wharf and, where it is at hand, policy-server with the same policies.
    Admission(admission::Arguments),
    /// Measures Wharf and, where it is at hand, Trivy with the same modules.
    Scan(scan::Arguments),
    /// Measures pulls, beside those of oras where it is at hand, and starts from a filled store.
    Registry(registry::Arguments),
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    match &arguments.command {
        Some(Command::Admission(arguments)) => return admission::run(arguments),
        Some(Command::Scan(arguments)) => return scan::run(arguments),
        Some(Command::Registry(arguments)) => return registry::run(arguments),
        None => {}
    }
    let origin = origin::start()?;
    let directory = tempfile::tempdir()?;
    let scene = Scene {
        origin,
        directory: directory.path().to_owned(),
        guests: PathBuf::from("guests").canonicalize()?,
    };
    let wharf = |cache: &str| Proxy::wharf(&arguments.wharf, &scene, cache);
    let envoy = || {
        arguments
            .envoy
            .as_ref()
            .map(|envoy| Proxy::envoy(envoy, &scene))
            .transpose()
    };

    println!("start to the first answer, with five filters");
    let cold = wharf("cache")?;
    let warm = wharf("cache")?;
    println!(
        "  wharf, cold cache  {:>8.0} ms",
        cold.first_answer.as_secs_f64() * 1e3
    );
    println!(
        "  wharf, warm cache  {:>8.0} ms",
        warm.first_answer.as_secs_f64() * 1e3
    );
    drop(cold);
    let envoy = envoy()?;
    if let Some(envoy) = &envoy {
        println!(
            "  envoy              {:>8.0} ms",
            envoy.first_answer.as_secs_f64() * 1e3
        );
    }

    let rows = measure(&arguments, &warm, envoy.as_ref())?;
    report::print(&rows, arguments.connections);
    println!("memory after that, resident");
    println!("  wharf  {:>6.0} MB", warm.process.resident_megabytes()?);
    if let Some(envoy) = &envoy {
        println!("  envoy  {:>6.0} MB", envoy.process.resident_megabytes()?);
    }
    Ok(())
}

/// Measures each row in turns, so that whatever the machine does meanwhile does it to both.
fn measure(arguments: &Arguments, wharf: &Proxy, envoy: Option<&Proxy>) -> Outcome<Vec<Row>> {
    let mut rows: Vec<Row> = proxies::CHAINS.iter().map(|(name, _)| Row::new(name)).collect();
    let duration = Duration::from_secs(arguments.seconds);
    let question = Question::get();
    let run = |proxy: &Proxy, index: usize, duration| -> Outcome<Measurement> {
        load::run(
            proxy.ports[index],
            &Transport::Plain,
            &question,
            arguments.connections,
            duration,
            || proxy.process.cpu_time(),
        )
    };
    for (index, _) in proxies::CHAINS.iter().enumerate() {
        run(wharf, index, Duration::from_millis(500))?;
        if let Some(envoy) = envoy {
            run(envoy, index, Duration::from_millis(500))?;
        }
    }
    for _ in 0..arguments.rounds {
        for (index, row) in rows.iter_mut().enumerate() {
            row.wharf.push(run(wharf, index, duration)?);
            if let Some(envoy) = envoy {
                row.envoy.push(run(envoy, index, duration)?);
            }
        }
    }
    Ok(rows)
}
