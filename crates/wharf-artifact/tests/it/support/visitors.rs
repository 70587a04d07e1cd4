//! Visitors that remember what they were told.

use wharf_artifact::{Flow, FoundFile, LayerFile, LayerVisitor, Problem, Visitor};

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

/// Remembers everything of a layer.
#[derive(Default)]
pub(crate) struct SeenLayer {
    pub(crate) files: Vec<LayerFile>,
    pub(crate) problems: Vec<Problem>,
    /// Only paths that end so are wanted; all where it is empty.
    pub(crate) wanted: &'static str,
    /// Stop when so much was unpacked.
    pub(crate) stop_at: Option<u64>,
}

impl SeenLayer {
    /// Each file as `path=content`.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |file: &LayerFile| format!("{}={}", file.path, String::from_utf8_lossy(&file.bytes));
        self.files.iter().map(text).collect()
    }
}

impl LayerVisitor for SeenLayer {
    fn wants(&mut self, path: &str) -> bool {
        path.ends_with(self.wanted)
    }

    fn progress(&mut self, unpacked: u64) -> Flow {
        if self.stop_at.is_some_and(|stop| unpacked >= stop) {
            Flow::Stop
        } else {
            Flow::Continue
        }
    }

    fn file(&mut self, file: LayerFile) -> Flow {
        self.files.push(file);
        Flow::Continue
    }

    fn problem(&mut self, problem: Problem) -> Flow {
        self.problems.push(problem);
        Flow::Continue
    }
}
