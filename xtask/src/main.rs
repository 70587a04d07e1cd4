//! The chores of this repository. `cargo xtask help` lists them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod docs;
mod guests;
mod repository;
mod templates;
mod tidy;

#[derive(Parser)]
#[command(about, bin_name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Rebuild the guests, for each language whose toolchain is here
    #[command(long_about = guests::LONG_ABOUT)]
    Guests(guests::Arguments),
    /// Build and test a new project of each language whose toolchain is here
    #[command(long_about = templates::LONG_ABOUT)]
    Templates(templates::Arguments),
    /// Write the documents that are generated
    #[command(long_about = docs::LONG_ABOUT)]
    Docs,
    /// Check what the compiler and its lints do not
    #[command(long_about = tidy::LONG_ABOUT)]
    Tidy,
}

fn main() -> ExitCode {
    let root = repository_root();
    match CommandLine::parse().chore {
        Chore::Guests(arguments) => guests::run(&arguments, &root),
        Chore::Templates(arguments) => templates::run(&arguments, &root),
        Chore::Docs => docs::run(&root),
        Chore::Tidy => tidy::run(&root),
    }
}

/// The folder that has the workspace's `Cargo.toml`.
fn repository_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the repository")
        .to_owned()
}
