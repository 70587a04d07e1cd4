//! Each word that stands in the access log as the reason of an answer is explained to operators.

use super::Problem;
use crate::repository::Repository;

/// Where it is explained.
const DOCUMENT: &str = "docs/errors.md";

/// Where the words are, by the beginnings of paths.
const SOURCES: [&str; 6] = [
    "crates/wharf-abi-proxy-wasm/src/chain/local.rs",
    "crates/wharf-proxy/src/handle.rs",
    "crates/wharf-proxy/src/strict/refusal.rs",
    "crates/wharf-proxy/src/upstream/error.rs",
    "crates/wharf-proxy/src/exchange/driver",
    "crates/wharf-proxy/src/response_body.rs",
];

pub(super) fn check(repository: &Repository) -> Vec<Problem> {
    let document = repository.text(DOCUMENT).unwrap_or_default();
    let sources = repository
        .files()
        .iter()
        .filter(|file| SOURCES.iter().any(|source| file.path.starts_with(source)));
    let words = sources.flat_map(|file| {
        file.lines()
            .filter_map(move |(line, text)| word(text).map(|word| (&file.path, line, word)))
    });
    let unexplained = words.filter(|(_, _, word)| !document.contains(&format!("`{word}`")));
    let problem =
        |(path, line, word)| Problem::at(path, line, format!("`{word}` is not explained in {DOCUMENT}"));
    unexplained.map(problem).collect()
}

/// What stands before a word, on its line: an arm for a variant, a note in the record, a constant, or nothing where it is an
/// argument with a line of its own.
const BEFORE: [&str; 3] = ["=> \"", "note_details(\"", "DETAILS: &str = \""];

fn word(line: &str) -> Option<&str> {
    let alone = || line.trim_start().strip_prefix('"');
    let after = BEFORE
        .iter()
        .find_map(|before| line.split_once(before).map(|(_, rest)| rest));
    let (word, _) = after.or_else(alone)?.split_once('"')?;
    let is_word = !word.is_empty() && word.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
    is_word.then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_without_an_explanation_is_found() {
        let source =
            "A => \"bad_host\",\nB => \"a sentence\",\nC => \"new_word\",\nnote_details(\"bad_host\")\n";
        let problems = check(&Repository::of(&[
            (DOCUMENT, "| `bad_host` | 400 |"),
            (SOURCES[0], source),
        ]));
        let expected = "`new_word` is not explained in docs/errors.md";
        assert_eq!(problems, [Problem::at(SOURCES[0], 3, expected)]);
    }
}
