//! The commands, a file each.

mod check;
mod completions;
mod schema;
mod serve;

use std::path::Path;

use wharf_config::{Config, ProxyConfig};
use wharf_telemetry::logging::{self, LogFormat};

use crate::cli::{Arguments, Command, Format};
use crate::exit::Code;
use crate::words::{colours, complain, say};

/// Runs a command.
pub(crate) fn run(arguments: Arguments) -> Code {
    let format = match arguments.log_format {
        Format::Auto => LogFormat::Automatic,
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    if let Err(error) = logging::set_up(Some(&arguments.log_level), format) {
        complain(&error, None);
        return Code::Failure;
    }
    match arguments.command {
        Command::Serve { config } => serve::run(&config),
        Command::Check { config, json } => check::run(&config, json),
        Command::Schema => schema::run(),
        Command::Completions { shell } => completions::run(shell),
    }
}

/// Reads a configuration; says what is odd about it, and what is wrong.
fn load(path: &Path) -> Result<Config, Code> {
    match wharf_config::load(path) {
        Ok(loaded) => {
            loaded.warnings.iter().for_each(|warning| say(warning.render(colours())));
            Ok(loaded.config)
        }
        Err(errors) => {
            say(errors.render(colours()));
            Err(Code::Configuration)
        }
    }
}

/// The proxy of a configuration, which is the only host so far.
fn proxy_of<'a>(config: &'a Config, path: &Path) -> Result<&'a ProxyConfig, Code> {
    config.proxy.as_ref().ok_or_else(|| {
        say(format_args!("error: {} has no `proxy:`, so there is nothing to serve", path.display()));
        say("\nhint: add `proxy:` with listeners and upstreams; `wharf schema` prints all keys");
        Code::Configuration
    })
}
