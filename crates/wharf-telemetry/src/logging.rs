//! Setting up the log: text on a terminal, JSON lines otherwise, always to the standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, registry};

/// The environment variable that sets the level when the command line does not.
pub const LEVEL_VARIABLE: &str = "WHARF_LOG";

/// What is logged when nobody says otherwise.
pub const DEFAULT_LEVEL: &str = "info";

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is not a filter, such as `debug` or `info,wharf_proxy=trace`.
    #[error(
        "`{level}` is not a log level: use error, warn, info, debug, trace, or a list like info,wharf_proxy=debug"
    )]
    Level {
        /// What was asked for.
        level: String,
        /// Where it stops making sense.
        source: ParseError,
    },
    /// Another part of the program set up a log before.
    #[error("the log is already set up")]
    AlreadySetUp(#[from] TryInitError),
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text when the standard error is a terminal, JSON otherwise.
    #[default]
    Automatic,
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Sets up the process's log, once. The level is `level`, else `WHARF_LOG`, else `info`. Of the targets in `quiet` only
/// warnings and errors are logged, unless the level names them.
pub fn set_up(level: Option<&str>, format: LogFormat, quiet: &[&str]) -> Result<(), LoggingError> {
    let from_environment = std::env::var(LEVEL_VARIABLE)
        .ok()
        .filter(|level| !level.is_empty());
    let level = level
        .map(str::to_owned)
        .or(from_environment)
        .unwrap_or_else(|| DEFAULT_LEVEL.to_owned());
    let filter = parse_level(&level, quiet)?;
    let terminal = io::stderr().is_terminal();
    let text = match format {
        LogFormat::Automatic => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if text {
        lines
            .with_ansi(terminal && std::env::var_os("NO_COLOR").is_none())
            .boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    };
    registry().with(lines.with_filter(filter)).try_init()?;
    Ok(())
}

fn parse_level(level: &str, quiet: &[&str]) -> Result<EnvFilter, LoggingError> {
    let mut directives = level.to_owned();
    for target in quiet.iter().filter(|target| !level.contains(**target)) {
        directives.push_str(&format!(",{target}=warn"));
    }
    EnvFilter::try_new(directives).map_err(|source| LoggingError::Level {
        level: level.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_lists_of_levels_are_understood() {
        for level in ["error", "debug", "info,wharf_proxy=trace", "off"] {
            assert!(parse_level(level, &["noisy"]).is_ok(), "{level}");
        }
    }

    #[test]
    fn quiet_targets_are_quiet_unless_they_are_named() {
        let filter = |level| parse_level(level, &["noisy"]).unwrap().to_string();
        assert!(filter("debug").contains("noisy=warn"), "{}", filter("debug"));
        assert!(!filter("debug,noisy=trace").contains("noisy=warn"));
    }

    #[test]
    fn nonsense_is_refused_with_what_is_allowed() {
        let error = parse_level("wharf=loud", &[]).unwrap_err();
        assert!(
            error.to_string().contains("`wharf=loud` is not a log level"),
            "{error}"
        );
    }
}
