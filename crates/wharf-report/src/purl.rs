//! Package URLs: what names a package wherever it is spoken of, `pkg:npm/left-pad@1.3.0`.
//!
//! Reading and writing are those of the specification (ECMA-427) with the rules of the types that Trivy knows. What is read
//! is normalised; what is made of a package (see [`purl_for`]) is not, as with Trivy, so that the text in a report is
//! the one that Trivy writes.

mod package;
mod percent;

use std::fmt;

use self::percent::{decode, encode};

pub(crate) use self::package::{
    AGGREGATED, is_aggregated, is_of_system, normalise_licenses, rpm_version, version,
};
pub use self::package::{complete_packages, dependency_id, language_of, package_of, purl_for};

/// The longest package URL that is read, in bytes.
pub const MAX_BYTES: usize = 16 << 10;

/// A package URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purl {
    /// The type, such as `npm`.
    pub kind: String,
    /// The namespace, its segments with `/` between them; may be empty.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The version; may be empty.
    pub version: String,
    /// The qualifiers, sorted by key. No key is there twice, and no value is empty.
    pub qualifiers: Vec<(String, String)>,
    /// The path below the package; may be empty.
    pub subpath: String,
}

/// A text that is no package URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no package URL: {reason}", .text.escape_debug())]
pub struct InvalidPurl {
    /// The text, cut where it is long.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Purl {
    /// Reads one, and normalises it.
    ///
    /// # Errors
    /// [`InvalidPurl`] where the text is none, or is longer than [`MAX_BYTES`].
    pub fn parse(text: &str) -> Result<Self, InvalidPurl> {
        read(text).map_err(|reason| InvalidPurl {
            text: text.chars().take(200).collect(),
            reason,
        })
    }

    /// The value of a qualifier.
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers
            .iter()
            .find(|(given, _)| given == key)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the other one is what this one speaks of: of the same type, namespace and name, and of the same version,
    /// subpath and qualifiers as far as this one has them.
    pub fn covers(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
            && (self.version.is_empty() || self.version == other.version)
            && (self.subpath.is_empty() || self.subpath == other.subpath)
            && self
                .qualifiers
                .iter()
                .all(|(key, value)| other.qualifier(key) == Some(value))
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}", self.kind)?;
        for segment in self.namespace.split('/').filter(|segment| !segment.is_empty()) {
            write!(f, "/{}", encode(segment))?;
        }
        write!(f, "/{}", encode(&self.name))?;
        if !self.version.is_empty() {
            write!(f, "@{}", encode(&self.version))?;
        }
        for (index, (key, value)) in self.qualifiers.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            write!(f, "{separator}{}={}", encode(key), encode(value))?;
        }
        for (index, segment) in self.subpath.split('/').enumerate() {
            match (index, self.subpath.is_empty()) {
                (_, true) => {}
                (0, false) => write!(f, "#{}", encode(segment))?,
                (_, false) => write!(f, "/{}", encode(segment))?,
            }
        }
        Ok(())
    }
}

fn read(text: &str) -> Result<Purl, &'static str> {
    if text.len() > MAX_BYTES {
        return Err("it is longer than 16 KiB");
    }
    let rest = text
        .split_at_checked(4)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("pkg:"))
        .map(|(_, rest)| rest.trim_start_matches('/'))
        .ok_or("it does not begin with `pkg:`")?;
    let (rest, subpath) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, rest) = rest.split_once('/').ok_or("it has no name")?;
    let kind = kind.to_ascii_lowercase();
    if !is_type(&kind) {
        return Err("its type is made of other characters than letters, digits, `.`, `+` and `-`");
    }
    let qualifiers = read_qualifiers(query)?;
    let (namespace, name, version) = read_name(&kind, rest)?;
    let purl = Purl {
        namespace: normalised_namespace(&kind, namespace),
        name: normalised_name(&kind, name),
        version: if kind == "huggingface" {
            version.to_lowercase()
        } else {
            version
        },
        qualifiers,
        subpath: read_subpath(subpath)?,
        kind,
    };
    check_type_rules(&purl).map_or(Ok(purl), Err)
}

fn is_type(kind: &str) -> bool {
    !kind.is_empty()
        && !kind.starts_with(|first: char| first.is_ascii_digit())
        && kind
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-'))
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && !key.starts_with(|first: char| first.is_ascii_digit())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn read_qualifiers(query: &str) -> Result<Vec<(String, String)>, &'static str> {
    let mut qualifiers = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        if part.contains(';') {
            return Err("`;` stands between its qualifiers");
        }
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let key = key.to_ascii_lowercase();
        if !is_key(&key) {
            return Err(
                "the key of a qualifier is made of other characters than letters, digits, `.`, `-` and `_`",
            );
        }
        let value = decode(value)?;
        if !value.is_empty() {
            qualifiers.push((key, value));
        }
    }
    qualifiers.sort();
    let twice = qualifiers.windows(2).any(|pair| match pair {
        [(first, _), (second, _)] => first == second,
        _ => false,
    });
    if twice {
        return Err("a qualifier is there twice");
    }
    Ok(qualifiers)
}

fn read_name(kind: &str, rest: &str) -> Result<(String, String, String), &'static str> {
    // The `@` of an npm scope may be written as it is.
    if rest.starts_with('@') && (kind != "npm" || !rest.contains('/')) {
        return Err("it has no name");
    }
    let (rest, version) = match rest.rsplit_once('@') {
        Some((before, version)) if !before.is_empty() => (before, decode(version)?),
        _ => (rest, String::new()),
    };
    let (before, name) = rest.rsplit_once('/').unwrap_or(("", rest));
    let name = decode(name)?;
    if name.is_empty() {
        return Err("it has no name");
    }
    let segments: Result<Vec<String>, _> = before
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(decode)
        .collect();
    Ok((segments?.join("/").trim_matches('/').to_owned(), name, version))
}

fn read_subpath(subpath: &str) -> Result<String, &'static str> {
    let segments: Result<Vec<String>, _> = subpath.split('/').map(decode).collect();
    let segments = segments?;
    let leads_away = segments
        .iter()
        .skip(1)
        .any(|segment| matches!(segment.as_str(), "." | ".."));
    if leads_away {
        return Err("its path has a segment `.` or `..`");
    }
    Ok(segments.join("/").trim_matches('/').to_owned())
}

fn normalised_namespace(kind: &str, namespace: String) -> String {
    match kind {
        "alpm" | "apk" | "bitbucket" | "brew" | "composer" | "deb" | "github" | "golang" | "rpm" | "qpkg" => {
            namespace.to_lowercase()
        }
        _ => namespace,
    }
}

fn normalised_name(kind: &str, name: String) -> String {
    match kind {
        "alpm" | "apk" | "bitbucket" | "bitnami" | "brew" | "chrome-extension" | "composer" | "deb"
        | "github" | "golang" => name.to_lowercase(),
        "pypi" => name.replace('_', "-").to_lowercase(),
        _ => name,
    }
}

/// What is wrong with it by the rules of its type.
fn check_type_rules(purl: &Purl) -> Option<&'static str> {
    let has_namespace = !purl.namespace.is_empty();
    match purl.kind.as_str() {
        "chrome-extension" if has_namespace => Some("there are no namespaces in its type"),
        "chrome-extension"
            if purl.name.len() != 32 || !purl.name.bytes().all(|byte| byte.is_ascii_lowercase()) =>
        {
            Some("its name is not one of 32 small letters")
        }
        "cpan" if purl.namespace.to_uppercase() != purl.namespace => {
            Some("its namespace is not in capital letters")
        }
        "cpan" if purl.name.contains("::") => Some("its name is that of a module, not of a distribution"),
        "julia" | "otp" | "vcpkg" if has_namespace => Some("there are no namespaces in its type"),
        "julia" if purl.qualifier("uuid").is_none() => Some("it has no qualifier `uuid`"),
        "swift" | "vscode-extension" if !has_namespace => Some("it has no namespace"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
