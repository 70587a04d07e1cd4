//! Measures Wharf and policy-server side by side: the same policies, the same reviews, on loopback, in turns.
//!
//! Prints for each policy reviews a second, latencies and the server's CPU time for a review, with 1, 8 and 64 clients; the
//! same for one policy over HTTPS, and for policies that call their host; then resident memory with more and more policies,
//! the time from the start to the first verdict with 50 of them, and, where it is asked for, memory over many reviews.

mod certificate;
mod cluster;
mod made;
mod memory;
mod policies;
mod rates;
mod server;
mod starts;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::Outcome;

use self::policies::{Policy, Review};
use self::server::Binaries;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A policy to measure, a module; may be given several times. Without it those in guests that need no cluster, and a
    /// small one that is made for it.
    #[arg(long, value_name = "PATH.wasm")]
    policy: Vec<PathBuf>,
    /// The settings of the policies, a file of JSON. `{n}` in a text is the number of the policy, where there are several.
    #[arg(long, value_name = "FILE", requires = "policy")]
    settings: Option<PathBuf>,
    /// The review that is sent, a file of JSON; without it, that of a pod that is created.
    #[arg(long, value_name = "FILE")]
    review: Option<PathBuf>,
    /// What is measured; may be given several times. Without it, everything.
    #[arg(long, value_enum)]
    part: Vec<Part>,
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
    /// Watches memory over so many reviews of the first policy.
    #[arg(long, value_name = "N", default_value_t = 0)]
    reviews: usize,
}

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Reviews a second, latencies and CPU time, of each policy.
    Reviews,
    /// The same of the first policy over HTTPS, with HTTP/1.1 and with one connection of HTTP/2.
    Https,
    /// Policies that call their host.
    Calls,
    /// Memory with more and more policies, and with `--reviews` over many reviews.
    Memory,
    /// The time from the start to the first verdict.
    Starts,
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.part.is_empty() || self.part.contains(&part)
    }
}

/// Measures and prints.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let binaries = Binaries {
        wharf: arguments.wharf.clone(),
        policy_server: arguments.policy_server.clone(),
        directory: directory.path().to_owned(),
    };
    let review = match &arguments.review {
        Some(path) => Review::read(path)?,
        None => Review::pod()?,
    };
    let policies = if arguments.policy.is_empty() {
        policies::of_repository(directory.path(), &review)?
    } else {
        policies::named(&arguments.policy, arguments.settings.as_deref(), &review)?
    };
    let first = policies.first().ok_or("there is no policy")?;
    if binaries.policy_server.is_none() {
        println!("Wharf alone: --policy-server PATH measures policy-server beside it\n");
    }
    if arguments.wants(Part::Reviews) {
        rates::of_policies(arguments, &binaries, &policies)?;
    }
    if arguments.wants(Part::Https) {
        rates::over_https(arguments, &binaries, first)?;
    }
    if arguments.wants(Part::Calls) {
        rates::of_host_calls(arguments, &binaries, &review)?;
    }
    if arguments.wants(Part::Memory) {
        memory::by_policies(&binaries, first)?;
        memory::over_reviews(arguments, &binaries, first)?;
    }
    if arguments.wants(Part::Starts) {
        starts::run(arguments, &binaries, first)?;
    }
    Ok(())
}

/// What was measured of each server, a round each: Wharf's, then policy-server's.
type Rounds<T> = [Vec<T>; 2];

/// One number of Wharf's and, where there is one, policy-server's.
fn print_values(what: &str, unit: &str, values: &[f64]) {
    match values {
        [wharf, peer] => println!(
            "  {what:<20} wharf {wharf:>8.0} {unit}   policy-server {peer:>8.0} {unit}   {:.2} of its",
            wharf / peer
        ),
        _ => {
            for wharf in values {
                println!("  {what:<20} wharf {wharf:>8.0} {unit}");
            }
        }
    }
}
