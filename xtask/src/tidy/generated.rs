//! Files that are generated are what their generators give.

use super::Problem;
use crate::docs;
use crate::repository::Repository;

pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let generated = match docs::generate(repository) {
        Ok(generated) => generated,
        Err(error) => return vec![Problem::of_file(error.path(), error.to_string())],
    };
    let is_stale = |(path, text): &&(String, String)| repository.text(path) != Some(text);
    let problem = |(path, text): &(String, String)| {
        let line = first_difference(repository.text(path).unwrap_or_default(), text);
        Problem::at(path, line, "is not what its source gives: run `cargo xtask docs`")
    };
    generated.iter().filter(is_stale).map(problem).collect()
}

fn first_difference(left: &str, right: &str) -> usize {
    left.lines()
        .zip(right.lines())
        .take_while(|(left, right)| left == right)
        .count()
        + 1
}
