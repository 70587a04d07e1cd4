//! The commands, a file each.

pub(crate) mod admission;
mod check;
mod completions;
mod inspect;
pub(crate) mod lock;
pub(crate) mod login;
pub(crate) mod manifest;
pub(crate) mod module;
pub(crate) mod new;
pub(crate) mod policy;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod run;
pub(crate) mod scan;
pub(crate) mod schema;
mod senses;
mod serve;
pub(crate) mod sign;
pub(crate) mod single;
pub(crate) mod store;
pub(crate) mod test;
pub(crate) mod verify;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wharf_config::Config;
use wharf_telemetry::logging::{self, LogFormat};

use crate::cli::{Arguments, Command, Format};
use crate::commands::admission::AdmissionArguments;
use crate::exit::Code;
use crate::words::{colours, say};

/// Runs a command.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let (level, format) = match log(&arguments) {
        Ok(log) => log,
        Err(code) => return code.into(),
    };
    if let Err(error) = logging::set_up(level.as_deref(), format, wharf_engine::NOISY_LOG_TARGETS) {
        // The reason is a list of levels, which the message has as well.
        say(format_args!("error: {error}"));
        return Code::CommandLine.into();
    }
    let code = match arguments.command {
        Command::Scan(arguments) => return scan::run(&arguments),
        Command::Serve { config, locked } => serve::run(&config, locked),
        Command::Admission(arguments) => admission::run(&arguments),
        Command::Check { config, locked, json } => check::run(&config, locked, json),
        Command::Inspect { plugin, supply, json } => inspect::run(&plugin, &supply, json),
        Command::Run(arguments) => run::run(&arguments),
        Command::Manifest(arguments) => manifest::run(&arguments),
        Command::New(what) => new::run(&what),
        Command::Test(arguments) => test::run(&arguments),
        Command::Schema { of } => schema::run(of),
        Command::Pull(arguments) => pull::run(&arguments),
        Command::Push(arguments) => push::run(&arguments),
        Command::Sign(arguments) => sign::sign(&arguments),
        Command::Attest(arguments) => sign::attest(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Lock(arguments) => lock::run(&arguments),
        Command::Ls(arguments) => store::list(&arguments),
        Command::Rm(arguments) => store::remove(&arguments),
        Command::Prune(arguments) => store::prune(&arguments),
        Command::Save(arguments) => store::save(&arguments),
        Command::Load(arguments) => store::load(&arguments),
        Command::Login(arguments) => login::login(&arguments),
        Command::Logout(arguments) => login::logout(&arguments),
        Command::Completions { shell } => completions::run(shell),
    };
    code.into()
}

/// The level and the format of the log, by the flags and variables of all commands, and those of policy-server behind them.
fn log(arguments: &Arguments) -> Result<(Option<String>, LogFormat), Code> {
    let mut level = arguments.log_level.clone();
    let mut format = arguments.log_format;
    if let Command::Admission(admission) = &arguments.command {
        level = level.or_else(AdmissionArguments::log_level);
        format = admission.log_format()?.unwrap_or(format);
    }
    let format = match format {
        Format::Auto => LogFormat::Automatic,
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    Ok((level, format))
}

/// The configuration where nobody names one.
pub(crate) const DEFAULT_CONFIG: &str = "wharf.yaml";

/// Reads a configuration; says what is odd about it, and what is wrong.
pub(crate) fn load(path: &Path) -> Result<Config, Code> {
    match wharf_config::load(path) {
        Ok(loaded) => {
            loaded
                .warnings
                .iter()
                .for_each(|warning| say(warning.render(colours())));
            Ok(loaded.config)
        }
        Err(errors) => {
            say(errors.render(colours()));
            Err(Code::Configuration)
        }
    }
}

/// A configuration without a host.
#[derive(Debug)]
struct NothingToServe(PathBuf);

impl NothingToServe {
    const HINT: &str = "add `proxy:` with listeners and upstreams, or `admission:` with policies; `wharf schema` prints all keys";
}

impl fmt::Display for NothingToServe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has neither `proxy:` nor `admission:`, so there is nothing to serve",
            self.0.display()
        )
    }
}

impl std::error::Error for NothingToServe {}
