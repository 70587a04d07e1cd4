//! Why a scan gave no report.

use wharf_abi_trivy::CallError;
use wharf_artifact::{ImageError, LayerError, PatternError, WalkError};
use wharf_plugin::ByteSize;

/// Why a scan gave no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// A directory cannot be scanned at all.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// An image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A layer of an image cannot be read, or is not what the image says that it is.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A pattern of what is skipped cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A module failed whose faults end the scan.
    #[error("the module \"{}\" failed{}", .module.escape_debug(), at(.path.as_deref()))]
    ModuleFault {
        /// The module's name.
        module: String,
        /// The file that it looked at; none in a post-scan.
        path: Option<String>,
        /// What happened.
        #[source]
        error: CallError,
    },
    /// Modules gave more than is kept.
    #[error("the modules found more than {most}, the most that is kept; the last one was \"{}\"", .module.escape_debug())]
    TooMuchFound {
        /// The most.
        most: ByteSize,
        /// The module whose findings were too many.
        module: String,
    },
    /// The working directory cannot be had, on which patterns depend.
    #[error("the working directory cannot be told")]
    WorkingDirectory(#[source] std::io::Error),
    /// No thread can be had.
    #[error("no thread can be started for the scan")]
    Thread(#[source] std::io::Error),
    /// Somebody ended it.
    #[error("the scan was interrupted")]
    Interrupted,
}

impl ScanError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Walk(error) => error.hint().to_owned(),
            Self::Image(error) => error.hint().to_owned(),
            Self::Layer(error) => error.hint().to_owned(),
            Self::Pattern(_) => "correct the pattern of --skip-dirs or --skip-files".to_owned(),
            Self::ModuleFault { error, .. } => format!(
                "{}; with `--on-fault warn` the scan goes on without what the module did not find",
                error.hint()
            ),
            Self::TooMuchFound { .. } => {
                "skip the files that have so many findings, or scan parts of the target by themselves"
                    .to_owned()
            }
            Self::WorkingDirectory(_) => "run it in a directory that exists".to_owned(),
            Self::Thread(_) => "let the system give the process more threads".to_owned(),
            Self::Interrupted => {
                "no report was written; what was found in whole layers is kept for the next scan".to_owned()
            }
        }
    }
}

fn at(path: Option<&str>) -> String {
    path.map_or_else(
        || " after the scan".to_owned(),
        |path| format!(" at the file \"{}\"", path.escape_debug()),
    )
}
