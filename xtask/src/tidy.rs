//! `cargo xtask tidy`: what the compiler and its lints do not see.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use crate::repository::{Repository, SourceFile};

mod documented;
mod examples;
mod generated;
mod layering;
mod links;
mod rust;
mod words;

/// What `cargo xtask tidy --help` says.
pub(crate) const LONG_ABOUT: &str = "\
Check what the compiler does not: the layers, the sizes of files, words and paths that do not belong here, links, \
and whether generated files are current

Each problem is a line with file, line and what to do. The exit code is 1 when there is one.";

/// Something that is wrong, and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    path: String,
    /// From 1; 0 where the file as a whole is meant.
    line: usize,
    text: String,
}

impl Problem {
    pub(crate) fn at(path: impl Into<String>, line: usize, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            text: text.into(),
        }
    }

    pub(crate) fn of_file(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self::at(path, 0, text)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}

/// Finds every problem.
pub(crate) fn problems(repository: &Repository) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(layering::check(repository));
    problems.extend(rust::check(repository));
    problems.extend(words::check(repository));
    problems.extend(links::check(repository));
    problems.extend(examples::check(repository));
    problems.extend(documented::check(repository));
    problems.extend(generated::check(repository));
    problems.sort();
    problems
}

/// Prints every problem.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command; it reports to its caller"
)]
pub(crate) fn run(root: &Path) -> ExitCode {
    let repository = match Repository::read(root) {
        Ok(repository) => repository,
        Err(error) => {
            eprintln!("error: the repository cannot be read: {error}");
            return ExitCode::FAILURE;
        }
    };
    let problems = problems(&repository);
    problems.iter().for_each(|problem| println!("{problem}"));
    match problems.len() {
        0 => {
            println!("tidy: {} files, no problem", repository.files().len());
            ExitCode::SUCCESS
        }
        count => {
            println!("tidy: {count} problem{}", if count == 1 { "" } else { "s" });
            ExitCode::FAILURE
        }
    }
}

/// The checks name what they look for, and so they are not looked at themselves.
fn is_checked(file: &SourceFile) -> bool {
    let checks = ["xtask/src/tidy", "xtask/src/guests/tests.rs"];
    !checks.iter().any(|check| file.path.starts_with(check))
}

/// Whether `word` stands in `line` with no letter, digit or underscore beside it.
fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(joins) && !line[at + word.len()..].starts_with(joins))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        let repository = Repository::read(&crate::repository_root()).unwrap();
        assert!(repository.files().len() > 100, "the files are found");
        let problems: Vec<String> = problems(&repository).iter().map(ToString::to_string).collect();
        assert!(
            problems.is_empty(),
            "run `cargo xtask tidy`:\n{}",
            problems.join("\n")
        );
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("unsafe { x }", "unsafe") && has_word("(unsafe)", "unsafe"));
        assert!(!has_word("unsafe_code", "unsafe") && !has_word("not_unsafe", "unsafe"));
    }
}
