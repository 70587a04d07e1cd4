//! The commands, a file each.

pub(crate) mod admission;
mod check;
mod completions;
mod inspect;
pub(crate) mod manifest;
pub(crate) mod module;
pub(crate) mod new;
pub(crate) mod policy;
pub(crate) mod run;
pub(crate) mod scan;
pub(crate) mod schema;
mod senses;
mod serve;
pub(crate) mod single;
pub(crate) mod test;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wharf_config::Config;
use wharf_telemetry::logging::{self, LogFormat};

use crate::cli::{Arguments, Command, Format};
use crate::commands::admission::AdmissionArguments;
use crate::exit::Code;
use crate::words::{colours, complain, say};

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
        Command::Serve { config } => serve::run(&config),
        Command::Admission(arguments) => admission::run(&arguments),
        Command::Check { config, json } => check::run(&config, json),
        Command::Inspect { plugin, json } => inspect::run(&plugin, json),
        Command::Run(arguments) => run::run(&arguments),
        Command::Manifest(arguments) => manifest::run(&arguments),
        Command::New(what) => new::run(&what),
        Command::Test(arguments) => test::run(&arguments),
        Command::Schema { of } => schema::run(of),
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

/// Reads a configuration; says what is odd about it, and what is wrong.
fn load(path: &Path) -> Result<Config, Code> {
    match wharf_config::load(path) {
        Ok(loaded) if loaded.config.trust.is_some() => {
            let error = TrustIsNotEnforced(path.to_owned());
            complain(&error, Some(TrustIsNotEnforced::HINT));
            Err(Code::Configuration)
        }
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

/// A configuration that asks for signatures, which nobody looks at yet: to go on would be to run what it forbids.
#[derive(Debug)]
struct TrustIsNotEnforced(PathBuf);

impl TrustIsNotEnforced {
    const HINT: &str =
        "remove `trust:`, and take only files that you trust, until a version that enforces it";
}

impl fmt::Display for TrustIsNotEnforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} says under `trust:` whose signatures plugins need, and this version does not look at signatures",
            self.0.display()
        )
    }
}

impl std::error::Error for TrustIsNotEnforced {}

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
