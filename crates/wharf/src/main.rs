//! The command line of Wharf. Data goes to stdout, words to stderr; [`exit::Code`] has the exit codes.

mod admin;
mod admission;
mod cli;
mod commands;
mod exit;
mod files;
mod plugins;
mod progress;
mod provenance;
mod refresh;
mod registries;
mod supply;
mod trust;
mod words;

use clap::Parser;

/// Requests allocate small things and free them on the same thread, which is what this allocator is fastest at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let arguments = cli::Arguments::parse();
    commands::run(arguments)
}
