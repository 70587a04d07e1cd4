//! `wharf inspect`: what a module is, and whether it would load as a filter, a policy or a module of Trivy. No code of it runs,
//! but what tells the entrypoints and functions of Rego, and what a module of Trivy says that it is.

mod findings;
mod module;
mod policy;
mod report;

use wharf_plugin::Reference;

use self::findings::Inspection;
use super::single;
use crate::exit::Code;
use crate::supply::{Supply, SupplyArguments};
use crate::words::{complain, print};

/// Looks at a module and says what is in it.
pub(super) fn run(plugin: &Reference, supply: &SupplyArguments, as_json: bool) -> Code {
    let supply = match Supply::by_flags(supply, std::iter::once(plugin)) {
        Ok(supply) => supply,
        Err(code) => return code,
    };
    let engine = match single::engine() {
        Ok(engine) => engine,
        Err(error) => {
            complain(&error, None);
            return Code::Failure;
        }
    };
    let inspection = Inspection::of(plugin, supply.fetcher(), &engine);
    let printed = if as_json {
        print(format_args!("{:#}", report::json(&inspection)))
    } else {
        print(report::text(&inspection).trim_end())
    };
    match printed {
        Err(_) => Code::Failure,
        Ok(()) if inspection.loads() => Code::Success,
        Ok(()) => Code::Plugin,
    }
}
