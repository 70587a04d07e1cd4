//! The text of a configuration file, and places in it.

use std::ops::Range;
use std::path::Path;

use crate::diagnostic::{Excerpt, Location};

/// The text with its name and the beginnings of its lines, so that a place is found in logarithmic time.
pub(crate) struct Source<'a> {
    pub(crate) name: &'a Path,
    pub(crate) text: &'a str,
    line_starts: Vec<usize>,
}

/// The characters of a line that an excerpt shows at most, and how many of them stand before the place.
const EXCERPT_CHARACTERS: usize = 120;
const EXCERPT_BEFORE: usize = 60;

impl<'a> Source<'a> {
    pub(crate) fn new(name: &'a Path, text: &'a str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            name,
            text,
            line_starts,
        }
    }

    /// The line in which a range of bytes begins, from 1.
    pub(crate) fn line(&self, span: &Range<usize>) -> usize {
        self.line_starts
            .partition_point(|line_start| *line_start <= span.start)
    }

    /// Where a range of bytes begins, with the part of its first line that is worth showing.
    ///
    /// A range that does not lie in the text, or not between characters, is moved to the next place that does.
    pub(crate) fn location(&self, span: &Range<usize>) -> Location {
        let start = self.text.floor_char_boundary(span.start.min(self.text.len()));
        let line = self
            .line_starts
            .partition_point(|line_start| *line_start <= start);
        let line_start = self.line_starts[line - 1];
        let line_text = self.text[line_start..].lines().next().unwrap_or_default();
        let in_line = (start - line_start).min(line_text.len());
        let end = self
            .text
            .ceil_char_boundary(span.end.clamp(start, self.text.len()));
        let highlight = in_line..(end - line_start).clamp(in_line, line_text.len());
        Location {
            line,
            column: line_text[..in_line].chars().count() + 1,
            excerpt: shorten(&without_c1_controls(line_text), &highlight),
        }
    }
}

/// The line with a `·` for each of U+0080 to U+009F, some of which command a terminal; it has as many bytes as they have.
/// The renderer sees to the control characters of ASCII, and to no others.
fn without_c1_controls(line: &str) -> String {
    line.replace(|c| matches!(c, '\u{80}'..='\u{9f}'), "·")
}

/// A window of the line around the highlighted part, with `…` where something was left out.
fn shorten(line: &str, highlight: &Range<usize>) -> Excerpt {
    if line.char_indices().nth(EXCERPT_CHARACTERS).is_none() {
        return Excerpt {
            text: line.to_owned(),
            highlight: highlight.clone(),
        };
    }
    let before = line[..highlight.start]
        .char_indices()
        .rev()
        .nth(EXCERPT_BEFORE - 1);
    let from = before.map_or(0, |(at, _)| at);
    let to = line[from..]
        .char_indices()
        .nth(EXCERPT_CHARACTERS)
        .map_or(line.len(), |(at, _)| from + at);
    let head = if from > 0 { "…" } else { "" };
    let tail = if to < line.len() { "…" } else { "" };
    let start = highlight.start - from + head.len();
    let end = highlight.end.min(to) - from + head.len();
    Excerpt {
        text: format!("{head}{}{tail}", &line[from..to]),
        highlight: start..end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, span: Range<usize>) -> (usize, usize, String) {
        let location = Source::new(Path::new("x"), text).location(&span);
        let highlighted = location.excerpt.text[location.excerpt.highlight.clone()].to_owned();
        (location.line, location.column, highlighted)
    }

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        assert_eq!(place("a: b\nc: d\n", 0..1), (1, 1, "a".into()));
        assert_eq!(place("a: b\nc: d\n", 8..9), (2, 4, "d".into()));
        assert_eq!(place("ü: é\r\nc", 4..6), (1, 4, "é".into()));
        assert_eq!(place("a\nb", 3..3), (2, 2, String::new()));
        assert_eq!(place("", 0..0), (1, 1, String::new()));
        assert_eq!(place("a\n", 2..9), (2, 1, String::new()));
    }

    #[test]
    fn a_range_over_lines_is_shown_to_the_end_of_the_first() {
        assert_eq!(place("a: |\n  b\n", 3..9), (1, 4, "|".into()));
    }

    #[test]
    fn a_range_that_splits_a_character_is_widened() {
        assert_eq!(place("é", 1..1), (1, 1, "é".into()));
        assert_eq!(place("é", 70..90), (1, 2, String::new()));
    }

    #[test]
    fn nothing_in_an_excerpt_commands_a_terminal() {
        assert_eq!(place("a\u{9b}31m b\u{85}", 1..8), (1, 2, "·31m b".into()));
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!("{}X{}", "é".repeat(500), "ü".repeat(500));
        let source = Source::new(Path::new("x"), &text);
        let location = source.location(&(1000..1001));
        assert_eq!(location.column, 501);
        let Excerpt { text, highlight } = location.excerpt;
        assert_eq!(&text[highlight], "X");
        assert_eq!(text.chars().count(), EXCERPT_CHARACTERS + 2);
    }
}
