//! Each example is a story, and its README tells it.

use std::collections::BTreeSet;

use super::Problem;
use crate::repository::Repository;

pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let folders: BTreeSet<&str> = repository
        .files()
        .iter()
        .filter_map(|file| folder_of(&file.path, "examples/"))
        .collect();
    let untold = |folder: &&str| repository.text(&format!("examples/{folder}/README.md")).is_none();
    let problem = |folder| {
        Problem::of_file(
            format!("examples/{folder}"),
            "has no README.md: say what it shows",
        )
    };
    folders.into_iter().filter(untold).map(problem).collect()
}

fn folder_of<'a>(path: &'a str, above: &str) -> Option<&'a str> {
    path.strip_prefix(above)?
        .split_once('/')
        .map(|(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_without_a_readme_is_found() {
        let files = [
            ("examples/README.md", ""),
            ("examples/a/README.md", ""),
            ("examples/a/x/y", ""),
            ("examples/b/x", ""),
        ];
        let problems = check(&Repository::of(&files));
        assert_eq!(
            problems,
            [Problem::of_file(
                "examples/b",
                "has no README.md: say what it shows"
            )]
        );
    }
}
