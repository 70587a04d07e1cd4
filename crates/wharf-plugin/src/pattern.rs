//! Patterns of references, as rules name them: `oci:registry.example/plugins/**`.

use std::fmt;
use std::path::{Component, Path};
use std::str::FromStr;

use crate::{ImageReference, ManifestName, Reference};

/// The most bytes of a pattern.
const MOST_PATTERN: usize = 1024;
/// The most bytes of a reference that is compared with patterns.
const MOST_REFERENCE: usize = 4096;

/// A pattern of references.
///
/// ```text
/// **   any text, also none
/// *    any text without a slash, also none
/// all else is itself, byte for byte
/// ```
///
/// The whole of a reference has to match. What is compared is its plain form ([`PlainReference`]), so that two ways to
/// write one place are one place. Comparing takes time in proportion to the bytes of both, multiplied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferencePattern(String);

impl ReferencePattern {
    /// As it was written, with the scheme in its plain form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it matches any of the names of a reference.
    pub fn matches(&self, reference: &PlainReference) -> bool {
        reference.names.iter().any(|name| matches(&self.0, name))
    }

    /// The same pattern with a relative path of files put behind a directory; others stay as they are.
    #[must_use]
    pub fn relative_to(self, directory: &Path) -> Self {
        match self.0.strip_prefix("file:") {
            Some(path) if !path.starts_with(['/', '*']) => {
                let joined = directory.join(path);
                let plain = plain_path(&joined).unwrap_or_else(|| joined.display().to_string());
                Self(format!("file:{plain}"))
            }
            _ => self,
        }
    }
}

impl fmt::Display for ReferencePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ReferencePattern {
    type Err = ReferencePatternError;

    fn from_str(text: &str) -> Result<Self, ReferencePatternError> {
        if text.len() > MOST_PATTERN {
            return Err(ReferencePatternError::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(ReferencePatternError::ControlCharacter);
        }
        if text == "**" {
            return Ok(Self(text.to_owned()));
        }
        let (scheme, rest) = text.split_once(':').ok_or(ReferencePatternError::Scheme)?;
        let slashless = rest.strip_prefix("//").unwrap_or(rest);
        match scheme {
            _ if rest.is_empty() || slashless.is_empty() => Err(ReferencePatternError::Empty),
            "file" => {
                let path = if rest.starts_with("///") { slashless } else { rest };
                Ok(Self(format!("file:{}", plain_pattern(path))))
            }
            "https" if rest.starts_with("//") || rest.starts_with('*') => {
                let (host, path) = slashless.split_at(slashless.find('/').unwrap_or(slashless.len()));
                Ok(Self(format!("https://{}{path}", host.to_ascii_lowercase())))
            }
            "https" => Err(ReferencePatternError::Scheme),
            // A registry's name is the same in upper case; those of repositories have none.
            "oci" | "registry" => {
                let name = rest.trim_start_matches('/');
                if name.is_empty() {
                    return Err(ReferencePatternError::Empty);
                }
                let (host, path) = name.split_at(name.find('/').unwrap_or(name.len()));
                Ok(Self(format!("oci:{}{path}", host.to_ascii_lowercase())))
            }
            _ => Err(ReferencePatternError::Scheme),
        }
    }
}

/// A text that is no pattern of references.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferencePatternError {
    /// It says not of which kind of references it is.
    #[error("a pattern of references begins with `oci:`, `file:` or `https://`, or is `**`")]
    Scheme,
    /// Nothing behind the scheme.
    #[error("nothing follows the scheme of the pattern")]
    Empty,
    /// More than a pattern can have.
    #[error("a pattern of references has at most {MOST_PATTERN} bytes, and this has {bytes}")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// A line break, a NUL or another control character.
    #[error("a pattern of references has no control characters")]
    ControlCharacter,
}

/// A reference in the form in which it is compared with patterns.
///
/// ```text
/// oci:     host/repository with the defaults of container tools written out, host in lower case; the same followed by
///          @digest where there is one, otherwise by :tag
/// file:    the path without `.`, and with each `..` resolved by its text; links are not followed
/// https:   host in lower case, without `?query` and `#fragment`
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainReference {
    /// The names that a pattern may match.
    names: Vec<String>,
}

impl PlainReference {
    /// The plain form of a reference.
    ///
    /// # Errors
    /// It could be read in two ways, as `https://a/b/%2e%2e/c`, or leads above its root.
    pub fn of(reference: &Reference) -> Result<Self, UnclearReference> {
        let unclear = || UnclearReference {
            reference: reference.to_string().chars().take(200).collect(),
        };
        let names = match reference {
            Reference::File(path) => vec![format!("file:{}", plain_path(path).ok_or_else(unclear)?)],
            Reference::Https(url) => vec![plain_url(url).ok_or_else(unclear)?],
            Reference::Oci(image) => {
                let image: ImageReference = image.parse().map_err(|_| unclear())?;
                let name = format!("oci:{}/{}", image.host(), image.repository());
                let whole = match image.manifest() {
                    ManifestName::Tag(tag) => format!("{name}:{tag}"),
                    ManifestName::Digest(digest) => format!("{name}@{digest}"),
                };
                vec![name, whole]
            }
        };
        if names.iter().any(|name| name.len() > MOST_REFERENCE) {
            return Err(unclear());
        }
        Ok(Self { names })
    }
}

/// A reference of which it cannot be said which patterns it matches.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reference:?} can be read in more than one way, so no rule can be chosen for it")]
pub struct UnclearReference {
    /// Its beginning.
    pub reference: String,
}

fn plain_path(path: &Path) -> Option<String> {
    let mut plain: Vec<&str> = Vec::new();
    let mut absolute = false;
    for component in path.components() {
        match component {
            Component::RootDir => absolute = true,
            Component::CurDir => {}
            Component::Normal(name) => plain.push(name.to_str()?),
            Component::ParentDir => match plain.last() {
                Some(&"..") | None if absolute => return None,
                Some(&"..") | None => plain.push(".."),
                Some(_) => {
                    plain.pop();
                }
            },
            Component::Prefix(_) => return None,
        }
    }
    Some(format!("{}{}", if absolute { "/" } else { "" }, plain.join("/")))
}

fn plain_url(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    let rest = rest.split(['?', '#']).next()?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_unclear = |segment: &str| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        matches!(segment.as_str(), "." | "..") || segment.contains("%2f") || segment.contains("%5c")
    };
    let bad = host.is_empty() || host.contains(['@', '\\', '%', '*']) || path.contains(['\\', ' ']);
    if bad || path.split('/').any(is_unclear) {
        return None;
    }
    Some(format!("https://{}{path}", host.to_ascii_lowercase()))
}

/// The plain form of a path in a pattern that is absolute or begins with a star; another gets its own when it is put behind a directory.
/// What leads above the root matches nothing, and has one slash in front, as it is written.
fn plain_pattern(path: &str) -> String {
    let first = path.chars().next().filter(|c| matches!(c, '/' | '*'));
    let plain = first.and_then(|first| plain_path(Path::new(path)).filter(|plain| plain.starts_with(first)));
    plain.unwrap_or_else(|| match first {
        Some('/') => format!("/{}", path.trim_start_matches('/')),
        _ => path.to_owned(),
    })
}

/// Compares by going through the text once for each part of the pattern: `reached` has the places of the text at which
/// the part can begin.
fn matches(pattern: &str, text: &str) -> bool {
    let text = text.as_bytes();
    let mut reached = vec![false; text.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    let mut rest = pattern.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        if *byte == b'*' {
            let crosses = behind.first() == Some(&b'*');
            rest = if crosses {
                behind.get(1..).unwrap_or_default()
            } else {
                behind
            };
            let mut open = false;
            for (place, here) in reached.iter_mut().enumerate() {
                open |= *here;
                *here = open;
                open &= crosses || text.get(place) != Some(&b'/');
            }
        } else {
            rest = behind;
            let mut before = false;
            for (place, here) in reached.iter_mut().enumerate() {
                let good = before && place.checked_sub(1).and_then(|place| text.get(place)) == Some(byte);
                before = std::mem::replace(here, good);
            }
        }
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(reference: &str) -> PlainReference {
        PlainReference::of(&reference.parse().unwrap()).unwrap()
    }

    fn pattern(text: &str) -> ReferencePattern {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn stars_match_what_they_are_said_to() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("a", "aa", false),
            ("*", "", true),
            ("*", "abc", true),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("a/**", "a/", true),
            ("a/**", "a", false),
            ("a/**", "a/b/c", true),
            ("a/**/c", "a/b/c", true),
            ("a/**/c", "a/c", false),
            ("a/*/c", "a/b/c", true),
            ("a/*/c", "a/b/b/c", false),
            ("a*c", "abbc", true),
            ("a*c", "ab/c", false),
            ("*.wasm", "a.wasm", true),
            ("*a*b*", "xaybz", true),
            ("*a*b*", "xbya", false),
            ("***", "a/b", true),
            ("a?c", "abc", false),
            ("[a]", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} {text:?}");
        }
        // What makes matchers that go back take for ever.
        assert!(!matches(
            &"*a".repeat(500),
            &"a".repeat(4000).replace("aaaa", "aaab")
        ));
    }

    #[test]
    fn one_place_is_one_place_however_it_is_written() {
        for (text, reference, expected) in [
            (
                "oci:registry.example/plugins/**",
                "oci://registry.example/plugins/greet:1",
                true,
            ),
            (
                "oci:Registry.Example/plugins/**",
                "oci:REGISTRY.example/plugins/a/b:1",
                true,
            ),
            (
                "registry://registry.example/plugins/**",
                "oci://registry.example/plugins/greet",
                true,
            ),
            (
                "oci:registry.example/plugins/**",
                "oci://registry.example.evil/plugins/greet",
                false,
            ),
            (
                "oci:registry.example/plugins/*",
                "oci://registry.example/plugins/a/b",
                false,
            ),
            (
                "oci:registry.example/plugins/*",
                "oci://registry.example/other/greet",
                false,
            ),
            ("oci:docker.io/library/busybox", "oci:busybox", true),
            ("oci:docker.io/library/busybox:latest", "oci:busybox", true),
            ("oci:docker.io/library/busybox:1*", "oci:busybox:1.36", true),
            ("file:**", "file:a/b.wasm", true),
            ("file:/srv/plugins/**", "file:/srv/plugins/a.wasm", true),
            ("file:///srv/plugins/**", "file:///srv/plugins/a.wasm", true),
            ("file:/srv/plugins/**", "file:/srv/plugins/../a.wasm", false),
            ("file:/srv/plugins/**", "file:/srv/./x/../plugins/a.wasm", true),
            ("file:/srv/./x/..//plugins/**", "file:/srv/plugins/a.wasm", true),
            ("file:**//./a.wasm", "file:/srv/a.wasm", true),
            ("file:*/../srv/a.wasm", "file:srv/a.wasm", false),
            ("file:////srv/a.wasm", "file:////srv/a.wasm", true),
            ("file:/../a.wasm", "file:/a.wasm", false),
            ("file:plugins/*", "file:./plugins/a.wasm", true),
            ("file:plugins/*", "file:../plugins/a.wasm", false),
            ("https://example.com/**", "https://EXAMPLE.com/a.wasm?x=/", true),
            ("https://example.com/**", "https://example.com.evil/a.wasm", false),
            ("https://*.example.com/**", "https://evil/x.example.com/a", false),
            ("**", "https://example.com/a.wasm", true),
        ] {
            assert_eq!(
                pattern(text).matches(&plain(reference)),
                expected,
                "{text} {reference}"
            );
        }
    }

    #[test]
    fn a_pattern_is_written_as_it_is_read() {
        for (text, written) in [
            ("file:///srv/**", "file:/srv/**"),
            ("file:////srv//./**", "file:/srv/**"),
            ("file://///../b.wat", "file:/../b.wat"),
            ("file:./a/**", "file:./a/**"),
            ("https://A.Example/B", "https://a.example/B"),
            ("registry://A.Example/b", "oci:a.example/b"),
        ] {
            assert_eq!(pattern(text).as_str(), written);
            assert_eq!(pattern(written).as_str(), written);
        }
    }

    #[test]
    fn a_tag_beside_a_digest_says_nothing() {
        let digest = crate::Digest::of(b"");
        let both = plain(&format!("oci:registry.example/a:v1@{digest}"));
        assert!(!pattern("oci:registry.example/a:v1").matches(&both));
        assert!(!pattern("oci:registry.example/a:*").matches(&both));
        assert!(pattern("oci:registry.example/a").matches(&both));
        assert!(pattern(&format!("oci:registry.example/a@{digest}")).matches(&both));
    }

    #[test]
    fn what_can_be_read_in_two_ways_matches_nothing() {
        for reference in [
            "https://a/b/../c",
            "https://a/b/%2E%2e/c",
            "https://a/b%2fc",
            "https://a@b/c",
            "https://a\\b/c",
            "https://a/b\\c",
            "file:/../a.wasm",
        ] {
            let reference: Reference = reference.parse().unwrap();
            assert!(PlainReference::of(&reference).is_err(), "{reference}");
        }
        // It cannot even be written.
        assert!("oci:Upper/Case".parse::<Reference>().is_err());
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "a",
            "*",
            "oci:",
            "oci://",
            "file:",
            "http://a/**",
            "https:a",
            "s3:**",
            "oci:a\n",
        ] {
            assert!(text.parse::<ReferencePattern>().is_err(), "{text:?}");
        }
        assert!(
            format!("oci:{}", "a".repeat(2000))
                .parse::<ReferencePattern>()
                .is_err()
        );
    }

    #[test]
    fn patterns_of_files_move_with_their_directory() {
        let moved = |text: &str| pattern(text).relative_to(Path::new("/etc/wharf")).to_string();
        assert_eq!(moved("file:plugins/**"), "file:/etc/wharf/plugins/**");
        assert_eq!(moved("file:./a.wasm"), "file:/etc/wharf/a.wasm");
        assert_eq!(moved("file:/srv/**"), "file:/srv/**");
        assert_eq!(moved("file:**"), "file:**");
        assert_eq!(moved("oci:a/**"), "oci:a/**");
    }
}
