//! The files that an analyzer wants.
//!
//! A module names them by regular expressions in the syntax of Go's package regexp. `required/go_syntax.rs` turns those into
//! the syntax that is matched here.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternID, PatternSet};

mod go_syntax;
#[cfg(test)]
mod tests;

/// The most patterns of one module.
const MOST_PATTERNS: usize = 1_000;

/// The largest automaton, in bytes.
const MOST_AUTOMATON: usize = 10 << 20;

/// The regular expressions of the paths that an analyzer wants, compiled.
#[derive(Debug, Clone)]
pub struct Required {
    patterns: Vec<String>,
    translated: Vec<String>,
    regex: Regex,
}

/// A pattern that cannot be used. The module is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the module requires files by the pattern \"{}\", which cannot be used: {reason}", .pattern.escape_debug())]
pub struct PatternError {
    /// The pattern, cut where it is long; empty where it is about all of them.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl PatternError {
    fn new(pattern: &str, reason: impl Into<String>) -> Self {
        Self {
            pattern: pattern.chars().take(256).collect(),
            reason: reason.into(),
        }
    }
}

impl Required {
    /// Compiles patterns.
    ///
    /// # Errors
    /// [`PatternError`] for the first that Go would refuse, for more than 1000, and where they are too large together.
    pub fn new(patterns: Vec<String>) -> Result<Self, PatternError> {
        if patterns.len() > MOST_PATTERNS {
            let reason = format!(
                "there are {} of them, and at most {MOST_PATTERNS} are taken",
                patterns.len()
            );
            return Err(PatternError::new("", reason));
        }
        let translated = patterns
            .iter()
            .map(|pattern| go_syntax::translate(pattern).map_err(|reason| PatternError::new(pattern, reason)))
            .collect::<Result<Vec<_>, _>>()?;
        for (pattern, translated) in patterns.iter().zip(&translated) {
            build(std::slice::from_ref(translated), MatchKind::LeftmostFirst)
                .map_err(|reason| PatternError::new(pattern, reason))?;
        }
        let regex =
            build(&translated, MatchKind::LeftmostFirst).map_err(|reason| PatternError::new("", reason))?;
        Ok(Self {
            patterns,
            translated,
            regex,
        })
    }

    /// The patterns as the module gives them.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Whether one of them matches somewhere in `path`.
    pub fn matches(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }
}

/// The patterns of several modules in one automaton, so that each path is looked at once.
#[derive(Debug, Clone)]
pub struct RequiredSet {
    regex: Regex,
    /// The module of each pattern.
    owners: Vec<usize>,
}

impl RequiredSet {
    /// Puts the patterns of modules together; the modules are known by their places from then on.
    ///
    /// # Errors
    /// [`PatternError`] where they are too large together.
    pub fn new<'a>(modules: impl IntoIterator<Item = Option<&'a Required>>) -> Result<Self, PatternError> {
        let mut patterns = Vec::new();
        let mut owners = Vec::new();
        for (module, required) in modules.into_iter().enumerate() {
            for pattern in required.into_iter().flat_map(|required| &required.translated) {
                patterns.push(pattern.clone());
                owners.push(module);
            }
        }
        // All that match, and not only the first.
        let regex = build(&patterns, MatchKind::All).map_err(|reason| PatternError::new("", reason))?;
        Ok(Self { regex, owners })
    }

    /// The places of the modules that want `path`, in order.
    pub fn matching(&self, path: &str) -> Vec<usize> {
        let mut matching = PatternSet::new(self.owners.len());
        self.regex
            .which_overlapping_matches(&Input::new(path), &mut matching);
        let mut modules: Vec<usize> = matching
            .iter()
            .map(|pattern: PatternID| self.owners[pattern.as_usize()])
            .collect();
        modules.dedup();
        modules
    }
}

fn build(patterns: &[String], kind: MatchKind) -> Result<Regex, String> {
    Regex::builder()
        .syntax(syntax::Config::new().utf8(false))
        .configure(
            Regex::config()
                .match_kind(kind)
                .utf8_empty(false)
                .nfa_size_limit(Some(MOST_AUTOMATON)),
        )
        .build_many(patterns)
        .map_err(|error| match error.syntax_error() {
            Some(regex_syntax::Error::Parse(error)) => error.kind().to_string(),
            Some(regex_syntax::Error::Translate(error)) => error.kind().to_string(),
            _ => error.to_string(),
        })
}
