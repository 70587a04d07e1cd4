//! `cargo xtask templates`: what `wharf new` writes builds, and passes its own tests, the way its README says.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;

use self::readme::commands;
use self::toolchain::{Environment, prepare};
use self::workshop::Workshop;
use crate::guests::Language;
use crate::guests::toolchain::{BuildError, output};

mod readme;
mod toolchain;
mod workshop;

/// What `cargo xtask templates --help` says.
pub(crate) const LONG_ABOUT: &str = "\
Build and test a new project of each language whose toolchain is here

`wharf new` writes the projects into a temporary folder. In each, the commands of its README run word for word: those that build, \
test and run the filter, and check the configuration. What is skipped is said, with the reason; the exit code is 1 where a command failed, \
or where a language was skipped that --require names.

The toolchains are the ordinary ones on the PATH. These variables name others; a value may have arguments \
(\"python3 -m ziglang\"):

  WHARF_RUSTC_WASM  a rustc that has the wasm32-wasip1 target
  WHARF_GO          go, 1.24 or later
  WHARF_GO_SDK      a folder with github.com/proxy-wasm/proxy-wasm-go-sdk, for where Go's module proxy cannot be reached
  WHARF_ZIG         zig, whose C compiler builds the C project
  WHARF_NPX         npx, with npm beside it";

/// The name of the projects: none that stands in a template.
const PROJECT: &str = "probe-x9";

/// What may stand behind `cargo xtask templates`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The languages; all when none is named
    #[arg(value_name = "LANG", value_parser = Language::ALL.map(Language::key))]
    languages: Vec<String>,
    /// Fail where one of these languages is skipped
    #[arg(long, value_name = "LANG,…", value_delimiter = ',', value_parser = Language::ALL.map(Language::key))]
    require: Vec<String>,
    /// Wharf's binary; by default it is built
    #[arg(long, value_name = "PATH")]
    wharf: Option<PathBuf>,
}

/// What became of one language's project.
enum Outcome {
    /// These commands went well.
    Passed {
        version: String,
        commands: Vec<String>,
    },
    Skipped {
        reason: String,
    },
    Failed {
        error: TemplateError,
    },
}

/// Why a project is not what it should be.
#[derive(Debug, thiserror::Error)]
enum TemplateError {
    #[error("`{command}`: {source}")]
    Command { command: String, source: BuildError },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("its README has no commands under {0:?}")]
    NoCommands(&'static str),
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed { version, commands } => {
                write!(formatter, "passed   with {version}:")?;
                commands
                    .iter()
                    .try_for_each(|command| write!(formatter, "\n  $ {command}"))
            }
            Self::Skipped { reason } => write!(formatter, "skipped  {reason}"),
            Self::Failed { error } => write!(formatter, "failed   {error}"),
        }
    }
}

/// Writes, builds and tests a project of each language.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command; it reports to its caller"
)]
pub(crate) fn run(arguments: &Arguments, root: &Path) -> ExitCode {
    let wharf = match &arguments.wharf {
        Some(path) => std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display())),
        None => build_wharf(root),
    };
    let workshop = wharf.and_then(|wharf| Workshop::open(root, &wharf).map_err(|error| error.to_string()));
    let workshop = match workshop {
        Ok(workshop) => workshop,
        Err(reason) => {
            eprintln!("error: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let mut good = true;
    for language in Language::ALL
        .into_iter()
        .filter(|language| arguments.wants(*language))
    {
        let outcome = outcome(language, &workshop);
        println!("{:<15} {outcome}", language.key());
        good &= match outcome {
            Outcome::Passed { .. } => true,
            Outcome::Skipped { .. } if arguments.requires(language) => {
                println!("{:<15} is required", language.key());
                false
            }
            Outcome::Skipped { .. } => true,
            Outcome::Failed { .. } => false,
        };
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Arguments {
    /// A language that is required is wanted, too.
    fn wants(&self, language: Language) -> bool {
        self.languages.is_empty()
            || self.languages.iter().any(|key| key == language.key())
            || self.requires(language)
    }

    fn requires(&self, language: Language) -> bool {
        self.require.iter().any(|key| key == language.key())
    }
}

fn outcome(language: Language, workshop: &Workshop) -> Outcome {
    let project = match workshop.new_project(language) {
        Ok(project) => project,
        Err(error) => return Outcome::Failed { error },
    };
    let environment = match prepare(language, workshop, &project) {
        Ok(environment) => environment,
        Err(reason) => return Outcome::Skipped { reason },
    };
    match follow_readme(workshop, &project, &environment) {
        Ok(commands) => Outcome::Passed {
            version: environment.version,
            commands,
        },
        Err(error) => Outcome::Failed { error },
    }
}

/// Runs the commands of the README, in its order.
fn follow_readme(
    workshop: &Workshop,
    project: &Path,
    environment: &Environment,
) -> Result<Vec<String>, TemplateError> {
    let path = project.join("README.md");
    let readme = std::fs::read_to_string(&path).map_err(|source| TemplateError::File { path, source })?;
    let commands = commands(&readme).map_err(TemplateError::NoCommands)?;
    for command in &commands {
        output(&mut workshop.shell(command, project, environment)).map_err(|source| {
            TemplateError::Command {
                command: command.clone(),
                source,
            }
        })?;
    }
    Ok(commands)
}

/// Builds Wharf, and says where its binary is.
fn build_wharf(root: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .current_dir(root)
        .args(["build", "--quiet", "--package", "wharf", "--bin", "wharf"])
        .arg("--message-format=json");
    let messages = output(&mut build).map_err(|error| format!("wharf cannot be built: {error}"))?;
    let executable = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    };
    messages
        .lines()
        .filter_map(executable)
        .next_back()
        .ok_or_else(|| "cargo did not say where wharf is".to_owned())
}
