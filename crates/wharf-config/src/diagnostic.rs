//! What is wrong with a configuration, for people and for programs.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use crate::source::Source;

/// One thing that is wrong, or doubtful, in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Whether the configuration can be used in spite of it.
    pub severity: Severity,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// The file as it was named by whoever loaded it.
    pub file: PathBuf,
    /// Where it is wrong; none where the file as a whole is meant, for instance because it cannot be read.
    #[serde(flatten)]
    pub location: Option<Location>,
    /// Another place that belongs to it, such as the first of two equal keys.
    pub related: Option<Box<Related>>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used, but probably does not say what was meant.
    Warning,
}

/// A place in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The line itself.
    pub excerpt: Excerpt,
}

/// A line of the file, cut to a window around the place where it is long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Excerpt {
    /// The text of the line, or of the window.
    pub text: String,
    /// The bytes of `text` that are meant.
    pub highlight: Range<usize>,
}

/// A second place that explains the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Related {
    /// What is there.
    pub message: String,
    /// Where it is.
    #[serde(flatten)]
    pub location: Location,
}

impl Diagnostic {
    /// The diagnostic for a terminal: message, place, excerpt with a mark below it, hint. Without `colour` it is plain
    /// text. Control characters from the file never reach the terminal as such.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let file = printable(&self.file.to_string_lossy());
        let mut report = Group::with_title(level.primary_title(&self.message));
        for element in self.excerpts(&file) {
            report = report.element(element);
        }
        if let Some(hint) = &self.hint {
            report = report.element(Level::HELP.with_name("hint").message(hint));
        }
        renderer.render(&[report])
    }

    /// The file's name and what is to be seen of it.
    fn excerpts<'a>(&'a self, file: &'a str) -> Vec<Element<'a>> {
        let Some(location) = &self.location else {
            return vec![Origin::path(file).into()];
        };
        let primary = location.mark(AnnotationKind::Primary, None);
        match &self.related {
            None => location.snippet(file, vec![primary]),
            Some(related)
                if related.location.excerpt.text == location.excerpt.text
                    && related.location.line == location.line =>
            {
                let context = related
                    .location
                    .mark(AnnotationKind::Context, Some(&related.message));
                location.snippet(file, vec![primary, context])
            }
            Some(related) => {
                let context = related
                    .location
                    .mark(AnnotationKind::Context, Some(&related.message));
                let mut elements = location.snippet(file, vec![primary]);
                elements.extend(related.location.snippet(file, vec![context]));
                elements
            }
        }
    }
}

impl Location {
    fn mark<'a>(&self, kind: AnnotationKind, label: Option<&'a str>) -> Annotation<'a> {
        kind.span(self.excerpt.highlight.clone()).label(label)
    }

    /// The line with marks. Where the line was cut, the column in the heading is given for itself, because it cannot be
    /// counted in what is shown.
    fn snippet<'a>(&'a self, file: &'a str, marks: Vec<Annotation<'a>>) -> Vec<Element<'a>> {
        let Excerpt { text, highlight } = &self.excerpt;
        let snippet = Snippet::source(text).line_start(self.line).annotations(marks);
        if text[..highlight.start].chars().count() + 1 == self.column {
            return vec![snippet.path(file).into()];
        }
        vec![
            Origin::path(file).line(self.line).char_column(self.column).into(),
            snippet.into(),
        ]
    }
}

/// The same as [`Diagnostic::render`] without colour.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Why a configuration cannot be used: all that was found in one go, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigErrors {
    /// What is wrong; never empty.
    pub errors: Vec<Diagnostic>,
    /// What is doubtful besides.
    pub warnings: Vec<Diagnostic>,
    /// How many more errors there are, which are not kept.
    pub omitted: usize,
}

impl ConfigErrors {
    /// All of it for a terminal, warnings first, so that the errors are what is seen last.
    pub fn render(&self, colour: bool) -> String {
        let all = self.warnings.iter().chain(&self.errors);
        let mut text = all
            .map(|diagnostic| diagnostic.render(colour))
            .collect::<Vec<_>>()
            .join("\n\n");
        if self.omitted > 0 {
            text.push_str(&format!("\n\nand {} more errors", self.omitted));
        }
        text
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigErrors {}

/// What was found so far.
pub(crate) struct Diagnostics {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    omitted: usize,
    /// As many of a kind are kept; the rest is counted.
    kept: usize,
}

/// Nobody reads more than this of a kind, and a hostile file may have a hundred thousand.
pub(crate) const KEPT: usize = 50;

impl Diagnostics {
    pub(crate) const fn new() -> Self {
        Self::keeping(KEPT)
    }

    pub(crate) const fn keeping(kept: usize) -> Self {
        Self {
            errors: Vec::new(),
            warnings: Vec::new(),
            omitted: 0,
            kept,
        }
    }

    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        let list = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if list.len() < self.kept {
            list.push(diagnostic);
        } else if diagnostic.severity == Severity::Error {
            self.omitted += 1;
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Whether further errors are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.errors.len() >= self.kept
    }

    /// Whether further warnings are lost.
    pub(crate) fn is_full_of_warnings(&self) -> bool {
        self.warnings.len() >= self.kept
    }

    /// Counts an error of which nothing else is kept.
    pub(crate) fn omit(&mut self) {
        self.omitted += 1;
    }

    /// Adds what somebody else found.
    pub(crate) fn append(&mut self, other: ConfigErrors) {
        for diagnostic in other.errors.into_iter().chain(other.warnings) {
            self.add(diagnostic);
        }
        self.omitted += other.omitted;
    }

    /// The warnings, or the errors if there are any, each file's in the order of the file.
    pub(crate) fn finish(self) -> Result<Vec<Diagnostic>, ConfigErrors> {
        let Self {
            mut errors,
            mut warnings,
            omitted,
            ..
        } = self;
        sort(&mut errors);
        sort(&mut warnings);
        if errors.is_empty() {
            Ok(warnings)
        } else {
            Err(ConfigErrors {
                errors,
                warnings,
                omitted,
            })
        }
    }
}

/// Sorts by place; files keep the order in which they were first complained of.
fn sort(diagnostics: &mut [Diagnostic]) {
    let mut files: Vec<PathBuf> = Vec::new();
    for diagnostic in &*diagnostics {
        if !files.contains(&diagnostic.file) {
            files.push(diagnostic.file.clone());
        }
    }
    diagnostics.sort_by_key(|diagnostic| {
        let file = files.iter().position(|file| *file == diagnostic.file);
        let place = diagnostic.location.as_ref();
        (file, place.map(|place| (place.line, place.column)))
    });
}

/// A diagnostic in the making.
#[derive(Debug, Clone)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    pub(crate) span: Range<usize>,
    pub(crate) related: Option<(String, Range<usize>)>,
    pub(crate) hint: Option<String>,
}

impl Complaint {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span,
            related: None,
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn related(mut self, span: Range<usize>, message: impl Into<String>) -> Self {
        self.related = Some((message.into(), span));
        self
    }

    pub(crate) fn at(self, source: &Source<'_>, severity: Severity) -> Diagnostic {
        let related = self.related.map(|(message, span)| {
            Box::new(Related {
                message: printable(&message),
                location: source.location(&span),
            })
        });
        Diagnostic {
            severity,
            message: printable(&self.message),
            file: source.name.to_owned(),
            location: Some(source.location(&self.span)),
            related,
            hint: self.hint.as_deref().map(printable),
        }
    }
}

/// An error about a file as a whole.
pub(crate) fn about_file(file: &Path, message: impl Into<String>, hint: &str) -> ConfigErrors {
    let diagnostic = Diagnostic {
        severity: Severity::Error,
        message: printable(&message.into()),
        file: file.to_owned(),
        location: None,
        related: None,
        hint: Some(hint.to_owned()),
    };
    ConfigErrors {
        errors: vec![diagnostic],
        warnings: Vec::new(),
        omitted: 0,
    }
}

/// Text from the file as it may stand in a message: between backticks and at most 60 characters long.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text))
}

/// At most 60 characters of a text, with `…` where something was left out.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// The text with everything escaped that could confuse a terminal or a reader: control characters and marks that
/// change the direction of writing.
pub(crate) fn printable(text: &str) -> String {
    let confusing = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        if confusing(character) {
            clean.extend(character.escape_default());
        } else {
            clean.push(character);
        }
    }
    clean
}
