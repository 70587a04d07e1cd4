//! Values as text: for a policy, for people, and as JSON.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicode, HirKind};

use super::{Object, Value};

impl Value {
    /// The text that `opa_value_parse` reads: [`Value::to_rego`] without spaces, and with the escapes of JSON only.
    pub(crate) fn to_term(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, &Style { rego: false });
        text
    }

    /// The text that Rego's own `sprintf` and `print` show: spaces behind commas and colons, and Go's escapes.
    pub(crate) fn to_rego(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, &Style { rego: true });
        text
    }

    fn write(&self, text: &mut String, style: &Style) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => text.push_str(&number.text()),
            Self::String(string) if style.rego => text.push_str(&quoted(string)),
            Self::String(string) => write_json_string(text, string, false),
            Self::Array(elements) => style.list(text, '[', elements.iter(), ']'),
            Self::Set(elements) if elements.is_empty() => text.push_str("set()"),
            Self::Set(elements) => style.list(text, '{', elements.iter(), '}'),
            Self::Object(object) => style.object(text, object),
        }
    }

    /// The value without sets, and with strings for keys, as JSON needs it: a set becomes an array in its order, another
    /// key its JSON text. Of two keys that become the same the last counts.
    ///
    /// `None` where those texts have more than `most` bytes together: a key in a key in a key doubles with each level.
    pub(crate) fn into_json_like(self, mut most: usize) -> Option<Self> {
        self.json_like(&mut most)
    }

    fn json_like(self, most: &mut usize) -> Option<Self> {
        let mut all = |elements: &mut dyn Iterator<Item = Self>| {
            elements
                .map(|element| element.json_like(most))
                .collect::<Option<Vec<_>>>()
                .map(Self::Array)
        };
        match self {
            Self::Array(elements) => all(&mut elements.into_iter()),
            Self::Set(elements) => all(&mut elements.into_iter()),
            Self::Object(object) => {
                let mut fields = Vec::with_capacity(object.len());
                for (key, value) in object {
                    let key = match key {
                        key @ Self::String(_) => key,
                        other => {
                            let text = other.json_like(most)?.json_text();
                            *most = most.checked_sub(text.len())?;
                            Self::String(text)
                        }
                    };
                    fields.push((key, value.json_like(most)?));
                }
                Some(Self::Object(fields.into_iter().collect()))
            }
            scalar => Some(scalar),
        }
    }

    /// The JSON text that Go writes for a value of [`Value::into_json_like`]: without spaces, and with `<`, `>`, `&` and two
    /// separators of Unicode escaped.
    pub(crate) fn json_text(&self) -> String {
        let mut text = String::new();
        self.write_json(&mut text, None, usize::MAX);
        text
    }

    /// The same over several lines: each begins with `prefix`, but for the first, and is indented by `indent` for each
    /// level. `None` where it has more than `most` bytes, since the indentation may be much more than the value.
    pub(crate) fn json_text_in_lines(&self, prefix: &str, indent: &str, most: usize) -> Option<String> {
        let mut text = String::new();
        self.write_json(&mut text, Some((prefix, indent, 0)), most);
        (text.len() <= most).then_some(text)
    }

    /// Writes no more when there are more than `most` bytes.
    fn write_json(&self, text: &mut String, lines: Option<(&str, &str, usize)>, most: usize) {
        if text.len() > most {
            return;
        }
        let inner = lines.map(|(prefix, indent, depth)| (prefix, indent, depth + 1));
        let line = |text: &mut String, lines: Option<(&str, &str, usize)>| {
            if let Some((prefix, indent, depth)) = lines
                && text.len() <= most
            {
                text.push('\n');
                text.push_str(prefix);
                text.extend(std::iter::repeat_n(indent, depth));
            }
        };
        match self {
            Self::String(string) => write_json_string(text, string, true),
            Self::Array(elements) if !elements.is_empty() => {
                for (index, element) in elements.iter().enumerate() {
                    text.push(if index == 0 { '[' } else { ',' });
                    line(text, inner);
                    element.write_json(text, inner, most);
                }
                line(text, lines);
                text.push(']');
            }
            Self::Object(object) if !object.is_empty() => {
                for (index, (key, value)) in object.iter().enumerate() {
                    text.push(if index == 0 { '{' } else { ',' });
                    line(text, inner);
                    key.write_json(text, None, most);
                    text.push_str(if lines.is_some() { ": " } else { ":" });
                    value.write_json(text, inner, most);
                }
                line(text, lines);
                text.push('}');
            }
            other => other.write(text, &Style { rego: false }),
        }
    }
}

struct Style {
    rego: bool,
}

impl Style {
    fn list<'a>(
        &self,
        text: &mut String,
        open: char,
        elements: impl Iterator<Item = &'a Value>,
        close: char,
    ) {
        text.push(open);
        for (index, element) in elements.enumerate() {
            self.separator(text, index);
            element.write(text, self);
        }
        text.push(close);
    }

    fn object(&self, text: &mut String, object: &Object) {
        text.push('{');
        for (index, (key, value)) in object.iter().enumerate() {
            self.separator(text, index);
            key.write(text, self);
            text.push_str(if self.rego { ": " } else { ":" });
            value.write(text, self);
        }
        text.push('}');
    }

    fn separator(&self, text: &mut String, index: usize) {
        match (index, self.rego) {
            (0, _) => {}
            (_, true) => text.push_str(", "),
            (_, false) => text.push(','),
        }
    }
}

fn write_json_string(text: &mut String, string: &str, for_html: bool) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\0'..='\u{1f}' => push_escape(text, c),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if for_html => push_escape(text, c),
            c => text.push(c),
        }
    }
    text.push('"');
}

fn push_escape(text: &mut String, c: char) {
    write!(text, "\\u{:04x}", u32::from(c)).expect("a string takes any text");
}

/// A string between quotation marks as Go's `strconv.Quote` gives it.
pub(crate) fn quoted(string: &str) -> String {
    let mut text = String::with_capacity(string.len() + 2);
    text.push('"');
    for c in string.chars() {
        push_quoted(&mut text, c, '"', false);
    }
    text.push('"');
    text
}

/// One character inside quotation marks, as Go's `strconv` writes it.
pub(crate) fn push_quoted(text: &mut String, c: char, mark: char, ascii_only: bool) {
    let escape = match c {
        _ if c == mark || c == '\\' => return text.extend(['\\', c]),
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{b}' => "\\v",
        _ if is_printable(c) && (c.is_ascii() || !ascii_only) => return text.push(c),
        _ => {
            let code = u32::from(c);
            let written = match code {
                ..0x20 | 0x7f => write!(text, "\\x{code:02x}"),
                ..0x1_0000 => write!(text, "\\u{code:04x}"),
                _ => write!(text, "\\U{code:08x}"),
            };
            return written.expect("a string takes any text");
        }
    };
    text.push_str(escape);
}

/// Whether Go shows a character as it is: letters, marks, numbers, punctuation, symbols, and the ASCII space.
pub(crate) fn is_printable(c: char) -> bool {
    static PRINTABLE: LazyLock<ClassUnicode> = LazyLock::new(|| {
        let class = regex_syntax::parse(r"[\p{L}\p{M}\p{N}\p{P}\p{S} ]").map(|hir| hir.into_kind());
        match class {
            Ok(HirKind::Class(Class::Unicode(class))) => class,
            other => unreachable!("a fixed class was read as {other:?}"),
        }
    });
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    let ranges = PRINTABLE.ranges();
    let after = ranges.partition_point(|range| range.start() <= c);
    after > 0 && c <= ranges[after - 1].end()
}

#[cfg(test)]
mod tests {
    use super::super::read_term;
    use super::*;

    fn value(text: &str) -> Value {
        read_term(text.as_bytes()).unwrap()
    }

    #[test]
    fn people_see_what_opa_shows_them() {
        let shown =
            value(r#"{"b": [1, null, {2, true}, set(), {}], 5: "a\n\u0001é\u00ad\u200b😀\"\\"}"#).to_rego();
        assert_eq!(
            shown,
            r#"{5: "a\n\x01é\u00ad\u200b😀\"\\", "b": [1, null, {true, 2}, set(), {}]}"#
        );
    }

    #[test]
    fn json_is_what_go_writes() {
        let value = value(r#"{"b": {2, "<&>\u2028"}, 5: [], [1, {2}]: null, "e": {}}"#)
            .into_json_like(100)
            .unwrap();
        assert_eq!(
            value.json_text(),
            r#"{"5":[],"[1,[2]]":null,"b":[2,"\u003c\u0026\u003e\u2028"],"e":{}}"#
        );
        assert_eq!(
            value.json_text_in_lines(">", "  ", 1_000).as_deref().unwrap(),
            "{\n>  \"5\": [],\n>  \"[1,[2]]\": null,\n>  \"b\": [\n>    2,\n>    \"\\u003c\\u0026\\u003e\\u2028\"\n>  ],\n>  \"e\": {}\n>}"
        );
    }
    #[test]
    fn text_that_grows_with_the_depth_is_bounded() {
        let keys = format!("{}1{}", "{".repeat(100), ":1}".repeat(100));
        assert_eq!(value(&keys).into_json_like(1 << 20), None);
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(
            value(&deep).json_text_in_lines("", &" ".repeat(100), 1_000_000),
            None
        );
    }
}
