//! `cargo xtask guests`: rebuilds the guests and says which of the committed files came out the same.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use self::record::Record;
use self::toolchain::{BuildError, Toolchain};

mod metadata;
mod record;
pub(crate) mod toolchain;
mod wasm;

#[cfg(test)]
mod tests;

/// What `cargo xtask guests --help` says.
pub(crate) const LONG_ABOUT: &str = "\
Rebuild the guests, for each language whose toolchain is here

The toolchains are the ordinary ones on the PATH. These variables name others; a value may have arguments \
(\"python3 -m ziglang\"):

  WHARF_RUSTC_WASM  a rustc that has the wasm32-wasip1 target
  WHARF_GO          go, 1.24 or later
  WHARF_ZIG         zig, whose C compiler builds the C guests
  WHARF_NPX         npx, with npm beside it

A guest in WAT needs no build.";

/// What may stand behind `cargo xtask guests`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Change nothing, and exit with 1 when a committed file is not what its source gives
    #[arg(long)]
    check: bool,
    /// The guests to build; all when none is named
    #[arg(value_name = "GUEST", value_parser = GUESTS.map(|guest| guest.name))]
    names: Vec<String>,
}

/// A guest that is built from source: a filter in `guests/<name>/`, a policy in `guests/policies/<name>/`, or a module for
/// Trivy in `guests/trivy/<name>/`.
#[derive(Clone, Copy)]
struct Guest {
    name: &'static str,
    language: Language,
    kind: Kind,
}

/// What a guest is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Filter,
    Policy,
    Module,
}

/// What guests are written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    AssemblyScript,
    C,
    Go,
    Rust,
}

/// All guests that are built, in the order of `guests/README.md`.
const GUESTS: [Guest; 20] = [
    filter("rust-headers", Language::Rust),
    filter("rust-body", Language::Rust),
    filter("rust-auth", Language::Rust),
    filter("rust-counter", Language::Rust),
    filter("rust-queue", Language::Rust),
    filter("as-counter", Language::AssemblyScript),
    filter("c-headers", Language::C),
    filter("c-legacy", Language::C),
    filter("go-headers", Language::Go),
    policy("policy-labels", Language::Rust),
    policy("policy-defaults", Language::Rust),
    policy("policy-unique-host", Language::Rust),
    policy("policy-quota", Language::Rust),
    policy("policy-raw", Language::Rust),
    policy("policy-replicas", Language::Go),
    module("trivy-wordpress", Language::Rust),
    module("trivy-secrets", Language::C),
    module("trivy-accepted", Language::C),
    module("trivy-severity", Language::Go),
    module("trivy-packages", Language::Go),
];

const fn filter(name: &'static str, language: Language) -> Guest {
    let kind = Kind::Filter;
    Guest { name, language, kind }
}

const fn policy(name: &'static str, language: Language) -> Guest {
    let kind = Kind::Policy;
    Guest { name, language, kind }
}

const fn module(name: &'static str, language: Language) -> Guest {
    let kind = Kind::Module;
    Guest { name, language, kind }
}

impl Language {
    pub(crate) const ALL: [Self; 4] = [Self::Rust, Self::AssemblyScript, Self::C, Self::Go];

    /// The name in `guests/built-with.txt` and on the command line.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::AssemblyScript => "assemblyscript",
            Self::C => "c",
            Self::Go => "go",
            Self::Rust => "rust",
        }
    }
}

/// Where the guests are, and where they are built.
struct Folders {
    guests: PathBuf,
}

impl Folders {
    fn of_repository(root: &Path) -> Self {
        Self {
            guests: root.join("guests"),
        }
    }

    /// The folder of all guests of a kind, which is the workspace of those in Rust.
    fn workspace(&self, kind: Kind) -> PathBuf {
        match kind {
            Kind::Filter => self.guests.clone(),
            Kind::Policy => self.guests.join("policies"),
            Kind::Module => self.guests.join("trivy"),
        }
    }

    fn source(&self, guest: Guest) -> PathBuf {
        self.workspace(guest.kind).join(guest.name)
    }

    /// The committed file.
    fn committed(&self, guest: Guest) -> PathBuf {
        self.source(guest).join(format!("{}.wasm", guest.name))
    }

    /// The folder of all that is made on the way. It is ignored.
    fn target(&self) -> PathBuf {
        self.guests.join("target")
    }

    fn built(&self, guest: Guest) -> PathBuf {
        self.target().join("built").join(format!("{}.wasm", guest.name))
    }
}

/// What became of one guest.
enum Outcome {
    Same { bytes: usize },
    Differs { bytes: usize, committed: Option<usize> },
    Skipped { reason: String },
    Failed { error: BuildError },
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same { bytes } => write!(formatter, "same     {bytes} bytes"),
            Self::Differs {
                bytes,
                committed: Some(committed),
            } => {
                write!(formatter, "differs  {bytes} bytes, committed are {committed}")
            }
            Self::Differs {
                bytes,
                committed: None,
            } => {
                write!(formatter, "differs  {bytes} bytes, none are committed")
            }
            Self::Skipped { reason } => write!(formatter, "skipped  {reason}"),
            Self::Failed { error } => write!(formatter, "failed   {error}"),
        }
    }
}

/// Builds, compares, and unless it is a check writes what differs. The exit code is 1 when a build failed, or when a
/// check found a difference.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command; it reports to its caller"
)]
pub(crate) fn run(arguments: &Arguments, root: &Path) -> ExitCode {
    let folders = Folders::of_repository(root);
    let mut record = match Record::read(&folders.guests.join("built-with.txt")) {
        Ok(record) => record,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut good = true;
    for language in Language::ALL {
        let guests: Vec<Guest> = GUESTS
            .into_iter()
            .filter(|guest| guest.language == language)
            .collect();
        let toolchain = Toolchain::find(language, &folders);
        for guest in guests.into_iter().filter(|guest| arguments.wants(guest)) {
            let outcome = outcome(guest, &toolchain, arguments.check, &folders, &record);
            println!("{:<18} {outcome}", guest.name);
            good &= match outcome {
                Outcome::Same { .. } | Outcome::Skipped { .. } => true,
                Outcome::Differs { .. } => !arguments.check,
                Outcome::Failed { .. } => false,
            };
        }
        if let (Ok(toolchain), false, true) = (&toolchain, arguments.check, arguments.names.is_empty()) {
            record.set(language, &toolchain.version);
        }
    }
    if let Err(error) = record.write() {
        eprintln!("error: {error}");
        good = false;
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Arguments {
    fn wants(&self, guest: &Guest) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name == guest.name)
    }
}

fn outcome(
    guest: Guest,
    toolchain: &Result<Toolchain, String>,
    check: bool,
    folders: &Folders,
    record: &Record,
) -> Outcome {
    let toolchain = match toolchain {
        Ok(toolchain) => toolchain,
        Err(reason) => {
            return Outcome::Skipped {
                reason: reason.clone(),
            };
        }
    };
    let recorded = record.version(guest.language).unwrap_or("another version");
    if check && recorded != toolchain.version {
        let reason = format!(
            "only {recorded} gives the committed bytes, and here is {}",
            toolchain.version
        );
        return Outcome::Skipped { reason };
    }
    match build_and_compare(guest, toolchain, check, folders) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed { error },
    }
}

fn build_and_compare(
    guest: Guest,
    toolchain: &Toolchain,
    check: bool,
    folders: &Folders,
) -> Result<Outcome, BuildError> {
    let built = folders.built(guest);
    toolchain.build(guest, folders, &built)?;
    let bytes = std::fs::read(&built).map_err(|source| BuildError::File {
        path: built.clone(),
        source,
    })?;
    let bytes =
        wasm::without_debug_sections(&bytes).map_err(|source| BuildError::NotWasm { path: built, source })?;
    let bytes = match guest.kind {
        Kind::Filter | Kind::Module => bytes,
        Kind::Policy => metadata::add(bytes, &folders.source(guest))?,
    };
    let path = folders.committed(guest);
    let committed = std::fs::read(&path).ok();
    if committed.as_deref() == Some(&*bytes) {
        return Ok(Outcome::Same { bytes: bytes.len() });
    }
    if !check {
        std::fs::write(&path, &bytes).map_err(|source| BuildError::File { path, source })?;
    }
    Ok(Outcome::Differs {
        bytes: bytes.len(),
        committed: committed.map(|committed| committed.len()),
    })
}
