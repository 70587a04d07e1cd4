//! A name that is good for a package of each language, for a file and for a plugin.

use std::fmt;

/// Words of the languages, of their tools, and of the libraries that the templates use: a kind in each line, and its names.
const TAKEN: &str = include_str!("taken.txt");

/// The name of a project: lower-case letters, digits and single `-` between them, a letter first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProjectName(String);

/// Why a name is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NameError {
    Form { example: String },
    TooLong { bytes: usize },
    Taken { by: &'static str, example: String },
}

impl ProjectName {
    /// The longest name of a plugin, and so of a project.
    pub(crate) const MAX_BYTES: usize = wharf_plugin::PluginName::MAX_BYTES;

    /// Checks a name.
    ///
    /// # Errors
    /// When it could not be the name of a crate, a Go module, an npm package, a file and a plugin.
    pub(crate) fn new(name: &str) -> Result<Self, NameError> {
        if name.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { bytes: name.len() });
        }
        if name.is_empty() || corrected(name) != name {
            return Err(NameError::Form {
                example: example(name),
            });
        }
        match taken_by(name) {
            Some(by) => Err(NameError::Taken {
                by,
                example: example(name),
            }),
            None => Ok(Self(name.to_owned())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same where `-` may not stand: in names of functions, metrics, and the files that Rust makes.
    pub(super) fn identifier(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule =
            "a name has the letters a-z, digits, and single `-` between them, and begins with a letter";
        match self {
            Self::Form { example } => write!(f, "{rule}, such as `{example}`"),
            Self::TooLong { bytes } => write!(
                f,
                "it has {bytes} bytes, and a name has at most {}, such as `add-header`",
                ProjectName::MAX_BYTES
            ),
            Self::Taken { by, example } => {
                write!(f, "it is {by}; take a name of your own, such as `{example}`")
            }
        }
    }
}

impl std::error::Error for NameError {}

/// Each kind of names that are taken, and the names.
fn taken() -> impl Iterator<Item = (&'static str, impl Iterator<Item = &'static str>)> {
    TAKEN
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(kind, names)| (kind, names.split_whitespace()))
}

fn taken_by(name: &str) -> Option<&'static str> {
    taken().find_map(|(kind, mut names)| names.any(|taken| taken == name).then_some(kind))
}

/// The nearest text that has the form of a name; empty where there is none.
fn corrected(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let begun = lower.trim_start_matches(|character: char| !character.is_ascii_lowercase());
    let words = begun.split(|character: char| !matches!(character, 'a'..='z' | '0'..='9'));
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// A good name, as near to this one as possible.
fn example(name: &str) -> String {
    let near = corrected(name);
    if near.is_empty() {
        return "add-header".to_owned();
    }
    match taken_by(&near) {
        Some(_) => format!("{near}-filter"),
        None => near,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> String {
        ProjectName::new(name).unwrap_err().to_string()
    }

    #[test]
    fn good_names() {
        for name in ["a", "add-header", "x9", "a-1-b2", "tests", "my-filter"] {
            assert_eq!(ProjectName::new(name).unwrap().as_str(), name);
        }
        assert_eq!(ProjectName::new("add-x-y").unwrap().identifier(), "add_x_y");
        assert!(ProjectName::new(&"a".repeat(63)).is_ok());
    }

    #[test]
    fn a_bad_name_comes_with_a_good_one() {
        for (name, example) in [
            ("", "add-header"),
            ("-", "add-header"),
            ("42", "add-header"),
            ("été", "t"),
            ("Add_Header", "add-header"),
            ("add  header", "add-header"),
            ("-add--header-", "add-header"),
            ("3scale", "scale"),
            ("../up", "up"),
            ("a/b", "a-b"),
            ("a\nb", "a-b"),
            ("a\u{1b}[31m", "a-31m"),
            ("Match", "match-filter"),
        ] {
            let said = refused(name);
            assert!(
                said.ends_with(&format!("such as `{example}`")),
                "{name:?}: {said}"
            );
            assert!(ProjectName::new(example).is_ok(), "{example}");
        }
    }

    #[test]
    fn long_names_are_refused_before_anything_is_made_of_them() {
        assert_eq!(
            refused(&"a".repeat(64)),
            "it has 64 bytes, and a name has at most 63, such as `add-header`"
        );
        assert!(refused(&"-".repeat(1 << 20)).starts_with("it has 1048576 bytes"));
    }

    #[test]
    fn names_that_something_else_has_are_refused() {
        let names: Vec<&str> = taken().flat_map(|(_, names)| names).collect();
        assert!(names.len() > 80 && names.contains(&"serde") && names.contains(&"yield"));
        for name in names {
            assert_eq!(corrected(name), name, "the form of a name");
            assert!(refused(name).ends_with(&format!("such as `{name}-filter`")));
        }
    }
}
