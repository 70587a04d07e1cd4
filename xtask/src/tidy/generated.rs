//! Files that are generated are what their generators give.

use super::Problem;
use crate::docs::{self, DocsError, Document};
use crate::repository::Repository;

pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    docs::generate(repository)
        .into_iter()
        .filter_map(|document| problem(repository, document))
        .collect()
}

fn problem(repository: &Repository, document: Result<Document, DocsError>) -> Option<Problem> {
    let (path, text) = match document {
        Ok(document) => document,
        Err(error) => return Some(Problem::of_file(error.path(), error.to_string())),
    };
    let present = repository.text(path).unwrap_or_default();
    let stale = "is not what its source gives: run `cargo xtask docs`";
    (present != text).then(|| Problem::at(path, first_difference(present, &text), stale))
}

fn first_difference(left: &str, right: &str) -> usize {
    left.lines()
        .zip(right.lines())
        .take_while(|(left, right)| left == right)
        .count()
        + 1
}
