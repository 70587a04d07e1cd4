//! What policies name in the cluster. All of it becomes a part of a URL, so nothing gets there that could mean another
//! object than the one whose kind was granted.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a segment of a path or in a value of a query.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The longest name of an object. Most kinds allow 253 bytes; some set no limit.
const MOST_NAME: usize = 512;
/// The longest selector.
const MOST_SELECTOR: usize = 4096;

/// A group and version, as `v1` or `apps/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ApiVersion(String);

/// Why something cannot be the name of something in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameError {
    #[error("{} is not an API version, such as `v1` or `apps/v1`", shown(.0))]
    ApiVersion(String),
    #[error("{} is not the name of a namespace", shown(.0))]
    Namespace(String),
    #[error("{} is not the name of an object", shown(.0))]
    Object(String),
    #[error("the {what} selector has {bytes} bytes, and at most {MOST_SELECTOR} are taken")]
    Selector { what: &'static str, bytes: usize },
}

impl ApiVersion {
    pub(super) fn parse(text: &str) -> Result<Self, NameError> {
        let good = match text.split_once('/') {
            None => is_version(text),
            Some((group, version)) => is_group(group) && is_version(version),
        };
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::ApiVersion(text.to_owned()))
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the API server has it.
    pub(super) fn path(&self) -> String {
        let root = if self.0.contains('/') { "apis" } else { "api" };
        format!("/{root}/{}", self.0)
    }
}

/// Whether a text can be the plural of a kind, which stands in paths too.
pub(super) fn is_plural(text: &str) -> bool {
    is_group(text)
}

/// Checks the name of a namespace.
pub(super) fn check_namespace(name: &str) -> Result<(), NameError> {
    let good = (1..=63).contains(&name.len()) && name.bytes().all(|byte| is_lower(byte) || byte == b'-');
    good.then_some(())
        .ok_or_else(|| NameError::Namespace(name.to_owned()))
}

/// Checks the name of an object by the API server's own rule: any segment of a path that cannot be taken for something
/// else. Names of roles have `:` in them.
pub(super) fn check_name(name: &str) -> Result<(), NameError> {
    let good = (1..=MOST_NAME).contains(&name.len())
        && !matches!(name, "." | "..")
        && !name.contains(['/', '%'])
        && !name.contains(char::is_control);
    good.then_some(())
        .ok_or_else(|| NameError::Object(name.to_owned()))
}

/// A selector, or none where it is empty.
pub(super) fn selector(what: &'static str, text: Option<&str>) -> Result<Option<String>, NameError> {
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) if text.len() > MOST_SELECTOR => Err(NameError::Selector {
            what,
            bytes: text.len(),
        }),
        found => Ok(found.map(str::to_owned)),
    }
}

/// A text as a segment of a path or a value of a query.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

/// The beginning of a guest's text, for messages.
fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let beginning: String = text.chars().take(MOST).collect();
    let rest = if beginning.len() < text.len() { "…" } else { "" };
    format!("{beginning:?}{rest}")
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_version(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.bytes().all(is_lower)
}

fn is_group(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text
            .bytes()
            .all(|byte| is_lower(byte) || matches!(byte, b'-' | b'.'))
        && !text.starts_with(['-', '.'])
        && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_lead_to_their_paths() {
        for (text, path) in [
            ("v1", "/api/v1"),
            ("apps/v1", "/apis/apps/v1"),
            (
                "rbac.authorization.k8s.io/v1beta1",
                "/apis/rbac.authorization.k8s.io/v1beta1",
            ),
        ] {
            assert_eq!(
                ApiVersion::parse(text).map(|version| version.path()),
                Ok(path.to_owned())
            );
        }
    }

    #[test]
    fn no_version_leads_elsewhere() {
        for text in [
            "", "/", "v1/", "/v1", "a/b/c", "../v1", "v1?x", "apps/v1#", "a..b/v1", "V1", "v1%2f", "é/v1",
        ] {
            assert_eq!(
                ApiVersion::parse(text),
                Err(NameError::ApiVersion(text.into())),
                "{text}"
            );
        }
        assert!(ApiVersion::parse(&"v".repeat(64)).is_err());
    }

    #[test]
    fn no_name_leads_elsewhere() {
        for name in ["", ".", "..", "../secrets/x", "a/log", "a%2Flog", "a\nb", "a\0"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name(&"a".repeat(MOST_NAME + 1)).is_err());
        for name in ["web-0", "system:node", "kube-root-ca.crt", "a b?c#d"] {
            assert_eq!(check_name(name), Ok(()));
        }
        assert_eq!(encode("a b?c#d:é"), "a%20b%3Fc%23d%3A%C3%A9");
    }

    #[test]
    fn no_namespace_leads_elsewhere() {
        for name in ["", "a.b", "a/b", "..", "A", "a b", "é"] {
            assert!(check_namespace(name).is_err(), "{name:?}");
        }
        assert!(check_namespace(&"a".repeat(64)).is_err());
        assert_eq!(check_namespace("kube-system"), Ok(()));
    }

    #[test]
    fn an_empty_selector_is_none() {
        assert_eq!(selector("label", Some(" ")), Ok(None));
        assert_eq!(selector("label", Some("a=b")), Ok(Some("a=b".into())));
        let long = "a".repeat(MOST_SELECTOR + 1);
        assert!(selector("field", Some(&long)).is_err());
    }

    #[test]
    fn messages_show_a_part_of_what_guests_say() {
        let message = NameError::Object("\u{1b}[2J".repeat(100)).to_string();
        assert!(message.len() < 700 && !message.contains('\u{1b}'), "{message}");
    }
}
