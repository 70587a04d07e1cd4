//! Where a plugin's bytes are to be found.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::{Digest, DigestError, ImageReference, ImageReferenceError};

/// Where a plugin's bytes are to be found. It is written with a scheme: `file:`, `https:` or `oci:`; `registry:` is
/// another word for `oci:`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A file on this machine, `.wasm` or `.wat`. Written `file:plugins/greet.wasm` or `file:///opt/greet.wasm`.
    File(PathBuf),
    /// A URL; the whole of it, `https://` included. The digest that its bytes must have is written behind it:
    /// `https://example.com/greet.wasm#sha256:…`, or `#sha256=…`. It is never sent to the server.
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

    /// The image, where this is one: `None` for a file or a URL.
    ///
    /// # Errors
    /// [`ImageReferenceError`], where the name is none. A reference that was read from text has a good one.
    pub fn as_image(&self) -> Option<Result<ImageReference, ImageReferenceError>> {
        match self {
            Self::Oci(image) => Some(image.parse()),
            Self::File(_) | Self::Https(_) => None,
        }
    }

    /// The URL without what follows `#`, and the digest that follows it, where this is a URL.
    ///
    /// # Errors
    /// [`DigestError`], where something else than a digest follows. A reference that was read from text has none such.
    pub fn as_https(&self) -> Option<Result<(&str, Option<Digest>), DigestError>> {
        match self {
            Self::Https(url) => Some(split_digest(url)),
            Self::File(_) | Self::Oci(_) => None,
        }
    }

    /// One text for each thing that is meant, however it was written: `oci:docker.io/library/a:latest` for `oci://a`,
    /// and a URL without its digest. Lock files, stores and patterns of trust name plugins by it.
    pub fn canonical(&self) -> String {
        match self {
            Self::File(_) => self.to_string(),
            Self::Https(url) => url.split('#').next().unwrap_or_default().to_owned(),
            Self::Oci(text) => match text.parse::<ImageReference>() {
                Ok(image) => format!("oci:{image}"),
                Err(_) => format!("oci:{text}"),
            },
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
                Some(rest) if !rest.is_empty() && !rest.starts_with('#') => {
                    split_digest(text).map_err(ReferenceError::Digest)?;
                    Ok(Self::Https(text.to_owned()))
                }
                _ => Err(ReferenceError::Empty { scheme: "https" }),
            },
            "oci" | "registry" => match rest.trim_start_matches('/') {
                "" => Err(ReferenceError::Empty {
                    scheme: if scheme == "oci" { "oci" } else { "registry" },
                }),
                image => {
                    image.parse::<ImageReference>().map_err(ReferenceError::Image)?;
                    Ok(Self::Oci(image.to_owned()))
                }
            },
            "http" => Err(ReferenceError::PlainHttp),
            _ => Err(ReferenceError::UnknownScheme {
                scheme: scheme.to_owned(),
            }),
        }
    }
}

/// A URL without what follows `#`, and the digest that does.
fn split_digest(url: &str) -> Result<(&str, Option<Digest>), DigestError> {
    let Some((url, digest)) = url.split_once('#') else {
        return Ok((url, None));
    };
    // As package managers of other languages write it.
    let digest = match digest.strip_prefix("sha256=") {
        Some(digits) => format!("sha256:{digits}").parse()?,
        None => digest.parse()?,
    };
    Ok((url, Some(digest)))
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
    /// What follows `oci:` names no image.
    #[error(transparent)]
    Image(ImageReferenceError),
    /// What follows the `#` of a URL is no digest.
    #[error("what follows `#` is not the digest of the plugin: {0}")]
    Digest(DigestError),
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
            Self::Image(_) => "write for example `oci:registry.example/team/greet:1.2`".to_owned(),
            Self::Digest(_) => {
                "write the output of `sha256sum` behind it: `https://example.com/greet.wasm#sha256:…`"
                    .to_owned()
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
            (
                "registry://example.com/b:1",
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

    const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

    #[test]
    fn a_url_has_a_digest_behind_it() {
        for mark in ['=', ':'] {
            let text = format!("https://example.com/a.wasm#sha256{mark}{ZEROS}");
            let reference: Reference = text.parse().unwrap();
            let (url, digest) = reference.as_https().unwrap().unwrap();
            assert_eq!(url, "https://example.com/a.wasm");
            assert_eq!(digest.unwrap().to_hex(), ZEROS);
            assert_eq!(reference.canonical(), url);
        }
        let bare: Reference = "https://example.com/a.wasm".parse().unwrap();
        assert_eq!(bare.as_https().unwrap(), Ok(("https://example.com/a.wasm", None)));
        assert!(bare.as_image().is_none());
    }

    #[test]
    fn what_means_the_same_has_one_text() {
        let canonical = |text: &str| text.parse::<Reference>().unwrap().canonical();
        assert_eq!(canonical("oci://a"), "oci:docker.io/library/a:latest");
        assert_eq!(canonical("registry://Example.com/a:1"), "oci:example.com/a:1");
        assert_eq!(canonical("file:///a.wasm"), "file:/a.wasm");
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
            "registry://",
            "oci:a/B:1",
            "https://a/b.wasm#sha256:0",
            "https://a/b.wasm#",
            "https://#sha256:0",
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
            nothing follows `registry:`; write for example `file:plugins/greet.wasm`
            "B" is no part of a repository's name: these are of `a-z` and `0-9` with single `.`, `_`, `__` or `-` in between; write for example `oci:registry.example/team/greet:1.2`
            what follows `#` is not the digest of the plugin: a sha256 digest has 64 hexadecimal digits, this one has 1; write the output of `sha256sum` behind it: `https://example.com/greet.wasm#sha256:…`
            what follows `#` is not the digest of the plugin: a digest begins with `sha256:`; write the output of `sha256sum` behind it: `https://example.com/greet.wasm#sha256:…`
            nothing follows `https:`; write for example `file:plugins/greet.wasm`
            `s3:` is not a kind of source; a source begins with `file:`, `https:` or `oci:`
            `C:` is not a kind of source; a source begins with `file:`, `https:` or `oci:`
            a source cannot contain control characters; remove it
            a source cannot contain control characters; remove it"#]].assert_eq(&complaints.join("\n"));
    }
}
