//! Texts of strangers, made fit to be shown.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` as it may be shown in one line of a terminal or a log: white space that breaks lines is a space; what moves the
/// cursor, changes colours, turns the direction of writing or cannot be seen is spelled out, such as `\x1b` and `\u202e`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            character if is_plain(character) => shown.push(character),
            '\t' | '\n' | '\r' => shown.push(' '),
            character => _ = spell(&mut shown, character),
        }
    }
    Cow::Owned(shown)
}

fn spell(shown: &mut String, character: char) -> std::fmt::Result {
    match u32::from(character) {
        number @ 0..=0xff => write!(shown, "\\x{number:02x}"),
        number @ 0x100..=0xffff => write!(shown, "\\u{number:04x}"),
        number => write!(shown, "\\U{number:08x}"),
    }
}

fn is_plain(character: char) -> bool {
    !character.is_control() && !is_unseen(character) && !is_no_character(character)
}

/// Whether it has no form of its own: soft hyphens, marks and turns of the direction, joiners, separators of lines, fillers,
/// tags, remarks between lines.
fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether Unicode keeps it from ever being a character.
fn is_no_character(character: char) -> bool {
    u32::from(character) & 0xfffe == 0xfffe || matches!(character, '\u{fdd0}'..='\u{fdef}')
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn nothing_that_moves_or_hides_is_shown() {
        for (text, shown) in [
            ("plain é 漢 👍", "plain é 漢 👍"),
            ("a\tb\r\nc", "a b  c"),
            ("\u{1b}[31mred\u{1b}]8;;x\u{7}", "\\x1b[31mred\\x1b]8;;x\\x07"),
            ("\u{9b}31m\u{7f}", "\\x9b31m\\x7f"),
            ("user\u{202e}txt.exe", "user\\u202etxt.exe"),
            ("a\u{200b}b\u{feff}\u{e0041}", "a\\u200bb\\ufeff\\U000e0041"),
            ("a\u{ffff}\u{1fffe}\u{fdd0}", "a\\uffff\\U0001fffe\\ufdd0"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }
}
