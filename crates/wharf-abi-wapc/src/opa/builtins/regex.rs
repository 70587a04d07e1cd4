//! Regular expressions with the syntax of Go (RE2), which differs from that of Rust's crate in many places: they are read by
//! [`syntax`] and run by the crate's engines, in time that is linear in the text.
//!
//! The engines cannot be interrupted. So the states of a pattern times the bytes of a text are bounded ([`MOST_WORK`]), and
//! the deadline is looked at between matches.

mod syntax;

use std::collections::HashMap;
use std::rc::Rc;

use regex_automata::meta::Regex;
use regex_automata::nfa::thompson;
use regex_automata::util::captures::Captures;
use regex_automata::{Input, Span};
use regex_syntax::hir::Hir;

use super::{Builtin, Context, Failure, MOST_ELEMENTS, MOST_TEXT, Operand, Outcome};
use crate::opa::value::Value;
use syntax::Parsed;

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "re_match",
        arity: 2,
        run: is_match,
    },
    Builtin {
        name: "regex.find_all_string_submatch_n",
        arity: 3,
        run: find_all_string_submatch_n,
    },
    Builtin {
        name: "regex.find_n",
        arity: 3,
        run: find_n,
    },
    Builtin {
        name: "regex.is_valid",
        arity: 1,
        run: is_valid,
    },
    Builtin {
        name: "regex.match",
        arity: 2,
        run: is_match,
    },
    Builtin {
        name: "regex.replace",
        arity: 3,
        run: replace,
    },
    Builtin {
        name: "regex.split",
        arity: 2,
        run: split,
    },
    Builtin {
        name: "regex.template_match",
        arity: 4,
        run: template_match,
    },
];

/// The most bytes of a pattern.
const MOST_PATTERN: usize = 16 << 10;

/// The most bytes that a compiled pattern may have.
const MOST_COMPILED: usize = 1 << 20;

/// The most states of a pattern times bytes of a text.
const MOST_WORK: usize = 50_000_000;

/// How many patterns an evaluation keeps compiled, and how many bytes they may have together.
const MOST_KEPT: (usize, usize) = (100, 8 << 20);

/// The bytes that an engine may take beside a compiled pattern while it runs.
const CACHE: usize = 256 << 10;

/// A compiled pattern.
struct Pattern {
    regex: Regex,
    states: usize,
    /// The names of groups and their numbers.
    names: Vec<(String, usize)>,
}

/// The patterns that an evaluation has used. A rule is often run for each of many values.
#[derive(Default)]
pub(super) struct Patterns {
    kept: HashMap<String, Result<Rc<Pattern>, Failure>>,
    bytes: usize,
}

impl Patterns {
    fn get(&mut self, text: &str) -> Result<Rc<Pattern>, Failure> {
        if let Some(kept) = self.kept.get(text) {
            return kept.clone();
        }
        let compiled = compile(text).map(Rc::new);
        let bytes = compiled
            .as_ref()
            .map_or(0, |pattern| pattern.regex.memory_usage() + CACHE / 8);
        self.bytes += bytes;
        if self.kept.len() == MOST_KEPT.0 || self.bytes > MOST_KEPT.1 {
            self.kept.clear();
            self.bytes = bytes;
        }
        self.kept.insert(text.to_owned(), compiled.clone());
        compiled
    }
}

fn compile(text: &str) -> Result<Pattern, Failure> {
    if text.len() > MOST_PATTERN {
        return Err(Failure::Limit("a regular expression has more than 16KiB"));
    }
    let Parsed { hir, names } = syntax::parse(text)?;
    let states = states(&hir)?;
    let settings = Regex::config()
        .nfa_size_limit(Some(MOST_COMPILED))
        .hybrid_cache_capacity(CACHE)
        .onepass(false)
        .dfa(false);
    let regex = Regex::builder().configure(settings).build_from_hir(&hir);
    let regex = regex.map_err(|_| too_large())?;
    Ok(Pattern { regex, states, names })
}

fn states(hir: &Hir) -> Result<usize, Failure> {
    let settings = thompson::Config::new().nfa_size_limit(Some(MOST_COMPILED));
    let nfa = thompson::Compiler::new().configure(settings).build_from_hir(hir);
    Ok(nfa.map_err(|_| too_large())?.states().len())
}

fn too_large() -> Failure {
    Failure::Limit("a regular expression has more than 1MiB when it is compiled")
}

/// The pattern for a text, where the two together are not too much work.
fn pattern_for(context: &mut Context, pattern: &str, text: &str) -> Result<Rc<Pattern>, Failure> {
    context.look()?;
    let pattern = context.patterns.get(pattern)?;
    match pattern.states.saturating_mul(text.len()) {
        0..=MOST_WORK => Ok(pattern),
        _ => Err(Failure::Limit(
            "a regular expression is too large for so long a text",
        )),
    }
}

fn is_valid(context: &mut Context, arguments: &[Value]) -> Outcome {
    let Ok(pattern) = arguments[0].as_str() else {
        return Ok(Value::Bool(false));
    };
    match context.patterns.get(pattern) {
        Ok(_) => Ok(Value::Bool(true)),
        Err(Failure::Undefined) => Ok(Value::Bool(false)),
        Err(other) => Err(other),
    }
}

fn is_match(context: &mut Context, arguments: &[Value]) -> Outcome {
    let (pattern, text) = (arguments[0].as_str()?, arguments[1].as_str()?);
    let pattern = pattern_for(context, pattern, text)?;
    Ok(Value::Bool(pattern.regex.is_match(text)))
}

/// How many matches are wanted; a negative number is all.
fn wanted(value: &Value) -> Result<usize, Failure> {
    Ok(usize::try_from(value.as_i64()?).unwrap_or(usize::MAX))
}

fn find_n(context: &mut Context, arguments: &[Value]) -> Outcome {
    let (pattern, text) = (arguments[0].as_str()?, arguments[1].as_str()?);
    let wanted = wanted(&arguments[2])?;
    let pattern = pattern_for(context, pattern, text)?;
    let mut found = Vec::new();
    for span in pattern.regex.find_iter(text).take(wanted) {
        context.look()?;
        push(&mut found, Value::string(&text[span.range()]))?;
    }
    Ok(Value::Array(found))
}

/// Each match with its groups; a group that took no part is empty.
fn find_all_string_submatch_n(context: &mut Context, arguments: &[Value]) -> Outcome {
    let (pattern, text) = (arguments[0].as_str()?, arguments[1].as_str()?);
    let wanted = wanted(&arguments[2])?;
    let pattern = pattern_for(context, pattern, text)?;
    let mut found = Vec::new();
    let mut groups = 0;
    for captures in pattern.regex.captures_iter(text).take(wanted) {
        context.look()?;
        groups += captures.group_len();
        let texts = captures.iter().map(|span| Value::string(text_of(text, span)));
        push(&mut found, Value::Array(texts.collect()))?;
        if groups > MOST_ELEMENTS {
            return Err(too_many());
        }
    }
    Ok(Value::Array(found))
}

fn text_of(text: &str, span: Option<Span>) -> &str {
    span.map_or("", |span| &text[span.range()])
}

fn push(found: &mut Vec<Value>, value: Value) -> Result<(), Failure> {
    if found.len() == MOST_ELEMENTS {
        return Err(too_many());
    }
    found.push(value);
    Ok(())
}

fn too_many() -> Failure {
    Failure::Limit("a regular expression has more than 100000 matches in a text")
}

/// The parts between the matches, as Go gives them: an empty match before the text is none, and nothing follows one behind
/// it.
fn split(context: &mut Context, arguments: &[Value]) -> Outcome {
    let (pattern_text, text) = (arguments[0].as_str()?, arguments[1].as_str()?);
    let pattern = pattern_for(context, pattern_text, text)?;
    if text.is_empty() && !pattern_text.is_empty() {
        return Ok(Value::Array(vec![Value::string("")]));
    }
    let mut parts = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for found in pattern.regex.find_iter(text) {
        context.look()?;
        end = found.start();
        if found.end() != 0 {
            push(&mut parts, Value::string(&text[begin..end]))?;
        }
        begin = found.end();
    }
    if end != text.len() {
        push(&mut parts, Value::string(&text[begin..]))?;
    }
    Ok(Value::Array(parts))
}

fn replace(context: &mut Context, arguments: &[Value]) -> Outcome {
    let (text, pattern) = (arguments[0].as_str()?, arguments[1].as_str()?);
    let template = Template::parse(arguments[2].as_str()?);
    let pattern = pattern_for(context, pattern, text)?;
    let mut replaced = String::new();
    let mut copied = 0;
    let mut captures = pattern.regex.create_captures();
    for found in pattern.regex.find_iter(text) {
        context.look()?;
        replaced.push_str(&text[copied..found.start()]);
        copied = found.end();
        if template.has_groups {
            let input = Input::new(text).span(found.start()..text.len());
            pattern.regex.search_captures(&input, &mut captures);
        }
        template.expand(text, &pattern, &captures, &mut replaced);
        if replaced.len() > MOST_TEXT {
            return Err(Failure::Limit(
                "the text with its replacements has more than 2MiB",
            ));
        }
    }
    replaced.push_str(&text[copied..]);
    Ok(Value::String(replaced))
}

/// What a match is replaced with: text in which `$1`, `${1}` and `$name` stand for groups and `$$` for a dollar sign.
struct Template<'a> {
    parts: Vec<Part<'a>>,
    has_groups: bool,
}

enum Part<'a> {
    Text(&'a str),
    Group(&'a str),
}

impl<'a> Template<'a> {
    fn parse(mut rest: &'a str) -> Self {
        let mut parts = Vec::new();
        while let Some(at) = rest.find('$') {
            parts.push(Part::Text(&rest[..at]));
            rest = &rest[at..];
            if let Some((name, behind)) = group(&rest[1..]) {
                parts.push(Part::Group(name));
                rest = behind;
            } else {
                // Of two signs one is left; a single one stays.
                parts.push(Part::Text("$"));
                rest = rest.strip_prefix("$$").unwrap_or(&rest[1..]);
            }
        }
        parts.push(Part::Text(rest));
        let has_groups = parts.iter().any(|part| matches!(part, Part::Group(_)));
        Self { parts, has_groups }
    }

    fn expand(&self, text: &str, pattern: &Pattern, captures: &Captures, out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(name) => out.push_str(text_of(text, span_of(name, pattern, captures))),
            }
        }
    }
}

/// The name behind a dollar sign, with or without braces, and what follows it.
fn group(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{');
    let name = inner.unwrap_or(text);
    let end = name
        .find(|c: char| c != '_' && !c.is_alphanumeric())
        .unwrap_or(name.len());
    let (name, rest) = name.split_at(end);
    let rest = if inner.is_some() {
        rest.strip_prefix('}')?
    } else {
        rest
    };
    (!name.is_empty()).then_some((name, rest))
}

/// A name of digits is a number, whichever groups there are.
fn span_of(name: &str, pattern: &Pattern, captures: &Captures) -> Option<Span> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0')) {
        return captures.get_group(name.parse().ok()?);
    }
    let mut named = pattern.names.iter().filter(|(known, _)| known == name);
    // Of several groups with one name the first counts that took part.
    named.find_map(|(_, index)| captures.get_group(*index))
}

/// Whether a text matches a template: what stands between the delimiters are patterns, the rest is text.
fn template_match(context: &mut Context, arguments: &[Value]) -> Outcome {
    let (template, text) = (arguments[0].as_str()?, arguments[1].as_str()?);
    let (start, end) = (delimiter(&arguments[2])?, delimiter(&arguments[3])?);
    if template.len() > MOST_PATTERN {
        return Err(Failure::Limit("a regular expression has more than 16KiB"));
    }
    let mut pattern = String::from("^");
    let mut rest = 0;
    for (from, to) in delimited(template, start, end)? {
        // Delimiters that are equal never close, and those are ASCII, so both ends are those of characters.
        let inner = &template[from + 1..to - 1];
        syntax::parse(&format!("^{inner}$"))?;
        context.look()?;
        pattern.push_str(&quoted(&template[rest..from]));
        pattern.extend(["(", inner, ")"]);
        rest = to;
    }
    pattern.push_str(&quoted(&template[rest..]));
    pattern.push('$');
    let pattern = pattern_for(context, &pattern, text)?;
    Ok(Value::Bool(pattern.regex.is_match(text)))
}

fn delimiter(value: &Value) -> Result<u8, Failure> {
    match value.as_str()?.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(Failure::Undefined),
    }
}

/// The outermost pairs of delimiters: where each begins and ends.
fn delimited(template: &str, start: u8, end: u8) -> Result<Vec<(usize, usize)>, Failure> {
    let mut pairs = Vec::new();
    let (mut level, mut begin) = (0_usize, 0);
    for (at, byte) in template.bytes().enumerate() {
        if byte == start {
            if level == 0 {
                begin = at;
            }
            level += 1;
        } else if byte == end {
            level = level.checked_sub(1).ok_or(Failure::Undefined)?;
            if level == 0 {
                pairs.push((begin, at + 1));
            }
        }
    }
    match level {
        0 => Ok(pairs),
        _ => Err(Failure::Undefined),
    }
}

/// The pattern that matches just this text.
fn quoted(text: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$".contains(c);
    let quote = |c: char| special(c).then_some('\\').into_iter().chain([c]);
    text.chars().flat_map(quote).collect()
}

#[cfg(test)]
mod tests;
