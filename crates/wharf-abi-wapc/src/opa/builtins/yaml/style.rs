//! In which of YAML's notations a string is written.

use super::scalar::is_plain;

/// A notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// What a string has in it that some notations cannot have.
#[derive(Default)]
struct Traits {
    indicators: bool,
    line_breaks: bool,
    special: bool,
    leading: bool,
    trailing_space: bool,
    trailing_break: bool,
    break_space: bool,
    space_break: bool,
}

/// What the string `text` is written as; a key on one line with its value has no line ends.
pub(super) fn of(text: &str, simple_key: bool) -> Style {
    let wanted = if text.contains('\n') {
        Style::Literal
    } else if is_plain(text) {
        Style::Plain
    } else {
        Style::Double
    };
    if text.is_empty() {
        return Style::Double;
    }
    let traits = traits(text);
    let plain = !(traits.leading
        || traits.trailing_space
        || traits.trailing_break
        || traits.break_space
        || traits.space_break
        || traits.special
        || traits.line_breaks
        || traits.indicators);
    let single = !(traits.break_space || traits.space_break || traits.special);
    let literal = !(traits.trailing_space || traits.space_break || traits.special || simple_key);
    match wanted {
        Style::Plain if plain => Style::Plain,
        Style::Plain if single && !(simple_key && traits.line_breaks) => Style::Single,
        Style::Literal if literal => Style::Literal,
        _ => Style::Double,
    }
}

/// Whether a string has more than one line.
pub(super) fn has_lines(text: &str) -> bool {
    text.chars().any(is_break)
}

fn traits(text: &str) -> Traits {
    let mut traits = Traits {
        indicators: text.starts_with("---") || text.starts_with("..."),
        ..Traits::default()
    };
    let (mut after_blank, mut after_space, mut after_break) = (true, false, false);
    let mut rest = text.chars();
    let mut first = true;
    while let Some(c) = rest.next() {
        let next = rest.as_str().chars().next();
        let before_blank = next.is_none_or(|next| matches!(next, ' ' | '\t'));
        traits.indicators |= match c {
            '#' if first || after_blank => true,
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => first,
            '?' | '-' => first && before_blank,
            ':' => before_blank,
            _ => false,
        };
        traits.special |= !is_printable(c);
        let last = next.is_none();
        if c == ' ' {
            traits.leading |= first;
            traits.trailing_space |= last;
            traits.break_space |= after_break;
        } else if is_break(c) {
            traits.line_breaks = true;
            traits.leading |= first;
            traits.trailing_break |= last;
            traits.space_break |= after_space;
        }
        (after_space, after_break) = (c == ' ', is_break(c));
        after_blank = matches!(c, ' ' | '\t' | '\0') || is_break(c);
        first = false;
    }
    traits
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a character may stand in YAML as it is, for a writer that knows nothing beyond the first plane of Unicode.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}
