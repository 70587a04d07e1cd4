//! The name that a deployer gives a plugin.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a plugin: it stands in the configuration, in logs, in metrics and in URLs of the admin port.
///
/// It begins with a lower-case letter or a digit, goes on with those and `-`, `_`, `.`, and has at most 63 bytes.
/// Cloning one is cheap: the text is shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginName(Arc<str>);

impl PluginName {
    /// The longest name, in bytes: what a DNS label and a metric label take without complaint.
    pub const MAX_BYTES: usize = 63;

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, or has a character that a name may not have.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { bytes: name.len() });
        }
        let bad = name
            .char_indices()
            .find(|&(at, character)| !may_stand(character, at == 0));
        match bad {
            Some((at, character)) => Err(NameError::Character {
                character,
                first: at == 0,
            }),
            None => Ok(Self(name.into())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn may_stand(character: char, first: bool) -> bool {
    matches!(character, 'a'..='z' | '0'..='9') || (!first && matches!(character, '-' | '_' | '.'))
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for PluginName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl AsRef<str> for PluginName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// So that a map with plugin names as keys can be asked with a `&str`.
impl Borrow<str> for PluginName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A text that cannot be a plugin's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No character at all.
    #[error("a plugin name cannot be empty")]
    Empty,
    /// More than [`PluginName::MAX_BYTES`].
    #[error("a plugin name has at most {max} bytes, this one has {bytes}", max = PluginName::MAX_BYTES)]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A character that may not stand there.
    #[error("a plugin name cannot {} {character:?}", if *.first { "begin with" } else { "contain" })]
    Character {
        /// The character.
        character: char,
        /// Whether it is the first one, for which fewer are allowed.
        first: bool,
    },
}

impl NameError {
    /// What to write instead.
    pub const fn hint(&self) -> &'static str {
        "a name is made of a-z, 0-9 and, after the first, `-`, `_`, `.`, at most 63 characters"
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn good_names_are_kept_as_they_are() {
        let longest = "a".repeat(63);
        for name in ["a", "0", "greet", "rate-limit.v2_1", longest.as_str()] {
            let parsed: PluginName = name.parse().unwrap();
            assert_eq!(parsed.as_str(), name);
            assert_eq!(format!("{parsed:>3}").trim_start(), name);
        }
    }

    #[test]
    fn bad_names_are_refused_with_the_reason() {
        let character = |character, first| NameError::Character { character, first };
        for (name, error) in [
            ("", NameError::Empty),
            ("Greet", character('G', true)),
            ("-a", character('-', true)),
            (".a", character('.', true)),
            ("a b", character(' ', false)),
            ("a/b", character('/', false)),
            ("a\0", character('\0', false)),
            ("grün", character('ü', false)),
            (&"a".repeat(64), NameError::TooLong { bytes: 64 }),
        ] {
            assert_eq!(PluginName::new(name), Err(error), "{name:?}");
        }
        assert_eq!(
            PluginName::new("Greet").unwrap_err().to_string(),
            "a plugin name cannot begin with 'G'"
        );
    }

    #[test]
    fn a_map_of_names_can_be_asked_with_text() {
        let map = BTreeMap::from([(PluginName::new("greet").unwrap(), 1)]);
        assert_eq!(map.get("greet"), Some(&1));
    }
}
