//! What the exit code of `wharf` says.

use std::process::ExitCode;

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// All went well; a server was told to stop and has finished what was in flight.
    Success = 0,
    /// Something failed while it ran, such as a port that is in use, or a case of `test`.
    Failure = 1,
    /// The command line is wrong, such as a flag that does not exist, or a folder without cases for `test`.
    CommandLine = 2,
    /// The configuration cannot be used, or a file of cases for `test`.
    Configuration = 3,
    /// A plugin cannot be loaded, or does not start, or refuses its configuration.
    Plugin = 4,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}
