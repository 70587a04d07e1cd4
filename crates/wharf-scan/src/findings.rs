//! What modules found in a directory or in one layer, before it is put together.

use wharf_abi_trivy::AnalysisResult;
use wharf_report::Layer;

/// What modules found in one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileFindings {
    /// The file, relative to the target, without a slash at its beginning.
    pub(crate) path: String,
    /// What each module found that found something: its place, and what.
    pub(crate) found: Vec<(usize, AnalysisResult)>,
}

/// What was found in a directory, or in one layer of an image.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    /// The layer; empty for a directory.
    pub(crate) layer: Layer,
    /// Paths of lower layers that are gone with this one, and all that is below them.
    pub(crate) whiteouts: Vec<String>,
    /// Directories of lower layers that are empty with this one; an empty text is the root.
    pub(crate) opaque_directories: Vec<String>,
    /// The files that a module looked at, by path; also those without a finding where that may take one of a lower layer away.
    pub(crate) files: Vec<FileFindings>,
}
