//! Measures what plugins from a registry cost: pulls, beside `oras`, and starts from a filled store, beside the same plugins as files.
//!
//! The registry is Docker's own, on loopback. Everything is measured in turns, and medians of the rounds are shown; of starts, medians of
//! the differences in each round, for one plugin.

mod bench;
mod made;
mod pulls;
mod server;
mod starts;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::Outcome;

use self::bench::Bench;
use self::server::Registry;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The Wharf to measure, a release build.
    #[arg(long, default_value = "target/release/wharf")]
    wharf: PathBuf,
    /// Docker's registry, which has the plugins.
    #[arg(long, env = "WHARF_DOCKER_REGISTRY")]
    docker_registry: PathBuf,
    /// The oras to measure; without it Wharf is measured alone.
    #[arg(long, env = "WHARF_ORAS")]
    oras: Option<PathBuf>,
    /// What is measured; may be given several times. Without it, everything.
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// How often each row is measured, in turns.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
}

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Plugins of three sizes, pulled into an empty store and an empty folder.
    Pulls,
    /// The start of ten plugins from a filled store, with signatures and without.
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
    let registry = Registry::start(&arguments.docker_registry.canonicalize()?, directory.path())?;
    let bench = Bench {
        wharf: arguments.wharf.canonicalize()?,
        oras: arguments
            .oras
            .as_ref()
            .map(|path| path.canonicalize())
            .transpose()?,
        directory: directory.path().to_owned(),
        host: registry.host().to_owned(),
        rounds: arguments.rounds,
    };
    if arguments.wants(Part::Pulls) {
        if bench.oras.is_none() {
            println!("Wharf alone: --oras PATH measures oras beside it");
        }
        pulls::run(&bench)?;
    }
    if arguments.wants(Part::Starts) {
        starts::run(&bench, registry)?;
    }
    Ok(())
}
