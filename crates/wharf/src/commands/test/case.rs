//! What all kinds of cases have in common.

use std::path::PathBuf;

use super::difference::Difference;
use crate::commands::single::shown;
use crate::exit::Code;

/// A case of any kind. Cases run side by side, each of them once.
pub(super) trait Case: Send + Sync {
    /// Which case it is.
    fn place(&self) -> &Place;

    /// Runs it to its end, however hostile what is tested may be.
    fn run(&self) -> Outcome;
}

/// Where a case stands, and its name.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The file, as it was found.
    pub(super) file: PathBuf,
    /// The line where it begins.
    pub(super) line: usize,
    /// As its author wrote it: it may have any characters in it.
    pub(super) name: String,
}

/// What became of a case.
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// What happened, for whoever looks at it later. Control characters are escaped.
    pub(super) report: String,
    /// A file that was written because it was out of date.
    pub(super) updated: Option<PathBuf>,
}

/// Whether it is as expected.
pub(super) enum Verdict {
    Passed,
    /// Never empty.
    Failed(Vec<Failure>),
    Broken(Broken),
}

/// Why nothing can be said of a case: it could not be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// What happened, with its reasons. Control characters are escaped, but for line ends.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: String,
    /// What the process says of it.
    pub(super) code: Code,
}

/// A part of a case that is not as expected.
pub(super) struct Failure {
    /// Which part, such as `request 1: GET /`. Control characters are escaped.
    pub(super) part: String,
    /// Never empty.
    pub(super) differences: Vec<Difference>,
    /// What happened in it beside, in lines that are indented; may be empty. Control characters are escaped.
    pub(super) notes: String,
}

impl Outcome {
    /// A case that could not be run.
    pub(super) fn broken(broken: Broken) -> Self {
        Self {
            verdict: Verdict::Broken(broken),
            report: String::new(),
            updated: None,
        }
    }
}

/// The most lines of what happened beside a difference.
const MOST_NOTES: usize = 60;
/// The most characters of such a line.
const MOST_CHARACTERS: usize = 500;

impl Failure {
    /// A part that has these differences, in the order of their lines; none where it has none.
    pub(super) fn of(part: &str, mut differences: Vec<Difference>, notes: &str) -> Option<Self> {
        if differences.is_empty() {
            return None;
        }
        differences.sort_by_key(|difference| difference.line);
        Some(Self {
            part: shown(part),
            differences,
            notes: shorten(notes),
        })
    }
}

fn shorten(notes: &str) -> String {
    let mut text = String::new();
    for line in notes.lines().take(MOST_NOTES) {
        match line.char_indices().nth(MOST_CHARACTERS) {
            Some((end, _)) => text.push_str(&format!("{}…\n", &line[..end])),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    let more = notes.lines().count().saturating_sub(MOST_NOTES);
    if more > 0 {
        text.push_str(&format!("    … {more} lines more\n"));
    }
    text
}

/// A text of several lines for a terminal.
pub(super) fn lines_shown(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(shown).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_bounded() {
        assert_eq!(shorten("a\nb\n"), "a\nb\n");
        let text = shorten(&"line\n".repeat(MOST_NOTES + 5));
        assert_eq!(text.lines().count(), MOST_NOTES + 1);
        assert!(text.ends_with("    … 5 lines more\n"), "{text}");
        let text = shorten(&"é".repeat(MOST_CHARACTERS + 1));
        assert_eq!(text.trim_end().chars().count(), MOST_CHARACTERS + 1);
    }
}
