//! The formats that a report is written in, beside JSON.
//!
//! Each is a function of a report and of the warnings of its scan, and gives the same bytes for the same values: there is no
//! clock here, no random id and no order of a hash. The texts of a report are those of strangers. Whatever stands in them, a
//! table keeps its form and moves no cursor, XML is well formed, and JSON is JSON.

mod escape;
#[cfg(test)]
mod hostile;
mod junit;
mod sarif;
mod severity;
mod table;
mod template;

pub use self::junit::junit;
pub use self::sarif::{SarifOptions, Tool, sarif};
pub use self::table::{FindingKind, TableOptions, table};
pub use self::template::{Template, TemplateError, TemplateOptions};

#[cfg(test)]
mod tests;
