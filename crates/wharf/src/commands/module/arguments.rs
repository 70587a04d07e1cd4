//! The flags of `wharf run` that are about Trivy's modules.

use std::path::PathBuf;

use clap::Args;

use crate::commands::policy::arguments::OF_FILTERS;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Modules of Trivy")]
pub(crate) struct ModuleFlags {
    /// Let the module, as one of Trivy's, look at this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = OF_FILTERS, conflicts_with_all = ["review", "operation"])]
    pub(super) file: Option<PathBuf>,
    /// The path that the file has in the target, as the module sees it; by default as it is named.
    #[arg(long, value_name = "PATH", requires = "file")]
    pub(super) path: Option<String>,
    /// Let the module look at these results: a report as `trivy --format json` writes it, or the list of its results.
    #[arg(long, value_name = "FILE", conflicts_with_all = OF_FILTERS, conflicts_with_all = ["review", "operation"])]
    pub(super) post_scan: Option<PathBuf>,
}
