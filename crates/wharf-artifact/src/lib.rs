//! What is scanned: directories and the layers of container images, read file by file within bounds.
//!
//! Nothing here trusts what it reads: a target may be made by somebody who wants the scan to hang, to need all memory, to read files
//! outside of the target, or to see another file than the one that was checked. So links are not followed, everything that is
//! counted has a limit, and what cannot be read is told while the rest is read.
//!
//! [`walk`] reads directories. It has no threads and prints nothing; the files that it finds may be read from other threads.

mod directory;
mod patterns;
mod problem;
mod visit;

pub use directory::{Contents, FoundFile, Stamp, WalkError, WalkOptions, WalkSummary, walk};
pub use patterns::{GlobFault, PatternError, Patterns, SKIPPED_DIRECTORIES};
pub use problem::{Problem, ProblemKind};
pub use visit::{Flow, Visitor};
