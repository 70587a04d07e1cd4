//! What was expected and what came, side by side.

use std::fmt::Write;

use similar::{ChangeTag, TextDiff};

use crate::commands::run::report::hex;
use crate::commands::single::shown;

/// The most lines of a text that is compared line by line. What is larger is compared by its bytes.
const MOST_LINES: usize = 2_000;
/// The most bytes of it.
const MOST_BYTES: usize = 256 << 10;
/// The most lines of a difference that are kept.
const MOST_KEPT: usize = 200;
/// The most characters of a line that are kept.
const MOST_CHARACTERS: usize = 500;
/// How many lines around a difference are shown.
const CONTEXT: usize = 3;

/// Something that is not as expected.
#[derive(Debug)]
pub(super) struct Difference {
    /// The line of the expectation in the file of the case.
    pub(super) line: usize,
    /// What it is about, in one line. Control characters are escaped.
    pub(super) message: String,
    /// A difference line by line, where that helps.
    pub(super) lines: Vec<DiffLine>,
}

/// A line of a difference. Control characters are escaped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DiffLine {
    pub(super) side: Side,
    pub(super) text: String,
}

/// Whose line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Of both.
    Both,
    /// What was expected and did not come.
    Expected,
    /// What came and was not expected.
    Came,
    /// No line of either, but where the next ones stand.
    Place,
}

impl Side {
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Both => " ",
            Self::Expected => "-",
            Self::Came => "+",
            Self::Place => "",
        }
    }
}

impl Difference {
    pub(super) fn new(line: usize, message: impl AsRef<str>) -> Self {
        Self {
            line,
            message: bounded(message.as_ref()),
            lines: Vec::new(),
        }
    }

    /// Two lists of lines, whole: they are short.
    pub(super) fn of_lists(line: usize, what: &str, expected: &[String], came: &[String]) -> Option<Self> {
        if expected == came {
            return None;
        }
        let old: Vec<&str> = expected.iter().map(String::as_str).collect();
        let new: Vec<&str> = came.iter().map(String::as_str).collect();
        let mut difference = Self::new(line, format!("`{what}` is not as expected"));
        if old.len().max(new.len()) > MOST_LINES {
            difference.message += &format!(": {} lines, and {} came", old.len(), new.len());
            return Some(difference);
        }
        let diff = TextDiff::from_slices(&old, &new);
        difference.lines = diff
            .iter_all_changes()
            .map(|change| kept(side(change.tag()), change.value()))
            .collect();
        difference.shorten();
        Some(difference)
    }

    /// Two texts, as a unified difference; two that are no texts, by their bytes.
    pub(super) fn of_bytes(line: usize, what: &str, expected: &[u8], came: &[u8]) -> Option<Self> {
        if expected == came {
            return None;
        }
        let texts = std::str::from_utf8(expected)
            .ok()
            .zip(std::str::from_utf8(came).ok());
        let small = |text: &str| text.len() <= MOST_BYTES && text.lines().count() <= MOST_LINES;
        match texts {
            Some((old, new)) if small(old) && small(new) => Some(Self::of_texts(line, what, old, new)),
            _ => Some(Self::by_bytes(line, what, expected, came)),
        }
    }

    fn of_texts(line: usize, what: &str, expected: &str, came: &str) -> Self {
        let mut difference = Self::new(line, format!("`{what}` is not as expected"));
        let diff = TextDiff::from_lines(expected, came);
        let several = expected.lines().count().max(came.lines().count()) > 1;
        for group in diff.grouped_ops(CONTEXT) {
            if several {
                let (Some(first), Some(last)) = (group.first(), group.last()) else {
                    continue;
                };
                let (old, new) = (
                    first.old_range().start..last.old_range().end,
                    first.new_range().start..last.new_range().end,
                );
                difference.lines.push(kept(
                    Side::Place,
                    &format!("@@ -{} +{} @@", range(&old), range(&new)),
                ));
            }
            for operation in &group {
                for change in diff.iter_changes(operation) {
                    let value = change.value();
                    let text = value.strip_suffix('\n').unwrap_or(value);
                    difference.lines.push(kept(side(change.tag()), text));
                    if change.missing_newline() && ends_otherwise(expected, came) {
                        difference.lines.push(kept(Side::Place, "\\ no line end here"));
                    }
                }
            }
        }
        difference.shorten();
        difference
    }

    fn by_bytes(line: usize, what: &str, expected: &[u8], came: &[u8]) -> Self {
        let same = expected
            .iter()
            .zip(came)
            .take_while(|(left, right)| left == right);
        let at = same.count();
        let around = |bytes: &[u8]| hex(&bytes[at.saturating_sub(8)..(at + 24).min(bytes.len())]);
        let message = format!(
            "`{what}` is not as expected: {} bytes, and {} came; the first that differs is byte {at}",
            expected.len(),
            came.len()
        );
        Self {
            lines: vec![
                kept(Side::Expected, &around(expected)),
                kept(Side::Came, &around(came)),
            ],
            ..Self::new(line, message)
        }
    }

    fn shorten(&mut self) {
        let more = self.lines.len().saturating_sub(MOST_KEPT);
        if more > 0 {
            self.lines.truncate(MOST_KEPT);
            self.lines
                .push(kept(Side::Place, &format!("… {more} lines more")));
        }
    }

    /// The difference as lines of plain text, each with so many spaces before it.
    pub(super) fn write_lines(&self, out: &mut String, indent: usize) {
        if !self.lines.is_empty() {
            let _ = writeln!(out, "{:indent$}--- expected\n{:indent$}+++ came", "", "");
        }
        for DiffLine { side, text } in &self.lines {
            let _ = writeln!(out, "{:indent$}{}{text}", "", side.mark());
        }
    }
}

/// Whether one text ends with a line end and the other does not.
fn ends_otherwise(expected: &str, came: &str) -> bool {
    expected.ends_with('\n') != came.ends_with('\n')
}

fn side(tag: ChangeTag) -> Side {
    match tag {
        ChangeTag::Equal => Side::Both,
        ChangeTag::Delete => Side::Expected,
        ChangeTag::Insert => Side::Came,
    }
}

/// Lines as unified differences name them: the first one, and how many.
fn range(lines: &std::ops::Range<usize>) -> String {
    let first = lines.start + usize::from(!lines.is_empty());
    format!("{first},{}", lines.len())
}

fn kept(side: Side, text: &str) -> DiffLine {
    DiffLine {
        side,
        text: bounded(text),
    }
}

/// At most so much of a text that it can be read, with control characters escaped.
fn bounded(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", shown(&text[..end])),
        None => shown(text),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(difference: Option<Difference>, expected: &Expect) {
        let mut text = String::new();
        if let Some(difference) = difference {
            text = format!("{}\n", difference.message);
            difference.write_lines(&mut text, 2);
        }
        expected.assert_eq(&text);
    }

    fn lines(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn lists() {
        check(
            Difference::of_lists(1, "x", &lines("a b c"), &lines("a b c")),
            &expect![[""]],
        );
        check(
            Difference::of_lists(1, "x", &lines("a b c"), &lines("a c d")),
            &expect![[r#"
                `x` is not as expected
                  --- expected
                  +++ came
                   a
                  -b
                   c
                  +d
            "#]],
        );
        check(
            Difference::of_lists(1, "x", &[], &["\u{1b}[31m\n".to_owned()]),
            &expect![[r#"
                `x` is not as expected
                  --- expected
                  +++ came
                  +\u{1b}[31m\n
            "#]],
        );
    }

    #[test]
    fn texts() {
        let of = |expected: &str, came: &str| {
            Difference::of_bytes(1, "body", expected.as_bytes(), came.as_bytes())
        };
        check(of("same", "same"), &expect![[""]]);
        check(
            of("one", "two"),
            &expect![[r#"
            `body` is not as expected
              --- expected
              +++ came
              -one
              +two
        "#]],
        );
        check(
            of("", "new\n"),
            &expect![[r#"
            `body` is not as expected
              --- expected
              +++ came
              +new
        "#]],
        );
        check(
            of("line\n", "line"),
            &expect![[r#"
            `body` is not as expected
              --- expected
              +++ came
              -line
              +line
              \ no line end here
        "#]],
        );
        let long: String = (0..30).map(|line| format!("{line}\n")).collect();
        check(
            of(&long, &long.replace("\n10\n", "\nten\n").replace("\n25\n", "\n")),
            &expect![[r#"
                `body` is not as expected
                  --- expected
                  +++ came
                  @@ -8,7 +8,7 @@
                   7
                   8
                   9
                  -10
                  +ten
                   11
                   12
                   13
                  @@ -23,7 +23,6 @@
                   22
                   23
                   24
                  -25
                   26
                   27
                   28
            "#]],
        );
        check(
            of("a\r\nb\n", "a\nb\n"),
            &expect![[r#"
            `body` is not as expected
              --- expected
              +++ came
              @@ -1,2 +1,2 @@
              -a\r
              +a
               b
        "#]],
        );
    }

    #[test]
    fn bytes_that_are_no_text_and_texts_that_are_too_long() {
        check(
            Difference::of_bytes(1, "body", b"\x00\x01\xff", b"\x00\x02\xff\x03"),
            &expect![[r#"
                `body` is not as expected: 3 bytes, and 4 came; the first that differs is byte 1
                  --- expected
                  +++ came
                  -0001ff
                  +0002ff03
            "#]],
        );
        let (long, other) = ("a".repeat(MOST_BYTES + 1), "a".repeat(MOST_BYTES + 2));
        check(
            Difference::of_bytes(1, "body", long.as_bytes(), other.as_bytes()),
            &expect![[r#"
                `body` is not as expected: 262145 bytes, and 262146 came; the first that differs is byte 262145
                  --- expected
                  +++ came
                  -6161616161616161
                  +616161616161616161
            "#]],
        );
        let many = "a\n".repeat(MOST_LINES + 1);
        let difference = Difference::of_bytes(1, "body", many.as_bytes(), b"").unwrap();
        assert_eq!(difference.lines.len(), 2, "{difference:?}");
    }

    #[test]
    fn a_difference_is_bounded() {
        let many: String = (0..MOST_LINES).map(|line| format!("{line}\n")).collect();
        let difference = Difference::of_bytes(1, "body", many.as_bytes(), b"x\n").unwrap();
        assert_eq!(difference.lines.len(), MOST_KEPT + 1);
        let long = "é".repeat(MOST_CHARACTERS + 1);
        let difference = Difference::of_bytes(1, "body", long.as_bytes(), b"x").unwrap();
        let first = difference.lines.first().map(|line| line.text.chars().count());
        assert_eq!(first, Some(MOST_CHARACTERS + 1));
    }
}
