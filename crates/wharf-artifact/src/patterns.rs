//! Which paths are skipped: globs as Trivy has them.

mod translate;

use std::fmt;
use std::path::{Component, Path, PathBuf};

use regex_automata::meta::Regex;

use crate::path::clean;

/// Directories that a walk passes over unless [`WalkOptions`](crate::WalkOptions) says otherwise: those that Trivy passes over.
pub const SKIPPED_DIRECTORIES: [&str; 4] = ["**/.git", "proc", "sys", "dev"];

/// The most patterns of one set.
const MOST_PATTERNS: usize = 4096;
/// The most bytes that the compiled automaton of one set may need.
const MOST_COMPILED: usize = 32 << 20;

/// A set of globs that paths relative to the root of a target are held against, whole.
///
/// `*` stands for any characters but `/`, `?` for one, `[a-z]` and `[!a-z]` for one of a class, `{a,b}` for either; `**`
/// between slashes stands for any number of directories, none included, so that `blog/**` is `blog` and all below. A
/// backslash takes the meaning from the next character. Compiled once; matching takes time in proportion to the path, whatever the patterns are.
#[derive(Clone, Default)]
pub struct Patterns {
    automaton: Option<Regex>,
    texts: Vec<String>,
}

/// Why patterns cannot be used. Who wrote the pattern is at fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternError {
    /// A pattern that is not well-formed.
    #[error("the pattern `{pattern}` is not a glob: {reason}")]
    Malformed {
        /// The pattern as it was given.
        pattern: String,
        /// What is wrong with it.
        reason: GlobFault,
    },
    /// More patterns than one set may have, or patterns that need too much memory together.
    #[error(
        "the patterns are too many or too large together: at most {MOST_PATTERNS}, and {MOST_COMPILED} bytes compiled"
    )]
    TooMany,
}

/// What is wrong with one glob.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GlobFault {
    /// A `[` without its `]`.
    #[error("a `[` is not closed")]
    OpenClass,
    /// `[]` or `[!]`.
    #[error("a class in `[]` is empty")]
    EmptyClass,
    /// A `{` without its `}`.
    #[error("a `{{` is not closed")]
    OpenAlternatives,
    /// A backslash at the end.
    #[error("a backslash at the end has nothing to escape")]
    OpenEscape,
    /// Longer than a pattern may be, or with more alternatives than it may have.
    #[error("it is too long or has too many alternatives (at most 4096 bytes and 1024 alternatives)")]
    TooLarge,
}

impl Patterns {
    /// A set that matches nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Patterns relative to the root of a target, as they are for the layers of an image. They are cleaned first: `./a/`
    /// and `/a` are `a`.
    ///
    /// # Errors
    /// A malformed pattern, or too much of them. (Trivy takes a malformed one in silence, and with it all that follow.)
    pub fn new<P: AsRef<str>>(patterns: &[P]) -> Result<Self, PatternError> {
        Self::compile(patterns.iter().map(|pattern| {
            let pattern = pattern.as_ref();
            (clean(pattern).trim_start_matches('/').to_owned(), pattern)
        }))
    }

    /// Patterns as they are given for a directory. Each is either relative to `root`, or names something below `root`
    /// from `working_directory` (`./tree/blog` where the root is `tree`), or is an absolute path.
    ///
    /// Paths are made relative by their text alone; nothing of the file system is looked at. `working_directory` must be absolute.
    ///
    /// # Errors
    /// As [`Patterns::new`].
    pub fn below<P: AsRef<str>>(
        root: &Path,
        working_directory: &Path,
        patterns: &[P],
    ) -> Result<Self, PatternError> {
        let root = absolute(working_directory, root);
        Self::compile(patterns.iter().map(|pattern| {
            let pattern = pattern.as_ref();
            let given = absolute(working_directory, Path::new(pattern));
            let relative = relative(&root, &given);
            let chosen = if Path::new(pattern).is_absolute() || !relative.starts_with("..") {
                relative
            } else {
                pattern.to_owned()
            };
            (clean(&chosen).trim_start_matches('/').to_owned(), pattern)
        }))
    }

    /// Whether a path is one that a pattern describes. The path is relative to the root, with `/`; the root itself is `.`.
    pub fn matches(&self, path: &str) -> bool {
        self.automaton
            .as_ref()
            .is_some_and(|automaton| automaton.is_match(path))
    }

    /// Whether there is no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.automaton.is_none()
    }

    /// The patterns as they are held against paths; for keys of caches.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    fn compile<'a>(patterns: impl Iterator<Item = (String, &'a str)>) -> Result<Self, PatternError> {
        let mut texts = Vec::new();
        let mut expressions = Vec::new();
        for (cleaned, given) in patterns {
            let translated = translate::expressions(&cleaned).map_err(|reason| PatternError::Malformed {
                pattern: given.to_owned(),
                reason,
            })?;
            expressions.extend(translated);
            texts.push(cleaned);
            if expressions.len() > MOST_PATTERNS {
                return Err(PatternError::TooMany);
            }
        }
        if expressions.is_empty() {
            return Ok(Self::none());
        }
        let settings = Regex::config()
            .nfa_size_limit(Some(MOST_COMPILED))
            .onepass_size_limit(Some(1 << 20))
            .dfa_size_limit(Some(1 << 20))
            .hybrid_cache_capacity(4 << 20)
            .utf8_empty(true);
        let automaton = Regex::builder()
            .configure(settings)
            .build_many(&expressions)
            .map_err(|_| PatternError::TooMany)?;
        Ok(Self {
            automaton: Some(automaton),
            texts,
        })
    }
}

impl fmt::Debug for Patterns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Patterns").field(&self.texts).finish()
    }
}

/// An absolute path, cleaned.
fn absolute(working_directory: &Path, path: &Path) -> PathBuf {
    let joined = working_directory.join(path);
    PathBuf::from(clean(&joined.to_string_lossy()))
}

/// The way from one cleaned absolute path to another.
fn relative(from: &Path, to: &Path) -> String {
    let normal = |component: &Component<'_>| matches!(component, Component::Normal(_));
    let from: Vec<Component<'_>> = from.components().filter(normal).collect();
    let to: Vec<Component<'_>> = to.components().filter(normal).collect();
    let shared = from
        .iter()
        .zip(&to)
        .take_while(|(left, right)| left == right)
        .count();
    let up = from.iter().skip(shared).map(|_| "..".to_owned());
    let down = to
        .iter()
        .skip(shared)
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    let parts: Vec<String> = up.chain(down).collect();
    if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }
}

#[cfg(test)]
mod tests;
