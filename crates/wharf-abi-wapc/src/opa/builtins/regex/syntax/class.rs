//! Classes of characters: in brackets, by an escape, by their Unicode property; and escaped characters.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use super::super::super::Failure;
use super::{MOST_LARGE_CLASSES, Parser};

/// The classes with names such as `[:alpha:]`, as ranges.
const NAMED: [(&str, &[(char, char)]); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\x7f')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\x1f'), ('\x7f', '\x7f')]),
    ("digit", &[('0', '9')]),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", &[('0', '9'), ('A', 'Z'), ('a', 'z'), ('_', '_')]),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

fn class_of(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(
        ranges
            .iter()
            .map(|(first, last)| ClassUnicodeRange::new(*first, *last)),
    )
}

impl Parser<'_> {
    /// `[a-z]`: the text begins with the bracket.
    pub(super) fn bracket(&mut self) -> Result<ClassUnicode, Failure> {
        self.rest = &self.rest[1..];
        let negated = self.rest.starts_with('^');
        if negated {
            self.rest = &self.rest[1..];
        }
        let mut ranges = Vec::new();
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if let Some(named) = self.named_class()? {
                ranges.extend_from_slice(named.ranges());
            } else if let Some(escaped) = self.class_escape()? {
                ranges.extend_from_slice(escaped.ranges());
            } else {
                ranges.extend(self.range()?);
            }
        }
        self.rest = &self.rest[1..];
        self.folded(ClassUnicode::new(ranges), negated)
    }

    /// A character, or all from one to another.
    fn range(&mut self) -> Result<Option<ClassUnicodeRange>, Failure> {
        let low = self.class_character()?;
        let is_range = self.rest.len() >= 2 && self.rest.starts_with('-') && !self.rest.starts_with("-]");
        let high = if is_range {
            self.rest = &self.rest[1..];
            self.class_character()?
        } else {
            low
        };
        if high < low {
            return Err(Failure::Undefined);
        }
        // The ends may be halves of surrogate pairs, which are in no text.
        let low = (low..=high).find_map(char::from_u32);
        let high = (0..=high).rev().find_map(char::from_u32);
        Ok(match (low, high) {
            (Some(low), Some(high)) if low <= high => Some(ClassUnicodeRange::new(low, high)),
            _ => None,
        })
    }

    fn class_character(&mut self) -> Result<u32, Failure> {
        if self.rest.starts_with('\\') {
            return self.escaped_code();
        }
        let c = self.rest.chars().next().ok_or(Failure::Undefined)?;
        self.rest = &self.rest[c.len_utf8()..];
        Ok(c.into())
    }

    /// `[:alpha:]` or `[:^alpha:]`, where a name is closed.
    fn named_class(&mut self) -> Result<Option<ClassUnicode>, Failure> {
        let Some((name, rest)) = self
            .rest
            .strip_prefix("[:")
            .and_then(|rest| rest.split_once(":]"))
        else {
            return Ok(None);
        };
        let bare = name.strip_prefix('^').unwrap_or(name);
        let known = NAMED.iter().find(|(known, _)| *known == bare);
        let (_, ranges) = known.ok_or(Failure::Undefined)?;
        self.rest = rest;
        self.folded(class_of(ranges), bare.len() < name.len()).map(Some)
    }

    /// The class with the characters that differ in case only, where that is asked for, or all but those.
    fn folded(&mut self, mut class: ClassUnicode, negated: bool) -> Result<ClassUnicode, Failure> {
        if self.flags.ignore_case {
            let width = |range: &ClassUnicodeRange| u32::from(range.end()) - u32::from(range.start());
            if class.ranges().iter().any(|range| width(range) > 1_000) {
                self.count_large()?;
            }
            class.case_fold_simple();
        }
        if negated {
            class.negate();
        }
        Ok(class)
    }

    fn count_large(&mut self) -> Result<(), Failure> {
        self.large_classes += 1;
        match self.large_classes {
            0..=MOST_LARGE_CLASSES => Ok(()),
            _ => Err(Failure::Limit(
                "a regular expression has more than 50 large classes of characters",
            )),
        }
    }

    /// `\d`, `\pL` and the like, where one of them stands here.
    pub(super) fn class_escape(&mut self) -> Result<Option<ClassUnicode>, Failure> {
        let Some(escaped) = self.rest.strip_prefix('\\').and_then(|rest| rest.chars().next()) else {
            return Ok(None);
        };
        let ranges: &[(char, char)] = match escaped {
            'd' | 'D' => &[('0', '9')],
            's' | 'S' => &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')],
            'w' | 'W' => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
            'p' | 'P' => return self.unicode_class(escaped == 'P').map(Some),
            _ => return Ok(None),
        };
        self.rest = &self.rest[2..];
        self.folded(class_of(ranges), escaped.is_ascii_uppercase())
            .map(Some)
    }

    /// `\pL`, `\p{Greek}`, `\p{^Greek}`: a general category or a script.
    fn unicode_class(&mut self, negated: bool) -> Result<ClassUnicode, Failure> {
        let behind = &self.rest[2..];
        let first = behind.chars().next().ok_or(Failure::Undefined)?;
        let (name, rest) = match behind.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or(Failure::Undefined)?,
            None => behind.split_at(first.len_utf8()),
        };
        let bare = name.strip_prefix('^').unwrap_or(name);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ');
        if bare.is_empty() || bare.len() > 64 || !bare.chars().all(is_name) {
            return Err(Failure::Undefined);
        }
        self.count_large()?;
        let find = |property: &str| {
            let class = regex_syntax::parse(&format!("\\p{{{property}={bare}}}")).ok()?;
            match class.into_kind() {
                HirKind::Class(Class::Unicode(class)) => Some(class),
                _ => None,
            }
        };
        let class = find("gc").or_else(|| find("sc")).ok_or(Failure::Undefined)?;
        self.rest = rest;
        self.folded(class, negated != (bare.len() < name.len()))
    }

    /// An escaped character outside of brackets; `None` is half of a surrogate pair.
    pub(super) fn character_escape(&mut self) -> Result<Option<char>, Failure> {
        self.escaped_code().map(char::from_u32)
    }

    /// The number of the character that an escape stands for.
    fn escaped_code(&mut self) -> Result<u32, Failure> {
        let behind = &self.rest[1..];
        let c = behind.chars().next().ok_or(Failure::Undefined)?;
        let rest = &behind[c.len_utf8()..];
        let (code, rest) = match c {
            // A single digit would be a reference to a group.
            '1'..='7' if !rest.starts_with(|digit| matches!(digit, '0'..='7')) => {
                return Err(Failure::Undefined);
            }
            '0'..='7' => {
                let is_octal = |digit: &u8| matches!(digit, b'0'..=b'7');
                let digits = behind.bytes().take(3).take_while(is_octal).count();
                (number(&behind[..digits], 8)?, &behind[digits..])
            }
            'x' => hexadecimal(rest)?,
            'a' => (7, rest),
            'f' => (0x0c, rest),
            'n' => (0x0a, rest),
            'r' => (0x0d, rest),
            't' => (0x09, rest),
            'v' => (0x0b, rest),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => (c.into(), rest),
            _ => return Err(Failure::Undefined),
        };
        self.rest = rest;
        Ok(code)
    }
}

/// Two digits, or any number of them in braces.
fn hexadecimal(text: &str) -> Result<(u32, &str), Failure> {
    let (digits, rest) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}').ok_or(Failure::Undefined)?,
        None => text.split_at_checked(2).ok_or(Failure::Undefined)?,
    };
    match number(digits, 16)? {
        code @ 0..=0x10_ffff => Ok((code, rest)),
        _ => Err(Failure::Undefined),
    }
}

fn number(digits: &str, radix: u32) -> Result<u32, Failure> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(Failure::Undefined);
    }
    match digits.trim_start_matches('0') {
        "" => Ok(0),
        significant => u32::from_str_radix(significant, radix).map_err(|_| Failure::Undefined),
    }
}
