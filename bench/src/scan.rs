//! Measures Wharf and Trivy side by side: the same modules, the same targets, in turns.
//!
//! Prints for each row how long a scan takes, from the start of the process to its end, and the most memory that it had: for starts
//! with more and more modules, for many small files, and for an image of several layers. Medians of the rounds are shown, and how
//! many times as fast Wharf is as Trivy.

mod made;
mod rows;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::Outcome;

use self::made::Guests;
use self::rows::{Bench, Row};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The Wharf to measure, a release build.
    #[arg(long, default_value = "target/release/wharf")]
    wharf: PathBuf,
    /// The Trivy to measure; without it Wharf is measured alone.
    #[arg(long, env = "WHARF_TRIVY")]
    trivy: Option<PathBuf>,
    /// What is measured; may be given several times. Without it, everything.
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// How often each row is measured, in turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// How many small files there are.
    #[arg(long, default_value_t = 20_000)]
    files: usize,
}

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A small folder, with 0, 1 and 4 modules in Go.
    Starts,
    /// Many small files, without a module and with one that looks at all of them.
    Files,
    /// An image of several layers with as many files.
    Image,
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.part.is_empty() || self.part.contains(&part)
    }
}

/// Measures and prints.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let bench = Bench {
        wharf: arguments.wharf.canonicalize()?,
        trivy: arguments
            .trivy
            .as_ref()
            .map(|path| path.canonicalize())
            .transpose()?,
        directory: directory.path().to_owned(),
        rounds: arguments.rounds,
    };
    if bench.trivy.is_none() {
        println!("Wharf alone: --trivy PATH measures Trivy beside it");
    }
    let guests = Guests::put(directory.path())?;
    if arguments.wants(Part::Starts) {
        starts(&bench, &guests)?;
    }
    if arguments.wants(Part::Files) {
        files(&bench, &guests, arguments.files)?;
    }
    if arguments.wants(Part::Image) {
        image(&bench, &guests, arguments.files)?;
    }
    Ok(())
}

fn starts(bench: &Bench, guests: &Guests) -> Outcome<()> {
    let folder = made::small_folder(&bench.directory)?;
    rows::heading("start: a folder of three files");
    for (what, modules) in [
        ("no module", &guests.none),
        ("1 module in Go", &guests.go_1),
        ("4 modules in Go", &guests.go_4),
    ] {
        bench.measure(&Row::folder(what, modules, &folder))?;
    }
    Ok(())
}

fn files(bench: &Bench, guests: &Guests, count: usize) -> Outcome<()> {
    let folder = made::many_files(&bench.directory, count)?;
    rows::heading(&format!("{count} small files"));
    bench.measure(&Row::folder("no module", &guests.none, &folder))?;
    let row = Row::folder("a module in C that looks at all", &guests.c, &folder);
    bench.agree(&row)?;
    bench.measure(&row)
}

fn image(bench: &Bench, guests: &Guests, count: usize) -> Outcome<()> {
    let image = made::image(&bench.directory, count)?;
    rows::heading(&format!(
        "an image of {} layers with {count} small files",
        made::LAYERS
    ));
    bench.measure(&Row::image("no module", &guests.none, &image))?;
    let row = Row::image("a module in C that looks at all", &guests.c, &image);
    bench.agree(&row)?;
    bench.measure(&row)
}
