//! Who is told of what is found.

use crate::{FoundFile, Problem};

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what stops must stop"]
pub enum Flow {
    /// Go on.
    Continue,
    /// Read nothing more; what was asked for ends soon, without an error.
    Stop,
}

/// Who is told of the files of a directory, on the thread that called [`walk`](crate::walk).
pub trait Visitor {
    /// Whether a file is wanted, asked before anything but its name is known. The path is relative to the root, with `/`;
    /// bytes of it that are not UTF-8 stand as U+FFFD.
    ///
    /// The default wants every file.
    fn wants(&mut self, path: &str) -> bool {
        let _ = path;
        true
    }

    /// A directory is about to be read; the root's path is empty. For progress, and to stop where no file is wanted.
    fn directory(&mut self, path: &str) -> Flow {
        let _ = path;
        Flow::Continue
    }

    /// A regular file that is wanted and not skipped. It has not been opened.
    fn file(&mut self, file: FoundFile) -> Flow;

    /// Something that could not be read; the rest is.
    fn problem(&mut self, problem: Problem) -> Flow;
}
