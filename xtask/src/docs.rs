//! `cargo xtask docs`: writes the documents that follow from the code and from the ledger.

use std::path::Path;
use std::process::ExitCode;

use crate::repository::Repository;

mod compatibility;
mod held;
mod ledger;
mod metrics;
mod policies;

/// What `cargo xtask docs --help` says.
pub(crate) const LONG_ABOUT: &str = "\
Write the documents that are generated

  docs/wharf.schema.json   the JSON Schema of the configuration, as `wharf schema` prints it
  docs/metrics.md          the metrics, from wharf-telemetry
  README.md                its tables of compatibility, from the ledgers in conformance/
  docs/compatibility-policies.md
                           what there is for policies, from conformance/wapc.yaml and conformance/kubewarden.yaml

  docs/compatibility-trivy.md
                           what there is for Trivy's modules, from conformance/trivy.yaml

Those three ledgers are held against the code, and their tests must exist. `cargo xtask tidy` checks that they are current. docs/configuration.md is written by the tests of wharf-config.";

/// Why a document cannot be generated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocsError {
    /// The source of a document is not there.
    #[error("is missing")]
    Missing { path: &'static str },
    /// A ledger cannot be read, or is not what the code is.
    #[error("{reason}")]
    Ledger { path: &'static str, reason: String },
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
            Self::Missing { path } | Self::Marker { path, .. } | Self::Ledger { path, .. } => path,
            Self::UnknownMetric { .. } => metrics::SOURCE,
        }
    }
}

/// A generated document: its path and its text.
pub(crate) type Document = (&'static str, String);

/// All generated documents, or why one cannot be.
pub(crate) fn generate(repository: &Repository) -> [Result<Document, DocsError>; 5] {
    [
        Ok((
            "docs/wharf.schema.json",
            format!("{:#}\n", wharf_config::json_schema()),
        )),
        metrics::generate(repository).map(|text| ("docs/metrics.md", text)),
        compatibility::generate(repository).map(|text| ("README.md", text)),
        policies::generate(repository).map(|text| (policies::PATH, text)),
        policies::generate_trivy(repository).map(|text| (policies::TRIVY_PATH, text)),
    ]
}

/// Writes those that have changed.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command; it reports to its caller"
)]
pub(crate) fn run(root: &Path) -> ExitCode {
    let repository = match Repository::read(root) {
        Ok(repository) => repository,
        Err(error) => {
            eprintln!("error: the repository cannot be read: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut outcome = ExitCode::SUCCESS;
    for document in generate(&repository) {
        match document.map_err(|error| format!("{}: {error}", error.path())) {
            Ok((path, text)) if repository.text(path) == Some(&text) => {}
            Ok((path, text)) => match std::fs::write(root.join(path), text) {
                Ok(()) => println!("wrote {path}"),
                Err(error) => {
                    eprintln!("error: {path}: {error}");
                    outcome = ExitCode::FAILURE;
                }
            },
            Err(error) => {
                eprintln!("error: {error}");
                outcome = ExitCode::FAILURE;
            }
        }
    }
    outcome
}
