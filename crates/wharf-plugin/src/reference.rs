//! Where a plugin's bytes are to be found.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a plugin's bytes are to be found. It is written with a scheme: `file:`, `https:` or `oci:`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A file on this machine, `.wasm` or `.wat`. Written `file:plugins/greet.wasm` or `file:///opt/greet.wasm`.
    File(PathBuf),
    /// A URL; the whole of it, `https://` included.
    Https(String),
    /// An image in a registry, without the `oci://`: `registry.example/team/greet:1.2`.
    Oci(String),
}

impl Reference {
    /// The same reference with a relative file path put behind `directory`; other references stay as they are.
    #[must_use]
    pub fn relative_to(self, directory: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(directory.join(path)),
            other => other,
        }
    }

    /// The path, where this is a file.
    pub fn as_file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Https(_) | Self::Oci(_) => None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => {
                // Two slashes behind the scheme would name a host.
                let authority = if path.as_os_str().as_encoded_bytes().starts_with(b"//") {
                    "//"
                } else {
                    ""
                };
                write!(f, "file:{authority}{}", path.display())
            }
            Self::Https(url) => f.write_str(url),
            Self::Oci(image) => write!(f, "oci://{image}"),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.chars().any(char::is_control) {
            return Err(ReferenceError::ControlCharacter);
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(|| ReferenceError::NoScheme {
            text: text.to_owned(),
        })?;
        match scheme {
            "file" => parse_file(rest),
            "https" => match rest.strip_prefix("//") {
                Some(rest) if !rest.is_empty() => Ok(Self::Https(text.to_owned())),
                _ => Err(ReferenceError::Empty { scheme: "https" }),
            },
            "oci" => match rest.trim_start_matches('/') {
                "" => Err(ReferenceError::Empty { scheme: "oci" }),
                image => Ok(Self::Oci(image.to_owned())),
            },
            "http" => Err(ReferenceError::PlainHttp),
            _ => Err(ReferenceError::UnknownScheme {
                scheme: scheme.to_owned(),
            }),
        }
    }
}

fn parse_file(rest: &str) -> Result<Reference, ReferenceError> {
    let path = match rest.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => absolute,
        Some(_) => {
            return Err(ReferenceError::FileHost {
                rest: rest.to_owned(),
            });
        }
        None => rest,
    };
    if path.is_empty() {
        return Err(ReferenceError::Empty { scheme: "file" });
    }
    let path = PathBuf::from(path);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("wasm" | "wat") => Ok(Reference::File(path)),
        _ => Err(ReferenceError::Extension { path }),
    }
}

/// A text that does not say where a plugin is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// No `file:`, `https:` or `oci:` in front.
    #[error("`{text}` does not say what it is: a source begins with `file:`, `https:` or `oci:`")]
    NoScheme {
        /// What was given.
        text: String,
    },
    /// A scheme that nobody fetches.
    #[error("`{scheme}:` is not a kind of source")]
    UnknownScheme {
        /// The word before the colon.
        scheme: String,
    },
    /// `http://`, which anybody on the way can change.
    #[error("plugins are not fetched over plain `http:`, because anybody on the way could change them")]
    PlainHttp,
    /// Nothing behind the scheme.
    #[error("nothing follows `{scheme}:`")]
    Empty {
        /// The scheme.
        scheme: &'static str,
    },
    /// `file://name/…`, where a URL would have a host.
    #[error("`file:{rest}` names a host, not a path")]
    FileHost {
        /// What follows `file:`.
        rest: String,
    },
    /// A file that is neither `.wasm` nor `.wat`.
    #[error("`{}` is neither a `.wasm` nor a `.wat` file", path.display())]
    Extension {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A NUL, a line break or another control character.
    #[error("a source cannot contain control characters")]
    ControlCharacter,
}

impl ReferenceError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        match self {
            Self::NoScheme { text } => format!("write `file:{text}` for a file"),
            Self::UnknownScheme { .. } => "a source begins with `file:`, `https:` or `oci:`".to_owned(),
            Self::PlainHttp => "use `https:`".to_owned(),
            Self::Empty { .. } => "write for example `file:plugins/greet.wasm`".to_owned(),
            Self::FileHost { rest } => {
                format!(
                    "write `file:{}` for a relative path, or three slashes for an absolute one",
                    &rest[2..]
                )
            }
            Self::Extension { .. } => {
                "name the compiled module (`.wasm`) or its text form (`.wat`)".to_owned()
            }
            Self::ControlCharacter => "remove it".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_references_are_read() {
        for (text, reference, written) in [
            (
                "file:a/b.wasm",
                Reference::File("a/b.wasm".into()),
                "file:a/b.wasm",
            ),
            (
                "file:../b.wat",
                Reference::File("../b.wat".into()),
                "file:../b.wat",
            ),
            (
                "file:/opt/b.wasm",
                Reference::File("/opt/b.wasm".into()),
                "file:/opt/b.wasm",
            ),
            (
                "file:///opt/b.wasm",
                Reference::File("/opt/b.wasm".into()),
                "file:/opt/b.wasm",
            ),
            (
                "file:////opt/b.wasm",
                Reference::File("//opt/b.wasm".into()),
                "file:////opt/b.wasm",
            ),
            (
                "https://example.com/b.wasm",
                Reference::Https("https://example.com/b.wasm".into()),
                "https://example.com/b.wasm",
            ),
            (
                "oci://example.com/b:1",
                Reference::Oci("example.com/b:1".into()),
                "oci://example.com/b:1",
            ),
            (
                "oci:example.com/b:1",
                Reference::Oci("example.com/b:1".into()),
                "oci://example.com/b:1",
            ),
        ] {
            let parsed: Reference = text.parse().unwrap();
            assert_eq!(parsed, reference);
            assert_eq!(parsed.to_string(), written);
            assert_eq!(written.parse(), Ok(reference));
        }
    }

    #[test]
    fn only_relative_files_move_with_the_directory() {
        let moved = |text: &str| {
            text.parse::<Reference>()
                .unwrap()
                .relative_to(Path::new("/etc/wharf"))
        };
        assert_eq!(
            moved("file:a.wasm").as_file(),
            Some(Path::new("/etc/wharf/a.wasm"))
        );
        assert_eq!(moved("file:/a.wasm").as_file(), Some(Path::new("/a.wasm")));
        assert_eq!(moved("oci:a/b").as_file(), None);
    }

    #[test]
    fn bad_references_say_what_to_write() {
        let complaints: Vec<String> = [
            "",
            "a.wasm",
            "file:",
            "file://a/b.wasm",
            "file:a",
            "file:a.so",
            "file:a.WASM",
            "http://a/b.wasm",
            "https:",
            "https://",
            "https:a",
            "oci:",
            "oci://",
            "s3://a/b.wasm",
            "C:\\a.wasm",
            "file:a\0.wasm",
            "file:a\n.wasm",
        ]
        .into_iter()
        .map(|text| text.parse::<Reference>().unwrap_err())
        .map(|error| format!("{error}; {}", error.hint()))
        .collect();
        expect_test::expect![[r#"
            `` does not say what it is: a source begins with `file:`, `https:` or `oci:`; write `file:` for a file
            `a.wasm` does not say what it is: a source begins with `file:`, `https:` or `oci:`; write `file:a.wasm` for a file
            nothing follows `file:`; write for example `file:plugins/greet.wasm`
            `file://a/b.wasm` names a host, not a path; write `file:a/b.wasm` for a relative path, or three slashes for an absolute one
            `a` is neither a `.wasm` nor a `.wat` file; name the compiled module (`.wasm`) or its text form (`.wat`)
            `a.so` is neither a `.wasm` nor a `.wat` file; name the compiled module (`.wasm`) or its text form (`.wat`)
            `a.WASM` is neither a `.wasm` nor a `.wat` file; name the compiled module (`.wasm`) or its text form (`.wat`)
            plugins are not fetched over plain `http:`, because anybody on the way could change them; use `https:`
            nothing follows `https:`; write for example `file:plugins/greet.wasm`
            nothing follows `https:`; write for example `file:plugins/greet.wasm`
            nothing follows `https:`; write for example `file:plugins/greet.wasm`
            nothing follows `oci:`; write for example `file:plugins/greet.wasm`
            nothing follows `oci:`; write for example `file:plugins/greet.wasm`
            `s3:` is not a kind of source; a source begins with `file:`, `https:` or `oci:`
            `C:` is not a kind of source; a source begins with `file:`, `https:` or `oci:`
            a source cannot contain control characters; remove it
            a source cannot contain control characters; remove it"#]].assert_eq(&complaints.join("\n"));
    }
}
