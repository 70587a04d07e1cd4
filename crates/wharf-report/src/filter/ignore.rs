//! The ignore files: what they say, and whether it is meant for a finding.

use super::glob::{BadPattern, PathPattern};
use crate::Timestamp;
use crate::moment::instant;
use crate::purl::{InvalidPurl, Purl};

/// What an ignore file says, by the kinds of findings.
#[derive(Debug, Clone, Default)]
pub struct IgnoreRules {
    /// The file's name, as it stands in suppressed findings.
    pub source: String,
    /// The vulnerabilities that are passed over.
    pub vulnerabilities: Vec<IgnoreRule>,
    /// The misconfigurations that are passed over.
    pub misconfigurations: Vec<IgnoreRule>,
    /// The secrets that are passed over.
    pub secrets: Vec<IgnoreRule>,
    /// The licenses that are passed over.
    pub licenses: Vec<IgnoreRule>,
}

/// One finding that is passed over.
#[derive(Debug, Clone)]
pub struct IgnoreRule {
    id: String,
    paths: Vec<PathPattern>,
    purls: Vec<Purl>,
    expired_at: Option<Timestamp>,
    statement: String,
}

/// Why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// A pattern of its paths is none.
    #[error("a path of {id}")]
    Path {
        /// The id of the rule.
        id: String,
        /// What is wrong.
        source: BadPattern,
    },
    /// One of its package URLs is none.
    #[error("a package URL of {id}")]
    Purl {
        /// The id of the rule.
        id: String,
        /// What is wrong.
        source: InvalidPurl,
    },
}

/// A line of a `.trivyignore` that was passed over, which is worth a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedLine {
    /// The line, from 1.
    pub line: usize,
    /// The date that is none.
    pub date: String,
}

impl IgnoreRule {
    /// A rule for all findings with this id.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            paths: Vec::new(),
            purls: Vec::new(),
            expired_at: None,
            statement: String::new(),
        }
    }

    /// Only for findings in files that one of these patterns matches.
    ///
    /// # Errors
    /// Where one is no pattern.
    pub fn with_paths<T: AsRef<str>>(mut self, paths: &[T]) -> Result<Self, BadRule> {
        for path in paths {
            let pattern = PathPattern::parse(path.as_ref()).map_err(|source| BadRule::Path {
                id: self.id.clone(),
                source,
            })?;
            self.paths.push(pattern);
        }
        Ok(self)
    }

    /// Only for findings in packages that one of these package URLs covers. A finding without a package URL is meant
    /// all the same.
    ///
    /// # Errors
    /// Where one is no package URL.
    pub fn with_purls<T: AsRef<str>>(mut self, purls: &[T]) -> Result<Self, BadRule> {
        for purl in purls {
            let purl = Purl::parse(purl.as_ref()).map_err(|source| BadRule::Purl {
                id: self.id.clone(),
                source,
            })?;
            self.purls.push(purl);
        }
        Ok(self)
    }

    /// Only before this moment.
    #[must_use]
    pub fn until(mut self, moment: Option<Timestamp>) -> Self {
        self.expired_at = moment;
        self
    }

    /// With the reason.
    #[must_use]
    pub fn because(mut self, statement: impl Into<String>) -> Self {
        self.statement = statement.into();
        self
    }

    /// The reason.
    pub(super) fn statement(&self) -> &str {
        &self.statement
    }

    fn counts(&self, now: Option<&Timestamp>) -> bool {
        match (&self.expired_at, now) {
            (Some(end), Some(now)) => instant(end) >= instant(now),
            _ => true,
        }
    }

    fn is_for(&self, id: &str, path: &str, purl: Option<&Purl>) -> bool {
        self.id == id
            && (self.paths.is_empty() || self.paths.iter().any(|pattern| pattern.matches(path)))
            && (self.purls.is_empty()
                || purl.is_none_or(|purl| self.purls.iter().any(|rule| rule.covers(purl))))
    }
}

impl IgnoreRules {
    /// Reads a `.trivyignore`: a line is an id, and what is meant by it may be of any kind. Behind the id may stand
    /// `exp:2030-01-31`, the day from which it does not count any more; other words say nothing. Empty lines and those that
    /// begin with `#` are passed over. `source` is the file's name.
    ///
    /// A line whose date is none is passed over as well, and comes back.
    pub fn parse_trivyignore(source: &str, text: &str) -> (Self, Vec<SkippedLine>) {
        let mut rules = Vec::new();
        let mut skipped = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            let Some(id) = words.next().filter(|first| !first.starts_with('#')) else {
                continue;
            };
            let date = words.find_map(|word| word.strip_prefix("exp:"));
            let moment = date.map(|date| Timestamp::parse(&format!("{date}T00:00:00Z")));
            match moment.transpose() {
                Ok(moment) => rules.push(IgnoreRule::new(id).until(moment)),
                Err(_) => skipped.push(SkippedLine {
                    line: index + 1,
                    date: date.unwrap_or_default().chars().take(64).collect(),
                }),
            }
        }
        let rules = Self {
            source: source.to_owned(),
            vulnerabilities: rules.clone(),
            misconfigurations: rules.clone(),
            secrets: rules.clone(),
            licenses: rules,
        };
        (rules, skipped)
    }
}

/// The rules of one kind that count now, by their ids.
pub(super) struct Matcher<'r> {
    by_id: std::collections::HashMap<&'r str, Vec<&'r IgnoreRule>>,
}

impl<'r> Matcher<'r> {
    pub(super) fn new(rules: &'r [IgnoreRule], now: Option<&Timestamp>) -> Self {
        let mut by_id: std::collections::HashMap<&str, Vec<&IgnoreRule>> = std::collections::HashMap::new();
        for rule in rules.iter().filter(|rule| rule.counts(now)) {
            by_id.entry(&rule.id).or_default().push(rule);
        }
        Self { by_id }
    }

    /// The first rule that is meant for a finding.
    pub(super) fn find(&self, id: &str, path: &str, purl: Option<&Purl>) -> Option<&'r IgnoreRule> {
        let rules = self.by_id.get(id)?;
        rules.iter().copied().find(|rule| rule.is_for(id, path, purl))
    }
}
