//! From the tree of nodes to values: what all sections have in common.

mod fields;
mod flaws;
mod item;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Complaint, ConfigErrors, Diagnostics, Severity, quoted};
use crate::nearest::nearest;
use crate::source::Source;

pub(crate) use fields::Fields;
pub(crate) use flaws::Flaws;
pub(crate) use item::Item;

/// Says whether a file can be read, and in words why not.
pub(crate) type FileCheck<'a> = &'a dyn Fn(&Path) -> Result<(), String>;

/// What is known while a file is decoded.
pub(crate) struct Context<'a> {
    source: &'a Source<'a>,
    diagnostics: &'a mut Diagnostics,
    /// Relative paths are relative to this.
    directory: PathBuf,
    /// None where nothing outside the text may be looked at.
    file_check: Option<FileCheck<'a>>,
    /// What was wrong with the text and is not reported yet.
    pub(crate) flaws: Flaws,
    /// The names that the file defines, known before anything refers to them.
    pub(crate) plugins: Names,
    pub(crate) upstreams: Names,
}

/// Names that the file defines, and which of them it uses.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) defined: BTreeSet<String>,
    used: BTreeSet<String>,
    unknown: usize,
}

/// So many unknown names get a suggestion: finding one costs time for each name that is defined.
const SUGGESTIONS: usize = 50;

impl<'a> Context<'a> {
    pub(crate) fn new(
        source: &'a Source<'a>,
        diagnostics: &'a mut Diagnostics,
        file_check: Option<FileCheck<'a>>,
    ) -> Self {
        let directory = source.name.parent().unwrap_or(Path::new("")).to_owned();
        Self {
            source,
            diagnostics,
            directory,
            file_check,
            flaws: Flaws::default(),
            plugins: Names::default(),
            upstreams: Names::default(),
        }
    }

    pub(crate) fn error(&mut self, complaint: Complaint) {
        self.error_with(|| complaint);
    }

    /// The same for complaints that cost something to make, and of which there may be many.
    pub(crate) fn error_with(&mut self, complaint: impl FnOnce() -> Complaint) {
        if self.diagnostics.is_full() {
            self.diagnostics.omit();
        } else {
            self.diagnostics.add(complaint().at(self.source, Severity::Error));
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.has_errors()
    }

    pub(crate) fn warn(&mut self, complaint: Complaint) {
        self.warn_with(|| complaint);
    }

    /// The same for complaints that cost something to make, and of which there may be many.
    pub(crate) fn warn_with(&mut self, complaint: impl FnOnce() -> Complaint) {
        if !self.diagnostics.is_full_of_warnings() {
            self.diagnostics
                .add(complaint().at(self.source, Severity::Warning));
        }
    }

    /// Reports what is wrong with the text and belongs to nothing that may be wrong by itself.
    pub(crate) fn report_flaws(&mut self) {
        let (flaws, omitted) = self.flaws.rest();
        for flaw in flaws {
            self.error(flaw);
        }
        for _ in 0..omitted {
            self.diagnostics.omit();
        }
    }

    /// Decodes something whose errors are not those of the file. They are returned, at most `kept` of them; warnings
    /// are the file's. The result is what was decoded, if there is no error.
    pub(crate) fn apart<T>(
        &mut self,
        kept: usize,
        decode: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Result<Option<T>, ConfigErrors> {
        let outer = std::mem::replace(self.diagnostics, Diagnostics::keeping(kept));
        let decoded = decode(self);
        let inner = std::mem::replace(self.diagnostics, outer);
        match inner.finish() {
            Ok(warnings) => {
                for warning in warnings {
                    self.diagnostics.add(warning);
                }
                Ok(decoded)
            }
            Err(errors) => Err(errors),
        }
    }

    /// Reports what was found wrong elsewhere, such as in a file that this one names.
    pub(crate) fn append(&mut self, errors: ConfigErrors) {
        self.diagnostics.append(errors);
    }

    /// The context of a file that this one names. What is wrong with it is reported together with this one's.
    pub(crate) fn other_file<'b>(&'b mut self, source: &'b Source<'b>) -> Context<'b> {
        Context::new(source, self.diagnostics, self.file_check)
    }

    /// The file, as it was named by whoever loaded it.
    pub(crate) fn file(&self) -> &Path {
        self.source.name
    }

    pub(crate) fn text(&self) -> &'a str {
        self.source.text
    }

    /// The line of a place, from 1.
    pub(crate) fn line(&self, span: &Range<usize>) -> usize {
        self.source.line(span)
    }

    /// Whether files that this one names may be read.
    pub(crate) fn reads_files(&self) -> bool {
        self.file_check.is_some()
    }

    /// A path of the file, made relative to the file's directory.
    pub(crate) fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.directory.join(path)
    }

    pub(crate) fn check_file(&self, path: &Path) -> Result<(), String> {
        self.file_check.map_or(Ok(()), |check| check(path))
    }
}

impl Names {
    /// Notes that a name is used.
    ///
    /// # Errors
    /// When it is not defined. `what` is what it names, such as "plugin".
    pub(crate) fn refer(
        &mut self,
        name: &str,
        what: &str,
        defined_in: &str,
        span: Range<usize>,
    ) -> Result<(), Complaint> {
        if self.defined.contains(name) {
            self.used.insert(name.to_owned());
            return Ok(());
        }
        self.unknown += 1;
        let complaint = Complaint::new(span, format!("no {what} is called {}", quoted(name)));
        Err(complaint.hint(self.suggestion(name, defined_in)))
    }

    fn suggestion(&self, name: &str, defined_in: &str) -> String {
        let defined = || self.defined.iter().map(String::as_str);
        if self.defined.is_empty() || self.unknown > SUGGESTIONS {
            return format!("define it under `{defined_in}`");
        }
        if let Some(close) = nearest(name, defined()) {
            return format!("did you mean `{close}`?");
        }
        let some: Vec<String> = defined().take(12).map(quoted).collect();
        format!(
            "define it under `{defined_in}`, where there is {}",
            some.join(", ")
        )
    }

    pub(crate) fn is_used(&self, name: &str) -> bool {
        self.used.contains(name)
    }
}
