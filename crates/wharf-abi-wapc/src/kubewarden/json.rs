//! JSON from others, with the place of what is wrong in it.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is wrong with some JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonProblem {
    /// The way to the value, such as `request.kind.group` or `rules[0].operations[1]`; empty for the whole.
    pub path: String,
    /// What is wrong there, in words. It ends with the line and the column.
    pub reason: String,
}

impl JsonProblem {
    /// A problem at a place that is known by its path.
    pub(crate) fn at(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            reason: reason.into(),
        }
    }

    /// The same problem, told from outside the value that it is in.
    pub(crate) fn inside(self, outer: &str) -> Self {
        let path = match self.path.as_str() {
            "" => outer.to_owned(),
            inner if inner.starts_with('[') => format!("{outer}{inner}"),
            inner => format!("{outer}.{inner}"),
        };
        Self { path, ..self }
    }
}

impl fmt::Display for JsonProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "at `{}`: ", self.path)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for JsonProblem {}

/// Reads one JSON document; one with a problem twice.
///
/// # Errors
/// The [`JsonProblem`]: it is no JSON, nested deeper than 128 levels, or not what is wanted.
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, JsonProblem> {
    // Noting the place of each value takes several times as long as reading it, and only a problem has one.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(problem)?;
    deserializer
        .end()
        .map_err(|error| JsonProblem::at("", error.to_string()))?;
    Ok(value)
}

/// Makes what is wanted of a value.
///
/// # Errors
/// The [`JsonProblem`], which has no line: the value is something else.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, JsonProblem> {
    serde_path_to_error::deserialize(value).map_err(problem)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn problem(error: serde_path_to_error::Error<serde_json::Error>) -> JsonProblem {
    let path = error.path().to_string();
    let path = match path.strip_suffix('?') {
        // A key that is cut off has no name; what it is in has one.
        Some(outer) if outer.is_empty() || outer.ends_with('.') => outer.trim_end_matches('.'),
        _ if path == "." => "",
        _ => &path,
    };
    JsonProblem {
        path: shortened(path),
        reason: shortened(&error.inner().to_string()),
    }
}

/// Reads one JSON document that is an object. Without this, an array of the fields' values would do too.
///
/// # Errors
/// As for [`decode`].
pub(crate) fn decode_object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, JsonProblem> {
    match first_byte(bytes) {
        Some(b'{') => decode(bytes),
        _ => {
            // Says what is wrong with it where it is no JSON at all.
            decode::<serde::de::IgnoredAny>(bytes)?;
            Err(JsonProblem::at("", "this is no object"))
        }
    }
}

/// The byte that says which kind of value it is.
pub(crate) fn first_byte(bytes: &[u8]) -> Option<u8> {
    bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// Whoever wrote the JSON can make names and values of any length and with any characters, which then stand in the error.
fn shortened(text: &str) -> String {
    const MOST: usize = 500;
    let mut short: String = text
        .chars()
        .take(MOST)
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect();
    if short.len() < text.len() && text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn problem(text: &str) -> String {
        decode::<BTreeMap<String, Vec<u8>>>(text.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_problem_says_where_it_is() {
        assert_eq!(
            problem(r#"{"a": [1, "x"]}"#),
            r#"at `a[1]`: invalid type: string "x", expected u8 at line 1 column 13"#
        );
        assert_eq!(
            problem("7"),
            "invalid type: integer `7`, expected a map at line 1 column 1"
        );
        assert_eq!(problem("{} {}"), "trailing characters at line 1 column 4");
        assert_eq!(problem(""), "EOF while parsing a value at line 1 column 0");
    }

    #[test]
    fn a_problem_does_not_repeat_what_is_too_long() {
        let long = "x".repeat(100_000);
        let text = problem(&format!(r#"{{"{long}": ["{long}"]}}"#));
        assert!(text.len() < 1_500, "{}", text.len());
        assert!(text.contains('…'));
    }

    #[test]
    fn a_problem_is_one_line() {
        assert_eq!(
            problem(r#"{"a\u001b[1m\nb": 7}"#),
            "at `a\u{fffd}[1m\u{fffd}b`: invalid type: integer `7`, expected a sequence at line 1 column 19"
        );
    }
}
