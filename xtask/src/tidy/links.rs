//! Links from one Markdown file of the repository to another file lead somewhere.

use super::Problem;
use crate::repository::Repository;

pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in repository.ending_with(".md") {
        for (line, text) in file.lines() {
            for target in targets(text).filter(|target| is_file(target)) {
                let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                if !repository
                    .root()
                    .join(folder)
                    .join(without_fragment(target))
                    .exists()
                {
                    problems.push(Problem::at(
                        &file.path,
                        line,
                        format!("the link to {target} leads nowhere"),
                    ));
                }
            }
        }
    }
    problems
}

/// What stands in `](…)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

fn is_file(target: &str) -> bool {
    !target.starts_with('#') && !target.contains("://") && !target.starts_with("mailto:")
}

fn without_fragment(target: &str) -> &str {
    target.split('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let text = "[a](Cargo.toml) [b](https://example.com/x)\n[c](#here) and [d](../gone.md#part)\n";
        let mut repository = Repository::of(&[("docs.md", text)]);
        let root = crate::repository_root();
        repository.move_to(&root);
        let expected = Problem::at("docs.md", 2, "the link to ../gone.md#part leads nowhere");
        assert_eq!(check(&repository), [expected]);
    }
}
