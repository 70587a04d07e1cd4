//! `wharf schema`

use clap::ValueEnum;

use crate::exit::Code;
use crate::words::{complain, print};

/// The files that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// `wharf.yaml`
    Configuration,
    /// Files of cases for `wharf test`
    Test,
}

/// Prints a JSON Schema.
pub(super) fn run(of: SchemaOf) -> Code {
    let schema = match of {
        SchemaOf::Configuration => wharf_config::json_schema(),
        SchemaOf::Test => wharf_config::cases::json_schema(),
    };
    match print(format_args!("{schema:#}")) {
        Ok(()) => Code::Success,
        Err(error) => {
            complain(&error, None);
            Code::Failure
        }
    }
}
