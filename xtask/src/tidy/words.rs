//! Words, paths and hosts that belong to somebody's machine and not to the project.

use super::{Problem, has_word, is_checked};
use crate::repository::{Repository, SourceFile};

/// Beginnings of paths that exist on one machine only.
const PATHS: [&str; 5] = ["/work/", "/root/", "/home/", "/Users/", "/tmp/"];

/// What is said of how the project came to be, rather than of the project.
const WORDS: [&str; 3] = ["session", "as an AI", "language model"];

/// Where a lock file's packages may come from.
const SOURCES: [&str; 3] = [
    "https://github.com/rust-lang/crates.io-index",
    "https://registry.npmjs.org/",
    "https://proxy.golang.org/",
];

pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let files = repository.files().iter().filter(|file| is_checked(file));
    files
        .flat_map(|file| {
            if is_lock_file(&file.path) {
                sources(file)
            } else {
                words(file)
            }
        })
        .collect()
}

fn is_lock_file(path: &str) -> bool {
    ["Cargo.lock", "package-lock.json", "go.sum"]
        .iter()
        .any(|name| path.ends_with(name))
}

fn words(file: &SourceFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in file.lines() {
        let path = PATHS.iter().find(|path| names_path(line, path));
        problems.extend(
            path.map(|path| Problem::at(&file.path, number, format!("`{path}…` is a path of one machine"))),
        );
        let word = WORDS
            .iter()
            .find(|word| has_word(&line.to_lowercase(), &word.to_lowercase()));
        problems.extend(word.map(|word| {
            Problem::at(
                &file.path,
                number,
                format!("`{word}`: the project speaks of itself only"),
            )
        }));
        if names_issue(line) {
            let text = "an issue's number says nothing to a reader: say what it is about";
            problems.push(Problem::at(&file.path, number, text));
        }
    }
    problems
}

/// Whether a path begins here: `target/work/x` does not name `/work/`.
fn names_path(line: &str, path: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | '*' | '>');
    line.match_indices(path)
        .any(|(at, _)| !line[..at].ends_with(inside))
}

/// `issue 12` or `issue #12`.
fn names_issue(line: &str) -> bool {
    let line = line.to_lowercase();
    line.match_indices("issue ").any(|(at, found)| {
        line[at + found.len()..]
            .trim_start_matches('#')
            .starts_with(|c: char| c.is_ascii_digit())
    })
}

fn sources(file: &SourceFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in file.lines() {
        for (at, _) in line
            .match_indices("https://")
            .chain(line.match_indices("http://"))
        {
            let address = line[at..].split(['"', ' ', '#']).next().unwrap_or_default();
            let is_package = line.contains("resolved") || line.contains("source");
            if is_package && !SOURCES.iter().any(|source| address.starts_with(source)) {
                problems.push(Problem::at(
                    &file.path,
                    number,
                    format!("{address} is no public registry"),
                ));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Repository::of(&[(path, text)]))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn paths_of_a_machine_are_found_and_relative_ones_are_not() {
        assert_eq!(
            found("a.md", "cd /home/me/wharf"),
            ["a.md:1: `/home/…` is a path of one machine"]
        );
        assert_eq!(found("a.md", "target/tmp/x and $HOME/work/x"), [""; 0]);
    }

    #[test]
    fn words_about_how_it_was_made_are_found() {
        assert_eq!(found("a.rs", "x\n// In this session we").len(), 1);
        assert_eq!(found("a.rs", "// as issue #12 asks").len(), 1);
        assert_eq!(found("a.rs", "// possessions, an issue of trust"), [""; 0]);
    }

    #[test]
    fn packages_come_from_public_registries() {
        let good = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        assert_eq!(found("Cargo.lock", good), [""; 0]);
        let bad = "\"resolved\": \"http://mirror.internal/npm/x.tgz\",";
        assert_eq!(
            found("guests/x/package-lock.json", bad),
            ["guests/x/package-lock.json:1: http://mirror.internal/npm/x.tgz is no public registry"]
        );
    }
}
