//! One glob as regular expressions.

use super::GlobFault;

/// The most bytes of one pattern.
const MOST_LENGTH: usize = 4096;
/// The most patterns that the alternatives of one are written out to.
const MOST_ALTERNATIVES: usize = 1024;

/// The expressions that together match what the glob does: one for each choice of its alternatives.
pub(super) fn expressions(pattern: &str) -> Result<Vec<String>, GlobFault> {
    if pattern.len() > MOST_LENGTH {
        return Err(GlobFault::TooLarge);
    }
    let mut plain = Vec::new();
    // Choices that still have alternatives in them. Each round writes out the first braces of one.
    let mut open = vec![pattern.chars().collect::<Vec<char>>()];
    let mut written = 0_usize;
    while let Some(choice) = open.pop() {
        written += 1;
        if written > MOST_ALTERNATIVES {
            return Err(GlobFault::TooLarge);
        }
        match alternatives(&choice)? {
            None => plain.push(expression(&choice)?),
            Some(choices) if choices.len() > MOST_ALTERNATIVES => return Err(GlobFault::TooLarge),
            Some(choices) => open.extend(choices.into_iter().rev()),
        }
    }
    Ok(plain)
}

/// Writes out the first `{…}` of a glob, or says that there is none.
fn alternatives(pattern: &[char]) -> Result<Option<Vec<Vec<char>>>, GlobFault> {
    let mut in_class = false;
    let mut position = 0;
    let start = loop {
        match pattern.get(position) {
            None => return Ok(None),
            Some('\\') => position += 1,
            Some('[') => in_class = true,
            Some(']') => in_class = false,
            Some('{') if !in_class => break position,
            Some(_) => {}
        }
        position += 1;
    };
    let mut depth = 1_usize;
    let mut pieces = vec![Vec::new()];
    position = start + 1;
    loop {
        let character = *pattern.get(position).ok_or(GlobFault::OpenAlternatives)?;
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if character == ',' && depth == 1 {
            pieces.push(Vec::new());
        } else if let Some(piece) = pieces.last_mut() {
            piece.push(character);
            if character == '\\' {
                position += 1;
                piece.push(*pattern.get(position).ok_or(GlobFault::OpenEscape)?);
            }
        }
        position += 1;
    }
    let before = pattern.get(..start).unwrap_or_default();
    let after = pattern.get(position + 1..).unwrap_or_default();
    Ok(Some(
        pieces
            .into_iter()
            .map(|piece| [before, &piece, after].concat())
            .collect(),
    ))
}

/// A glob without alternatives as a regular expression.
fn expression(pattern: &[char]) -> Result<String, GlobFault> {
    let mut text = String::from(r"(?s)\A");
    let mut rest = pattern;
    let mut at_start_of_name = true;
    while let Some((&character, after)) = rest.split_first() {
        let starts_name = std::mem::replace(&mut at_start_of_name, character == '/');
        rest = after;
        match character {
            '*' if after.first() == Some(&'*') => {
                rest = after.get(1..).unwrap_or_default();
                match rest.first() {
                    None if starts_name => text.push_str(".*"),
                    Some('/') if starts_name => {
                        rest = rest.get(1..).unwrap_or_default();
                        at_start_of_name = true;
                        text.push_str("(?:[^/]*/)*");
                    }
                    _ => text.push_str("[^/]*"),
                }
            }
            '*' => text.push_str("[^/]*"),
            '?' => text.push_str("[^/]"),
            // `a/**` at the end is `a` itself as well.
            '/' if after == ['*', '*'] => {
                text.push_str("(?:/.*)?");
                rest = &[];
            }
            '[' => rest = class(after, &mut text)?,
            '\\' => {
                let (&escaped, after) = after.split_first().ok_or(GlobFault::OpenEscape)?;
                literal(escaped, &mut text);
                rest = after;
            }
            other => literal(other, &mut text),
        }
    }
    text.push_str(r"\z");
    Ok(text)
}

/// A class, from behind its `[`; gives what follows its `]`.
fn class<'a>(pattern: &'a [char], text: &mut String) -> Result<&'a [char], GlobFault> {
    let mut rest = pattern;
    text.push('[');
    if let Some(('!' | '^', after)) = rest.split_first() {
        text.push('^');
        rest = after;
    }
    if rest.first() == Some(&']') {
        return Err(GlobFault::EmptyClass);
    }
    let mut last: Option<char> = None;
    loop {
        let (&character, after) = rest.split_first().ok_or(GlobFault::OpenClass)?;
        match (character, last, after.first()) {
            (']', ..) => {
                text.push(']');
                return Ok(after);
            }
            ('-', Some(low), Some(&next)) if next != ']' => {
                let (high, after) = if next == '\\' {
                    let escaped = after.get(1).copied().ok_or(GlobFault::OpenEscape)?;
                    (escaped, after.get(2..).unwrap_or_default())
                } else {
                    (next, after.get(1..).unwrap_or_default())
                };
                // A range whose ends are the wrong way round holds nothing.
                if low <= high {
                    literal(low, text);
                    text.push('-');
                    literal(high, text);
                }
                last = None;
                rest = after;
            }
            ('\\', ..) => {
                let (&escaped, after) = after.split_first().ok_or(GlobFault::OpenEscape)?;
                literal(escaped, text);
                last = Some(escaped);
                rest = after;
            }
            _ => {
                literal(character, text);
                last = Some(character);
                rest = after;
            }
        }
    }
}

/// A character that stands for itself, also inside of a class.
fn literal(character: char, text: &mut String) {
    if regex_syntax::is_meta_character(character) {
        text.push('\\');
    }
    text.push(character);
}
