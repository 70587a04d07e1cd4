//! Visitors that remember what they were told.

use wharf_artifact::{Flow, FoundFile, Problem, Visitor};

/// Remembers everything.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) files: Vec<FoundFile>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) asked: usize,
    /// Only paths that end so are wanted; all where it is empty.
    pub(crate) wanted: &'static str,
    /// Stop at the file of this number, from 1.
    pub(crate) stop_at: Option<usize>,
}

impl Seen {
    pub(crate) fn paths(&self) -> Vec<&str> {
        self.files.iter().map(FoundFile::path).collect()
    }

    pub(crate) fn problem_texts(&self) -> Vec<String> {
        self.problems.iter().map(ToString::to_string).collect()
    }
}

impl Visitor for Seen {
    fn wants(&mut self, path: &str) -> bool {
        self.asked += 1;
        path.ends_with(self.wanted)
    }

    fn file(&mut self, file: FoundFile) -> Flow {
        self.files.push(file);
        if self.stop_at == Some(self.files.len()) {
            Flow::Stop
        } else {
            Flow::Continue
        }
    }

    fn problem(&mut self, problem: Problem) -> Flow {
        self.problems.push(problem);
        Flow::Continue
    }
}
