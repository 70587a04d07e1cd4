//! `cargo xtask docs`: writes the documents that follow from the code and from the ledger.

use std::path::Path;
use std::process::ExitCode;

use crate::repository::Repository;

mod compatibility;
mod ledger;
mod metrics;

/// What `cargo xtask docs --help` says.
pub(crate) const LONG_ABOUT: &str = "\
Write the documents that are generated

  docs/wharf.schema.json   the JSON Schema of the configuration, as `wharf schema` prints it
  docs/metrics.md          the metrics, from wharf-telemetry
  README.md                its table of compatibility, from conformance/proxy-wasm.yaml

`cargo xtask tidy` checks that they are current. docs/configuration.md is written by the tests of wharf-config.";

/// Why a document cannot be generated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocsError {
    /// The source of a document is not there.
    #[error("is missing")]
    Missing { path: &'static str },
    /// The ledger cannot be read.
    #[error("{reason}")]
    Ledger { reason: String },
    /// The place for the table is not there.
    #[error("has no line `{marker}`, between which and its end the table belongs")]
    Marker {
        path: &'static str,
        marker: &'static str,
    },
    /// The code has a metric that the generator does not know how to make appear.
    #[error("has the metric {name}, which xtask/src/docs/metrics.rs does not bring to light")]
    UnknownMetric { name: String },
}

impl DocsError {
    /// The file that the error is about.
    pub(crate) fn path(&self) -> &'static str {
        match self {
            Self::Missing { path } | Self::Marker { path, .. } => path,
            Self::Ledger { .. } => ledger::PATH,
            Self::UnknownMetric { .. } => metrics::SOURCE,
        }
    }
}

/// All generated documents: path and text.
///
/// # Errors
/// [`DocsError`] for the first that cannot be generated.
pub(crate) fn generate(repository: &Repository) -> Result<Vec<(String, String)>, DocsError> {
    Ok(vec![
        (
            "docs/wharf.schema.json".to_owned(),
            format!("{:#}\n", wharf_config::json_schema()),
        ),
        ("docs/metrics.md".to_owned(), metrics::generate(repository)?),
        ("README.md".to_owned(), compatibility::generate(repository)?),
    ])
}

/// Writes those that have changed.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command; it reports to its caller"
)]
pub(crate) fn run(root: &Path) -> ExitCode {
    let written = Repository::read(root)
        .map_err(|error| error.to_string())
        .and_then(|repository| {
            let generated = generate(&repository).map_err(|error| format!("{}: {error}", error.path()))?;
            for (path, text) in generated
                .iter()
                .filter(|(path, text)| repository.text(path) != Some(text))
            {
                std::fs::write(root.join(path), text).map_err(|error| format!("{path}: {error}"))?;
                println!("wrote {path}");
            }
            Ok(())
        });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
