//! Values to YAML, as OPA's library lays it out: blocks, two spaces for each level but for lists in objects, lines of about
//! eighty characters.

use std::cmp::Ordering;

use super::super::go_format::float::shortest;
use super::super::{Context, Failure, MOST_TEXT};
use super::scalar::Scalar;
use super::style::{self, Style, has_lines, is_break, is_printable};
use crate::opa::value::{Object, Value};

/// Behind this column a line goes on in the next one.
const WIDTH: usize = 80;

/// The longest key that stands on one line with its value.
const LONGEST_SIMPLE_KEY: usize = 128;

/// Writes a value that has no sets, and only strings for keys.
pub(super) fn write(context: &mut Context, value: &Value) -> Result<String, Failure> {
    let mut writer = Writer {
        context,
        text: String::new(),
        column: 0,
        indent: -2,
        after_space: true,
        indenting: true,
    };
    writer.node(value, false)?;
    writer.line(0);
    Ok(writer.text)
}

struct Writer<'c> {
    context: &'c mut Context,
    text: String,
    column: usize,
    /// The column of the block that is written; before the first it is none.
    indent: isize,
    /// Whether nothing has to be put before what comes next.
    after_space: bool,
    /// Whether the line has had nothing but indentation and signs of blocks.
    indenting: bool,
}

impl Writer<'_> {
    fn node(&mut self, value: &Value, in_mapping: bool) -> Result<(), Failure> {
        self.context.step()?;
        if self.text.len() > MOST_TEXT {
            return Err(Failure::Limit("the YAML text has more than 2MiB"));
        }
        match value {
            Value::Array(elements) if elements.is_empty() => self.sign("[]", false),
            Value::Object(object) if object.is_empty() => self.sign("{}", false),
            Value::Array(elements) => self.sequence(elements, in_mapping)?,
            Value::Object(object) => self.mapping(object)?,
            Value::String(text) => self.string(text, false),
            Value::Number(number) => {
                let written = number.text();
                let text = match Scalar::of(&written) {
                    Scalar::Int(digits, _) => digits,
                    Scalar::Float(float) => shortest(&format!("{float:e}")),
                    _ => written.into_owned(),
                };
                self.plain(&text, true);
            }
            other => self.plain(&other.to_term(), true),
        }
        Ok(())
    }

    /// A list as the value of a key is not indented.
    fn sequence(&mut self, elements: &[Value], in_mapping: bool) -> Result<(), Failure> {
        let before = self.indent;
        if !in_mapping || self.indenting {
            self.indent += 2;
        }
        for element in elements {
            self.line(self.indent);
            self.sign("-", true);
            self.node(element, false)?;
        }
        self.indent = before;
        Ok(())
    }

    fn mapping(&mut self, object: &Object) -> Result<(), Failure> {
        let before = self.indent;
        self.indent += 2;
        let mut fields: Vec<(&str, &Value)> = Vec::new();
        for (key, value) in object.iter() {
            if let Value::String(key) = key {
                fields.push((key, value));
            }
        }
        for (key, value) in sorted(fields) {
            self.line(self.indent);
            if has_lines(key) || key.len() > LONGEST_SIMPLE_KEY {
                self.sign("?", true);
                self.string(key, false);
                self.line(self.indent);
                self.sign(":", true);
            } else {
                self.string(key, true);
                self.text.push(':');
                self.column += 1;
                (self.after_space, self.indenting) = (false, false);
            }
            self.node(value, true)?;
        }
        self.indent = before;
        Ok(())
    }

    fn string(&mut self, text: &str, simple_key: bool) {
        match style::of(text, simple_key) {
            Style::Plain => self.plain(text, !simple_key),
            Style::Single => self.single(text, !simple_key),
            Style::Double => self.double(text, !simple_key),
            Style::Literal => self.literal(text),
        }
    }

    /// Begins a line with this indentation, where the line does not stand there already.
    fn line(&mut self, indent: isize) {
        let indent = indent.unsigned_abs() * usize::from(indent > 0);
        if !self.indenting || self.column > indent || (self.column == indent && !self.after_space) {
            self.end_line();
        }
        while self.column < indent {
            self.put(' ');
        }
        (self.after_space, self.indenting) = (true, true);
    }

    /// Where a scalar goes on in the next line.
    fn inner_line(&mut self) {
        self.line(self.indent.max(0) + 2);
    }

    fn end_line(&mut self) {
        self.text.push('\n');
        self.column = 0;
    }

    fn put(&mut self, c: char) {
        self.text.push(c);
        self.column += 1;
    }

    /// A sign, with a space before it where that is needed.
    fn sign(&mut self, sign: &str, of_block: bool) {
        if !self.after_space {
            self.put(' ');
        }
        sign.chars().for_each(|c| self.put(c));
        self.after_space = false;
        self.indenting &= of_block;
    }

    fn plain(&mut self, text: &str, may_break: bool) {
        if !self.after_space {
            self.put(' ');
        }
        self.indenting = false;
        self.folded(text, may_break, |_, _| true);
        (self.after_space, self.indenting) = (false, false);
    }

    fn single(&mut self, text: &str, may_break: bool) {
        self.sign("'", false);
        self.folded(text, may_break, |at, length| at > 0 && at < length - 1);
        self.put('\'');
        (self.after_space, self.indenting) = (false, false);
    }

    /// Text without escapes. A single space beyond the width is the end of a line; a line end is doubled.
    fn folded(&mut self, text: &str, may_break: bool, inside: impl Fn(usize, usize) -> bool) {
        let (mut after_space, mut after_break) = (false, false);
        let quoted = self.text.ends_with('\'') && !self.after_space;
        for (at, c) in text.char_indices() {
            let next_is_space = text[at + c.len_utf8()..].starts_with(' ');
            if c == ' ' {
                let breaks = may_break && !after_space && self.column > WIDTH && inside(at, text.len());
                if breaks && !next_is_space {
                    self.inner_line();
                } else {
                    self.put(' ');
                }
                after_space = true;
            } else if is_break(c) {
                if !after_break && c == '\n' {
                    self.end_line();
                }
                self.break_as(c);
                after_break = true;
            } else {
                if after_break {
                    self.inner_line();
                }
                if c == '\'' && quoted {
                    self.put('\'');
                }
                self.put(c);
                self.indenting = false;
                (after_space, after_break) = (false, false);
            }
        }
    }

    fn break_as(&mut self, c: char) {
        self.text.push(c);
        self.column = 0;
        self.indenting = true;
    }

    fn double(&mut self, text: &str, may_break: bool) {
        self.sign("\"", false);
        let mut after_space = false;
        for (at, c) in text.char_indices() {
            if !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                escape(c).chars().for_each(|c| self.put(c));
                after_space = false;
            } else if c == ' ' {
                let inside = at > 0 && at < text.len() - 1;
                if may_break && !after_space && self.column > WIDTH && inside {
                    self.inner_line();
                    if text[at + 1..].starts_with(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                after_space = true;
            } else {
                self.put(c);
                after_space = false;
            }
        }
        self.put('"');
        (self.after_space, self.indenting) = (false, false);
    }

    /// Lines as they are, behind `|`. `2` says the indentation where the text begins with a blank, `-` that the last line
    /// has no end, `+` that there are empty lines behind it.
    fn literal(&mut self, text: &str) {
        self.sign("|", false);
        if text.starts_with(|c: char| c == ' ' || is_break(c)) {
            self.put('2');
        }
        let mut backwards = text.chars().rev();
        match (backwards.next().is_some_and(is_break), backwards.next()) {
            (false, _) => self.put('-'),
            (true, None) => self.put('+'),
            (true, Some(c)) if is_break(c) => self.put('+'),
            (true, Some(_)) => {}
        }
        self.end_line();
        (self.after_space, self.indenting) = (true, true);
        let mut after_break = true;
        for c in text.chars() {
            if is_break(c) {
                self.break_as(c);
                after_break = true;
            } else {
                if after_break {
                    self.inner_line();
                }
                self.put(c);
                self.indenting = false;
                after_break = false;
            }
        }
    }
}

fn escape(c: char) -> String {
    let letter = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match u32::from(c) {
                code @ ..=0xff => format!("\\x{code:02X}"),
                code @ ..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{letter}")
}

/// The fields in the order of their keys, in which `a10` comes after `a9`. That order goes in circles for some keys, so it
/// is not one to give to the sorting of the standard library.
fn sorted<'a>(mut fields: Vec<(&'a str, &'a Value)>) -> Vec<(&'a str, &'a Value)> {
    if fields.len() < 2 {
        return fields;
    }
    let second = sorted(fields.split_off(fields.len() / 2));
    let first = sorted(fields);
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter().peekable(), second.into_iter().peekable());
    while let (Some(one), Some(other)) = (first.peek(), second.peek()) {
        let smaller = if natural(other.0, one.0).is_lt() {
            &mut second
        } else {
            &mut first
        };
        merged.extend(smaller.next());
    }
    merged.extend(first.chain(second));
    merged
}

/// Signs before digits before letters, and digits by the number that they are.
fn natural(one: &str, other: &str) -> Ordering {
    let same = one
        .chars()
        .zip(other.chars())
        .take_while(|(one, other)| one == other);
    let same: usize = same.map(|(c, _)| c.len_utf8()).sum();
    let (Some(a), Some(b)) = (one[same..].chars().next(), other[same..].chars().next()) else {
        return one.len().cmp(&other.len());
    };
    match (a.is_alphabetic(), b.is_alphabetic()) {
        (true, true) => return a.cmp(&b),
        (false, false) => {}
        (one, other) => return one.cmp(&other),
    }
    // Behind a digit that is no zero, zeros are digits of that number.
    let before = one[..same]
        .bytes()
        .rev()
        .take_while(u8::is_ascii_digit)
        .any(|digit| digit != b'0');
    let start = i64::from((a == '0' || b == '0') && before);
    let number = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_digit);
        digits.fold((start, 0), |(number, count): (i64, usize), digit| {
            (
                number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0')),
                count + 1,
            )
        })
    };
    number(&one[same..]).cmp(&number(&other[same..])).then(a.cmp(&b))
}
