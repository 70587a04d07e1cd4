//! Texts within XML and HTML.

use std::borrow::Cow;

/// `text` as it may stand in an element or an attribute: markup and white space that breaks lines as references, and what
/// XML 1.0 has no place for, such as control characters, as U+FFFD.
pub(super) fn escape_xml(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|character| replacement(character).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match replacement(character) {
            Some(replacement) => escaped.push_str(replacement),
            None => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

fn replacement(character: char) -> Option<&'static str> {
    match character {
        '"' => Some("&#34;"),
        '\'' => Some("&#39;"),
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\t' => Some("&#x9;"),
        '\n' => Some("&#xA;"),
        '\r' => Some("&#xD;"),
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => Some("\u{fffd}"),
        _ => None,
    }
}

/// `text` as it may stand in HTML: only markup is escaped, and control characters are U+FFFD.
pub(super) fn escape_html(text: &str) -> Cow<'_, str> {
    if !text
        .chars()
        .any(|character| !matches!(character, '\t' | '\n' | '\r') && replacement(character).is_some())
    {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match replacement(character) {
            Some(replacement) if !matches!(character, '\t' | '\n' | '\r') => escaped.push_str(replacement),
            _ => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

/// Markup as it is, but for what XML 1.0 has no place for, which is U+FFFD.
pub(super) fn only_characters(markup: &str) -> Cow<'_, str> {
    let is_none = |character: char| replacement(character) == Some("\u{fffd}");
    match markup.contains(is_none) {
        true => Cow::Owned(markup.replace(is_none, "\u{fffd}")),
        false => Cow::Borrowed(markup),
    }
}

#[cfg(test)]
mod tests {
    use super::{escape_html, escape_xml, only_characters};

    #[test]
    fn markup_is_escaped_and_what_xml_has_not_is_replaced() {
        assert_eq!(escape_xml("plain é"), "plain é");
        assert_eq!(
            escape_xml("<a b=\"c\">'&\t\r\n\u{1}\u{1b}\u{ffff}漢"),
            "&lt;a b=&#34;c&#34;&gt;&#39;&amp;&#x9;&#xD;&#xA;\u{fffd}\u{fffd}\u{fffd}漢"
        );
        assert_eq!(escape_html("a\n<\u{0}"), "a\n&lt;\u{fffd}");
        assert_eq!(escape_html("a\tb"), "a\tb");
        assert_eq!(only_characters("<b>\n\u{7}</b>"), "<b>\n\u{fffd}</b>");
    }
}
