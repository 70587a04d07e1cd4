//! Text with verbs such as `%d` and `%-8s`, as Go's package fmt fills it in: the language of Rego's `sprintf`.
//!
//! A directive is `%`, flags (`#0+- `), and then, each of them optional, an index (`[2]`), a width, a precision, and a verb.
//! What does not fit is shown in the text: `%!d(string=x)`, `%!s(MISSING)`, `%!(EXTRA int=1)`.

pub(super) mod float;
mod integer;

use num_bigint::BigInt;

use super::{Failure, MOST_TEXT};
use crate::opa::value::{is_printable, push_quoted, quoted};

/// Something to be filled in.
pub(super) enum Argument {
    Int(i64),
    Big(BigInt),
    Float(f64),
    Text(String),
}

impl Argument {
    fn type_name(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Big(_) => "*big.Int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
        }
    }
}

/// The largest width and precision, and the largest argument index.
const MOST: usize = 1_000_000;

/// What stands between `%` and the verb.
#[derive(Default, Clone)]
struct Directive {
    sharp: bool,
    zero: bool,
    plus: bool,
    minus: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// `%#v` and `%+v`, which take those flags for themselves.
    sharp_v: bool,
    plus_v: bool,
}

impl Directive {
    /// Appends `text` with spaces, or with zeros where those are asked for, up to the width.
    fn pad(&self, out: &mut String, text: &str) {
        let missing = self.missing(text.chars().count());
        let filler = if self.zero && !self.minus { '0' } else { ' ' };
        if self.minus {
            out.push_str(text);
        }
        out.extend(std::iter::repeat_n(filler, missing));
        if !self.minus {
            out.push_str(text);
        }
    }

    /// The same, with spaces only.
    fn pad_with_spaces(&self, out: &mut String, text: &str) {
        let spaces = Self {
            zero: false,
            ..self.clone()
        };
        spaces.pad(out, text);
    }

    fn missing(&self, length: usize) -> usize {
        self.width.unwrap_or(0).saturating_sub(length)
    }
}

/// Fills `arguments` into `format`.
pub(super) fn format(format: &str, arguments: &[Argument]) -> Result<String, Failure> {
    let mut printer = Printer {
        rest: format,
        arguments,
        next: 0,
        reordered: false,
        index_is_good: true,
        out: String::new(),
    };
    while let Some(at) = printer.rest.find('%') {
        printer.out.push_str(&printer.rest[..at]);
        printer.rest = &printer.rest[at + 1..];
        printer.directive();
        if printer.out.len() > MOST_TEXT {
            return Err(Failure::Limit("the text that it makes has more than 2MiB"));
        }
    }
    let text = printer.rest;
    printer.out.push_str(text);
    printer.extra_arguments();
    Ok(printer.out)
}

struct Printer<'a> {
    rest: &'a str,
    arguments: &'a [Argument],
    next: usize,
    /// Whether the text chose arguments by their indexes, so that one that is left over is no mistake.
    reordered: bool,
    /// Whether the directive's index names an argument.
    index_is_good: bool,
    out: String,
}

impl Printer<'_> {
    fn directive(&mut self) {
        self.index_is_good = true;
        let mut directive = Directive::default();
        self.flags(&mut directive);
        // A plain directive takes the next argument without looking for more.
        let simple =
            self.peek().is_some_and(|byte| byte.is_ascii_lowercase()) && self.next < self.arguments.len();
        if !simple {
            let after_index = self.index();
            let after_index = self.width(&mut directive, after_index);
            let after_index = self.precision(&mut directive, after_index);
            if !after_index {
                self.index();
            }
        }
        let Some(verb) = self.rest.chars().next() else {
            self.out.push_str("%!(NOVERB)");
            return;
        };
        self.rest = &self.rest[verb.len_utf8()..];
        let problem = if verb == '%' {
            self.out.push('%');
            return;
        } else if !self.index_is_good {
            "BADINDEX"
        } else if self.next >= self.arguments.len() {
            "MISSING"
        } else {
            ""
        };
        if !problem.is_empty() {
            self.out
                .extend(["%!", verb.encode_utf8(&mut [0; 4]), "(", problem, ")"]);
            return;
        }
        if matches!(verb, 'v' | 'w') {
            directive.sharp_v = std::mem::take(&mut directive.sharp);
            directive.plus_v = std::mem::take(&mut directive.plus);
        }
        print(&mut self.out, &directive, verb, &self.arguments[self.next]);
        self.next += 1;
    }

    fn flags(&mut self, directive: &mut Directive) {
        while let Some(byte) = self.peek() {
            let flag = match byte {
                b'#' => &mut directive.sharp,
                b'0' => &mut directive.zero,
                b'+' => &mut directive.plus,
                b'-' => &mut directive.minus,
                b' ' => &mut directive.space,
                _ => return,
            };
            *flag = true;
            self.rest = &self.rest[1..];
        }
    }

    /// An index in brackets, where one stands here; whether it could be read.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let Some(end) = self.rest.find(']').filter(|_| self.rest.len() >= 3) else {
            self.index_is_good = false;
            self.rest = &self.rest[1..];
            return false;
        };
        let index = number(&self.rest[1..end]).filter(|(_, rest)| rest.is_empty());
        self.rest = &self.rest[end + 1..];
        match index {
            Some((index, _)) if (1..=self.arguments.len()).contains(&index) => {
                self.next = index - 1;
                true
            }
            index => {
                self.index_is_good = false;
                index.is_some()
            }
        }
    }

    fn width(&mut self, directive: &mut Directive, after_index: bool) -> bool {
        if self.peek() == Some(b'*') {
            self.rest = &self.rest[1..];
            match self.star() {
                Some(width) => {
                    directive.width = usize::try_from(width.unsigned_abs()).ok();
                    if width < 0 {
                        directive.minus = true;
                        directive.zero = false;
                    }
                }
                None => self.out.push_str("%!(BADWIDTH)"),
            }
            return false;
        }
        directive.width = self.number();
        if after_index && directive.width.is_some() {
            self.index_is_good = false;
        }
        after_index
    }

    fn precision(&mut self, directive: &mut Directive, after_index: bool) -> bool {
        if self.peek() != Some(b'.') || self.rest.len() < 2 {
            return after_index;
        }
        self.rest = &self.rest[1..];
        if after_index {
            self.index_is_good = false;
        }
        let after_index = self.index();
        if self.peek() != Some(b'*') {
            directive.precision = Some(self.number().unwrap_or(0));
            return after_index;
        }
        self.rest = &self.rest[1..];
        directive.precision = self.star().and_then(|precision| usize::try_from(precision).ok());
        if directive.precision.is_none() {
            self.out.push_str("%!(BADPREC)");
        }
        false
    }

    /// The width or precision that `*` takes from the arguments.
    fn star(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.next)?;
        self.next += 1;
        match argument {
            Argument::Int(number) if number.unsigned_abs() <= MOST as u64 => Some(*number),
            _ => None,
        }
    }

    /// The digits that stand here. Of too large a number nothing is left of the text, as in Go.
    fn number(&mut self) -> Option<usize> {
        match number(self.rest) {
            Some((number, rest)) => {
                self.rest = rest;
                Some(number)
            }
            None => {
                if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    self.rest = "";
                }
                None
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.bytes().next()
    }

    fn extra_arguments(&mut self) {
        if self.reordered || self.next >= self.arguments.len() {
            return;
        }
        self.out.push_str("%!(EXTRA ");
        for (index, argument) in self.arguments[self.next..].iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.out.extend([argument.type_name(), "="]);
            print(&mut self.out, &Directive::default(), 'v', argument);
        }
        self.out.push(')');
    }
}

/// The number that a text begins with, and what follows it; `None` where there is none or it is too large.
fn number(text: &str) -> Option<(usize, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mut number = 0;
    for (index, digit) in text[..digits].bytes().enumerate() {
        // Go looks before each digit, so that one digit more than the limit has is taken.
        if index > 0 && number > MOST {
            return None;
        }
        number = number * 10 + usize::from(digit - b'0');
    }
    (digits > 0).then(|| (number, &text[digits..]))
}

fn print(out: &mut String, directive: &Directive, verb: char, argument: &Argument) {
    let printed = match (verb, argument) {
        ('T', _) => {
            print_text(out, directive, 's', argument.type_name());
            true
        }
        (_, Argument::Int(number)) => integer::print(out, directive, verb, *number),
        (_, Argument::Big(number)) => integer::print_big(out, directive, verb, number),
        (_, Argument::Float(number)) => float::print(out, directive, verb, *number),
        (_, Argument::Text(text)) => print_text(out, directive, verb, text),
    };
    if !printed {
        let name = match argument {
            Argument::Big(_) => "big.Int",
            other => other.type_name(),
        };
        out.extend(["%!", verb.encode_utf8(&mut [0; 4]), "(", name, "="]);
        match argument {
            Argument::Big(number) => out.push_str(&number.to_string()),
            _ => print(out, directive, 'v', argument),
        }
        out.push(')');
    }
}

fn print_text(out: &mut String, directive: &Directive, verb: char, text: &str) -> bool {
    let cut = || match directive.precision {
        Some(most) => text
            .char_indices()
            .nth(most)
            .map_or(text, |(end, _)| &text[..end]),
        None => text,
    };
    match verb {
        'v' if directive.sharp_v => print_quoted(out, directive, cut()),
        'v' | 's' => directive.pad(out, cut()),
        'q' => print_quoted(out, directive, cut()),
        'x' | 'X' => print_bytes(out, directive, verb, text.as_bytes()),
        _ => return false,
    }
    true
}

/// Between quotation marks, or between backquotes with `#` where nothing needs an escape then.
fn print_quoted(out: &mut String, directive: &Directive, text: &str) {
    let fits = |c: char| c != '`' && c != '\u{feff}' && c != '\u{7f}' && (c >= ' ' || c == '\t');
    let quoted = if directive.sharp && text.chars().all(fits) {
        format!("`{text}`")
    } else if directive.plus {
        let mut quoted = String::from('"');
        text.chars().for_each(|c| push_quoted(&mut quoted, c, '"', true));
        quoted + "\""
    } else {
        quoted(text)
    };
    directive.pad(out, &quoted);
}

/// Two digits for each byte; `% x` has spaces between the bytes, `%#x` a prefix, `% #x` one for each byte.
fn print_bytes(out: &mut String, directive: &Directive, verb: char, bytes: &[u8]) {
    let bytes = &bytes[..directive.precision.unwrap_or(bytes.len()).min(bytes.len())];
    let prefix = match (directive.sharp && !bytes.is_empty(), verb) {
        (false, _) => "",
        (true, 'X') => "0X",
        (true, _) => "0x",
    };
    let mut text = String::with_capacity(bytes.len() * 2 + 2);
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && directive.space {
            text.push(' ');
        }
        if index == 0 || directive.space {
            text.push_str(prefix);
        }
        let pair = super::encoding::hex(&[*byte]);
        text.push_str(&if verb == 'X' {
            pair.to_ascii_uppercase()
        } else {
            pair
        });
    }
    directive.pad(out, &text);
}

/// A character with the given number, or the one that stands for none.
fn character(number: i64) -> char {
    let code = u32::try_from(number).ok();
    code.and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// `U+0041`, or with `#` and a character that can be shown `U+0041 'A'`.
fn unicode(directive: &Directive, number: i64) -> String {
    let digits = directive.precision.unwrap_or(4).max(4);
    let mut text = format!("{number:X}");
    if let Some(missing) = digits.checked_sub(text.len()) {
        text.insert_str(0, &"0".repeat(missing));
    }
    text.insert_str(0, "U+");
    match u32::try_from(number).ok().and_then(char::from_u32) {
        Some(c) if directive.sharp && is_printable(c) => text + &format!(" '{c}'"),
        _ => text,
    }
}

#[cfg(test)]
mod tests;
