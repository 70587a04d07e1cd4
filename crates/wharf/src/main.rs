//! The command line of Wharf. Data goes to stdout, words to stderr; [`exit::Code`] has the exit codes.

mod admin;
mod cli;
mod commands;
mod exit;
mod plugins;
mod progress;
mod words;

use clap::Parser;

fn main() -> std::process::ExitCode {
    let arguments = cli::Arguments::parse();
    commands::run(arguments).into()
}
