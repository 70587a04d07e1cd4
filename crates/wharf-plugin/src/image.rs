//! The names of images in registries: `registry.example:5000/team/app:1.2@sha256:…`.
//!
//! The grammar is that of the OCI distribution specification, with the short forms that container tools know: `busybox` is
//! `docker.io/library/busybox:latest`.
//!
//! ```text
//! reference   = [host "/"] repository [":" tag] ["@" digest]
//! host        = (name | IPv4 | "[" IPv6 "]") [":" port]   what stands before the first "/" is one where it has "." or ":", or is
//!                                                          "localhost"; where it has none of them but upper case, it is refused
//! repository  = component {"/" component}                  at most 255 bytes
//! component   = a-z0-9 in runs, between them ".", "_", "__" or any number of "-"
//! tag         = (A-Za-z0-9_) and up to 127 more, also "." and "-"
//! digest      = "sha256:" 64 digits | "sha512:" 128 digits
//! ```

mod digest;
mod host;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use digest::ContentDigest;
pub use host::{RegistryHost, RegistryHostError};

/// The most bytes of a whole reference: more than host, repository, tag and digest can have together.
const MOST_BYTES: usize = 1024;
/// The most bytes of a repository.
const MOST_REPOSITORY: usize = 255;
/// The most bytes of a tag.
const MOST_TAG: usize = 128;

/// The name of an image in a registry. It always has a tag or a digest; where it has both, the digest counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    host: RegistryHost,
    repository: String,
    tag: Option<String>,
    digest: Option<ContentDigest>,
}

/// What names a manifest within its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestName<'a> {
    /// A name that may mean something else tomorrow.
    Tag(&'a str),
    /// These bytes and no others.
    Digest(&'a ContentDigest),
}

impl ImageReference {
    /// The registry.
    pub fn host(&self) -> &RegistryHost {
        &self.host
    }

    /// The repository: `library/busybox`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// What is asked for in the repository: the digest where there is one, else the tag.
    pub fn manifest(&self) -> ManifestName<'_> {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => ManifestName::Digest(digest),
            (None, tag) => ManifestName::Tag(tag.as_deref().unwrap_or("latest")),
        }
    }

    /// The tag, where there is one. Where there is a digest too, that counts.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, where there is one.
    pub fn digest(&self) -> Option<&ContentDigest> {
        self.digest.as_ref()
    }

    /// Another image of the same repository, by its tag alone; nothing where that is none.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Option<Self> {
        Some(Self {
            tag: Some(parse_tag(tag).ok()?),
            digest: None,
            ..self.clone()
        })
    }

    /// The same image in another registry.
    #[must_use]
    pub fn with_host(&self, host: RegistryHost) -> Self {
        Self { host, ..self.clone() }
    }

    /// The same image without a tag: by its digest alone, where it has one.
    #[must_use]
    pub fn without_tag(&self) -> Self {
        Self {
            tag: None,
            ..self.clone()
        }
    }

    /// The same image by this digest.
    #[must_use]
    pub fn with_digest(&self, digest: ContentDigest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }
}

impl fmt::Display for ManifestName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// The whole of it, nothing left out.
impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ImageReference {
    type Err = ImageReferenceError;

    fn from_str(text: &str) -> Result<Self, ImageReferenceError> {
        if text.is_empty() {
            return Err(ImageReferenceError::Empty);
        }
        if text.len() > MOST_BYTES {
            return Err(ImageReferenceError::TooLong { bytes: text.len() });
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(parse_digest(digest)?)),
            None => (text, None),
        };
        // A colon before the last slash is that of a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(parse_tag(tag)?)),
            _ => (rest, None),
        };
        if name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ImageReferenceError::Identifier);
        }
        let (host, repository) = split_host(name)?;
        check_repository(&repository)?;
        let tag = match (tag, &digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag,
        };
        Ok(Self {
            host,
            repository,
            tag,
            digest,
        })
    }
}

/// The registry and the repository of a name without tag and digest.
fn split_host(name: &str) -> Result<(RegistryHost, String), ImageReferenceError> {
    let explicit = name.split_once('/').filter(|(first, _)| looks_like_host(first));
    let (host, rest) = match explicit {
        Some((first, rest)) => (explicit_host(first)?, rest),
        None => (RegistryHost::docker_hub(), name),
    };
    let official = host.is_docker_hub() && !rest.contains('/') && !rest.is_empty();
    let repository = if official {
        format!("library/{rest}")
    } else {
        rest.to_owned()
    };
    Ok((host, repository))
}

/// A registry that is still one when it is written in lower case, as all of them are.
fn explicit_host(text: &str) -> Result<RegistryHost, ImageReferenceError> {
    let host: RegistryHost = text.parse()?;
    if looks_like_host(host.as_str()) {
        Ok(host)
    } else {
        Err(ImageReferenceError::UnclearHost { host: shown(text) })
    }
}

fn looks_like_host(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn check_repository(repository: &str) -> Result<(), ImageReferenceError> {
    if repository.len() > MOST_REPOSITORY {
        return Err(ImageReferenceError::RepositoryTooLong {
            bytes: repository.len(),
        });
    }
    let bad = repository.split('/').find(|component| !is_component(component));
    match bad {
        Some(component) => Err(ImageReferenceError::Repository {
            component: shown(component),
        }),
        None => Ok(()),
    }
}

/// Whether a text is runs of letters and digits with one separator between each two.
fn is_component(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends_well =
        bytes.first().copied().is_some_and(is_inner) && bytes.last().copied().is_some_and(is_inner);
    let separators = bytes.split(|byte| is_inner(*byte));
    let good = |separator: &[u8]| {
        matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|byte| *byte == b'-')
    };
    ends_well && separators.into_iter().all(good)
}

fn parse_tag(tag: &str) -> Result<String, ImageReferenceError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = tag.bytes().next().is_some_and(is_word);
    let good = tag
        .bytes()
        .all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'));
    if starts_well && good && tag.len() <= MOST_TAG {
        Ok(tag.to_owned())
    } else {
        Err(ImageReferenceError::Tag { tag: shown(tag) })
    }
}

fn parse_digest(digest: &str) -> Result<ContentDigest, ImageReferenceError> {
    digest.parse().map_err(|()| ImageReferenceError::Digest {
        digest: shown(digest),
    })
}

/// The beginning of a text of anybody, for messages.
fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let beginning: String = text.chars().take(MOST).collect();
    let rest = if beginning.len() < text.len() { "…" } else { "" };
    format!("{beginning:?}{rest}")
}

/// A text that names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageReferenceError {
    /// Nothing at all.
    #[error("the name of an image is empty")]
    Empty,
    /// More than a reference can have.
    #[error("the name of an image has at most {MOST_BYTES} bytes, and this has {bytes}")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// The registry's name is none.
    #[error(transparent)]
    Host(#[from] RegistryHostError),
    /// The registry's name is one only by its upper case, which does not count in names of registries.
    #[error(
        "{host} could be a registry or a part of a repository's name: write the registry with its port, or the repository in lower case"
    )]
    UnclearHost {
        /// The name, quoted and shortened.
        host: String,
    },
    /// A part of the repository is not as it may be.
    #[error(
        "{component} is no part of a repository's name: these are of `a-z` and `0-9` with single `.`, `_`, `__` or `-` in between"
    )]
    Repository {
        /// The part, quoted and shortened.
        component: String,
    },
    /// The repository is too long.
    #[error("the name of a repository has at most {MOST_REPOSITORY} bytes, and this has {bytes}")]
    RepositoryTooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// The repository is 64 hexadecimal digits.
    #[error(
        "64 hexadecimal digits are the identifier of an image and not a name: write `NAME@sha256:` before them"
    )]
    Identifier,
    /// The tag is not as it may be.
    #[error(
        "{tag} is no tag: it is of `A-Za-z0-9_.-`, begins with none of `.-`, and has at most {MOST_TAG} bytes"
    )]
    Tag {
        /// The tag, quoted and shortened.
        tag: String,
    },
    /// The digest is not as it may be, or of another algorithm.
    #[error(
        "{digest} is no digest: it is `sha256:` with 64 of the digits 0-9 and a-f, or `sha512:` with 128"
    )]
    Digest {
        /// The digest, quoted and shortened.
        digest: String,
    },
}
