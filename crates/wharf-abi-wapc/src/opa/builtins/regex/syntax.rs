//! The syntax of Go's package regexp, read into what the engines run.
//!
//! `\d`, `\s`, `\w` and `\b` are about ASCII, `$` is the end of the text, a bracket in brackets is a character, `{` is one
//! where no repetition follows, `\C`, `\Z`, look-around and back-references are errors, and a repetition goes up to 1000.

mod class;

use regex_syntax::hir::{Capture, Class, ClassUnicode, ClassUnicodeRange, Dot, Hir, Look, Repetition};

use super::super::Failure;

/// How deep groups may be nested.
const DEEPEST: usize = 200;

/// How many classes a pattern may have that take some time to make: those of Unicode (`\pL`), and with `(?i)` all that have
/// many characters.
const MOST_LARGE_CLASSES: usize = 50;

/// The largest number of repetitions, also of those that are in each other.
const MOST_REPETITIONS: u32 = 1_000;

/// A pattern that was read.
pub(super) struct Parsed {
    pub(super) hir: Hir,
    /// The names of groups and their numbers. Several groups may have one name.
    pub(super) names: Vec<(String, usize)>,
}

/// Reads a pattern.
///
/// # Errors
/// [`Failure::Undefined`] where Go refuses it.
pub(super) fn parse(pattern: &str) -> Result<Parsed, Failure> {
    let mut parser = Parser {
        rest: pattern,
        flags: Flags::default(),
        groups: vec![Group::default()],
        names: Vec::new(),
        captures: 0,
        large_classes: 0,
        may_repeat: true,
    };
    while let Some(c) = parser.rest.chars().next() {
        let repeated = parser.token(c)?;
        parser.may_repeat = !repeated;
    }
    let group = parser.groups.pop().ok_or(Failure::Undefined)?;
    match parser.groups.is_empty() {
        true => Ok(Parsed {
            hir: group.finish().hir,
            names: parser.names,
        }),
        false => Err(Failure::Undefined),
    }
}

/// What `(?imsU)` switches.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    ignore_case: bool,
    many_lines: bool,
    dot_all: bool,
    swap_greed: bool,
}

/// A part of the pattern, and the largest product of the counts of repetitions that are in each other in it.
struct Node {
    hir: Hir,
    product: u32,
}

/// A group that is open, or the whole pattern.
#[derive(Default)]
struct Group {
    alternatives: Vec<Node>,
    sequence: Vec<Node>,
    /// The number of a group that captures.
    capture: Option<u32>,
    /// The flags to go back to.
    flags: Flags,
}

impl Group {
    fn end_alternative(&mut self) {
        let sequence = std::mem::take(&mut self.sequence);
        let product = sequence.iter().map(|node| node.product).max().unwrap_or(1);
        let hir = Hir::concat(sequence.into_iter().map(|node| node.hir).collect());
        self.alternatives.push(Node { hir, product });
    }

    fn finish(mut self) -> Node {
        self.end_alternative();
        let product = self
            .alternatives
            .iter()
            .map(|node| node.product)
            .max()
            .unwrap_or(1);
        let hir = Hir::alternation(self.alternatives.into_iter().map(|node| node.hir).collect());
        let hir = match self.capture {
            Some(index) => Hir::capture(Capture {
                index,
                name: None,
                sub: Box::new(hir),
            }),
            None => hir,
        };
        Node { hir, product }
    }
}

struct Parser<'a> {
    rest: &'a str,
    flags: Flags,
    groups: Vec<Group>,
    names: Vec<(String, usize)>,
    captures: u32,
    large_classes: usize,
    /// Whether what was read last was no repetition, which may not be repeated again.
    may_repeat: bool,
}

impl<'a> Parser<'a> {
    /// Reads one token; says whether it was a repetition.
    fn token(&mut self, c: char) -> Result<bool, Failure> {
        match c {
            '(' => self.open()?,
            ')' => self.close()?,
            '|' => {
                self.rest = &self.rest[1..];
                self.group().end_alternative();
            }
            '*' | '+' | '?' => {
                self.rest = &self.rest[1..];
                let (min, max) = match c {
                    '*' => (0, None),
                    '+' => (1, None),
                    _ => (0, Some(1)),
                };
                self.repeat(min, max, false)?;
                return Ok(true);
            }
            '{' => {
                if let Some((min, max, rest)) = counts(self.rest) {
                    self.rest = rest;
                    self.repeat(min, max, true)?;
                    return Ok(true);
                }
                self.take_literal(c);
            }
            '^' => self.take_look(if self.flags.many_lines {
                Look::StartLF
            } else {
                Look::Start
            }),
            '$' => self.take_look(if self.flags.many_lines {
                Look::EndLF
            } else {
                Look::End
            }),
            '.' => {
                self.rest = &self.rest[1..];
                let dot = if self.flags.dot_all {
                    Dot::AnyChar
                } else {
                    Dot::AnyCharExceptLF
                };
                self.push(Hir::dot(dot));
            }
            '[' => {
                let class = self.bracket()?;
                self.push(Hir::class(Class::Unicode(class)));
            }
            '\\' => self.escape()?,
            c => self.take_literal(c),
        }
        Ok(false)
    }

    fn group(&mut self) -> &mut Group {
        self.groups.last_mut().expect("the whole pattern is never closed")
    }

    fn push(&mut self, hir: Hir) {
        self.group().sequence.push(Node { hir, product: 1 });
    }

    fn take_literal(&mut self, c: char) {
        self.rest = &self.rest[c.len_utf8()..];
        self.literal(c);
    }

    fn literal(&mut self, c: char) {
        let hir = if self.flags.ignore_case {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            class.case_fold_simple();
            Hir::class(Class::Unicode(class))
        } else {
            Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes())
        };
        self.push(hir);
    }

    fn take_look(&mut self, look: Look) {
        self.rest = &self.rest[1..];
        self.push(Hir::look(look));
    }

    fn repeat(&mut self, min: u32, max: Option<u32>, counted: bool) -> Result<(), Failure> {
        let lazy = self.rest.starts_with('?');
        if lazy {
            self.rest = &self.rest[1..];
        }
        if !self.may_repeat || max.unwrap_or(min) > MOST_REPETITIONS || max.is_some_and(|max| max < min) {
            return Err(Failure::Undefined);
        }
        let greedy = lazy == self.flags.swap_greed;
        let node = self.group().sequence.pop().ok_or(Failure::Undefined)?;
        let count = if counted { max.unwrap_or(min) } else { 1 };
        // What is repeated no time may be anything.
        let product = if counted && count == 0 {
            1
        } else {
            node.product.saturating_mul(count.max(1))
        };
        if counted && (min >= 2 || count >= 2) && product > MOST_REPETITIONS {
            return Err(Failure::Undefined);
        }
        let hir = Hir::repetition(Repetition {
            min,
            max,
            greedy,
            sub: Box::new(node.hir),
        });
        self.group().sequence.push(Node { hir, product });
        Ok(())
    }

    fn open(&mut self) -> Result<(), Failure> {
        let flags = self.flags;
        self.rest = &self.rest[1..];
        let named = ["?P<", "?<"]
            .iter()
            .find_map(|start| self.rest.strip_prefix(start));
        if named.is_none() && self.rest.starts_with('?') {
            return self.open_with_flags();
        }
        self.captures += 1;
        if let Some(named) = named {
            self.capture_name(named)?;
        }
        self.push_group(Some(self.captures), flags)
    }

    fn push_group(&mut self, capture: Option<u32>, flags: Flags) -> Result<(), Failure> {
        if self.groups.len() > DEEPEST {
            return Err(Failure::Limit(
                "a regular expression has groups more than 200 deep",
            ));
        }
        self.groups.push(Group {
            capture,
            flags,
            ..Group::default()
        });
        Ok(())
    }

    fn capture_name(&mut self, named: &'a str) -> Result<(), Failure> {
        let (name, rest) = named.split_once('>').ok_or(Failure::Undefined)?;
        let is_word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
        if name.is_empty() || !name.bytes().all(is_word) {
            return Err(Failure::Undefined);
        }
        self.names.push((name.to_owned(), self.captures as usize));
        self.rest = rest;
        Ok(())
    }

    /// `(?flags)` for the rest of the group, or `(?flags:…)` for what follows in it.
    fn open_with_flags(&mut self) -> Result<(), Failure> {
        let before = self.flags;
        let mut flags = self.flags;
        let (mut value, mut named) = (true, false);
        for (at, c) in self.rest.char_indices().skip(1) {
            let flag = match c {
                'i' => &mut flags.ignore_case,
                'm' => &mut flags.many_lines,
                's' => &mut flags.dot_all,
                'U' => &mut flags.swap_greed,
                '-' if value => {
                    (value, named) = (false, false);
                    continue;
                }
                ':' | ')' if value || named => {
                    self.rest = &self.rest[at + 1..];
                    self.flags = flags;
                    return if c == ':' {
                        self.push_group(None, before)
                    } else {
                        Ok(())
                    };
                }
                _ => return Err(Failure::Undefined),
            };
            *flag = value;
            named = true;
        }
        Err(Failure::Undefined)
    }

    fn close(&mut self) -> Result<(), Failure> {
        self.rest = &self.rest[1..];
        if self.groups.len() < 2 {
            return Err(Failure::Undefined);
        }
        let group = self.groups.pop().ok_or(Failure::Undefined)?;
        self.flags = group.flags;
        let node = group.finish();
        self.group().sequence.push(node);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Failure> {
        let look = match self.rest.as_bytes().get(1) {
            Some(b'A') => Look::Start,
            Some(b'z') => Look::End,
            Some(b'b') => Look::WordAscii,
            Some(b'B') => Look::WordAsciiNegate,
            Some(b'Q') => {
                let (literal, rest) = self.rest[2..].split_once("\\E").unwrap_or((&self.rest[2..], ""));
                literal.chars().for_each(|c| self.literal(c));
                self.rest = rest;
                return Ok(());
            }
            _ => {
                if let Some(class) = self.class_escape()? {
                    self.push(Hir::class(Class::Unicode(class)));
                } else {
                    match self.character_escape()? {
                        Some(c) => self.literal(c),
                        // Half of a surrogate pair is in no text.
                        None => self.push(Hir::fail()),
                    }
                }
                return Ok(());
            }
        };
        self.rest = &self.rest[2..];
        self.push(Hir::look(look));
        Ok(())
    }
}

/// `{2}`, `{2,}` or `{2,5}` at the beginning of a text, and what follows. Too large counts are there to be refused.
fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (min, rest) = count(text.strip_prefix('{')?)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, Some(min), rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, None, rest));
    }
    let (max, rest) = count(rest)?;
    Some((min, Some(max), rest.strip_prefix('}')?))
}

/// A decimal number without zeros before it.
fn count(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    if number.is_empty() || (number.len() > 1 && number.starts_with('0')) {
        return None;
    }
    Some((number.parse().unwrap_or(u32::MAX), rest))
}
