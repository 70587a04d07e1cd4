//! `wharf schema`

use crate::exit::Code;
use crate::words::{complain, print};

/// Prints the JSON Schema of the configuration.
pub(super) fn run() -> Code {
    match print(format_args!("{:#}", wharf_config::json_schema())) {
        Ok(()) => Code::Success,
        Err(error) => {
            complain(&error, None);
            Code::Failure
        }
    }
}
