//! `wharf completions`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Arguments;
use crate::exit::Code;
use crate::words::{complain, print};

/// Prints a completion script.
pub(super) fn run(shell: Shell) -> Code {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "wharf", &mut script);
    match print(String::from_utf8_lossy(&script).trim_end()) {
        Ok(()) => Code::Success,
        Err(error) => {
            complain(&error, None);
            Code::Failure
        }
    }
}
