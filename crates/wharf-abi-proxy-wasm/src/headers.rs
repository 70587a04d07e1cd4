//! Headers and trailers as filters see them: an ordered list that has the pseudo-headers too.

use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::pairs;

/// The most bytes that a header list may have, names and values together: 1 MiB.
pub const MAXIMUM_BYTES: usize = pairs::MAXIMUM_BYTES;
/// The most entries that a header list may have.
pub const MAXIMUM_COUNT: usize = pairs::MAXIMUM_COUNT;

/// Headers in the order in which they came, `:path` and its like among them.
///
/// Names are lower-case. What a guest puts in is checked as it enters: a name or a value that cannot stand in an HTTP
/// message (a space in a name, a line break in a value) is refused, so that no filter can split a message.
#[derive(Clone, Default)]
pub struct HeaderList {
    entries: Vec<(Name, HeaderValue)>,
    bytes: usize,
    /// How many entries at the front are as they were when the list was marked, but for pseudo-headers other than
    /// `:authority`. `None` where the list was never marked, or another one of them was changed since.
    untouched: Option<usize>,
}

impl fmt::Debug for HeaderList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name.as_str(), value)))
            .finish()
    }
}

impl PartialEq for HeaderList {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

/// The name of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// `:method`
    Method,
    /// `:scheme`
    Scheme,
    /// `:authority`
    Authority,
    /// `:path`
    Path,
    /// `:status`
    Status,
    /// Any other.
    Field(HeaderName),
}

/// Why a header is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name cannot be a header's name.
    #[error("{0:?} is not a header name")]
    Name(String),
    /// The value has bytes that no header may have.
    #[error("the value of {0} has a control character in it")]
    Value(String),
    /// The list would have more than [`MAXIMUM_COUNT`] entries.
    #[error("a header list has at most {MAXIMUM_COUNT} entries")]
    TooMany,
    /// The list would have more than [`MAXIMUM_BYTES`] bytes.
    #[error("a header list has at most {MAXIMUM_BYTES} bytes")]
    TooLarge,
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Method => ":method",
            Self::Scheme => ":scheme",
            Self::Authority => ":authority",
            Self::Path => ":path",
            Self::Status => ":status",
            Self::Field(name) => name.as_str(),
        }
    }

    /// Reads a name, in whatever case it is written. `host` is `:authority`, as in Envoy.
    ///
    /// # Errors
    /// [`HeaderError::Name`].
    pub fn parse(name: &[u8]) -> Result<Self, HeaderError> {
        if name.first() == Some(&b':') {
            return match name {
                b":method" => Ok(Self::Method),
                b":scheme" => Ok(Self::Scheme),
                b":authority" => Ok(Self::Authority),
                b":path" => Ok(Self::Path),
                b":status" => Ok(Self::Status),
                _ => Err(HeaderError::Name(lossy(name))),
            };
        }
        match HeaderName::from_bytes(name) {
            Ok(http::header::HOST) => Ok(Self::Authority),
            Ok(name) => Ok(Self::Field(name)),
            Err(_) => Err(HeaderError::Name(lossy(name))),
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned()
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl HeaderList {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty list with room for `count` headers.
    pub fn with_capacity(count: usize) -> Self {
        Self {
            entries: Vec::with_capacity(count),
            ..Self::default()
        }
    }

    /// Says that the list is now as it came, so that [`HeaderList::added`] can tell later what is new.
    pub fn mark(&mut self) {
        self.untouched = Some(self.entries.len());
    }

    /// The headers that were added since the list was marked. `None` where one that was there has been changed or taken
    /// away, or the list was never marked. `:method`, `:scheme`, `:path` and `:status` do not count; they are to be
    /// looked at by whoever asks.
    pub fn added(&self) -> Option<impl Iterator<Item = (&Name, &HeaderValue)>> {
        let added = self.entries.get(self.untouched?..)?;
        Some(added.iter().map(|(name, value)| (name, value)))
    }

    /// Appends a header that is known to be good.
    ///
    /// # Errors
    /// [`HeaderError::TooMany`] or [`HeaderError::TooLarge`].
    pub fn push(&mut self, name: Name, value: HeaderValue) -> Result<(), HeaderError> {
        if self.entries.len() == MAXIMUM_COUNT {
            return Err(HeaderError::TooMany);
        }
        let bytes = self.bytes + name.as_str().len() + value.len();
        if bytes > MAXIMUM_BYTES {
            return Err(HeaderError::TooLarge);
        }
        self.bytes = bytes;
        self.entries.push((name, value));
        Ok(())
    }

    /// Appends a header from a guest; earlier ones of the same name stay. A pseudo-header that is there is replaced.
    ///
    /// # Errors
    /// [`HeaderError`]; the list is as it was.
    pub fn add(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeaderError> {
        let name = Name::parse(name)?;
        let value = parse_value(&name, value)?;
        if !matches!(name, Name::Field(_)) {
            return self.set(name, value);
        }
        self.push(name, value)
    }

    /// Sets a header from a guest: the first of its name gets the value, further ones go.
    ///
    /// # Errors
    /// [`HeaderError`]; the list is as it was.
    pub fn replace(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeaderError> {
        let name = Name::parse(name)?;
        let value = parse_value(&name, value)?;
        self.set(name, value)
    }

    /// Sets a header that is known to be good: the first of its name gets the value, further ones go.
    ///
    /// # Errors
    /// [`HeaderError::TooMany`] or [`HeaderError::TooLarge`]; the list is as it was.
    pub fn set(&mut self, name: Name, value: HeaderValue) -> Result<(), HeaderError> {
        let Some(first) = self.entries.iter().position(|(other, _)| *other == name) else {
            return self.push(name, value);
        };
        let bytes = self.bytes - self.entries[first].1.len() + value.len();
        if bytes > MAXIMUM_BYTES {
            return Err(HeaderError::TooLarge);
        }
        self.bytes = bytes;
        self.entries[first].1 = value;
        if matches!(name, Name::Field(_) | Name::Authority)
            && self.untouched.is_some_and(|untouched| first < untouched)
        {
            self.untouched = None;
        }
        let mut index = 0;
        self.retain(|other| {
            index += 1;
            index <= first + 1 || *other != name
        });
        Ok(())
    }

    /// Removes all headers of this name, in whatever case it is written.
    pub fn remove(&mut self, name: &[u8]) {
        if let Ok(name) = Name::parse(name) {
            self.retain(|other| *other != name);
        }
    }

    /// Keeps only the headers whose names `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(&Name) -> bool) {
        let (bytes, untouched) = (&mut self.bytes, &mut self.untouched);
        self.entries.retain(|(name, value)| {
            let kept = keep(name);
            if !kept {
                *bytes -= name.as_str().len() + value.len();
                *untouched = None;
            }
            kept
        });
    }

    /// Replaces the whole list by `pairs` from a guest.
    ///
    /// # Errors
    /// [`HeaderError`] of the first bad pair; the list is as it was.
    pub fn replace_all(&mut self, pairs: &[(&[u8], &[u8])]) -> Result<(), HeaderError> {
        let mut list = Self::with_capacity(pairs.len());
        for (name, value) in pairs {
            list.add(name, value)?;
        }
        *self = list;
        Ok(())
    }

    /// The first value of the header `name`, in whatever case it is written.
    pub fn get(&self, name: &[u8]) -> Option<&HeaderValue> {
        self.entries
            .iter()
            .find(|(other, _)| other.as_str().as_bytes().eq_ignore_ascii_case(name))
            .or_else(|| {
                let host = name.eq_ignore_ascii_case(b"host");
                self.entries
                    .iter()
                    .find(|(other, _)| host && *other == Name::Authority)
            })
            .map(|(_, value)| value)
    }

    /// The first value of the header `name` as text, where it is text.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name.as_bytes())?.to_str().ok()
    }

    /// The headers, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, &HeaderValue)> + Clone {
        self.entries.iter().map(|(name, value)| (name, value))
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of all names and values together, as `proxy_get_header_map_size` gives them.
    pub fn byte_size(&self) -> usize {
        self.bytes
    }

    /// Writes the list as the ABI serializes it.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        pairs::encode(
            self.iter()
                .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())),
            out,
        );
    }
}

fn parse_value(name: &Name, value: &[u8]) -> Result<HeaderValue, HeaderError> {
    HeaderValue::from_maybe_shared(Bytes::copy_from_slice(value))
        .map_err(|_| HeaderError::Value(name.to_string()))
}

impl<'a> FromIterator<(&'a str, &'a str)> for HeaderList {
    /// A list for tests and small programs.
    ///
    /// # Panics
    /// Where a name or a value is none.
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(headers: I) -> Self {
        let mut list = Self::new();
        for (name, value) in headers {
            list.add(name.as_bytes(), value.as_bytes())
                .expect("the caller gives good headers");
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(headers: &[(&'static str, &'static str)]) -> HeaderList {
        headers.iter().copied().collect()
    }

    fn text(list: &HeaderList) -> String {
        let lines: Vec<_> = list
            .iter()
            .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
            .collect();
        let counted: usize = list.iter().map(|(n, v)| n.as_str().len() + v.len()).sum();
        assert_eq!(counted, list.byte_size());
        lines.join("\n")
    }

    #[test]
    fn order_and_repeated_names_are_kept() {
        let mut headers = list(&[(":path", "/"), ("b", "1"), ("a", "2"), ("B", "3")]);
        assert_eq!(text(&headers), ":path: /\nb: 1\na: 2\nb: 3");
        assert_eq!(headers.get(b"B").unwrap(), "1");
        headers.replace(b"b", b"9").unwrap();
        assert_eq!(text(&headers), ":path: /\nb: 9\na: 2");
        headers.replace(b"new", b"").unwrap();
        headers.remove(b"A");
        assert_eq!(text(&headers), ":path: /\nb: 9\nnew: ");
        headers.add(b":path", b"/2").unwrap();
        assert_eq!(text(&headers), ":path: /2\nb: 9\nnew: ");
    }

    #[test]
    fn host_is_the_authority() {
        let headers = list(&[("Host", "example.com")]);
        assert_eq!(text(&headers), ":authority: example.com");
        assert_eq!(headers.get(b"host").unwrap(), "example.com");
    }

    #[test]
    fn what_would_split_a_message_is_refused() {
        let mut headers = list(&[("a", "1")]);
        let before = headers.clone();
        for (name, value) in [
            ("a b", "x"),
            ("", "x"),
            (":what", "x"),
            ("a\r\nb", "x"),
            ("a", "x\r\ny: z"),
            ("a", "x\0"),
        ] {
            assert!(
                headers.add(name.as_bytes(), value.as_bytes()).is_err(),
                "{name:?} {value:?}"
            );
            assert!(
                headers.replace(name.as_bytes(), value.as_bytes()).is_err(),
                "{name:?} {value:?}"
            );
        }
        assert!(
            headers
                .replace_all(&[(b"ok", b"1"), (b"bad name", b"2")])
                .is_err()
        );
        assert_eq!(headers, before);
    }

    #[test]
    fn what_was_added_since_the_mark_is_known() {
        let added = |change: fn(&mut HeaderList)| {
            let mut headers = list(&[(":path", "/"), (":authority", "h"), ("a", "1"), ("b", "2")]);
            assert!(headers.added().is_none(), "it was not marked yet");
            headers.mark();
            change(&mut headers);
            let text = |(name, value): (&Name, &HeaderValue)| format!("{name}={}", value.to_str().unwrap());
            headers
                .added()
                .map(|added| added.map(text).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(added(|_| {}).as_deref(), Some(""));
        assert_eq!(added(|h| h.add(b"a", b"3").unwrap()).as_deref(), Some("a=3"));
        assert_eq!(added(|h| h.replace(b"c", b"3").unwrap()).as_deref(), Some("c=3"));
        let twice = added(|h| {
            h.replace(b"c", b"3").unwrap();
            h.replace(b"c", b"4").unwrap();
            h.remove(b"not-there");
        });
        assert_eq!(twice.as_deref(), Some("c=4"));
        assert_eq!(
            added(|h| h.replace(b":path", b"/2").unwrap()).as_deref(),
            Some("")
        );
        assert_eq!(added(|h| h.replace(b":authority", b"i").unwrap()), None);
        assert_eq!(added(|h| h.replace(b"a", b"3").unwrap()), None);
        assert_eq!(added(|h| h.remove(b"b")), None);
        assert_eq!(added(|h| h.remove(b":path")), None);
        assert_eq!(
            added(|h| h.replace_all(&[(b"a", b"1"), (b"b", b"2")]).unwrap()),
            None
        );
    }

    #[test]
    fn a_list_is_bounded() {
        let mut headers = HeaderList::new();
        for _ in 0..MAXIMUM_COUNT {
            headers.add(b"a", b"").unwrap();
        }
        assert_eq!(headers.add(b"a", b""), Err(HeaderError::TooMany));
        let mut headers = HeaderList::new();
        let large = vec![b'x'; MAXIMUM_BYTES];
        assert_eq!(headers.add(b"a", &large), Err(HeaderError::TooLarge));
        headers.add(b"a", b"").unwrap();
        assert_eq!(headers.replace(b"a", &large), Err(HeaderError::TooLarge));
        assert_eq!(headers.byte_size(), 1);
    }
}
